#include <vector>

#include "artifacts/json_fields.h"
#include "artifacts/manifest.h"
#include "base/files.h"
#include "base/percent.h"

namespace terrapin::artifacts {
namespace {

Status check_key(const std::string& uri, const std::string& key) {
  const auto refuse = [&](const char* why) {
    return fail(ErrorCode::kInvalidArgument, "'{}' {}; expected s3://bucket/key that stays inside its bucket",
                uri, why);
  };
  if (key.empty()) return refuse("names no object");
  if (key.front() == '/') return refuse("has an absolute key");
  for (std::size_t begin = 0; begin <= key.size();) {
    std::size_t end = key.find('/', begin);
    if (end == std::string::npos) end = key.size();
    const std::string part = key.substr(begin, end - begin);
    if (part == "." || part == "..") return refuse("has '.' or '..' in its key");
    begin = end + 1;
  }
  return {};
}

}  // namespace

Status S3Roots::add(const std::string& specification) {
  const std::size_t equals = specification.find('=');
  const std::string bucket = specification.substr(0, equals);
  if (equals == std::string::npos || bucket.empty() || bucket.find('/') != std::string::npos ||
      equals + 1 == specification.size()) {
    return fail(ErrorCode::kInvalidArgument, "'{}' is no bucket root, expected bucket=folder", specification);
  }
  const std::filesystem::path folder = specification.substr(equals + 1);
  std::error_code ignored;
  if (!std::filesystem::is_directory(folder, ignored)) {
    return fail(ErrorCode::kNotFound, "'{}': {} is not a folder", specification, folder.string());
  }
  const auto [at, fresh] = buckets.emplace(bucket, folder);
  if (!fresh && at->second != folder) {
    return fail(ErrorCode::kAlreadyExists, "'{}': bucket {} stands for {} already", specification, bucket,
                at->second.string());
  }
  return {};
}

Result<std::filesystem::path> S3Roots::resolve(const std::string& uri,
                                               const std::filesystem::path& base) const {
  if (uri.empty() || uri.find('\0') != std::string::npos) {
    return fail(ErrorCode::kInvalidArgument, "'{}' names no file", uri);
  }
  const std::size_t colon = uri.find("://");
  if (colon == std::string::npos) {
    const std::filesystem::path plain(uri);
    return plain.is_absolute() ? plain : base / plain;
  }
  const std::string scheme = uri.substr(0, colon), rest = uri.substr(colon + 3);
  if (scheme == "file") {
    const auto decoded = percent_decode(rest.starts_with("localhost/") ? rest.substr(9) : rest);
    if (!decoded || !decoded->starts_with('/') || decoded->find('\0') != std::string::npos) {
      return fail(ErrorCode::kInvalidArgument, "'{}' is no file URI, expected file:///absolute/path", uri);
    }
    return std::filesystem::path(*decoded);
  }
  if (scheme != "s3") {
    return fail(ErrorCode::kInvalidArgument,
                "'{}' has scheme '{}', expected s3://bucket/key, file:/// or a path", uri, scheme);
  }
  const std::size_t slash = rest.find('/');
  const std::string bucket = rest.substr(0, slash);
  const std::string key = slash == std::string::npos ? std::string() : rest.substr(slash + 1);
  TERRAPIN_TRY_STATUS(check_key(uri, key));
  const auto root = buckets.find(bucket);
  if (root == buckets.end()) {
    std::vector<std::string> known;
    for (const auto& [name, folder] : buckets) known.push_back(name);
    return fail(ErrorCode::kNotFound,
                "'{}': no folder is given for bucket '{}' (known: {}); name one as --s3-root {}=FOLDER", uri,
                bucket, known.empty() ? "none" : fmt::format("{}", fmt::join(known, ", ")), bucket);
  }
  const std::filesystem::path path = root->second / std::filesystem::path(key);
  // Symbolic links count by where they lead, the last part included.
  std::error_code error;
  const auto led_to = std::filesystem::weakly_canonical(path, error);
  if (error) {
    return fail(ErrorCode::kIo, "'{}': {}: {}", uri, path.string(), error.message());
  }
  if (!is_inside(root->second, led_to)) {
    return fail(ErrorCode::kInvalidArgument, "'{}' leads to {}, outside the folder {} of its bucket", uri,
                led_to.string(), root->second.string());
  }
  return path;
}

}  // namespace terrapin::artifacts
