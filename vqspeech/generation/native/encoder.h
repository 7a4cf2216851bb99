// The residual blocks of an encoder on one utterance, in fp32. Included as kernel.h is, by each level's source file.
#pragma once

#include "encoder_blocks.h"
#include "product.h"
#include "residual_block.h"

namespace vqspeech {
namespace {

template <class P> struct Encoder {
    using I = typename P::Instructions;
    using Float = typename I::Float;
    static constexpr int lanes = I::lanes;
    static constexpr int kPairs = 16;  // whose products are made together, so that what they need stays in the near cache

    // Pairs of outputs a dilation apart, the first of each at `times`: see vqspeech.model.paired_convolution.
    static NOINLINE void pairs(const EncoderBlock& block, const EncoderBlocks& stack, EncoderMemory& memory, float* x,
                               long rows, const long* times, int count) {
        const int channels = stack.channels;
        const long all = static_cast<long>(kPairs) * channels;
        const auto seen = [&](long time) { return time < 0 || time >= rows ? memory.zeros : memory.inputs + time * channels; };
        for (int n = 0; n < count; n++) {
            const long first = times[n] + block.offset;
            const float *a = seen(first), *b = seen(first + block.dilation), *c = seen(first + 2L * block.dilation),
                        *d = seen(first + 3L * block.dilation);
            float* const to = memory.sums + n * channels;
            for (int i = 0; i < channels; i += lanes) {
                const Float middle = I::load(b + i), next = I::load(c + i);
                I::store(to + i, I::load(a + i) - next);
                I::store(to + all + i, middle + next);
                I::store(to + 2 * all + i, next - middle);
                I::store(to + 3 * all + i, middle - I::load(d + i));
            }
        }
        const Word *from[2 * kPairs], *starts[2 * kPairs];
        for (int part = 0; part < 4; part++) {
            const Matrix& taps = block.taps[part];
            for (int n = 0; n < count; n++) {
                from[n] = reinterpret_cast<const Word*>(memory.sums + part * all + n * channels);
                starts[n] = part == 1 ? block.bias : taps.start;
            }
            float* const made = memory.products + part * all;
            Product<P>::of(taps, count, from, starts, [&](int n, int vector, auto& sum) INLINE_LAMBDA {
                constexpr int W = sizeof(sum) / sizeof(Float);
#pragma GCC unroll 8
                for (int v = 0; v < W; v++) I::store(made + n * channels + (vector + v) * lanes, sum[v]);
            });
        }
        float* targets[2 * kPairs];
        int columns = 0;
        for (int n = 0; n < count; n++) {
            const float* const made = memory.products + n * channels;
            for (int second = 0; second < 2; second++) {
                const long time = times[n] + second * block.dilation;
                if (time >= rows) break;
                float* const hidden = memory.hidden + columns * channels;
                for (int i = 0; i < channels; i += lanes) {
                    const Float m1 = I::load(made + all + i), m2 = I::load(made + 2 * all + i);
                    const Float sum = second ? m1 - m2 - I::load(made + 3 * all + i) : m1 + m2 + I::load(made + i);
                    I::store(hidden + i, block_activation<I>(block.scale, sum));
                }
                from[columns] = reinterpret_cast<const Word*>(hidden), starts[columns] = block.out_bias;
                targets[columns++] = x + time * channels;
            }
        }
        Product<P>::of(block.out, columns, from, starts, [&](int n, int vector, auto& sum) INLINE_LAMBDA {
            constexpr int W = sizeof(sum) / sizeof(Float);
#pragma GCC unroll 8
            for (int v = 0; v < W; v++) {
                float* const to = targets[n] + (vector + v) * lanes;
                I::store(to, I::load(to) + sum[v]);
            }
        });
    }

    // All blocks on one utterance, (rows, channels), in place.
    static void run(const EncoderBlocks& stack, float* x, long rows) {
        EncoderMemory memory(rows, stack.channels, kPairs);
        for (const EncoderBlock& block : stack.blocks) {
            for (long t = 0; t < rows; t++)
                block_input<I>(block.scale, block.shift, stack.channels, x + t * stack.channels,
                               memory.inputs + t * stack.channels);
            long times[kPairs];
            int count = 0;
            for (long t = 0; t < rows; t++) {
                if (t % (2L * block.dilation) >= block.dilation) continue;
                times[count++] = t;
                if (count < kPairs) continue;
                pairs(block, stack, memory, x, rows, times, count);
                count = 0;
            }
            if (count) pairs(block, stack, memory, x, rows, times, count);
        }
    }
};

}  // namespace
}  // namespace vqspeech
