// Products of one packed matrix and many columns, and the registers they are summed in.
#pragma once

#include "network.h"
#include "target.h"

namespace vqspeech {
namespace {

template <class P> struct Product {
    using I = typename P::Instructions;
    using Sum = typename P::Sum;
    using Weight = typename P::Weight;  // what it reads for one lane of a word
    static constexpr int lanes = I::lanes;

    // N columns times W vectors of rows in each of `Panels` panels that lie `apart`, all accumulators in registers.
    template <int N, int W, int Panels, class Finish>
    static INLINE void tile(const Weight* weights, long stride, long apart, long words, const Word* const* inputs,
                            const Word* const* starts, int vector, const Finish& finish) {
        constexpr int rows = W * Panels;
        Sum sum[N][rows];
        const Word* input[N];
#pragma GCC unroll 8
        for (int n = 0; n < N; n++) {
            input[n] = inputs[n];
#pragma GCC unroll 8
            for (int v = 0; v < rows; v++) sum[n][v] = P::load_sum(starts[n] + (vector + v) * lanes);
        }
        for (long k = 0; k < words; k++, weights += stride) {
            typename P::Operand weight[rows];
#pragma GCC unroll 8
            for (int v = 0; v < rows; v++) weight[v] = P::load(weights + v / W * apart + v % W * lanes);
#pragma GCC unroll 8
            for (int n = 0; n < N; n++) {
                const auto x = P::spread(input[n] + k);
#pragma GCC unroll 8
                for (int v = 0; v < rows; v++) sum[n][v] = P::multiply_add(sum[n][v], weight[v], x);
            }
        }
#pragma GCC unroll 8
        for (int n = 0; n < N; n++) finish(n, vector, sum[n]);
    }

    // N columns times neighbouring panels: as many rows at once as there are registers.
    template <int N, int Width, int Panels, class Finish>
    static INLINE void panels(const Matrix& m, const Weight* weights, const Word* const* inputs,
                              const Word* const* starts, int vector, const Finish& finish) {
        constexpr int rows = I::sums / N;
        constexpr long stride = Width * lanes;
        const long apart = stride * m.words;
        if constexpr (rows >= Width * Panels) {
            tile<N, Width, Panels>(weights, stride, apart, m.words, inputs, starts, vector, finish);
        } else {
            constexpr int W = rows < Width ? rows : Width;
            static_assert(W > 1, "gated units need both halves in one tile");
#pragma GCC unroll 1
            for (int v = 0; v < Width * Panels; v += W)
                tile<N, W, 1>(weights + v / Width * apart + v % Width * lanes, stride, apart, m.words, inputs, starts,
                              vector + v, finish);
        }
    }

    template <int Width, int Panels, class Finish>
    static INLINE void columns(const Matrix& m, const Weight* weights, int count, const Word* const* inputs,
                               const Word* const* starts, int vector, const Finish& finish) {
        for (int n = 0; n < count;) {
            const auto shifted = [&](int column, int v, auto& sum) INLINE_LAMBDA { finish(n + column, v, sum); };
            const int left = count - n;
            if (left >= 4) {
                panels<4, Width, Panels>(m, weights, inputs + n, starts + n, vector, shifted);
                n += 4;
            } else if (left >= 2) {
                panels<2, Width, Panels>(m, weights, inputs + n, starts + n, vector, shifted);
                n += 2;
            } else {
                panels<1, Width, Panels>(m, weights, inputs + n, starts + n, vector, shifted);
                n += 1;
            }
        }
    }

    // Give `finish` the accumulators start + m x input of each column. Every column is summed in the same order
    // whatever runs beside it, so results do not depend on the number of streams.
    template <class Finish>
    static INLINE void of(const Matrix& m, int count, const Word* const* inputs, const Word* const* starts,
                           const Finish& finish) {
        const Weight* weights = static_cast<const Weight*>(m.weights);
        for (int vector = 0; vector < m.vectors;) {
            const int left = m.vectors - vector;
            int done;
            if (left >= 2 * kPanel) {
                columns<kPanel, 2>(m, weights, count, inputs, starts, vector, finish);
                done = 2 * kPanel;
            } else if (left >= kPanel) {
                columns<kPanel, 1>(m, weights, count, inputs, starts, vector, finish);
                done = kPanel;
            } else {
                columns<2, 1>(m, weights, count, inputs, starts, vector, finish);
                done = 2;
            }
            vector += done;
            weights += done * lanes * m.words;
        }
    }
};

}  // namespace
}  // namespace vqspeech
