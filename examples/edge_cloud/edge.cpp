// SPDX-License-Identifier: BSD-3-Clause
// The edge half of the pair: runs the first part of a model here, sends what crosses the cut, prints each answer.
//
//   example_edge MODEL ENDPOINT TENSOR BITS [REQUESTS [PAUSE_MS]]
//   e.g.  example_edge shapes.onnx tcp://127.0.0.1:5599 input 8
//
// TENSOR is where the network is cut ("input": all in the cloud; "none": all here), BITS the width of each value sent
// (32: float32 as it is). The inputs are random numbers, the same in every run. If the cloud is slow or away, the
// answers are the device's own.
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <narrows/exec/reference/engine.hpp>
#include <narrows/graph/cut.hpp>
#include <narrows/net/client.hpp>
#include <narrows/onnx/import.hpp>

namespace {

int fail(const narrows::error& why)
{
  std::fprintf(stderr, "%s\n", why.text().c_str());
  return 1;
}

double milliseconds(std::chrono::nanoseconds t) { return std::chrono::duration<double, std::milli>(t).count(); }

/// One input of random values between 0 and 1 per input of the network.
std::vector<narrows::tensor> random_inputs(const narrows::graph& network, std::mt19937& random)
{
  std::vector<narrows::tensor> inputs;
  for (const auto v : network.inputs()) {
    narrows::tensor x(network[v].dims);
    for (auto& value : x.values()) value = static_cast<float>(random() % 256) / 255.0F;
    inputs.push_back(std::move(x));
  }
  return inputs;
}

}  // namespace

int main(int argc, char** argv)
{
  if (argc < 5 || argc > 7) {
    std::fprintf(stderr, "usage: %s MODEL ENDPOINT TENSOR BITS [REQUESTS [PAUSE_MS]]\n", argv[0]);
    return 2;
  }
  const auto network = narrows::load_onnx(argv[1]);
  if (!network) return fail(network.error());
  const auto& graph = *network->network;
  const int bits = std::atoi(argv[4]);
  const int requests = argc > 5 ? std::atoi(argv[5]) : 20;
  const std::chrono::milliseconds pause(argc > 6 ? std::atoi(argv[6]) : 0);

  // The plan: where to cut, and how each tensor that crosses is coded.
  const std::vector<std::string> where{argv[3]};
  const auto at = narrows::find_cut(graph, where);
  if (!at) return fail(at.error());
  narrows::coding how;
  how.coded_as = bits == 32 ? narrows::codec::raw : narrows::codec::dense;
  how.width = bits;
  const narrows::plan plan{*at, std::vector<narrows::coding>(at->tensors.size(), how), 0};

  narrows::edge_options options;
  options.endpoint = argv[2];
  auto edge = narrows::edge::connect(*network, narrows::reference_engine(), options);
  if (!edge) return fail(edge.error());

  std::mt19937 random(1);
  for (int i = 0; i < requests; ++i) {
    const auto inputs = random_inputs(graph, random);
    std::vector<narrows::tensor_view> views;
    for (const auto& x : inputs) views.push_back(x.view());
    const auto answer = edge->infer(views, plan, std::chrono::seconds(10));
    if (!answer) return fail(answer.error());

    const auto scores = answer->outputs[0].values();
    const auto best = std::max_element(scores.begin(), scores.end()) - scores.begin();
    const auto& t = answer->latency;
    std::printf("%2d: class %td score %.6f, %.*s, %llu bytes sent, %.2f ms (device %.2f, encode %.2f, link %.2f, decode %.2f, server %.2f)\n",
      i, best, static_cast<double>(scores[static_cast<std::size_t>(best)]), static_cast<int>(to_string(answer->from).size()), to_string(answer->from).data(),
      static_cast<unsigned long long>(answer->bytes_sent), milliseconds(t.total), milliseconds(t.device), milliseconds(t.encode),
      milliseconds(t.link), milliseconds(t.decode), milliseconds(t.server));
    if (!answer->warning.empty()) std::fprintf(stderr, "%2d: %s\n", i, answer->warning.c_str());
    std::fflush(stdout);
    std::this_thread::sleep_for(pause);
  }
}
