#include "control/process/transfer.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <nlohmann/json.hpp>
#include <optional>
#include <system_error>

#include "artifacts/json_fields.h"
#include "base/descriptor.h"
#include "base/interrupt.h"
#include "base/line_reader.h"
#include "base/parallel.h"

namespace terrapin::control {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using storage::ObjectName;

constexpr std::size_t kGroup = 1000;  // objects that are looked at together
constexpr std::int64_t kPiece = 1 << 20;
constexpr std::int64_t kMaxManifestBytes = 256 << 20;  // of a list that is read whole
constexpr std::size_t kMaxLineBytes = 1 << 20;
constexpr std::size_t kMaxNameBytes = 255;

Status go_on(const std::string& what) {
  if (!interrupted()) return {};
  return fail(ErrorCode::kCancelled, "{}: stopped", what);
}

tl::unexpected<Error> system_failure(const std::string& what, int number) {
  const std::string words = std::generic_category().message(number);
  switch (number) {
    case ENOSPC:
    case EDQUOT:
      return fail(ErrorCode::kNoSpace, "{}: there is no space left on the disk for it", what);
    case EEXIST:
      return fail(ErrorCode::kAlreadyExists, "{}: another object became the file of this name", what);
    case ENOTDIR:
    case EISDIR:
      return fail(
          ErrorCode::kInvalidArgument,
          "{}: its name is that of a folder, or goes through one that is a file; an object and a prefix "
          "of one name cannot both become files",
          what);
    case ENAMETOOLONG:
      return fail(ErrorCode::kInvalidArgument, "{}: its name is too long for a file", what);
    default:
      return fail(ErrorCode::kIo, "{}: {}", what, words);
  }
}

// Manifest lines name objects; what else they hold is not looked at here.
Result<std::optional<ObjectName>> reference_of(const json& line, const std::string& attribute) {
  const auto value = line.find(attribute);
  if (value == line.end() || value->is_null()) return std::optional<ObjectName>();  // not labelled
  if (!value->is_string() || !value->get_ref<const std::string&>().starts_with("s3://"))
    return fail(ErrorCode::kInvalidArgument, "\"{}\" is {}; expected an address s3://bucket/key", attribute,
                artifacts::shown(*value));
  TERRAPIN_TRY(ObjectName name, storage::parse_s3_uri(value->get<std::string>()));
  return std::optional<ObjectName>(std::move(name));
}

class Group {
 public:
  explicit Group(const Transfer::Visit& visit) : visit_(visit) {}
  Status add(SourceObject object) {
    objects_.push_back(std::move(object));
    return objects_.size() < kGroup ? Status() : flush();
  }
  Status flush() {
    if (objects_.empty()) return {};
    TERRAPIN_TRY_STATUS(visit_(objects_));
    objects_.clear();
    return {};
  }

 private:
  const Transfer::Visit& visit_;
  std::vector<SourceObject> objects_;
};

// The objects whose keys begin with `prefix`, as files below the folder that `base` bytes of the key name.
// Keys that end in '/' stand for folders alone.
Result<bool> visit_keys(storage::ObjectStore& objects, const ObjectName& prefix, std::size_t base,
                        Group& group) {
  bool any = false;
  storage::ListQuery query;
  query.prefix = prefix.key;
  for (bool more = true; more;) {
    TERRAPIN_TRY_STATUS(go_on(storage::s3_uri(prefix)));
    TERRAPIN_TRY(const storage::ListPage page, objects.list(prefix.bucket, query));
    for (const storage::ObjectInfo& info : page.objects) {
      if (info.key.ends_with('/')) continue;
      const ObjectName name{prefix.bucket, info.key};
      auto file = local_file(info.key.substr(base));
      if (!file) return with_context(std::move(file.error()), storage::s3_uri(name));
      any = true;
      TERRAPIN_TRY_STATUS(group.add({name, std::move(*file), info.size}));
    }
    more = page.truncated;
    query.start_after = page.next_start_after;
  }
  return any;
}

}  // namespace

