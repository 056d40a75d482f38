// One model behind the hosting contract: GET /ping, POST /invocations, GET /execution-parameters.
// docs/formats/hosting.md is the page for clients.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <semaphore>
#include <string>

#include "base/result.h"
#include "http/server.h"
#include "inference/predictor.h"
#include "serving/batcher.h"
#include "serving/memory_budget.h"

namespace terrapin::serving {

struct ModelServerOptions {
  http::ServerOptions http;  // handler_threads and max_pending_requests are set from the numbers below
  BatchingOptions batching;
  int threads = 0;                // photos decoded and masks encoded at one time; 0: all available cores
  int max_waiting_requests = 64;  // beyond those being worked on; above: 503 with Retry-After
  std::int64_t max_pixels = 100'000'000;  // of one photo; above: 413
  // Not empty: what this server is called. A request that asks for another one (X-Terrapin-Instance) is
  // refused with 421: ports are given again, and a caller must not take one model for another.
  std::string instance;
  // Decoded photos, masks and probabilities at one time; above: 503 with Retry-After. One request alone is
  // always worked on.
  std::int64_t max_memory_bytes = std::int64_t{2} << 30;
};

// Thread-safe.
class ModelServer {
 public:
  // Listens at once; /ping and /invocations answer 503 until a model is set.
  static Result<std::unique_ptr<ModelServer>> start(const ModelServerOptions& options);
  ~ModelServer();  // stop()
  ModelServer(const ModelServer&) = delete;
  ModelServer& operator=(const ModelServer&) = delete;

  // Requests from now on use this model; those in flight finish with theirs.
  void set_model(std::shared_ptr<inference::Predictor> predictor);
  // Decoded photos that wait for the model at this moment.
  std::size_t waiting_for_engine() const;
  int port() const { return server_->port(); }
  std::string url() const { return server_->url(); }
  // Graceful: see http::Server::stop.
  void stop() { server_->stop(); }

 private:
  explicit ModelServer(const ModelServerOptions& options);
  int concurrency() const;
  std::shared_ptr<Batcher> model() const;
  std::optional<http::Response> misdirected(const http::Request& request) const;
  http::Response ping() const;
  http::Response execution_parameters() const;
  Result<http::Response> invoke(const http::Request& request);
  Result<http::Response> answer_photo(const http::Request& request);

  // Constant after construction.
  const ModelServerOptions options_;
  const int threads_;
  // Synchronises itself: decoding and encoding take turns on the cores, whatever the number of requests.
  std::counting_semaphore<> cores_;
  MemoryBudget memory_;  // synchronises itself
  mutable std::mutex mutex_;
  std::shared_ptr<Batcher> model_;        // guarded by mutex_; null while loading
  std::unique_ptr<http::Server> server_;  // last: its handlers use what is above
};

}  // namespace terrapin::serving
