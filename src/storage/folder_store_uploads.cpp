#include "storage/folder_store_uploads.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <nlohmann/json.hpp>

#include "base/base64.h"
#include "base/files.h"
#include "base/json_text.h"
#include "crypto/hash.h"
#include "crypto/secrets.h"
#include "storage/folder_store_record.h"

namespace terrapin::storage {
namespace fs = std::filesystem;
namespace {

constexpr std::int64_t kLeastPartBytes = 5 << 20;
constexpr const char* kDescription = "upload.json";
constexpr std::int64_t kLongestDescription = 1 << 20;
constexpr const char* kOfWhole = "whole";
constexpr const char* kOfParts = "parts";

bool is_upload_id(std::string_view id) {
  return id.size() == 32 && std::all_of(id.begin(), id.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
         });
}

// Two digits a byte; empty for what is none.
Bytes bytes_of_hex(std::string_view text) {
  Bytes bytes;
  for (std::size_t k = 0; k + 1 < text.size(); k += 2) {
    unsigned value = 0;
    const auto [end, error] = std::from_chars(text.data() + k, text.data() + k + 2, value, 16);
    if (error != std::errc() || end != text.data() + k + 2) return {};
    bytes.push_back(static_cast<std::uint8_t>(value));
  }
  return bytes;
}

// "part-<number>-<MD5>", then ".<name>-<value in hex>" for every checksum: name and bytes are one file, so no
// crash separates them. kInvalidArgument for checksums that no file name holds.
Result<std::string> part_name(int number, std::string_view md5,
                              const std::map<std::string, std::string>& checksums) {
  std::string text = fmt::format("part-{:05}-{}", number, md5);
  for (const auto& [name, value] : checksums) {
    Bytes bytes;
    const bool plain = !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
      return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
    });
    if (!plain || !crypto::decode_base64(value, bytes) || bytes.empty() || bytes.size() > 32)
      return fail(ErrorCode::kInvalidArgument, "the checksum {} '{}' of part {} is none", name, value,
                  number);
    text += fmt::format(".{}-{}", name, crypto::hex(bytes));
  }
  if (text.size() > 255) return fail(ErrorCode::kInvalidArgument, "part {} has too many checksums", number);
  return text;
}
bool read_part_name(std::string_view name, PartInfo& part) {
  constexpr std::size_t kPlain = 5 + 5 + 1 + 32;
  if (name.size() < kPlain || !name.starts_with("part-") || name[10] != '-') return false;
  const auto [end, error] = std::from_chars(name.data() + 5, name.data() + 10, part.number);
  if (error != std::errc() || end != name.data() + 10) return false;
  part.etag = name.substr(11, 32);
  for (name.remove_prefix(kPlain); !name.empty();) {
    const std::size_t dash = name.find('-');
    if (name.front() != '.' || dash == std::string_view::npos) return false;
    const std::size_t next = std::min(name.find('.', 1), name.size());
    if (dash > next) return false;
    const Bytes bytes = bytes_of_hex(name.substr(dash + 1, next - dash - 1));
    if (bytes.empty()) return false;
    part.checksums.emplace(name.substr(1, dash - 1), base64(bytes));
    name.remove_prefix(next);
  }
  return true;
}

tl::unexpected<Error> no_such_upload(const ObjectName& name, const std::string& id) {
  return fail(ErrorCode::kNotFound, "there is no upload '{}' of {}", id, s3_uri(name));
}

Status sync_path(const fs::path& folder) {
  const Descriptor opened(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!opened.is_open()) return system_failure(errno, folder.string());
  return sync_folder(opened.get(), folder.string());
}

}  // namespace

fs::path FolderUploads::path_of(const ObjectName& name, const std::string& id) const {
  return folder_ / name.bucket / id;
}

