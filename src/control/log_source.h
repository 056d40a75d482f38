// Logs that can be read while they are written: groups of streams of lines.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "jobs/output_log.h"

namespace terrapin::control {

struct LogGroup {
  std::string name;  // "/aws/sagemaker/TrainingJobs"
  Timestamp created;
};

struct LogStream {
  std::string name;  // "turtles-2026-01-01/algo-1-1767225600"
  Timestamp created;
  std::string bucket;   // of the results: who may not use it may not read this; "": unknown
  Timestamp last = {};  // about when it was written last
};

// Thread-safe. One source has the groups of one kind of work.
class LogSource {
 public:
  virtual ~LogSource() = default;

  // Its groups whose names begin with `prefix`, ascending.
  virtual Result<std::vector<LogGroup>> groups(const std::string& prefix) = 0;
  // The group's streams whose names begin with `prefix`, ascending by name: those after `after`, at most
  // `limit`. kNotFound if there is no such group.
  virtual Result<std::vector<LogStream>> streams(const std::string& group, const std::string& prefix,
                                                 const std::string& after, int limit) = 0;
  virtual Result<LogStream> stream(const std::string& group, const std::string& name) = 0;  // kNotFound
  // As jobs::read_output. Times never go back within a stream.
  virtual Result<jobs::OutputPage> read(const std::string& group, const std::string& stream,
                                        std::int64_t offset, std::int64_t max_bytes) = 0;
};

}  // namespace terrapin::control
