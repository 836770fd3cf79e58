// SPDX-License-Identifier: BSD-3-Clause
#include "slowed.hpp"

#include "planner.hpp"

namespace narrows::tool {

result<any_engine> slowed(any_engine engine, double times, std::span<const std::string> profiles, std::span<const model> models)
{
  paces known;
  for (const auto& file : profiles) {
    result<machine_profile> p = error(errc::model_mismatch, file);
    for (const auto& m : models)
      if (p = profile_of(file, m); p || p.error().code != errc::model_mismatch) {
        if (p) known[m.network] = std::move(p->layers);
        break;
      }
    if (!p) return unexpected(std::move(p).error());
  }
  return any_engine(slowed_engine(std::move(engine), times, std::move(known)));
}

}  // namespace narrows::tool
