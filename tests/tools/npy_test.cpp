// SPDX-License-Identifier: BSD-3-Clause
#include <string>

#include <gtest/gtest.h>

#include "npy.hpp"

namespace narrows {
namespace {

std::vector<std::uint8_t> npy_of(const std::string& header, std::size_t data_bytes)
{
  std::string file("\x93NUMPY\x01\x00", 8);
  file += static_cast<char>(header.size() & 255);
  file += static_cast<char>(header.size() >> 8);
  file += header;
  file.append(data_bytes, '\1');
  return {file.begin(), file.end()};
}

TEST(Npy, WritesWhatItReads)
{
  for (const auto& dims : {shape{}, shape{3}, shape{2, 3}, shape{1, 3, 4, 5}, shape{0, 2}}) {
    tensor x(dims);
    for (std::size_t i = 0; i < x.size(); ++i) x.values()[i] = static_cast<float>(i) - 2.5F;
    const auto file = tool::to_npy(x.view());
    EXPECT_EQ((file.size() - x.size() * 4) % 64, 0U) << "data start on a multiple of 64, as numpy writes them";
    const auto back = tool::parse_npy(file);
    ASSERT_TRUE(back) << to_string(dims) << back.error().text();
    EXPECT_EQ(back->dims, dims);
    std::vector<float> values(x.size());
    tool::to_floats(*back, 0, values);
    EXPECT_TRUE(std::equal(values.begin(), values.end(), x.values().begin())) << to_string(dims);
  }
}

TEST(Npy, ConvertsEveryElementType)
{
  const auto check = [](const std::string& type, std::vector<std::uint8_t> bytes, float expected) {
    auto file = npy_of("{'descr': '" + type + "', 'fortran_order': False, 'shape': (1,), }\n", 0);
    file.insert(file.end(), bytes.begin(), bytes.end());
    const auto a = tool::parse_npy(file);
    ASSERT_TRUE(a) << type << a.error().text();
    float v = 0;
    tool::to_floats(*a, 0, {&v, 1});
    EXPECT_EQ(v, expected) << type;
  };
  check("|u1", {200}, 200);
  check("|i1", {200}, -56);
  check("<i4", {0xFE, 0xFF, 0xFF, 0xFF}, -2);
  check("<i8", {0xFE, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF}, -2);
  check("<f4", {0, 0, 0xC0, 0x3F}, 1.5F);
  check("<f8", {0, 0, 0, 0, 0, 0, 0xF8, 0x3F}, 1.5F);
}

TEST(Npy, RefusesWhatItCannotRead)
{
  const auto refused = [](const std::string& header, std::size_t bytes) {
    const auto a = tool::parse_npy(npy_of(header, bytes));
    return !a && a.error().code == errc::bad_input;
  };
  EXPECT_FALSE(refused("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }", 24));
  EXPECT_TRUE(refused("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }", 23));
  EXPECT_TRUE(refused("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }", 25));
  EXPECT_TRUE(refused("{'descr': '>f4', 'fortran_order': False, 'shape': (2, 3), }", 24));
  EXPECT_TRUE(refused("{'descr': '<f4', 'fortran_order': True, 'shape': (2, 3), }", 24));
  EXPECT_TRUE(refused("{'descr': '|O', 'fortran_order': False, 'shape': (2, 3), }", 24));
  EXPECT_TRUE(refused("{'descr': '<f4', 'fortran_order': False, 'shape': (2, -3), }", 24));
  EXPECT_TRUE(refused("{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999,), }", 24));
  EXPECT_TRUE(refused("{'descr': '<f4', 'fortran_order': False, 'shape': (4294967296, 4294967296), }", 24));
  EXPECT_TRUE(refused("{'descr': '<f4', 'fortran_order': False, 'shape': (", 24));
  EXPECT_TRUE(refused("{}", 0));
  const auto whole = npy_of("{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }", 8);
  for (std::size_t n = 0; n < whole.size(); ++n) EXPECT_FALSE(tool::parse_npy(std::span(whole).first(n))) << n;
}

}  // namespace
}  // namespace narrows
