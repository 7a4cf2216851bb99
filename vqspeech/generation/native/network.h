// A WaveNet packed for one processor level and precision, the state of one stream, and the work of one call.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "arena.h"

namespace vqspeech {

// fp16 is of weights alone: products and sums are fp32.
enum class Precision { fp32, bf16, int8, fp16 };

// What a multiply-add instruction takes from each input: one fp32, two bf16 or four 8-bit numbers. The accumulators
// have the same size: fp32, or int32 for 8-bit products.
using Word = uint32_t;

constexpr int per_word(Precision precision) {
    return precision == Precision::int8 ? 4 : precision == Precision::bf16 ? 2 : 1;
}

// Of the weights that multiply one word of each input.
constexpr size_t weight_bytes(Precision precision) { return precision == Precision::fp16 ? 2 : sizeof(Word); }

// Rows are cut into vectors of `lanes` rows, vectors into panels of kPanel and at the end one of 2. A panel is stored word
// by word, each word for all rows of the panel, so that a product reads its weights from the first to the last.
struct Matrix {
    int vectors = 0;
    long words = 0;                 // along a row
    const void* weights = nullptr;
    const Word* start = nullptr;    // what the accumulators begin with
    const float* scale = nullptr;   // 8-bit products: value of one unit of the accumulator, for each row
    const float* bias = nullptr;
};

constexpr int kPanel = 4;
constexpr int kBands = 16;          // at most

// How an activation becomes 8 bits: round(factor x + offset), clipped to 0 ... 255. What the rounding left over may
// follow `remainder` words behind it, as round(kRemainder left over) + kRemainderOffset; 0 for none.
struct Quantizer {
    float factor = 1;
    float offset = 0;
    int remainder = 0;
};

// Weights of the remainder are those of the activation by kRemainder, so both enter the same accumulators.
constexpr int kRemainder = 16;
constexpr int kRemainderOffset = kRemainder / 2;

// Gated units, which lie between -1 and 1, in 8 bits.
constexpr int kUnitFactor = 127;
constexpr int kUnitOffset = 128;

struct Layer {
    int dilation = 0;
    int span = 0;                    // slots of the ring of past inputs, a power of two; the slot of a time is its remainder
    int words = 0;                   // of an input in the ring
    std::vector<Matrix> past;        // one a tap, the newest first; their accumulators go on into `current`
    Matrix current;                  // rows in turn a vector of the tanh half and one of the sigmoid half
    Matrix residual;                 // absent in the last layer, whose output nobody reads
    Quantizer input;
};

// Of several bands, `output` and `classes` are those of each; a sample is then a step, with one class of every band.
struct Sizes {
    int layers, cycle, kernel, residual, gate, skip, output, classes, bands;
};

// Weights as the module stores them, row-major float32.
struct Weights {
    const float *embedding, *dilated, *residual, *residual_bias, *skip, *skip_bias, *hidden, *hidden_bias, *output,
        *output_bias, *below, *peaks;
};

struct Stream;
struct Work;
struct Handoff;
struct Engine;
struct EncoderBlocks;
struct BlockStream;
struct Projection;

struct Network {
    Network(const Sizes& sizes, const Weights& weights, const Engine& engine);

    Sizes sizes;
    const Engine& engine;
    // Widths padded to whole vectors, and the words of an activation of that width.
    int residual, gate, skip, output, classes;
    int residual_words, gate_words, skip_words, output_words;
    const float* embedding = nullptr;    // (bands, classes, residual)
    // The first layer looks up what each tap, the newest first, makes of each class of each band, and last of the zeros
    // before the first sample: (kernel, bands, classes + 1, 2 gate). Its ring holds classes, it has no `past` and no
    // `current`.
    const float* looked_up = nullptr;
    std::vector<Layer> layers;
    int skip_layers;                // layers whose gated units enter one product of the skip sum
    std::vector<Matrix> skips;
    Matrix hidden;                  // rows of all bands
    std::vector<Matrix> logits, logit_remainders;  // of each band; the last of the lowest alone, where 8 bits keep remainders
    // What classes of a lower band add to a band's hidden layer: (pairs, classes, output), pairs as (0, 1), (0, 2), (1, 2) ...
    const float* below = nullptr;
    Quantizer two_orders_gated, summed;
    std::vector<Quantizer> hidden_inputs;     // of each band
    size_t bytes = 0;               // of packed weights

