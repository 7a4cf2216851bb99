// One block of memory from which aligned arrays are taken.
#pragma once

#include <cstddef>

namespace vqspeech {

constexpr size_t kLine = 64;  // bytes of a cache line and of the longest vector

constexpr size_t round_up(size_t value, size_t unit) { return (value + unit - 1) / unit * unit; }

// Zeros that begin at cache lines, on huge pages where the system offers them.
class Arena {
  public:
    explicit Arena(size_t bytes);
    ~Arena();
    Arena(const Arena&) = delete;
    Arena& operator=(const Arena&) = delete;
    template <class T> T* take(size_t count) { return static_cast<T*>(take_bytes(count * sizeof(T))); }

  private:
    void* take_bytes(size_t bytes);
    char* memory_;
    size_t used_ = 0, size_;
};

}  // namespace vqspeech