Result<UploadInfo> FolderUploads::read(const std::string& bucket, const std::string& id) const {
  const fs::path path = folder_ / bucket / id / kDescription;
  TERRAPIN_TRY(const std::string text, read_text_file(path, kLongestDescription));
  const auto json = nlohmann::json::parse(text, nullptr, false);
  const auto text_of = [&json](const char* member) {
    return json.is_object() && json.contains(member) && json[member].is_string()
               ? json[member].get<std::string>()
               : std::string();
  };
  const auto started = parse_iso_text(text_of("started"));
  if (!started || text_of("key").empty())
    return fail(ErrorCode::kCorrupt, "{}: describes no upload", path.string());
  UploadInfo upload;
  upload.key = text_of("key");
  upload.upload_id = id;
  upload.started = *started;
  TERRAPIN_TRY(upload.headers, headers_from_json(text_of("headers")));
  upload.checksum = {text_of("checksum"), text_of("checksum_of") == kOfWhole};
  return upload;
}

Result<std::string> FolderUploads::start(const ObjectName& name, const ObjectHeaders& headers,
                                         const UploadChecksum& checksum) {
  const std::string id = crypto::random_text(32);
  const fs::path made = temporary_ / id;
  std::error_code error;
  fs::create_directories(folder_ / name.bucket, error);
  if (!error) fs::create_directory(made, error);
  if (error) return system_failure(error.value(), made.string());
  nlohmann::json json{{"version", 1},
                      {"key", name.key},
                      {"started", iso_text(clock_.now(), 6)},
                      {"headers", headers_to_json(headers)}};
  if (!checksum.name.empty()) {
    json["checksum"] = checksum.name;
    json["checksum_of"] = checksum.of_whole ? kOfWhole : kOfParts;
  }
  auto written = write_file_atomically(made / kDescription, std::string_view(json_text(json, 1)));
  if (written) {
    fs::rename(made, path_of(name, id), error);
    if (error) written = system_failure(error.value(), made.string());
  }
  if (written) written = sync_path(folder_ / name.bucket);
  if (written) written = sync_path(folder_);
  if (!written) {
    fs::remove_all(made, error);
    return tl::unexpected<Error>(std::move(written.error()));
  }
  return id;
}

Result<UploadInfo> FolderUploads::head(const ObjectName& name, const std::string& id) {
  if (!is_upload_id(id)) return no_such_upload(name, id);
  auto upload = read(name.bucket, id);
  if (!upload && upload.error().code == ErrorCode::kNotFound) return no_such_upload(name, id);
  if (upload && upload->key != name.key) return no_such_upload(name, id);
  return upload;
}

Result<PartInfo> FolderUploads::put_part(const ObjectName& name, const std::string& id, int number,
                                         const ByteSource& body,
                                         const std::map<std::string, std::string>& checksums) {
  if (number < 1 || number > kMostParts)
    return fail(ErrorCode::kInvalidArgument, "part number {}: 1 to {} are allowed", number, kMostParts);
  TERRAPIN_TRY_STATUS(head(name, id));
  const std::string label = fmt::format("part {} of {}", number, s3_uri(name));
  const fs::path temporary = temporary_ / crypto::random_text(32);
  Descriptor file(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666));
  if (!file.is_open()) return system_failure(errno, temporary.string());
  auto written = [&]() -> Result<PartInfo> {
    TERRAPIN_TRY(const std::string md5, write_hashing(body, file.get(), label));
    TERRAPIN_TRY(const std::string file_name, part_name(number, md5, checksums));
    const Timestamp now = clock_.now();
    const std::int64_t microseconds = to_microseconds(now);
    const timespec time{static_cast<time_t>(microseconds / 1'000'000),
                        static_cast<long>(microseconds % 1'000'000 * 1000)};
    const timespec times[2] = {time, time};
    if (::futimens(file.get(), times) != 0) return system_failure(errno, label);
    TERRAPIN_TRY_STATUS(sync_file(file.get(), label));
    const std::lock_guard lock(lock_of(id));
    TERRAPIN_TRY(const std::vector<Part> before, parts_of(name, id));
    const fs::path target = path_of(name, id) / file_name;
    if (::rename(temporary.c_str(), target.c_str()) != 0) {
      if (errno == ENOENT) return no_such_upload(name, id);  // completed or aborted meanwhile
      return system_failure(errno, label);
    }
    TERRAPIN_TRY_STATUS(sync_path(path_of(name, id)));
    std::error_code error;
    for (const Part& part : before)
      if (part.info.number == number && part.path != target) fs::remove(part.path, error);
    return PartInfo{number, body.size(), md5, now, checksums};
  }();
  if (!written) ::unlink(temporary.c_str());
  return written;
}

