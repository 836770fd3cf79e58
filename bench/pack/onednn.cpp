// SPDX-License-Identifier: BSD-3-Clause
// oneDNN's reorder between float32 and u8: 8 bits, one code per byte, the range given.
#include <memory>
#include <unordered_map>

#include <oneapi/dnnl/dnnl.hpp>

#include "contender.hpp"

namespace narrows::bench {

namespace {

/// A reorder of n values from one type to the other.
struct reordering {
  dnnl::engine engine{dnnl::engine::kind::cpu, 0};
  dnnl::stream stream{engine};
  dnnl::memory from, to;
  dnnl::reorder run;

  reordering(dnnl::memory::data_type in, dnnl::memory::data_type out, std::size_t n, float scale, int zero_in, int zero_out)
  {
    const auto count = static_cast<dnnl::memory::dim>(n);
    from = {{{count}, in, dnnl::memory::format_tag::a}, engine, nullptr};
    to = {{{count}, out, dnnl::memory::format_tag::a}, engine, nullptr};
    dnnl::primitive_attr attributes;
    attributes.set_output_scales(0, {scale});
    if (zero_in != 0) attributes.set_zero_points(DNNL_ARG_FROM, 0, {zero_in});
    if (zero_out != 0) attributes.set_zero_points(DNNL_ARG_TO, 0, {zero_out});
    run = dnnl::reorder(from, to, attributes);
  }
  void operator()(const void* x, void* out)
  {
    from.set_data_handle(const_cast<void*>(x));
    to.set_data_handle(out);
    run.execute(stream, from, to);
    stream.wait();
  }
};

/// One reorder per length, made at its first use, which no repetition times.
class by_length {
public:
  by_length(dnnl::memory::data_type in, dnnl::memory::data_type out, float scale, int zero_in, int zero_out)
    : in_(in), out_(out), scale_(scale), zero_in_(zero_in), zero_out_(zero_out) {}
  void operator()(const void* x, std::size_t n, void* out)
  {
    auto& made = made_[n];
    if (!made) made = std::make_unique<reordering>(in_, out_, n, scale_, zero_in_, zero_out_);
    (*made)(x, out);
  }

private:
  dnnl::memory::data_type in_, out_;
  float scale_;
  int zero_in_, zero_out_;
  std::unordered_map<std::size_t, std::unique_ptr<reordering>> made_;
};

}  // namespace

void add_onednn(contenders& to)
{
  using type = dnnl::memory::data_type;
  const auto levels = task_levels(8);
  const auto pack = std::make_shared<by_length>(type::f32, type::u8, 1.0F / levels.scale, 0, levels.zero);
  const auto unpack = std::make_shared<by_length>(type::u8, type::f32, levels.scale, levels.zero, 0);
  to.pack.push_back({"onednn", 8, task_levels(8), promise::block_layout, [pack](const float* x, std::size_t n, std::uint8_t* out) { (*pack)(x, n, out); }});
  to.unpack.push_back({"onednn", 8, task_levels(8), promise::block_layout, [unpack](const std::uint8_t* packed, std::size_t n, float* out) { (*unpack)(packed, n, out); }});
}

}  // namespace narrows::bench
