// SPDX-License-Identifier: BSD-3-Clause
#include "preprocess.hpp"

#include <charconv>
#include <cmath>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <narrows/pack/predicted.hpp>

#include "files.hpp"
#include "resize.hpp"

namespace narrows::tool {

void preprocessing::fill_from(const preprocessing& other)
{
  const auto fill = [](auto& mine, const auto& theirs) {
    if (!mine) mine = theirs;
  };
  fill(resize, other.resize);
  fill(crop, other.crop);
  fill(mean, other.mean);
  fill(std, other.std);
  fill(order, other.order);
  fill(label_offset, other.label_offset);
  fill(labels, other.labels);
  fill(classes, other.classes);
}

std::optional<preprocessing::size> parse_size(std::string_view text)
{
  constexpr int largest = 16384;
  const auto number = [&](std::string_view t) -> std::optional<int> {
    int v = 0;
    const auto [end, failed] = std::from_chars(t.data(), t.data() + t.size(), v);
    if (failed != std::errc{} || end != t.data() + t.size() || v < 1 || v > largest) return std::nullopt;
    return v;
  };
  const auto x = text.find('x');
  if (x == std::string_view::npos) {
    const auto side = number(text);
    return side ? std::optional(preprocessing::size{*side, 0}) : std::nullopt;
  }
  const auto width = number(text.substr(0, x));
  const auto height = number(text.substr(x + 1));
  if (!width || !height) return std::nullopt;
  return preprocessing::size{*width, *height};
}

std::optional<std::array<float, 3>> parse_channels(std::string_view text)
{
  std::array<float, 3> values{};
  std::size_t n = 0;
  while (true) {
    const auto comma = text.find(',');
    const auto part = text.substr(0, comma);
    if (n == 3) return std::nullopt;
    const auto [end, failed] = std::from_chars(part.data(), part.data() + part.size(), values[n]);
    if (failed != std::errc{} || end != part.data() + part.size() || !std::isfinite(values[n])) return std::nullopt;
    ++n;
    if (comma == std::string_view::npos) break;
    text.remove_prefix(comma + 1);
  }
  if (n == 1) values[1] = values[2] = values[0];
  else if (n != 3) return std::nullopt;
  return values;
}

namespace {

using nlohmann::json;

std::optional<std::array<float, 3>> channels_of(const json& j)
{
  if (j.is_number()) return parse_channels(fmt::format("{}", j.get<double>()));
  if (!j.is_array() || (j.size() != 1 && j.size() != 3)) return std::nullopt;
  std::array<float, 3> values{};
  for (std::size_t i = 0; i < 3; ++i) {
    const auto& one = j[j.size() == 1 ? 0 : i];
    if (!one.is_number()) return std::nullopt;
    values[i] = one.get<float>();
    if (!std::isfinite(values[i])) return std::nullopt;
  }
  return values;
}

}  // namespace

result<preprocessing> beside_model(const std::filesystem::path& model)
{
  preprocessing how;
  auto file = model;
  file.replace_extension(".json");
  std::error_code ignored;
  if (file == model || !std::filesystem::is_regular_file(file, ignored)) return how;
  auto bytes = read_file(file, 1 << 20);
  if (!bytes) return unexpected(std::move(bytes).error());
  const auto all = json::parse(bytes->begin(), bytes->end(), nullptr, false);
  if (!all.is_object()) return error(errc::bad_input, file.string() + ": not a JSON object");

  std::string wrong;
  const auto value = [&](std::string name) -> const json* {
    auto it = all.find(name);
    if (it == all.end()) {
      for (auto& c : name)
        if (c == '-') c = '_';
      it = all.find(name);
    }
    return it == all.end() ? nullptr : &*it;
  };
  const auto take = [&](const char* name, auto& into, auto&& convert) {
    const auto* v = value(name);
    if (v == nullptr || v->is_null()) return;
    into = convert(*v);
    if (!into) wrong = name;
  };
  take("resize", how.resize, [](const json& j) -> std::optional<preprocessing::size> {
    if (j.is_string()) return parse_size(j.get_ref<const std::string&>());
    return j.is_number_unsigned() ? parse_size(j.dump()) : std::nullopt;
  });
  take("crop", how.crop, [](const json& j) -> std::optional<int> {
    const auto size = j.is_number_unsigned() ? parse_size(j.dump()) : std::nullopt;
    return size ? std::optional(size->width) : std::nullopt;
  });
  take("mean", how.mean, channels_of);
  take("std", how.std, [](const json& j) {
    auto v = channels_of(j);
    return v && (*v)[0] != 0 && (*v)[1] != 0 && (*v)[2] != 0 ? v : std::nullopt;
  });
  take("order", how.order, [](const json& j) -> std::optional<channel_order> {
    if (j == "rgb") return channel_order::rgb;
    if (j == "bgr") return channel_order::bgr;
    return std::nullopt;
  });
  take("label-offset", how.label_offset, [](const json& j) -> std::optional<int> {
    if (!j.is_number_integer() || j.get<double>() < -1e6 || j.get<double>() > 1e6) return std::nullopt;
    return j.get<int>();
  });
  const auto path = [&](const json& j) -> std::optional<std::string> {
    return j.is_string() ? std::optional((file.parent_path() / j.get<std::string>()).string()) : std::nullopt;
  };
  take("labels", how.labels, path);
  take("classes", how.classes, path);
  if (!wrong.empty()) return error(errc::bad_input, file.string() + ": value of '" + wrong + "'");
  return how;
}

bool takes_pictures(const shape& s) { return s.rank() == 4 && s[0] == 1 && (s[1] == 1 || s[1] == 3) && s[2] > 0 && s[3] > 0; }

result<std::vector<std::uint8_t>> pixels_for(picture from, const preprocessing& how, const shape& input)
{
  if (!takes_pictures(input)) return error(errc::bad_input, "the network takes " + to_string(input) + ", not a picture");
  if (how.resize) {
    auto [width, height] = how.resize->height == 0 ? short_side_to(from, how.resize->width) : std::pair(how.resize->width, how.resize->height);
    constexpr std::int64_t most = std::int64_t{64} << 20;
    if (std::int64_t{width} * height > most || std::int64_t{width} * from.height > most)
      return error(errc::limit_exceeded, fmt::format("picture of {} x {} pixels resized to {} x {}", from.width, from.height, width, height));
    if (width != from.width || height != from.height) from = resized(from, width, height);
  }
  if (how.crop) {
    auto middle = central(from, *how.crop, *how.crop);
    if (!middle) return unexpected(std::move(middle).error());
    from = std::move(middle).value();
  }
  if (from.height != input[2] || from.width != input[3])
    return error(errc::bad_input, fmt::format("picture of {} x {} pixels where the network takes {} x {} (--resize and --crop bring it there)",
      from.width, from.height, input[3], input[2]));
  if (input[1] == 3) return std::move(from.pixels);
  std::vector<std::uint8_t> grey(from.pixels.size() / 3);
  // Luma of ITU-R BT.601 in 16-bit fractions that sum to one: grey pictures keep their values.
  for (std::size_t i = 0; i < grey.size(); ++i)
    grey[i] = static_cast<std::uint8_t>((19595U * from.pixels[3 * i] + 38470U * from.pixels[3 * i + 1] + 7471U * from.pixels[3 * i + 2] + 0x8000U) >> 16);
  return grey;
}

std::optional<std::vector<std::uint8_t>> predicted_pixels(std::span<const std::uint8_t> pixels, const shape& input)
{
  const auto of = picture_of(input);
  if (!of || pixels.empty() || pixels.size() != input.elements()) return std::nullopt;
  static thread_local std::vector<std::uint8_t> scratch, made;   // kept: fresh pages would take a fifth of the time
  scratch.resize(pixels.size());
  made.resize(pixels.size() - 1);
  const auto bytes = pack_predicted(pixels, *of, scratch, made);
  if (!bytes) return std::nullopt;
  return std::vector(made.begin(), made.begin() + static_cast<std::ptrdiff_t>(*bytes));
}

result<std::vector<std::uint8_t>> unpacked_pixels(std::span<const std::uint8_t> payload, const shape& input)
{
  const auto of = picture_of(input);
  if (!takes_pictures(input) || !of) return error(errc::bad_input, "the network takes " + to_string(input) + ", not a picture");
  static thread_local std::vector<std::uint8_t> scratch;
  scratch.resize(input.elements());
  std::vector<std::uint8_t> pixels(input.elements());
  if (const auto e = unpack_predicted(payload, *of, scratch, pixels); e != errc::ok) return error(e, "predicted pixels");
  return pixels;
}

result<tensor> normalised(std::span<const std::uint8_t> pixels, const preprocessing& how, const shape& input)
{
  if (!takes_pictures(input)) return error(errc::bad_input, "the network takes " + to_string(input) + ", not a picture");
  if (pixels.size() != input.elements())
    return error(errc::bad_input, fmt::format("{} bytes of pixels where the network takes {}", pixels.size(), to_string(input)));
  const auto mean = how.mean.value_or(std::array<float, 3>{0, 0, 0});
  const auto std = how.std.value_or(std::array<float, 3>{1, 1, 1});
  const bool bgr = how.order == channel_order::bgr;
  const auto channels = static_cast<std::size_t>(input[1]);
  tensor x(input);
  const std::size_t plane = input.elements() / channels;
  for (std::size_t c = 0; c < channels; ++c) {
    const std::size_t from = channels == 3 && bgr ? 2 - c : c;
    auto out = x.values().subspan(c * plane, plane);
    for (std::size_t i = 0; i < plane; ++i) out[i] = (static_cast<float>(pixels[i * channels + from]) - mean[c]) / std[c];
  }
  return x;
}

}  // namespace narrows::tool
