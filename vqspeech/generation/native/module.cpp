// The Python module: packed networks, streams that advance over them, threads and signals.
#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <ctime>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <thread>

#include "encoder_blocks.h"
#include "network.h"
#include "projection.h"
#include "streamed_blocks.h"

namespace py = pybind11;

namespace vqspeech {

namespace {

using Floats = py::array_t<float, py::array::c_style | py::array::forcecast>;
using Classes = py::array_t<int64_t, py::array::c_style | py::array::forcecast>;
using Seconds = std::chrono::duration<double>;
using Clock = std::chrono::steady_clock;

constexpr double kSlice = 0.02;  // seconds between two looks for a signal

void require(bool condition, const char* problem) {
    if (!condition) throw std::invalid_argument(problem);
}

const char* name(Precision precision) {
    return precision == Precision::fp32 ? "fp32" : precision == Precision::bf16 ? "bf16" : "int8";
}

const Engine& find(const std::string& level, const std::string& precision) {
    for (const Engine* engine : engines())
        if (level == engine->level && precision == name(engine->precision) && engine->supported()) return *engine;
    throw std::invalid_argument("this processor has no " + precision + " at level " + level);
}

std::shared_ptr<Network> make_network(const std::string& level, const std::string& precision, int cycle, int bands,
                                      const Floats& embedding, const Floats& dilated, const Floats& residual,
                                      const Floats& residual_bias, const Floats& skip, const Floats& skip_bias,
                                      const Floats& hidden, const Floats& hidden_bias, const Floats& output,
                                      const Floats& output_bias, const Floats& below, const Floats& peaks) {
    require(embedding.ndim() == 2 && dilated.ndim() == 3 && skip.ndim() == 2 && hidden.ndim() == 2, "wrong dimensions");
    Sizes s{};
    require(bands > 0 && bands <= kBands, "unsupported number of bands");
    s.cycle = cycle;
    s.bands = bands;
    s.classes = static_cast<int>(embedding.shape(0)) / bands;
    s.residual = static_cast<int>(embedding.shape(1));
    s.layers = static_cast<int>(dilated.shape(0));
    s.gate = static_cast<int>(dilated.shape(1)) / 2;
    s.kernel = static_cast<int>(dilated.shape(2)) / s.residual;
    s.skip = static_cast<int>(skip.shape(0));
    s.output = static_cast<int>(hidden.shape(0)) / bands;
    require(s.layers > 0 && s.kernel > 1 && cycle > 0 && cycle < 31, "unsupported sizes");
    require(dilated.shape(2) == s.kernel * s.residual, "dilated does not fit embedding");
    require(residual.size() == static_cast<py::ssize_t>(s.layers) * s.residual * s.gate, "wrong residual");
    require(residual_bias.size() == static_cast<py::ssize_t>(s.layers) * s.residual, "wrong residual_bias");
    require(skip.shape(1) == s.layers * s.gate && skip_bias.size() == s.skip, "wrong skip");
    require(embedding.shape(0) == bands * s.classes, "wrong embedding");
    require(hidden.shape(0) == bands * s.output && hidden.shape(1) == s.skip && hidden_bias.size() == hidden.shape(0),
            "wrong hidden");
    const py::ssize_t classes = static_cast<py::ssize_t>(bands) * s.classes;
    require(output.size() == classes * s.output && output_bias.size() == classes, "wrong output");
    require(below.size() == classes * (bands - 1) / 2 * s.output, "wrong below");
    require(peaks.size() == s.layers + 1 + bands, "wrong peaks");
    const Weights weights{embedding.data(), dilated.data(),     residual.data(), residual_bias.data(),
                          skip.data(),      skip_bias.data(),   hidden.data(),   hidden_bias.data(),
                          output.data(),    output_bias.data(), below.data(),    peaks.data()};
    return std::make_shared<Network>(s, weights, find(level, precision));
}

// Streams that stand at the same time, and the threads that advance them.
class Streams {
  public:
    Streams(std::shared_ptr<const Network> network, int count, int threads)
        : network_(std::move(network)), threads_(threads) {
        require(count > 0 && threads > 0, "streams and threads must be positive");
        // Past taps of few streams are computed for several samples at once, so that weights are read for 8 columns.
        const int together = (count + threads - 1) / threads;
        const int block = together >= 8 ? 1 : together >= 4 ? 2 : together >= 2 ? 4 : 8;
        for (int i = 0; i < count; i++) streams_.push_back(std::make_unique<Stream>(*network_, block, i));
    }

