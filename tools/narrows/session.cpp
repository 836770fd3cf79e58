// SPDX-License-Identifier: BSD-3-Clause
#include "session.hpp"

#include <algorithm>
#include <charconv>
#include <filesystem>

#include <fmt/format.h>

#include <narrows/exec/module.hpp>
#include <narrows/graph/cost.hpp>
#include <narrows/graph/cut.hpp>
#include <narrows/graph/fuse.hpp>
#include <narrows/graph/seeded_weights.hpp>
#include <narrows/graph/zoo/zoo.hpp>
#include <narrows/json/profile.hpp>
#include <narrows/onnx/import.hpp>
#include <narrows/onnx/sha256.hpp>

#include "csv.hpp"
#include "files.hpp"

namespace narrows::tool {

namespace {

result<model> open_zoo(const std::string& named, std::string_view name, zoo_weights weights)
{
  auto built = zoo::make(name);
  if (!built) return unexpected(std::move(built).error());
  const auto values = parameters(**built);
  if (weights == zoo_weights::seeded) {
    built = with_seeded_weights(**built, 1);
    if (!built) return unexpected(std::move(built).error());
  }
  auto fused = fuse(**built);
  if (!fused) return unexpected(std::move(fused).error());
  if (weights == zoo_weights::shapes) return model{named, "", std::move(*fused), values};
  // In place of a file's bytes, what tells the network and its weights from others.
  const std::string identity = named + " seed 1";
  return model{named, sha256_hex({reinterpret_cast<const std::uint8_t*>(identity.data()), identity.size()}), std::move(*fused), values};
}

}  // namespace

result<model> open_model(const std::string& file, zoo_weights weights)
{
  constexpr std::string_view prefix = "zoo:";
  if (file.starts_with(prefix)) return open_zoo(file, std::string_view(file).substr(prefix.size()), weights);
  auto m = load_onnx(file);
  if (!m) {
    auto e = std::move(m).error();
    const auto name = std::filesystem::path(file).filename().string();
    if (!name.empty() && e.what.starts_with(name)) e.what = file + e.what.substr(name.size());
    else if (!e.what.starts_with(file)) e.what = e.what.empty() ? file : file + ": " + e.what;
    return e;
  }
  return m;
}

result<any_engine> open_engine(const engine_options& how) { return load_engine(how.level); }

result<plan> make_plan(const graph& g, const plan_options& how)
{
  plan p;
  if (how.at.empty()) {
    if (!how.bits.empty() || !how.codecs.empty() || how.per_channel) return error(errc::bad_cut, "--bits, --codec and --per-channel without --at");
    p.at = end_cut(g);
    return p;
  }
  auto at = find_cut(g, how.at);
  if (!at) return unexpected(std::move(at).error());
  p.at = std::move(*at);
  const auto crossing = p.at.tensors.size();
  const auto count_fits = [&](std::size_t n) { return n <= 1 || n == crossing; };
  if (!count_fits(how.bits.size()) || !count_fits(how.codecs.size()))
    return error(errc::bad_cut, fmt::format("{} tensors cross, but --bits has {} values and --codec {}", crossing, how.bits.size(), how.codecs.size()));
  const bool at_input = std::find(p.at.head.begin(), p.at.head.end(), true) == p.at.head.end();
  for (std::size_t i = 0; i < crossing; ++i) {
    coding c;
    if (!how.codecs.empty()) c.coded_as = parse_codec(how.codecs[how.codecs.size() == 1 ? 0 : i]).value_or(codec::dense);
    const bool coded = has_codes(c.coded_as);
    c.width = !coded ? 0 : how.bits.empty() ? 8 : how.bits[how.bits.size() == 1 ? 0 : i];
    if (how.per_channel && coded && g[p.at.tensors[i]].dims.rank() > 1) c.group.axis = 1;
    if (is_picture(c.coded_as) && !at_input)
      return error(errc::unsupported_codec, fmt::format("--codec {} at '{}' (pixels, predicted and image are for --at input)", to_string(c.coded_as), g[p.at.tensors[i]].name));
    p.codings.push_back(c);
  }
  return p;
}

nlohmann::ordered_json model_json(const model& m) { return {{"name", m.name}, {"hash", m.hash}}; }

namespace {

std::string shape_text(const shape& s)   // feature maps without their batch of one
{
  auto text = to_string(s);
  return s.rank() > 1 && text.starts_with("1x") ? text.substr(2) : text;
}

}  // namespace

std::string plan_text(const graph& g, const plan& p)
{
  if (p.at.tensors.empty()) return "whole network on the device, nothing crosses";
  const bool at_input = std::find(p.at.head.begin(), p.at.head.end(), true) == p.at.head.end();
  std::string text = at_input ? "whole network in the cloud; " : "cut at ";
  for (std::size_t i = 0; i < p.at.tensors.size(); ++i) {
    const auto& v = g[p.at.tensors[i]];
    const auto& c = p.codings[i];
    if (i > 0) text += " and ";
    text += fmt::format("{} ({}) as ", v.name, shape_text(v.dims));
    if (c.coded_as == codec::raw) text += "float32";
    else if (c.coded_as == codec::pixels) text += "8-bit pixels";
    else if (c.coded_as == codec::predicted) text += "8-bit pixels, predicted";
    else if (c.coded_as == codec::image) text += "the picture's file";
    else text += fmt::format("{} bits {}{}", c.width, to_string(c.coded_as), c.group.axis == scale_group::whole_tensor ? "" : " per channel");
  }
  return text;
}

std::uint64_t float32_bytes(const graph& g, const cut& at)
{
  std::uint64_t bytes = 0;
  for (const auto v : at.tensors) bytes += 4 * std::uint64_t{g[v].dims.elements()};
  return bytes;
}

namespace {

result<std::vector<std::vector<std::string>>> rows_of(const std::string& file)
{
  auto bytes = read_file(file, std::uint64_t{64} << 20);
  if (!bytes) return unexpected(std::move(bytes).error());
  return parse_csv({reinterpret_cast<const char*>(bytes->data()), bytes->size()});
}

std::optional<int> integer(const std::string& text)
{
  int v = 0;
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), v);
  if (failed != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return v;
}

std::string real_path(const std::filesystem::path& p)
{
  std::error_code failed;
  const auto c = std::filesystem::weakly_canonical(p, failed);
  return failed ? p.lexically_normal().string() : c.string();
}

}  // namespace

