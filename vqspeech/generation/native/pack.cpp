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
// In 8 bits, layers after the first whose inputs, and layers whose gated units on their way to the next, keep the rest of
// their rounding: what goes wrong there goes through all others, and their taps are the nearest in time (measured: most
// of the divergence from fp32).
constexpr int kFineInputs = 3;
constexpr int kFineGates = 2;

size_t round_up(size_t value, size_t unit) { return (value + unit - 1) / unit * unit; }

uint16_t to_bf16(float value) {
    uint32_t bits;
    std::memcpy(&bits, &value, sizeof bits);
    return static_cast<uint16_t>((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
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
    // A `fine` matrix has the same columns once more, for the rests of the inputs.
    Matrix pack(const float* source, long stride, const Places& rows, Places columns, const float* bias, float step,
                int offset, const std::vector<float>* peaks = nullptr, bool fine = false) {
        const int per = per_word(precision_);
        const long once = static_cast<long>(columns.size()) / per;
        for (size_t c = 0, count = columns.size(); fine && c < count; c++) columns.push_back(columns[c]);
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
            for (long word = 0; word < m.words; word++) {
                const float share = word < once ? 1 : 1.0f / kRest;
                const int added = word < once ? offset : kRestOffset;
                for (int row = vector * lanes_; row < (vector + width) * lanes_; row++, next++)
                    for (int part = 0; part < per; part++)
                        put(next, part, at(row, word * per + part), inverse[row] * share, added, start + row);
            }
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
    const bool lookup = p != Precision::fp32;
    const auto fine_input = [&](int l) { return p == Precision::int8 && l > 0 && l <= kFineInputs; };
    const auto fine_gate = [&](int l) { return p == Precision::int8 && l < kFineGates; };
    bytes = chunks * of(skip, static_cast<size_t>(skip_layers) * gate) + of(output, skip) + of(classes, output);
    for (int l = 0; l < s.layers; l++) {
        if (l || !lookup) bytes += s.kernel * of(2 * gate, (fine_input(l) ? 2 : 1) * residual) + of(2 * gate, 0);
        bytes += of(residual, (fine_gate(l) ? 2 : 1) * gate);
    }
    const size_t looked_up_size = lookup ? static_cast<size_t>(s.kernel) * (s.classes + 1) * 2 * gate : 0;
    arena_ = std::make_unique<Arena>(bytes + sizeof(float) * (s.classes * residual + looked_up_size) + 2 * kLine);
    Packer packer(*arena_, engine);

    float* const table = arena_->take<float>(static_cast<size_t>(s.classes) * residual);
    for (int k = 0; k < s.classes; k++) std::copy_n(w.embedding + k * s.residual, s.residual, table + k * residual);
    embedding = table;

    // Signed activations are stored with 128 added, as the processor multiplies unsigned by signed bytes.
    auto step = [&](int index, int levels) {
        const float range = index < s.layers ? kLayerRange : kHeadRange;
        return std::max(w.peaks[index], 1e-6f) * range / static_cast<float>(levels);
    };
    gated = {127, 128};
    fine_gated = {127, 128, gate_words};
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
    const auto tap = [&](int l, int k) {
        const float* const source = w.dilated + l * 2 * s.gate * stride;
        std::vector<float> peaks(halves.size(), 0);
        for (size_t r = 0; r < halves.size(); r++)
            for (long c = 0; halves[r] >= 0 && c < stride; c++)
                peaks[r] = std::max(peaks[r], std::fabs(source[halves[r] * stride + c]));
        const Places columns = places(s.residual, residual, static_cast<long>(k) * s.residual);
        return packer.pack(source, stride, halves, columns, nullptr, step(l, 127), 128, &peaks, fine_input(l));
    };
    if (lookup) {
        // Exact, and less work than a product: few classes make few different inputs.
        float* next = arena_->take<float>(looked_up_size);
        looked_up = next;
        for (int back = 0; back < s.kernel; back++) {
            const float* const weights = w.dilated + (s.kernel - 1 - back) * static_cast<long>(s.residual);
            for (int k = 0; k <= s.classes; k++)
                for (const long row : halves) {
                    float sum = 0;
                    for (int c = 0; k < s.classes && row >= 0 && c < s.residual; c++)
                        sum += weights[row * stride + c] * w.embedding[static_cast<long>(k) * s.residual + c];
                    *next++ = sum;
                }
        }
    }
    // In the order of their use, so that one long run through memory is a sample; past taps, used less often, last.
    for (int l = 0; l < s.layers; l++) {
        Layer layer;
        layer.dilation = 1 << (l % s.cycle);
        const bool by_class = l == 0 && lookup;
        // Products of past taps are made a sample ahead, so the present input may take the place of the oldest.
        for (layer.span = 1; layer.span < (s.kernel - 1) * layer.dilation + (by_class ? 1 : 0);) layer.span *= 2;
        layer.words = by_class ? 1 : (fine_input(l) ? 2 : 1) * residual_words;
        layer.input = {1 / step(l, 127), 128, fine_input(l) ? residual_words : 0};
        if (!by_class) layer.current = tap(l, s.kernel - 1);
        if (l + 1 < s.layers)
            layer.residual = packer.pack(w.residual + l * s.residual * s.gate, s.gate, places(s.residual, residual),
                                         places(s.gate, gate), w.residual_bias + l * s.residual, 1 / 127.0f, 128,
                                         nullptr, fine_gate(l));
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
    for (int l = lookup ? 1 : 0; l < s.layers; l++) {
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
        ring_words += round_up(static_cast<size_t>(layer.span) * layer.words, kLine);
        past_words += round_up(static_cast<size_t>(blocks.back()) * 2 * n.gate, kLine);
    }
    const size_t layers = n.layers.size();
    const size_t other = layers * 2 * n.gate + n.residual + n.skip + n.classes + n.classes / 16 + 1 + (layers + 2) * n.gate_words + n.skip_words +
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
    fine_gated = arena_->take<Word>(2 * n.gate_words);
    steering = arena_->take<float>(layers * 2 * n.gate);
    const bool bytes = n.engine.precision == Precision::int8;
    for (size_t l = 0; l < layers; l++) {
        const size_t rows = static_cast<size_t>(2) * n.gate;
        past.push_back(arena_->take<Word>(blocks[l] * rows));
        // Zeros before the first sample: their products and what makes up for their offset cancel.
        for (int b = 0; b < blocks[l] && n.layers[l].current.start; b++)
            std::copy_n(n.layers[l].current.start, rows, past[l] + b * rows);
    }
    for (size_t l = 0; l < layers; l++) {
        const Layer& layer = n.layers[l];
        const size_t words = static_cast<size_t>(layer.span) * layer.words;
        rings.push_back(arena_->take<Word>(words));
        for (size_t i = 0; i < words; i++) {
            const bool rest = i % layer.words >= static_cast<size_t>(n.residual_words);
            if (layer.past.empty())
                rings[l][i] = static_cast<Word>(n.sizes.classes);
            else if (bytes)
                rings[l][i] = rest ? kRestOffset * 0x01010101u : 0x80808080u;
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
