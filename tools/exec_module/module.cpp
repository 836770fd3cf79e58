// SPDX-License-Identifier: BSD-3-Clause
// One source, compiled once per instruction-set level into a shared module that a baseline program opens.
#include <cstring>
#include <memory>
#include <new>

#include <narrows/exec/module_abi.hpp>
#include <narrows/exec/reference/engine.hpp>

namespace {

struct module_engine final : narrows::any_engine::interface {
  std::string_view level() const override { return engine.level(); }
  narrows::result<narrows::any_executor> load(const narrows::graph_slice& slice) override
  {
    auto loaded = engine.load(slice);
    if (!loaded) return narrows::unexpected(std::move(loaded).error());
    return narrows::any_executor(std::move(loaded).value());
  }
  narrows::reference_engine engine;
};

}  // namespace

extern "C" [[gnu::visibility("default")]] narrows::any_engine::interface* narrows_exec_module(const char* program_tag, const char** own_tag)
{
  *own_tag = narrows::module_abi::tag;
  if (std::strcmp(program_tag, narrows::module_abi::tag) != 0) return nullptr;
  try {
    return new module_engine;
  } catch (...) {
    return nullptr;
  }
}
