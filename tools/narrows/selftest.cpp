// SPDX-License-Identifier: BSD-3-Clause
#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <narrows/exec/module.hpp>
#include <narrows/graph/builder.hpp>
#include <narrows/pack/dispatch.hpp>
#include <narrows/pack/layout.hpp>
#include <narrows/pack/quantize.hpp>
#include <narrows/pack/reference.hpp>
#include <narrows/version.hpp>

#include "command.hpp"
#include "session.hpp"
#include "verdict.hpp"

namespace narrows::tool {

namespace {

struct selftest_options {
  std::uint32_t seed = 1;
  bool full = false;
  output_format format = output_format::table;
};

template <class T>
bool same_bits(const std::vector<T>& a, const std::vector<T>& b)
{
  return a.size() == b.size() && (a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(T)) == 0);
}

class kernel_check {
public:
  kernel_check(const kernel_set& set, std::uint32_t seed) : set_(set), random_(seed) {}

  verdict run()
  {
    for (int bits = min_width; bits <= max_width && out_.failure.empty(); ++bits) {
      if (bits <= 8) codes<std::uint8_t>(bits);
      else codes<std::uint16_t>(bits);
      for (const bool awkward : {false, true}) floats(bits, awkward);
      for (const std::size_t inner : {49U, 784U})
        for (const bool one_zero : {false, true}) {
          if (bits <= 8) several_scales<std::uint8_t>(bits, inner, one_zero);
          else several_scales<std::uint16_t>(bits, inner, one_zero);
        }
    }
    ranges();
    out_.part = fmt::format("kernels {}", set_.name);
    out_.what = "bytes and values of the reference, widths 1 to 16";
    out_.in_use = &set_ == &best_kernels();
    return out_;
  }

private:
  static constexpr std::size_t full = 5 * block_values + 301;   // five blocks and a narrower one

  void expect(bool same, std::string_view function, int bits)
  {
    ++out_.checks;
    if (!same && out_.failure.empty()) out_.failure = fmt::format("{} differs at {} bits", function, bits);
  }

  template <class Code>
  void codes(int bits)
  {
    constexpr bool narrow = sizeof(Code) == 1;
    const auto at = static_cast<std::size_t>(bits - (narrow ? 1 : 9));
    std::vector<Code> in(full);
    for (auto& c : in) c = static_cast<Code>(random_() % 3 == 0 ? 0 : random_() & max_code(bits));
    std::vector<std::uint8_t> expected(packed_bytes(full, bits)), got(expected.size());
    reference::pack(std::span<const Code>(in), bits, expected);
    std::vector<Code> back(full);
    if constexpr (narrow) {
      set_.pack_u8[at](in.data(), full, got.data());
      set_.unpack_u8[at](expected.data(), full, back.data());
    } else {
      set_.pack_u16[at](in.data(), full, got.data());
      set_.unpack_u16[at](expected.data(), full, back.data());
    }
    expect(same_bits(got, expected), "pack", bits);
    expect(same_bits(back, in), "unpack", bits);
    for (const std::size_t n : {std::size_t{0}, std::size_t{1}, std::size_t{7}, std::size_t{63}, std::size_t{64}, std::size_t{513}, full}) {
      const auto mask_size = (n + 7) / 8;
      std::vector<std::uint8_t> mask(mask_size), wanted_mask(mask_size);
      std::vector<Code> wanted, kept(n), expanded(n);
      for (std::size_t i = 0; i < n; ++i)
        if (in[i] != 0) {
          wanted_mask[i / 8] = static_cast<std::uint8_t>(wanted_mask[i / 8] | 1U << i % 8);
          wanted.push_back(in[i]);
        }
      std::size_t count = 0, used = 0;
      if constexpr (narrow) {
        count = set_.compress_u8(in.data(), n, mask.data(), kept.data());
        used = set_.expand_u8(wanted_mask.data(), n, wanted.data(), expanded.data());
      } else {
        count = set_.compress_u16(in.data(), n, mask.data(), kept.data());
        used = set_.expand_u16(wanted_mask.data(), n, wanted.data(), expanded.data());
      }
      kept.resize(std::min(count, n));
      expect(count == wanted.size() && same_bits(kept, wanted) && same_bits(mask, wanted_mask), "compress", bits);
      expect(used == wanted.size() && std::equal(expanded.begin(), expanded.end(), in.begin()), "expand", bits);
    }
  }

