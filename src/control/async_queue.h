// Invocations whose answers become objects: accepted, waiting or being answered. docs/formats/endpoints.md.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "storage/database.h"

namespace terrapin::control {

struct AsyncInvocation {
  std::string id;               // unique; a part of the names of its objects
  std::string endpoint;         // as the endpoint's row has it
  Timestamp endpoint_made;      // another one of that name is not meant
  std::string input;            // s3://bucket/key
  std::string output, failure;  // the same; `failure` may be ""
  std::string content_type, accept, custom_attributes, inference_id;
  Timestamp accepted, deadline;  // it is not begun after that
  Timestamp not_before;          // after a try that failed
  std::chrono::seconds time{0};  // for one answer
  int tries = 0;                 // that failed
};

// A row is there until its answer, or why there is none, is written. Thread-safe, also between processes.
class AsyncQueue {
 public:
  // Brings the table up to date.
  static Result<AsyncQueue> open(storage::Database& state);

  Status add(storage::Transaction& state, const AsyncInvocation& invocation);
  // Of every endpoint of that name.
  Result<std::int64_t> count(storage::Transaction& state, const std::string& endpoint);

  // The endpoints that are waited for.
  struct Line {
    std::string endpoint;
    Timestamp endpoint_made;
  };
  Result<std::vector<Line>> lines();
  // Oldest first: those that may be begun at `now`; every one of the line; those of all lines whose deadline
  // has come.
  Result<std::vector<AsyncInvocation>> due(const Line& line, Timestamp now, int limit);
  Result<std::vector<AsyncInvocation>> all(const Line& line, int limit);
  Result<std::vector<AsyncInvocation>> expired(Timestamp now, int limit);

  Status postpone(const std::string& id, int tries, Timestamp not_before);
  // Also if it is gone.
  Status end(const std::string& id);

 private:
  explicit AsyncQueue(storage::Database& state) : state_(&state) {}
  Result<std::vector<AsyncInvocation>> select(const std::string& rest,
                                              const std::vector<storage::Value>& values);

  storage::Database* state_;
};

}  // namespace terrapin::control
