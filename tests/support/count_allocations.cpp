// SPDX-License-Identifier: BSD-3-Clause
// A translation unit of its own: compilers that see these bodies where they inline them warn of mismatched pairs.
#include "support/count_allocations.hpp"

#include <algorithm>
#include <cstdlib>
#include <new>

namespace {

using narrows::test::allocation_bytes, narrows::test::allocation_count, narrows::test::allocation_large;

void* counted(std::size_t n, std::size_t alignment)
{
  ++allocation_count;
  allocation_bytes += n;
  if (n >= narrows::test::large_bytes) ++allocation_large;
  void* memory = nullptr;
  if (::posix_memalign(&memory, std::max(alignment, sizeof(void*)), std::max<std::size_t>(n, 1)) != 0) throw std::bad_alloc();
  return memory;
}

}  // namespace

void* operator new(std::size_t n) { return counted(n, __STDCPP_DEFAULT_NEW_ALIGNMENT__); }
void* operator new[](std::size_t n) { return counted(n, __STDCPP_DEFAULT_NEW_ALIGNMENT__); }
void* operator new(std::size_t n, std::align_val_t a) { return counted(n, static_cast<std::size_t>(a)); }
void* operator new[](std::size_t n, std::align_val_t a) { return counted(n, static_cast<std::size_t>(a)); }
void operator delete(void* p) noexcept { std::free(p); }
void operator delete[](void* p) noexcept { std::free(p); }
void operator delete(void* p, std::size_t) noexcept { std::free(p); }
void operator delete[](void* p, std::size_t) noexcept { std::free(p); }
void operator delete(void* p, std::align_val_t) noexcept { std::free(p); }
void operator delete[](void* p, std::align_val_t) noexcept { std::free(p); }
void operator delete(void* p, std::size_t, std::align_val_t) noexcept { std::free(p); }
void operator delete[](void* p, std::size_t, std::align_val_t) noexcept { std::free(p); }
