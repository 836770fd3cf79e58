// SPDX-License-Identifier: BSD-3-Clause
// Our codecs as a program reaches them. A codec that is new to pack/coder.hpp appears here by itself.
#include <memory>

#include <narrows/pack/codecs.hpp>
#include <narrows/pack/packed_tensor.hpp>

#include "contender.hpp"

namespace narrows::bench {

void add_narrows(std::vector<contender>& to)
{
  use_library_codecs();
  for (const codec c : all_codecs) {
    if (!has_codes(c) || !can_code(c)) continue;
    const std::string name(to_string(c));
    const auto begin = [c, name](std::size_t, const affine& levels, int bits) {
      struct sent {
        coding how;
        descriptor what;
        aligned_vector<std::uint8_t> payload;
      };
      const auto s = std::make_shared<sent>();
      s->how = {c, bits, range_rule::calibrated, {}, std::make_shared<const std::vector<affine>>(1, levels)};
      return session{[=](std::span<const float> x) {
                       auto d = encode(tensor_view(x, {static_cast<std::int64_t>(x.size())}), s->how, s->payload);
                       if (!d) fail(name, message(d.error()));
                       s->what = std::move(*d);
                       return s->payload.size();
                     },
        [=](std::span<float> out) {
          if (const auto done = decode(s->what, s->payload, out); !done) fail(name, message(done.error()));
        }};
    };
    to.push_back({name, begin});
  }
}

}  // namespace narrows::bench
