// A stack of residual blocks packed for streams, and the state of one stream.
#pragma once

#include <memory>
#include <vector>

#include "arena.h"
#include "network.h"

namespace vqspeech {

// Weights as Python passes them, row-major float32: (blocks, channels, 3 channels) with the earliest tap first, (blocks,
// channels), (blocks, channels, channels), (blocks, channels).
struct StackWeights {
    const float *dilated, *bias, *out, *out_bias;
};

struct StackBlock {
    int dilation, past;  // rows between taps; rows of the window before an output's own
    Matrix dilated, out;
    const Word *bias, *out_bias;
};

struct BlockStack {
    BlockStack(const Engine& engine, int channels, const std::vector<int>& dilations, const std::vector<int>& past,
               const StackWeights& weights, bool half);

    const Engine& engine;
    int channels;
    std::vector<StackBlock> blocks;
    const StackBlock* first;  // of `count`, as kernels read them
    int count;
    long (*push)(BlockStream&, long rows);

  private:
    std::unique_ptr<Arena> arena_;
};

// Rows that outputs to come still need, the oldest first: row i is at rows + (begin + i) channels. Kernels read it; what
// moves or allocates is compiled without their instructions.
struct Queue {
    Queue(int channels, long zeros);
    float* append(long count);  // where to write them

    int channels;
    long begin = 0, end, capacity;
    std::unique_ptr<float[]> memory;
    float* rows;
};

// Outputs that are made together.
constexpr int kTogether = 16;

struct BlockStream {
    // `scale` and `shift` (blocks, channels), or null in plain blocks, whose windows are laid over rectified rows.
    BlockStream(std::shared_ptr<const BlockStack> stack, const float* scale, const float* shift);

    // The rows that `given` ones complete, at `rows`; how many they are.
    long push(const float* given, long count);

    std::shared_ptr<const BlockStack> stack;
    const BlockStack& packed;
    const float *scale = nullptr, *shift = nullptr;
    std::vector<Queue> windows;  // of each block, what its windows are laid over, ...
    std::vector<Queue> waiting;  // ... and rows as they came, until what follows them is known
    Queue *window, *wait;        // the first of each
    float *gathered, *hidden;    // (kTogether, 3 channels), (kTogether, channels)
    float* rows = nullptr;       // of the block at hand

  private:
    std::unique_ptr<Arena> arena_;
    std::vector<float> rows_;
};

}  // namespace vqspeech
