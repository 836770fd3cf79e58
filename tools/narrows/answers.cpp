// SPDX-License-Identifier: BSD-3-Clause
#include "answers.hpp"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <numeric>

#include <fmt/format.h>

#include <narrows/json/plan.hpp>
#include <narrows/version.hpp>

#include "files.hpp"
#include "npy.hpp"

namespace narrows::tool {

using json = nlohmann::ordered_json;

std::vector<std::pair<std::size_t, float>> largest(std::span<const float> values, std::size_t k)
{
  std::vector<std::size_t> order(values.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  k = std::min(k, order.size());
  const auto before = [&](std::size_t a, std::size_t b) {
    const bool nan_a = std::isnan(values[a]), nan_b = std::isnan(values[b]);
    if (nan_a != nan_b) return nan_b;
    if (!nan_a && values[a] != values[b]) return values[a] > values[b];
    return a < b;
  };
  std::partial_sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(k), order.end(), before);
  std::vector<std::pair<std::size_t, float>> top;
  for (std::size_t i = 0; i < k; ++i) top.emplace_back(order[i], values[order[i]]);
  return top;
}

bool is_scores(const shape& output)
{
  std::int64_t longest = 1;
  for (const auto e : output.dims()) longest = std::max(longest, e);
  return longest > 1 && static_cast<std::size_t>(longest) == output.elements();
}

namespace {

json number(double x) { return std::isfinite(x) ? json(x) : json(); }

json spent_json(const spent& s)
{
  return {{"total", s.total}, {"device", s.device}, {"encode", s.encode}, {"link", s.link}, {"decode", s.decode}, {"server", s.server}, {"queue", s.queue}, {"onward", s.onward}};
}

std::string score_text(float x)
{
  const double a = std::abs(static_cast<double>(x));
  return a >= 1000 ? fmt::format("{:.0f}", x) : a >= 100 ? fmt::format("{:.1f}", x) : a >= 10 ? fmt::format("{:.2f}", x) : fmt::format("{:.3f}", x);
}

// A file name for an output of an input: its own name without folders, dots and slashes made harmless.
std::string file_name(std::size_t number, const std::string& input, const std::string& output)
{
  auto name = fmt::format("{:04}_{}_{}", number, std::filesystem::path(input).filename().string(), output);
  for (auto& c : name)
    if (!(std::isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '-' || c == '.')) c = '_';
  return name + ".npy";
}

}  // namespace

answer_book::answer_book(settings how) : how_(std::move(how)) {}

void answer_book::start()
{
  if (std::exchange(started_, true)) return;
  const bool labels = how_.classes->has_labels();
  if (how_.format == output_format::csv) {
    csv_line({"input", "label", "class", "score", "name", "source", "bytes_sent", "total_ms", "device_ms", "encode_ms", "link_ms", "decode_ms", "server_ms", "onward_ms"});
  } else if (how_.format == output_format::table) {
    for (const auto& line : how_.header) fmt::print("{}\n", line);
    if (!how_.header.empty()) fmt::print("\n");
    using enum table::align;
    std::vector<table::column> columns{{"INPUT", left, std::min<std::size_t>(how_.name_columns, 40)}};
    if (labels) columns.push_back({"LABEL", left, 20});
    columns.push_back({"ANSWER", left, how_.classes->has_names() ? 24U : 12U});
    columns.push_back({"SCORE", right, 7});
    if (how_.remote) columns.push_back({"SOURCE", left, 8});
    columns.push_back({"SENT", right, 8});
    columns.push_back({"TIME", right, 9});
    table_.emplace(std::move(columns));
    fmt::print("{}\n", table_->head_line());
  }
}

void answer_book::remark(const std::string& line)
{
  if (how_.format != output_format::table) return;
  start();
  fmt::print("{}\n", faint("-- " + line));
}

result<void> answer_book::add(const outcome& o)
{
  start();
  ++sum_.inputs;
  const auto& classes = *how_.classes;
  const auto label = classes.label_of(o.input);
  if (o.failure) {
    ++sum_.errors;
    // An interruption cuts requests short; that is the user's doing and already known.
    if (!first_failure_) first_failure_ = o.failure->code;
    report(*o.failure);
  }
  const bool scores = !o.outputs.empty() && is_scores(o.outputs.front().dims());
  std::vector<std::pair<std::size_t, float>> top;
  if (scores) top = largest(o.outputs.front().values(), std::max<std::size_t>(how_.top, 5));
  const auto class_of = [&](std::size_t k) { return static_cast<int>(k) - classes.offset(); };
  if (label) {   // an input without an answer counts as wrong
    ++sum_.labelled;
    if (!top.empty() && class_of(top.front().first) == *label) ++sum_.top1;
    for (std::size_t i = 0; i < std::min<std::size_t>(5, top.size()); ++i)
      if (class_of(top[i].first) == *label) ++sum_.top5;
  }
  if (o.float_first && !top.empty()) {
    ++sum_.compared;
    if (*o.float_first == class_of(top.front().first)) ++sum_.agreeing;
  }
  if (!o.failure) {
    if (o.from == "local") ++sum_.local;
    if (o.from == "fallback") ++sum_.fallback;
    if (o.from == "remote") ++sum_.remote;
    sum_.bytes += static_cast<double>(o.bytes_sent);
    sum_.float32 += static_cast<double>(o.float32_bytes);
    if (o.bytes_sent > 0) ++sum_.requests;
    if (o.bytes_sent > 0 && o.file_bytes > 0) {
      ++sum_.pictures;
      sum_.file += static_cast<double>(o.file_bytes);
    }
    sum_.ms.total += o.ms.total, sum_.ms.device += o.ms.device, sum_.ms.encode += o.ms.encode;
    sum_.ms.link += o.ms.link, sum_.ms.decode += o.ms.decode, sum_.ms.server += o.ms.server, sum_.ms.queue += o.ms.queue, sum_.ms.onward += o.ms.onward;
    for (const auto& h : o.hops) sum_.onward_bytes += static_cast<double>(h.bytes_sent);
    totals_.push_back(o.ms.total);
    if (o.predicted_ms && o.from != "fallback" && o.ms.total > 0) prediction_errors_.push_back(std::abs(*o.predicted_ms / o.ms.total - 1));
  }
  if (!how_.save_folder.empty())
    for (std::size_t i = 0; i < o.outputs.size(); ++i) {
      const auto name = i < how_.save_names.size() ? how_.save_names[i] : fmt::format("{}", i);
      auto file = new_file::write(std::filesystem::path(how_.save_folder) / file_name(sum_.inputs - 1, o.input, name), to_npy(o.outputs[i].view()));
      if (!file) return unexpected(std::move(file).error());
      NARROWS_TRY(file->commit());
    }
  top.resize(std::min(top.size(), how_.top));

  switch (how_.format) {
  case output_format::json: {
    json row{{"input", o.input}, {"label", label ? json(*label) : json()}};
    auto list = json::array();
    for (const auto& [k, score] : top) {
      json one{{"class", class_of(k)}, {"score", number(static_cast<double>(score))}};
      if (const auto name = classes.full_name_of(class_of(k)); !name.empty()) one["name"] = name;
      list.push_back(std::move(one));
    }
    row["top"] = std::move(list);
    row["source"] = o.failure ? "error" : std::string(o.from);
    row["bytes_sent"] = o.bytes_sent;
    row["latency_ms"] = spent_json(o.ms);
    if (how_.remote && !o.failure) row["finished_ms"] = o.finished_ms;
    if (o.predicted_ms) row["predicted_ms"] = number(*o.predicted_ms);
    if (!o.hops.empty()) {
      auto hops = json::array();
      for (const auto& h : o.hops)
        hops.push_back({{"encode", h.encode}, {"link", h.link}, {"decode", h.decode}, {"server", h.server}, {"bytes_sent", h.bytes_sent}, {"taken_over", h.taken_over}});
      row["onward"] = std::move(hops);
    }
    if (o.how) row["plan"] = to_json(*how_.network->network, *o.how);
    if (o.float_first) row["float_class"] = *o.float_first;
    if (o.file_bytes > 0) row["file_bytes"] = o.file_bytes;
    if (!scores && !o.outputs.empty()) {
      auto outputs = json::array();
      for (std::size_t i = 0; i < o.outputs.size(); ++i) {
        const auto v = o.outputs[i].values();
        json one{{"name", i < how_.save_names.size() ? how_.save_names[i] : ""}, {"shape", o.outputs[i].dims().dims()}};
        if (!v.empty()) {
          const auto [low, high] = std::minmax_element(v.begin(), v.end());
          one["min"] = number(static_cast<double>(*low));
          one["max"] = number(static_cast<double>(*high));
        }
        outputs.push_back(std::move(one));
      }
      row["outputs"] = std::move(outputs);
    }
    if (o.failure) row["error"] = one_line(o.failure->text());
    results_.push_back(std::move(row));
    break;
  }
  case output_format::csv: {
    const bool has = !top.empty();
    csv_line({o.input, label ? fmt::format("{}", *label) : "", has ? fmt::format("{}", class_of(top[0].first)) : "", has ? fmt::format("{}", top[0].second) : "",
      has ? classes.full_name_of(class_of(top[0].first)) : "", o.failure ? "error" : std::string(o.from), fmt::format("{}", o.bytes_sent),
      fmt::format("{:.4f}", o.ms.total), fmt::format("{:.4f}", o.ms.device), fmt::format("{:.4f}", o.ms.encode), fmt::format("{:.4f}", o.ms.link),
      fmt::format("{:.4f}", o.ms.decode), fmt::format("{:.4f}", o.ms.server), fmt::format("{:.4f}", o.ms.onward)});
    std::fflush(stdout);   // whoever reads along sees each answer when it is there
    break;
  }
  case output_format::table: {
    const std::size_t lines = std::max<std::size_t>(1, top.size());
    for (std::size_t i = 0; i < lines; ++i) {
      const bool has = i < top.size();
      const int k = has ? class_of(top[i].first) : 0;
      std::vector<std::string> cells{i == 0 ? shortened(o.input, 40) : ""};
      if (classes.has_labels()) cells.push_back(i == 0 && label ? shortened(classes.name_of(*label), 20) : "");
      std::string answer = has ? shortened(classes.name_of(k), 24) : "";
      if (!has && !o.outputs.empty())
        for (const auto& t : o.outputs) {
          if (!answer.empty()) answer += ' ';
          answer += to_string(t.dims());
        }
      cells.push_back(o.failure ? "error" : answer);
      cells.push_back(has ? score_text(top[i].second) : "");
      if (how_.remote) cells.push_back(i == 0 ? std::string(o.failure ? "error" : o.from) : "");
      cells.push_back(i == 0 && !o.failure ? bytes_text(static_cast<double>(o.bytes_sent)) : "");
      cells.push_back(i == 0 && !o.failure ? ms_text(o.ms.total) + " ms" : "");
      const auto line = table_->line(cells);
      fmt::print("{}\n", i == 0 ? line : faint(line));
    }
    std::fflush(stdout);
    break;
  }
  }
  return {};
}

exit_code answer_book::finish()
{
  start();
  const auto answered = sum_.inputs - sum_.errors;
  const auto per = [&](double x) { return answered > 0 ? x / static_cast<double>(answered) : 0.0; };
  const spent mean{per(sum_.ms.total), per(sum_.ms.device), per(sum_.ms.encode), per(sum_.ms.link), per(sum_.ms.decode), per(sum_.ms.server), per(sum_.ms.queue), per(sum_.ms.onward)};
  std::sort(totals_.begin(), totals_.end());
  const double median = totals_.empty() ? 0 : totals_[totals_.size() / 2];
  std::sort(prediction_errors_.begin(), prediction_errors_.end());
  std::optional<double> off, seconds;
  if (!prediction_errors_.empty()) off = prediction_errors_[prediction_errors_.size() / 2];
  if (began_) seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - *began_).count();
  const auto maybe = [](bool known, std::size_t n) { return known ? json(n) : json(); };
  const auto& g = *how_.network->network;

