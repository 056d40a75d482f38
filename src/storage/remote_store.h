// Objects in a remote S3 service: AWS's, or any that speaks its protocol.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"
#include "storage/object_store.h"

namespace terrapin::storage {

struct RemoteCredentials {
  std::string access_key, secret_key;
  std::string session_token;  // empty: none
};
// `file` empty: from AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN. Otherwise AWS's shared
// credentials file, section [profile]. kDenied if others than its owner may read the file, kInvalidArgument
// naming what is missing; a secret never shows in a message.
Result<RemoteCredentials> remote_credentials(const std::filesystem::path& file,
                                             const std::string& profile = "default");

struct RemoteStoreOptions {
  std::string endpoint;  // "https://s3.example.org:9000"; empty: AWS's for the region
  std::string region = "us-east-1";
  RemoteCredentials credentials;
  // Our bucket "photos" is theirs "<prefix>photos"; theirs without the prefix are not ours.
  std::string bucket_prefix;
  bool path_style = true;             // false: the bucket is part of the host's name
  std::filesystem::path authorities;  // PEM file with the only authorities to trust; empty: the system's
  int connect_timeout_ms = 10'000;
  int stall_timeout_s = 120;  // a transfer that moves less than a byte a second for so long has failed
  int attempts = 5;           // of a request, the first included
  int first_wait_ms =
      100;  // before the second attempt; doubles, at most 10 s, each drawn from its upper half
  int max_connections = 16;
  // Larger objects are read into an unnamed file in spool_folder (empty: the system's temporary folder).
  std::int64_t memory_bytes = 8 << 20;
  std::filesystem::path spool_folder;
  // S3 takes at most 5 GiB at once: larger bodies are sent in parts.
  std::int64_t part_above_bytes = std::int64_t{5} << 30;
  const Clock* clock = &system_clock();
};

// "s3://?region=eu-central-1" (AWS) or "https://host[:port]?region=...&prefix=...&style=path|virtual";
// "http://" for services on the same machine or in a closed network. All but the credentials.
// kInvalidArgument names the part.
Result<RemoteStoreOptions> parse_remote_store_url(std::string_view url);

// Asks nothing of the service yet. What is particular about this backend:
// - get() has read all bytes before it returns.
// - Times are whole seconds; ObjectInfo::modified of put() is the time of the service's answer.
// - head_upload() cannot tell the upload's headers: S3 gives them to nobody before the upload is complete.
// - A condition is only as good as the service's: AWS and ours hold it, some old servers ignore it.
// - Connection failures, 429, 500, 502, 503 and 504 are tried again where sending a request twice is the same
// as
//   sending it once; conditional puts and the start of an upload only if they surely had no effect.
// - Redirects are not followed: a bucket elsewhere is an error that names its region.
// Failures of the service and of its credentials are kIo with the service's own code and message.
Result<std::unique_ptr<ObjectStore>> open_remote_store(const RemoteStoreOptions& options);

}  // namespace terrapin::storage
