// 8-bit with AVX512_VNNI: products of bytes, sums of int32.
#include "network.h"

#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>

#include "target.h"

BEGIN_TARGET("avx512f,avx512bw,avx512vl,avx512dq,fma,avx512vnni")
#include "avx512.h"

namespace vqspeech {
namespace {

struct Int8 {
    using Instructions = Avx512;
    using Weight = Word;
    using Sum = __m512i;
    using Operand = __m512i;
    static INLINE Operand load(const Word* from) { return _mm512_load_si512(from); }
    static INLINE Operand spread(const Word* from) { return _mm512_set1_epi32(static_cast<int>(*from)); }
    static INLINE Sum load_sum(const Word* from) { return _mm512_load_si512(from); }
    static INLINE void store_sum(Word* to, Sum sum) { _mm512_store_si512(to, sum); }
    // GCC 12 copies every accumulator twice around the intrinsic.
    static INLINE Sum multiply_add(Sum sum, Operand w, Operand x) {
        asm("vpdpbusd %2, %1, %0" : "+v"(sum) : "v"(x), "v"(w));
        return sum;
    }
    static INLINE __m512 value(Sum sum, const float* scale, __m512 addend) {
        return _mm512_fmadd_ps(_mm512_cvtepi32_ps(sum), _mm512_load_ps(scale), addend);
    }
    static INLINE __m512 gated_unit(__m512 a, __m512 b) { return vqspeech::short_gated_unit<Avx512>(a, b); }
    // A gated unit, which needs no clipping: adding 1.5 x 2**23 leaves its rounded value in the lowest byte.
    static INLINE void put_unit(Word* to, int vector, __m512 x) {
        const __m512 shifted = _mm512_fmadd_ps(x, _mm512_set1_ps(kUnitFactor), _mm512_set1_ps(12582912.0f + kUnitOffset));
        const __m128i bytes = _mm512_cvtepi32_epi8(_mm512_castps_si512(shifted));
        _mm_store_si128(reinterpret_cast<__m128i*>(to + vector * 4), bytes);
    }
    static INLINE void put(Word* to, int vector, __m512 x, Quantizer q) {
        const __m512 scaled = _mm512_fmadd_ps(x, _mm512_set1_ps(q.factor), _mm512_set1_ps(q.offset));
        const __m512i rounded = _mm512_max_epi32(_mm512_cvtps_epi32(scaled), _mm512_setzero_si512());
        const __m128i bytes = _mm512_cvtusepi32_epi8(rounded);
        _mm_store_si128(reinterpret_cast<__m128i*>(to + vector * 4), bytes);
        if (!q.remainder) return;
        const __m512 left = scaled - _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(bytes));
        const __m512 remainder = _mm512_fmadd_ps(left, _mm512_set1_ps(kRemainder), _mm512_set1_ps(kRemainderOffset));
        const __m512i remainder_rounded = _mm512_max_epi32(_mm512_cvtps_epi32(remainder), _mm512_setzero_si512());
        _mm_store_si128(reinterpret_cast<__m128i*>(to + q.remainder + vector * 4), _mm512_cvtusepi32_epi8(remainder_rounded));
    }
};

bool supported() { return has_avx512() && __builtin_cpu_supports("avx512vnni"); }

}  // namespace

extern const Engine avx512_int8;
const Engine avx512_int8 = Kernel<Int8>::engine("avx512", Precision::int8, supported);

}  // namespace vqspeech
END_TARGET
#endif
