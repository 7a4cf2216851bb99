// A matrix and a bias, packed for rows of a stream that are put through it.
#pragma once

#include <memory>

#include "arena.h"
#include "network.h"

namespace vqspeech {

struct Projection {
    // `weights` (outputs, inputs), row-major; `bias` (outputs).
    Projection(const Engine& engine, int inputs, int outputs, const float* weights, const float* bias, bool half);

    // What `count` rows become, `(count, padded)` at `to`; each begins `hop` floats after the one before and may overlap it.
    void apply(const float* rows, long hop, long count, float* to) const { project(*this, rows, hop, count, to); }

    int inputs, outputs, padded;  // to whole tiles
    Matrix matrix;
    const Word* bias;

  private:
    void (*project)(const Projection&, const float*, long, long, float*);
    std::unique_ptr<Arena> arena_;
};

}  // namespace vqspeech
