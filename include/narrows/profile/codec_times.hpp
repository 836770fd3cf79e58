// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include <narrows/core/result.hpp>
#include <narrows/core/tensor.hpp>
#include <narrows/pack/descriptor.hpp>
#include <narrows/pack/packed_tensor.hpp>
#include <narrows/profile/layer_times.hpp>
#include <narrows/profile/machine.hpp>

namespace narrows {

/// What one codec costs at one width: seconds = per_call + values * per_value.
struct codec_time {
  codec coded_as = codec::dense;
  int width = 8;                   ///< 0 for codecs without codes
  double encode_per_call_s = 0;
  double encode_per_value_s = 0;
  double decode_per_call_s = 0;
  double decode_per_value_s = 0;

  [[nodiscard]] double encode_s(double values) const noexcept { return encode_per_call_s + values * encode_per_value_s; }
  [[nodiscard]] double decode_s(double values) const noexcept { return decode_per_call_s + values * decode_per_value_s; }
  friend bool operator==(const codec_time&, const codec_time&) = default;
};

/// Encode and decode times on one machine. A codec or width that was not measured costs nothing in a prediction, so
/// measure what the plan may use.
struct codec_times {
  std::string machine;
  std::vector<codec_time> entries;

  /// Null where nothing was measured for the pair.
  [[nodiscard]] const codec_time* find(codec coded_as, int width) const noexcept
  {
    for (const auto& e : entries)
      if (e.coded_as == coded_as && (e.width == width || e.width == 0)) return &e;
    return nullptr;
  }
  friend bool operator==(const codec_times&, const codec_times&) = default;
};

/// Times `encode` (range from the data, the dearest rule) and `decode` for each pair, on a short tensor and on one of
/// 64x56x56 values of which half are zero, as after a ReLU; the two give cost per call and per value.
///
/// Errors: bad_input (repeats below 1), and what encode and decode give.
[[nodiscard]] inline result<codec_times> measure_codec_times(std::span<const codec> codecs, std::span<const int> widths, int repeats = 9)
{
  if (repeats < 1) return error(errc::bad_input, "profile: repeats must be at least 1");
  using timer = std::chrono::steady_clock;
  const shape small{1, 1, 16, 32}, large{1, 64, 56, 56};
  tensor short_one(small), long_one(large);
  std::uint32_t state = 1;
  for (auto* t : {&short_one, &long_one})
    for (auto& v : t->values()) {
      state = state * 1664525U + 1013904223U;
      v = std::max(0.0F, static_cast<float>(state >> 8) * 0x1p-22F - 2.0F);
    }

  codec_times all;
  all.machine = machine_name();
  const auto one = [&](const coding& how) -> result<codec_time> {
    double encode_s[2] = {}, decode_s[2] = {};
    for (const int size : {0, 1}) {
      const tensor& x = size == 0 ? short_one : long_one;
      const int calls = size == 0 ? 64 : 1;   // a short call alone would measure the clock
      tensor back(x.dims());
      aligned_vector<std::uint8_t> payload;
      std::vector<double> encoded, decoded;
      for (int r = -1; r < repeats; ++r) {
        const auto start = timer::now();
        for (int c = 1; c < calls; ++c) {
          auto again = encode(x.view(), how, payload);
          if (!again) return error(again.error(), "profile: encode as " + std::string(to_string(how.coded_as)));
        }
        const auto d = encode(x.view(), how, payload);
        const auto middle = timer::now();
        if (!d) return error(d.error(), "profile: encode as " + std::string(to_string(how.coded_as)));
        for (int c = 0; c < calls; ++c)
          if (auto read = decode(*d, payload, back.values()); !read)
            return error(read.error(), "profile: decode as " + std::string(to_string(how.coded_as)));
        const auto end = timer::now();
        if (r < 0) continue;  // warm-up
        encoded.push_back(std::chrono::duration<double>(middle - start).count() / calls);
        decoded.push_back(std::chrono::duration<double>(end - middle).count() / calls);
      }
      encode_s[size] = summarise(encoded).median_s;
      decode_s[size] = summarise(decoded).median_s;
    }
    const auto few = static_cast<double>(small.elements()), many = static_cast<double>(large.elements());
    codec_time t{how.coded_as, how.width, 0, 0, 0, 0};
    t.encode_per_value_s = std::max(0.0, (encode_s[1] - encode_s[0]) / (many - few));
    t.decode_per_value_s = std::max(0.0, (decode_s[1] - decode_s[0]) / (many - few));
    t.encode_per_call_s = std::max(0.0, encode_s[0] - few * t.encode_per_value_s);
    t.decode_per_call_s = std::max(0.0, decode_s[0] - few * t.decode_per_value_s);
    return t;
  };

  for (const codec c : codecs) {
    const int none[] = {0};
    for (const int b : has_codes(c) ? widths : std::span<const int>(none)) {
      coding how;
      how.coded_as = c;
      how.width = b;
      auto t = one(how);
      if (!t) return unexpected(std::move(t).error());
      all.entries.push_back(*t);
    }
  }
  return all;
}

}  // namespace narrows