Result<fs::path> local_file(const std::string& relative) {
  fs::path path;
  for (std::size_t begin = 0; begin <= relative.size();) {
    const std::size_t end = std::min(relative.find('/', begin), relative.size());
    const std::string part = relative.substr(begin, end - begin);
    begin = end + 1;
    if (part.empty()) continue;
    if (part == "." || part == ".." || part.find('\0') != std::string::npos)
      return fail(ErrorCode::kInvalidArgument,
                  "'{}' would leave the folder of its channel: no part of the name "
                  "may be '.' or '..'",
                  relative);
    if (part.size() > kMaxNameBytes)
      return fail(ErrorCode::kInvalidArgument,
                  "'{}...' has {} bytes between two '/'; a file's name has at most {}", part.substr(0, 40),
                  part.size(), kMaxNameBytes);
    path /= part;
  }
  if (path.empty()) return fail(ErrorCode::kInvalidArgument, "'{}' names no file", relative);
  return path;
}

Status Transfer::check(const ObjectName& object) const {
  TERRAPIN_TRY_STATUS(storage::check_bucket_name(object.bucket));
  if (allowed_.empty() || std::find(allowed_.begin(), allowed_.end(), object.bucket) != allowed_.end())
    return {};
  return fail(ErrorCode::kDenied, "{}: the access key that made this job may use other buckets only ({})",
              storage::s3_uri(object), fmt::join(allowed_, ", "));
}

Result<std::string> Transfer::read_text(const ObjectName& object, std::int64_t max_bytes) {
  TERRAPIN_TRY_STATUS(check(object));
  TERRAPIN_TRY(const storage::OpenObject opened, objects_.get(object));
  auto text = read_all_text(*opened.content, max_bytes);
  if (!text) return with_context(std::move(text.error()), storage::s3_uri(object));
  return text;
}

Status Transfer::for_each(const DataSource& source, const Visit& visit) {
  TERRAPIN_TRY(const ObjectName name, storage::parse_s3_uri(source.uri));
  TERRAPIN_TRY_STATUS(check(name));
  Group group(visit);
  if (source.kind == DataSource::Kind::kAugmentedManifest)
    return fail(ErrorCode::kInvalidArgument, "{}: an augmented manifest is not a list of files", source.uri);
  if (source.kind == DataSource::Kind::kPrefix) {
    if (name.key.empty() || name.key.ends_with('/')) {
      TERRAPIN_TRY_STATUS(visit_keys(objects_, name, name.key.size(), group));
      return group.flush();
    }
    bool any = false;
    const std::size_t base = name.key.find_last_of('/') + 1;  // 0 without one
    const auto info = objects_.head(name);
    if (!info && info.error().code != ErrorCode::kNotFound) return tl::unexpected<Error>(info.error());
    if (info) {
      TERRAPIN_TRY(fs::path file, local_file(name.key.substr(base)));
      TERRAPIN_TRY_STATUS(group.add({name, std::move(file), info->size}));
      any = true;
    }
    const ObjectName folder{name.bucket, name.key + "/"};
    TERRAPIN_TRY(const bool in_folder, visit_keys(objects_, folder, folder.key.size(), group));
    if (!any && !in_folder) {
      TERRAPIN_TRY_STATUS(visit_keys(objects_, name, base, group));
    }
    return group.flush();
  }
  // [{"prefix": "s3://bucket/folder/"}, "a.jpg", "b/c.jpg", ...]
  TERRAPIN_TRY(const std::string text, read_text(name, kMaxManifestBytes));
  auto list = artifacts::parse_json(text);
  if (!list) return with_context(std::move(list.error()), source.uri);
  const json first = list->is_array() && !list->empty() ? list->front() : json();
  const auto prefix = first.find("prefix");
  if (!first.is_object() || prefix == first.end() || !prefix->is_string())
    return fail(ErrorCode::kInvalidArgument,
                "{}: is no manifest; expected a JSON list that begins with {{\"prefix\": "
                "\"s3://bucket/folder/\"}} and "
                "goes on with names of objects below it",
                source.uri);
  for (std::size_t i = 1; i < list->size(); ++i) {
    const json& entry = (*list)[i];
    if (!entry.is_string())
      return fail(ErrorCode::kInvalidArgument, "{}: entry {} is {}; expected the name of an object",
                  source.uri, i, artifacts::shown(entry));
    const std::string relative = entry.get<std::string>();
    const auto place = [&] { return fmt::format("{}: entry {}", source.uri, i); };
    auto object = storage::parse_s3_uri(prefix->get<std::string>() + relative);
    if (!object) return with_context(std::move(object.error()), place());
    if (const Status allowed = check(*object); !allowed) return with_context(allowed.error(), place());
    auto file = local_file(relative);
    if (!file) return with_context(std::move(file.error()), place());
    TERRAPIN_TRY_STATUS(group.add({std::move(*object), std::move(*file)}));
  }
  return group.flush();
}

