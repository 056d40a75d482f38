// Which buckets a principal may use: the one rule for jobs, for links to their images and for the console.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "identity/access_keys.h"
#include "identity/accounts.h"

namespace terrapin::identity {

// Thread-safe.
class BucketAccess {
 public:
  // `requester_buckets`: the only ones that accounts with role requester may use; empty: all. Both references
  // outlive it.
  BucketAccess(AccessKeys& keys, Accounts& accounts, std::vector<std::string> requester_buckets)
      : keys_(keys), accounts_(accounts), requester_buckets_(std::move(requester_buckets)) {}

  // Asked at each use, so what is taken back ends at once. An account (principal_of) that is active may use
  // every bucket as an admin, those of the installation as a requester, and none otherwise. Any other name is
  // the owner of access keys and may use what one of its keys may that are in force, but none for invoking
  // only.
  Result<bool> may_use(const std::string& principal, const std::string& bucket);

 private:
  AccessKeys& keys_;
  Accounts& accounts_;
  const std::vector<std::string> requester_buckets_;
};

}  // namespace terrapin::identity
