// SPDX-License-Identifier: BSD-3-Clause
#include <algorithm>
#include <random>
#include <utility>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "npy.hpp"
#include "process.hpp"

namespace narrows {
namespace {

using nlohmann::json;
using test::bundled;
using test::narrows;
using test::shared;
using testing::HasSubstr;

const std::string network = bundled("shapes.onnx");
const std::string pictures = bundled("pictures");

std::string saved(const std::filesystem::path& in)
{
  std::string all;
  std::vector<std::filesystem::path> files;
  for (const auto& e : std::filesystem::directory_iterator(in)) files.push_back(e.path());
  std::sort(files.begin(), files.end());
  for (const auto& file : files) all += test::text_of(file);
  return all;
}

void expect_every_cut_exact(const std::string& model, const std::vector<std::string>& input)
{
  const test::scratch folder;
  std::vector<std::string> whole{"infer", model, "--save-output", folder / "whole"};
  whole.insert(whole.begin() + 2, input.begin(), input.end());
  const auto w = narrows(whole);
  ASSERT_EQ(w.code, 0) << w.err;
  const auto expected = saved(folder / "whole");
  ASSERT_GT(expected.size(), 128U);
  test::cloud_process cloud({model});
  ASSERT_NE(cloud.endpoint(), "") << cloud.program().err();
  const auto cuts = json::parse(narrows({"inspect", model, "-o", "json"}).out).at("cuts");
  ASSERT_GT(cuts.size(), 2U);
  int number = 0;
  for (const auto& c : cuts) {
    const auto name = c.at("name").get<std::string>();
    const auto out = folder / std::to_string(number++);
    std::vector<std::string> command{"run", model, "--connect", cloud.endpoint(), "--fallback", "never", "--deadline", "60s", "--at", name, "--codec", "raw",
      "--save-output", out, "-o", "json"};
    command.insert(command.begin() + 2, input.begin(), input.end());
    const auto f = narrows(command);
    ASSERT_EQ(f.code, 0) << name << f.err;
    const auto result = json::parse(f.out).at("results").at(0);
    EXPECT_EQ(result.at("source"), name == "none" ? "local" : "remote") << name;
    if (name != "none") {
      EXPECT_GE(result.at("bytes_sent").get<std::uint64_t>(), c.at("bytes").at("float32").get<std::uint64_t>());
    }
    EXPECT_EQ(saved(out), expected) << name;
  }
}

std::string random_input(const test::scratch& folder, const shape& dims, float low, float high)
{
  std::mt19937 random(7);
  tensor x(dims);
  for (auto& v : x.values()) v = low + (high - low) * static_cast<float>(random() >> 8) * 0x1p-24F;
  const auto bytes = tool::to_npy(x.view());
  test::write_text(folder / "input.npy", {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  return folder / "input.npy";
}

TEST(TwoProcesses, EveryCutOfTheBundledNetworkIsExact) { expect_every_cut_exact(network, {bundled("pictures/0003.png")}); }

struct small_model {
  const char* name;
  const char* file;
  shape dims;
  float low;
  float high;
};
class EveryCut : public testing::TestWithParam<small_model> {};
TEST_P(EveryCut, IsExactOverTwoProcesses)
{
  const auto model = shared(GetParam().file);
  if (!std::filesystem::exists(model)) GTEST_SKIP() << "no shared models beside this checkout";
  const test::scratch folder;
  expect_every_cut_exact(model, {random_input(folder, GetParam().dims, GetParam().low, GetParam().high)});
}
INSTANTIATE_TEST_SUITE_P(Shared, EveryCut, testing::Values(
  small_model{"mnist_cntk", "models/mnist/mnist_cntk.onnx", {1, 1, 28, 28}, 0, 255},
  small_model{"mnist_pytorch", "models/mnist/mnist_pytorch.onnx", {1, 1, 28, 28}, -0.4F, 2.8F},
  small_model{"resnet20_cifar10", "models/cifar10/resnet20_cifar10.onnx", {1, 3, 32, 32}, -2, 2},
  small_model{"squeezenet1_1", "models/imagenet/squeezenet1_1.onnx", {1, 3, 224, 224}, -120, 130}),
  [](const auto& each) { return std::string(each.param.name); });

TEST(TwoProcesses, PicturesCrossAsPixelsAndAsFilesToTheSameBits)
{
  const test::scratch folder;
  ASSERT_EQ(narrows({"infer", network, pictures, "--limit", "5", "--save-output", folder / "whole"}).code, 0);
  test::cloud_process cloud({network});
  ASSERT_NE(cloud.endpoint(), "") << cloud.program().err();
  double as_pixels = 0;
  for (const std::string form : {"pixels", "predicted", "image"}) {
    const auto f = narrows({"run", network, pictures, "--limit", "5", "--connect", cloud.endpoint(), "--fallback", "never", "--at", "input", "--codec", form,
      "--save-output", folder / form, "-o", "json"});
    ASSERT_EQ(f.code, 0) << f.err;
    EXPECT_EQ(saved(folder / form), saved(folder / "whole")) << form;
    const auto summary = json::parse(f.out).at("summary");
    EXPECT_EQ(summary.at("remote"), 5);
    const auto bytes = summary.at("bytes_per_input").get<double>();
    if (form == "pixels") as_pixels = bytes;
    if (form == "predicted") {
      EXPECT_LT(bytes, as_pixels);
    }
    if (form == "image") {
      EXPECT_LT(summary.at("bytes_per_input").get<double>(), summary.at("file_bytes_per_input").get<double>() + 500);
    }
  }
}

TEST(TwoProcesses, LowWidthsEqualTheSameCutInOneProcess)
{
  const test::scratch folder;
  test::cloud_process cloud({network});
  const auto cuts = json::parse(narrows({"inspect", network, "-o", "json"}).out).at("cuts");
  const auto name = cuts[cuts.size() / 3].at("name").get<std::string>();
  for (const std::string bits : {"1", "3", "4", "8", "12"})
    for (const std::string codec : {"dense", "sparse", "lz4", "zstd", "huffman"}) {
      const auto here = folder / ("here" + bits + codec), there = folder / ("there" + bits + codec);
      ASSERT_EQ(narrows({"infer", network, bundled("pictures/0002.png"), "--at", name, "--bits", bits, "--codec", codec, "--per-channel", "--save-output", here}).code, 0);
      const auto f = narrows({"run", network, bundled("pictures/0002.png"), "--connect", cloud.endpoint(), "--fallback", "never", "--at", name, "--bits", bits, "--codec", codec,
        "--per-channel", "--save-output", there});
      ASSERT_EQ(f.code, 0) << f.err;
      EXPECT_EQ(saved(here), saved(there)) << bits << codec;
    }
}

TEST(TwoProcesses, APolicyChoosesAndSeveralInputsAreUnderWay)
{
  test::cloud_process cloud({network, "--workers", "2"});
  for (const std::string policy : {"joint", "best", "device-only", "cloud-only"}) {
    const auto f = narrows({"run", network, pictures, "--connect", cloud.endpoint(), "--in-flight", "4", "--policy", policy, "--explain", "-o", "json"});
    ASSERT_EQ(f.code, 0) << f.err;
    const auto all = json::parse(f.out);
    EXPECT_EQ(all.at("summary").at("inputs"), 20);
    EXPECT_EQ(all.at("summary").at("errors"), 0);
    EXPECT_THAT(f.err, HasSubstr("why: "));
    if (policy == "device-only") {
      EXPECT_EQ(all.at("plan").at("cut"), json({"none"}));
    }
    if (policy == "cloud-only") {
      EXPECT_EQ(all.at("plan").at("cut"), json({"input"}));
    }
  }
}

TEST(TwoProcesses, BothSidesTakeWhatAProfileSaysTimesAFactor)
{
  const test::scratch folder;
  const auto profile = folder / "shapes.profile.json";
  ASSERT_EQ(narrows({"profile", network, "--repeats", "1", "--write", profile, "-o", "table"}).code, 0);
  auto said = json::parse(test::text_of(profile));
  for (auto& node : said.at("nodes")) node.at("median_s") = 0;
  said.at("nodes").front().at("median_s") = 0.06;   // at either end, so that every cut has some of each
  said.at("nodes").back().at("median_s") = 0.02;
  test::write_text(profile, said.dump());

  test::cloud_process cloud({network, "--slow-down", "3", "--profile", profile});
  const auto f = narrows({"run", network, pictures, "--limit", "4", "--connect", cloud.endpoint(), "--fallback", "never", "--at", "pool2", "--slow-down", "2", "--device", profile,
    "--in-flight", "2", "-o", "json"});
  ASSERT_EQ(f.code, 0) << f.err;
  double finished = 0;
  const auto results = json::parse(f.out).at("results");
  ASSERT_EQ(results.size(), 4U);
  for (const auto& r : results) {
    const auto& took = r.at("latency_ms");
    EXPECT_GE(took.at("device"), 120) << r;
    EXPECT_GE(took.at("server").get<double>() - took.at("queue").get<double>(), 59.9) << r;   // sent as whole microseconds
    EXPECT_GE(r.at("finished_ms").get<double>(), took.at("total").get<double>());
    EXPECT_GT(r.at("finished_ms").get<double>(), std::exchange(finished, r.at("finished_ms")));
  }
  EXPECT_GE(finished, 4 * 120);   // one device, however many inputs are under way

  said.at("model").at("hash") = std::string(64, '0');
  test::write_text(profile, said.dump());
  test::expect_one_error(narrows({"serve", network, "--slow-down", "2", "--profile", profile}), 3, profile);
  test::expect_one_error(narrows({"serve", network, "--profile", profile}), 2, "--slow-down");
}

TEST(TwoProcesses, KillingTheCloudHalfWayLosesNoAnswer)
{
  const test::scratch folder;
  test::cloud_process cloud({network});
  const auto cuts = json::parse(narrows({"inspect", network, "-o", "json"}).out).at("cuts");
  const auto name = cuts[cuts.size() / 2].at("name").get<std::string>();
  test::process edge({"run", network, pictures, "--connect", cloud.endpoint(), "--at", name, "--codec", "raw", "--every", "100ms", "--in-flight", "2", "--deadline", "5s",
    "--save-output", folder / "run", "-o", "csv"});
  ASSERT_TRUE(edge.says(",remote,")) << edge.err();
  cloud.program().signal(SIGKILL);
  ASSERT_EQ(edge.wait(std::chrono::minutes(2)), 0) << edge.err();
  const auto out = edge.out();
  EXPECT_EQ(std::count(out.begin(), out.end(), '\n'), 21) << "a head and one line per input";
  EXPECT_THAT(out, HasSubstr(",remote,"));
  EXPECT_THAT(out, HasSubstr(",fallback,"));
  EXPECT_EQ(out.find(",error,"), std::string::npos);
  EXPECT_THAT(edge.err(), HasSubstr("narrows: warning: "));
  ASSERT_EQ(narrows({"infer", network, pictures, "--save-output", folder / "whole"}).code, 0);
  EXPECT_EQ(saved(folder / "run"), saved(folder / "whole")) << "answers of the device and of the cloud are the same bits";
}

TEST(TwoProcesses, APolicyThatLosesItsCloudSaysWhatItDoesInstead)
{
  test::cloud_process cloud({network});
  test::process edge({"run", network, pictures, "--connect", cloud.endpoint(), "--server-speedup", "1000", "--bandwidth", "10Gbit", "--rtt", "0",
    "--every", "100ms", "--deadline", "2s"});
  ASSERT_TRUE(edge.says(" remote ")) << edge.err();
  cloud.program().signal(SIGKILL);
  ASSERT_EQ(edge.wait(std::chrono::minutes(2)), 0) << edge.err();
  EXPECT_THAT(edge.out(), HasSubstr("-- from here on: all on the device"));
  EXPECT_THAT(edge.out(), HasSubstr("errors 0"));
}

TEST(TwoProcesses, ThreeTiersGiveTheAnswersOfOneAndOutliveTheirCloud)
{
  const test::scratch folder;
  ASSERT_EQ(narrows({"infer", network, pictures, "--limit", "6", "--save-output", folder / "whole"}).code, 0);
  test::cloud_process cloud({network, "--batch", "4"});
  test::cloud_process middle({network, "--upstream", cloud.endpoint(), "--at", "ir3.out", "--codec", "raw"});
  ASSERT_NE(middle.endpoint(), "") << middle.program().err();
  const auto run = [&](const std::string& to) {
    const auto f = narrows({"run", network, pictures, "--limit", "6", "--connect", middle.endpoint(), "--at", "pool2", "--codec", "raw", "--in-flight", "3", "--fallback", "never",
      "--save-output", folder / to, "-o", "json"});
    EXPECT_EQ(f.code, 0) << f.err;
    EXPECT_EQ(saved(folder / to), saved(folder / "whole")) << to;
    return json::parse(f.out).at("results");
  };
  for (const auto& r : run("carried")) {
    EXPECT_FALSE(r.at("onward").at(0).at("taken_over"));
    EXPECT_GT(r.at("onward").at(0).at("bytes_sent"), 48 * 6 * 6 * 4);
    EXPECT_GT(r.at("latency_ms").at("onward"), 0);
  }
  cloud.program().signal(SIGKILL);
  cloud.program().wait(std::chrono::seconds(20));
  for (const auto& r : run("taken over")) EXPECT_TRUE(r.at("onward").at(0).at("taken_over"));
  middle.program().signal(SIGTERM);
  EXPECT_EQ(middle.program().wait(std::chrono::seconds(20)), 0);
  test::expect_one_error(narrows({"serve", network, "--upstream", cloud.endpoint()}), 2, "--at");
  test::expect_one_error(narrows({"serve", network, "--at", "pool2"}), 2, "--upstream");
}

TEST(TwoProcesses, TheCloudStopsCleanlyWhenTold)
{
  for (const int which : {SIGINT, SIGTERM}) {
    test::cloud_process cloud({network});
    ASSERT_NE(cloud.endpoint(), "");
    cloud.program().signal(which);
    EXPECT_EQ(cloud.program().wait(std::chrono::seconds(20)), 0) << cloud.program().err();
  }
}

TEST(TwoProcesses, AnUnreachableCloudIsCodeFourOrAFallback)
{
  const auto never = narrows({"run", network, bundled("pictures/0000.png"), "--connect", "tcp://127.0.0.1:1", "--at", "input", "--fallback", "never", "--deadline", "500ms"});
  test::expect_one_error(never, 4, "tcp://127.0.0.1:1");
  const auto local = narrows({"run", network, bundled("pictures/0000.png"), "--connect", "tcp://127.0.0.1:1", "--at", "input", "--codec", "raw", "--deadline", "500ms", "-o", "json"});
  EXPECT_EQ(local.code, 0) << local.err;
  EXPECT_THAT(local.err, HasSubstr("narrows: warning: "));
  EXPECT_EQ(json::parse(local.out).at("results")[0].at("source"), "fallback");
  EXPECT_EQ(json::parse(local.out).at("summary").at("fallback"), 1);
}

TEST(TwoProcesses, ALateCloudIsCodeFiveOrAFallback)
{
  // A cloud that is stopped in its tracks after the greeting: it is there and does not answer.
  test::cloud_process cloud({network});
  test::process edge({"run", network, pictures, "--every", "100ms", "--connect", cloud.endpoint(), "--at", "input", "--codec", "raw", "--fallback", "never",
    "--deadline", "400ms", "-o", "csv"});
  ASSERT_TRUE(edge.says(",remote,")) << edge.err();
  cloud.program().signal(SIGSTOP);
  const int code = edge.wait(std::chrono::minutes(2));
  cloud.program().signal(SIGCONT);
  EXPECT_EQ(code, 5) << edge.err();
  EXPECT_THAT(edge.out(), HasSubstr(",error,"));
}

TEST(TwoProcesses, AnotherModelIsCodeThreeAndNeverAFallback)
{
  const test::scratch folder;
  const auto other = folder / "shapes.onnx";
  // A comment in the file: the same network, other bytes, so another hash. Field 6 of ModelProto is doc_string.
  test::write_text(other, test::text_of(network) + std::string("\x32\x02hi", 4));
  test::write_text(folder / "shapes.json", test::text_of(bundled("shapes.json")));
  test::write_text(folder / "shapes_classes.csv", test::text_of(bundled("shapes_classes.csv")));
  test::cloud_process cloud({other});
  ASSERT_NE(cloud.endpoint(), "") << cloud.program().err();
  for (const std::string fallback : {"local", "never"}) {
    const auto f = narrows({"run", network, bundled("pictures/0000.png"), "--connect", cloud.endpoint(), "--at", "input", "--fallback", fallback});
    test::expect_one_error(f, 3, "shapes.onnx");
    EXPECT_THAT(f.err, HasSubstr("different model"));
  }
  const auto good = narrows({"run", other, bundled("pictures/0000.png"), "--connect", cloud.endpoint(), "--at", "input", "--fallback", "never"});
  EXPECT_EQ(good.code, 0) << "the cloud goes on serving: " << good.err;
}

TEST(TwoProcesses, KeysLetInWhoIsListedAndNobodyElse)
{
  const test::scratch folder;
  const auto server_public = narrows({"keygen", folder / "cloud.key"}).out.substr(0, 40);
  const auto edge_public = narrows({"keygen", folder / "edge.key"}).out.substr(0, 40);
  ASSERT_EQ(narrows({"keygen", folder / "stranger.key"}).code, 0);
  test::write_text(folder / "allowed", edge_public + " the edge of this test\n");
  test::write_text(folder / "cloud.pub", server_public + "\n");
  test::cloud_process cloud({network, "--key", folder / "cloud.key", "--allow", folder / "allowed"});
  ASSERT_NE(cloud.endpoint(), "") << cloud.program().err();
  const auto run = [&](const std::string& key, const std::string& server, const std::string& fallback) {
    std::vector<std::string> command{"run", network, bundled("pictures/0000.png"), "--connect", cloud.endpoint(), "--at", "input", "--fallback", fallback, "--deadline", "2s"};
    if (!key.empty()) command.insert(command.end(), {"--key", key, "--server-key", server});
    return narrows(command);
  };
  EXPECT_EQ(run(folder / "edge.key", folder / "cloud.pub", "never").code, 0);
  EXPECT_EQ(run(folder / "edge.key", server_public, "never").code, 0);
  for (const std::string fallback : {"local", "never"}) {
    const auto f = run(folder / "stranger.key", folder / "cloud.pub", fallback);
    EXPECT_EQ(f.code, 6) << f.err;
  }
  test::expect_one_error(narrows({"serve", network, "--bind", "tcp://0.0.0.0:0"}), 6, "0.0.0.0");
  test::expect_one_error(narrows({"run", network, bundled("pictures/0000.png"), "--connect", "tcp://192.0.2.1:5599", "--at", "input"}), 6, "192.0.2.1");
}

TEST(TwoProcesses, ATakenAddressAndANonsenseOneAreNamed)
{
  test::cloud_process cloud({network});
  ASSERT_NE(cloud.endpoint(), "");
  test::expect_one_error(narrows({"serve", network, "--bind", cloud.endpoint()}), 3, cloud.endpoint());
  test::expect_one_error(narrows({"run", network, bundled("pictures/0000.png"), "--connect", "nonsense", "--plain", "--at", "input"}), 3, "nonsense");
}

}  // namespace
}  // namespace narrows
