// Packing a stack of residual blocks for streams, and moving what a stream keeps.
#include "streamed_blocks.h"

#include <algorithm>
#include <utility>

#include "packer.h"

namespace vqspeech {

BlockStack::BlockStack(const Engine& chosen, int width, const std::vector<int>& dilations, const std::vector<int>& past,
                       const StackWeights& w, bool half)
    : engine(chosen), channels(width), push(half ? chosen.rows.push_half : chosen.rows.push) {
    const Precision stored = half ? Precision::fp16 : Precision::fp32;
    const long wide = 3L * width, square = static_cast<long>(width) * width;
    const size_t row = round_up(sizeof(float) * width, kLine);
    const size_t each = Packer::bytes(stored, width, wide) + Packer::bytes(stored, width, width) + 2 * row;
    arena_ = std::make_unique<Arena>(dilations.size() * each + kLine);
    Packer packer(*arena_, engine, stored);
    const auto copied = [&](const float* values) {
        float* const to = arena_->take<float>(width);
        std::copy_n(values, width, to);
        return reinterpret_cast<const Word*>(to);
    };
    const auto pack = [&](const float* values, long columns) {
        return packer.pack({values, columns, places(width, width), places(static_cast<int>(columns), static_cast<int>(columns))});
    };
    for (size_t b = 0; b < dilations.size(); b++) {
        const long index = static_cast<long>(b);
        StackBlock block{};
        block.dilation = dilations[b], block.past = past[b];
        block.dilated = pack(w.dilated + index * 3 * square, wide);
        block.out = pack(w.out + index * square, width);
        block.bias = copied(w.bias + index * width), block.out_bias = copied(w.out_bias + index * width);
        blocks.push_back(block);
    }
    first = blocks.data(), count = static_cast<int>(blocks.size());
}

Queue::Queue(int width, long zeros)
    : channels(width), end(zeros), capacity(2 * zeros + 64), memory(new float[capacity * width]()), rows(memory.get()) {}

float* Queue::append(long count) {
    const long kept = end - begin;
    if (end + count > capacity) {
        if (2 * (kept + count) > capacity) {
            capacity = 2 * (kept + count);
            std::unique_ptr<float[]> larger(new float[capacity * channels]);
            std::copy_n(rows + begin * channels, kept * channels, larger.get());
            memory = std::move(larger), rows = memory.get();
        } else {
            std::copy_n(rows + begin * channels, kept * channels, rows);
        }
        begin = 0, end = kept;
    }
    end += count;
    return rows + (end - count) * channels;
}

BlockStream::BlockStream(std::shared_ptr<const BlockStack> of, const float* scales, const float* shifts)
    : stack(std::move(of)), packed(*stack) {
    const size_t width = stack->channels, all = stack->blocks.size() * width;
    arena_ = std::make_unique<Arena>(sizeof(float) * (2 * all + 4 * kTogether * width) + 4 * kLine);
    gathered = arena_->take<float>(3 * kTogether * width), hidden = arena_->take<float>(kTogether * width);
    if (scales) {
        float *const to_scale = arena_->take<float>(all), *const to_shift = arena_->take<float>(all);
        std::copy_n(scales, all, to_scale), std::copy_n(shifts, all, to_shift);
        scale = to_scale, shift = to_shift;
    }
    for (const StackBlock& block : stack->blocks) {
        windows.emplace_back(stack->channels, block.past);
        waiting.emplace_back(stack->channels, 0);
    }
    window = windows.data(), wait = waiting.data();
}

long BlockStream::push(const float* given, long count) {
    rows_.assign(given, given + count * stack->channels);
    rows = rows_.data();
    return stack->push(*this, count);
}

}  // namespace vqspeech
