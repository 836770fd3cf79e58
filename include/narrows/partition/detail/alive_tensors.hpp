// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>

#include <narrows/graph/graph.hpp>

namespace narrows::detail {

/// Bytes of the tensors that are needed at once while nodes run one after the other.
class alive_tensors {
public:
  /// Step `step`, no earlier than those said before, is the last so far that needs v.
  void needs(value_id v, std::size_t step) { last_use_[v] = step; }
  [[nodiscard]] bool is_needed(value_id v) const { return last_use_.contains(v); }
  /// v is there from now on, if anybody needs it.
  void made(value_id v, std::uint64_t bytes)
  {
    if (!is_needed(v)) return;
    now_ += alive_[v] = bytes;
    peak_ = std::max(peak_, now_);
  }
  /// What nobody needs after `step` is gone.
  void finish(std::size_t step)
  {
    std::erase_if(alive_, [&](const auto& one) {
      if (last_use_[one.first] > step) return false;
      now_ -= one.second;
      return true;
    });
  }
  [[nodiscard]] std::uint64_t now() const { return now_; }
  [[nodiscard]] std::uint64_t peak() const { return peak_; }

private:
  std::map<value_id, std::size_t> last_use_;
  std::map<value_id, std::uint64_t> alive_;
  std::uint64_t now_ = 0, peak_ = 0;
};

}  // namespace narrows::detail