    int count() const { return static_cast<int>(streams_.size()); }

    void keep(const std::vector<int>& chosen) {
        // All is checked before anything is moved: after an error the streams are as they were.
        std::vector<bool> taken(streams_.size());
        for (int i : chosen) {
            require(i >= 0 && i < count() && !taken[i], "no such stream");
            taken[i] = true;
        }
        std::vector<std::unique_ptr<Stream>> kept;
        for (int i : chosen) kept.push_back(std::move(streams_[i]));
        streams_ = std::move(kept);
    }

    // Uniform numbers and classes of several bands: those of a sample one after the other.
    py::array push(const Floats& conditioning, const Floats& uniforms, float temperature) {
        require(uniforms.ndim() == 2 && temperature >= 0, "wrong uniforms or temperature");
        Classes drawn({uniforms.shape(0), uniforms.shape(1)});
        Call call(*this, conditioning, uniforms.shape(0), uniforms.shape(1));
        for (int i = 0; i < count(); i++) {
            call.uniforms.push_back(uniforms.data(i));
            call.drawn.push_back(drawn.mutable_data(i));
        }
        call.temperature = temperature;
        advance(call);
        return drawn;
    }

    py::array score(const Floats& conditioning, const Classes& given, const Classes& current) {
        const Sizes& s = network_->sizes;
        const bool several = s.bands > 1;
        require(given.ndim() == 2 && (!several || (current.ndim() == 2 && current.size() == given.size() &&
                                                   current.shape(0) == given.shape(0))), "wrong classes");
        for (const Classes* classes : {&given, &current})
            for (py::ssize_t i = 0; i < classes->size(); i++)
                require(classes->data()[i] >= 0 && classes->data()[i] < s.classes, "no such class");
        Floats logits(std::vector<py::ssize_t>{given.shape(0), given.shape(1), s.classes});
        Call call(*this, conditioning, given.shape(0), given.shape(1));
        for (int i = 0; i < count(); i++) {
            call.given.push_back(given.data(i));
            if (several) call.current.push_back(current.data(i));
            call.logits.push_back(logits.mutable_data(i));
        }
        advance(call);
        return logits;
    }

  private:
    struct Call {
        Call(const Streams& owner, const Floats& frames, py::ssize_t rows, py::ssize_t count)
            : samples(count / owner.network_->sizes.bands) {
            const Sizes& s = owner.network_->sizes;
            require(owner.count() > 0, "no streams are left");
            require(!owner.broken_, "these streams were interrupted in the middle of a sample");
            require(frames.ndim() == 4 && frames.shape(0) == owner.count() && rows == owner.count(), "wrong streams");
            require(frames.shape(2) == s.layers && frames.shape(3) == 2 * s.gate, "wrong conditioning");
            require(frames.shape(1) > 0 && samples > 0 && count % s.bands == 0 && samples % frames.shape(1) == 0,
                    "samples are no whole frames");
            hop = static_cast<int>(samples / frames.shape(1));
            for (int i = 0; i < owner.count(); i++) {
                streams.push_back(owner.streams_[i].get());
                conditioning.push_back(frames.data(i));
            }
        }
        // What the streams from `first` on do.
        Work work(int first, int count, const std::atomic<bool>& stop, Handoff* handoff) const {
            Work w{};
            w.streams = streams.data() + first;
            w.count = count;
            w.hop = hop;
            w.conditioning = conditioning.data() + first;
            w.temperature = temperature;
            if (given.empty()) {
                w.uniforms = uniforms.data() + first;
                w.drawn = drawn.data() + first;
            } else {
                w.given = given.data() + first;
                w.current = current.empty() ? nullptr : current.data() + first;
                w.logits = logits.data() + first;
            }
            w.stop = &stop;
            w.handoff = handoff;
            return w;
        }
        long samples;
        int hop;
        float temperature = 1;
        std::vector<Stream*> streams;
        std::vector<const float*> conditioning, uniforms;
        std::vector<int64_t*> drawn;
        std::vector<const int64_t*> given, current;
        std::vector<float*> logits;
    };

