// SPDX-License-Identifier: BSD-3-Clause
// XNNPACK's conversion operators: 8 bits, one code per byte, the range given.
#include <cstdio>
#include <cstdlib>
#include <memory>

#include <pthreadpool.h>
#include <xnnpack.h>

#include "contender.hpp"

namespace narrows::bench {

namespace {

void must(xnn_status status)
{
  if (status == xnn_status_success) return;
  std::fprintf(stderr, "XNNPACK fails with status %d\n", static_cast<int>(status));
  std::exit(1);
}

using owned = std::shared_ptr<xnn_operator>;

owned own(xnn_operator_t made)
{
  return owned(made, [](xnn_operator_t o) { xnn_delete_operator(o); });
}

}  // namespace

void add_xnnpack(contenders& to)
{
  must(xnn_initialize(nullptr));
  const auto levels = task_levels(8);
  xnn_operator_t made = nullptr;
  must(xnn_create_convert_nc_f32_qu8(1, 1, 1, levels.scale, static_cast<std::uint8_t>(levels.zero), 0, 255, 0, &made));
  to.pack.push_back({"xnnpack", 8, task_levels(8), promise::block_layout, [op = own(made)](const float* x, std::size_t n, std::uint8_t* out) {
    must(xnn_setup_convert_nc_f32_qu8(op.get(), n, x, out, nullptr));
    must(xnn_run_operator(op.get(), nullptr));
  }});
  must(xnn_create_convert_nc_qu8_f32(1, 1, 1, levels.scale, static_cast<std::uint8_t>(levels.zero), 0, &made));
  to.unpack.push_back({"xnnpack", 8, task_levels(8), promise::block_layout, [op = own(made)](const std::uint8_t* packed, std::size_t n, float* out) {
    must(xnn_setup_convert_nc_qu8_f32(op.get(), n, packed, out, nullptr));
    must(xnn_run_operator(op.get(), nullptr));
  }});
}

}  // namespace narrows::bench
