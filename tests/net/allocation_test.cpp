// SPDX-License-Identifier: BSD-3-Clause
// What a request allocates once edge and cloud are warm: nothing of a tensor's size but what the caller gets to keep. A program
// of its own, since it replaces operator new.
#include "net/support.hpp"

#include "support/count_allocations.hpp"

namespace narrows {
namespace {

using namespace test;

/// Answers without allocating: what is counted is the library's.
class repeating_executor {
public:
  explicit repeating_executor(const graph_slice& slice)
    : inputs_(infos(slice, slice.inputs)), outputs_(infos(slice, slice.outputs))
  {}
  [[nodiscard]] std::span<const tensor_info> inputs() const { return inputs_; }
  [[nodiscard]] std::span<const tensor_info> outputs() const { return outputs_; }
  result<void> run(std::span<const tensor_view> in, std::span<const mutable_tensor_view> out, const run_options&)
  {
    for (const auto& to : out)
      for (std::size_t i = 0; i < to.size(); ++i) to.values()[i] = in[0].values()[i % in[0].size()];
    return {};
  }

private:
  static std::vector<tensor_info> infos(const graph_slice& slice, const std::vector<value_id>& of)
  {
    std::vector<tensor_info> made;
    for (const auto v : of) made.push_back({(*slice.whole)[v].name, (*slice.whole)[v].dims});
    return made;
  }
  std::vector<tensor_info> inputs_, outputs_;
};

struct repeating_engine {
  [[nodiscard]] std::string_view level() const { return "repeating"; }
  [[nodiscard]] result<repeating_executor> load(const graph_slice& slice) const { return repeating_executor(slice); }
};

/// picture 1x16x48x48 -> "a" (144 KiB) -> "scores" 1x16x1x1.
model two_nodes()
{
  graph_builder g("two");
  const auto add = [&g](any_op operation, std::vector<value_id> inputs, const std::string& out) {
    node_description n;
    n.operation = std::move(operation);
    n.inputs = std::move(inputs);
    n.outputs = {out};
    return (*g.add(std::move(n)))[0];
  };
  const auto x = *g.input("picture", shape{1, 16, 48, 48});
  const auto a = add(op::elementwise{}, {x, x}, "a");
  return {"two", std::string(64, 'b'), *g.finish({add(op::global_pool{}, {a}, "scores")})};
}

TEST(NetAllocations, SteadyRequestsAllocateNothingOfATensorsSize)
{
  const model what = two_nodes();
  running_cloud server({what}, repeating_engine());
  auto options = to(server.endpoint());
  options.fallback = fallback_policy::never;
  auto client = edge::connect(what, repeating_engine(), options);
  ASSERT_TRUE(client) << client.error().text();
  const tensor x = random_tensor(shape{1, 16, 48, 48}, 5);
  const std::vector<tensor_view> inputs{x.view()};
  for (const codec coded_as : {codec::raw, codec::dense, codec::sparse, codec::runs})
    for (const std::string at : {"a", "picture"}) {
      SCOPED_TRACE(std::string(to_string(coded_as)) + " at " + at);
      const auto with = plan_at(what, at, coded_as);
      bool good = true;
      const auto once = [&] {
        const auto got = client->infer(inputs, with, patience);
        good = good && got && got->from == source::remote;
      };
      for (int i = 0; i < 20; ++i) once();
      constexpr int requests = 20;
      const auto seen = allocations_of([&] {
        for (int i = 0; i < requests; ++i) once();
      });
      ASSERT_TRUE(good);
      std::printf("%-6s at %-7s per request: %5.1f allocations, %8.0f bytes, %4.1f of %zu bytes or more\n",
        to_string(coded_as).data(), at.c_str(), static_cast<double>(seen.count) / requests,
        static_cast<double>(seen.bytes) / requests, static_cast<double>(seen.large) / requests, large_bytes);
      EXPECT_LE(seen.large, 2U) << "libzmq may take longer than ever before to let go of a payload, once or twice";
    }
}

}  // namespace
}  // namespace narrows
