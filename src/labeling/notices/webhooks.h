// Addresses that want to hear of jobs. They are in <data-dir>/webhooks.json, which `terrapin webhooks`
// changes, never an API or a page; docs/formats/notices.md.
#pragma once

#include <filesystem>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/private_file.h"
#include "base/result.h"

namespace terrapin::labeling {

struct Webhook {
  std::string id;   // set by add(): "hook-" and 12 characters
  std::string url;  // http:// or https://
  std::vector<std::string> events;
  std::string secret;          // signs what is sent; made by add() if empty; empty in lists
  bool allow_private = false;  // the URL's host may be on this machine or its networks
  Timestamp created;           // set by add()
  bool wants(std::string_view event) const;
};

// "job.in-progress", "job.completed", "job.stopped", "job.failed", "tasks.available"
const std::vector<std::string>& notice_events();

// Thread-safe. Other processes may change the file: it is read again when it has changed.
class Webhooks {
 public:
  // kIo, kCorrupt naming the file; kDenied if others than its owner may read it. A missing file holds none.
  static Result<std::unique_ptr<Webhooks>> open(const std::filesystem::path& data_dir, const Clock& clock);

  // What was stored, with its id and secret: the only time the secret is told. kInvalidArgument for a URL,
  // event or secret (16 to 256 printable characters) that is not allowed, kAlreadyExists for a URL that is
  // registered.
  Result<Webhook> add(Webhook webhook);
  Result<std::vector<Webhook>> list();   // without secrets, in order of registration
  Status remove(const std::string& id);  // by id or URL; kNotFound

  // With secrets, as the file is now.
  Result<std::shared_ptr<const std::vector<Webhook>>> current();

 private:
  Webhooks(std::filesystem::path path, const Clock& clock);
  const Clock& clock_;
  PrivateFile file_;
  std::mutex mutex_;
  std::shared_ptr<const std::string> parsed_text_;      // guarded by mutex_
  std::shared_ptr<const std::vector<Webhook>> parsed_;  // guarded by mutex_; what parsed_text_ says
};

}  // namespace terrapin::labeling
