// bf16 with AVX512_BF16: products of bf16, sums of fp32.
#include "network.h"

#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>

#include "target.h"

BEGIN_TARGET("avx512f,avx512bw,avx512vl,avx512dq,fma,avx512bf16")
#include "avx512.h"

namespace vqspeech {
namespace {

struct Bf16 {
    using Instructions = Avx512;
    using Weight = Word;
    using Sum = __m512;
    using Operand = __m512bh;
    static INLINE Operand load(const Word* from) { return (__m512bh)_mm512_load_si512(from); }
    static INLINE Operand spread(const Word* from) { return (__m512bh)_mm512_set1_epi32(static_cast<int>(*from)); }
    static INLINE Sum load_sum(const Word* from) { return _mm512_load_ps(from); }
    static INLINE void store_sum(Word* to, Sum sum) { _mm512_store_ps(to, sum); }
    // GCC 12 copies every accumulator twice around the intrinsic.
    static INLINE Sum multiply_add(Sum sum, Operand w, Operand x) {
        asm("vdpbf16ps %2, %1, %0" : "+v"(sum) : "v"(w), "v"(x));
        return sum;
    }
    static INLINE __m512 value(Sum sum, const float*, __m512 addend) { return sum + addend; }
    static INLINE __m512 gated_unit(__m512 a, __m512 b) { return vqspeech::short_gated_unit<Avx512>(a, b); }
    static INLINE void put_unit(Word* to, int vector, __m512 x) {
        _mm256_store_si256(reinterpret_cast<__m256i*>(to + vector * 8), (__m256i)_mm512_cvtneps_pbh(x));
    }
    static INLINE void put(Word* to, int vector, __m512 x, Quantizer) { put_unit(to, vector, x); }
};

bool supported() { return has_avx512() && __builtin_cpu_supports("avx512bf16"); }

}  // namespace

extern const Engine avx512_bf16;
const Engine avx512_bf16 = Kernel<Bf16>::engine("avx512", Precision::bf16, supported);

}  // namespace vqspeech
END_TARGET
#endif