// Ascending by number, for each the one that was stored last.
Result<std::vector<FolderUploads::Part>> FolderUploads::parts_of(const ObjectName& name,
                                                                 const std::string& id) const {
  std::vector<Part> parts;
  std::error_code error;
  fs::directory_iterator entry(path_of(name, id), error);
  if (error == std::errc::no_such_file_or_directory) return no_such_upload(name, id);
  for (; !error && entry != fs::directory_iterator(); entry.increment(error)) {
    Part part;
    if (!read_part_name(entry->path().filename().string(), part.info)) continue;
    struct stat status {};
    if (::stat(entry->path().c_str(), &status) != 0) continue;
    part.info.size = status.st_size;
    part.info.modified = modified_time(status);
    part.path = entry->path();
    parts.push_back(std::move(part));
  }
  if (error) return system_failure(error.value(), s3_uri(name));
  std::sort(parts.begin(), parts.end(), [](const Part& a, const Part& b) {
    if (a.info.number != b.info.number) return a.info.number < b.info.number;
    return a.info.modified > b.info.modified;
  });
  parts.erase(std::unique(parts.begin(), parts.end(),
                          [](const Part& a, const Part& b) { return a.info.number == b.info.number; }),
              parts.end());
  return parts;
}

Result<std::vector<PartInfo>> FolderUploads::list_parts(const ObjectName& name, const std::string& id,
                                                        int after_number, int max_parts) {
  TERRAPIN_TRY_STATUS(head(name, id));
  TERRAPIN_TRY(const std::vector<Part> parts, parts_of(name, id));
  std::vector<PartInfo> result;
  for (const Part& part : parts) {
    if (static_cast<int>(result.size()) >= max_parts) break;
    if (part.info.number > after_number) result.push_back(part.info);
  }
  return result;
}

Result<std::vector<UploadInfo>> FolderUploads::list(const std::string& bucket, const std::string& prefix) {
  std::vector<UploadInfo> uploads;
  std::error_code error;
  fs::directory_iterator entry(folder_ / bucket, error);
  if (error == std::errc::no_such_file_or_directory) return uploads;
  for (; !error && entry != fs::directory_iterator(); entry.increment(error)) {
    auto upload = read(bucket, entry->path().filename().string());
    if (!upload && upload.error().code == ErrorCode::kNotFound) continue;  // ended meanwhile
    if (!upload) return tl::unexpected<Error>(std::move(upload.error()));
    if (upload->key.starts_with(prefix)) uploads.push_back(std::move(*upload));
  }
  if (error) return system_failure(error.value(), (folder_ / bucket).string());
  std::sort(uploads.begin(), uploads.end(), [](const UploadInfo& a, const UploadInfo& b) {
    return std::tie(a.key, a.started, a.upload_id) < std::tie(b.key, b.started, b.upload_id);
  });
  return uploads;
}

bool FolderUploads::any(const std::string& bucket) const {
  std::error_code error;
  const fs::directory_iterator entry(folder_ / bucket, error);
  return !error && entry != fs::directory_iterator();
}

void FolderUploads::forget_bucket(const std::string& bucket) {
  std::error_code error;
  fs::remove(folder_ / bucket, error);
}

