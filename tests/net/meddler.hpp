// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>
#include <functional>
#include <stop_token>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "net/frames.hpp"

namespace narrows::test {

/// A link between one edge and a cloud, with a hand in between: either hook may change the frames (envelope first) of a
/// message, or multiply it.
class meddler {
public:
  using hook = std::function<messages(frames)>;

  meddler(const std::string& cloud, hook to_cloud, hook to_edge)
  {
    front_.set(zmq::sockopt::linger, 0);
    back_.set(zmq::sockopt::linger, 0);
    front_.bind("tcp://127.0.0.1:*");
    endpoint_ = front_.get(zmq::sockopt::last_endpoint);
    back_.connect(cloud);
    thread_ = std::jthread([this, to_cloud = std::move(to_cloud), to_edge = std::move(to_edge)](const std::stop_token& stop) {
      std::vector<std::uint8_t> peer;
      while (!stop.stop_requested()) {
        zmq::pollitem_t items[]{{front_.handle(), 0, ZMQ_POLLIN, 0}, {back_.handle(), 0, ZMQ_POLLIN, 0}};
        zmq::poll(items, 2, 10ms);
        for (auto m = receive(front_); !m.empty(); m = receive(front_)) {
          peer = m.front();
          m.erase(m.begin());
          for (const auto& out : to_cloud(std::move(m))) send(back_, out);
        }
        for (auto m = receive(back_); !m.empty(); m = receive(back_))
          for (auto& out : to_edge(std::move(m))) {
            out.insert(out.begin(), peer);
            send(front_, out);
          }
      }
    });
  }
  [[nodiscard]] const std::string& endpoint() const { return endpoint_; }

  static messages pass(frames m) { return {std::move(m)}; }

private:
  zmq::context_t context_;
  zmq::socket_t front_{context_, zmq::socket_type::router};
  zmq::socket_t back_{context_, zmq::socket_type::dealer};
  std::string endpoint_;
  std::jthread thread_;
};

}  // namespace narrows::test
