// The residual blocks of an encoder on one utterance, in fp32. Included as kernel.h is, by each level's source file.
#pragma once

#include "activations.h"
#include "encoder_blocks.h"
#include "product.h"

namespace vqspeech {
namespace {

template <class P> struct Encoder {
    using I = typename P::Instructions;
    using Float = typename I::Float;
    static constexpr int lanes = I::lanes;
    static constexpr int kPairs = 16;  // whose products are made together, so that what they need stays in the near cache

    static INLINE float total(Float x) {
        alignas(64) float each[lanes];
        I::store(each, x);
        float sum = each[0];
        for (int j = 1; j < lanes; j++) sum += each[j];
        return sum;
    }

    // What the window of a block is laid over.
    static INLINE void inputs(const EncoderBlock& block, int channels, const float* x, float* to) {
        if (!block.scale) {
            for (int i = 0; i < channels; i += lanes) I::store(to + i, I::max(I::load(x + i), I::set(0)));
            return;
        }
        Float sum = I::set(0), squares = I::set(0);
        for (int i = 0; i < channels; i += lanes) sum = sum + I::load(x + i);
        const float size = static_cast<float>(channels);
        const Float mean = I::set(total(sum) / size);
        for (int i = 0; i < channels; i += lanes) {
            const Float centred = I::load(x + i) - mean;
            squares = I::fma(centred, centred, squares);
        }
        const Float factor = I::set(1 / __builtin_sqrtf(total(squares) / size + kNormEpsilon));
        for (int i = 0; i < channels; i += lanes) {
            const Float normal = (I::load(x + i) - mean) * factor;
            I::store(to + i, I::fma(normal, I::load(block.scale + i), I::load(block.shift + i)));
        }
    }

    // GELU with tanh (Hendrycks and Gimpel 2016), or ReLU.
    static INLINE Float activate(const EncoderBlock& block, Float x) {
        if (!block.scale) return I::max(x, I::set(0));
        Float p, q;
        tanh_ratio<I>(x * I::fma(x * x, I::set(0.79788456f * 0.044715f), I::set(0.79788456f)), p, q);
        return I::set(0.5f) * x * (p + q) / q;
    }

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
                    I::store(hidden + i, activate(block, sum));
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
                inputs(block, stack.channels, x + t * stack.channels, memory.inputs + t * stack.channels);
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
