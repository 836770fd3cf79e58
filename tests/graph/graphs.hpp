// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>
#include <memory>
#include <random>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <narrows/graph/builder.hpp>

/// Small graphs for tests.
namespace narrows::test {

inline tensor random_tensor(const shape& dims, std::mt19937& random, float low = -1, float high = 1)
{
  tensor t(dims);
  for (auto& v : t.values()) v = low + (high - low) * static_cast<float>(random() >> 8) * 0x1p-24F;
  return t;
}

/// "b7". Appended, not added: g++ 12 warns of overlapping copies in the latter (GCC bug 105651).
inline std::string numbered(const char* base, int i)
{
  std::string text = base;
  text += std::to_string(i);
  return text;
}

/// Builder whose steps must succeed; a mistake in a test ends it with the message.
class sure_builder {
public:
  explicit sure_builder(std::string name = "test") : builder_(std::move(name)) {}
  value_id input(const std::string& name, const shape& dims) { return sure(builder_.input(name, dims)); }
  value_id constant(const std::string& name, tensor t) { return sure(builder_.constant(name, std::move(t))); }
  value_id add(const std::string& output, any_op operation, std::vector<value_id> in, std::vector<shape> stated = {})
  {
    return sure(builder_.add({output + "_node", "", std::move(operation), std::move(in), {output}, std::move(stated)})).front();
  }
  value_id relu(const std::string& output, value_id in) { return add(output, op::unary{op::unary::kind::relu}, {in}); }
  std::shared_ptr<const graph> finish(std::vector<value_id> outputs) { return sure(builder_.finish(outputs)); }

  template <class T>
  static T sure(result<T> r)
  {
    if (!r) throw std::runtime_error(r.error().text());
    return std::move(*r);
  }

private:
  graph_builder builder_;
};

}  // namespace narrows::test
