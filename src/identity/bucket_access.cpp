#include "identity/bucket_access.h"

#include <algorithm>

namespace terrapin::identity {

Result<bool> BucketAccess::may_use(const std::string& principal, const std::string& bucket) {
  if (principal.find(':') == std::string::npos) {
    auto may = keys_.may_read(principal, bucket);
    // The file of keys is the host's: what is wrong with it is told to its log alone.
    if (!may) return fail(ErrorCode::kInternal, "{}", may.error().message);
    return may;
  }
  const auto account = accounts_.account(principal.substr(principal.find(':') + 1));
  if (!account) {
    if (account.error().code == ErrorCode::kNotFound) return false;
    return tl::unexpected<Error>(account.error());
  }
  if (principal_of(*account) != principal || !account->active) return false;
  if (account->has(Role::kAdmin)) return true;
  if (!account->has(Role::kRequester)) return false;
  return requester_buckets_.empty() ||
         std::find(requester_buckets_.begin(), requester_buckets_.end(), bucket) != requester_buckets_.end();
}

}  // namespace terrapin::identity