Result<std::int64_t> Transfer::download_object(const ObjectName& object, const fs::path& file) {
  const std::string uri = storage::s3_uri(object);
  TERRAPIN_TRY_STATUS(check(object));
  TERRAPIN_TRY(const storage::OpenObject opened, objects_.get(object));
  std::error_code problem;
  fs::create_directories(file.parent_path(), problem);
  if (problem) return system_failure(uri, problem.value());
  const Descriptor target(::open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!target.is_open()) return system_failure(uri, errno);
  const std::int64_t size = opened.content->size();
  Bytes piece(static_cast<std::size_t>(std::clamp<std::int64_t>(size, 1, kPiece)));
  for (std::int64_t at = 0; at < size;) {
    TERRAPIN_TRY_STATUS(go_on(uri));
    const std::span<std::uint8_t> part(piece.data(), static_cast<std::size_t>(std::min(kPiece, size - at)));
    if (const Status read = opened.content->read(at, part); !read) return with_context(read.error(), uri);
    for (std::size_t done = 0; done < part.size();) {
      const ssize_t put = ::write(target.get(), part.data() + done, part.size() - done);
      if (put < 0 && errno == EINTR) continue;
      if (put <= 0) return system_failure(uri, put < 0 ? errno : ENOSPC);
      done += static_cast<std::size_t>(put);
    }
    at += static_cast<std::int64_t>(part.size());
  }
  return size;
}

Result<Transferred> Transfer::download_group(const std::vector<SourceObject>& group, const fs::path& folder,
                                             bool keep_existing) {
  std::vector<Result<std::int64_t>> results(group.size(), std::int64_t{0});
  parallel_for(static_cast<std::int64_t>(group.size()), threads_, [&](std::int64_t i) {
    const SourceObject& one = group[static_cast<std::size_t>(i)];
    Result<std::int64_t>& result = results[static_cast<std::size_t>(i)];
    if (const Status stopped = go_on(storage::s3_uri(one.object)); !stopped) {
      result = tl::unexpected<Error>(stopped.error());
      return;
    }
    result = download_object(one.object, folder / one.file);
    if (!result && keep_existing && result.error().code == ErrorCode::kAlreadyExists) result = 0;
  });
  Transferred all;
  for (const Result<std::int64_t>& result : results) {
    if (!result) return tl::unexpected<Error>(result.error());
    ++all.objects;
    all.bytes += *result;
  }
  return all;
}

Result<Transferred> Transfer::download(const DataSource& source, const fs::path& folder) {
  Transferred all;
  TERRAPIN_TRY_STATUS(for_each(source, [&](const std::vector<SourceObject>& group) -> Status {
    TERRAPIN_TRY(const Transferred some, download_group(group, folder, false));
    all.objects += some.objects;
    all.bytes += some.bytes;
    return {};
  }));
  if (all.objects == 0) return fail(ErrorCode::kNotFound, "there is no object under {}", source.uri);
  return all;
}

