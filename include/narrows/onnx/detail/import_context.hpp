// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include <narrows/graph/builder.hpp>
#include <narrows/onnx/import_options.hpp>
#include <narrows/onnx/onnx.pb.h>

/// What the import of one node sees: its attributes, its inputs, and ways to say what it becomes.
namespace narrows::detail {

/// A tensor of the ONNX graph while it is imported: made at run time, known now, or of no use (with the reason).
struct import_slot {
  std::optional<value_id> id;                            ///< in the graph; a constant gets one when first read at run time
  std::shared_ptr<const onnx_constant> constant;
  std::string refused;                                   ///< why it cannot be read
};

struct import_state {
  explicit import_state(std::string name, const import_options& how) : builder(std::move(name)), options(how) {}

  graph_builder builder;
  const import_options& options;
  std::int64_t opset = 0;
  std::unordered_map<std::string, import_slot> tensors;
  std::unordered_set<std::string> outputs;               ///< names of the graph's outputs
  std::uint64_t constant_bytes = 0;

  /// Counts a constant's memory. False: over the limit.
  bool count_constant(const onnx_constant& c)
  {
    constant_bytes += c.dims.elements() * (c.floats ? 4 : 8);
    return constant_bytes <= options.max_constant_bytes;
  }
};

/// Errors stick: after the first one every accessor gives a harmless default, so that an operator's import reads like
/// its definition. `failed()` must be asked before a default could be used as a size or an index.
class node_context {
public:
  node_context(import_state& state, const onnx_wire::Node& n) : state_(state), node_(n)
  {
    inputs_ = n.input_size();
    while (inputs_ > 0 && n.input(inputs_ - 1).empty()) --inputs_;
    name_ = !n.name().empty() ? n.name() : n.output_size() > 0 ? n.output(0) : "";
  }

  [[nodiscard]] std::int64_t opset() const { return state_.opset; }
  [[nodiscard]] const std::string& type() const { return node_.op_type(); }
  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] const import_options& options() const { return state_.options; }
  [[nodiscard]] bool failed() const { return error_.has_value(); }
  [[nodiscard]] const error& why() const { return *error_; }

  /// narrows lacks this operator or this form of it.
  void refuse(std::string reason) { fail({errc::unknown_op, std::move(reason)}); }
  /// The model contradicts the operator's definition.
  void invalid(std::string reason) { fail({errc::bad_node, std::move(reason)}); }
  void fail(error e)
  {
    if (error_) return;
    e.what = "node '" + name_ + "' (" + node_.op_type() + "): " + e.what;
    error_ = std::move(e);
  }
  /// The same for an error that names its node already.
  void fail_as_is(error e)
  {
    if (!error_) error_ = std::move(e);
  }

  // Attributes. `has` is false for one that is absent; one of another type is invalid.
  [[nodiscard]] const onnx_wire::Attribute* find(std::string_view key) const
  {
    for (const auto& a : node_.attribute())
      if (a.name() == key) return &a;
    return nullptr;
  }
  [[nodiscard]] bool has(std::string_view key) const { return find(key) != nullptr; }
  std::int64_t integer(std::string_view key, std::int64_t otherwise)
  {
    const auto* a = typed(key, 2, "an integer");
    return a ? a->i() : otherwise;
  }
  float real(std::string_view key, float otherwise)
  {
    const auto* a = typed(key, 1, "a number");
    return a ? a->f() : otherwise;
  }
  std::string text(std::string_view key, std::string otherwise)
  {
    const auto* a = typed(key, 3, "a text");
    return a ? a->s() : otherwise;
  }
  std::optional<std::vector<std::int64_t>> integers(std::string_view key)
  {
    const auto* a = typed(key, 7, "a list of integers");
    if (!a) return {};
    return std::vector<std::int64_t>(a->ints().begin(), a->ints().end());
  }
  std::optional<std::vector<float>> reals(std::string_view key)
  {
    const auto* a = typed(key, 6, "a list of numbers");
    if (!a) return {};
    return std::vector<float>(a->floats().begin(), a->floats().end());
  }
  const onnx_wire::Tensor* tensor_attribute(std::string_view key)
  {
    const auto* a = typed(key, 4, "a tensor");
    return a ? &a->t() : nullptr;
  }