  // Values around the range of the codes, ties of rounding, and what no range holds.
  void floats(int bits, bool awkward)
  {
    affine a;
    a.scale = std::ldexp(1.0F + static_cast<float>(random_() % 1000) / 1000.0F, static_cast<int>(random_() % 20) - 10);
    a.zero = static_cast<std::int32_t>(random_() % (max_code(bits) + 1));
    std::vector<float> x(full);
    for (auto& v : x) {
      const auto spread = static_cast<float>(random_() % (4 * (max_code(bits) + 1))) - 2 * static_cast<float>(max_code(bits));
      v = (spread + 0.25F * static_cast<float>(random_() % 4)) * a.scale;
    }
    if (awkward) {
      constexpr float strange[] = {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(), -std::numeric_limits<float>::infinity(),
        std::numeric_limits<float>::max(), std::numeric_limits<float>::denorm_min(), -0.0F};
      for (std::size_t i = 0; i < x.size(); i += 37) x[i] = strange[i / 37 % std::size(strange)];
    }
    const auto at = static_cast<std::size_t>(bits - 1);
    const quantizer q(a, bits);
    std::vector<std::uint8_t> expected(packed_bytes(full, bits)), got(expected.size());
    const bool finite = reference::quantize_pack(x, a, bits, expected);
    expect(set_.quantize_pack[at](x.data(), full, q, got.data()) == finite && same_bits(got, expected), "quantise and pack", bits);
    std::vector<float> wanted(full), values(full);
    reference::unpack_dequantize(expected, a, bits, wanted);
    set_.unpack_dequantize[at](expected.data(), full, a, values.data());
    expect(same_bits(values, wanted), "unpack and dequantise", bits);
    const std::size_t n = full - 3;   // no whole number of anything
    values.resize(n);
    if (bits <= 8) one_by_one<std::uint8_t>(std::span(x).first(n), a, q, bits, values);
    else one_by_one<std::uint16_t>(std::span(x).first(n), a, q, bits, values);
  }

  template <class Code>
  void one_by_one(std::span<const float> x, const affine& a, const quantizer& q, int bits, std::vector<float>& values)
  {
    std::vector<Code> wanted(x.size()), got(x.size());
    const bool finite = reference::quantize(x, a, bits, std::span<Code>(wanted));
    std::vector<float> back(x.size());
    reference::dequantize(std::span<const Code>(wanted), a, back);
    bool said = false;
    if constexpr (sizeof(Code) == 1) {
      said = set_.quantize_u8(x.data(), x.size(), q, got.data());
      set_.dequantize_u8(wanted.data(), x.size(), a, values.data(), false);
    } else {
      said = set_.quantize_u16(x.data(), x.size(), q, got.data());
      set_.dequantize_u16(wanted.data(), x.size(), a, values.data(), false);
    }
    expect(said == finite && same_bits(got, wanted), "quantise", bits);
    expect(same_bits(values, back), "dequantise", bits);
  }

  // As many values as have kernels of their own.
  template <class Code>
  void several_scales(int bits, std::size_t inner, bool one_zero)
  {
    constexpr std::size_t n = 21 * block_values + 77;
    std::vector<affine> scales(n / inner);
    const auto any_zero = [&] { return static_cast<std::int32_t>(random_() % (max_code(bits) + 1)); };
    const std::int32_t zero = any_zero();
    for (auto& a : scales) a = {0.01F + static_cast<float>(random_() % 1000) / 1000.0F, one_zero ? zero : any_zero()};
    std::vector<float> x(n), wanted(n), values(n);
    std::vector<Code> in(n);
    for (std::size_t i = 0; i < n; ++i) {
      const affine& a = scales[i / inner % scales.size()];
      in[i] = static_cast<Code>(random_() & max_code(bits));
      wanted[i] = value_of(in[i], a);
      x[i] = wanted[i] + 0.25F * a.scale;
    }
    std::vector<std::uint8_t> expected(packed_bytes(n, bits)), got(expected.size());
    reference::pack(std::span<const Code>(in), bits, expected);
    const scale_map map{scales, inner};
    const bool finite = narrows::detail::quantize_pack_with<Code>(set_, std::span<const float>(x), map, bits, got.data());
    expect(finite && same_bits(got, expected), "quantise and pack by several scales", bits);
    narrows::detail::unpack_dequantize_with<Code>(set_, expected.data(), map, bits, std::span(values));
    expect(same_bits(values, wanted), "unpack and dequantise by several scales", bits);
  }

  void ranges()
  {
    for (const std::size_t n : {std::size_t{1}, std::size_t{15}, std::size_t{16}, std::size_t{1000}}) {
      std::vector<float> x(n);
      for (auto& v : x) v = static_cast<float>(static_cast<int>(random_() % 20001) - 10000) / 128.0F;
      float low = 0, high = 0;
      const auto [l, h] = std::minmax_element(x.begin(), x.end());
      expect(set_.min_max(x.data(), n, low, high) && low == *l && high == *h, "min and max", 0);
      x[n / 2] = std::numeric_limits<float>::quiet_NaN();
      expect(!set_.min_max(x.data(), n, low, high), "min and max of NaN", 0);
    }
  }

