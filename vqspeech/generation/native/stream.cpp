// Laying out a stream's memory, and waiting.
#include <algorithm>
#include <thread>

#include "network.h"

namespace vqspeech {

Stream::Stream(const Network& n, int block, int index) {
    const size_t layers = n.layers.size(), rows = static_cast<size_t>(2) * n.gate;
    size_t words = layers * (rows + n.gate_words) + n.residual + n.skip + n.classes + 2 * n.gate_words + n.skip_words +
                   n.output_words + static_cast<size_t>(n.sizes.bands) * n.output + 4 * n.sizes.bands + 18 * kLine;
    for (const Layer& layer : n.layers) {
        blocks.push_back(std::min(block, layer.dilation));
        words += round_up(static_cast<size_t>(layer.span) * layer.words, kLine) + round_up(blocks.back() * rows, kLine);
    }
    // Streams begin at different cache sets.
    const size_t skew = static_cast<size_t>(index % 8) * 9 * kLine;
    arena_ = std::make_unique<Arena>(sizeof(Word) * words + skew);
    arena_->take<char>(skew);
    x = arena_->take<float>(n.residual);
    sum = arena_->take<float>(n.skip);
    previous = arena_->take<int64_t>(n.sizes.bands);
    current = arena_->take<int64_t>(n.sizes.bands);
    std::fill_n(previous, n.sizes.bands, n.sizes.classes / 2);
    hidden_sums = arena_->take<float>(static_cast<size_t>(n.sizes.bands) * n.output);
    logits = arena_->take<float>(n.classes);
    summed = arena_->take<Word>(n.skip_words);
    hidden = arena_->take<Word>(n.output_words);
    gated = arena_->take<Word>(layers * n.gate_words);
    two_orders_gated = arena_->take<Word>(static_cast<size_t>(2) * n.gate_words);
    conditioning = arena_->take<float>(layers * rows);
    for (size_t l = 0; l < layers; l++) {
        past.push_back(arena_->take<Word>(blocks[l] * rows));
        // Zeros before the first sample: their products and what makes up for their offset cancel.
        for (int b = 0; b < blocks[l] && l; b++) std::copy_n(n.layers[l].current.start, rows, past[l] + b * rows);
    }
    for (size_t l = 0; l < layers; l++) {
        const Layer& layer = n.layers[l];
        const long count = static_cast<long>(layer.span) * layer.words;
        rings.push_back(arena_->take<Word>(count));
        for (long i = 0; i < count; i++) {
            const bool remainder = i % layer.words >= n.residual_words;
            if (l == 0)
                rings[l][i] = static_cast<Word>(n.sizes.classes);
            else if (n.engine.precision == Precision::int8)
                rings[l][i] = 0x01010101u * (remainder ? kRemainderOffset : 128);
        }
    }
}

void Patience::wait() {
    if (spins++ < 2000) {
#if defined(__x86_64__)
        __builtin_ia32_pause();
#endif
    } else {
        std::this_thread::yield();
    }
}

}  // namespace vqspeech
