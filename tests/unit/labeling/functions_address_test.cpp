// Where functions and webhooks may not be: this machine, its networks, metadata services.
#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>

#include <cstdlib>
#include <cstring>
#include <utility>

#include "base/public_address.h"
#include "labeling/functions/http_call.h"
#include "unit/base/temporary_folder.h"
#include "unit/labeling/functions_server.h"

namespace terrapin::labeling {
namespace {

using std::chrono::hours;
using terrapin::test::RecordingServer;
using ::testing::HasSubstr;

AddressKind kind_of(const std::string& text) {
  sockaddr_storage storage{};
  auto* v4 = reinterpret_cast<sockaddr_in*>(&storage);
  auto* v6 = reinterpret_cast<sockaddr_in6*>(&storage);
  if (::inet_pton(AF_INET, text.c_str(), &v4->sin_addr) == 1) {
    v4->sin_family = AF_INET;
  } else if (::inet_pton(AF_INET6, text.c_str(), &v6->sin6_addr) == 1) {
    v6->sin6_family = AF_INET6;
  } else {
    ADD_FAILURE() << text << " is no address";
  }
  return address_kind(reinterpret_cast<const sockaddr&>(storage));
}

const char* const kPrivateAddresses[] = {
    "127.0.0.1",
    "127.255.255.254",
    "10.0.0.1",
    "10.255.255.255",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.1.1",
    "169.254.1.1",
    "100.64.0.1",
    "192.0.2.7",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "192.88.99.1",
    "::1",
    "fe80::1",
    "febf::1",
    "fec0::1",
    "fc00::1",
    "fdff::1",
    "2001:db8::1",
    "100::1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::7f00:1",
    "::8.8.8.8",
    "64:ff9b::127.0.0.1",
    "64:ff9b:1::8.8.8.8",
    "2002:7f00:1::1",
    "2002:c0a8:101::",
    "2001:0:4136:e378:8000:63bf:f5ff:fffe",
    "2606:4700::5efe:10.0.0.1",
    "2606:4700::200:5efe:127.0.0.1",
};
const char* const kNeverAddresses[] = {
    "0.0.0.0",
    "0.1.2.3",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
    "169.254.169.254",
    "169.254.170.2",
    "169.254.170.23",
    "100.100.100.200",
    "168.63.129.16",
    "192.0.0.192",
    "::",
    "ff02::1",
    "fd00:ec2::254",
    "fd00:ec2::23",
    "fd20:ce::254",
    "::ffff:169.254.169.254",
    "::ffff:0.0.0.0",
    "64:ff9b::169.254.169.254",
    "2002:a9fe:a9fe::1",
    "2606:4700::5efe:169.254.169.254",
};

TEST(FunctionsAddress, KindsOfAddresses) {
  for (const char* address : kPrivateAddresses) EXPECT_EQ(kind_of(address), AddressKind::kPrivate) << address;
  for (const char* address : kNeverAddresses) EXPECT_EQ(kind_of(address), AddressKind::kNever) << address;
  for (const char* address :
       {"8.8.8.8",          "1.1.1.1",         "9.255.255.255",       "11.0.0.0",        "126.255.255.255",
        "128.0.0.1",        "172.15.255.255",  "172.32.0.0",          "192.167.255.255", "192.169.0.0",
        "100.63.255.255",   "100.128.0.0",     "169.253.255.255",     "169.255.0.0",     "198.17.255.255",
        "198.20.0.0",       "223.255.255.255", "2606:4700::1111",     "2a00::1",         "::ffff:8.8.8.8",
        "64:ff9b::8.8.8.8", "2002:808:808::1", "2001:4860:4860::8888"})
    EXPECT_EQ(kind_of(address), AddressKind::kPublic) << address;
  sockaddr local{};
  local.sa_family = AF_UNIX;
  EXPECT_EQ(address_kind(local), AddressKind::kNever);
}

// Forms of an address that URLs may hold. Loopback ones are asked for with the port of a server that listens
// there, so that a hole shows as a request.
const char* const kLoopbackHosts[] = {
    "127.0.0.1",
    "127.1",
    "127.0.1",
    "2130706433",
    "0x7f000001",
    "0x7f.0.0.1",
    "0x7f.1",
    "017700000001",
    "0177.0.0.1",
    "0177.0.0.0x1",
    "127.0.0.1.",
    "localhost",
    "LOCALHOST",
    "localhost.",
    "a.localhost",
    "[::1]",
    "[0:0:0:0:0:0:0:1]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[::127.0.0.1]",
    "[64:ff9b::7f00:1]",
    "[2002:7f00:1::]",
    "%31%32%37.0.0.1",
};
const char* const kOtherForbiddenHosts[] = {
    "0.0.0.0",
    "0",
    "0x0",
    "[::]",
    "10.1.2.3",
    "167772161",
    "0xa000001",
    "012.0.0.1",
    "192.168.0.1",
    "3232235521",
    "172.20.1.1",
    "169.254.169.254",
    "2852039166",
    "0xa9fea9fe",
    "0251.0376.0251.0376",
    "[fd00:ec2::254]",
    "[fe80::1]",
    "[fe80::1%25lo]",
    "[fc00::1]",
    "224.0.0.1",
    "[ff02::1]",
    "255.255.255.255",
    "100.64.0.1",
    "[::ffff:a9fe:a9fe]",
    "[64:ff9b::a9fe:a9fe]",
};

TEST(FunctionsAddress, NoSpellingOfAForbiddenHostCanBeRegistered) {
  for (const char* host : kLoopbackHosts)
    EXPECT_FALSE(check_url(fmt::format("http://{}:8080/x", host), false)) << host;
  for (const char* host : kOtherForbiddenHosts)
    EXPECT_FALSE(check_url(fmt::format("https://{}/x", host), false)) << host;
  for (const char* host : {"0.0.0.0", "0", "[::]", "169.254.169.254", "2852039166", "[fd00:ec2::254]",
                           "224.0.0.1", "[ff02::1]", "255.255.255.255", "[::ffff:a9fe:a9fe]"})
    EXPECT_FALSE(check_url(fmt::format("https://{}/x", host), true)) << host;
  for (const char* host : {"127.0.0.1", "localhost", "[::1]", "10.1.2.3", "192.168.0.1", "[fc00::1]"})
    EXPECT_TRUE(check_url(fmt::format("http://{}:8080/x", host), true)) << host;
  EXPECT_TRUE(check_url("https://functions.example.org/x", false));
  EXPECT_TRUE(check_url("https://8.8.8.8:8443/x", false));
}

class FunctionsConnect : public ::testing::Test {
 protected:
  Attempt post(const std::string& url, bool allow_private = false) {
    HttpCall call;
    call.url = url;
    call.body = "{}";
    call.allow_private = allow_private;
    call.timeout = hours(1);
    return post_json(call, settings_, stop_);
  }
  HttpSettings settings_;
  StopSignal stop_;
  RecordingServer server_;
};

TEST_F(FunctionsConnect, NoSpellingReachesTheServer) {
  for (const char* host : kLoopbackHosts) {
    const auto answer = post(fmt::format("http://{}:{}/x", host, server_.port()));
    ASSERT_FALSE(answer) << host;
    EXPECT_EQ(answer.error().error.code, ErrorCode::kDenied) << host;
    EXPECT_FALSE(answer.error().may_pass) << host;
  }
  EXPECT_EQ(server_.count(), 0U);
}

// A name server that answers with one of these after the registration was checked.
TEST_F(FunctionsConnect, ANameThatLeadsToAForbiddenAddressIsRefusedWhenConnecting) {
  const auto refuses = [&](const std::string& address, bool allow_private) {
    const std::string host = "rebound.example.org";
    const bool v6 = address.find(':') != std::string::npos;
    settings_.resolve = {fmt::format("{}:{}:{}", host, server_.port(), v6 ? "[" + address + "]" : address)};
    const std::string url = fmt::format("http://{}:{}/x", host, server_.port());
    ASSERT_TRUE(check_url(url, allow_private));
    const auto answer = post(url, allow_private);
    ASSERT_FALSE(answer) << address;
    EXPECT_EQ(answer.error().error.code, ErrorCode::kDenied)
        << address << " " << answer.error().error.message;
    EXPECT_FALSE(answer.error().may_pass) << address;
    EXPECT_THAT(answer.error().error.message, HasSubstr(host)) << address;
  };
  for (const char* address : kPrivateAddresses) refuses(address, false);
  for (const char* address : kNeverAddresses) {
    refuses(address, false);
    refuses(address, true);
  }
  EXPECT_EQ(server_.count(), 0U);
}

TEST_F(FunctionsConnect, ARegistrationMayAllowThisMachine) {
  settings_.resolve = {fmt::format("here.example.org:{}:127.0.0.1", server_.port())};
  const auto answer = post(fmt::format("http://here.example.org:{}/x", server_.port()), true);
  ASSERT_TRUE(answer) << answer.error().error.message;
  EXPECT_EQ(server_.count(), 1U);
}

TEST_F(FunctionsConnect, MessagesDoNotTellPathAndQuery) {
  server_.reply({404, "no", {}});
  const auto answer = post(server_.url("/hidden-path?token=hidden"), true);
  ASSERT_FALSE(answer);
  EXPECT_THAT(answer.error().error.message, ::testing::Not(HasSubstr("hidden")));
  EXPECT_THAT(answer.error().error.message, HasSubstr(std::to_string(server_.port())));
}

TEST(FunctionsTls, CertificatesAreVerified) {
  const terrapin::test::TemporaryFolder folder;
  const std::string key = (folder / "key.pem").string(), certificate = (folder / "certificate.pem").string();
  const std::string make =
      "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 -subj /CN=test "
      "-addext subjectAltName=DNS:right.example.org -keyout " +
      key + " -out " + certificate + " >/dev/null 2>&1";
  if (std::system(make.c_str()) != 0) GTEST_SKIP() << "the openssl program is not installed";
  http::ServerOptions options;
  options.tls_certificate = certificate;
  options.tls_key = key;
  RecordingServer server(options);
  HttpSettings settings;
  settings.resolve = {fmt::format("right.example.org:{}:127.0.0.1", server.port()),
                      fmt::format("wrong.example.org:{}:127.0.0.1", server.port())};
  StopSignal stop;
  const auto post = [&](const std::string& host) {
    HttpCall call;
    call.url = fmt::format("https://{}:{}/x", host, server.port());
    call.body = "{}";
    call.allow_private = true;
    return post_json(call, settings, stop);
  };
  const auto unknown = post("right.example.org");
  ASSERT_FALSE(unknown);
  EXPECT_FALSE(unknown.error().may_pass);
  settings.ca_file = certificate;
  const auto wrong = post("wrong.example.org");
  ASSERT_FALSE(wrong);
  EXPECT_FALSE(wrong.error().may_pass);
  EXPECT_EQ(server.count(), 0U);
  const auto right = post("right.example.org");
  ASSERT_TRUE(right) << right.error().error.message;
  EXPECT_EQ(server.count(), 1U);
}

}  // namespace
}  // namespace terrapin::labeling
