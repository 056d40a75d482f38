// The client of model servers, against a real server and against what is none.
#include "control/instance_client.h"

#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <thread>

#include "base/descriptor.h"
#include "http/server.h"

#include <arpa/inet.h>
#include <sys/socket.h>

namespace terrapin::control {
namespace {

using Steady = std::chrono::steady_clock;
using FaultKind = InstanceFault::Kind;

Steady::time_point soon() {
  return Steady::now() + std::chrono::seconds(60);
}

class InstanceClients : public testing::Test {
 protected:
  void SetUp() override { start(); }
  void start(int port = 0) {
    http::Router router;
    router.add("GET", "/ping", [](const http::Request&) -> Result<http::Response> {
      return http::Response::json(200, "{}");
    });
    router.add("POST", "/echo", [](const http::Request& request) -> Result<http::Response> {
      auto answer = http::Response::bytes(200, "x/y", request.body);
      answer.headers.set("Length", std::to_string(request.body.size()));
      return answer;
    });
    router.add("POST", "/other", [](const http::Request& request) -> Result<http::Response> {
      return http::Response::error(request.headers.find("X-Terrapin-Instance") == "me" ? 421 : 500, "no");
    });
    router.add("POST", "/wait", [this](const http::Request& request) -> Result<http::Response> {
      waiting_ = true;
      while (!request.abandoned() && !release_) std::this_thread::yield();
      abandoned_ = request.abandoned();
      return http::Response::json(200, "{}");
    });
    http::ServerOptions options;
    options.port = port;
    server_ = std::move(*http::Server::start(std::move(router), options));
    client_.set_port(server_->port());
  }
  InstanceRequest post(const char* path, std::span<const std::uint8_t> body = {}) const {
    InstanceRequest request;
    request.method = "POST";
    request.path = path;
    request.body = body;
    return request;
  }

  std::atomic<bool> waiting_{false}, release_{false}, abandoned_{false};
  std::unique_ptr<http::Server> server_;
  InstanceClient client_{"me"};
};

TEST_F(InstanceClients, BodiesOfEverySizeComeBack) {
  for (const std::size_t size :
       {std::size_t{0}, std::size_t{1}, std::size_t{16'384}, std::size_t{9'000'001}}) {
    Bytes body(size);
    for (std::size_t i = 0; i < size; ++i) body[i] = static_cast<std::uint8_t>(i * 2654435761U >> 13);
    const auto answer = client_.ask(post("/echo", body), soon());
    ASSERT_TRUE(answer) << answer.error().message;
    EXPECT_EQ(answer->status, 200);
    EXPECT_EQ(answer->field("content-type"), "x/y");
    EXPECT_TRUE(answer->body == body) << size;
    const auto source = bytes_source(body);
    InstanceRequest streamed = post("/echo");
    streamed.source = source.get();
    EXPECT_TRUE(client_.ask(streamed, soon())->body == body) << size;
  }
}

TEST_F(InstanceClients, AConnectionThatWasClosedMeanwhileIsNoFault) {
  ASSERT_TRUE(client_.ask({}, soon()));
  const int port = server_->port();
  server_.reset();
  start(port);
  const auto answer = client_.ask({}, soon());
  ASSERT_TRUE(answer) << answer.error().message;
  EXPECT_EQ(answer->status, 200);
}

TEST_F(InstanceClients, NobodyThereIsUnreachable) {
  const int port = server_->port();
  server_.reset();
  client_.set_port(port);
  EXPECT_EQ(client_.ask({}, soon()).error().kind, FaultKind::kUnreachable);
  InstanceClient unknown("me");
  EXPECT_EQ(unknown.ask({}, soon()).error().kind, FaultKind::kUnreachable);
}

TEST_F(InstanceClients, AnotherServerAtThatPortIsUnreachable) {
  EXPECT_EQ(client_.ask(post("/other"), soon()).error().kind, FaultKind::kUnreachable);
}

TEST_F(InstanceClients, TimeIsKept) {
  EXPECT_EQ(client_.ask(post("/wait"), Steady::now() + std::chrono::milliseconds(50)).error().kind,
            FaultKind::kTimeout);
  release_ = true;
}

TEST_F(InstanceClients, ACallerWhoLeavesEndsTheWork) {
  std::atomic<bool> gone{false};
  auto asked = std::async(std::launch::async, [&] { return client_.ask(post("/wait"), soon(), &gone); });
  while (!waiting_) std::this_thread::yield();
  gone = true;
  EXPECT_EQ(asked.get().error().kind, FaultKind::kAbandoned);
  server_->stop();
  EXPECT_TRUE(abandoned_) << "the server was told";
}

TEST_F(InstanceClients, ManyAtOnce) {
  std::atomic<int> good{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i)
    threads.emplace_back([&, i] {
      const Bytes body(static_cast<std::size_t>(1000 * i + 1), static_cast<std::uint8_t>(i));
      for (int round = 0; round < 50; ++round) {
        const auto answer = client_.ask(post("/echo", body), soon());
        if (answer && answer->body == body) ++good;
      }
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(good, 400);
}

// What speaks, but not as it should: bytes from whoever has the port.
TEST(InstanceClientHostile, WhatIsNoAnswerIsUnreachable) {
  for (const std::string said :
       {"", "garbage", "HTTP/1.1 200 OK\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort",
        "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 1x\r\n\r\n1",
        "HTTP/1.1 abc OK\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 200 OK\r\nnonsense\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"}) {
    const Descriptor listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof address;
    ASSERT_EQ(::bind(listener.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    ASSERT_EQ(::listen(listener.get(), 8), 0);
    ASSERT_EQ(::getsockname(listener.get(), reinterpret_cast<sockaddr*>(&address), &length), 0);
    std::thread speaker([&] {
      const Descriptor peer(::accept(listener.get(), nullptr, nullptr));
      char request[4096];
      (void)::recv(peer.get(), request, sizeof request, 0);
      (void)::send(peer.get(), said.data(), said.size(), MSG_NOSIGNAL);
    });
    InstanceClient client("me");
    client.set_port(ntohs(address.sin_port));
    const auto answer = client.ask({}, soon());
    speaker.join();
    ASSERT_FALSE(answer) << said;
    EXPECT_EQ(answer.error().kind, FaultKind::kUnreachable) << said;
  }
}

}  // namespace
}  // namespace terrapin::control
