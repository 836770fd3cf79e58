// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <narrows/exec/executor.hpp>
#include <narrows/exec/reference/thin.hpp>

namespace narrows {

/// The reference executor's maker. Default-constructible; copies share prepared weights.
class reference_engine {
public:
  [[nodiscard]] std::string_view level() const noexcept { return "reference-fma"; }
  [[nodiscard]] result<exec::thin::naive_executor> load(const graph_slice& slice) const { return exec::thin::naive_executor(slice); }
};
static_assert(engine<reference_engine>);

}  // namespace narrows
