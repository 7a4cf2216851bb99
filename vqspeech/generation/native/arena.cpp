#include "arena.h"

#include <cstdlib>
#include <cstring>
#include <new>

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace vqspeech {
namespace {

constexpr size_t kHugePage = size_t{2} << 20;

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

}  // namespace vqspeech
