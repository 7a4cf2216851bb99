// What the blocks of encoder and conditioning network do beside their products, in fp32.
#pragma once

#include "activations.h"

namespace vqspeech {

constexpr float kNormEpsilon = 1e-5f;  // PyTorch's, of layer normalisation

namespace {

template <class I> INLINE float lanes_total(typename I::Float x) {
    alignas(64) float each[I::lanes];
    I::store(each, x);
    float sum = each[0];
    for (int j = 1; j < I::lanes; j++) sum += each[j];
    return sum;
}

// What the window of a block is laid over, of one row: normalised, scaled and shifted, or put through a ReLU where there
// is no scale.
template <class I>
INLINE void block_input(const float* scale, const float* shift, int channels, const float* x, float* to) {
    using Float = typename I::Float;
    constexpr int lanes = I::lanes;
    if (!scale) {
        for (int i = 0; i < channels; i += lanes) I::store(to + i, I::max(I::load(x + i), I::set(0)));
        return;
    }
    Float sum = I::set(0), squares = I::set(0);
    for (int i = 0; i < channels; i += lanes) sum = sum + I::load(x + i);
    const float size = static_cast<float>(channels);
    const Float mean = I::set(lanes_total<I>(sum) / size);
    for (int i = 0; i < channels; i += lanes) {
        const Float centred = I::load(x + i) - mean;
        squares = I::fma(centred, centred, squares);
    }
    const Float factor = I::set(1 / __builtin_sqrtf(lanes_total<I>(squares) / size + kNormEpsilon));
    for (int i = 0; i < channels; i += lanes) {
        const Float normal = (I::load(x + i) - mean) * factor;
        I::store(to + i, I::fma(normal, I::load(scale + i), I::load(shift + i)));
    }
}

// GELU with tanh (Hendrycks and Gimpel 2016) behind a normalised window, or ReLU.
template <class I> INLINE typename I::Float block_activation(bool normalised, typename I::Float x) {
    if (!normalised) return I::max(x, I::set(0));
    typename I::Float p, q;
    tanh_ratio<I>(x * I::fma(x * x, I::set(0.79788456f * 0.044715f), I::set(0.79788456f)), p, q);
    return I::set(0.5f) * x * (p + q) / q;
}

}  // namespace
}  // namespace vqspeech
