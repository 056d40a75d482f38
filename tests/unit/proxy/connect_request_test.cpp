#include "proxy/connect_request.h"

#include <gtest/gtest.h>

#include <vector>

namespace terrapin::proxy {
namespace {

ConnectAnswer judge(std::string_view head) {
  return judge_connect(
      head, [](const std::string& host) { return host == "s3.example.com"; }, "s3.example.com, port 443");
}

TEST(ConnectRequest, TheHostOfTheListPasses) {
  for (const char* head :
       {"CONNECT s3.example.com:443 HTTP/1.1\r\nHost: s3.example.com:443\r\n\r\n",
        "CONNECT S3.Example.COM:443 HTTP/1.0\r\n\r\n",
        "CONNECT s3.example.com:443 HTTP/1.1\r\nProxy-Authorization: Basic eA==\r\n\r\n"}) {
    const ConnectAnswer answer = judge(head);
    EXPECT_EQ(answer.status, 200) << head << answer.text;
    EXPECT_EQ(answer.host, "s3.example.com");
  }
}

TEST(ConnectRequest, EverythingElseIsRefusedByName) {
  struct Case {
    const char *line, *named;
  };
  for (const auto& [line, named] :
       std::vector<Case>{{"CONNECT localhost:22 HTTP/1.1", "localhost"},
                         {"CONNECT 169.254.169.254:80 HTTP/1.1", "169.254.169.254"},
                         {"CONNECT 169.254.169.254:443 HTTP/1.1", "169.254.169.254"},
                         {"CONNECT [::1]:443 HTTP/1.1", "[::1]"},
                         {"CONNECT s3.example.com.evil.org:443 HTTP/1.1", "s3.example.com.evil.org"},
                         {"CONNECT s3.example.com.:443 HTTP/1.1", "s3.example.com."},
                         {"CONNECT user@s3.example.com:443 HTTP/1.1", "user@s3.example.com"},
                         {"CONNECT s3.example.com:443@evil.org:443 HTTP/1.1", "s3.example.com:443@evil.org"},
                         {"CONNECT s3.example.com:80 HTTP/1.1", "port 80"},
                         {"CONNECT s3.example.com:0443 HTTP/1.1", "port 0443"},
                         {"CONNECT s3.example.com: HTTP/1.1", "port "},
                         {"GET http://s3.example.com/ HTTP/1.1", "http://s3.example.com/"},
                         {"GET / HTTP/1.1", "only CONNECT"},
                         {"POST http://169.254.169.254/latest HTTP/1.1", "169.254.169.254"}}) {
    const ConnectAnswer answer = judge(std::string(line) + "\r\n\r\n");
    EXPECT_EQ(answer.status, 403) << line;
    EXPECT_NE(answer.text.find(named), std::string::npos) << line << " | " << answer.text;
    EXPECT_NE(answer.text.find("Allowed are s3.example.com, port 443."), std::string::npos) << answer.text;
    EXPECT_TRUE(answer.host.empty()) << line;
  }
}

TEST(ConnectRequest, WhatIsNoRequestIsNone) {
  using std::string_literals::operator""s;
  for (const std::string& head :
       {"\r\n\r\n"s, "CONNECT\r\n\r\n"s, "CONNECT  HTTP/1.1\r\n\r\n"s, "CONNECT s3.example.com:443\r\n\r\n"s,
        "CONNECT s3.example.com:443 HTTP/2\r\n\r\n"s, "connect s3.example.com:443 HTTP/1.1\r\n\r\n"s,
        "CONNECT s3.example.com HTTP/1.1\r\n\r\n"s, "CONNECT :443 HTTP/1.1\r\n\r\n"s,
        "CONNECT s3.example.com\r\n.evil.org:443 HTTP/1.1\r\n\r\n"s,
        "CONNECT s3.example.com\n:443 HTTP/1.1\r\n\r\n"s, "CONNECT s3.example.com\r:443 HTTP/1.1\r\n\r\n"s,
        "CONNECT evil.org s3.example.com:443 HTTP/1.1\r\n\r\n"s,
        "CONNECT s3.example.com\0.evil.org:443 HTTP/1.1\r\n\r\n"s,
        "CONNECT s3.example.com\t:443 HTTP/1.1\r\n\r\n"s, "\x16\x03\x01\x02\x00\r\n\r\n"s}) {
    const ConnectAnswer answer = judge(head);
    EXPECT_EQ(answer.status, 400) << head;
    // Nothing of it may start a line of the answer.
    EXPECT_EQ(answer.text.find_first_of("\r\n\t"), std::string::npos) << answer.text;
  }
}

TEST(ConnectRequest, LongNamesAreCut) {
  const ConnectAnswer answer = judge("CONNECT " + std::string(6000, 'a') + ":443 HTTP/1.1\r\n\r\n");
  EXPECT_EQ(answer.status, 403);
  EXPECT_LT(answer.text.size(), 400U);
}

}  // namespace
}  // namespace terrapin::proxy
