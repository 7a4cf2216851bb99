// The sample loop, written once over a precision `P` of a processor level. Included by each level's source file with
// its instructions switched on, so nothing here may instantiate a function that other files share.
#pragma once

#include "network.h"

#define INLINE inline __attribute__((always_inline))
#define NOINLINE __attribute__((noinline))
// Make the compiler believe that a vector is used and changed here.
#if defined(__x86_64__)
#define KEEP(vector) asm volatile("" : "+v"(vector))
#elif defined(__aarch64__)
#define KEEP(vector) asm volatile("" : "+w"(vector))
#else
#define KEEP(vector) asm volatile("" : "+m"(vector))
#endif
#define INLINE_LAMBDA __attribute__((always_inline))

namespace vqspeech {
namespace {

// Weights are read once for this many columns (streams, or samples of a past tap).
constexpr int kColumns = 32;

// tanh(x) = p / q, a minimax ratio of polynomials that is exact to 3e-7 (Eigen's coefficients).
template <class I> INLINE void tanh_ratio(typename I::Float x, typename I::Float& p, typename I::Float& q) {
    x = I::max(I::min(x, I::set(7.90531110763549805f)), I::set(-7.90531110763549805f));
    const typename I::Float y = x * x;
    p = I::fma(I::set(-2.76076847742355e-16f), y, I::set(2.00018790482477e-13f));
    p = I::fma(p, y, I::set(-8.60467152213735e-11f));
    p = I::fma(p, y, I::set(5.12229709037114e-08f));
    p = I::fma(p, y, I::set(1.48572235717979e-05f));
    p = I::fma(p, y, I::set(6.37261928875436e-04f));
    p = I::fma(p, y, I::set(4.89352455891786e-03f)) * x;
    q = I::fma(I::set(1.19825839466702e-06f), y, I::set(1.18534705686654e-04f));
    q = I::fma(q, y, I::set(2.26843463243900e-03f));
    q = I::fma(q, y, I::set(4.89352518554385e-03f));
}

// tanh(a) sigmoid(b), with sigmoid(b) = (1 + tanh(b / 2)) / 2 and one division.
template <class I> INLINE typename I::Float gated_unit(typename I::Float a, typename I::Float b) {
    typename I::Float p, q, r, s;
    tanh_ratio<I>(a, p, q);
    tanh_ratio<I>(b * I::set(0.5f), r, s);
    return p * (r + s) / ((q + q) * s);
}

// As tanh_ratio, exact to 8e-5: enough before rounding to bf16 or 8 bits. Fitted to the least largest error.
template <class I> INLINE void short_tanh_ratio(typename I::Float x, typename I::Float& p, typename I::Float& q) {
    x = I::max(I::min(x, I::set(5.25f)), I::set(-5.25f));
    const typename I::Float y = x * x;
    p = I::fma(I::fma(I::set(6.17408677e-4f), y, I::set(1.00380866e-1f)), y, I::set(9.99762576e-1f)) * x;
    q = I::fma(I::fma(I::set(1.224637e-2f), y, I::set(4.3297091e-1f)), y, I::set(1.0f));
}

template <class I> INLINE typename I::Float short_gated_unit(typename I::Float a, typename I::Float b) {
    typename I::Float p, q, r, s;
    short_tanh_ratio<I>(a, p, q);
    short_tanh_ratio<I>(b * I::set(0.5f), r, s);
    return p * (r + s) * I::reciprocal((q + q) * s);
}

// exp(x) for x <= 0 (Cephes).
template <class I> INLINE typename I::Float exponential(typename I::Float x) {
    x = I::max(x, I::set(-87.0f));
    const typename I::Float n = I::round(x * I::set(1.44269504088896341f));
    typename I::Float r = I::fma(n, I::set(-0.693359375f), x);
    r = I::fma(n, I::set(2.12194440e-4f), r);
    typename I::Float p = I::fma(I::set(1.9875691500e-4f), r, I::set(1.3981999507e-3f));
    p = I::fma(p, r, I::set(8.3334519073e-3f));
    p = I::fma(p, r, I::set(4.1665795894e-2f));
    p = I::fma(p, r, I::set(1.6666665459e-1f));
    p = I::fma(p, r, I::set(5.0000001201e-1f));
    p = I::fma(p, r * r, r + I::set(1.0f));
    return p * I::power_of_two(n);
}

template <class P> struct Kernel {
    using I = typename P::Instructions;
    using Float = typename I::Float;
    using Sum = typename P::Sum;
    static constexpr int lanes = I::lanes;

    // N columns times W vectors of rows, all accumulators in registers.
    template <int N, int W, class Finish>
    static INLINE void tile(const Word* weights, long stride, long words, const Word* const* inputs,
                            const Word* const* starts, int vector, const Finish& finish) {
        Sum sum[N][W];
        const Word* input[N];
#pragma GCC unroll 8
        for (int n = 0; n < N; n++) {
            input[n] = inputs[n];
#pragma GCC unroll 8
            for (int v = 0; v < W; v++) sum[n][v] = P::load_sum(starts[n] + (vector + v) * lanes);
        }
        for (long k = 0; k < words; k++, weights += stride) {
            typename P::Operand weight[W];
#pragma GCC unroll 8
            for (int v = 0; v < W; v++) {
                weight[v] = P::load(weights + v * lanes);
            }
#pragma GCC unroll 8
            for (int n = 0; n < N; n++) {
                const typename P::Operand x = P::spread(input[n] + k);
#pragma GCC unroll 8
                for (int v = 0; v < W; v++) sum[n][v] = P::multiply_add(sum[n][v], weight[v], x);
            }
        }
#pragma GCC unroll 8
        for (int n = 0; n < N; n++) finish(n, vector, sum[n]);
    }

    // A panel of `Width` vectors times N columns, in tiles that the registers hold.
    template <int N, int Width, class Finish>
    static INLINE void panel(const Matrix& m, const Word* weights, const Word* const* inputs,
                             const Word* const* starts, int vector, const Finish& finish) {
        constexpr int W = Width < I::sums / N ? Width : I::sums / N;
        static_assert(W > 1 || Width == 1, "gated units need both halves in one tile");
#pragma GCC unroll 1
        for (int v = 0; v < Width; v += W)
            tile<N, W>(weights + v * lanes, Width * lanes, m.words, inputs, starts, vector + v, finish);
    }

    template <int Width, class Finish>
    static INLINE void columns(const Matrix& m, const Word* weights, int count, const Word* const* inputs,
                               const Word* const* starts, int vector, const Finish& finish) {
        for (int n = 0; n < count;) {
            auto shifted = [&](int column, int v, auto& sum) INLINE_LAMBDA { finish(n + column, v, sum); };
            const int left = count - n;
            if (I::columns >= 8 && left >= 8) {
                panel<I::columns, Width>(m, weights, inputs + n, starts + n, vector, shifted);
                n += I::columns;
            } else if (left >= 4) {
                panel<4, Width>(m, weights, inputs + n, starts + n, vector, shifted);
                n += 4;
            } else if (left >= 2) {
                panel<2, Width>(m, weights, inputs + n, starts + n, vector, shifted);
                n += 2;
            } else {
                panel<1, Width>(m, weights, inputs + n, starts + n, vector, shifted);
                n += 1;
            }
        }
    }

    // Give `finish` the accumulators start + m x input of each column. Every column is summed in the same order
    // whatever runs beside it, so results do not depend on the number of streams.
    template <class Finish>
    static void product(const Matrix& m, int count, const Word* const* inputs, const Word* const* starts,
                        const Finish& finish) {
        const Word* weights = m.weights;
        for (int vector = 0; vector < m.vectors;) {
            const int width = panel_width(m.vectors - vector);
            if (width == 8)
                columns<8>(m, weights, count, inputs, starts, vector, finish);
            else if (width == 4)
                columns<4>(m, weights, count, inputs, starts, vector, finish);
            else if (width == 2)
                columns<2>(m, weights, count, inputs, starts, vector, finish);
            else
                columns<1>(m, weights, count, inputs, starts, vector, finish);
            weights += width * lanes * m.words;
            vector += width;
        }
    }

    static INLINE void prefetch(const Word* from, int words) {
        for (int i = 0; i < words; i += 16) __builtin_prefetch(from + i);
    }

    // Call body(count, streams) for at most kColumns streams at a time.
    template <class Body> static INLINE void in_groups(const Work& work, const Body& body) {
        for (int first = 0; first < work.count; first += kColumns)
            body(work.count - first < kColumns ? work.count - first : kColumns, work.streams + first);
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
                    const long slot = at & (layer.span - 1);
                    for (int n = 0; n < count; n++, column++) {
                        const Stream& stream = *work.streams[first + n];
                        inputs[column] = stream.rings[l] + slot * layer.words;
                        sums[column] = stream.past[l] + j * 2 * net.gate;
                        starts[column] = tap ? sums[column] : m.start;
                        // What the same tap will read next time; many streams' rings are too much for the near cache.
                        prefetch(stream.rings[l] + ((at + block) & (layer.span - 1)) * layer.words, layer.words);
                    }
                }
                product(m, column, inputs, starts, [&](int n, int vector, auto& sum) INLINE_LAMBDA {
                    constexpr int W = sizeof(sum) / sizeof(Sum);
#pragma GCC unroll 8
                    for (int v = 0; v < W; v++) P::store_sum(sums[n] + (vector + v) * lanes, sum[v]);
                });
            }
        }
    }

    // Embed the previous classes and put them into the first ring.
    static INLINE void embed(const Network& net, const Work& work, long time) {
        const long slot = time & (net.layers[0].span - 1);
        for (int n = 0; n < work.count; n++) {
            Stream& stream = *work.streams[n];
            const float* const row = net.embedding + stream.previous * net.residual;
            Word* const to = stream.rings[0] + slot * net.layers[0].words;
            for (int i = 0; i < net.residual; i += lanes) I::store(stream.x + i, I::load(row + i));
            if (net.looked_up)
                *to = static_cast<Word>(stream.previous);
            else
                for (int i = 0; i < net.residual; i += lanes) P::put(to, i / lanes, I::load(row + i), {});
        }
    }

    static INLINE void put_gated(const Network& net, Stream& stream, int l, int vector, Float z) {
        P::put(stream.gated + l * net.gate_words, vector, z, net.gated);
        if (net.layers[l].residual.words > net.gate_words) P::put(stream.fine_gated, vector, z, net.fine_gated);
    }

    // The gated units of the first layer, where it is looked up.
    static INLINE void look_up(const Network& net, Stream& stream, long time) {
        const Layer& first = net.layers[0];
        for (int row = 0; row < 2 * net.gate; row += 2 * lanes) {
            Float a = I::load(stream.steering + row), b = I::load(stream.steering + row + lanes);
            for (int tap = 0; tap < net.sizes.kernel; tap++) {
                const long seen = stream.rings[0][((time - tap) & (first.span - 1)) * first.words];
                const float* const sums = net.looked_up + (tap * (net.sizes.classes + 1L) + seen) * 2 * net.gate + row;
                a = a + I::load(sums), b = b + I::load(sums + lanes);
            }
            put_gated(net, stream, 0, row / (2 * lanes), P::gated_unit(a, b));
        }
    }

    // The gated units of one layer from its current input and its past taps, then the input of the next layer.
    static NOINLINE void layer(const Network& net, const Work& work, int l, long time) {
        const Layer& here = net.layers[l];
        const bool last = l + 1 == net.sizes.layers;
        const long slot = time & (here.span - 1);
        const long next_slot = last ? 0 : time & (net.layers[l + 1].span - 1);
        in_groups(work, [&](int count, Stream* const* streams) INLINE_LAMBDA {
            const Word *inputs[kColumns], *starts[kColumns];
            const bool looked_up = here.past.empty();
            for (int n = 0; n < count; n++) {
                if (looked_up) {
                    look_up(net, *streams[n], time);
                    continue;
                }
                const Stream& stream = *streams[n];
                const long at = time & (stream.blocks[l] - 1);
                inputs[n] = stream.rings[l] + slot * here.words;
                starts[n] = stream.past[l] + at * 2 * net.gate;
            }
            if (!looked_up) product(here.current, count, inputs, starts, [&](int n, int vector, auto& sum) INLINE_LAMBDA {
                constexpr int W = sizeof(sum) / sizeof(Sum);
                const float* const steering = streams[n]->steering + (l * 2L * net.gate + vector * lanes);
#pragma GCC unroll 4
                for (int v = 0; v + 1 < W; v += 2) {
                    const float* const scale = here.current.scale + (vector + v) * lanes;
                    const Float a = P::value(sum[v], scale, I::load(steering + v * lanes));
                    const Float b = P::value(sum[v + 1], scale + lanes, I::load(steering + (v + 1) * lanes));
                    put_gated(net, *streams[n], l, (vector + v) / 2, P::gated_unit(a, b));
                }
            });
            if (last) return;
            const Matrix& m = here.residual;
            for (int n = 0; n < count; n++) {
                inputs[n] = m.words > net.gate_words ? streams[n]->fine_gated : streams[n]->gated + l * net.gate_words;
                starts[n] = m.start;
            }
            product(m, count, inputs, starts, [&](int n, int vector, auto& sum) INLINE_LAMBDA {
                constexpr int W = sizeof(sum) / sizeof(Sum);
                Word* const to = streams[n]->rings[l + 1] + next_slot * net.layers[l + 1].words;
#pragma GCC unroll 8
                for (int v = 0; v < W; v++) {
                    const long row = (vector + v) * lanes;
                    float* const x = streams[n]->x + row;
                    const Float sums = P::value(sum[v], m.scale + row, I::load(x) + I::load(m.bias + row));
                    I::store(x, sums);
                    P::put(to, vector + v, sums, net.layers[l + 1].input);
                }
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
            product(m, count, inputs, starts, [&](int n, int vector, auto& sum) INLINE_LAMBDA {
                constexpr int W = sizeof(sum) / sizeof(Sum);
#pragma GCC unroll 8
                for (int v = 0; v < W; v++) {
                    const long row = (vector + v) * lanes;
                    float* const total = streams[n]->sum + row;
                    const Float sums = P::value(sum[v], m.scale + row, I::load(chunk ? total : m.bias + row));
                    if (last)
                        P::put(streams[n]->summed, vector + v, I::max(sums, I::set(0)), net.summed);
                    else
                        I::store(total, sums);
                }
            });
        });
    }

    // From the skip sum to the logits.
    static NOINLINE void outputs(const Network& net, const Work& work) {
        in_groups(work, [&](int count, Stream* const* streams) INLINE_LAMBDA {
            const Word *inputs[kColumns], *starts[kColumns];
            for (int n = 0; n < count; n++) inputs[n] = streams[n]->summed, starts[n] = net.hidden.start;
            product(net.hidden, count, inputs, starts, [&](int n, int vector, auto& sum) INLINE_LAMBDA {
                constexpr int W = sizeof(sum) / sizeof(Sum);
#pragma GCC unroll 8
                for (int v = 0; v < W; v++) {
                    const long row = (vector + v) * lanes;
                    const Float sums = P::value(sum[v], net.hidden.scale + row, I::load(net.hidden.bias + row));
                    P::put(streams[n]->hidden, vector + v, I::max(sums, I::set(0)), net.hidden_input);
                }
            });
            for (int n = 0; n < count; n++) inputs[n] = streams[n]->hidden, starts[n] = net.logits.start;
            product(net.logits, count, inputs, starts, [&](int n, int vector, auto& sum) INLINE_LAMBDA {
                constexpr int W = sizeof(sum) / sizeof(Sum);
#pragma GCC unroll 8
                for (int v = 0; v < W; v++) {
                    const long row = (vector + v) * lanes;
                    I::store(streams[n]->logits + row,
                             P::value(sum[v], net.logits.scale + row, I::load(net.logits.bias + row)));
                }
            });
        });
    }

    // The first class whose cumulative probability exceeds `uniform`; the most likely class at temperature 0.
    // `logits` are overwritten; behind the padded classes there is room for one number for every 16 of them.
    static int draw(float* logits, int classes, int padded, float temperature, float uniform) {
        for (int i = classes; i < padded; i++) logits[i] = logits[0];
        Float highest = I::load(logits);
        for (int i = lanes; i < padded; i += lanes) highest = I::max(highest, I::load(logits + i));
        alignas(64) float spill[lanes];
        I::store(spill, highest);
        float peak = spill[0];
        for (int i = 1; i < lanes; i++) peak = spill[i] > peak ? spill[i] : peak;
        if (temperature == 0) return first(logits, classes, peak);
        const Float sharpness = I::set(1 / temperature);
        for (int i = 0; i < padded; i += lanes)
            I::store(logits + i, exponential<I>((I::load(logits + i) - I::set(peak)) * sharpness));
        for (int i = classes; i < padded; i++) logits[i] = 0;
        // Sums of 16 first, then within the 16 where the number falls.
        constexpr int step = 16;
        float* const sums = logits + padded;
        const int groups = (classes + step - 1) / step;
        float total = 0;
        for (int group = 0; group < groups; group++) {
            const float* const from = logits + group * step;
            const int count = classes - group * step < step ? classes - group * step : step;
            float even = 0, odd = 0;
            for (int i = 0; i + 1 < count; i += 2) even += from[i], odd += from[i + 1];
            sums[group] = even + odd + (count % 2 ? from[count - 1] : 0);
            total += sums[group];
        }
        // Weights that exponential() could not tell from nothing are never drawn.
        const float threshold = uniform * total > 1e-30f ? uniform * total : 1e-30f;
        float before = 0;
        int group = 0;
        while (group + 1 < groups && before + sums[group] <= threshold) before += sums[group++];
        for (int i = group * step; i < classes; i++)
            if ((before += logits[i]) > threshold) return i;
        return first(logits, classes, 1);
    }

    // Where a value, which is there, is first.
    static int first(const float* values, int count, float value) {
        int i = 0;
        while (i < count - 1 && values[i] != value) i++;
        return i;
    }

    static void load_steering(const Network& net, const Work& work, long frame) {
        const int layers = net.sizes.layers, gate = net.sizes.gate;
        for (int n = 0; n < work.count; n++)
            for (int l = 0; l < layers; l++) {
                const float* const from = work.steering[n] + (frame * layers + l) * 2L * gate;
                float* const to = work.streams[n]->steering + l * 2L * net.gate;
                for (int i = 0; i < gate; i++) {
                    to[i / lanes * 2 * lanes + i % lanes] = from[i];
                    to[(i / lanes * 2 + 1) * lanes + i % lanes] = from[gate + i];
                }
            }
    }

    // One item of the work that two threads share: for each sample and each group of layers, its part of the skip sum,
    // then its past taps for the next sample.
    static void item(const Network& net, const Work& work, long begin, long index) {
        const int items = 2 * static_cast<int>(net.skips.size());
        const int chunk = static_cast<int>(index % items) / 2;
        if (index % 2 == 0) return skip(net, work, chunk);
        const int first = chunk * net.skip_layers, end = last_layer(net, chunk);
        for (int l = first; l < end; l++) past_taps(net, work, l, begin + index / items + 1);
    }

    static INLINE int last_layer(const Network& net, int chunk) {
        const int end = (chunk + 1) * net.skip_layers;
        return end < net.sizes.layers ? end : net.sizes.layers;
    }

    // Do the next shared item, if no thread is at it.
    static INLINE bool try_item(const Network& net, const Work& work, long begin, long index) {
        Handoff& handoff = *work.handoff;
        long expected = index;
        if (!handoff.claimed.compare_exchange_strong(expected, index + 1, std::memory_order_acquire)) return false;
        item(net, work, begin, index);
        handoff.done.store(index + 1, std::memory_order_release);
        return true;
    }

    // See that shared items are done up to `target`, whose inputs are there. What the helper has not begun is done
    // here, so that a helper that gets no processor holds up nothing.
    static void complete(const Network& net, const Work& work, long begin, long target) {
        Patience patience;
        for (long done; (done = work.handoff->done.load(std::memory_order_acquire)) < target;)
            if (!try_item(net, work, begin, done)) patience.wait();
    }

    // Samples `from` to `to` of the call, which began at time `begin`.
    static void run(const Network& net, const Work& work, long begin, long from, long to) {
        const int layers = net.sizes.layers;
        const long items = 2 * static_cast<long>(net.skips.size());
        Handoff* const handoff = work.handoff;
        for (long t = from; t < to; t++) {
            const long time = begin + t;
            if (work.given)
                for (int n = 0; n < work.count; n++) work.streams[n]->previous = work.given[n][t];
            if (t % work.hop == 0) load_steering(net, work, t / work.hop);
            if (handoff) complete(net, work, begin, t * items);  // it reads what embed() overwrites
            embed(net, work, time);
            for (int l = 0; l < layers; l++) {
                layer(net, work, l, time);
                if (handoff) {
                    handoff->gated.store(t * layers + l + 1, std::memory_order_release);
                } else {
                    past_taps(net, work, l, time + 1);
                    if (l + 1 == last_layer(net, l / net.skip_layers)) skip(net, work, l / net.skip_layers);
                }
            }
            if (handoff) complete(net, work, begin, (t + 1) * items - 1);
            outputs(net, work);
            for (int n = 0; n < work.count; n++) {
                Stream& stream = *work.streams[n];
                if (work.given) {
                    float* const row = work.logits[n] + t * net.sizes.classes;
                    for (int i = 0; i < net.sizes.classes; i++) row[i] = stream.logits[i];
                } else {
                    stream.previous = work.drawn[n][t] =
                        draw(stream.logits, net.sizes.classes, net.classes, work.temperature, work.uniforms[n][t]);
                }
            }
        }
        if (handoff) complete(net, work, begin, to * items);
    }

    // The second thread of all runs of a call: shared items as their inputs come.
    static void help(const Network& net, const Work& work, long begin, long samples) {
        const int chunks = static_cast<int>(net.skips.size());
        Handoff& handoff = *work.handoff;
        Patience patience;
        for (long done; (done = handoff.done.load(std::memory_order_acquire)) < samples * 2 * chunks;) {
            const long needed = done / (2 * chunks) * net.sizes.layers + last_layer(net, done % (2 * chunks) / 2);
            if (handoff.gated.load(std::memory_order_acquire) >= needed && try_item(net, work, begin, done)) {
                patience = {};
            } else {
                if (work.stop->load(std::memory_order_relaxed)) return;
                patience.wait();
            }
        }
    }

    // What the processor could do at best, for comparison: all accumulators of a tile, operands in registers.
    static void multiply(long times) {
        Sum sum[I::sums];
        alignas(64) static const Word zeros[lanes] = {};
#pragma GCC unroll 16
        for (int i = 0; i < I::sums; i++) sum[i] = P::load_sum(zeros);
        typename P::Operand w = P::load(zeros), x = P::spread(zeros);
        for (long t = 0; t < times; t++)
#pragma GCC unroll 16
            for (int i = 0; i < I::sums; i++) {
                sum[i] = P::multiply_add(sum[i], w, x);
                KEEP(sum[i]);
            }
    }

    // Read `words`, a multiple of 8 vectors, as fast as the memory they are in gives them.
    static void read(const Word* data, long words) {
        for (long k = 0; k < words; k += 8 * lanes)
#pragma GCC unroll 8
            for (int v = 0; v < 8; v++) {
                typename P::Operand w = P::load(data + k + v * lanes);
                KEEP(w);
            }
    }

    static constexpr Engine engine(const char* level, Precision precision, bool (*supported)()) {
        return {level, precision, lanes, I::sums, supported, run, help, multiply, read};
    }
};

}  // namespace
}  // namespace vqspeech
