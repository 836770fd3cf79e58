// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstddef>
#include <new>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

#include <narrows/core/contract.hpp>
#include <narrows/core/shape.hpp>

namespace narrows {

/// Allocates on cache-line borders, so that a kernel's full-register accesses never straddle two lines.
template <class T>
struct aligned_allocator {
  using value_type = T;
  static constexpr std::align_val_t alignment{64};

  aligned_allocator() = default;
  template <class U>
  constexpr aligned_allocator(const aligned_allocator<U>&) noexcept {}  // NOLINT: implicit, as allocators are

  [[nodiscard]] T* allocate(std::size_t n) { return static_cast<T*>(::operator new(n * sizeof(T), alignment)); }
  void deallocate(T* p, std::size_t) noexcept { ::operator delete(p, alignment); }
  template <class U>
  friend constexpr bool operator==(const aligned_allocator&, const aligned_allocator<U>&) noexcept { return true; }
};

/// A vector whose data starts on a 64-byte border.
template <class T>
using aligned_vector = std::vector<T, aligned_allocator<T>>;

/// Dense row-major values with their shape; owns nothing.
template <class T>
class basic_tensor_view {
public:
  constexpr basic_tensor_view() = default;
  /// `values.size()` must equal `dims.elements()`.
  constexpr basic_tensor_view(std::span<T> values, const shape& dims) : values_(values), shape_(dims)
  {
    NARROWS_EXPECTS(values.size() == dims.elements());
  }
  constexpr operator basic_tensor_view<const T>() const noexcept  // NOLINT: implicit, as T* to const T* is
    requires(!std::is_const_v<T>)
  {
    return {values_, shape_};
  }

  [[nodiscard]] constexpr std::span<T> values() const noexcept { return values_; }
  [[nodiscard]] constexpr T* data() const noexcept { return values_.data(); }
  [[nodiscard]] constexpr const shape& dims() const noexcept { return shape_; }
  [[nodiscard]] constexpr std::size_t size() const noexcept { return values_.size(); }

private:
  std::span<T> values_{};
  shape shape_{0};
};

using tensor_view = basic_tensor_view<const float>;
using mutable_tensor_view = basic_tensor_view<float>;

/// Owns a dense row-major float32 tensor.
class tensor {
public:
  tensor() = default;
  /// All values 0.
  explicit tensor(const shape& dims) : values_(dims.elements()), shape_(dims) {}
  tensor(const shape& dims, std::span<const float> values) : values_(values.begin(), values.end()), shape_(dims)
  {
    NARROWS_EXPECTS(values.size() == dims.elements());
  }

  [[nodiscard]] std::span<const float> values() const noexcept { return values_; }
  [[nodiscard]] std::span<float> values() noexcept { return values_; }
  [[nodiscard]] const shape& dims() const noexcept { return shape_; }
  [[nodiscard]] std::size_t size() const noexcept { return values_.size(); }
  /// Another shape; the values are unspecified. Allocates only beyond `capacity()` values.
  void resize(const shape& dims)
  {
    if (dims.elements() > values_.capacity()) values_.clear();  // nothing to carry over
    values_.resize(dims.elements());
    shape_ = dims;
  }
  [[nodiscard]] std::size_t capacity() const noexcept { return values_.capacity(); }
  [[nodiscard]] tensor_view view() const noexcept { return {values_, shape_}; }
  [[nodiscard]] mutable_tensor_view view() noexcept { return {values_, shape_}; }

private:
  aligned_vector<float> values_;
  shape shape_{0};
};

}  // namespace narrows
