#include "storage/object_store.h"

#include <algorithm>

#include "base/utf8.h"

namespace terrapin::storage {
namespace {

bool is_lower_or_digit(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

bool looks_like_ipv4(std::string_view text) {
  int numbers = 0;
  std::size_t digits = 0;
  for (const char c : text) {
    if (c == '.') {
      if (digits == 0) return false;
      ++numbers;
      digits = 0;
    } else if (c >= '0' && c <= '9' && digits < 3) {
      ++digits;
    } else {
      return false;
    }
  }
  return numbers == 3 && digits > 0;
}

}  // namespace

Status check_bucket_name(std::string_view bucket) {
  bool good = bucket.size() >= 3 && bucket.size() <= 63 && is_lower_or_digit(bucket.front()) &&
              is_lower_or_digit(bucket.back()) && bucket.find("..") == std::string_view::npos &&
              !looks_like_ipv4(bucket);
  good = good && std::all_of(bucket.begin(), bucket.end(),
                             [](char c) { return is_lower_or_digit(c) || c == '.' || c == '-'; });
  // What S3 keeps for itself.
  for (const std::string_view prefix : {"xn--", "sthree-", "amzn-s3-demo-"})
    good = good && !bucket.starts_with(prefix);
  for (const std::string_view suffix : {"-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3"})
    good = good && !bucket.ends_with(suffix);
  if (good) return {};
  return fail(ErrorCode::kInvalidArgument,
              "'{}' is no bucket name: 3 to 63 characters of a-z, 0-9, '.' and '-', a letter or digit first "
              "and last, no '..', no IP address",
              bucket);
}

Status check_key(std::string_view key) {
  if (key.empty() || key.size() > kLongestKey) {
    return fail(ErrorCode::kInvalidArgument, "a key of {} bytes: 1 to {} are allowed ('{}')", key.size(),
                kLongestKey, key.substr(0, 80));
  }
  if (key.find('\0') != std::string_view::npos || !is_utf8(key))
    return fail(ErrorCode::kInvalidArgument, "the key must be UTF-8 without a zero byte");
  return {};
}

Result<ObjectName> parse_s3_uri(std::string_view uri) {
  constexpr std::string_view kScheme = "s3://";
  if (!uri.starts_with(kScheme))
    return fail(ErrorCode::kInvalidArgument, "'{}' is no S3 URI: s3://bucket/key is expected", uri);
  const std::string_view rest = uri.substr(kScheme.size());
  const std::size_t slash = rest.find('/');
  ObjectName name;
  name.bucket = rest.substr(0, slash);
  if (slash != std::string_view::npos) name.key = rest.substr(slash + 1);
  auto status = check_bucket_name(name.bucket);
  if (status && !name.key.empty()) status = check_key(name.key);
  if (!status) return with_context(std::move(status.error()), std::string(uri.substr(0, 200)));
  return name;
}

std::string s3_uri(const ObjectName& name) {
  return fmt::format("s3://{}/{}", name.bucket, name.key);
}

Status for_each_object(ObjectStore& store, const std::string& bucket, const std::string& prefix,
                       const std::function<Status(const ObjectInfo&)>& visit) {
  ListQuery query;
  query.prefix = prefix;
  for (;;) {
    TERRAPIN_TRY(const ListPage page, store.list(bucket, query));
    for (const ObjectInfo& object : page.objects) {
      TERRAPIN_TRY_STATUS(visit(object));
    }
    if (!page.truncated) return {};
    if (page.next_start_after <= query.start_after) {
      return fail(ErrorCode::kInternal, "{}: the list of '{}' does not go on after '{}'", store.description(),
                  bucket, query.start_after);
    }
    query.start_after = page.next_start_after;
  }
}

}  // namespace terrapin::storage
