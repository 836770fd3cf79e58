// SPDX-License-Identifier: BSD-3-Clause
#include <cstdint>
#include <random>
#include <set>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include <gtest/gtest.h>

#include <narrows/wire/decode.hpp>
#include <narrows/wire/encode.hpp>

namespace narrows::wire {
namespace {

tensor_header some_tensor()
{
  tensor_header t;
  t.name = "features/conv3";
  t.what.dims = shape{1, 3, 4, 5};
  t.what.coded_as = codec::sparse;
  t.what.width = 5;
  t.what.group.axis = 1;
  t.what.scales = {{0.5F, 3}, {0x1p-125F, -32000}, {2.0F, 0}};
  t.what.levels.assign(3 << 5, -1.0F / 3);
  t.what.levels[40] = 1e30F;
  t.what.payload_bytes = 77;
  t.crc32c = 0xdeadbeef;
  return t;
}

std::vector<message> one_of_each()
{
  auto raw = some_tensor();
  raw.what = {};
  raw.what.dims = shape{};
  return {
    hello{7, std::string(64, 'a'), "net.onnx", {1, 2, 3}, "reference-fma", 0x123456789abcdef0, {1 << 20, 64, 8}},
    welcome{7, 1, "reference-fma", {1 << 20, 64, 8}},
    request{8, 2, 99, std::string(64, 'a'), std::chrono::milliseconds(250), {some_tensor(), raw}},
    reply{8, 99, {raw, some_tensor()}, {std::chrono::microseconds(1), std::chrono::microseconds(2), std::chrono::microseconds(3)}},
    reply{8, 99, {}, {}, {{std::chrono::microseconds(4), std::chrono::microseconds(5), std::chrono::microseconds(6), std::chrono::microseconds(7), 8, true}, {}}},
    failure{8, errc::overloaded, "64 requests wait", 99},
    cancel{8},
    probe{9, 3000},
    probe{10, 0},
    echo{9},
    tile_request{11, std::string(64, 'a'), std::chrono::milliseconds(250), {"image", "mask"}, "pool3", {{interval{0, 14}, interval{7, 28}}}, {raw}},
  };
}

/// The frame around any Protobuf bytes, with the right checksum.
std::vector<std::uint8_t> frame_around(std::string_view body)
{
  std::vector<std::uint8_t> frame(magic.begin(), magic.end());
  const std::span bytes(reinterpret_cast<const std::uint8_t*>(body.data()), body.size());
  const auto crc = crc32c(bytes);
  for (int i = 0; i < 4; ++i) frame.push_back(static_cast<std::uint8_t>(crc >> (8 * i)));
  frame.insert(frame.end(), bytes.begin(), bytes.end());
  return frame;
}
std::vector<std::uint8_t> frame_around(const v1::Envelope& e) { return frame_around(e.SerializeAsString()); }

/// A request whose one tensor a test spoils before it is decoded.
template <class Spoil>
errc decoded_with(Spoil spoil)
{
  const auto good = *encode(request{8, 1, 0, std::string(64, 'a'), std::chrono::milliseconds(250), {some_tensor()}});
  v1::Envelope e;
  EXPECT_TRUE(e.ParseFromArray(good.data() + prefix_bytes, static_cast<int>(good.size() - prefix_bytes)));
  spoil(*e.mutable_request()->mutable_tensors(0));
  std::uint64_t id = 0;
  const auto got = decode(frame_around(e), {}, &id);
  EXPECT_EQ(id, 8U);   // so that the refusal can name the request
  return got ? errc::ok : got.error().code;
}

TEST(Envelope, EveryMessageComesBackAsItWas)
{
  for (const auto& m : one_of_each()) {
    const auto frame = encode(m);
    ASSERT_TRUE(frame) << frame.error().text();
    const auto back = decode(*frame);
    ASSERT_TRUE(back) << back.error().text();
    EXPECT_EQ(*back, m) << m.index();
  }
}

TEST(Envelope, EveryErrorCodeHasItsOwnNumber)
{
  std::set<int> numbers;
  for (int i = 0; i <= static_cast<int>(errc::internal); ++i) {
    const auto code = static_cast<errc>(i);
    EXPECT_EQ(from_wire(to_wire(code)), code) << message(failure{}).index() << " " << i;
    numbers.insert(to_wire(code));
  }
  EXPECT_EQ(numbers.size(), static_cast<std::size_t>(errc::internal) + 1);
}

TEST(Envelope, NumbersOfCodecsAreThoseOfTheFormat)
{
  EXPECT_EQ(static_cast<int>(codec::pixels), v1::CODEC_PIXELS);
  EXPECT_EQ(static_cast<int>(codec::image), v1::CODEC_IMAGE);
  EXPECT_EQ(static_cast<int>(codec::predicted), 18);
  EXPECT_EQ(static_cast<int>(codec::predicted), v1::CODEC_PREDICTED);
}

TEST(Envelope, EachFieldOfATensorIsChecked)
{
  EXPECT_EQ(decoded_with([](v1::Tensor&) {}), errc::ok);
  for (const codec c : all_codecs) EXPECT_NE(decoded_with([&](v1::Tensor& t) { t.set_codec(static_cast<v1::Codec>(c)); }), errc::unsupported_codec) << to_string(c);
  EXPECT_EQ(decoded_with([](v1::Tensor& t) { t.clear_name(); }), errc::bad_message);
  EXPECT_EQ(decoded_with([](v1::Tensor& t) { t.set_name(std::string(2000, 'n')); }), errc::bad_message);
  EXPECT_EQ(decoded_with([](v1::Tensor& t) { t.set_format_version(2); }), errc::unsupported_version);
  EXPECT_EQ(decoded_with([](v1::Tensor& t) { t.set_order(static_cast<v1::ValueOrder>(7)); }), errc::bad_message);
  EXPECT_EQ(decoded_with([](v1::Tensor& t) { t.set_codec(static_cast<v1::Codec>(8)); }), errc::unsupported_codec);
  EXPECT_EQ(decoded_with([](v1::Tensor& t) { t.set_codec(static_cast<v1::Codec>(-1)); }), errc::unsupported_codec);
  EXPECT_EQ(decoded_with([](v1::Tensor& t) { t.set_codec(static_cast<v1::Codec>(257)); }), errc::unsupported_codec);
  EXPECT_EQ(decoded_with([](v1::Tensor& t) { t.set_width(17); }), errc::bad_width);
  EXPECT_EQ(decoded_with([](v1::Tensor& t) { t.set_width(0xffffffff); }), errc::bad_width);
  EXPECT_EQ(decoded_with([](v1::Tensor& t) { t.set_group_axis(8); }), errc::bad_message);
  EXPECT_EQ(decoded_with([](v1::Tensor& t) { t.set_group_axis(-2); }), errc::bad_message);
  EXPECT_EQ(decoded_with([](v1::Tensor& t) { t.add_scales(1); }), errc::bad_message);
  EXPECT_EQ(decoded_with([](v1::Tensor& t) { for (int i = 0; i < 40000; ++i) { t.add_scales(1); t.add_zeros(0); } }), errc::bad_message);
  EXPECT_EQ(decoded_with([](v1::Tensor& t) { t.add_levels(1); }), errc::ok) << "what fits the width is for pack to say";
  EXPECT_EQ(decoded_with([](v1::Tensor& t) { t.mutable_levels()->Resize((1 << 15) + 1, 1); }), errc::bad_message);
  EXPECT_EQ(decoded_with([](v1::Tensor& t) { t.add_dims(-1); }), errc::bad_shape);
  EXPECT_EQ(decoded_with([](v1::Tensor& t) { t.add_dims(INT64_MAX); }), errc::bad_shape);
  EXPECT_EQ(decoded_with([](v1::Tensor& t) { for (int i = 0; i < 9; ++i) t.add_dims(1); }), errc::bad_message);
  EXPECT_EQ(decoded_with([](v1::Tensor& t) { t.set_payload_bytes(UINT64_MAX); }), errc::limit_exceeded);
}

TEST(Envelope, EachFieldOfATileIsChecked)
{
  const auto with = [](auto change) {
    v1::Envelope e;
    e.set_protocol(protocol_version);
    auto& t = *e.mutable_tile();
    t.set_id(1);
    t.add_from("image");
    t.set_to("pool3");
    t.set_row_end(14);
    t.set_column_begin(7);
    t.set_column_end(14);
    change(t);
    const auto got = decode(frame_around(e));
    return got ? errc::ok : got.error().code;
  };
  EXPECT_EQ(with([](v1::Tile&) {}), errc::ok);
  EXPECT_EQ(with([](v1::Tile& t) { t.clear_id(); }), errc::bad_message);
  EXPECT_EQ(with([](v1::Tile& t) { t.clear_to(); }), errc::bad_message);
  EXPECT_EQ(with([](v1::Tile& t) { t.set_to(std::string(2000, 'n')); }), errc::bad_message);
  EXPECT_EQ(with([](v1::Tile& t) { t.add_from(""); }), errc::bad_message);
  EXPECT_EQ(with([](v1::Tile& t) { for (int i = 0; i < 64; ++i) t.add_from("n"); }), errc::bad_message);
  EXPECT_EQ(with([](v1::Tile& t) { t.set_model_hash(std::string(129, 'a')); }), errc::bad_message);
  EXPECT_EQ(with([](v1::Tile& t) { t.set_deadline_left_ms(0xffffffff); }), errc::bad_message);
  EXPECT_EQ(with([](v1::Tile& t) { t.set_row_begin(-1); }), errc::bad_message);
  EXPECT_EQ(with([](v1::Tile& t) { t.set_row_begin(14); }), errc::bad_message);
  EXPECT_EQ(with([](v1::Tile& t) { t.set_row_begin(INT64_MIN); }), errc::bad_message);
  EXPECT_EQ(with([](v1::Tile& t) { t.set_column_end(0); }), errc::bad_message);
  EXPECT_EQ(with([](v1::Tile& t) { t.set_column_end(INT64_MAX); }), errc::bad_message);
  EXPECT_EQ(with([](v1::Tile& t) { for (int i = 0; i < 65; ++i) t.add_parts(); }), errc::bad_message);
}

TEST(Envelope, TooManyTensorsAndTooLongAnEnvelopeAreRefused)
{
  request r;
  r.id = 1;
  for (int i = 0; i < 65; ++i) r.tensors.push_back(some_tensor());
  auto got = decode(*encode(r));
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().code, errc::bad_message);