result<class_book> class_book::open(const preprocessing& how)
{
  class_book book;
  book.offset_ = how.label_offset.value_or(0);
  if (how.classes) {
    auto rows = rows_of(*how.classes);
    if (!rows) return unexpected(std::move(rows).error());
    if (rows->empty()) return error(errc::bad_input, *how.classes + ": no classes in it");
    const auto& head = rows->front();
    if (const auto number = column(head, {"index", "class_index"})) {
      const auto words = column(head, {"words", "name", "class", "label"});
      if (!words) return error(errc::bad_input, *how.classes + ": no column 'words'");
      for (std::size_t i = 1; i < rows->size(); ++i) {
        const auto& r = (*rows)[i];
        const auto k = *number < r.size() ? integer(r[*number]) : std::nullopt;
        if (!k || *words >= r.size()) return error(errc::bad_input, fmt::format("{} line {}: no index and name", *how.classes, i + 1));
        book.names_[*k] = r[*words];
      }
    } else {   // one name per line
      for (std::size_t i = 0; i < rows->size(); ++i) {
        std::string name;
        for (const auto& f : (*rows)[i]) {
          if (!name.empty()) name += ',';
          name += f;
        }
        book.names_[static_cast<int>(i)] = name;
      }
    }
  }
  if (how.labels) {
    auto rows = rows_of(*how.labels);
    if (!rows) return unexpected(std::move(rows).error());
    const auto file = rows->empty() ? std::nullopt : column(rows->front(), {"file"});
    const auto index = rows->empty() ? std::nullopt : column(rows->front(), {"class_index"});
    if (!file || !index) return error(errc::bad_input, *how.labels + ": needs the columns 'file' and 'class_index'");
    const auto folder = std::filesystem::path(*how.labels).parent_path();
    for (std::size_t i = 1; i < rows->size(); ++i) {
      const auto& r = (*rows)[i];
      const auto k = *index < r.size() ? integer(r[*index]) : std::nullopt;
      if (!k || *file >= r.size()) return error(errc::bad_input, fmt::format("{} line {}: no file and class_index", *how.labels, i + 1));
      book.labels_[real_path(folder / r[*file])] = *k;
    }
  }
  return book;
}

std::string class_book::full_name_of(int class_index) const
{
  const auto it = names_.find(class_index);
  return it == names_.end() ? std::string() : it->second;
}

std::string class_book::name_of(int class_index) const
{
  const auto name = full_name_of(class_index);
  return name.empty() ? fmt::format("{}", class_index) : name.substr(0, name.find(','));
}

std::optional<int> class_book::label_of(const std::string& input) const
{
  if (labels_.empty()) return std::nullopt;
  const auto it = labels_.find(real_path(input));
  return it == labels_.end() ? std::nullopt : std::optional(it->second);
}

}  // namespace narrows::tool
