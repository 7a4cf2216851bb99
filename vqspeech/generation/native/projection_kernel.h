// Rows of a stream times a matrix, in fp32. Included as kernel.h is, by each level's source file.
#pragma once

#include "product.h"
#include "projection.h"

namespace vqspeech {
namespace {

template <class P> struct Projections {
    using I = typename P::Instructions;
    using Float = typename I::Float;
    static constexpr int kRows = 16;  // that are put through it together

    static void apply(const Projection& projection, const float* rows, long hop, long count, float* to) {
        const long padded = projection.padded;
        const Word *from[kRows], *starts[kRows];
        for (long done = 0; done < count; done += kRows, to += kRows * padded) {
            const int together = static_cast<int>(count - done < kRows ? count - done : kRows);
            for (int n = 0; n < together; n++)
                from[n] = reinterpret_cast<const Word*>(rows + (done + n) * hop), starts[n] = projection.bias;
            Product<P>::of(projection.matrix, together, from, starts, [&](int n, int vector, auto& sum) INLINE_LAMBDA {
                constexpr int W = sizeof(sum) / sizeof(Float);
#pragma GCC unroll 8
                for (int v = 0; v < W; v++) I::store(to + n * padded + (vector + v) * I::lanes, sum[v]);
            });
        }
    }
};

}  // namespace
}  // namespace vqspeech
