// The sample loop of one precision `P`, alone or shared with a second thread, and what the processor could do at best.
// Included by each level's source file with its instructions switched on, so nothing here may instantiate a function
// that other files share.
#pragma once

#include "draw.h"
#include "layers.h"
#include "network.h"

namespace vqspeech {
namespace {

template <class P> struct Kernel {
    using I = typename P::Instructions;
    using Parts = Layers<P>;
    static constexpr int lanes = I::lanes;

    // The sigmoid's half enters halved, as gated_unit() takes it; its weights are packed so.
    static void load_conditioning(const Network& net, const Work& work, long frame) {
        const int layers = net.sizes.layers, gate = net.sizes.gate;
        for (int n = 0; n < work.count; n++)
            for (int l = 0; l < layers; l++) {
                const float* const from = work.conditioning[n] + (frame * layers + l) * 2L * gate;
                float* const to = work.streams[n]->conditioning + l * 2L * net.gate;
                const int whole = gate / lanes * lanes;
                for (int i = 0; i < whole; i += lanes) {
                    I::store(to + 2 * i, I::load(from + i));
                    I::store(to + 2 * i + lanes, I::load(from + gate + i) * I::set(0.5f));
                }
                for (int i = whole; i < gate; i++) {
                    to[whole + i] = from[i];
                    to[whole + i + lanes] = from[gate + i] / 2;
                }
            }
    }

    // Take the logits of a band of sample `t` of the call: give them back, or draw its class.
    static INLINE void take(const Network& net, const Work& work, int n, long t, int band) {
        Stream& stream = *work.streams[n];
        const int classes = net.sizes.classes, each = net.classes / lanes;
        const long place = t * net.sizes.bands + band;
        if (work.given) {
            float* const row = work.logits[n] + place * classes;
            for (int c = 0; c < classes; c++) row[c] = stream.logits[c % each * lanes + c / each];
            if (work.current) stream.current[band] = work.current[n][place];
        } else {
            stream.current[band] = work.drawn[n][place] =
                Draw<I>::from(stream.logits, classes, net.classes, work.temperature, work.uniforms[n][place]);
        }
        if (net.sizes.bands > 1) Parts::fetch(net, stream, band);
    }

    // One item of the work that two threads share: for each sample and each group of layers, its part of the skip sum,
    // then its past taps for the next sample.
    static void item(const Network& net, const Work& work, long begin, long index) {
        const int items = 2 * static_cast<int>(net.skips.size());
        const int chunk = static_cast<int>(index % items) / 2;
        if (index % 2 == 0) return Parts::skip(net, work, chunk);
        const int first = chunk * net.skip_layers, end = last_layer(net, chunk);
        for (int l = first; l < end; l++) Parts::past_taps(net, work, l, begin + index / items + 1);
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
        const int layers = net.sizes.layers, bands = net.sizes.bands;
        const long items = 2 * static_cast<long>(net.skips.size());
        Handoff* const handoff = work.handoff;
        for (long t = from; t < to; t++) {
            const long time = begin + t;
            if (work.given)
                for (int n = 0; n < work.count; n++)
                    for (int band = 0; band < bands; band++)
                        work.streams[n]->previous[band] = work.given[n][t * bands + band];
            if (t % work.hop == 0) load_conditioning(net, work, t / work.hop);
            if (handoff) complete(net, work, begin, t * items);  // it reads what embed() overwrites
            Parts::embed(net, work, time);
            for (int l = 0; l < layers; l++) {
                Parts::layer(net, work, l, time);
                if (handoff) {
                    handoff->gated.store(t * layers + l + 1, std::memory_order_release);
                } else {
                    Parts::past_taps(net, work, l, time + 1);
                    const int chunk = l / net.skip_layers;
                    if (l + 1 == last_layer(net, chunk)) Parts::skip(net, work, chunk);
                }
            }
            if (handoff) complete(net, work, begin, (t + 1) * items - 1);
            Parts::hidden(net, work);
            for (int band = 0; band < bands; band++) {
                Parts::outputs(net, work, band);
                for (int n = 0; n < work.count; n++) take(net, work, n, t, band);
            }
            if (work.given) continue;
            for (int n = 0; n < work.count; n++)
                for (int band = 0; band < bands; band++)
                    work.streams[n]->previous[band] = work.streams[n]->current[band];
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
        typename P::Sum sum[I::sums];
        alignas(64) static const Word zeros[lanes] = {};
#pragma GCC unroll 16
        for (int i = 0; i < I::sums; i++) sum[i] = P::load_sum(zeros);
        typename P::Operand w = P::load(zeros);
        const auto x = P::spread(zeros);
        for (long t = 0; t < times; t++)
#pragma GCC unroll 16
            for (int i = 0; i < I::sums; i++) {
                KEEP(w);
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

    static constexpr Engine engine(const char* level, Precision precision, bool (*supported)(), int subtracted = 0,
                                   RowKernels rows = {}) {
        return {level, precision, lanes, I::sums, subtracted, supported, run, help, multiply, read, rows};
    }
};

}  // namespace
}  // namespace vqspeech
