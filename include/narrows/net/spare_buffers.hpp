// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include <narrows/core/tensor.hpp>

namespace narrows {

/// Tensors and payloads that are done with, kept for the next request: a steady loop of requests allocates none of their size,
/// and no page of theirs is mapped and cleared anew. From any number of threads.
///
/// Held by shared pointers: a buffer may come back after whoever took it is gone, from the thread of libzmq that has sent it.
class spare_buffers : public std::enable_shared_from_this<spare_buffers> {
public:
  using bytes = aligned_vector<std::uint8_t>;

  /// At most `keep` of each kind are kept, those that were used last.
  [[nodiscard]] static std::shared_ptr<spare_buffers> make(std::size_t keep = 16)
  {
    auto made = std::make_shared<spare_buffers>();
    made->tensors_.reserve(keep);
    made->payloads_.reserve(keep);
    return made;
  }

  /// A tensor of that shape, its values unspecified.
  [[nodiscard]] tensor take(const shape& dims)
  {
    tensor found = find(tensors_, dims.elements());
    found.resize(dims);
    return found;
  }
  [[nodiscard]] tensor copy_of(tensor_view values)
  {
    tensor made = take(values.dims());
    std::copy(values.values().begin(), values.values().end(), made.values().begin());
    return made;
  }
  void give(tensor used) { put(tensors_, std::move(used)); }

  /// A tensor that comes back by itself.
  [[nodiscard]] std::shared_ptr<const tensor> share(tensor values)
  {
    return {new tensor(std::move(values)), [home = shared_from_this()](tensor* t) {
              home->give(std::move(*t));
              delete t;
            }};
  }

  /// A payload that comes back by itself, its size and bytes unspecified; `expected` bytes are likely to be needed.
  [[nodiscard]] std::shared_ptr<bytes> take_payload(std::size_t expected)
  {
    return {new bytes(find(payloads_, expected)), [home = shared_from_this()](bytes* b) {
              home->put(home->payloads_, std::move(*b));
              delete b;
            }};
  }

private:
  /// The latest that is large enough, and not much larger, since it may stay with a caller for long; else a new one.
  template <class Buffer>
  [[nodiscard]] Buffer find(std::vector<Buffer>& spare, std::size_t n)
  {
    const std::lock_guard lock(mutex_);
    const auto found =
      std::find_if(spare.rbegin(), spare.rend(), [n](const Buffer& b) { return b.capacity() >= n && b.capacity() / 2 <= n; });
    if (found == spare.rend()) return {};
    Buffer taken = std::move(*found);
    spare.erase(std::next(found).base());
    return taken;
  }

  template <class Buffer>
  void put(std::vector<Buffer>& spare, Buffer used) noexcept
  {
    Buffer oldest;  // let go after the lock
    const std::lock_guard lock(mutex_);
    if (spare.size() == spare.capacity()) {
      if (spare.empty()) return;
      oldest = std::move(spare.front());
      spare.erase(spare.begin());
    }
    spare.push_back(std::move(used));
  }

  std::mutex mutex_;
  std::vector<tensor> tensors_;
  std::vector<bytes> payloads_;
};

}  // namespace narrows
