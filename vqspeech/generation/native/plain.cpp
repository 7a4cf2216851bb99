// fp32 with whatever the compiler's target has (SSE2, NEON, ...): vectors of 4 by the vector extension of GCC and Clang.
#include "network.h"

#include <cstring>

#include "encoder.h"
#include "kernel.h"
#include "projection_kernel.h"
#include "streamed_kernel.h"

namespace vqspeech {
namespace {

struct Plain {
    typedef float Float __attribute__((vector_size(16)));
    typedef int32_t Int __attribute__((vector_size(16)));
    static constexpr int lanes = 4;
    static constexpr int sums = 8;     // accumulators of a tile, of 16 registers
    static INLINE Float set(float x) { return Float{x, x, x, x}; }
    static INLINE Float load(const float* from) {
        Float x;
        std::memcpy(&x, from, sizeof x);
        return x;
    }
    static INLINE void store(float* to, Float x) { std::memcpy(to, &x, sizeof x); }
    static INLINE Float fma(Float a, Float b, Float c) { return a * b + c; }
    static INLINE Float min(Float a, Float b) { return a < b ? a : b; }
    static INLINE Float max(Float a, Float b) { return a > b ? a : b; }
    static INLINE Float clamp(Float x, Float limit) { return max(min(x, limit), -limit); }
    static INLINE Float round(Float x) {
        const Float big = set(12582912.0f);  // 1.5 x 2**23: adding it leaves no room for a fraction
        Float shifted = x + big;
        KEEP(shifted);
        return shifted - big;
    }
    static INLINE Float power_of_two(Float n) {
        const Int bits = (__builtin_convertvector(n, Int) + 127) << 23;
        Float x;
        std::memcpy(&x, &bits, sizeof x);
        return x;
    }
};

struct Fp32 {
    using Instructions = Plain;
    using Weight = Word;
    using Sum = Plain::Float;
    using Operand = Plain::Float;
    static INLINE Operand load(const Word* from) { return Plain::load(reinterpret_cast<const float*>(from)); }
    static INLINE Operand spread(const Word* from) { return Plain::set(*reinterpret_cast<const float*>(from)); }
    static INLINE Sum load_sum(const Word* from) { return load(from); }
    static INLINE void store_sum(Word* to, Sum sum) { Plain::store(reinterpret_cast<float*>(to), sum); }
    static INLINE Sum multiply_add(Sum sum, Operand w, Operand x) { return Plain::fma(w, x, sum); }
    static INLINE Sum value(Sum sum, const float*, Sum addend) { return sum + addend; }
    static INLINE Plain::Float gated_unit(Plain::Float a, Plain::Float b) { return vqspeech::gated_unit<Plain>(a, b); }
    static INLINE void put_unit(Word* to, int vector, Sum x) { store_sum(to + vector * 4, x); }
    static INLINE void put(Word* to, int vector, Sum x, Quantizer) { put_unit(to, vector, x); }
};

bool supported() { return true; }

}  // namespace

extern const Engine plain_fp32;
const Engine plain_fp32 = Kernel<Fp32>::engine("plain", Precision::fp32, supported, 0,
                                                  {Encoder<Fp32>::run, StreamedBlocks<Fp32>::push, nullptr, Projections<Fp32>::apply, nullptr});

}  // namespace vqspeech
