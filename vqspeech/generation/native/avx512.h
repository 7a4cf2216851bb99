// Vectors of 16 for the three AVX-512 engines. Included after the target is chosen.
#pragma once

#include "kernel.h"

namespace vqspeech {
namespace {

struct Avx512 {
    using Float = __m512;
    static constexpr int lanes = 16;
    static constexpr int sums = 16;    // accumulators of a tile, of 32 registers
    static INLINE Float set(float x) { return _mm512_set1_ps(x); }
    static INLINE Float load(const float* from) { return _mm512_loadu_ps(from); }
    static INLINE void store(float* to, Float x) { _mm512_storeu_ps(to, x); }
    static INLINE Float fma(Float a, Float b, Float c) { return _mm512_fmadd_ps(a, b, c); }
    static INLINE Float max(Float a, Float b) { return _mm512_max_ps(a, b); }
    // The smaller magnitude, with the sign of x.
    static INLINE Float clamp(Float x, Float limit) { return _mm512_range_ps(x, limit, 2); }
    static INLINE Float round(Float x) { return _mm512_roundscale_ps(x, 0); }
    static INLINE Float reciprocal(Float x) { return _mm512_rcp14_ps(x); }
    static INLINE Float power_of_two(Float n) { return _mm512_scalef_ps(set(1), n); }
};

inline bool has_avx512() {
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
}

}  // namespace
}  // namespace vqspeech
