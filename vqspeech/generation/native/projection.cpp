// Packing a projection.
#include "projection.h"

#include <algorithm>

#include "packer.h"

namespace vqspeech {

Projection::Projection(const Engine& engine, int from, int to, const float* weights, const float* biases, bool half)
    : inputs(from),
      outputs(to),
      padded(static_cast<int>(round_up(to, 2 * engine.lanes))),
      project(half ? engine.rows.project_half : engine.rows.project) {
    const Precision stored = half ? Precision::fp16 : Precision::fp32;
    arena_ = std::make_unique<Arena>(Packer::bytes(stored, padded, inputs) + sizeof(float) * padded + 2 * kLine);
    Packer packer(*arena_, engine, stored);
    matrix = packer.pack({weights, inputs, places(outputs, padded), places(inputs, inputs)});
    float* const starts = arena_->take<float>(padded);
    std::copy_n(biases, outputs, starts);
    bias = reinterpret_cast<const Word*>(starts);
}

}  // namespace vqspeech
