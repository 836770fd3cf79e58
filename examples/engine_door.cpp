// SPDX-License-Identifier: BSD-3-Clause
// Packs what an inference engine keeps, an NHWC buffer of float16, as it lies, and reads it back into a buffer of another engine:
// NCHW, int8 codes. Nothing is copied to float32 and back, and a request allocates nothing.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <span>
#include <vector>

#include <narrows/pack/half.hpp>
#include <narrows/pack/packed_tensor.hpp>

int main()
{
  // 2 pictures, 56x56 positions, 64 channels. std::uint16_t stands for the engine's own type of halves.
  const narrows::shape nhwc{2, 56, 56, 64}, nchw{2, 64, 56, 56};
  std::vector<std::uint16_t> activations(nhwc.elements());
  std::uint32_t state = 1;
  for (auto& half : activations) {   // half zeros, as a ReLU leaves them
    state = state * 1664525U + 1013904223U;
    half = narrows::half_of_float(std::max(0.0F, static_cast<float>(state >> 8) * 0x1p-18F - 32.0F));
  }
  std::vector<std::int8_t> answers(nchw.elements());

  // A view says what a buffer holds. Streamed as nchw, channels stand together, so that each can have a scale of its own.
  const auto from = streamed_as(narrows::value_order::nchw, narrows::nhwc_view(activations.data(), narrows::element::float16, nhwc));
  const auto to = narrows::nchw_view(answers.data(), narrows::element::int8, nchw, {0.5F, -128});

  narrows::coding how{narrows::codec::runs, 4};
  how.group.axis = 1;
  std::vector<std::uint8_t> payload(narrows::most_payload_bytes(from.dims.elements(), how.width));   // memory of the caller's
  narrows::descriptor described;   // keeps its capacity for scales from one request to the next
  for (int request = 0; request < 3; ++request) {
    const auto encoded = narrows::encode(from, how, payload, described);
    if (!encoded) return std::puts(narrows::message(encoded.error()).data()), 1;
    const auto bytes = std::span(payload).first(described.payload_bytes);

    // The other side, which has its own idea of the tensor, checks the descriptor before it uses it.
    if (check(described, nchw) != narrows::errc::ok) return 1;
    const auto decoded = narrows::decode(described, bytes, to);
    if (!decoded) return std::puts(narrows::message(decoded.error()).data()), 1;
    std::printf("request %d: %zu bytes of float16 travel in %zu\n", request, 2 * activations.size(), bytes.size());
  }

  const std::size_t channel = 40, row = 3, column = 5;
  const float before = narrows::float_of_half(activations[(row * 56 + column) * 64 + channel]);
  const int after = answers[(channel * 56 + row) * 56 + column];
  std::printf("one value: %.2f before, %.2f after\n", static_cast<double>(before), 0.5 * (after + 128));
}
