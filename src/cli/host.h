// A model behind the hosting contract, until it is told to end: what `terrapin host` and the servers of an
// endpoint have in common.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "base/result.h"
#include "serving/model_server.h"

namespace terrapin::cli {

struct HostOptions {
  std::string model;  // a model.tar.gz or its unpacked folder
  std::string listen = "127.0.0.1", backend = "auto";
  std::string instance;  // ModelServerOptions::instance
  int port = 0, threads = 0;
  std::int64_t max_body_mb = 64, max_memory_mb = serving::ModelServerOptions().max_memory_bytes >> 20;
  std::int64_t max_pixels = serving::ModelServerOptions().max_pixels, long_side = -1;
  serving::BatchingOptions batching;
  bool log_requests = true;
  // Told the port once it listens, before the model is loaded; and once the model is. A failure ends the
  // server.
  std::function<Status(int port)> listening = {};
  std::function<void()> loaded = {};
};

// Returns after SIGTERM or SIGINT, when requests in flight are finished; or with what is wrong with the
// model.
Result<int> host(const HostOptions& options);

}  // namespace terrapin::cli
