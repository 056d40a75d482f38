// A small S3 behind the real gateway: every request that reaches it was signed as AWS demands. A script may
// answer in its place.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "api/gateway.h"
#include "base/percent.h"
#include "crypto/hash.h"
#include "http/server.h"
#include "http/target.h"
#include "storage/remote_store.h"

namespace terrapin::storage::test {

struct SeenRequest {
  std::string method, path, target, host, body;  // path decoded
  http::Headers headers;
  http::Query query;
};

class FakeS3 {
 public:
  // The n-th request, from 1; nullopt: the fake itself answers.
  using Script = std::function<std::optional<http::Response>(const SeenRequest&, int number)>;

  explicit FakeS3(http::ServerOptions options = {})
      : gateway_({api::Place{}, &FakeS3::find_key, &system_clock()}) {
    gateway_.add("s3", [this](const api::Exchange& exchange) { return answer(exchange); });
    http::Router router;
    router.set_fallback([this](const http::Request& request) { return gateway_.handle(request); });
    auto server = http::Server::start(std::move(router), std::move(options));
    EXPECT_TRUE(server) << server.error().message;
    server_ = std::move(*server);
  }

  RemoteStoreOptions options() const {
    RemoteStoreOptions options;
    options.endpoint = server_->url();
    options.credentials = {"TPIATEST", "secret", ""};
    options.first_wait_ms = 0;
    return options;
  }
  const http::Server& server() const { return *server_; }

  void set_script(Script script) {
    const std::lock_guard lock(mutex_);
    script_ = std::move(script);
    seen_.clear();
  }
  std::vector<SeenRequest> seen() {
    const std::lock_guard lock(mutex_);
    return seen_;
  }
  std::map<std::string, std::string> objects() {
    const std::lock_guard lock(mutex_);
    return objects_;
  }

 private:
  static Result<std::optional<identity::AccessKey>> find_key(const std::string& id) {
    if (id != "TPIATEST") return std::optional<identity::AccessKey>();
    return std::optional(identity::AccessKey{id, "secret", identity::Scope::kAdmin, "root", {}, {}});
  }

  http::Response answer(const api::Exchange& exchange) {
    SeenRequest request{exchange.request.method,
                        *percent_decode(exchange.request.path),
                        exchange.request.target,
                        std::string(exchange.request.headers.find("host").value_or("")),
                        *read_all_text(*exchange.body, 64 << 20),
                        exchange.request.headers,
                        exchange.request.query};
    Script script;
    int number = 0;
    {
      const std::lock_guard lock(mutex_);
      seen_.push_back(request);
      number = static_cast<int>(seen_.size());
      script = script_;
    }
    if (script)
      if (auto scripted = script(request, number)) return std::move(*scripted);
    return simple_answer(request);
  }

  http::Response simple_answer(const SeenRequest& request) {
    const std::lock_guard lock(mutex_);
    const auto etag = [](const std::string& body) {
      return "\"" + crypto::hex(crypto::hash(crypto::HashKind::kMd5, body)) + "\"";
    };
    http::Response response = http::Response::text(200, "binary/octet-stream", "");
    if (request.method == "PUT") {
      objects_[request.path] = request.body;
      response.headers.set("ETag", etag(request.body));
      return response;
    }
    if (request.method == "DELETE") {
      objects_.erase(request.path);
      response.status = 204;
      return response;
    }
    const auto found = objects_.find(request.path);
    if (found == objects_.end()) return refusal(404, "NoSuchKey");
    response = http::Response::text(200, "image/png", found->second);
    response.headers.set("ETag", etag(found->second));
    response.headers.set("Last-Modified", "Fri, 24 May 2013 00:00:01 GMT");
    response.headers.set("x-amz-tagging-count", "0");
    return response;
  }

 public:
  static http::Response refusal(int status, const std::string& code, const std::string& more = {}) {
    return http::Response::text(status, "application/xml",
                                "<?xml version=\"1.0\"?>\n<Error><Code>" + code +
                                    "</Code><Message>words of " + code + "</Message>" + more + "</Error>");
  }
  static http::Response xml(const std::string& text) {
    return http::Response::text(200, "application/xml", "<?xml version=\"1.0\"?>\n" + text);
  }

 private:
  api::Gateway gateway_;
  std::mutex mutex_;
  Script script_;                               // guarded by mutex_
  std::vector<SeenRequest> seen_;               // guarded by mutex_
  std::map<std::string, std::string> objects_;  // guarded by mutex_
  std::unique_ptr<http::Server> server_;
};

inline std::string query_of(const SeenRequest& request, std::string_view name) {
  for (const auto& [key, value] : request.query)
    if (key == name) return value;
  return "(none)";
}

}  // namespace terrapin::storage::test
