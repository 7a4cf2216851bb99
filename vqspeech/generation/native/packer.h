// From row-major float32 weights to the order and the numbers that products read.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "network.h"

namespace vqspeech {

// Which source row or column stands at each packed place; -1 is padding.
using Places = std::vector<long>;

inline Places places(int count, int padded, long first = 0) {
    Places result(padded, -1);
    for (int i = 0; i < count; i++) result[i] = first + i;
    return result;
}

inline uint16_t to_bf16(float value) {
    uint32_t bits;
    std::memcpy(&bits, &value, sizeof bits);
    return static_cast<uint16_t>((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}

// Rounded to the nearest, ties to even. Of what fits: less than 65520.
inline uint16_t to_fp16(float value) {
    const float size = std::fabs(value);
    uint32_t bits;
    if (size < 0x1p-14f) {
        bits = static_cast<uint32_t>(std::lrint(size * 0x1p24f));  // below the normal numbers they are evenly spaced
    } else {
        std::memcpy(&bits, &size, sizeof bits);
        bits = ((bits + 0xfff + ((bits >> 13) & 1)) >> 13) - (112 << 10);
    }
    return static_cast<uint16_t>(bits | (std::signbit(value) ? 0x8000 : 0));
}

// A matrix as it is given to the packer; its element is `values[rows[r] * stride + columns[c]]`.
struct Source {
    const float* values;
    long stride;
    Places rows, columns;
    const float* bias = nullptr;
    float absent = 0;       // the bias of rows of padding
    float step = 1;         // 8 bits: the value of one unit of the input, ...
    int offset = 0;         // ... what is added to the input, so that it is not negative, ...
    bool two_orders = false; // ... whether the remainders of the input stand behind it, for which columns come once more, ...
    const std::vector<float>* peaks = nullptr;  // ... the largest weights of rows whose accumulators others share
};

class Packer {
  public:
    Packer(Arena& arena, const Engine& engine) : Packer(arena, engine, engine.precision) {}

    // With weights as `precision` has them, for an engine of fp32.
    Packer(Arena& arena, const Engine& engine, Precision precision)
        : arena_(arena), precision_(precision), lanes_(engine.lanes), subtracted_(engine.subtracted) {}

    Matrix pack(Source source) {
        const int per = per_word(precision_);
        const size_t rows = source.rows.size();
        const long once = static_cast<long>(source.columns.size()) / per;
        Matrix m;
        m.vectors = static_cast<int>(rows) / lanes_;
        m.words = source.two_orders ? 2 * once : once;
        void* const weights = arena_.take<char>(rows * m.words * weight_bytes(precision_));
        Word* const start = arena_.take<Word>(rows);
        std::vector<float> inverse(rows, 1);
        if (precision_ == Precision::int8) m.scale = scales(source, inverse);
        if (source.bias) {
            float* const padded = arena_.take<float>(rows);
            for (size_t r = 0; r < rows; r++)
                padded[r] = source.rows[r] < 0 ? source.absent : source.bias[source.rows[r]];
            m.bias = padded;
        }
        size_t next = 0;
        for (int vector = 0; vector < m.vectors;) {
            const int width = std::min(kPanel, m.vectors - vector);
            for (long word = 0; word < m.words; word++) {
                const bool remainder = word >= once;
                for (int row = vector * lanes_; row < (vector + width) * lanes_; row++, next++)
                    for (int part = 0; part < per; part++)
                        put(weights, next, part, at(source, row, (word % once) * per + part),
                            remainder ? inverse[row] / kRemainder : inverse[row], remainder ? kRemainderOffset : source.offset, start + row);
            }
            vector += width;
        }
        m.weights = weights;
        m.start = start;
        return m;
    }

    // What rounding to 8 bits, row by row, leaves of a matrix.
    static std::vector<float> remainders(const float* values, size_t rows, size_t columns) {
        std::vector<float> result(values, values + rows * columns);
        for (auto row = result.begin(); row != result.end(); row += static_cast<long>(columns)) {
            float peak = 0;
            for (size_t c = 0; c < columns; c++) peak = std::max(peak, std::fabs(row[c]));
            const float inverse = peak > 0 ? 127 / peak : 0;
            for (size_t c = 0; c < columns; c++)
                row[c] -= static_cast<float>(std::lrint(row[c] * inverse)) * (peak / 127);
        }
        return result;
    }

    // At most what `pack` takes of the arena.
    static size_t bytes(Precision precision, size_t rows, size_t columns) {
        return rows * columns / per_word(precision) * weight_bytes(precision) + 3 * (rows * sizeof(Word) + kLine) + kLine;
    }

  private:
    static float at(const Source& s, size_t r, size_t c) {
        return s.rows[r] < 0 || s.columns[c] < 0 ? 0.0f : s.values[s.rows[r] * s.stride + s.columns[c]];
    }

    // The value of one unit of each accumulator; `inverse` becomes the units of a weight.
    const float* scales(const Source& source, std::vector<float>& inverse) {
        float* const scale = arena_.take<float>(inverse.size());
        for (size_t r = 0; r < inverse.size(); r++) {
            float peak = source.peaks ? (*source.peaks)[r] : 0;
            for (size_t c = 0; !source.peaks && c < source.columns.size(); c++)
                peak = std::max(peak, std::fabs(at(source, r, c)));
            inverse[r] = peak > 0 ? 127 / peak : 0;
            scale[r] = peak / 127 * source.step;
        }
        return scale;
    }

    void put(void* weights, size_t index, int part, float value, float inverse, int offset, Word* start) const {
        if (precision_ == Precision::fp32) {
            static_cast<float*>(weights)[index] = value;
        } else if (precision_ == Precision::fp16) {
            static_cast<uint16_t*>(weights)[index] = to_fp16(value);
        } else if (precision_ == Precision::bf16) {
            static_cast<uint16_t*>(weights)[2 * index + part] = to_bf16(value);
        } else {
            const int q = static_cast<int>(std::lrint(value * inverse));
            static_cast<int8_t*>(weights)[4 * index + part] = static_cast<int8_t>(q);
            *start -= static_cast<Word>((offset - subtracted_) * q);  // makes up for the offset
        }
    }

    Arena& arena_;
    Precision precision_;
    int lanes_, subtracted_;
};

}  // namespace vqspeech