    // Run slice after slice; `pause` is called between two and says whether to go on.
    template <class Pause> void slices(const Work& work, long begin, long samples, const Pause& pause) const {
        long from = 0, length = 8;
        while (from < samples) {
            const long to = std::min(samples, from + length);
            const auto start = Clock::now();
            network_->engine.run(*network_, work, begin, from, to);
            if (!pause()) return;
            const double seconds = std::max(Seconds(Clock::now() - start).count(), 1e-6);
            length = std::clamp(static_cast<long>(static_cast<double>(to - from) * kSlice / seconds), 1L, 4 * length);
            from = to;
        }
    }

    void advance(const Call& call) {
        const long begin = streams_[0]->time;
        std::atomic<bool> stop{false};
        Handoff handoff;
        const bool shared = count() == 1 && threads_ > 1;
        const int parts = std::min(threads_, count());
        const py::gil_scoped_release released;
        std::mutex mutex;
        std::condition_variable finished;
        int running = shared ? 1 : parts - 1;
        auto leave = [&] {
            const std::lock_guard<std::mutex> lock(mutex);
            running--;
            finished.notify_one();
        };
        auto interrupted = [&] {
            const py::gil_scoped_acquire acquired;
            return PyErr_CheckSignals() != 0;
        };
        std::vector<std::thread> others;
        for (int part = 1; part < parts; part++)
            others.emplace_back([&, part] {
                const int first = count() * part / parts, end = count() * (part + 1) / parts;
                slices(call.work(first, end - first, stop, nullptr), begin, call.samples, [&] { return !stop.load(); });
                leave();
            });
        if (shared)
            others.emplace_back([&] {
                network_->engine.help(*network_, call.work(0, 1, stop, &handoff), begin, call.samples);
                leave();
            });
        bool broken = false;
        auto pause = [&] { return !(broken = broken || interrupted()); };
        slices(call.work(0, count() / parts, stop, shared ? &handoff : nullptr), begin, call.samples, pause);
        {
            std::unique_lock<std::mutex> lock(mutex);
            while (running > 0 && !broken) {
                if (finished.wait_for(lock, Seconds(kSlice), [&] { return running == 0; })) break;
                lock.unlock();
                pause();
                lock.lock();
            }
        }
        stop = broken;
        for (std::thread& other : others) other.join();
        broken_ = broken;
        for (const auto& stream : streams_) stream->time = begin + call.samples;
        if (broken) {
            const py::gil_scoped_acquire acquired;
            throw py::error_already_set();
        }
    }

