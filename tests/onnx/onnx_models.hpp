// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <initializer_list>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

#include <narrows/onnx/import.hpp>

/// ONNX files made in the test, field by field, so that each may be wrong in one way.
namespace narrows::test {

using strings = std::vector<std::string>;

inline const std::filesystem::path shared_models = std::filesystem::path(NARROWS_SHARED_DIR) / "models";

inline std::vector<std::uint8_t> file_bytes(const std::filesystem::path& file)
{
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

class onnx_file {
public:
  explicit onnx_file(std::int64_t opset = 13)
  {
    model.set_ir_version(7);
    model.add_opset_import()->set_version(opset);
    model.mutable_graph()->set_name("test");
  }

  onnx_wire::Model model;

  onnx_wire::Graph& graph() { return *model.mutable_graph(); }
  onnx_file& input(const std::string& name, std::vector<std::int64_t> dims, onnx_type type = onnx_type::float32)
  {
    describe(*graph().add_input(), name, dims, type);
    return *this;
  }
  onnx_file& output(const std::string& name)
  {
    graph().add_output()->set_name(name);
    return *this;
  }
  onnx_wire::Node& node(const std::string& op, const strings& in, const strings& out, const std::string& name = "")
  {
    auto& n = *graph().add_node();
    n.set_op_type(op);
    n.set_name(name);
    for (const auto& i : in) n.add_input(i);
    for (const auto& o : out) n.add_output(o);
    return n;
  }
  onnx_file& weights(const std::string& name, const std::vector<std::int64_t>& dims, float value = 1)
  {
    auto& t = *graph().add_initializer();
    t.set_name(name);
    t.set_data_type(1);
    std::int64_t n = 1;
    for (const auto d : dims) {
      t.add_dims(d);
      n *= d;
    }
    for (std::int64_t i = 0; i < n; ++i) t.add_float_data(value);
    return *this;
  }
  onnx_file& integers(const std::string& name, const std::vector<std::int64_t>& values, bool scalar = false)
  {
    auto& t = *graph().add_initializer();
    t.set_name(name);
    t.set_data_type(7);
    if (!scalar) t.add_dims(static_cast<std::int64_t>(values.size()));
    for (const auto v : values) t.add_int64_data(v);
    return *this;
  }
  [[nodiscard]] std::vector<std::uint8_t> bytes() const
  {
    std::vector<std::uint8_t> out(model.ByteSizeLong());
    model.SerializeToArray(out.data(), static_cast<int>(out.size()));
    return out;
  }
  [[nodiscard]] result<narrows::model> import(const import_options& how = {}) const { return import_onnx("test.onnx", bytes(), how); }

  static void describe(onnx_wire::ValueInfo& v, const std::string& name, const std::vector<std::int64_t>& dims, onnx_type type)
  {
    v.set_name(name);
    auto& t = *v.mutable_type()->mutable_tensor_type();
    t.set_elem_type(static_cast<int>(type));
    auto& s = *t.mutable_shape();
    for (const auto d : dims) {
      auto& dim = *s.add_dim();
      if (d < 0) dim.set_dim_param("N");
      else dim.set_dim_value(d);
    }
  }
};

inline onnx_wire::Attribute& attribute(onnx_wire::Node& n, const std::string& name, int type)
{
  auto& a = *n.add_attribute();
  a.set_name(name);
  a.set_type(type);
  return a;
}
inline void set(onnx_wire::Node& n, const std::string& name, std::int64_t v) { attribute(n, name, 2).set_i(v); }
inline void set(onnx_wire::Node& n, const std::string& name, float v) { attribute(n, name, 1).set_f(v); }
inline void set(onnx_wire::Node& n, const std::string& name, const char* v) { attribute(n, name, 3).set_s(v); }
inline void set(onnx_wire::Node& n, const std::string& name, const std::vector<std::int64_t>& v)
{
  auto& a = attribute(n, name, 7);
  for (const auto x : v) a.add_ints(x);
}

/// A small CNN with most kinds of messages a file has: weights, lists, texts, shapes, a chain of shape arithmetic.
inline onnx_file small_cnn()
{
  onnx_file f;
  f.input("x", {-1, 3, 8, 8});
  f.weights("w", {4, 3, 3, 3}, 0.1F).weights("b", {4}, 0.5F).weights("s", {4}).weights("v", {4}).weights("fc", {64, 10}, 0.01F);
  auto& conv = f.node("Conv", {"x", "w", "b"}, {"c"}, "conv1");
  set(conv, "kernel_shape", std::vector<std::int64_t>{3, 3});
  set(conv, "auto_pad", "SAME_UPPER");
  f.node("BatchNormalization", {"c", "s", "b", "b", "v"}, {"n"}, "norm1");
  f.node("Relu", {"n"}, {"r"}, "relu1");
  auto& pool = f.node("MaxPool", {"r"}, {"p"}, "pool1");
  set(pool, "kernel_shape", std::vector<std::int64_t>{2, 2});
  set(pool, "strides", std::vector<std::int64_t>{2, 2});
  f.integers("zero", {0}, true).integers("rest", {-1}).integers("axis", {0});
  f.node("Shape", {"p"}, {"shape"});
  f.node("Gather", {"shape", "zero"}, {"batch"});
  f.node("Unsqueeze", {"batch", "axis"}, {"batch_list"});
  set(f.node("Concat", {"batch_list", "rest"}, {"flat_shape"}), "axis", std::int64_t{0});
  f.node("Reshape", {"p", "flat_shape"}, {"flat"}, "flatten");
  f.node("Gemm", {"flat", "fc"}, {"y"}, "classify");
  f.output("y");
  return f;
}

}  // namespace narrows::test
