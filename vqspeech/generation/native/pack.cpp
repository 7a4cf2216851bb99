// Packing a WaveNet's weights, and laying out a stream's memory.
#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <new>
#include <thread>

#include "network.h"

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace vqspeech {
namespace {

constexpr size_t kLine = 64;
constexpr size_t kHugePage = size_t{2} << 20;
// The 8-bit range over the largest magnitude seen. Layer inputs may go a little beyond it; behind a ReLU the largest are
// so rare that finer steps are worth clipping them (measured: least divergence from fp32).
constexpr float kLayerRange = 1.02f;
constexpr float kHeadRange = 0.75f;

size_t round_up(size_t value, size_t unit) { return (value + unit - 1) / unit * unit; }

uint16_t to_bf16(float value) {
    uint32_t bits;
    std::memcpy(&bits, &value, sizeof bits);
    return static_cast<uint16_t>((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}

// Store one number of an activation, as the kernels' put() does.
void put_activation(Precision precision, Word* word, int part, float value, float factor) {
    if (precision == Precision::fp32)
        std::memcpy(word, &value, sizeof value);
    else if (precision == Precision::bf16)
        reinterpret_cast<uint16_t*>(word)[part] = to_bf16(value);
    else
        reinterpret_cast<uint8_t*>(word)[part] = static_cast<uint8_t>(std::lrint(value * factor) + 128);
}

// Which source row or column stands at each packed place; -1 is padding.
using Places = std::vector<long>;

Places places(int count, int padded, long first = 0) {
    Places result(padded, -1);
    for (int i = 0; i < count; i++) result[i] = first + i;
    return result;
}

class Packer {
  public:
    Packer(Arena& arena, const Engine& engine)
        : arena_(arena), precision_(engine.precision), lanes_(engine.lanes) {}

    // A source is `places[row] * stride + places[column]`. `peaks` are the largest weights of the rows when several
    // matrices share accumulators. `step` is the value of one unit of the 8-bit input.
    Matrix pack(const float* source, long stride, const Places& rows, const Places& columns, const float* bias,
                float step, int offset, const std::vector<float>* peaks = nullptr) {
        const int per = per_word(precision_);
        Matrix m;
        m.vectors = static_cast<int>(rows.size()) / lanes_;
        m.words = static_cast<long>(columns.size()) / per;
        Word* const weights = arena_.take<Word>(rows.size() * m.words);
        Word* const start = arena_.take<Word>(rows.size());
        auto at = [&](size_t r, size_t c) {
            return rows[r] < 0 || columns[c] < 0 ? 0.0f : source[rows[r] * stride + columns[c]];
        };
        std::vector<float> inverse(rows.size(), 1);
        if (precision_ == Precision::int8) {
            float* const scale = arena_.take<float>(rows.size());
            for (size_t r = 0; r < rows.size(); r++) {
                float peak = peaks ? (*peaks)[r] : 0;
                if (!peaks)
                    for (size_t c = 0; c < columns.size(); c++) peak = std::max(peak, std::fabs(at(r, c)));
                inverse[r] = peak > 0 ? 127 / peak : 0;
                scale[r] = peak / 127 * step;
            }
            m.scale = scale;
        }
        if (bias) {
            float* const padded = arena_.take<float>(rows.size());
            for (size_t r = 0; r < rows.size(); r++) padded[r] = rows[r] < 0 ? 0.0f : bias[rows[r]];
            m.bias = padded;
        }
        Word* next = weights;
        for (int vector = 0; vector < m.vectors;) {
            const int width = panel_width(m.vectors - vector);
            for (long word = 0; word < m.words; word++)
                for (int row = vector * lanes_; row < (vector + width) * lanes_; row++, next++)
                    for (int part = 0; part < per; part++)
                        put(next, part, at(row, word * per + part), inverse[row], offset, start + row);
            vector += width;
        }
        m.weights = weights;
        m.start = start;
        return m;
    }

    static size_t bytes(Precision precision, size_t rows, size_t columns) {
        return rows * columns / per_word(precision) * sizeof(Word) + 3 * (rows * sizeof(Word) + kLine) + kLine;
    }

  private:
    void put(Word* word, int part, float value, float inverse, int offset, Word* start) const {
        if (precision_ == Precision::fp32) {
            std::memcpy(word, &value, sizeof value);
        } else if (precision_ == Precision::bf16) {
            reinterpret_cast<uint16_t*>(word)[part] = to_bf16(value);
        } else {
            const int q = static_cast<int>(std::lrint(value * inverse));
            reinterpret_cast<int8_t*>(word)[part] = static_cast<int8_t>(q);
            *start -= static_cast<Word>(offset * q);  // the input is stored with `offset` added
        }
    }

    Arena& arena_;
    Precision precision_;
    int lanes_;
};

}  // namespace

Arena::Arena(size_t bytes) : size_(round_up(bytes, bytes < kHugePage / 4 ? kLine : kHugePage)) {
    const size_t unit = size_ < kHugePage ? kLine : kHugePage;
    memory_ = static_cast<char*>(std::aligned_alloc(unit, size_));
    if (!memory_) throw std::bad_alloc();
#if defined(__linux__)
    if (unit == kHugePage) madvise(memory_, size_, MADV_HUGEPAGE);
#endif
    std::memset(memory_, 0, size_);
}

Arena::~Arena() { std::free(memory_); }

void* Arena::take_bytes(size_t bytes) {
    void* const result = memory_ + used_;
    used_ += round_up(bytes, kLine);
    if (used_ > size_) throw std::bad_alloc();
    return result;
}

Network::Network(const Sizes& s, const Weights& w, const Engine& chosen) : sizes(s), engine(chosen) {
    const Precision p = chosen.precision;
    const int lanes = chosen.lanes, per = per_word(p);
    auto pad = [&](int width) { return static_cast<int>(round_up(width, lanes)); };
    residual = pad(s.residual), gate = pad(s.gate), skip = pad(s.skip), output = pad(s.output), classes = pad(s.classes);
    residual_words = residual / per, gate_words = gate / per, skip_words = skip / per, output_words = output / per;
    // Long enough rows that scaling the accumulators is little beside the product.
    skip_layers = std::min(s.layers, (64 + gate_words - 1) / gate_words);
    const int chunks = (s.layers + skip_layers - 1) / skip_layers;

    auto of = [&](size_t rows, size_t columns) { return Packer::bytes(p, rows, columns); };
    bytes = s.layers * (s.kernel * of(2 * gate, residual) + of(2 * gate, 0) + of(residual, gate)) +
            chunks * of(skip, static_cast<size_t>(skip_layers) * gate) + of(output, skip) + of(classes, output);
    arena_ = std::make_unique<Arena>(bytes + sizeof(float) * s.classes * (residual + residual_words) + 2 * kLine);
    Packer packer(*arena_, engine);

    float* const table = arena_->take<float>(static_cast<size_t>(s.classes) * residual);
    for (int k = 0; k < s.classes; k++) std::copy_n(w.embedding + k * s.residual, s.residual, table + k * residual);
    embedding = table;

    // The first layer reads rows of this table, so that 8-bit steps can fit each channel; its weights make up for them.
    std::vector<float> share(s.residual, 1);
    float widest = 1e-6f;
    for (int i = 0; i < s.classes * s.residual; i++) widest = std::max(widest, std::fabs(w.embedding[i]));
    for (int c = 0; p == Precision::int8 && c < s.residual; c++) {
        share[c] = 1e-3f;
        for (int k = 0; k < s.classes; k++)
            share[c] = std::max(share[c], std::fabs(w.embedding[k * s.residual + c]) / widest);
    }
    Word* const words = arena_->take<Word>(static_cast<size_t>(s.classes) * residual_words);
    for (int k = 0; k < s.classes; k++)
        for (int c = 0; c < residual; c++)
            put_activation(p, words + k * residual_words + c / per, c % per, table[k * residual + c],
                           127 / widest / (c < s.residual ? share[c] : 1));
    embedded = words;

    // Signed activations are stored with 128 added, as the processor multiplies unsigned by signed bytes.
    auto step = [&](int index, int levels) {
        if (index == 0) return widest / static_cast<float>(levels);
        const float range = index < s.layers ? kLayerRange : kHeadRange;
        return std::max(w.peaks[index], 1e-6f) * range / static_cast<float>(levels);
    };
    gated = {127, 128};
    summed = {1 / step(s.layers, 255), 0};
    hidden_input = {1 / step(s.layers + 1, 255), 0};

    Places halves(2 * gate, -1);  // vectors of the tanh half and of the sigmoid half in turn
    for (int i = 0; i < s.gate; i++) {
        halves[i / lanes * 2 * lanes + i % lanes] = i;
        halves[(i / lanes * 2 + 1) * lanes + i % lanes] = s.gate + i;
    }
    const auto chunk_columns = [&](int first, int end) {
        Places columns;
        for (int l = first; l < end; l++) {
            const Places one = places(s.gate, gate, static_cast<long>(l) * s.gate);
            columns.insert(columns.end(), one.begin(), one.end());
        }
        return columns;
    };
    // One tap of a layer; all taps share accumulators, so also their scale.
    const long stride = static_cast<long>(s.kernel) * s.residual;
    std::vector<float> first_layer(w.dilated, w.dilated + 2 * s.gate * stride);
    for (size_t i = 0; i < first_layer.size(); i++) first_layer[i] *= share[i % s.residual];
    const auto tap = [&](int l, int k) {
        const float* const source = l ? w.dilated + l * 2 * s.gate * stride : first_layer.data();
        std::vector<float> peaks(halves.size(), 0);
        for (size_t r = 0; r < halves.size(); r++)
            for (long c = 0; halves[r] >= 0 && c < stride; c++)
                peaks[r] = std::max(peaks[r], std::fabs(source[halves[r] * stride + c]));
        const Places columns = places(s.residual, residual, static_cast<long>(k) * s.residual);
        return packer.pack(source, stride, halves, columns, nullptr, step(l, 127), 128, &peaks);
    };
    // In the order of their use, so that one long run through memory is a sample; past taps, used less often, last.
    for (int l = 0; l < s.layers; l++) {
        Layer layer;
        layer.dilation = 1 << (l % s.cycle);
        for (layer.span = 1; layer.span < (s.kernel - 1) * layer.dilation;) layer.span *= 2;
        layer.input = {1 / step(l, 127), 128};
        layer.current = tap(l, s.kernel - 1);
        if (l + 1 < s.layers)
            layer.residual = packer.pack(w.residual + l * s.residual * s.gate, s.gate, places(s.residual, residual),
                                         places(s.gate, gate), w.residual_bias + l * s.residual, 1 / 127.0f, 128);
        layers.push_back(std::move(layer));
        const int first = l / skip_layers * skip_layers;
        if (l + 1 == std::min(s.layers, first + skip_layers))
            skips.push_back(packer.pack(w.skip, static_cast<long>(s.layers) * s.gate, places(s.skip, skip),
                                        chunk_columns(first, l + 1), first ? nullptr : w.skip_bias, 1 / 127.0f, 128));
    }
    hidden = packer.pack(w.hidden, s.skip, places(s.output, output), places(s.skip, skip), w.hidden_bias,
                         step(s.layers, 255), 0);
    logits = packer.pack(w.output, s.output, places(s.classes, classes), places(s.output, output), w.output_bias,
                         step(s.layers + 1, 255), 0);
    for (int l = 0; l < s.layers; l++) {
        Layer& layer = layers[l];
        for (int k = s.kernel - 2; k >= 0; k--) layer.past.push_back(tap(l, k));
        Word* const start = arena_->take<Word>(halves.size());  // of all taps: the first product begins with it
        std::copy_n(layer.current.start, halves.size(), start);
        for (const Matrix& m : layer.past)
            for (size_t r = 0; r < halves.size(); r++) start[r] += p == Precision::int8 ? m.start[r] : 0;
        layer.past.front().start = start;
    }
}

Stream::Stream(const Network& n, int block, int index) : previous(n.sizes.classes / 2) {
    size_t ring_words = 0, past_words = 0;
    for (const Layer& layer : n.layers) {
        blocks.push_back(std::min(block, layer.dilation));
        ring_words += round_up(static_cast<size_t>(layer.span) * n.residual_words, kLine);
        past_words += round_up(static_cast<size_t>(blocks.back()) * 2 * n.gate, kLine);
    }
    const size_t layers = n.layers.size();
    const size_t other = layers * 2 * n.gate + n.residual + n.skip + n.classes + n.classes / 16 + 1 + layers * n.gate_words + n.skip_words +
                         n.output_words + 16 * kLine;
    // Streams begin at different cache sets.
    const size_t skew = static_cast<size_t>(index % 8) * 9 * kLine;
    arena_ = std::make_unique<Arena>(sizeof(Word) * (ring_words + past_words + other) + skew);
    arena_->take<char>(skew);
    x = arena_->take<float>(n.residual);
    sum = arena_->take<float>(n.skip);
    logits = arena_->take<float>(n.classes + n.classes / 16 + 1);
    summed = arena_->take<Word>(n.skip_words);
    hidden = arena_->take<Word>(n.output_words);
    gated = arena_->take<Word>(layers * n.gate_words);
    steering = arena_->take<float>(layers * 2 * n.gate);
    const Word zeros = n.engine.precision == Precision::int8 ? 0x80808080u : 0;
    for (size_t l = 0; l < layers; l++) {
        const size_t rows = static_cast<size_t>(2) * n.gate;
        past.push_back(arena_->take<Word>(blocks[l] * rows));
        // Zeros before the first sample: their products and what makes up for their offset cancel.
        for (int b = 0; b < blocks[l]; b++) std::copy_n(n.layers[l].current.start, rows, past[l] + b * rows);
    }
    for (size_t l = 0; l < layers; l++) {
        const size_t words = static_cast<size_t>(n.layers[l].span) * n.residual_words;
        rings.push_back(arena_->take<Word>(words));
        std::fill_n(rings[l], words, zeros);
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
