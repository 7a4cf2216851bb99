// fp32 with AVX-512.
#include "network.h"

#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>

#include "target.h"

BEGIN_TARGET("avx512f,avx512bw,avx512vl,avx512dq,fma")
#include "avx512.h"
#include "encoder.h"
#include "projection_kernel.h"
#include "streamed_kernel.h"

namespace vqspeech {
namespace {

struct Fp32 {
    using Instructions = Avx512;
    using Weight = Word;
    using Sum = __m512;
    using Operand = __m512;
    static INLINE Operand load(const Word* from) { return _mm512_load_ps(from); }
    static INLINE Operand spread(const Word* from) { return _mm512_set1_ps(*reinterpret_cast<const float*>(from)); }
    static INLINE Sum load_sum(const Word* from) { return _mm512_load_ps(from); }
    static INLINE void store_sum(Word* to, Sum sum) { _mm512_store_ps(to, sum); }
    static INLINE Sum multiply_add(Sum sum, Operand w, Operand x) { return _mm512_fmadd_ps(w, x, sum); }
    static INLINE __m512 value(Sum sum, const float*, __m512 addend) { return sum + addend; }
    static INLINE __m512 gated_unit(__m512 a, __m512 b) { return vqspeech::gated_unit<Avx512>(a, b); }
    static INLINE void put_unit(Word* to, int vector, __m512 x) { _mm512_store_ps(to + vector * 16, x); }
    static INLINE void put(Word* to, int vector, __m512 x, Quantizer) { put_unit(to, vector, x); }
};

// Weights in fp16.
struct Half : Fp32 {
    using Weight = uint16_t;
    static INLINE Operand load(const Weight* from) {
        return _mm512_cvtph_ps(_mm256_load_si256(reinterpret_cast<const __m256i*>(from)));
    }
};

bool supported() { return has_avx512(); }

}  // namespace

extern const Engine avx512_fp32;
const Engine avx512_fp32 = Kernel<Fp32>::engine("avx512", Precision::fp32, supported, 0,
                                                  {Encoder<Fp32>::run, StreamedBlocks<Fp32>::push, StreamedBlocks<Half>::push,
                                                 Projections<Fp32>::apply, Projections<Half>::apply});

}  // namespace vqspeech
END_TARGET
#endif
