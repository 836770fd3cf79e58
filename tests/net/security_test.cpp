// SPDX-License-Identifier: BSD-3-Clause
// Who may come in.
#include <filesystem>
#include <fstream>
#include <sys/stat.h>
#include <unistd.h>

#include "net/support.hpp"

namespace narrows {
namespace {

using namespace test;

/// A folder of its own, gone at the end.
class Security : public testing::Test {
protected:
  void SetUp() override
  {
    std::string pattern = (std::filesystem::temp_directory_path() / "narrows-keys-XXXXXX").string();
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::filesystem::path folder_;
};

cloud_options guarded(const curve_keys& own, const std::vector<curve_key>& allowed)
{
  cloud_options o;
  o.curve = curve_server{own, allowed};
  return o;
}
result<edge> edge_with(const std::string& endpoint, const std::optional<curve_client>& keys)
{
  auto o = to(endpoint);
  o.curve = keys;
  return edge::connect(network, step_engine(), o);
}

TEST_F(Security, AKeyFileIsItsOwnersOnlyAndIsNeverOverwritten)
{
  const auto keys = *make_curve_keys();
  EXPECT_TRUE(is_curve_key(keys.public_key));
  EXPECT_NE(keys.public_key, keys.secret_key);
  const auto file = folder_ / "edge.key";
  ASSERT_TRUE(write_curve_keys(file, keys));
  struct ::stat about {};
  ASSERT_EQ(::stat(file.c_str(), &about), 0);
  EXPECT_EQ(about.st_mode & 0777, 0600U);
  const auto back = read_curve_keys(file);
  ASSERT_TRUE(back) << back.error().text();
  EXPECT_EQ(back->public_key, keys.public_key);
  EXPECT_EQ(back->secret_key, keys.secret_key);
  EXPECT_EQ(write_curve_keys(file, keys).error().code, errc::io_error);

  std::filesystem::permissions(file, std::filesystem::perms::group_read, std::filesystem::perm_options::add);
  EXPECT_EQ(read_curve_keys(file).error().code, errc::authentication);
  EXPECT_EQ(read_curve_keys(folder_ / "none").error().code, errc::io_error);
}

TEST_F(Security, AnAllowListNamesItsBadLine)
{
  const auto one = *make_curve_keys();
  const auto two = *make_curve_keys();
  const auto file = folder_ / "allowed";
  std::ofstream(file) << "# edges of the east\n\n" << one.public_key << " camera 1\n" << "public " << two.public_key << "\n";
  const auto keys = read_allowed_keys(file);
  ASSERT_TRUE(keys) << keys.error().text();
  EXPECT_EQ(*keys, (std::vector<curve_key>{one.public_key, two.public_key}));
  std::ofstream(file) << one.public_key << "\nnot a key\n";
  const auto bad = read_allowed_keys(file);
  ASSERT_FALSE(bad);
  EXPECT_NE(bad.error().text().find("line 2"), std::string::npos);
}

TEST_F(Security, AKeyOnTheListIsServedAndAnswersAreEncrypted)
{
  const auto server_keys = *make_curve_keys();
  const auto edge_keys = *make_curve_keys();
  running_cloud server({network}, step_engine(), guarded(server_keys, {edge_keys.public_key}));
  auto client = edge_with(server.endpoint(), curve_client{edge_keys, server_keys.public_key});
  ASSERT_TRUE(client) << client.error().text();
  const auto got = client->infer(input, plan_at(network, "both"), patience);
  ASSERT_TRUE(got) << got.error().text();
  EXPECT_EQ(got->from, source::remote);
  EXPECT_TRUE(same_bits(got->outputs, run_whole(network, picture.view())));
}

TEST_F(Security, AKeyThatIsNotOnTheListIsRefused)
{
  const auto server_keys = *make_curve_keys();
  running_cloud server({network}, step_engine(), guarded(server_keys, {make_curve_keys()->public_key}));
  const auto client = edge_with(server.endpoint(), curve_client{*make_curve_keys(), server_keys.public_key});
  ASSERT_FALSE(client);
  EXPECT_EQ(client.error().code, errc::authentication);
}

TEST_F(Security, APlainPeerIsRefused)
{
  const auto server_keys = *make_curve_keys();
  running_cloud server({network}, step_engine(), guarded(server_keys, {make_curve_keys()->public_key}));
  const auto client = edge_with(server.endpoint(), std::nullopt);
  ASSERT_FALSE(client);
  EXPECT_EQ(client.error().code, errc::authentication);
}

TEST_F(Security, ACloudWithAnotherKeyThanExpectedIsRefused)
{
  const auto edge_keys = *make_curve_keys();
  running_cloud server({network}, step_engine(), guarded(*make_curve_keys(), {edge_keys.public_key}));
  const auto client = edge_with(server.endpoint(), curve_client{edge_keys, make_curve_keys()->public_key});
  ASSERT_FALSE(client);
  EXPECT_EQ(client.error().code, errc::authentication);
}

TEST_F(Security, AnEdgeWithKeysDoesNotTalkToAPlainCloud)
{
  running_cloud server({network});
  const auto client = edge_with(server.endpoint(), curve_client{*make_curve_keys(), make_curve_keys()->public_key});
  ASSERT_FALSE(client);
  EXPECT_EQ(client.error().code, errc::authentication);
}

TEST_F(Security, AnEmptyAllowListIsNoListing)
{
  EXPECT_EQ(cloud::bind({network}, step_engine(), guarded(*make_curve_keys(), {})).error().code, errc::authentication);
}

TEST_F(Security, OnlyThisMachineIsLoopback)
{
  for (const char* near : {"tcp://127.0.0.1:5599", "tcp://127.1.2.3:*", "tcp://localhost:1", "tcp://[::1]:80", "ipc:///run/x", "inproc://x"}) EXPECT_TRUE(is_loopback(near)) << near;
  for (const char* far : {"tcp://*:5599", "tcp://0.0.0.0:1", "tcp://192.0.2.7:1", "tcp://127.example.org:1", "tcp://localhost.example.org:1", "tcp://[::]:1",
         "tcp://127.0.0.1:1;192.0.2.7:1", "udp://127.0.0.1:1", "nonsense", ""}) EXPECT_FALSE(is_loopback(far)) << far;
}

}  // namespace
}  // namespace narrows
