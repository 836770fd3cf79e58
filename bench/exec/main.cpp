// SPDX-License-Identifier: BSD-3-Clause
// One thread of the reference executor against one thread of OpenCV's dnn module, request by request in turn, on the
// models given, as a Markdown table. Times are processor time of this process, so that a busy machine spoils both alike.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <fstream>
#include <iterator>
#include <map>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include <opencv2/core.hpp>
#include <opencv2/dnn.hpp>

#include <narrows/exec/module.hpp>
#include <narrows/graph/cost.hpp>
#include <narrows/onnx/import.hpp>
#include <narrows/onnx/onnx.pb.h>

namespace {

/// Processor time of this process while f runs, in milliseconds.
template <class F>
double processor_time(F&& f)
{
  const auto now = [] {
    timespec t{};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return static_cast<double>(t.tv_sec) * 1e3 + static_cast<double>(t.tv_nsec) * 1e-6;
  };
  const double before = now();
  f();
  return now() - before;
}

struct summary {
  double least, median, spread;  // spread: half the distance between the quartiles
};
summary summarise(std::vector<double> x)
{
  std::sort(x.begin(), x.end());
  const auto at = [&](double q) { return x[static_cast<std::size_t>(q * static_cast<double>(x.size() - 1))]; };
  return {x.front(), at(0.5), (at(0.75) - at(0.25)) / 2};
}

std::string bytes_of(const std::string& file)
{
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

/// The model with Clip's bounds as attributes, as before opset 11: OpenCV 4.6 does not read them from constants.
std::string with_clip_attributes(const std::string& bytes)
{
  narrows::onnx_wire::Model model;
  if (!model.ParseFromString(bytes)) return bytes;
  std::map<std::string, float> scalars;
  const auto keep = [&](const std::string& name, const narrows::onnx_wire::Tensor& t) {
    if (t.float_data_size() == 1) scalars[name] = t.float_data(0);
    else if (t.data_type() == 1 && t.raw_data().size() == sizeof(float)) std::memcpy(&scalars[name], t.raw_data().data(), sizeof(float));
  };
  auto& g = *model.mutable_graph();
  for (const auto& t : g.initializer()) keep(t.name(), t);
  for (const auto& n : g.node())
    if (n.op_type() == "Constant" && n.attribute_size() == 1) keep(n.output(0), n.attribute(0).t());
  for (auto& n : *g.mutable_node()) {
    if (n.op_type() != "Clip" || n.input_size() != 3) continue;
    for (const int i : {1, 2}) {
      auto& a = *n.add_attribute();
      a.set_name(i == 1 ? "min" : "max");
      a.set_type(1);
      a.set_f(scalars[n.input(i)]);
    }
    n.mutable_input()->DeleteSubrange(1, 2);
  }
  return model.SerializeAsString();
}

int usage()
{
  std::fputs("usage: narrows_bench_exec [--level L] [--repeats N] [--nodes] MODEL.onnx...\n", stderr);
  return 2;
}

}  // namespace

int main(int argc, char** argv)
{
  std::string level = "auto";
  int repeats = 30;
  bool nodes = false;
  std::vector<std::string> files;
  for (int i = 1; i < argc; ++i) {
    const std::string arg = argv[i];
    if (arg == "--nodes") nodes = true;
    else if ((arg == "--level" || arg == "--repeats") && i + 1 < argc) (arg == "--level" ? level = argv[++i] : (repeats = std::atoi(argv[++i]), level));
    else if (!arg.empty() && arg[0] == '-') return usage();
    else files.push_back(arg);
  }
  if (files.empty() || repeats < 1) return usage();
  const auto engine = narrows::load_engine(level);
  if (!engine) return std::fprintf(stderr, "%s\n", engine.error().text().c_str()), 1;
  cv::setNumThreads(1);

  std::puts("| model | multiply-adds, M | ours, ms | GFLOP/s | OpenCV, ms | ratio |\n| --- | --- | --- | --- | --- | --- |");
  double product = 1;
  for (const auto& file : files) {
    const auto model = narrows::load_onnx(file);
    if (!model) return std::fprintf(stderr, "%s\n", model.error().text().c_str()), 1;
    const auto slice = narrows::whole_slice(model->network);
    auto executor = engine->load(slice);
    if (!executor) return std::fprintf(stderr, "%s\n", executor.error().text().c_str()), 1;
    narrows::tensor in(executor->inputs()[0].dims);
    std::mt19937 random(1);
    for (float& x : in.values()) x = std::uniform_real_distribution<float>(-1, 1)(random);
    std::vector<narrows::tensor> out;
    std::vector<narrows::mutable_tensor_view> to;
    for (const auto& o : executor->outputs()) out.emplace_back(o.dims);
    for (auto& o : out) to.push_back(o.view());
    const std::vector<narrows::tensor_view> from{in.view()};
    narrows::run_options how;
    const auto ours = [&] {
      if (const auto done = executor->run(from, to, how); !done) {
        std::fprintf(stderr, "%s\n", done.error().text().c_str());
        std::exit(1);
      }
    };

    const auto theirs_model = with_clip_attributes(bytes_of(file));
    auto net = cv::dnn::readNetFromONNX(theirs_model.data(), theirs_model.size());
    net.setPreferableBackend(cv::dnn::DNN_BACKEND_OPENCV);
    net.setPreferableTarget(cv::dnn::DNN_TARGET_CPU);
    std::vector<int> extents;
    for (const auto e : in.dims().dims()) extents.push_back(static_cast<int>(e));
    const cv::Mat blob(extents, CV_32F, in.values().data());
    const auto names = net.getUnconnectedOutLayersNames();
    std::vector<cv::Mat> answers;
    const auto theirs = [&] {
      net.setInput(blob);
      net.forward(answers, names);
    };

    for (int i = 0; i < 2; ++i) {
      ours();
      theirs();
    }
    // Two engines that compute the same differ by rounding alone.
    const auto& expected = answers[0];
    const auto got = std::as_const(out[0]).values();
    if (expected.total() != got.size()) return std::fprintf(stderr, "%s: OpenCV answers with %zu values, ours with %zu\n", model->name.c_str(), expected.total(), got.size()), 1;
    float largest = 0, apart = 0;
    for (std::size_t i = 0; i < got.size(); ++i) {
      const float theirs_at = expected.ptr<float>()[i];
      largest = std::max(largest, std::abs(theirs_at));
      apart = std::max(apart, std::abs(theirs_at - got[i]));
    }
    if (!(apart <= 1e-3F * largest)) return std::fprintf(stderr, "%s: answers differ by %g of %g\n", model->name.c_str(), static_cast<double>(apart), static_cast<double>(largest)), 1;
    std::vector<double> a, b, ratios;
    for (int i = 0; i < repeats; ++i) {
      const double x = processor_time(ours), y = processor_time(theirs);
      a.push_back(x), b.push_back(y), ratios.push_back(y / x);
    }
    const auto macs = static_cast<double>(narrows::multiply_adds(*model->network));
    const auto s = summarise(a), t = summarise(b);
    const double ratio = summarise(ratios).median;
    product *= ratio;
    std::printf("| %s | %.0f | %.2f ± %.2f | %.1f | %.2f ± %.2f | %.2f |\n", model->name.c_str(), macs * 1e-6, s.median, s.spread, 2 * macs / s.median * 1e-6, t.median, t.spread, ratio);

    if (nodes) {
      std::map<std::size_t, std::vector<double>> spent;
      how.on_node = [&](narrows::node_id n, std::chrono::nanoseconds d) { spent[narrows::index(n)].push_back(std::chrono::duration<double, std::micro>(d).count()); };
      for (int i = 0; i < repeats; ++i) ours();
      for (auto& [n, times] : spent) {
        const auto& node = (*model->network)[static_cast<narrows::node_id>(n)];
        const double us = summarise(times).least, flops = 2 * static_cast<double>(narrows::multiply_adds(*model->network, static_cast<narrows::node_id>(n)));
        std::printf("  %-12s in %-16s out %-16s %9.1f us %7.1f GFLOP/s  %s\n", node.type.c_str(), narrows::to_string((*model->network)[node.inputs[0]].dims).c_str(),
                    narrows::to_string((*model->network)[node.outputs[0]].dims).c_str(), us, flops / us * 1e-3,
                    node.inputs.size() > 1 ? narrows::to_string((*model->network)[node.inputs[1]].dims).c_str() : "");
      }
    }
  }
  std::printf("\nGeometric mean of the ratios: %.2f.\n", std::pow(product, 1.0 / static_cast<double>(files.size())));
}
