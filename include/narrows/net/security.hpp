// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <string_view>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>
#include <vector>

#include <zmq.hpp>

#include <narrows/core/result.hpp>

namespace narrows {

/// A CURVE key in Z85 text: 40 characters for 32 bytes.
using curve_key = std::string;
inline constexpr std::size_t curve_key_length = 40;

struct curve_keys {
  curve_key public_key;
  curve_key secret_key;
};

/// What an edge needs: its own keys, and the public key of the cloud, by which it knows the cloud.
struct curve_client {
  curve_keys own;
  curve_key server;
};

/// What a cloud needs: its own keys and the public keys of the edges it serves. An empty list admits nobody.
struct curve_server {
  curve_keys own;
  std::vector<curve_key> allowed;
};

/// Whether a text is a key: 40 characters that decode to 32 bytes.
[[nodiscard]] inline bool is_curve_key(const std::string& text)
{
  std::array<std::uint8_t, 32> bytes{};
  return text.size() == curve_key_length && zmq_z85_decode(bytes.data(), text.c_str()) != nullptr;
}

/// A fresh key pair. Errors: internal, where libzmq was built without CURVE.
[[nodiscard]] inline result<curve_keys> make_curve_keys()
{
  std::array<char, curve_key_length + 1> open{};
  std::array<char, curve_key_length + 1> secret{};
  if (zmq_curve_keypair(open.data(), secret.data()) != 0) return error(errc::internal, "libzmq was built without CURVE");
  return curve_keys{open.data(), secret.data()};
}

/// Writes both keys to `file`, readable by its owner only ("public KEY", "secret KEY"). An existing file is kept:
/// whoever replaces a key should say so by removing the old one.
/// Errors: io_error.
[[nodiscard]] inline result<void> write_curve_keys(const std::filesystem::path& file, const curve_keys& keys)
{
  const int out = ::open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, S_IRUSR | S_IWUSR);
  if (out < 0) return error(errc::io_error, file.string() + ": " + std::strerror(errno));
  const std::string text = "public " + keys.public_key + "\nsecret " + keys.secret_key + "\n";
  const auto written = ::write(out, text.data(), text.size());
  if (::close(out) != 0 || written != static_cast<ssize_t>(text.size())) return error(errc::io_error, file.string() + ": not written");
  return {};
}

/// Reads what `write_curve_keys` wrote.
/// Errors   io_error; authentication: others than the owner may read the file; bad_input: not a key file.
[[nodiscard]] inline result<curve_keys> read_curve_keys(const std::filesystem::path& file)
{
  struct ::stat about {};
  if (::stat(file.c_str(), &about) != 0) return error(errc::io_error, file.string() + ": " + std::strerror(errno));
  if ((about.st_mode & (S_IRWXG | S_IRWXO)) != 0)
    return error(errc::authentication, file.string() + ": others may read this secret key; chmod 600 it");
  std::ifstream in(file);
  curve_keys keys;
  std::string word;
  std::string key;
  for (int lines = 0; lines < 16 && in >> word >> key; ++lines) {
    if (word == "public") keys.public_key = key;
    if (word == "secret") keys.secret_key = key;
  }
  if (!is_curve_key(keys.public_key) || !is_curve_key(keys.secret_key)) return error(errc::bad_input, file.string() + ": not a key file");
  return keys;
}

/// Public keys, one at the start of each line; after a space a line may say whose it is. Lines that start with "# "
/// and empty ones are skipped ('#' alone may start a key).
/// Errors   io_error; bad_input: a line that is none of these.
[[nodiscard]] inline result<std::vector<curve_key>> read_allowed_keys(const std::filesystem::path& file)
{
  std::ifstream in(file);
  if (!in) return error(errc::io_error, file.string() + ": " + std::strerror(errno));
  std::vector<curve_key> keys;
  std::string line;
  for (int number = 1; std::getline(in, line); ++number) {
    if (line.empty() || line == "#" || line.starts_with("# ")) continue;
    std::istringstream words(line);
    std::string key;
    words >> key;
    if (key == "public") words >> key;   // the line of a key file will do
    if (!is_curve_key(key)) return error(errc::bad_input, file.string() + " line " + std::to_string(number) + ": not a public key");
    keys.push_back(std::move(key));
  }
  return keys;
}

/// Whether an endpoint stays on this machine: tcp to 127.x.x.x, ::1 or localhost; ipc; inproc.
[[nodiscard]] inline bool is_loopback(std::string_view endpoint)
{
  if (endpoint.starts_with("ipc://") || endpoint.starts_with("inproc://")) return true;
  constexpr std::string_view tcp = "tcp://";
  if (!endpoint.starts_with(tcp)) return false;
  auto address = endpoint.substr(tcp.size());
  // A source address may stand before the peer's: "tcp://SOURCE;PEER".
  if (const auto semicolon = address.find(';'); semicolon != std::string_view::npos) address.remove_prefix(semicolon + 1);
  const auto colon = address.rfind(':');
  const auto host = address.substr(0, colon);
  if (host == "localhost" || host == "[::1]" || host == "::1") return true;
  if (!host.starts_with("127.")) return false;
  return host.find_first_not_of("0123456789.") == std::string_view::npos;   // not a name such as 127.example.org
}

namespace detail {

/// Answers libzmq's question "may this peer come in?" (ZAP, RFC 27 of rfc.zeromq.org) from an allow-list.
/// One per context; its socket must be bound before peers connect, and is polled with the front.
class zap_handler {
public:
  zap_handler(zmq::context_t& context, const std::vector<curve_key>& allowed) : socket_(context, zmq::socket_type::rep)
  {
    for (const auto& key : allowed) {
      std::array<std::uint8_t, 32> bytes{};
      if (key.size() == curve_key_length && zmq_z85_decode(bytes.data(), key.c_str()) != nullptr) allowed_.push_back(bytes);
    }
    socket_.set(zmq::sockopt::linger, 0);
    socket_.bind("inproc://zeromq.zap.01");
  }

  [[nodiscard]] zmq::socket_t& socket() noexcept { return socket_; }

  /// Answers one question; returns the address of a peer that was turned away, else nothing.
  std::string serve_one()
  {
    std::vector<std::string> parts;
    zmq::message_t part;
    do {
      if (!socket_.recv(part, zmq::recv_flags::dontwait)) return {};
      parts.push_back(part.to_string());
    } while (part.more());
    const bool admitted = parts.size() == 7 && parts[0] == "1.0" && parts[5] == "CURVE" && knows(parts[6]);
    const std::string id = parts.size() > 1 ? parts[1] : "";
    const std::array<std::string, 6> answer{"1.0", id, admitted ? "200" : "400", admitted ? "OK" : "key is not on the list", "", ""};
    for (std::size_t i = 0; i < answer.size(); ++i)
      socket_.send(zmq::buffer(answer[i]), i + 1 < answer.size() ? zmq::send_flags::sndmore : zmq::send_flags::none);
    if (admitted) return {};
    return parts.size() > 3 ? parts[3] : "unknown address";
  }

private:
  [[nodiscard]] bool knows(const std::string& key) const
  {
    bool found = false;
    for (const auto& one : allowed_) found |= key.size() == one.size() && std::memcmp(key.data(), one.data(), one.size()) == 0;
    return found;
  }

  zmq::socket_t socket_;
  std::vector<std::array<std::uint8_t, 32>> allowed_;
};

}  // namespace detail
}  // namespace narrows
