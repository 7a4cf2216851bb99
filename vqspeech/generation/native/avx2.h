// Vectors of 8 for the two AVX2 engines. Included after the target is chosen.
#pragma once

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
    // A division: the instruction that estimates a reciprocal differs between makers of processors.
    static INLINE Float reciprocal(Float x) { return set(1) / x; }
    static INLINE Float power_of_two(Float n) {
        const __m256i exponent = _mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127));
        return _mm256_castsi256_ps(_mm256_slli_epi32(exponent, 23));
    }
};

inline bool has_avx2() { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("f16c"); }

}  // namespace
}  // namespace vqspeech
