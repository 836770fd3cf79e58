// SPDX-License-Identifier: BSD-3-Clause
// Compiled with -fno-exceptions -fno-rtti: every header of core and pack but xtensor.hpp.
#include <narrows/core/contract.hpp>
#include <narrows/core/errc.hpp>
#include <narrows/core/result.hpp>
#include <narrows/core/shape.hpp>
#include <narrows/core/tensor.hpp>
#include <narrows/core/units.hpp>
#include <narrows/pack/histogram.hpp>
#include <narrows/pack/linear.hpp>
#include <narrows/pack/packed_tensor.hpp>
#include <narrows/pack/reference_rans.hpp>
#include <narrows/pack/strided.hpp>
#include <narrows/pack/value_source.hpp>

namespace narrows::test {

bool works_without_exceptions();  // called by packed_tensor_test.cpp

bool works_without_exceptions()
{
  const tensor x({1, 2, 20, 20});
  aligned_vector<std::uint8_t> payload;
  const auto d = encode(x.view(), {}, payload);
  if (!d) return false;
  tensor back(d->dims);
  histogram data;
  return decode(*d, payload, back.values()).has_value() && data.add(back.values()) == errc::ok && fit_mse(data, 4).has_value();
}

}  // namespace narrows::test
