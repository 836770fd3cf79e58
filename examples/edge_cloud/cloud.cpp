// SPDX-License-Identifier: BSD-3-Clause
// The cloud half of the pair: serves one model until it is interrupted.
//
//   example_cloud MODEL [ENDPOINT]        e.g.  example_cloud shapes.onnx tcp://127.0.0.1:5599
//
// ENDPOINT tcp://127.0.0.1:* takes a free port; the first line of output says which.
#include <csignal>
#include <cstdio>
#include <string>
#include <string_view>
#include <thread>

#include <narrows/exec/reference/engine.hpp>
#include <narrows/net/server.hpp>
#include <narrows/onnx/import.hpp>

int main(int argc, char** argv)
{
  if (argc < 2 || argc > 3) {
    std::fprintf(stderr, "usage: %s MODEL [ENDPOINT]\n", argv[0]);
    return 2;
  }
  // SIGINT and SIGTERM are taken by one thread that waits for them; every thread started later inherits the mask.
  sigset_t ends;
  sigemptyset(&ends);
  sigaddset(&ends, SIGINT);
  sigaddset(&ends, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &ends, nullptr);

  auto network = narrows::load_onnx(argv[1]);
  if (!network) {
    std::fprintf(stderr, "%s\n", network.error().text().c_str());
    return 3;
  }

  narrows::cloud_options options;
  options.endpoint = argc > 2 ? argv[2] : "tcp://127.0.0.1:5599";
  options.workers = 2;
  options.log = [](narrows::log_level level, std::string_view line) {
    if (level >= narrows::log_level::warning)
      std::fprintf(stderr, "%.*s\n", static_cast<int>(line.size()), line.data());
  };
  auto server = narrows::cloud::bind({*network}, narrows::reference_engine(), options);
  if (!server) {
    std::fprintf(stderr, "%s\n", server.error().text().c_str());
    return 1;
  }
  std::printf("%s\n", server->endpoint().c_str());
  std::fflush(stdout);

  std::jthread serving([&server](std::stop_token stop) { server->run(stop); });
  int which = 0;
  sigwait(&ends, &which);
  serving.request_stop();
}