    std::shared_ptr<const Network> network_;
    int threads_;
    std::vector<std::unique_ptr<Stream>> streams_;
    bool broken_ = false;
};

std::shared_ptr<EncoderBlocks> make_encoder(const std::string& level, const std::vector<int>& dilations,
                                            const std::vector<int>& offsets, const Floats& taps, const Floats& bias,
                                            const Floats& out, const Floats& out_bias, const std::optional<Floats>& scale,
                                            const std::optional<Floats>& shift) {
    const auto count = static_cast<py::ssize_t>(dilations.size());
    require(taps.ndim() == 4 && taps.shape(0) == count && taps.shape(1) == 4 && taps.shape(2) == taps.shape(3), "wrong taps");
    const py::ssize_t channels = taps.shape(2);
    const Engine& engine = find(level, "fp32");
    require(channels > 0 && channels % (2 * engine.lanes) == 0, "unsupported number of channels");
    require(static_cast<py::ssize_t>(offsets.size()) == count, "wrong offsets");
    for (const int dilation : dilations) require(dilation > 0, "dilations must be positive");
    require(bias.size() == count * channels && out_bias.size() == count * channels, "wrong biases");
    require(out.size() == count * channels * channels, "wrong out");
    require(scale.has_value() == shift.has_value(), "scale without shift");
    if (scale) require(scale->size() == count * channels && shift->size() == count * channels, "wrong scale or shift");
    return std::make_shared<EncoderBlocks>(engine, static_cast<int>(channels), dilations, offsets,
                                           EncoderWeights{taps.data(), bias.data(), out.data(), out_bias.data(),
                                                          scale ? scale->data() : nullptr, shift ? shift->data() : nullptr});
}

// In place, so that nothing is copied.
void encode(const EncoderBlocks& stack, py::array_t<float, py::array::c_style> x) {
    require(x.ndim() == 2 && x.shape(1) == stack.channels, "wrong rows");
    float* const values = x.mutable_data();
    const long rows = x.shape(0);
    const py::gil_scoped_release released;
    stack.engine.rows.encode(stack, values, rows);
}

std::shared_ptr<BlockStack> make_stack(const std::string& level, const std::vector<int>& dilations, const std::vector<int>& past,
                                       const Floats& dilated, const Floats& bias, const Floats& out, const Floats& out_bias,
                                       bool half) {
    const auto count = static_cast<py::ssize_t>(dilations.size());
    require(dilated.ndim() == 3 && dilated.shape(0) == count && dilated.shape(2) == 3 * dilated.shape(1), "wrong dilated");
    const py::ssize_t channels = dilated.shape(1);
    const Engine& engine = find(level, "fp32");
    require(channels > 0 && channels % (2 * engine.lanes) == 0, "unsupported number of channels");
    require(!half || engine.rows.push_half, "no weights of 16 bits on this level");
    require(static_cast<py::ssize_t>(past.size()) == count, "wrong past");
    for (py::ssize_t b = 0; b < count; b++)
        require(dilations[b] > 0 && past[b] >= 0 && past[b] <= 2 * dilations[b], "wrong dilations or past");
    require(bias.size() == count * channels && out_bias.size() == count * channels, "wrong biases");
    require(out.size() == count * channels * channels, "wrong out");
    return std::make_shared<BlockStack>(engine, static_cast<int>(channels), dilations, past,
                                        StackWeights{dilated.data(), bias.data(), out.data(), out_bias.data()}, half);
}

std::unique_ptr<BlockStream> make_stream(std::shared_ptr<const BlockStack> stack, const std::optional<Floats>& scale,
                                         const std::optional<Floats>& shift) {
    const auto all = static_cast<py::ssize_t>(stack->blocks.size()) * stack->channels;
    require(scale.has_value() == shift.has_value(), "scale without shift");
    if (scale) require(scale->size() == all && shift->size() == all, "wrong scale or shift");
    return std::make_unique<BlockStream>(std::move(stack), scale ? scale->data() : nullptr, shift ? shift->data() : nullptr);
}

Floats push_rows(BlockStream& stream, const Floats& rows) {
    const long channels = stream.stack->channels;
    require(rows.ndim() == 2 && rows.shape(1) == channels, "wrong rows");
    long count = rows.shape(0);
    const float* const given = rows.data();
    {
        const py::gil_scoped_release released;
        count = stream.push(given, count);
    }
    Floats made({count, channels});
    std::copy_n(stream.rows, count * channels, made.mutable_data());
    return made;
}

std::unique_ptr<Projection> make_projection(const std::string& level, const Floats& weight, const Floats& bias, bool half) {
    const Engine& engine = find(level, "fp32");
    require(weight.ndim() == 2 && weight.shape(0) > 0 && weight.shape(1) > 0, "wrong weight");
    require(bias.size() == weight.shape(0), "wrong bias");
    require(!half || engine.rows.project_half, "no weights of 16 bits on this level");
    return std::make_unique<Projection>(engine, static_cast<int>(weight.shape(1)), static_cast<int>(weight.shape(0)),
                                        weight.data(), bias.data(), half);
}

// Row n of the result is of the `inputs` numbers from n x hop on.
Floats project(const Projection& projection, const Floats& rows, long hop) {
    require(hop > 0, "wrong hop");
    const long room = static_cast<long>(rows.size()) - projection.inputs;
    const long count = room < 0 ? 0 : room / hop + 1;
    Floats made({count, static_cast<long>(projection.padded)});
    projection.apply(rows.data(), hop, count, made.mutable_data());
    return made;
}

std::vector<std::pair<std::string, std::string>> available() {
    std::vector<std::pair<std::string, std::string>> result;
    for (const Engine* engine : engines())
        if (engine->supported()) result.emplace_back(engine->level, name(engine->precision));
    return result;
}

// Of this process alone, so that what else the machine does counts for little.
template <class Work> double processor_seconds(const Work& work) {
    const std::clock_t start = std::clock();
    work();
    return std::max(static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC, 1e-9);
}

double peak(const std::string& level, const std::string& precision) {
    const Engine& engine = find(level, precision);
    const long times = 2'000'000;
    const py::gil_scoped_release released;
    engine.multiply(times);
    const double seconds = processor_seconds([&] { engine.multiply(times); });
    return static_cast<double>(times) * engine.sums * engine.lanes * per_word(engine.precision) / seconds;
}

double bandwidth(const std::string& level, long bytes) {
    const Engine& engine = find(level, "fp32");
    const long words = std::max<long>(1, bytes / 4 / (8 * engine.lanes)) * 8 * engine.lanes;
    Arena arena(words * sizeof(Word) + 64);
    const Word* const data = arena.take<Word>(words);
    const long times = std::max<long>(2, 400'000'000 / (4 * words));
    const py::gil_scoped_release released;
    engine.read(data, words);
    const double seconds = processor_seconds([&] {
        for (long t = 0; t < times; t++) engine.read(data, words);
    });
    return static_cast<double>(times) * static_cast<double>(words) * 4 / seconds;
}

}  // namespace
}  // namespace vqspeech

