// Pre- and post-annotation functions that a person registered on this host: a local command or an HTTP(S)
// address, with AWS's JSON in and out. They are in <data-dir>/functions.json, which `terrapin functions`
// changes, never an API or a page; docs/formats/functions.md.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/private_file.h"
#include "base/result.h"
#include "labeling/functions/http_call.h"
#include "labeling/functions/stop_signal.h"
#include "labeling/labeling_service.h"

namespace terrapin::labeling {

struct RegisteredFunction {
  std::string name;                      // [a-zA-Z0-9-_]{1,64}: the last part of a Lambda function's ARN
  std::vector<std::string> command;      // an executable's absolute path and its arguments; empty: see url
  std::vector<std::string> environment;  // variables of the server that the command gets, by name
  std::string url;                       // empty: see command
  bool allow_private = false;            // the URL's host may be on this machine or its networks
  std::chrono::milliseconds timeout = std::chrono::seconds(60);  // of one try; 1 ms to 1 hour
  int retries = 2;                                               // tries after the first; 0 to 10
  Timestamp created;                                             // set by add()
};

struct FunctionsOptions {
  std::filesystem::path scratch_folder;  // for commands' working folders; "": the system's
  HttpSettings http;
  std::int64_t max_answer_bytes = 16 << 20;
  std::chrono::milliseconds kill_grace = std::chrono::seconds(2);          // from SIGTERM to SIGKILL
  std::chrono::milliseconds first_pause = std::chrono::milliseconds(500);  // before the second try; doubles
  std::chrono::milliseconds longest_pause = std::chrono::seconds(10);
  // Waits between tries; false: give up. Empty: until the time is over or stop() is called.
  std::function<bool(std::chrono::milliseconds)> pause;
};

// Thread-safe. Other processes may change the file: it is read again when it has changed.
class Functions final : public FunctionCaller {
 public:
  // kIo, kCorrupt naming the file; kDenied if others than its owner may read it. A missing file holds none.
  static Result<std::unique_ptr<Functions>> open(const std::filesystem::path& data_dir, const Clock& clock,
                                                 FunctionsOptions options = {});

  // kAlreadyExists for a taken name; kInvalidArgument for a name, command, URL or number that is not allowed:
  // names of built-in functions and what begins with "PRE-" or "ACS-", programs that cannot be run, URLs that
  // lead to this machine or its networks without allow_private.
  Status add(RegisteredFunction function);
  Result<std::vector<RegisteredFunction>> list();  // in order of registration
  Status remove(const std::string& name);          // kNotFound

  Result<bool> knows(const std::string& name) override;
  // Runs the function, again after a pause if it timed out, could not be connected to or answered 5xx. An
  // answer that is no JSON is kCorrupt, kCancelled means that stop() was called: the call may be made again
  // after the next start.
  Result<std::string> call(const std::string& name, const std::string& request_json) override;

  // Ends the calls that run, and all later ones, with kCancelled. Call it before LabelingService::stop(),
  // which waits for them.
  void stop();

 private:
  using List = std::vector<RegisteredFunction>;
  Functions(std::filesystem::path path, const Clock& clock, FunctionsOptions options);
  Result<std::shared_ptr<const List>> current();
  // The same for those who call functions: what is wrong with the file is kInternal.
  Result<std::shared_ptr<const List>> registered();
  Attempt try_once(const RegisteredFunction& function, const std::string& request_json);

  const Clock& clock_;
  const FunctionsOptions options_;
  PrivateFile file_;
  StopSignal stop_;
  std::mutex mutex_;
  std::shared_ptr<const std::string> parsed_text_;  // guarded by mutex_
  std::shared_ptr<const List> parsed_;              // guarded by mutex_; what parsed_text_ says
};

}  // namespace terrapin::labeling
