// The residual blocks of an encoder as they are packed, and what one utterance is computed in.
#pragma once

#include <memory>
#include <vector>

#include "arena.h"
#include "network.h"

namespace vqspeech {

struct EncoderBlock {
    int dilation, offset;                           // rows between taps; of the first tap from the output's row
    const float *scale = nullptr, *shift = nullptr;  // of the normalised inputs; null in a plain block, whose inputs go through a ReLU
    Matrix taps[4];                                 // of two outputs at a time
    Matrix out;
    const Word *bias = nullptr, *out_bias = nullptr;
};

// Weights as Python passes them, row-major float32: (blocks, 4, channels out, channels in), (blocks, channels), ...
struct EncoderWeights {
    const float *taps, *bias, *out, *out_bias, *scale, *shift;
};

struct EncoderBlocks {
    EncoderBlocks(const Engine& engine, int channels, const std::vector<int>& dilations, const std::vector<int>& offsets,
                  const EncoderWeights& weights);

    const Engine& engine;
    int channels;
    std::vector<EncoderBlock> blocks;

  private:
    std::unique_ptr<Arena> arena_;
};

struct EncoderMemory {
    EncoderMemory(long rows, int channels, int pairs);

    float *inputs, *zeros;           // (rows, channels) and one row more
    float *sums, *products, *hidden;  // (4, pairs, channels) twice, (2 pairs, channels)

  private:
    std::unique_ptr<Arena> arena_;
};

}  // namespace vqspeech
