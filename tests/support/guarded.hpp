// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstddef>
#include <cstring>
#include <new>
#include <span>

#include <sys/mman.h>
#include <unistd.h>

namespace narrows::test {

/// Memory between two pages that may not be touched: any access beyond the end (or before the start) of the span ends
/// the test with a segmentation fault, reads included.
template <class T>
class guarded {
public:
  enum class edge { end, start };  ///< which end of the span meets its guard page exactly

  explicit guarded(std::size_t n, edge at = edge::end)
  {
    const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
    const std::size_t inner = (n * sizeof(T) + page - 1) / page * page;
    size_ = inner + 2 * page;
    base_ = ::mmap(nullptr, size_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (base_ == MAP_FAILED) throw std::bad_alloc();
    auto* const first = static_cast<std::byte*>(base_) + page;
    if (inner > 0 && ::mprotect(first, inner, PROT_READ | PROT_WRITE) != 0) throw std::bad_alloc();
    auto* const begin = at == edge::end ? first + inner - n * sizeof(T) : first;
    values_ = {reinterpret_cast<T*>(begin), n};
  }
  explicit guarded(std::span<const T> from, edge at = edge::end) : guarded(from.size(), at)
  {
    if (!from.empty()) std::memcpy(values_.data(), from.data(), from.size_bytes());
  }
  guarded(const guarded&) = delete;
  guarded& operator=(const guarded&) = delete;
  ~guarded() { ::munmap(base_, size_); }

  [[nodiscard]] std::span<T> values() const noexcept { return values_; }
  [[nodiscard]] T* data() const noexcept { return values_.data(); }

private:
  void* base_ = nullptr;
  std::size_t size_ = 0;
  std::span<T> values_;
};

}  // namespace narrows::test