PYBIND11_MODULE(_native, m) {
    using namespace vqspeech;
    m.attr("INTERFACE") = 3;  // counted up with every change of what Python passes
    m.doc() = "The compiled engine of autoregressive generation; see vqspeech.generation.native_engine.";
    py::class_<Network, std::shared_ptr<Network>>(m, "Network")
        .def(py::init(&make_network), py::kw_only(), py::arg("level"), py::arg("precision"), py::arg("cycle"), py::arg("bands"),
             py::arg("embedding"), py::arg("dilated"), py::arg("residual"), py::arg("residual_bias"), py::arg("skip"),
             py::arg("skip_bias"), py::arg("hidden"), py::arg("hidden_bias"), py::arg("output"), py::arg("output_bias"),
             py::arg("below"), py::arg("peaks"))
        .def_readonly("bytes", &Network::bytes);
    py::class_<Streams>(m, "Streams")
        .def(py::init([](std::shared_ptr<Network> network, int count, int threads) {
                 return std::make_unique<Streams>(std::move(network), count, threads);
             }),
             py::arg("network"), py::arg("count"), py::arg("threads"))
        .def_property_readonly("count", &Streams::count)
        .def("keep", &Streams::keep, py::arg("streams"))
        .def("push", &Streams::push, py::arg("conditioning"), py::arg("uniforms"), py::arg("temperature"))
        .def("score", &Streams::score, py::arg("conditioning"), py::arg("given"), py::arg("current"));
    py::class_<EncoderBlocks, std::shared_ptr<EncoderBlocks>>(m, "EncoderBlocks")
        .def(py::init(&make_encoder), py::kw_only(), py::arg("level"), py::arg("dilations"), py::arg("offsets"), py::arg("taps"),
             py::arg("bias"), py::arg("out"), py::arg("out_bias"), py::arg("scale"), py::arg("shift"))
        .def("apply", &encode, py::arg("rows").noconvert());
    py::class_<BlockStack, std::shared_ptr<BlockStack>>(m, "BlockStack")
        .def(py::init(&make_stack), py::kw_only(), py::arg("level"), py::arg("dilations"), py::arg("past"), py::arg("dilated"),
             py::arg("bias"), py::arg("out"), py::arg("out_bias"), py::arg("half"));
    py::class_<BlockStream>(m, "BlockStream")
        .def(py::init(&make_stream), py::arg("stack"), py::arg("scale"), py::arg("shift"))
        .def("push", &push_rows, py::arg("rows"));
    py::class_<Projection>(m, "Projection")
        .def(py::init(&make_projection), py::kw_only(), py::arg("level"), py::arg("weight"), py::arg("bias"), py::arg("half"))
        .def_readonly("outputs", &Projection::outputs)
        .def("apply", &project, py::arg("rows"), py::arg("hop"));
    m.def("half_levels", [] {
        std::vector<std::string> levels;
        for (const Engine* engine : engines())
            if (engine->supported() && engine->rows.push_half) levels.emplace_back(engine->level);
        return levels;
    }, "Levels of fp32 that take weights of 16 bits, the best first.");
    m.def("available", &available, "(level, precision) that this processor can run, best level first.");
    m.def("peak", &peak, py::arg("level"), py::arg("precision"), "Multiply-adds a second of one core from registers.");
    m.def("bandwidth", &bandwidth, py::arg("level"), py::arg("size"), "Bytes a second that one core reads of so many.");
}
