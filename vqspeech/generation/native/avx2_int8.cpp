// 8-bit with AVX2: products of bytes by way of int16, sums of int32. The same integers as with AVX512_VNNI.
#include "network.h"

#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>

#include "target.h"

BEGIN_TARGET("avx2,fma")
#include "avx2.h"

namespace vqspeech {
namespace {

struct Int8 {
    using Instructions = Avx2;
    using Weight = Word;
    using Sum = __m256i;
    using Operand = __m256i;
    // An input less 128, as its magnitude and its sign: the instruction multiplies unsigned by signed bytes and clips sums
    // of two products to int16, which 255 x 127 x 2 exceeds and 128 x 127 x 2 does not.
    struct Input {
        __m256i magnitude, sign;
    };
    static INLINE Operand load(const Word* from) { return _mm256_load_si256(reinterpret_cast<const __m256i*>(from)); }
    static INLINE Input spread(const Word* from) {
        const __m256i bytes = _mm256_xor_si256(_mm256_set1_epi32(static_cast<int>(*from)), _mm256_set1_epi8(-128));
        return {_mm256_abs_epi8(bytes), bytes};
    }
    static INLINE Sum load_sum(const Word* from) { return load(from); }
    static INLINE void store_sum(Word* to, Sum sum) { _mm256_store_si256(reinterpret_cast<__m256i*>(to), sum); }
    static INLINE Sum multiply_add(Sum sum, Operand w, Input x) {
        const __m256i twos = _mm256_maddubs_epi16(x.magnitude, _mm256_sign_epi8(w, x.sign));
        return _mm256_add_epi32(sum, _mm256_madd_epi16(twos, _mm256_set1_epi16(1)));
    }
    static INLINE __m256 value(Sum sum, const float* scale, __m256 addend) {
        return _mm256_fmadd_ps(_mm256_cvtepi32_ps(sum), _mm256_load_ps(scale), addend);
    }
    static INLINE __m256 gated_unit(__m256 a, __m256 b) { return vqspeech::short_gated_unit<Avx2>(a, b); }
    // The eight numbers as bytes, clipped to 0 ... 255.
    static INLINE __m128i bytes(__m256i x) {
        const __m128i words = _mm_packs_epi32(_mm256_castsi256_si128(x), _mm256_extracti128_si256(x, 1));
        return _mm_packus_epi16(words, words);
    }
    static INLINE void store_bytes(Word* to, int vector, __m128i bytes) {
        _mm_storel_epi64(reinterpret_cast<__m128i*>(to + vector * 2), bytes);
    }
    static INLINE __m256i scaled(__m256 x, float factor, float offset) {
        return _mm256_cvtps_epi32(_mm256_fmadd_ps(x, _mm256_set1_ps(factor), _mm256_set1_ps(offset)));
    }
    static INLINE void put_unit(Word* to, int vector, __m256 x) {
        store_bytes(to, vector, bytes(scaled(x, kUnitFactor, kUnitOffset)));
    }
    static INLINE void put(Word* to, int vector, __m256 x, Quantizer q) {
        const __m128i rounded = bytes(scaled(x, q.factor, q.offset));
        store_bytes(to, vector, rounded);
        if (!q.remainder) return;
        const __m256 exact = _mm256_fmadd_ps(x, _mm256_set1_ps(q.factor), _mm256_set1_ps(q.offset));
        const __m256 left = exact - _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(rounded));
        store_bytes(to + q.remainder, vector, bytes(scaled(left, kRemainder, kRemainderOffset)));
    }
};

}  // namespace

extern const Engine avx2_int8;
const Engine avx2_int8 = Kernel<Int8>::engine("avx2", Precision::int8, has_avx2, 128);

}  // namespace vqspeech
END_TARGET
#endif