  // Inputs.
  [[nodiscard]] int inputs() const { return inputs_; }
  [[nodiscard]] bool has_input(int i) const { return i < inputs_ && !node_.input(i).empty(); }
  [[nodiscard]] const std::string& input_name(int i) const { return node_.input(i); }
  bool expect_inputs(int least, int most)
  {
    if (inputs_ < least || inputs_ > most) invalid("has " + std::to_string(inputs_) + " inputs");
    for (int i = 0; i < least && !failed(); ++i)
      if (!has_input(i)) invalid("input " + std::to_string(i) + " is missing");
    return !failed();
  }
  /// The tensor known now, or null. Errors: one that cannot be read at all.
  const onnx_constant* constant(int i)
  {
    const auto* s = slot(i);
    return s && s->constant ? s->constant.get() : nullptr;
  }
  std::shared_ptr<const onnx_constant> share_constant(int i)
  {
    const auto* s = slot(i);
    return s ? s->constant : nullptr;
  }
  /// Shape of an input, whether known now or at run time.
  shape dims(int i)
  {
    const auto* s = slot(i);
    if (!s) return shape{0};
    return s->constant ? s->constant->dims : state_.builder.dims(*s->id);
  }
  /// Integers that must be known now (axes, shapes, sizes). Empty with an error otherwise.
  std::vector<std::int64_t> known_integers(int i, const char* what)
  {
    const auto* s = slot(i);
    if (!s) return {};
    if (!s->constant) {
      refuse(std::string(what) + " '" + node_.input(i) + "' is computed at run time");
      return {};
    }
    if (!is_integer(s->constant->type)) {
      invalid(std::string(what) + " '" + node_.input(i) + "' is " + name_of(s->constant->type));
      return {};
    }
    if (s->constant->dims.rank() > 1) invalid(std::string(what) + " '" + node_.input(i) + "' has shape " + to_string(s->constant->dims));
    return s->constant->integers;
  }
  /// Real numbers that must be known now (scales).
  std::vector<float> known_reals(int i, const char* what)
  {
    const auto* s = slot(i);
    if (!s) return {};
    if (!s->constant) {
      refuse(std::string(what) + " '" + node_.input(i) + "' is computed at run time");
      return {};
    }
    if (s->constant->type != onnx_type::float32) {
      invalid(std::string(what) + " '" + node_.input(i) + "' is " + name_of(s->constant->type));
      return {};
    }
    const auto values = s->constant->floats->values();
    return {values.begin(), values.end()};
  }
  /// The input as a tensor of the graph, float32.
  value_id run_time(int i)
  {
    auto* s = slot(i);
    if (!s) return value_id{0};
    if (s->id) return *s->id;
    if (s->constant->type != onnx_type::float32) {
      refuse("input '" + node_.input(i) + "' is " + name_of(s->constant->type) + "; at run time narrows has float32 only");
      return value_id{0};
    }
    // A constant that is also an output of the graph leaves its name to the node that will give it.
    const auto& called = node_.input(i);
    auto id = state_.builder.constant(state_.outputs.count(called) != 0 ? called + "/constant" : called, s->constant->floats);
    if (!id) {
      fail(std::move(id).error());
      return value_id{0};
    }
    s->id = *id;
    return *id;
  }
  std::vector<value_id> all_run_time()
  {
    std::vector<value_id> out;
    for (int i = 0; i < inputs_ && !failed(); ++i) out.push_back(run_time(i));
    return out;
  }
  [[nodiscard]] bool all_constant()
  {
    for (int i = 0; i < inputs_; ++i)
      if (has_input(i) && !constant(i)) return false;
    return !failed();
  }
  [[nodiscard]] const shape& dims_of(value_id v) const { return state_.builder.dims(v); }

  // Outputs.
  [[nodiscard]] int outputs() const { return node_.output_size(); }
  /// Is this output named, that is, possibly read?
  [[nodiscard]] bool has_output(int i) const { return i < node_.output_size() && !node_.output(i).empty(); }
  /// The node's last step. It makes the outputs 0 .. `count` - 1; any other is `unsupported` already or refused.
  void emit(any_op operation, std::vector<value_id> in, std::vector<shape> stated = {}, int count = 1)
  {
    if (failed()) return;
    std::vector<std::string> names;
    for (int i = 0; i < count; ++i) names.push_back(has_output(i) ? node_.output(i) : fresh_name("/unused" + std::to_string(i)));
    auto made = add(std::move(operation), std::move(in), names, std::move(stated));
    if (made.empty()) return;
    for (int i = 0; i < count; ++i)
      if (has_output(i)) state_.tensors[node_.output(i)].id = made[static_cast<std::size_t>(i)];
  }
  /// A step before it, when one ONNX node becomes several.
  value_id emit_inner(any_op operation, std::vector<value_id> in, std::vector<shape> stated, const char* suffix)
  {
    if (failed()) return value_id{0};
    auto made = add(std::move(operation), std::move(in), {fresh_name(suffix)}, std::move(stated));
    return made.empty() ? value_id{0} : made[0];
  }
  value_id constant_inner(tensor values, const char* suffix)
  {
    if (failed()) return value_id{0};
    auto id = state_.builder.constant(fresh_name(suffix), std::move(values));
    if (id) return *id;
    fail(std::move(id).error());
    return value_id{0};
  }
  /// An output that is known now.
  void set_constant(int i, onnx_constant c) { share(i, std::make_shared<const onnx_constant>(std::move(c)), true); }
  void share(int i, std::shared_ptr<const onnx_constant> c, bool counted = false)
  {
    if (failed() || !has_output(i)) return;
    if (counted && !state_.count_constant(*c))
      return fail({errc::limit_exceeded, "the model's constants take more than " + std::to_string(options().max_constant_bytes) + " bytes"});
    state_.tensors[node_.output(i)].constant = std::move(c);
  }
  /// An output narrows cannot give: refused where it is read, harmless otherwise.
  void unsupported(int i, const std::string& reason)
  {
    if (has_output(i)) state_.tensors[node_.output(i)].refused = "node '" + name_ + "' (" + node_.op_type() + "): " + reason;
  }
  /// Could a folded tensor of this size be made? Asked before its memory is taken.
  bool may_allocate(const shape& dims, std::uint64_t each)
  {
    if (failed()) return false;
    const auto& how = options();
    if (dims.elements() <= how.max_tensor_bytes / each && dims.elements() * each + state_.constant_bytes <= how.max_constant_bytes) return true;
    fail({errc::limit_exceeded, "a constant of " + to_string(dims) + " goes over the limit of " + std::to_string(how.max_constant_bytes) + " bytes"});
    return false;
  }

