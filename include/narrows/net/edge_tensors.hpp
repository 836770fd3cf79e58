// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <zmq.hpp>

#include <narrows/core/result.hpp>
#include <narrows/graph/cut.hpp>
#include <narrows/graph/model.hpp>
#include <narrows/net/answer.hpp>
#include <narrows/net/payload.hpp>
#include <narrows/net/pending.hpp>
#include <narrows/pack/packed_tensor.hpp>

namespace narrows::detail {

/// Whether a request is one that this network can have. Errors: bad_input, bad_cut.
[[nodiscard]] inline result<void> check_request(const model& what, const edge_request& asked)
{
  const auto& g = *what.network;
  if (asked.deadline.count() <= 0) return error(errc::bad_input, "a request needs a deadline");
  if (asked.how == nullptr || asked.how->at.head.size() != g.nodes().size() || asked.how->at.tensors.size() != asked.how->codings.size())
    return error(errc::bad_cut, "plan is not for " + what.name);
  if (asked.from && (asked.from->head.size() != g.nodes().size() || !lies_behind(*asked.from, asked.how->at)))
    return error(errc::bad_cut, what.name + ": the plan cuts before the place where the request starts");
  const auto takes = asked.from ? std::span<const value_id>(asked.from->tensors) : g.inputs();
  if (asked.inputs.size() != takes.size())
    return error(errc::bad_input, std::to_string(asked.inputs.size()) + " tensors, " + what.name + " takes " + std::to_string(takes.size()));
  for (std::size_t i = 0; i < asked.inputs.size(); ++i)
    if (const auto& want = g[takes[i]]; !(asked.inputs[i].dims() == want.dims))
      return error(errc::bad_input, "tensor '" + want.name + "' is " + to_string(asked.inputs[i].dims()) + ", expected " + to_string(want.dims));
  return {};
}

/// Bytes that a payload most often has, or has before it is shortened.
[[nodiscard]] inline std::size_t likely_bytes(std::size_t values, const coding& how, const encoded_input* given) noexcept
{
  if (is_picture(how.coded_as)) return given == nullptr ? 0 : given->bytes.size();
  return how.coded_as != codec::raw && is_packable_width(how.width) ? packed_bytes(values, how.width) : 4 * values;
}

/// Codes what crosses as the plan says, or as it came. Errors: unsupported_codec, and those of pack's `encode`; each names the tensor.
[[nodiscard]] inline result<void> encode_crossing(const graph& g, pending& p, const edge_request& asked)
{
  const auto* given = asked.encoded;
  for (std::size_t i = 0; i < p.how.at.tensors.size(); ++i) {
    const auto v = p.how.at.tensors[i];
    const auto& how = p.how.codings[i];
    const auto came = std::find_if(asked.as_came.begin(), asked.as_came.end(), [v](const coded_tensor& c) { return c.which == v; });
    auto bytes = p.spare->take_payload(came != asked.as_came.end() ? came->bytes.size() : likely_bytes(g[v].dims.elements(), how, given));
    wire::tensor_header header;
    header.name = g[v].name;
    if (came != asked.as_came.end()) {
      bytes->assign(came->bytes.begin(), came->bytes.end());
      header.what = *came->what;
    } else if (is_picture(how.coded_as)) {
      const bool as_pixels = given != nullptr && how.coded_as == codec::predicted && given->coded_as == codec::pixels;   // where that was no shorter
      if (given == nullptr || !(given->coded_as == how.coded_as || as_pixels) || g[v].producer)
        return error(errc::unsupported_codec, "tensor '" + header.name + "': " + std::string(to_string(how.coded_as)) + " needs the encoded input, at the input");
      header.what.coded_as = given->coded_as;
      bytes->assign(given->bytes.begin(), given->bytes.end());
      header.what.dims = g[v].dims;
      header.what.order = given->order;
      header.what.payload_bytes = bytes->size();
    } else {
      auto made = encode(p.kept.at(v).view(), how, *bytes);
      if (!made) return error(made.error(), "tensor '" + header.name + "'");
      if (made->coded_as == codec::raw && how.coded_as != codec::raw) p.note = "tensor '" + header.name + "' holds values that cannot be quantised: sent as float32";
      header.what = std::move(made).value();
    }
    header.crc32c = crc32c(*bytes);
    p.headers.push_back(std::move(header));
    p.payloads.push_back(std::move(bytes));
  }
  return {};
}

/// The tensors of a reply, each checked against the network: every output that the head did not make, and no others.
/// Errors: bad_message, integrity.
[[nodiscard]] inline result<slice_runner::tensors> outputs_of(const graph& g, const pending& p, const wire::reply& reply, const std::vector<zmq::message_t>& payloads)
{
  if (reply.outputs.size() != payloads.size()) return error(errc::bad_message, "reply: frames and headers differ in number");
  slice_runner::tensors made;
  for (std::size_t i = 0; i < payloads.size(); ++i) {
    const auto& header = reply.outputs[i];
    const auto v = g.find(header.name);
    if (!v || std::find(g.outputs().begin(), g.outputs().end(), *v) == g.outputs().end()) return error(errc::bad_message, "reply: '" + header.name + "' is no output");
    if (p.kept.contains(*v) || p.made_before(g[*v])) return error(errc::bad_message, "reply: output '" + header.name + "' was made before the cut");
    if (header.what.coded_as != codec::raw || check(header.what, g[*v].dims) != errc::ok || payloads[i].size() != header.what.payload_bytes)
      return error(errc::bad_message, "reply: output '" + header.name + "' is not float32 " + to_string(g[*v].dims));
    if (crc32c(bytes_of(payloads[i])) != header.crc32c) return error(errc::integrity, "reply: output '" + header.name + "'");
    tensor values(g[*v].dims);
    if (const auto done = decode(header.what, bytes_of(payloads[i]), values.values()); !done) return error(done.error(), "reply: output '" + header.name + "'");
    made.insert_or_assign(*v, std::move(values));
  }
  for (const auto v : g.outputs())
    if (!made.contains(v) && !p.kept.contains(v) && !p.made_before(g[v])) return error(errc::bad_message, "reply: output '" + g[v].name + "' is missing");
  return made;
}

}  // namespace narrows::detail
