// SPDX-License-Identifier: BSD-3-Clause
#include "activations.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <optional>
#include <utility>

#include <narrows/exec/module.hpp>
#include <narrows/graph/cut.hpp>
#include <narrows/onnx/import.hpp>
#include <narrows/partition/signs.hpp>

#include "input.hpp"

namespace narrows::bench {

namespace {

/// Preprocessing as the models' README has it.
std::optional<tool::preprocessing> preprocessing_of(const std::string& network)
{
  tool::preprocessing how;
  const auto set = [&](int shorter, int crop, std::array<float, 3> mean, std::array<float, 3> std) {
    how.resize = tool::preprocessing::size{shorter, 0};
    how.crop = crop;
    how.mean = mean;
    how.std = std;
  };
  if (network == "resnet18")
    set(256, 224, {123.675F, 116.28F, 103.53F}, {58.395F, 57.12F, 57.375F});
  else if (network == "squeezenet1_1")
    set(256, 224, {104, 117, 123}, {1, 1, 1});
  else if (network == "mobilenet_v2_1.0_224")
    set(256, 224, {127.5F, 127.5F, 127.5F}, {127.5F, 127.5F, 127.5F});
  else if (network == "tiny_darknet")
    set(256, 224, {0, 0, 0}, {255, 255, 255});
  else if (network == "mcunet_144")
    set(164, 144, {127, 127, 127}, {127.5F, 127.5F, 127.5F});
  else
    return std::nullopt;
  if (network == "squeezenet1_1") how.order = tool::channel_order::bgr;
  return how;
}

result<void> add_network(
  std::vector<activation>& to, const std::string& name, const std::filesystem::path& shared, std::size_t pictures)
{
  const auto how = preprocessing_of(name);
  if (!how) return error(errc::bad_input, name + ": its preprocessing is not known here");
  auto m = load_onnx(shared / "models" / "imagenet" / (name + ".onnx"));
  if (!m) return unexpected(std::move(m).error());
  const graph& g = *m->network;
  auto slice = whole_slice(m->network);
  const auto signs = signs_of(g);
  std::vector<value_id> wanted;
  for (const auto& at : single_tensor_cuts(g)) {
    if (at.tensors.size() != 1 || !g[at.tensors[0]].producer) continue;  // the ends
    const auto v = at.tensors[0];
    const auto& dims = g[v].dims;
    if (signs[index(v)] != value_sign::rectified || dims.rank() != 4 || dims[0] != 1) continue;
    if (std::find(slice.outputs.begin(), slice.outputs.end(), v) == slice.outputs.end()) {
      wanted.push_back(v);
      slice.outputs.push_back(v);
    }
  }
  if (wanted.empty()) return {};
  auto engine = load_engine();
  if (!engine) return unexpected(std::move(engine).error());
  auto runner = engine->load(slice);
  if (!runner) return unexpected(std::move(runner).error());

  const auto& expected = g[g.inputs()[0]].dims;
  auto list = tool::list_inputs({(shared / "images" / "photos").string()}, expected);
  if (!list) return unexpected(std::move(list).error());
  tool::input_loader loader(expected, *how);
  const std::size_t count = std::min(pictures, list->size());
  for (std::size_t p = 0; p < count; ++p) {
    auto in = loader.load((*list)[p * list->size() / count]);
    if (!in) return unexpected(std::move(in).error());
    std::vector<tensor> made;
    for (const auto& o : runner->outputs()) made.emplace_back(o.dims);
    std::vector<mutable_tensor_view> out;
    for (auto& t : made) out.push_back(t.view());
    const tensor_view given = std::as_const(in->values).view();
    NARROWS_TRY(runner->run(std::span(&given, 1), out, {}));
    for (std::size_t w = 0; w < wanted.size(); ++w) {
      const auto& t = made[made.size() - wanted.size() + w];
      const auto x = t.view().values();
      to.push_back({name, g[wanted[w]].name, static_cast<std::size_t>(t.dims()[1]),
        static_cast<std::size_t>(t.dims().product(2, 4)), {x.begin(), x.end()}});
    }
  }
  return {};
}

}  // namespace

result<std::vector<activation>> activations_of(
  std::span<const std::string> networks, const std::filesystem::path& shared, std::size_t pictures)
{
  std::vector<activation> all;
  for (const auto& name : networks) NARROWS_TRY(add_network(all, name, shared, pictures));
  return all;
}

activation synthetic()
{
  constexpr std::size_t channels = 256, side = 56;
  activation a{"synthetic", "relu", channels, side * side, std::vector<float>(channels * side * side)};
  std::uint32_t state = 1;
  const auto noise = [&] {  // about normal: a sum of uniform numbers, which no library changes
    float sum = 0;
    for (int i = 0; i < 4; ++i) {
      state = state * 1664525U + 1013904223U;
      sum += static_cast<float>(state >> 8) * 0x1p-24F - 0.5F;
    }
    return sum;
  };
  // A recursive low-pass in both directions of the plane makes neighbours alike.
  for (std::size_t c = 0; c < channels; ++c) {
    float* const plane = a.values.data() + c * a.area;
    for (std::size_t i = 0; i < a.area; ++i) {
      const float left = i % side > 0 ? plane[i - 1] : noise();
      const float above = i >= side ? plane[i - side] : noise();
      plane[i] = 0.45F * left + 0.45F * above + 0.35F * noise();
    }
  }
  std::vector<float> sorted(a.values);
  const auto place = sorted.begin() + static_cast<std::ptrdiff_t>(sorted.size() * 55 / 100);
  std::nth_element(sorted.begin(), place, sorted.end());
  const float zero = *place;
  for (auto& v : a.values) v = std::max(0.0F, v - zero);
  return a;
}

std::vector<float> in_nhwc(const activation& a)
{
  std::vector<float> turned(a.values.size());
  for (std::size_t c = 0; c < a.channels; ++c)
    for (std::size_t i = 0; i < a.area; ++i) turned[i * a.channels + c] = a.values[c * a.area + i];
  return turned;
}

affine levels_for(std::span<const float> x, int bits)
{
  std::vector<float> sorted(x.begin(), x.end());
  if (sorted.empty()) return {};
  const auto place = sorted.begin() + static_cast<std::ptrdiff_t>((sorted.size() - 1) * 999 / 1000);
  std::nth_element(sorted.begin(), place, sorted.end());
  float top = *place;
  if (!(top > 0)) top = *std::max_element(sorted.begin(), sorted.end());  // hardly a value is not zero
  if (!(top > 0)) top = 1;
  return {top / static_cast<float>((1 << bits) - 1), 0};
}

}  // namespace narrows::bench
