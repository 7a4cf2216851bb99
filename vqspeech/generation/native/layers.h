// One sample of all streams through the parts of a network, written once over a precision `P` of a processor level.
#pragma once

#include "activations.h"
#include "network.h"
#include "product.h"

namespace vqspeech {
namespace {

// Streams, or samples of a past tap, that one product takes together; more are cut into groups.
constexpr int kColumns = 32;

template <class P> struct Layers {
    using I = typename P::Instructions;
    using Float = typename I::Float;
    using Sum = typename P::Sum;
    static constexpr int lanes = I::lanes;

    // Call body(count, streams) for at most kColumns streams at a time.
    template <class Body> static INLINE void in_groups(const Work& work, const Body& body) {
        for (int first = 0; first < work.count; first += kColumns)
            body(work.count - first < kColumns ? work.count - first : kColumns, work.streams + first);
    }

    // A product whose every row has one use: `use(column, row, sums)` for each vector of sums, scaled, with
    // `addend(column, row)` added.
    template <class Addend, class Use>
    static INLINE void product(const Matrix& m, int count, const Word* const* inputs, const Word* const* starts,
                               const Addend& addend, const Use& use) {
        Product<P>::of(m, count, inputs, starts, [&](int n, int vector, auto& sum) INLINE_LAMBDA {
            constexpr int W = sizeof(sum) / sizeof(Sum);
#pragma GCC unroll 8
            for (int v = 0; v < W; v++) {
                const int row = (vector + v) * lanes;
                use(n, row, P::value(sum[v], m.scale + row, addend(n, row)));
            }
        });
    }

    // The past taps of one layer for the block of samples that begins at `time`, if one does.
    static NOINLINE void past_taps(const Network& net, const Work& work, int l, long time) {
        const Layer& layer = net.layers[l];
        if (layer.past.empty()) return;
        const int block = work.streams[0]->blocks[l];
        if (time & (block - 1)) return;
        const int group = kColumns / block;
        for (int first = 0; first < work.count; first += group) {
            const int count = work.count - first < group ? work.count - first : group;
            for (size_t tap = 0; tap < layer.past.size(); tap++) {
                const Matrix& m = layer.past[tap];
                const Word *inputs[kColumns], *starts[kColumns];
                Word* sums[kColumns];
                int column = 0;
                for (int j = 0; j < block; j++) {
                    const long at = time + j - static_cast<long>(tap + 1) * layer.dilation;
                    for (int n = 0; n < count; n++, column++) {
                        const Stream& stream = *work.streams[first + n];
                        inputs[column] = stream.rings[l] + (at & (layer.span - 1)) * layer.words;
                        sums[column] = stream.past[l] + j * 2 * net.gate;
                        starts[column] = tap ? sums[column] : m.start;
                        // What the same tap will read next time; many streams' rings are too much for the near cache.
                        const Word* const next = stream.rings[l] + ((at + block) & (layer.span - 1)) * layer.words;
                        for (int i = 0; i < layer.words; i += 16) __builtin_prefetch(next + i);
                    }
                }
                Product<P>::of(m, column, inputs, starts, [&](int n, int vector, auto& sum) INLINE_LAMBDA {
                    constexpr int W = sizeof(sum) / sizeof(Sum);
#pragma GCC unroll 8
                    for (int v = 0; v < W; v++) P::store_sum(sums[n] + (vector + v) * lanes, sum[v]);
                });
            }
        }
    }

    // Embed the previous classes.
    static INLINE void embed(const Network& net, const Work& work, long time) {
        const Layer& first = net.layers[0];
        for (int n = 0; n < work.count; n++) {
            Stream& stream = *work.streams[n];
            Word* const slot = stream.rings[0] + (time & (first.span - 1)) * first.words;
            for (int b = 0; b < net.sizes.bands; b++) {
                const long place = b * static_cast<long>(net.sizes.classes) + stream.previous[b];
                const float* const row = net.embedding + place * net.residual;
                for (int i = 0; i < net.residual; i += lanes)
                    I::store(stream.x + i, b ? I::load(stream.x + i) + I::load(row + i) : I::load(row + i));
                slot[b] = static_cast<Word>(stream.previous[b]);
            }
        }
    }

    static INLINE void put_gated(const Network& net, Stream& stream, int l, int vector, Float z) {
        P::put_unit(stream.gated + l * net.gate_words, vector, z);
        if (net.layers[l].residual.words > net.gate_words) P::put(stream.two_orders_gated, vector, z, net.two_orders_gated);
    }

    // Bring near what the class of a band will look up: tables of several bands are too large for the near cache, and the
    // other bands are drawn meanwhile.
    static INLINE void fetch(const Network& net, const Stream& stream, int band) {
        const long classes = net.sizes.classes, drawn = stream.current[band];
        const auto bring = [](const float* row, int width) INLINE_LAMBDA {
            for (int i = 0; i < width; i += static_cast<int>(kLine / sizeof(float))) __builtin_prefetch(row + i);
        };
        for (int above = band + 1; above < net.sizes.bands; above++) {
            const long pair = above * (above - 1) / 2 + band;
            bring(net.below + (pair * classes + drawn) * net.output, net.output);
        }
        bring(net.embedding + (band * classes + drawn) * net.residual, net.residual);
        for (int tap = 0; tap < 2; tap++) {
            const long seen = tap ? stream.previous[band] : drawn;
            const long row = (static_cast<long>(tap) * net.sizes.bands + band) * (classes + 1) + seen;
            bring(net.looked_up + row * 2 * net.gate, 2 * net.gate);
        }
    }

    // The gated units of the first layer: the sum of what each tap makes of the classes it sees.
    static INLINE void look_up(const Network& net, Stream& stream, long time) {
        const Layer& first = net.layers[0];
        const int bands = net.sizes.bands;
        const auto sums_of = [&](int tap, int band) INLINE_LAMBDA {
            const long seen = stream.rings[0][((time - tap) & (first.span - 1)) * first.words + band];
            return net.looked_up + ((tap * bands + band) * (net.sizes.classes + 1L) + seen) * 2 * net.gate;
        };
        for (int row = 0; row < 2 * net.gate; row += 2 * lanes) {
            Float a = I::load(stream.conditioning + row), b = I::load(stream.conditioning + row + lanes);
            for (int tap = 0; tap < net.sizes.kernel; tap++)
                for (int band = 0; band < bands; band++) {
                    const float* const sums = sums_of(tap, band) + row;
                    a = a + I::load(sums), b = b + I::load(sums + lanes);
                }
            put_gated(net, stream, 0, row / (2 * lanes), P::gated_unit(a, b));
        }
    }

    // The gated units of one layer from its current input and its past taps.
    static INLINE void gate(const Network& net, int count, Stream* const* streams, int l, long time) {
        const Layer& here = net.layers[l];
        if (l == 0) {
            for (int n = 0; n < count; n++) look_up(net, *streams[n], time);
            return;
        }
        const Word *inputs[kColumns], *starts[kColumns];
        for (int n = 0; n < count; n++) {
            const Stream& stream = *streams[n];
            inputs[n] = stream.rings[l] + (time & (here.span - 1)) * here.words;
            starts[n] = stream.past[l] + (time & (stream.blocks[l] - 1)) * 2 * net.gate;
        }
        Product<P>::of(here.current, count, inputs, starts, [&](int n, int vector, auto& sum) INLINE_LAMBDA {
            constexpr int W = sizeof(sum) / sizeof(Sum);
            const float* const scale = here.current.scale + vector * lanes;
            const float* const conditioning = streams[n]->conditioning + (l * 2L * net.gate + vector * lanes);
#pragma GCC unroll 4
            for (int v = 0; v < W; v += 2) {
                const Float a = P::value(sum[v], scale + v * lanes, I::load(conditioning + v * lanes));
                const Float b = P::value(sum[v + 1], scale + (v + 1) * lanes, I::load(conditioning + (v + 1) * lanes));
                put_gated(net, *streams[n], l, (vector + v) / 2, P::gated_unit(a, b));
            }
        });
    }

    // One layer, to the input of the next.
    static NOINLINE void layer(const Network& net, const Work& work, int l, long time) {
        in_groups(work, [&](int count, Stream* const* streams) INLINE_LAMBDA {
            gate(net, count, streams, l, time);
            if (l + 1 == net.sizes.layers) return;
            const Matrix& m = net.layers[l].residual;
            const Layer& next = net.layers[l + 1];
            const long slot = (time & (next.span - 1)) * next.words;
            const Word *inputs[kColumns], *starts[kColumns];
            for (int n = 0; n < count; n++) {
                inputs[n] = m.words > net.gate_words ? streams[n]->two_orders_gated : streams[n]->gated + l * net.gate_words;
                starts[n] = m.start;
            }
            product(
                m, count, inputs, starts,
                [&](int n, int row) INLINE_LAMBDA { return I::load(streams[n]->x + row) + I::load(m.bias + row); },
                [&](int n, int row, Float sums) INLINE_LAMBDA {
                    I::store(streams[n]->x + row, sums);
                    P::put(streams[n]->rings[l + 1] + slot, row / lanes, sums, next.input);
                });
        });
    }

    // Add the skip connections of one group of layers to the sum.
    static NOINLINE void skip(const Network& net, const Work& work, int chunk) {
        const Matrix& m = net.skips[chunk];
        const bool last = chunk + 1 == static_cast<int>(net.skips.size());
        in_groups(work, [&](int count, Stream* const* streams) INLINE_LAMBDA {
            const Word *inputs[kColumns], *starts[kColumns];
            for (int n = 0; n < count; n++) {
                inputs[n] = streams[n]->gated + static_cast<long>(chunk) * net.skip_layers * net.gate_words;
                starts[n] = m.start;
            }
            product(
                m, count, inputs, starts,
                [&](int n, int row) INLINE_LAMBDA { return I::load((chunk ? streams[n]->sum : m.bias) + row); },
                [&](int n, int row, Float sums) INLINE_LAMBDA {
                    if (last)
                        P::put(streams[n]->summed, row / lanes, I::max(sums, I::set(0)), net.summed);
                    else
                        I::store(streams[n]->sum + row, sums);
                });
        });
    }

    // From the skip sum to the hidden layers of all bands, as far as they do not depend on each other.
    static NOINLINE void hidden(const Network& net, const Work& work) {
        in_groups(work, [&](int count, Stream* const* streams) INLINE_LAMBDA {
            const Word *inputs[kColumns], *starts[kColumns];
            for (int n = 0; n < count; n++) inputs[n] = streams[n]->summed, starts[n] = net.hidden.start;
            product(
                net.hidden, count, inputs, starts,
                [&](int, int row) INLINE_LAMBDA { return I::load(net.hidden.bias + row); },
                [&](int n, int row, Float sums) INLINE_LAMBDA { I::store(streams[n]->hidden_sums + row, sums); });
        });
    }

    // The hidden layer of a band, with what the classes of lower bands add.
    static INLINE void activate(const Network& net, Stream& stream, int band) {
        const float* rows[kBands];
        for (int lower = 0; lower < band; lower++) {
            const long pair = band * (band - 1) / 2 + lower;
            rows[lower] = net.below + (pair * net.sizes.classes + stream.current[lower]) * net.output;
        }
        const float* const sums = stream.hidden_sums + static_cast<long>(band) * net.output;
        for (int i = 0; i < net.output; i += lanes) {
            Float x = I::load(sums + i);
            for (int lower = 0; lower < band; lower++) x = x + I::load(rows[lower] + i);
            P::put(stream.hidden, i / lanes, I::max(x, I::set(0)), net.hidden_inputs[band]);
        }
    }

    // From the hidden layer to the logits of a band.
    static NOINLINE void outputs(const Network& net, const Work& work, int band) {
        in_groups(work, [&](int count, Stream* const* streams) INLINE_LAMBDA {
            const Word *inputs[kColumns], *starts[kColumns];
            const Matrix& logits = net.logits[band];
            for (int n = 0; n < count; n++) {
                activate(net, *streams[n], band);
                inputs[n] = streams[n]->hidden, starts[n] = logits.start;
            }
            const auto store = [&](int n, int row, Float sums) INLINE_LAMBDA { I::store(streams[n]->logits + row, sums); };
            product(
                logits, count, inputs, starts, [&](int, int row) INLINE_LAMBDA { return I::load(logits.bias + row); }, store);
            if (band >= static_cast<int>(net.logit_remainders.size())) return;
            const Matrix& remainders = net.logit_remainders[band];
            for (int n = 0; n < count; n++) starts[n] = remainders.start;
            product(
                remainders, count, inputs, starts,
                [&](int n, int row) INLINE_LAMBDA { return I::load(streams[n]->logits + row); }, store);
        });
    }
};

}  // namespace
}  // namespace vqspeech