  const kernel_set& set_;
  std::mt19937 random_;
  verdict out_;
};

/// conv 3x3 (5 to 7 channels, relu), depthwise 3x3 stride 2, softmax: the loops an executor is made of.
result<std::shared_ptr<const graph>> small_network(std::mt19937& random)
{
  graph_builder b("selftest");
  const auto weights = [&](const shape& dims) {
    tensor t(dims);
    for (auto& v : t.values()) v = static_cast<float>(static_cast<int>(random() % 2001) - 1000) / 1000.0F;
    return t;
  };
  const auto x = b.input("x", shape{1, 5, 13, 17});
  const auto w = b.constant("w", weights(shape{7, 5, 3, 3}));
  const auto d = b.constant("d", weights(shape{7, 1, 3, 3}));
  if (!x || !w || !d) return error(errc::internal, "selftest: builder");
  node_description conv;
  conv.name = "conv";
  conv.operation = op::conv{{{3, 3}, {1, 1}, {1, 1}, {1, 1, 1, 1}}, 1};
  conv.activation.kind = op::unary::kind::relu;
  conv.inputs = {*x, *w};
  conv.outputs = {"c"};
  const auto c = b.add(conv);
  if (!c) return c.error();
  node_description depthwise;
  depthwise.name = "depthwise";
  depthwise.operation = op::conv{{{3, 3}, {2, 2}, {1, 1}, {1, 1, 1, 1}}, 7};
  depthwise.inputs = {c->front(), *d};
  depthwise.outputs = {"e"};
  const auto e = b.add(depthwise);
  if (!e) return e.error();
  node_description softmax;
  softmax.name = "softmax";
  softmax.operation = op::softmax{.first = 1, .last = 2, .log = false};
  softmax.inputs = {e->front()};
  softmax.outputs = {"y"};
  const auto y = b.add(softmax);
  if (!y) return y.error();
  return b.finish({y->front()});
}

/// The same in double precision, straight from the definitions.
std::vector<double> expected_of(const graph& g, std::span<const float> x)
{
  const auto w = g[*g.find("w")].constant->values();
  const auto d = g[*g.find("d")].constant->values();
  constexpr int channels = 5, maps = 7, height = 13, width = 17, out_height = 7, out_width = 9;
  const auto inside = [](int y, int h) { return y >= 0 && y < h; };
  std::vector<double> c(maps * height * width);
  for (int m = 0; m < maps; ++m)
    for (int y = 0; y < height; ++y)
      for (int z = 0; z < width; ++z) {
        double sum = 0;
        for (int k = 0; k < channels; ++k)
          for (int i = 0; i < 3; ++i)
            for (int j = 0; j < 3; ++j)
              if (inside(y + i - 1, height) && inside(z + j - 1, width))
                sum += static_cast<double>(x[static_cast<std::size_t>((k * height + y + i - 1) * width + z + j - 1)]) *
                  static_cast<double>(w[static_cast<std::size_t>(((m * channels + k) * 3 + i) * 3 + j)]);
        c[static_cast<std::size_t>((m * height + y) * width + z)] = std::max(0.0, sum);
      }
  std::vector<double> e(maps * out_height * out_width);
  for (int m = 0; m < maps; ++m)
    for (int y = 0; y < out_height; ++y)
      for (int z = 0; z < out_width; ++z) {
        double sum = 0;
        for (int i = 0; i < 3; ++i)
          for (int j = 0; j < 3; ++j)
            if (inside(2 * y + i - 1, height) && inside(2 * z + j - 1, width))
              sum += c[static_cast<std::size_t>((m * height + 2 * y + i - 1) * width + 2 * z + j - 1)] * static_cast<double>(d[static_cast<std::size_t>((m * 3 + i) * 3 + j)]);
        e[static_cast<std::size_t>((m * out_height + y) * out_width + z)] = sum;
      }
  constexpr std::size_t plane = out_height * out_width;
  for (std::size_t i = 0; i < plane; ++i) {
    double most = e[i], sum = 0;
    for (std::size_t m = 0; m < maps; ++m) most = std::max(most, e[m * plane + i]);
    for (std::size_t m = 0; m < maps; ++m) sum += std::exp(e[m * plane + i] - most);
    for (std::size_t m = 0; m < maps; ++m) e[m * plane + i] = std::exp(e[m * plane + i] - most) / sum;
  }
  return e;
}

std::vector<verdict> check_modules(std::uint32_t seed)
{
  std::vector<verdict> all;
  std::mt19937 random(seed);
  const auto g = small_network(random);
  if (!g) return {{"executor", "", 0, g.error().text(), false, false}};
  tensor x((**g)[(**g).inputs()[0]].dims);
  for (auto& v : x.values()) v = static_cast<float>(static_cast<int>(random() % 2001) - 1000) / 1000.0F;
  const auto expected = expected_of(**g, x.values());
  const auto best = load_engine();
  const std::string in_use = best ? std::string(best->level()) : std::string();
  if (!best) all.push_back({"executor auto", "module for this CPU", 1, best.error().text(), false, true});
  std::vector<float> exact;   // of the levels with fused multiply-add, which agree to the bit
  std::string exact_level;
  for (const auto level : narrows::detail::module_levels()) {
    verdict v{fmt::format("executor {}", level), "a small network against double precision", 0, {}, false, false};
    const auto engine = load_engine(level);
    if (!engine) {
      // A level above this CPU is no fault; a module that is missing or broken is.
      v.skipped = engine.error().code == errc::bad_input;
      v.failure = v.skipped ? "" : engine.error().text();
      v.what = v.skipped ? "not for this CPU" : v.what;
      all.push_back(std::move(v));
      continue;
    }
    v.in_use = engine->level() == in_use;
    std::vector<float> first;
    for (const int threads : {1, 2, 3}) {
      auto runner = engine->load(whole_slice(*g));
      tensor y((**g)[(**g).outputs()[0]].dims);
      const tensor_view in[] = {x.view()};
      const mutable_tensor_view out[] = {y.view()};
      run_options how;
      how.threads = threads;
      ++v.checks;
      result<void> done = runner ? runner->run(in, out, how) : result<void>(runner.error());
      if (!done) {
        v.failure = done.error().text();
        break;
      }
      double worst = 0;
      for (std::size_t i = 0; i < expected.size(); ++i) worst = std::max(worst, std::abs(static_cast<double>(y.values()[i]) - expected[i]));
      if (!(worst < 1e-5)) v.failure = fmt::format("off by {:.2g}", worst);
      std::vector<float> bits(y.values().begin(), y.values().end());
      if (first.empty()) first = bits;
      else if (!same_bits(first, bits)) v.failure = fmt::format("{} threads give other bits than one", threads);
    }
    if (v.failure.empty() && level != "v2") {
      if (exact.empty()) exact = first, exact_level = level;
      else if (!same_bits(exact, first)) v.failure = fmt::format("other bits than level {}", exact_level);
      ++v.checks;
    }
    all.push_back(std::move(v));
  }
  return all;
}

exit_code selftest(const selftest_options& options)
{
  std::vector<verdict> all;
  for (const auto* set : available_kernels()) all.push_back(kernel_check(*set, options.seed).run());
  for (auto& v : check_modules(options.seed)) all.push_back(std::move(v));
  if (options.full)
    for (auto& v : check_exhaustively()) all.push_back(std::move(v));
  const bool good = std::all_of(all.begin(), all.end(), [](const verdict& v) { return v.failure.empty(); });

  switch (options.format) {
  case output_format::table: {
    using enum table::align;
    table t({{"PART", left}, {"CHECKS"}, {"RESULT", left}, {"", left}});
    for (const auto& v : all)
      t.row({v.part, fmt::format("{}", v.checks), v.skipped ? "skipped" : v.failure.empty() ? "ok" : "FAILED",
        (v.failure.empty() ? v.what : v.failure) + (v.in_use ? "; the one in use" : "")});
    t.print();
    fmt::print("\nnarrows {}, seed {}: {}\n", NARROWS_VERSION, options.seed, good ? "all parts agree" : "parts DIFFER");
    break;
  }
  case output_format::json: {
    auto parts = nlohmann::ordered_json::array();
    for (const auto& v : all)
      parts.push_back({{"part", v.part}, {"checks", v.checks}, {"result", v.skipped ? "skipped" : v.failure.empty() ? "ok" : "failed"}, {"failure", v.failure}, {"in_use", v.in_use}});
    fmt::print("{}\n", nlohmann::ordered_json{{"schema", 1}, {"tool_version", NARROWS_VERSION}, {"seed", options.seed}, {"ok", good}, {"parts", std::move(parts)}}.dump(2));
    break;
  }
  case output_format::csv:
    csv_line({"part", "checks", "result", "failure"});
    for (const auto& v : all) csv_line({v.part, fmt::format("{}", v.checks), v.skipped ? "skipped" : v.failure.empty() ? "ok" : "failed", v.failure});
    break;
  }
  return good ? exit_code::ok : exit_code::failed;
}

}  // namespace

void add_selftest(CLI::App& program, action& chosen)
{
  auto options = std::make_shared<selftest_options>();
  auto* app = add_command(program, chosen, "selftest", "Compare every kernel and executor of this CPU with the reference", options, selftest);
  app->add_option("--seed", options->seed, "of the values compared")->type_name("N")->capture_default_str();
  app->add_flag("--full", options->full, "also every length, place and float: some minutes");
  add_output(*app, options->format);
}

}  // namespace narrows::tool
