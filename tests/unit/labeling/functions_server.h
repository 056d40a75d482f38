// A small HTTP server that notes what it was sent and answers as it is told.
#pragma once

#include <condition_variable>
#include <deque>
#include <mutex>
#include <stdexcept>
#include <string>
#include <vector>

#include "http/server.h"

namespace terrapin::test {

class RecordingServer {
 public:
  struct Reply {
    int status = 200;
    std::string body = "{}";
    http::Headers headers;
  };

  explicit RecordingServer(http::ServerOptions options = {}) {
    http::Router router;
    router.set_fallback([this](const http::Request& request) { return answer(request); });
    options.handler_threads = 8;
    auto server = http::Server::start(std::move(router), std::move(options));
    if (!server) throw std::runtime_error(server.error().message);
    server_ = std::move(*server);
  }
  ~RecordingServer() {
    release();
    server_->stop();
  }

  int port() const { return server_->port(); }
  std::string url(const std::string& path = "/call") const { return server_->url() + path; }
  void stop() { server_->stop(); }

  void reply(Reply reply, int times = 1) {
    const std::lock_guard lock(mutex_);
    for (int i = 0; i < times; ++i) replies_.push_back(reply);
  }
  // From now on requests wait for release().
  void hold() {
    const std::lock_guard lock(mutex_);
    held_ = true;
  }
  void release() {
    const std::lock_guard lock(mutex_);
    held_ = false;
    changed_.notify_all();
  }
  void wait_for_requests(std::size_t count) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return requests_.size() >= count; });
  }
  std::vector<http::Request> requests() {
    const std::lock_guard lock(mutex_);
    return requests_;
  }
  std::size_t count() { return requests().size(); }

 private:
  Result<http::Response> answer(const http::Request& request) {
    std::unique_lock lock(mutex_);
    requests_.push_back(request);
    changed_.notify_all();
    changed_.wait(lock, [&] { return !held_; });
    Reply reply;
    if (!replies_.empty()) {
      reply = replies_.front();
      replies_.pop_front();
    }
    auto response = http::Response::text(reply.status, "application/json", reply.body);
    for (const auto& [name, value] : reply.headers.fields()) response.headers.add(name, value);
    return response;
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Reply> replies_;            // guarded by mutex_; then 200 and {}
  std::vector<http::Request> requests_;  // guarded by mutex_
  bool held_ = false;                    // guarded by mutex_
  std::unique_ptr<http::Server> server_;
};

}  // namespace terrapin::test