  if (how_.format == output_format::json) {
    json all{{"schema", 1}, {"tool_version", NARROWS_VERSION}, {"model", model_json(*how_.network)}};
    all["plan"] = plan_ ? json(to_json(g, *plan_)) : json();
    all["results"] = std::move(results_);
    all["summary"] = {{"inputs", sum_.inputs}, {"top1", maybe(sum_.labelled > 0, sum_.top1)}, {"top5", maybe(sum_.labelled > 0, sum_.top5)},
      {"agreement", maybe(sum_.compared > 0, sum_.agreeing)}, {"bytes_per_input", per(sum_.bytes)}, {"fallback", sum_.fallback}, {"errors", sum_.errors},
      {"labelled", sum_.labelled}, {"compared", sum_.compared}, {"remote", sum_.remote}, {"local", sum_.local}, {"float32_bytes_per_input", per(sum_.float32)},
      {"file_bytes_per_input", sum_.pictures > 0 ? json(sum_.file / static_cast<double>(sum_.pictures)) : json()},
      {"latency_ms", spent_json(mean)}, {"median_ms", median}, {"prediction_error", off ? json(*off) : json()}, {"seconds", seconds ? json(*seconds) : json()}};
    fmt::print("{}\n", all.dump(2, ' ', false, json::error_handler_t::replace));
  } else if (how_.format == output_format::table) {
    const auto share = [](std::size_t n, std::size_t of) { return fmt::format("{} of {} ({:.1f} %)", n, of, 100.0 * static_cast<double>(n) / static_cast<double>(of)); };
    fmt::print("\n");
    std::string line = fmt::format("{} input{}", sum_.inputs, sum_.inputs == 1 ? "" : "s");
    if (how_.remote) line += fmt::format("   remote {}   local {}   fallback {}", sum_.remote, sum_.local, sum_.fallback);
    line += fmt::format("   errors {}", sum_.errors);
    fmt::print("{}\n", line);
    if (sum_.labelled > 0) fmt::print("right       top-1 {}   top-5 {}\n", share(sum_.top1, sum_.labelled), share(sum_.top5, sum_.labelled));
    if (sum_.compared > 0) fmt::print("agreement   {} with the float, uncut network\n", share(sum_.agreeing, sum_.compared));
    if (answered > 0) {
      if (sum_.bytes > 0) {
        const double bytes = sum_.bytes / static_cast<double>(sum_.requests);
        std::string sent = fmt::format("{} per request", bytes_text(bytes));
        if (sum_.float32 > 0) sent += fmt::format("; the same as float32 {} ({:.1f} times)", bytes_text(sum_.float32 / static_cast<double>(sum_.requests)), sum_.float32 / sum_.bytes);
        if (sum_.pictures > 0) {
          const double file = sum_.file / static_cast<double>(sum_.pictures);
          sent += fmt::format("; the picture files {} ({:.1f} times)", bytes_text(file), file / bytes);
        }
        if (sum_.onward_bytes > 0) sent += fmt::format("; onward from there {}", bytes_text(sum_.onward_bytes / static_cast<double>(sum_.requests)));
        fmt::print("sent        {}\n", sent);
      }
      std::string parts = fmt::format("device {}", ms_text(mean.device));
      if (sum_.bytes > 0)
        parts += fmt::format(" + encode {} + link {} + decode {} + server {}", ms_text(mean.encode), ms_text(mean.link), ms_text(mean.decode), ms_text(mean.server));
      if (mean.onward > 0) parts += fmt::format(" + onward {}", ms_text(mean.onward));
      fmt::print("time        {} ms per input (median {}): {}\n", ms_text(mean.total), ms_text(median), parts);
      if (off) fmt::print("predicted   each to {:.1f} % of its time (median)\n", *off * 100);
    }
  }
  return first_failure_ ? exit_code_of(*first_failure_) : exit_code::ok;
}

}  // namespace narrows::tool