Result<Transferred> Transfer::download_augmented(const DataSource& source, const fs::path& folder,
                                                 const fs::path& objects_folder,
                                                 std::set<std::string>& buckets) {
  TERRAPIN_TRY(const ObjectName name, storage::parse_s3_uri(source.uri));
  TERRAPIN_TRY(fs::path file, local_file(name.key.substr(name.key.find_last_of('/') + 1)));
  if (file.extension() != ".manifest" && file.extension() != ".jsonl") file += ".manifest";
  TERRAPIN_TRY(const std::int64_t size, download_object(name, folder / file));
  TERRAPIN_TRY(const ByteSourcePtr bytes, file_source(folder / file));
  LineReader lines(bytes, kMaxLineBytes);
  Transferred all{1, size};
  std::vector<SourceObject> group;
  const auto flush = [&]() -> Status {
    TERRAPIN_TRY(const Transferred some, download_group(group, objects_folder, true));
    all.objects += some.objects;
    all.bytes += some.bytes;
    group.clear();
    return {};
  };
  for (;;) {
    TERRAPIN_TRY(const auto line, lines.next());
    if (!line) break;
    if (line->text.find_first_not_of(" \t\r") == std::string::npos) continue;
    const auto place = [&] { return fmt::format("{}: line {}", source.uri, line->number); };
    if (line->cut)
      return fail(ErrorCode::kTooLarge, "{}: over the limit of {} bytes", place(), kMaxLineBytes);
    auto parsed = artifacts::parse_json(line->text);
    if (!parsed) return with_context(std::move(parsed.error()), place());
    if (!parsed->is_object()) return fail(ErrorCode::kCorrupt, "{}: is no JSON object", place());
    for (const std::string& attribute : source.attributes) {
      if (!attribute.ends_with("-ref")) continue;  // a value, not the address of one
      auto object = reference_of(*parsed, attribute);
      if (!object) return with_context(std::move(object.error()), place());
      if (!*object) continue;
      if (const Status allowed = check(**object); !allowed) return with_context(allowed.error(), place());
      auto relative = local_file((*object)->key);
      if (!relative) return with_context(std::move(relative.error()), place());
      buckets.insert((*object)->bucket);
      group.push_back({**object, fs::path((*object)->bucket) / *relative});
    }
    if (group.size() >= kGroup) {
      TERRAPIN_TRY_STATUS(flush());
    }
  }
  TERRAPIN_TRY_STATUS(flush());
  return all;
}

Status Transfer::upload(const fs::path& file, const ObjectName& object, const std::string& content_type) {
  TERRAPIN_TRY_STATUS(check(object));
  TERRAPIN_TRY(const ByteSourcePtr bytes, file_source(file));
  auto stored = objects_.put(object, *bytes, content_type);
  if (!stored) return with_context(std::move(stored.error()), storage::s3_uri(object));
  return {};
}

Result<Transferred> FolderMirror::restore() {
  std::string uri = uri_;
  if (!uri.ends_with('/')) uri += '/';
  auto all = transfer_.download({DataSource::Kind::kPrefix, uri, {}}, folder_);
  if (!all && all.error().code == ErrorCode::kNotFound) return Transferred{};
  return all;
}

Result<Transferred> FolderMirror::save() {
  Transferred all;
  std::error_code problem;
  if (!fs::is_directory(folder_, problem)) return all;
  TERRAPIN_TRY(const std::vector<fs::path> files, list_files(folder_, true));
  for (const fs::path& file : files) {
    Seen seen;
    seen.time = fs::last_write_time(file, problem);
    if (!problem) seen.size = fs::file_size(file, problem);
    if (problem) continue;  // replaced or removed just now: the next call sees what is there
    const std::string relative = file.lexically_relative(folder_).string();
    if (const auto before = saved_.find(relative); before != saved_.end() && before->second == seen) continue;
    TERRAPIN_TRY(storage::ObjectName name,
                 storage::parse_s3_uri(uri_ + (uri_.ends_with('/') ? "" : "/") + relative));
    const Status stored = transfer_.upload(file, name, "application/octet-stream");
    if (!stored && stored.error().code == ErrorCode::kNotFound && !fs::exists(file, problem)) continue;
    if (!stored) return tl::unexpected<Error>(stored.error());
    saved_[relative] = seen;
    ++all.objects;
    all.bytes += static_cast<std::int64_t>(seen.size);
  }
  return all;
}

}  // namespace terrapin::control
