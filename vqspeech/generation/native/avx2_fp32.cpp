// fp32 with AVX2 and FMA.
#include "network.h"

#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>

#include "target.h"

BEGIN_TARGET("avx2,fma,f16c")
#include "avx2.h"
#include "encoder.h"
#include "projection_kernel.h"
#include "streamed_kernel.h"

namespace vqspeech {
namespace {

struct Fp32 {
    using Instructions = Avx2;
    using Weight = Word;
    using Sum = __m256;
    using Operand = __m256;
    static INLINE const float* floats(const Word* from) { return reinterpret_cast<const float*>(from); }
    static INLINE Operand load(const Word* from) { return _mm256_load_ps(floats(from)); }
    static INLINE Operand spread(const Word* from) { return _mm256_broadcast_ss(floats(from)); }
    static INLINE Sum load_sum(const Word* from) { return _mm256_load_ps(floats(from)); }
    static INLINE void store_sum(Word* to, Sum sum) { _mm256_store_ps(reinterpret_cast<float*>(to), sum); }
    static INLINE Sum multiply_add(Sum sum, Operand w, Operand x) { return _mm256_fmadd_ps(w, x, sum); }
    static INLINE __m256 value(Sum sum, const float*, __m256 addend) { return sum + addend; }
    static INLINE __m256 gated_unit(__m256 a, __m256 b) { return vqspeech::gated_unit<Avx2>(a, b); }
    static INLINE void put_unit(Word* to, int vector, __m256 x) { store_sum(to + vector * 8, x); }
    static INLINE void put(Word* to, int vector, __m256 x, Quantizer) { put_unit(to, vector, x); }
};

// Weights in fp16.
struct Half : Fp32 {
    using Weight = uint16_t;
    static INLINE Operand load(const Weight* from) {
        return _mm256_cvtph_ps(_mm_load_si128(reinterpret_cast<const __m128i*>(from)));
    }
};

}  // namespace

extern const Engine avx2_fp32;
const Engine avx2_fp32 = Kernel<Fp32>::engine("avx2", Precision::fp32, has_avx2, 0,
                                                  {Encoder<Fp32>::run, StreamedBlocks<Fp32>::push, StreamedBlocks<Half>::push,
                                               Projections<Fp32>::apply, Projections<Half>::apply});

}  // namespace vqspeech
END_TARGET
#endif
