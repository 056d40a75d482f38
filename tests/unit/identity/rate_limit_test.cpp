#include "identity/rate_limit.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <thread>

#include "identity/base64url.h"
#include "identity/server_key.h"
#include "unit/base/temporary_folder.h"

namespace terrapin::identity {
namespace {

using namespace std::chrono_literals;

TEST(TokenBuckets, RefillSteadily) {
  ManualClock clock{Timestamp()};
  TokenBuckets buckets(clock, {2, 3, 100});
  for (int i = 0; i < 3; ++i) EXPECT_EQ(buckets.take("a"), 0s);
  EXPECT_EQ(buckets.take("a"), 1s);
  EXPECT_EQ(buckets.take("b"), 0s);
  clock.advance(500ms);
  EXPECT_EQ(buckets.take("a"), 0s);
  EXPECT_EQ(buckets.take("a"), 1s);
  clock.advance(1h);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(buckets.take("a"), 0s);
  EXPECT_EQ(buckets.take("a"), 1s);
}

TEST(TokenBuckets, ManyKeysDoNotGrowTheTable) {
  ManualClock clock{Timestamp()};
  TokenBuckets buckets(clock, {0.001, 1, 100});
  for (int i = 0; i < 10'000; ++i) EXPECT_EQ(buckets.take(std::to_string(i)), 0s);
  EXPECT_GT(buckets.take("9999"), 0s);  // the newest is still known
}

TEST(FailureDelays, DoubleUpToALimitAndAreForgotten) {
  ManualClock clock{Timestamp()};
  FailureDelays delays(clock, {2, 1s, 8s, 1h, 100});
  EXPECT_EQ(delays.begin("a"), 0s);
  EXPECT_EQ(delays.begin("a"), 0s);
  for (const auto wait : {1s, 2s, 4s, 8s, 8s}) {
    EXPECT_EQ(delays.begin("a"), wait);
    clock.advance(wait);
    EXPECT_EQ(delays.begin("a"), 0s);
  }
  EXPECT_EQ(delays.begin("a"), 8s);
  clock.advance(1h + 1s);
  EXPECT_EQ(delays.begin("a"), 0s);
  EXPECT_EQ(delays.begin("a"), 0s);
  EXPECT_EQ(delays.begin("a"), 1s);
  delays.succeeded("a");
  EXPECT_EQ(delays.begin("a"), 0s);
}

TEST(FailureDelays, AttemptsAtOnceCountFromTheirStart) {
  ManualClock clock{Timestamp()};
  FailureDelays delays(clock, {3, 1s, 8s, 1h, 100});
  int begun = 0;
  for (int i = 0; i < 50; ++i) begun += delays.begin("a") == 0s ? 1 : 0;  // none has ended yet
  EXPECT_EQ(begun, 3);
  delays.take_back("a");
  EXPECT_EQ(delays.begin("a"), 0s);
}

TEST(AddressKey, JoinsWhatOneClientHas) {
  EXPECT_EQ(address_key("192.0.2.1"), "192.0.2.1");
  EXPECT_EQ(address_key("::ffff:192.0.2.1"), "192.0.2.1");
  EXPECT_EQ(address_key("2001:db8:1:2:3:4:5:6"), address_key("2001:db8:1:2::1"));
  EXPECT_NE(address_key("2001:db8:1:2::1"), address_key("2001:db8:1:3::1"));
}

TEST(ServerKey, IsMadeOnceAndKeptPrivate) {
  test::TemporaryFolder folder;
  std::vector<Bytes> keys(8);
  std::vector<std::thread> threads;
  for (Bytes& key : keys) threads.emplace_back([&] { key = load_server_key(folder.path()).value(); });
  for (std::thread& thread : threads) thread.join();
  for (const Bytes& key : keys) EXPECT_EQ(key, keys.front());
  EXPECT_EQ(keys.front().size(), 32u);
  struct stat info {};
  ASSERT_EQ(::stat((folder / "portal.key").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder.path()), {}), 1);
  EXPECT_NE(derive_key(keys.front(), "a"), derive_key(keys.front(), "b"));

  ASSERT_EQ(::chmod((folder / "portal.key").c_str(), 0640), 0);
  EXPECT_EQ(load_server_key(folder.path()).error().code, ErrorCode::kDenied);
  ASSERT_EQ(::chmod((folder / "portal.key").c_str(), 0600), 0);
  std::filesystem::resize_file(folder / "portal.key", 31);
  EXPECT_EQ(load_server_key(folder.path()).error().code, ErrorCode::kCorrupt);
}

TEST(Base64Url, RoundTripsAndRefusesOtherForms) {
  for (std::size_t size = 0; size < 40; ++size) {
    Bytes bytes(size), back{1};
    for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::uint8_t>(251 * i + 255);
    ASSERT_TRUE(decode_base64url(encode_base64url(bytes), back));
    EXPECT_EQ(back, bytes);
  }
  Bytes kept{7};
  for (const char* wrong : {"a", "ab=", "ab==", "a+/b", "ab\n", "aB"})
    EXPECT_FALSE(decode_base64url(wrong, kept)) << wrong;
  EXPECT_EQ(kept, Bytes{7});
}

}  // namespace
}  // namespace terrapin::identity
