// SPDX-License-Identifier: BSD-3-Clause
// Tensors of more than 2^32 values: sizes by arithmetic, and one such tensor that takes addresses rather than memory.
#include <narrows/pack/packed_tensor.hpp>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <limits>
#include <memory>
#include <vector>

#include <sys/mman.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "support/random_data.hpp"

namespace narrows {
namespace {

constexpr std::size_t many = (std::size_t{1} << 32) + 12345;
constexpr auto most = std::numeric_limits<std::size_t>::max();

static_assert(sizeof(std::size_t) == 8);
static_assert(packed_bytes(std::size_t{1} << 32, 1) == std::size_t{1} << 29 &&
              packed_bytes(std::size_t{1} << 33, 16) == std::size_t{1} << 34);
static_assert(packed_bytes((std::size_t{1} << 40) + 3, 5) == (std::size_t{5} << 37) + 5);
static_assert(packed_bytes((std::size_t{1} << 44) + 1, 12) == (std::size_t{12} << 41) + 24);
static_assert(block_offset(std::size_t{1} << 35, 7) == std::size_t{448} << 35 && block_offset(most / 64, 1) == most / 64 * 64);
static_assert(block_offset(most / 64 + 1, 1) == most && block_offset(most, 16) == most && packed_bytes(most, 9) == most);
static_assert(block_count(most) == most / 512 + 1 && block_count(std::size_t{1} << 40) == std::size_t{1} << 31);
static_assert(reference::mask_bytes(std::size_t{1} << 35) == std::size_t{1} << 32 && reference::mask_bytes(most) == most / 8 + 1);
static_assert(
  least_runs_bytes(most) == most / 4096 + 1 && most_runs_bytes(std::size_t{1} << 36, 4) == (std::size_t{1} << 24) * 2049);
static_assert(most_payload_bytes(std::size_t{1} << 44, 8) == std::size_t{1} << 46 && most_payload_bytes(most / 4 + 1, 8) == most);

/// `bytes` of addresses, filled by the same pages over and over.
class repeated {
public:
  repeated(std::size_t bytes, std::span<const std::uint8_t> pages)
    : size_((bytes + pages.size() - 1) / pages.size() * pages.size())
  {
    const int file = ::memfd_create("narrows_large_test", 0);
    base_ = ::mmap(nullptr, size_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    usable_ = file >= 0 && base_ != MAP_FAILED && ::ftruncate(file, static_cast<off_t>(pages.size())) == 0;
    for (std::size_t at = 0; usable_ && at < size_; at += pages.size()) {
      void* const here =
        ::mmap(static_cast<std::uint8_t*>(base_) + at, pages.size(), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, file, 0);
      usable_ = here != MAP_FAILED;
      if (usable_ && at == 0) std::memcpy(here, pages.data(), pages.size());
    }
    if (file >= 0) ::close(file);
  }
  repeated(const repeated&) = delete;
  repeated& operator=(const repeated&) = delete;
  ~repeated()
  {
    if (base_ != MAP_FAILED) ::munmap(base_, size_);
  }
  [[nodiscard]] bool usable() const noexcept { return usable_; }
  [[nodiscard]] void* data() const noexcept { return base_; }

private:
  void* base_;
  std::size_t size_;
  bool usable_ = false;
};

/// The last values of a large tensor and a few around 2^32, against the same values packed by themselves.
TEST(Large, MoreThanTwoToThe32ValuesPackAndUnpack)
{
#if defined(__SANITIZE_ADDRESS__) || !defined(__x86_64__)
  GTEST_SKIP() << "takes too long with sanitizers or under an emulator";
#endif
  constexpr std::size_t period = (std::size_t{16} << 20) / sizeof(float);  // values
  test::random_source source;
  auto values = test::relu_like(period, 3, source);
  const repeated input(many * sizeof(float), {reinterpret_cast<const std::uint8_t*>(values.data()), period * sizeof(float)});
  if (!input.usable()) GTEST_SKIP() << "no such addresses to be had";
  const std::span<const float> x(static_cast<const float*>(input.data()), many);
  ASSERT_EQ(x[many - 1], values[(many - 1) % period]);

  const affine a{3.0F, 0};
  std::vector<std::uint8_t> packed(packed_bytes(many, 1));
  ASSERT_EQ(quantize_pack(x, scale_map{{&a, 1}, 1}, 1, packed), errc::ok);
  for (const std::size_t first :
    {std::size_t{0}, std::size_t{1} << 31, (std::size_t{1} << 32) - 512, std::size_t{1} << 32, many / 512 * 512}) {
    const std::size_t n = std::min<std::size_t>(512, many - first);
    std::vector<float> own(n);
    for (std::size_t i = 0; i < n; ++i) own[i] = values[(first + i) % period];
    std::vector<std::uint8_t> expected(packed_bytes(n, 1));
    ASSERT_EQ(quantize_pack(own, scale_map{{&a, 1}, 1}, 1, expected), errc::ok);
    EXPECT_TRUE(
      std::equal(expected.begin(), expected.end(), packed.begin() + static_cast<std::ptrdiff_t>(block_offset(first / 512, 1))))
      << first;
  }

  const descriptor d{
    format_version, value_order::as_given, shape{static_cast<std::int64_t>(many)}, codec::dense, 1, {}, {a}, {}, packed.size()};
  std::vector<float> tail(20000);
  ASSERT_TRUE(decode_part(d, packed, many - tail.size(), std::span(tail)));
  for (std::size_t i = 0; i < tail.size(); ++i)
    ASSERT_EQ(tail[i], values[(many - tail.size() + i) % period] > 1.5F ? 3.0F : 0.0F) << i;
}

/// A view of one value over and over, and of far-off values, needs no memory: only its arithmetic is at stake.
TEST(Large, ViewsReachBeyondTwoToThe32)
{
#if defined(__SANITIZE_ADDRESS__)
  GTEST_SKIP() << "maps much address space";
#endif
  constexpr std::size_t rows = 5, apart = (std::size_t{1} << 32) + 4096;  // bytes between rows of int8
  void* const base = ::mmap(nullptr, rows * apart, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (base == MAP_FAILED) GTEST_SKIP() << "no such addresses to be had";
  auto view = contiguous_view(base, element::int8, {rows, 3, 700}, {0.5F, 0});
  view.strides = {static_cast<std::int64_t>(apart), 1, 3};
  ASSERT_EQ(check(view), errc::ok);
  std::vector<float> expected(rows * 3 * 700);
  for (std::size_t i = 0; i < expected.size(); ++i) {
    expected[i] = 0.5F * static_cast<float>(static_cast<int>(i % 251) - 125);
    const std::size_t row = i / 2100, channel = i % 2100 / 700, column = i % 700;
    static_cast<std::int8_t*>(base)[row * apart + channel + 3 * column] =
      static_cast<std::int8_t>(static_cast<int>(i % 251) - 125);
  }
  aligned_vector<std::uint8_t> payload;
  const auto d = encode(view, {codec::raw, 0, {}, {}, {}}, payload);
  ASSERT_TRUE(d);
  EXPECT_EQ(std::memcmp(payload.data(), expected.data(), payload.size()), 0);
  ::munmap(base, rows * apart);

  // Part of 2^40 values, each of which is the same float.
  const float value = 1.25F;
  strided_view all = contiguous_view(&value, element::float32, {std::int64_t{1} << 20, std::int64_t{1} << 20});
  all.strides = {};
  const auto from = value_source::make(all);
  ASSERT_TRUE(from);
  ASSERT_EQ(from->size(), std::size_t{1} << 40);
  const affine scales[2] = {{1.25F, 0}, {0.25F, 0}};
  const std::size_t first = (std::size_t{1} << 39) + 512 * 77;
  std::vector<std::uint8_t> codes(4096), packed(packed_bytes(4096, 8));
  ASSERT_EQ(quantize_pack(from->part(first, 4096), {scales, std::size_t{1} << 39, first}, 8, packed), errc::ok);
  EXPECT_EQ(packed, std::vector<std::uint8_t>(4096, 5)) << "the second half has the second scale";
}

TEST(Large, SizesThatOverflowAreRefused)
{
  std::vector<std::uint8_t> out(100);
  const float value = 1;
  strided_view all = contiguous_view(&value, element::float32, {shape::max_elements});
  all.strides = {};
  const auto from = value_source::make(all);
  ASSERT_TRUE(from);
  const affine a{1, 0};
  EXPECT_EQ(quantize_pack(*from, {{&a, 1}, 1}, 16, out), errc::short_buffer);
  descriptor d;
  const auto scales = std::make_shared<const std::vector<affine>>(1, a);
  for (const codec coded_as : {codec::raw, codec::dense, codec::sparse, codec::runs})
    EXPECT_EQ(encode(all, {coded_as, 16, range_rule::calibrated, {}, scales}, std::span(out), d).error(), errc::short_buffer);

  descriptor wrong{format_version, value_order::as_given, shape{shape::max_elements}, codec::dense, 16, {}, {a}, {},
    packed_bytes(std::size_t{1} << 44, 16)};
  float one = 0;
  EXPECT_EQ(decode(wrong, out, std::span(&one, 1)).error(), errc::truncated);
  EXPECT_EQ(decode_part(wrong, out, std::size_t{1} << 43, std::span(&one, 1)).error(), errc::truncated);
  wrong.payload_bytes = 100;
  EXPECT_EQ(decode(wrong, out, std::span(&one, 1)).error(), errc::bad_descriptor);

  // Groups whose length times number exceeds a std::size_t: the loop over them ends all the same.
  std::vector<affine> many_scales(4);
  const std::vector<float> x{1, 2, 3};
  EXPECT_EQ(fit_min_max(x, most / 2, 8, many_scales), errc::ok);
  EXPECT_EQ(many_scales[0], *fit_min_max(x, 8));
  EXPECT_EQ(many_scales[1], affine{});
}

}  // namespace
}  // namespace narrows
