// Packing the residual blocks of an encoder, and the memory of one utterance.
#include "encoder_blocks.h"

#include <algorithm>

#include "packer.h"

namespace vqspeech {

EncoderBlocks::EncoderBlocks(const Engine& chosen, int width, const std::vector<int>& dilations,
                             const std::vector<int>& offsets, const EncoderWeights& w)
    : engine(chosen), channels(width) {
    const size_t each = Packer::bytes(Precision::fp32, width, width), row = round_up(sizeof(float) * width, kLine);
    arena_ = std::make_unique<Arena>(dilations.size() * (5 * each + 4 * row) + kLine);
    Packer packer(*arena_, engine);
    const long square = static_cast<long>(width) * width;
    const auto pack = [&](const float* values) {
        return packer.pack({values, width, places(width, width), places(width, width)});
    };
    const auto copied = [&](const float* values, size_t b) {
        float* const to = arena_->take<float>(width);
        std::copy_n(values + static_cast<long>(b) * width, width, to);
        return to;
    };
    for (size_t b = 0; b < dilations.size(); b++) {
        EncoderBlock block;
        block.dilation = dilations[b], block.offset = offsets[b];
        if (w.scale) block.scale = copied(w.scale, b), block.shift = copied(w.shift, b);
        for (int part = 0; part < 4; part++) block.taps[part] = pack(w.taps + (static_cast<long>(b) * 4 + part) * square);
        block.bias = reinterpret_cast<const Word*>(copied(w.bias, b));
        block.out = pack(w.out + static_cast<long>(b) * square);
        block.out_bias = reinterpret_cast<const Word*>(copied(w.out_bias, b));
        blocks.push_back(block);
    }
}

EncoderMemory::EncoderMemory(long rows, int channels, int pairs) {
    const size_t together = static_cast<size_t>(pairs) * channels, all = static_cast<size_t>(rows) * channels;
    arena_ = std::make_unique<Arena>(sizeof(float) * (all + channels + 10 * together) + 8 * kLine);
    inputs = arena_->take<float>(all);
    zeros = arena_->take<float>(channels);
    sums = arena_->take<float>(4 * together);
    products = arena_->take<float>(4 * together);
    hidden = arena_->take<float>(2 * together);
}

}  // namespace vqspeech
