// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/// All of narrows::narrows, the part of the library that needs nothing but xsimd: packing, graphs, the `executor`
/// concept, profiles, candidates and policies. ONNX, JSON, the reference executor and the network are included by hand,
/// and so is loading an engine from a shared module (<narrows/exec/module.hpp>).

#include <narrows/core/contract.hpp>
#include <narrows/core/errc.hpp>
#include <narrows/core/result.hpp>
#include <narrows/core/shape.hpp>
#include <narrows/core/tensor.hpp>
#include <narrows/core/units.hpp>
#include <narrows/pack/affine.hpp>
#include <narrows/pack/arithmetic.hpp>
#include <narrows/pack/bits.hpp>
#include <narrows/pack/coder.hpp>
#include <narrows/pack/descriptor.hpp>
#include <narrows/pack/dispatch.hpp>
#include <narrows/pack/histogram.hpp>
#include <narrows/pack/layout.hpp>
#include <narrows/pack/linear.hpp>
#include <narrows/pack/pack.hpp>
#include <narrows/pack/packed_tensor.hpp>
#include <narrows/pack/quantize.hpp>
#include <narrows/pack/range.hpp>
#include <narrows/pack/rans.hpp>
#include <narrows/pack/rans_model.hpp>
#include <narrows/pack/reference.hpp>
#include <narrows/pack/reference_rans.hpp>
#include <narrows/pack/reference_runs.hpp>
#include <narrows/pack/runs.hpp>
#include <narrows/pack/sparse.hpp>
#include <narrows/pack/unpack.hpp>
#include <narrows/graph/builder.hpp>
#include <narrows/graph/cost.hpp>
#include <narrows/graph/cut.hpp>
#include <narrows/graph/dot.hpp>
#include <narrows/graph/fuse.hpp>
#include <narrows/graph/graph.hpp>
#include <narrows/graph/model.hpp>
#include <narrows/graph/op.hpp>
#include <narrows/graph/op_names.hpp>
#include <narrows/graph/seeded_weights.hpp>
#include <narrows/graph/shape_inference.hpp>
#include <narrows/graph/zoo/zoo.hpp>
#include <narrows/exec/executor.hpp>
#include <narrows/profile/accuracy.hpp>
#include <narrows/profile/codec_times.hpp>
#include <narrows/profile/layer_times.hpp>
#include <narrows/profile/link.hpp>
#include <narrows/profile/machine.hpp>
#include <narrows/profile/measure.hpp>
#include <narrows/profile/profile.hpp>
#include <narrows/partition/candidate.hpp>
#include <narrows/partition/cost.hpp>
#include <narrows/partition/enumerate.hpp>
#include <narrows/partition/plan.hpp>
#include <narrows/partition/signs.hpp>
#include <narrows/schedule/any_policy.hpp>
#include <narrows/schedule/estimator.hpp>
#include <narrows/schedule/objective.hpp>
#include <narrows/schedule/policies/best_candidate.hpp>
#include <narrows/schedule/policies/cloud_only.hpp>
#include <narrows/schedule/policies/device_only.hpp>
#include <narrows/schedule/policy.hpp>
#include <narrows/schedule/scheduler.hpp>
#include <narrows/version.hpp>