// Out of sight at once, then removed: a crash leaves no half upload.
Status FolderUploads::remove(const ObjectName& name, const std::string& id) {
  const fs::path gone = temporary_ / (id + ".gone");
  std::error_code error;
  fs::rename(path_of(name, id), gone, error);
  if (error == std::errc::no_such_file_or_directory) return no_such_upload(name, id);
  if (error) return system_failure(error.value(), s3_uri(name));
  TERRAPIN_TRY_STATUS(sync_path(folder_ / name.bucket));
  fs::remove_all(gone, error);
  return {};
}

Status FolderUploads::abort(const ObjectName& name, const std::string& id) {
  TERRAPIN_TRY_STATUS(head(name, id));
  const std::lock_guard lock(lock_of(id));
  return remove(name, id);
}

Result<ObjectInfo> FolderUploads::complete(const ObjectName& name, const std::string& id,
                                           const std::vector<ChosenPart>& parts, const fs::path& path,
                                           const std::function<Result<ObjectInfo>(Whole&)>& publish) {
  const std::lock_guard lock(lock_of(id));
  TERRAPIN_TRY(const UploadInfo upload, head(name, id));
  TERRAPIN_TRY(const std::vector<Part> present, parts_of(name, id));
  if (parts.empty()) return fail(ErrorCode::kInvalidArgument, "{}: no parts are named", s3_uri(name));
  std::vector<const Part*> chosen;
  crypto::Hasher hasher(crypto::HashKind::kMd5);
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const int number = parts[i].number;
    const std::string& etag = parts[i].etag;
    if (i > 0 && number <= parts[i - 1].number) {
      return fail(ErrorCode::kInvalidArgument, "{}: part {} after part {}: numbers must ascend", s3_uri(name),
                  number, parts[i - 1].number);
    }
    const auto found =
        std::lower_bound(present.begin(), present.end(), number,
                         [](const Part& part, int wanted) { return part.info.number < wanted; });
    if (found == present.end() || found->info.number != number || found->info.etag != etag) {
      return fail(ErrorCode::kInvalidArgument, "{}: part {} with ETag '{}' was not uploaded", s3_uri(name),
                  number, etag);
    }
    if (i + 1 < parts.size() && found->info.size < kLeastPartBytes) {
      return fail(ErrorCode::kInvalidArgument,
                  "EntityTooSmall: part {} of {} has {} bytes, at least {}: all "
                  "but the last",
                  number, s3_uri(name), found->info.size, kLeastPartBytes);
    }
    hasher.add(bytes_of_hex(etag));
    chosen.push_back(&*found);
  }
  Whole whole;
  whole.path = path;
  whole.etag = fmt::format("{}-{}", crypto::hex(hasher.finish()), parts.size());
  whole.headers = upload.headers;
  for (const Part* part : chosen) whole.part_sizes.push_back(part->info.size);
  auto published = [&]() -> Result<ObjectInfo> {
    // A single part is the object: no copy where the file system has hard links.
    std::size_t first = 0;
    if (chosen.size() == 1 && ::link(chosen[0]->path.c_str(), path.c_str()) == 0) first = 1;
    whole.file = Descriptor(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666));
    if (!whole.file.is_open()) return system_failure(errno, path.string());
    for (std::size_t i = first; i < chosen.size(); ++i) {
      const Descriptor part(::open(chosen[i]->path.c_str(), O_RDONLY | O_CLOEXEC));
      if (!part.is_open()) return system_failure(errno, chosen[i]->path.string());
      TERRAPIN_TRY_STATUS(append_file(part.get(), chosen[i]->info.size, whole.file.get(), s3_uri(name)));
    }
    return publish(whole);
  }();
  if (!published) {
    ::unlink(path.c_str());
    return published;
  }
  // The object is there. An upload that cannot be removed shows in lists and can be aborted.
  (void)remove(name, id);
  return published;
}

}  // namespace terrapin::storage
