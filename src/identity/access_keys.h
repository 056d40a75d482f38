// Keys with which programs sign requests. SigV4 needs the secrets in clear: they are in a file of their own,
// <data-dir>/access-keys.json, 0600, written atomically, never logged; docs/formats/access-keys.md.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/private_file.h"
#include "base/result.h"

namespace terrapin::identity {

enum class Scope { kAdmin, kRequester, kInvoke };
const char* scope_name(Scope scope);  // "admin", "requester", "invoke"
Result<Scope> parse_scope(std::string_view name);

struct AccessKey {
  std::string id;      // 20 characters, "TPIA" first
  std::string secret;  // 40 characters; empty in lists
  Scope scope = Scope::kAdmin;
  std::string owner;                 // principal: jobs and notices belong to it
  std::vector<std::string> buckets;  // the only ones it may use; empty: all
  Timestamp created;
  bool may_use_bucket(const std::string& bucket) const;
};

// Thread-safe. Other processes may change the file: it is read again when it has changed.
class AccessKeys {
 public:
  // kIo, kCorrupt naming the file; kDenied if others may read it.
  static Result<std::unique_ptr<AccessKeys>> open(const std::filesystem::path& data_dir, const Clock& clock);
  // `before`: told the id before the key is there; its failure is this one's.
  using Before = std::function<Status(const std::string& id)>;
  Result<AccessKey> create(Scope scope, const std::string& owner, std::vector<std::string> buckets,
                           const Before& before = {});
  Result<std::vector<AccessKey>> list();  // without secrets
  Status revoke(const std::string& id);   // kNotFound
  // With its secret; nullopt for one that is unknown or revoked.
  Result<std::optional<AccessKey>> find(const std::string& id);
  // May the principal read this bucket: one of its keys that are in force may.
  Result<bool> may_read(const std::string& owner, const std::string& bucket);

 private:
  struct Document;
  AccessKeys(std::filesystem::path path, const Clock& clock);
  PrivateFile file_;  // synchronises itself
  const Clock& clock_;
  std::mutex mutex_;
  std::shared_ptr<const Document> document_;  // guarded by mutex_
};

}  // namespace terrapin::identity
