#include <sys/stat.h>

#include <cstdlib>

#include "base/files.h"
#include "base/percent.h"
#include "base/text.h"
#include "storage/remote_store.h"
#include "storage/sigv4_signing.h"

namespace terrapin::storage {
namespace {

constexpr std::int64_t kMaxCredentialsBytes = 1 << 20;
constexpr std::string_view kBlanks = " \t\r";

std::string from_environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

}  // namespace

Result<RemoteCredentials> remote_credentials(const std::filesystem::path& file, const std::string& profile) {
  RemoteCredentials credentials;
  if (file.empty()) {
    credentials = {from_environment("AWS_ACCESS_KEY_ID"), from_environment("AWS_SECRET_ACCESS_KEY"),
                   from_environment("AWS_SESSION_TOKEN")};
    if (credentials.access_key.empty() || credentials.secret_key.empty())
      return fail(
          ErrorCode::kInvalidArgument,
          "the remote object store needs AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a credentials file");
    return credentials;
  }
  struct stat info {};
  if (::stat(file.c_str(), &info) == 0 && (info.st_mode & 077) != 0)
    return fail(ErrorCode::kDenied,
                "{}: others than its owner may read the secrets in it; allowed is mode 0600", file.string());
  TERRAPIN_TRY(const std::string text, read_text_file(file, kMaxCredentialsBytes));
  bool inside = false, found = false;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    const std::string_view line = trimmed(std::string_view(text).substr(begin, end - begin), kBlanks);
    begin = end + 1;
    if (line.empty() || line.front() == '#' || line.front() == ';') continue;
    if (line.front() == '[') {
      inside = line.back() == ']' && trimmed(line.substr(1, line.size() - 2), kBlanks) == profile;
      found = found || inside;
      continue;
    }
    const std::size_t equals = line.find('=');
    if (!inside || equals == std::string_view::npos) continue;
    const std::string_view name = trimmed(line.substr(0, equals), kBlanks);
    const std::string value(trimmed(line.substr(equals + 1), kBlanks));
    if (name == "aws_access_key_id") credentials.access_key = value;
    if (name == "aws_secret_access_key") credentials.secret_key = value;
    if (name == "aws_session_token") credentials.session_token = value;
  }
  if (!found) return fail(ErrorCode::kInvalidArgument, "{}: has no section [{}]", file.string(), profile);
  if (credentials.access_key.empty() || credentials.secret_key.empty())
    return fail(ErrorCode::kInvalidArgument,
                "{}: section [{}] needs aws_access_key_id and aws_secret_access_key", file.string(), profile);
  return credentials;
}

Result<RemoteStoreOptions> parse_remote_store_url(std::string_view url) {
  const std::size_t mark = url.find("://");
  const std::string_view scheme = url.substr(0, mark);
  if (mark == std::string_view::npos || (scheme != "s3" && scheme != "https" && scheme != "http"))
    return fail(ErrorCode::kInvalidArgument,
                "'{}': must be s3://?region=... for AWS, or https://host[:port] of another S3 service", url);
  const std::size_t question = std::min(url.find('?'), url.size());
  std::string_view host = url.substr(mark + 3, question - mark - 3);
  if (host.ends_with('/')) host.remove_suffix(1);
  if (host.find('@') != std::string_view::npos)
    return fail(
        ErrorCode::kInvalidArgument,
        "the URL of the remote object store may not hold credentials: they come from the environment or from "
        "a file");
  RemoteStoreOptions options;
  if (scheme == "s3") {
    if (!host.empty())
      return fail(ErrorCode::kInvalidArgument,
                  "'{}': s3:// stands for all of AWS and takes no host or bucket", url);
    options.path_style = false;
  } else {
    if (host.empty() || host.find('/') != std::string_view::npos)
      return fail(ErrorCode::kInvalidArgument, "'{}': must name a host and no path", url);
    options.endpoint = std::string(scheme) + "://" + std::string(host);
  }
  std::string_view rest = question < url.size() ? url.substr(question + 1) : std::string_view();
  while (!rest.empty()) {
    const std::size_t end = rest.find('&');
    const std::string_view member = rest.substr(0, end);
    rest = end == std::string_view::npos ? std::string_view() : rest.substr(end + 1);
    const std::size_t equals = std::min(member.find('='), member.size());
    const std::string_view name = member.substr(0, equals);
    const std::string value =
        equals < member.size() ? percent_decode_loosely(member.substr(equals + 1), false) : "";
    if (name == "region") {
      options.region = value;
    } else if (name == "prefix") {
      options.bucket_prefix = value;
    } else if (name == "style" && (value == "path" || value == "virtual")) {
      options.path_style = value == "path";
    } else {
      return fail(ErrorCode::kInvalidArgument,
                  "'{}': unknown '{}'; allowed are region=..., prefix=..., style=path, style=virtual", url,
                  member);
    }
  }
  return options;
}

}  // namespace terrapin::storage