  private:
    void embed(const Weights& weights, const std::vector<float>& dilated, const std::vector<long>& halves);
    std::unique_ptr<Arena> arena_;
};

// One stream. Past taps of a dilation d are known d samples ahead and computed for `block` samples at once.
struct Stream {
    Stream(const Network& network, int block, int index);

    long time = 0;
    int64_t *previous, *current;    // classes of each band: of the sample before, and of this one as they come
    std::vector<int> blocks;        // of each layer
    std::vector<Word*> rings;       // (span, residual words) of each layer
    std::vector<Word*> past;        // (block, 2 gate) accumulators of each layer
    float* conditioning;                // (layers, 2 gate) of the current frame
    float *x, *sum;                 // residual stream, skip sum
    float* hidden_sums;             // (bands, output), before lower bands are added
    float* logits;                  // class c is in lane c / n of vector c % n, with n vectors in all
    Word *gated, *summed, *hidden;  // inputs of the products: (layers, gate words), ...
    Word* two_orders_gated;               // the gated units of one layer with their remainders

  private:
    std::unique_ptr<Arena> arena_;
};

// What one call asks of streams that stand at the same time. Arrays hold one pointer for each stream.
struct Work {
    Stream* const* streams;
    int count;
    int hop;
    const float* const* conditioning;     // (frames, layers, 2 gate)
    // Either samples are drawn ...
    const float* const* uniforms;     // (samples, bands)
    float temperature;
    int64_t* const* drawn;            // (samples, bands)
    // ... or they are given, at t the classes of sample t - 1 and those of sample t, and scored; null otherwise.
    const int64_t *const *given, *const *current;
    float* const* logits;             // (samples, bands, classes)
    const std::atomic<bool>* stop;
    Handoff* handoff;                 // set when a second thread computes past taps and skip sums
};

// What two threads on the same streams tell each other, counted over the whole call. See Kernel::item.
struct Handoff {
    alignas(64) std::atomic<long> gated{0};    // layers x samples whose gated units are there
    alignas(64) std::atomic<long> claimed{0};  // shared items that a thread has begun
    alignas(64) std::atomic<long> done{0};     // shared items that are done; one at a time
};

// Wait busily at first, then give way to others.
struct Patience {
    int spins = 0;
    void wait();
};

// Encoder and conditioning network: residual blocks on one utterance; residual blocks and projections on the next rows of
// a stream, which weights of 16 bits serve, too. In engines of fp32; null elsewhere.
struct RowKernels {
    void (*encode)(const EncoderBlocks&, float* x, long rows);
    long (*push)(BlockStream&, long rows);
    long (*push_half)(BlockStream&, long rows);
    void (*project)(const Projection&, const float* rows, long hop, long count, float* to);
    void (*project_half)(const Projection&, const float* rows, long hop, long count, float* to);
};

// One precision on one set of processor features.
struct Engine {
    const char* level;
    Precision precision;
    int lanes;                                  // of a vector
    int sums;                                   // accumulators of a tile
    int subtracted;                             // from the bytes of inputs before they are multiplied
    bool (*supported)();                        // whether this processor has what it needs
    void (*run)(const Network&, const Work&, long begin, long from, long to);  // everything, or what the helper leaves when there is a handoff
    void (*help)(const Network&, const Work&, long begin, long samples);       // the helper's part of a whole call
    void (*multiply)(long times);               // `sums` multiply-adds of whole vectors in registers, so many times
    void (*read)(const Word* data, long words);  // and nothing else
    RowKernels rows;
};

// All that were compiled, the best level of each precision first.
const std::vector<const Engine*>& engines();

}  // namespace vqspeech
