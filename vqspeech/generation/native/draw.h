// One class from logits: the softmax and its inverse cumulative distribution.
#pragma once

#include "activations.h"
#include "network.h"

namespace vqspeech {
namespace {

// Logits are ordered so that lane j of all vectors holds classes that follow one another (see Network::place): their
// weights are summed without leaving the lanes, and only the lane in which the number falls is looked into.
template <class I> struct Draw {
    using Float = typename I::Float;
    static constexpr int lanes = I::lanes;

    // The first class whose cumulative probability exceeds `uniform`; the most likely class at temperature 0.
    // Logits of places without a class are so low that their weight is next to nothing. All are overwritten.
    static int from(float* logits, int classes, int padded, float temperature, float uniform) {
        const int each = padded / lanes;
        Float highest = I::load(logits);
        for (int i = lanes; i < padded; i += lanes) highest = I::max(highest, I::load(logits + i));
        alignas(64) float sums[lanes];
        I::store(sums, highest);
        float peak = sums[0];
        for (int j = 1; j < lanes; j++) peak = sums[j] > peak ? sums[j] : peak;
        if (temperature == 0) return first(logits, classes, each, peak);
        const Float sharpness = I::set(1 / temperature), subtracted = I::set(peak);
        Float lane_sums = I::set(0);
        for (int i = 0; i < padded; i += lanes) {
            const Float weight = exponential<I>((I::load(logits + i) - subtracted) * sharpness);
            I::store(logits + i, weight);
            lane_sums = lane_sums + weight;
        }
        I::store(sums, lane_sums);
        float total = 0;
        for (int j = 0; j < lanes; j++) total += sums[j];
        // Weights that exponential() could not tell from nothing are never drawn.
        const float threshold = uniform * total > 1e-30f ? uniform * total : 1e-30f;
        float before = 0;
        int lane = 0;
        while (lane + 1 < lanes && before + sums[lane] <= threshold) before += sums[lane++];
        for (int i = 0; i < each && lane * each + i < classes; i++)
            if ((before += logits[i * lanes + lane]) > threshold) return lane * each + i;
        return first(logits, classes, each, 1);  // rounding left nothing above: the most likely, whose weight is 1
    }

    // The first class of this logit or weight, which is there.
    static int first(const float* values, int classes, int each, float value) {
        int c = 0;
        while (c < classes - 1 && values[c % each * lanes + c / each] != value) c++;
        return c;
    }
};

}  // namespace
}  // namespace vqspeech