  /// An axis counted from the end if negative; `rank` axes. 0 with an error if outside.
  std::size_t axis(std::int64_t a, std::size_t rank)
  {
    const auto n = static_cast<std::int64_t>(rank);
    if (a >= -n && a < n) return static_cast<std::size_t>(a < 0 ? a + n : a);
    invalid("axis " + std::to_string(a) + " is outside rank " + std::to_string(rank));
    return 0;
  }
  /// A shape from extents of the model.
  shape make_shape(std::span<const std::int64_t> extents)
  {
    auto s = detail::make_shape(extents);
    if (s) return *s;
    fail(std::move(s).error());
    return shape{0};
  }

private:
  const onnx_wire::Attribute* typed(std::string_view key, std::int32_t type, const char* what)
  {
    const auto* a = find(key);
    if (!a) return nullptr;
    // Files of IR version 1 and 2 may leave the type out.
    if (a->has_type() && a->type() != 0 && a->type() != type) {
      invalid("attribute '" + std::string(key) + "' is not " + what);
      return nullptr;
    }
    return a;
  }

  import_slot* slot(int i)
  {
    if (failed()) return nullptr;
    if (!has_input(i)) {
      invalid("input " + std::to_string(i) + " is missing");
      return nullptr;
    }
    const auto it = state_.tensors.find(node_.input(i));
    if (it == state_.tensors.end()) {
      fail({errc::bad_graph, "input '" + node_.input(i) + "' is made by no node"});
      return nullptr;
    }
    if (!it->second.refused.empty()) {
      // Named by its maker if that is a node, else by this one.
      if (it->second.refused.rfind("node ", 0) == 0) fail_as_is({errc::unknown_op, it->second.refused});
      else refuse(it->second.refused);
      return nullptr;
    }
    if (!it->second.id && !it->second.constant) {
      fail({errc::bad_graph, "input '" + node_.input(i) + "' is made by no node"});
      return nullptr;
    }
    return &it->second;
  }

  std::string fresh_name(const std::string& suffix)
  {
    const auto base = (has_output(0) ? node_.output(0) : name_) + suffix;
    auto candidate = base;
    for (int i = 2; state_.tensors.count(candidate) != 0 || state_.builder.find(candidate); ++i) candidate = base + "." + std::to_string(i);
    return candidate;
  }

  std::vector<value_id> add(any_op operation, std::vector<value_id> in, std::vector<std::string> names, std::vector<shape> stated)
  {
    auto made = state_.builder.add({name_, node_.op_type(), std::move(operation), std::move(in), std::move(names), std::move(stated), {}, {}});
    if (!made) {
      fail_as_is(std::move(made).error());
      return {};
    }
    for (const auto v : *made)
      if (const auto& s = state_.builder.dims(v); s.elements() > options().max_tensor_bytes / 4) {
        fail({errc::limit_exceeded, "output of " + to_string(s) + " is larger than " + std::to_string(options().max_tensor_bytes) + " bytes"});
        return {};
      }
    return *made;
  }

  import_state& state_;
  const onnx_wire::Node& node_;
  int inputs_ = 0;
  std::string name_;
  std::optional<error> error_;
};

/// An operator by its ONNX name, and what makes a node of it.
struct op_import {
  std::string_view type;
  void (*handle)(node_context&);
};

}  // namespace narrows::detail
