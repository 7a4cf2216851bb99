// fp32 with AVX2 and FMA, vectors of 8.
#include "network.h"

#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>

#include "target.h"

BEGIN_TARGET("avx2,fma")
#include "encoder.h"
#include "kernel.h"

namespace vqspeech {
namespace {

struct Avx2 {
    using Float = __m256;
    static constexpr int lanes = 8;
    static constexpr int sums = 8;     // accumulators of a tile, of 16 registers
    static INLINE Float set(float x) { return _mm256_set1_ps(x); }
    static INLINE Float load(const float* from) { return _mm256_loadu_ps(from); }
    static INLINE void store(float* to, Float x) { _mm256_storeu_ps(to, x); }
    static INLINE Float fma(Float a, Float b, Float c) { return _mm256_fmadd_ps(a, b, c); }
    static INLINE Float min(Float a, Float b) { return _mm256_min_ps(a, b); }
    static INLINE Float max(Float a, Float b) { return _mm256_max_ps(a, b); }
    static INLINE Float clamp(Float x, Float limit) {
        return max(min(x, limit), _mm256_xor_ps(limit, set(-0.0f)));
    }
    static INLINE Float round(Float x) { return _mm256_round_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
    static INLINE Float power_of_two(Float n) {
        const __m256i exponent = _mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127));
        return _mm256_castsi256_ps(_mm256_slli_epi32(exponent, 23));
    }
};

struct Fp32 {
    using Instructions = Avx2;
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

bool supported() { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }

}  // namespace

extern const Engine avx2_fp32;
const Engine avx2_fp32 = Kernel<Fp32>::engine("avx2", Precision::fp32, supported, Encoder<Fp32>::run);

}  // namespace vqspeech
END_TARGET
#endif
