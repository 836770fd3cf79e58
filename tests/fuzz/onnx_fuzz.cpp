// SPDX-License-Identifier: BSD-3-Clause
// Any bytes as an ONNX model: an error value, or a graph whose cuts can be listed and which splits into two files.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include <narrows/graph/cut.hpp>
#include <narrows/onnx/import.hpp>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
  using namespace narrows;
  import_options limits;
  limits.max_bytes = 1U << 20U;
  limits.max_constant_bytes = limits.max_tensor_bytes = 1U << 24U;  // a few bytes may ask for as many zeros as these allow
  const auto imported = import_onnx("fuzz.onnx", {data, size}, limits);
  if (!imported) {
    if (imported.error().text().find('\n') != std::string::npos) std::abort();  // one line for a terminal
    return 0;
  }
  if (!imported->network || single_tensor_cuts(*imported->network).empty()) std::abort();
  return 0;
}
