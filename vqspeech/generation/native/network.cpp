// Which matrices a WaveNet becomes, and where they stand.
#include "network.h"

#include <algorithm>
#include <cmath>

#include "packer.h"

namespace vqspeech {
namespace {

// How activations become 8 bits; all measured by the divergence from fp32 of trained models.
struct EightBits {
    // The range over the largest magnitude seen: of the inputs of layers, of the skip sum, of hidden layers. Behind a ReLU
    // and in the long stacks of several bands the largest are so rare that finer steps are worth clipping them; clipping
    // the hidden layers of several bands costs a band ten times the divergence.
    float layers, skip, hidden;
    // What is quantised to second order, with the remainder of its rounding: the inputs of so many layers after the first, the gated units of so many layers
    // on their way to the next, and the weights of the logits of so many bands. What goes wrong there goes through all
    // others, or is in the logits at once.
    int inputs, gates, logits;
};
constexpr EightBits kOneBand{1.02f, 0.75f, 0.75f, 3, 2, 1};
constexpr EightBits kSeveralBands{0.75f, 0.75f, 1.0f, 1, 2, 2};

// Words along a row of the skip product: long enough that scaling the accumulators is little beside it.
constexpr int kSkipWords = 64;
// The logit of a place that has no class.
constexpr float kNever = -1e30f;

}  // namespace

Network::Network(const Sizes& s, const Weights& w, const Engine& chosen) : sizes(s), engine(chosen) {
    const Precision p = chosen.precision;
    const int lanes = chosen.lanes, per = per_word(p);
    // Products take vectors of rows in twos; gated units have two rows each.
    const auto pad = [&](int width, int vectors) { return static_cast<int>(round_up(width, vectors * lanes)); };
    residual = pad(s.residual, 2), gate = pad(s.gate, 1), skip = pad(s.skip, 2), output = pad(s.output, 2);
    classes = pad(s.classes, 2);
    residual_words = residual / per, gate_words = gate / per, skip_words = skip / per, output_words = output / per;
    skip_layers = std::min(s.layers, (kSkipWords + gate_words - 1) / gate_words);
    const int chunks = (s.layers + skip_layers - 1) / skip_layers;
    const EightBits& eight = s.bands == 1 ? kOneBand : kSeveralBands;
    const auto two_orders_input = [&](int l) { return p == Precision::int8 && l <= eight.inputs; };
    const auto two_orders_gate = [&](int l) { return p == Precision::int8 && l < eight.gates; };
    const int two_orders_logits = p == Precision::int8 ? eight.logits : 0;

    const auto of = [&](size_t rows, size_t columns) { return Packer::bytes(p, rows, columns); };
    bytes = chunks * of(skip, static_cast<size_t>(skip_layers) * gate) + of(s.bands * output, skip) +
            (s.bands + two_orders_logits) * of(classes, output);
    for (int l = 0; l < s.layers; l++) {
        if (l) bytes += s.kernel * of(2 * gate, (two_orders_input(l) ? 2 : 1) * residual) + of(2 * gate, 0);
        bytes += of(residual, (two_orders_gate(l) ? 2 : 1) * gate);
    }
    const size_t embedded = static_cast<size_t>(s.bands) * s.classes * residual;
    const size_t seen = static_cast<size_t>(s.kernel) * s.bands * (s.classes + 1) * 2 * gate;
    const size_t pairs = static_cast<size_t>(s.bands) * (s.bands - 1) / 2;
    arena_ = std::make_unique<Arena>(bytes + sizeof(float) * (embedded + seen + pairs * s.classes * output) + 3 * kLine);
    Packer packer(*arena_, engine);

    // Signed activations are stored with an offset, as the processor multiplies unsigned by signed bytes.
    const auto step = [&](int index, int levels) {
        const float range = index < s.layers ? eight.layers : index == s.layers ? eight.skip : eight.hidden;
        return std::max(w.peaks[index], 1e-6f) * range / static_cast<float>(levels);
    };
    two_orders_gated = {kUnitFactor, kUnitOffset, gate_words};
    summed = {1 / step(s.layers, 255), 0};
    for (int b = 0; b < s.bands; b++) hidden_inputs.push_back({1 / step(s.layers + 1 + b, 255), 0});

    // The dilated convolutions, those of the sigmoids halved as gated_unit() takes them.
    const long stride = static_cast<long>(s.kernel) * s.residual;
    std::vector<float> dilated(w.dilated, w.dilated + static_cast<size_t>(s.layers) * 2 * s.gate * stride);
    for (size_t i = 0; i < dilated.size(); i++)
        if (i / stride % (2 * s.gate) >= static_cast<size_t>(s.gate)) dilated[i] /= 2;
    Places halves(2 * gate, -1);  // vectors of the tanh half and of the sigmoid half in turn
    for (int i = 0; i < s.gate; i++) {
        halves[i / lanes * 2 * lanes + i % lanes] = i;
        halves[(i / lanes * 2 + 1) * lanes + i % lanes] = s.gate + i;
    }
    embed(w, dilated, halves);

    // One tap of a layer; all taps share accumulators, so also their scale.
    const auto tap = [&](int l, int k) {
        Source source{dilated.data() + l * 2 * s.gate * stride, stride, halves, {}};
        std::vector<float> peaks(halves.size(), 0);
        for (size_t r = 0; r < halves.size(); r++)
            for (long c = 0; halves[r] >= 0 && c < stride; c++)
                peaks[r] = std::max(peaks[r], std::fabs(source.values[halves[r] * stride + c]));
        source.columns = places(s.residual, residual, static_cast<long>(k) * s.residual);
        source.step = step(l, 127), source.offset = 128, source.two_orders = two_orders_input(l), source.peaks = &peaks;
        return packer.pack(source);
    };
    const auto pack_residual = [&](int l) {
        Source source{w.residual + l * s.residual * s.gate, s.gate, places(s.residual, residual), places(s.gate, gate)};
        source.bias = w.residual_bias + l * s.residual;
        source.step = 1.0f / kUnitFactor, source.offset = kUnitOffset, source.two_orders = two_orders_gate(l);
        return packer.pack(source);
    };
    const auto pack_skip = [&](int first, int end) {
        Source source{w.skip, static_cast<long>(s.layers) * s.gate, places(s.skip, skip), {}};
        for (int l = first; l < end; l++) {
            const Places one = places(s.gate, gate, static_cast<long>(l) * s.gate);
            source.columns.insert(source.columns.end(), one.begin(), one.end());
        }
        source.bias = first ? nullptr : w.skip_bias;
        source.step = 1.0f / kUnitFactor, source.offset = kUnitOffset;
        return packer.pack(source);
    };
    // In the order of their use, so that one long run through memory is a sample; past taps, used less often, last.
    for (int l = 0; l < s.layers; l++) {
        Layer layer;
        layer.dilation = 1 << (l % s.cycle);
        // Products of past taps are made a sample ahead, so the present input may take the place of the oldest; the
        // first layer has no such products.
        for (layer.span = 1; layer.span < (s.kernel - 1) * layer.dilation + (l ? 0 : 1);) layer.span *= 2;
        layer.words = l ? (two_orders_input(l) ? 2 : 1) * residual_words : s.bands;
        layer.input = {1 / step(l, 127), 128, two_orders_input(l) ? residual_words : 0};
        if (l) layer.current = tap(l, s.kernel - 1);
        if (l + 1 < s.layers) layer.residual = pack_residual(l);
        layers.push_back(std::move(layer));
        const int first = l / skip_layers * skip_layers;
        if (l + 1 == std::min(s.layers, first + skip_layers)) skips.push_back(pack_skip(first, l + 1));
    }
    Source source{w.hidden, s.skip, {}, places(s.skip, skip), w.hidden_bias};
    for (int b = 0; b < s.bands; b++) {
        const Places one = places(s.output, output, static_cast<long>(b) * s.output);
        source.rows.insert(source.rows.end(), one.begin(), one.end());
    }
    source.step = step(s.layers, 255);
    hidden = packer.pack(source);
    std::vector<float> remainders;
    if (two_orders_logits) remainders = Packer::remainders(w.output, static_cast<size_t>(s.bands) * s.classes, s.output);
    const int each = classes / lanes;  // classes of a lane
    for (int b = 0; b < s.bands; b++) {
        source = {w.output, s.output, Places(classes, -1), places(s.output, output), w.output_bias, kNever};
        source.step = step(s.layers + 1 + b, 255);
        for (int c = 0; c < s.classes; c++) source.rows[c % each * lanes + c / each] = b * s.classes + c;
        logits.push_back(packer.pack(source));
        if (b >= two_orders_logits) continue;
        source.values = remainders.data(), source.bias = nullptr, source.absent = 0;
        logit_remainders.push_back(packer.pack(source));
    }
    for (int l = 1; l < s.layers; l++) {
        Layer& layer = layers[l];
        for (int k = s.kernel - 2; k >= 0; k--) layer.past.push_back(tap(l, k));
        Word* const start = arena_->take<Word>(halves.size());  // of all taps: the first product begins with it
        std::copy_n(layer.current.start, halves.size(), start);
        for (const Matrix& m : layer.past)
            for (size_t r = 0; r < halves.size(); r++) start[r] += p == Precision::int8 ? m.start[r] : 0;
        layer.past.front().start = start;
    }
}

// The embedding, what the taps of the first layer make of it, and what classes of lower bands add: exact, and less work
// than products, as few classes make few different inputs.
void Network::embed(const Weights& w, const std::vector<float>& dilated, const std::vector<long>& halves) {
    const Sizes& s = sizes;
    const long rows = static_cast<long>(s.bands) * s.classes;
    float* const table = arena_->take<float>(rows * residual);
    for (long k = 0; k < rows; k++) std::copy_n(w.embedding + k * s.residual, s.residual, table + k * residual);
    embedding = table;
    float* next = arena_->take<float>(static_cast<size_t>(s.kernel) * s.bands * (s.classes + 1) * halves.size());
    looked_up = next;
    for (int back = 0; back < s.kernel; back++)
        for (int b = 0; b < s.bands; b++)
            for (int k = 0; k <= s.classes; k++)
                for (const long row : halves) {
                    float sum = 0;
                    if (k < s.classes && row >= 0) {
                        const float* const weights = dilated.data() + (row * s.kernel + s.kernel - 1 - back) * s.residual;
                        const float* const values = w.embedding + (static_cast<long>(b) * s.classes + k) * s.residual;
                        for (int c = 0; c < s.residual; c++) sum += weights[c] * values[c];
                    }
                    *next++ = sum;
                }
    const long added = rows * (s.bands - 1) / 2;
    float* const lower = arena_->take<float>(added * output);
    for (long k = 0; k < added; k++) std::copy_n(w.below + k * s.output, s.output, lower + k * output);
    below = lower;
}

}  // namespace vqspeech