  r.tensors.resize(1);
  r.tensors[0].what.scales.resize(100'000, {1, 0});
  EXPECT_EQ(encode(r).error().code, errc::limit_exceeded);
  const std::vector<std::uint8_t> huge(300'000);
  got = decode(huge);
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().code, errc::limit_exceeded);
}

TEST(Envelope, AnotherProtocolIsNamedWithBothVersions)
{
  auto frame = *encode(cancel{1});
  frame[3] = 9;
  const auto got = decode(frame);
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().code, errc::unsupported_version);
  EXPECT_NE(got.error().what.find('9'), std::string::npos);
  EXPECT_NE(got.error().what.find('1'), std::string::npos);
}

TEST(Envelope, AFailureWithoutACodeIsNoFailure)
{
  v1::Envelope e;
  e.set_protocol(protocol_version);
  e.mutable_failure()->set_id(3);
  EXPECT_FALSE(decode(frame_around(e)));
  e.mutable_failure()->set_code(static_cast<v1::Error>(200));
  EXPECT_FALSE(decode(frame_around(e)));
}

TEST(Envelope, ATextOfThePeerCannotWriteToATerminal)
{
  const auto got = decode(*encode(failure{1, errc::internal, "a\x1b[2Jb\nc", 0}));
  ASSERT_TRUE(got);
  EXPECT_EQ(std::get<failure>(*got).what, "a [2Jb c");
}

TEST(Envelope, EveryFlippedBitIsNoticed)
{
  for (const auto& m : one_of_each()) {
    const auto frame = *encode(m);
    for (std::size_t bit = 0; bit < 8 * frame.size(); ++bit) {
      auto flipped = frame;
      flipped[bit / 8] = static_cast<std::uint8_t>(flipped[bit / 8] ^ (1U << (bit % 8)));
      EXPECT_FALSE(decode(flipped)) << m.index() << " bit " << bit;
    }
  }
}

TEST(Envelope, EveryShortenedFrameIsRefused)
{
  for (const auto& m : one_of_each()) {
    const auto frame = *encode(m);
    for (std::size_t n = 0; n < frame.size(); ++n) EXPECT_FALSE(decode(std::span(frame).first(n))) << m.index() << " " << n;
  }
}

/// What is behind the checksum, spoilt at random: refused, or a message that encodes again. Run under ASan and UBSan in CI.
TEST(Envelope, SpoiltProtobufIsRefusedOrStillAMessage)
{
  std::mt19937 random(7);
  int accepted = 0;
  for (const auto& m : one_of_each()) {
    const auto frame = *encode(m);
    const std::string body(frame.begin() + prefix_bytes, frame.end());
    for (int round = 0; round < 4000; ++round) {
      auto spoilt = body;
      for (auto changes = random() % 4 + 1; changes > 0; --changes) {
        const auto at = random() % (spoilt.size() + 1);
        switch (random() % 3) {
        case 0: if (at < spoilt.size()) spoilt[at] = static_cast<char>(random()); break;
        case 1: spoilt.insert(at, 1, static_cast<char>(random())); break;
        default: spoilt.erase(at, random() % 3); break;
        }
      }
      const auto got = decode(frame_around(spoilt));
      if (!got) continue;
      ++accepted;
      EXPECT_TRUE(encode(*got)) << "seed 7, round " << round;
    }
  }
  EXPECT_GT(accepted, 100);   // the spoiling is gentle enough to reach what lies behind the parser
}

TEST(Envelope, RandomBytesAreRefused)
{
  std::mt19937 random(11);
  for (int round = 0; round < 20000; ++round) {
    std::string body(random() % 200, '\0');
    for (auto& c : body) c = static_cast<char>(random());
    EXPECT_FALSE(decode(std::span(reinterpret_cast<const std::uint8_t*>(body.data()), body.size())));
    static_cast<void>(decode(frame_around(body)));
  }
}

}  // namespace
}  // namespace narrows::wire
