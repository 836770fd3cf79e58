// SPDX-License-Identifier: BSD-3-Clause
#include <narrows/pack/xtensor.hpp>

#include <vector>

#include <gtest/gtest.h>
#if __has_include(<xtensor/containers/xadapt.hpp>)
#  include <xtensor/containers/xadapt.hpp>
#  include <xtensor/containers/xfixed.hpp>
#  include <xtensor/views/xview.hpp>
#else
#  include <xtensor/xadapt.hpp>
#  include <xtensor/xfixed.hpp>
#  include <xtensor/xview.hpp>
#endif

#include "support/random_data.hpp"

namespace narrows {
namespace {

class Xtensor : public testing::Test {
protected:
  const shape dims{2, 3, 9, 9};
  const std::vector<std::size_t> extents{2, 3, 9, 9};
  test::random_source source;
  std::vector<float> memory = test::random_floats(dims.elements(), -1, 3, source);
  const coding how{codec::dense, 5, range_rule::min_max, {1}, {}};
  aligned_vector<std::uint8_t> payload;
  const descriptor expected = *encode(tensor_view(memory, dims), how, payload);

  template <class E>
  void expect_same(const E& e)
  {
    aligned_vector<std::uint8_t> other;
    const auto d = encode(e, how, other);
    ASSERT_TRUE(d);
    EXPECT_EQ(*d, expected);
    EXPECT_EQ(other, payload);
  }
};

TEST_F(Xtensor, ContainersAndExpressionsEncodeLikeTheirValues)
{
  const auto adapted = xt::adapt(memory, extents);
  expect_same(adapted);
  const xt::xarray<float> array = adapted;
  expect_same(array);
  const xt::xtensor<float, 4> fixed_rank = adapted;
  expect_same(fixed_rank);
  const xt::xarray<float, xt::layout_type::column_major> columns = adapted;
  expect_same(columns);
  expect_same(xt::view(array, xt::all(), xt::all(), xt::all(), xt::all()));
  expect_same(array * 1.0F);
}

TEST_F(Xtensor, DecodesIntoContainersWithRankAndShape)
{
  std::vector<float> values(dims.elements());
  ASSERT_TRUE(decode(expected, payload, values));
  const auto same = [&](const auto& e) { return std::equal(values.begin(), values.end(), e.begin()) && e.dimension() == 4; };
  xt::xarray<float> array;
  ASSERT_TRUE(decode(expected, payload, array));
  EXPECT_TRUE(same(array));
  xt::xtensor<float, 4> fixed_rank;
  ASSERT_TRUE(decode(expected, payload, fixed_rank));
  EXPECT_TRUE(same(fixed_rank));
  xt::xtensor_fixed<float, xt::xshape<2, 3, 9, 9>> fixed_shape;
  ASSERT_TRUE(decode(expected, payload, fixed_shape));
  EXPECT_TRUE(same(fixed_shape));
  auto adapted = xt::adapt(memory, extents);
  ASSERT_TRUE(decode(expected, payload, adapted));
  EXPECT_EQ(memory, values);
}

TEST_F(Xtensor, ContainersThatCannotTakeTheShapeAreRefused)
{
  xt::xtensor<float, 3> other_rank;
  EXPECT_EQ(decode(expected, payload, other_rank).error(), errc::bad_shape);
  xt::xtensor_fixed<float, xt::xshape<2, 3, 9, 8>> other_shape;
  EXPECT_EQ(decode(expected, payload, other_shape).error(), errc::bad_shape);
  std::vector<float> small(10);
  auto adapted = xt::adapt(small, std::vector<std::size_t>{10});
  EXPECT_EQ(decode(expected, payload, adapted).error(), errc::bad_shape);
  descriptor bad = expected;
  bad.width = 40;
  xt::xarray<float> array;
  EXPECT_EQ(decode(bad, payload, array).error(), errc::bad_width);
}

TEST_F(Xtensor, CodesPackFromExpressions)
{
  xt::xarray<std::uint8_t> codes = xt::zeros<std::uint8_t>({3, 7});
  for (std::size_t i = 0; i < codes.size(); ++i) codes.flat(i) = static_cast<std::uint8_t>(i % 16);
  const auto packed = pack(codes, 4);
  ASSERT_TRUE(packed);
  std::vector<std::uint8_t> back(21);
  unpack<4>(*packed, back);
  EXPECT_TRUE(std::equal(back.begin(), back.end(), codes.begin()));
  EXPECT_EQ(pack(codes, 9).error(), errc::bad_width);
}

}  // namespace
}  // namespace narrows
