// A stack of residual blocks on the next rows of a stream, in fp32. Included as kernel.h is, by each level's source file.
#pragma once

#include "product.h"
#include "residual_block.h"
#include "streamed_blocks.h"

namespace vqspeech {
namespace {

template <class P> struct StreamedBlocks {
    using I = typename P::Instructions;
    using Float = typename I::Float;
    static constexpr int lanes = I::lanes;

    static INLINE const float* row(const Queue& queue, long index) {
        return queue.rows + (queue.begin + index) * queue.channels;
    }

    static INLINE void copy(const float* from, float* to, long count) {
        for (long i = 0; i < count; i += lanes) I::store(to + i, I::load(from + i));
    }

    // Outputs `first` to `first + count` of a block, whose windows are there.
    static NOINLINE void outputs(const BlockStream& stream, const StackBlock& block, const Queue& window, const Queue& waiting,
                                 long first, int count, float* to) {
        const int channels = window.channels;
        const Word *from[kTogether], *starts[kTogether];
        for (int n = 0; n < count; n++) {
            float* const taps = stream.gathered + 3L * n * channels;
            for (int tap = 0; tap < 3; tap++)
                copy(row(window, first + n + static_cast<long>(tap) * block.dilation), taps + tap * channels, channels);
            from[n] = reinterpret_cast<const Word*>(taps), starts[n] = block.bias;
        }
        const bool normalised = stream.scale;
        Product<P>::of(block.dilated, count, from, starts, [&](int n, int vector, auto& sum) INLINE_LAMBDA {
            constexpr int W = sizeof(sum) / sizeof(Float);
#pragma GCC unroll 8
            for (int v = 0; v < W; v++)
                I::store(stream.hidden + n * channels + (vector + v) * lanes, block_activation<I>(normalised, sum[v]));
        });
        for (int n = 0; n < count; n++)
            from[n] = reinterpret_cast<const Word*>(stream.hidden + n * channels), starts[n] = block.out_bias;
        Product<P>::of(block.out, count, from, starts, [&](int n, int vector, auto& sum) INLINE_LAMBDA {
            constexpr int W = sizeof(sum) / sizeof(Float);
            const float* const residual = row(waiting, first + n) + vector * lanes;
#pragma GCC unroll 8
            for (int v = 0; v < W; v++)
                I::store(to + n * channels + (vector + v) * lanes, I::load(residual + v * lanes) + sum[v]);
        });
    }

    // Takes the rows at stream.rows, and leaves there those whose context is complete; how many they are.
    static long push(BlockStream& stream, long count) {
        const BlockStack& stack = stream.packed;
        const long channels = stack.channels;
        const StackBlock* const blocks = stack.first;
        for (int b = 0; b < stack.count; b++) {
            Queue &window = stream.window[b], &waiting = stream.wait[b];
            const float* const scale = stream.scale ? stream.scale + b * channels : nullptr;
            const float* const shift = stream.scale ? stream.shift + b * channels : nullptr;
            float* const inputs = window.append(count);
            for (long t = 0; t < count; t++)
                block_input<I>(scale, shift, stack.channels, stream.rows + t * channels, inputs + t * channels);
            copy(stream.rows, waiting.append(count), count * channels);
            const long complete = window.end - window.begin - 2L * blocks[b].dilation;
            count = complete > 0 ? complete : 0;
            for (long t = 0; t < count; t += kTogether) {
                const int together = static_cast<int>(count - t < kTogether ? count - t : kTogether);
                outputs(stream, blocks[b], window, waiting, t, together, stream.rows + t * channels);
            }
            window.begin += count, waiting.begin += count;
        }
        return count;
    }
};

}  // namespace
}  // namespace vqspeech
