#include "dataset/transform_output.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <map>
#include <numeric>
#include <set>
#include <string_view>

#include "artifacts/json_fields.h"
#include "base/files.h"
#include "base/text.h"
#include "dataset/transform_report.h"

namespace terrapin::dataset {
namespace {

namespace fs = std::filesystem;

// Everything that transform puts into its output folder.
constexpr std::string_view kEntries[] = {
    "train",     "train_annotation", "validation", "test",       "test_annotation", "validation_annotation",
    "label_map", "classes.json",     "splits.tsv", "report.json"};

bool made_by_transform(const fs::path& folder) {
  const auto text = read_text_file(folder / "report.json");
  if (!text) return false;
  const auto json = artifacts::parse_json(*text);
  if (!json || !json->is_object()) return false;
  const auto format = json->find("format");
  return format != json->end() && *format == TransformReport::kFormat;
}

// Whether an output may take the place of `path`.
Status check_replaceable(const fs::path& path, bool overwrite) {
  std::error_code error;
  if (!fs::exists(path, error)) return {};
  if (!fs::is_directory(path, error)) {
    return fail(ErrorCode::kAlreadyExists, "{} exists and is not a folder", path.string());
  }
  if (fs::is_empty(path, error)) return {};
  if (!overwrite) {
    return fail(ErrorCode::kAlreadyExists,
                "{} is not empty; name a new folder, or pass --overwrite to replace an earlier output of "
                "transform",
                path.string());
  }
  if (!made_by_transform(path)) {
    return fail(ErrorCode::kAlreadyExists,
                "{} was not made by transform (it has no report.json of it): --overwrite does not touch it",
                path.string());
  }
  std::set<std::string> foreign;
  for (fs::directory_iterator at(path, error), end; !error && at != end; at.increment(error)) {
    const std::string name = at->path().filename().string();
    if (std::find(std::begin(kEntries), std::end(kEntries), name) == std::end(kEntries)) foreign.insert(name);
  }
  if (error) return fail(ErrorCode::kIo, "{}: cannot be listed: {}", path.string(), error.message());
  if (!foreign.empty()) {
    return fail(ErrorCode::kAlreadyExists,
                "{} holds '{}', which transform did not write: --overwrite does not touch it; move it away",
                path.string(), *foreign.begin());
  }
  return {};
}

// No control characters (splits.tsv), no leading dot (hidden files are no photos), no slash.
std::string plain_name(const std::string& stem) {
  std::string name = stem;
  for (char& c : name) {
    if (static_cast<unsigned char>(c) < 32 || c == 127 || c == '/') c = '_';
  }
  if (name.empty() || name.front() == '.') name.insert(name.begin(), '_');
  return cut_text(name, 180);
}

// The last `count` folders of a URI, joined: "s3://bucket/a/b/x.jpg", 2 -> "a__b".
std::string parents(const std::string& key, std::size_t count) {
  std::vector<std::string> parts;
  std::string part;
  for (const char c : key) {
    if (c != '/') {
      part += c;
    } else if (!part.empty()) {
      if (part.back() != ':') parts.push_back(part);
      part.clear();
    }
  }
  std::string text;
  const std::size_t first = parts.size() > count ? parts.size() - count : 0;
  for (std::size_t i = first; i < parts.size(); ++i) text += parts[i] + "__";
  return text;
}

}  // namespace

Result<OutputFolder> OutputFolder::open(const fs::path& path, bool overwrite) {
  std::error_code error;
  // Through symbolic links: what is replaced is the folder, not the link to it.
  fs::path absolute = fs::weakly_canonical(fs::absolute(path, error), error);
  if (error) return fail(ErrorCode::kIo, "{}: {}", path.string(), error.message());
  if (!absolute.has_filename()) absolute = absolute.parent_path();
  TERRAPIN_TRY_STATUS(check_replaceable(absolute, overwrite));
  fs::create_directories(absolute.parent_path(), error);
  if (error) {
    return fail(ErrorCode::kIo, "{}: cannot be created: {}", absolute.parent_path().string(),
                error.message());
  }
  static std::atomic<int> serial{0};
  OutputFolder folder;
  folder.path_ = absolute;
  folder.overwrite_ = overwrite;
  folder.building_ = absolute.parent_path() / fmt::format(".{}.partial-{}-{}", absolute.filename().string(),
                                                          ::getpid(), serial.fetch_add(1));
  fs::remove_all(folder.building_, error);
  if (!fs::create_directory(folder.building_, error)) {
    return fail(ErrorCode::kIo, "{}: cannot be created: {}", folder.building_.string(), error.message());
  }
  return folder;
}

OutputFolder::OutputFolder(OutputFolder&& other) noexcept
    : path_(std::move(other.path_)), building_(std::move(other.building_)), overwrite_(other.overwrite_) {
  other.building_.clear();
}

OutputFolder::~OutputFolder() {
  std::error_code error;
  if (!building_.empty()) fs::remove_all(building_, error);
}

Status OutputFolder::commit() {
  // One call for tens of thousands of files, where an fsync each would take minutes.
  const int descriptor = ::open(building_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const bool synced = descriptor >= 0 && ::syncfs(descriptor) == 0;
  if (descriptor >= 0) ::close(descriptor);
  if (!synced) return fail(ErrorCode::kIo, "{}: cannot be made durable", building_.string());
  TERRAPIN_TRY_STATUS(check_replaceable(path_, overwrite_));  // hours may have passed since `open`
  TERRAPIN_TRY_STATUS(replace_folder(building_, path_));
  building_.clear();
  return {};
}

Status replace_folder(const fs::path& fresh, const fs::path& path, [[maybe_unused]] bool exchange) {
  std::error_code error;
  fs::path old;  // what must go in the end
  if (fs::exists(path, error) && !fs::is_empty(path, error)) {
#ifdef RENAME_EXCHANGE
    if (exchange && ::renameat2(AT_FDCWD, fresh.c_str(), AT_FDCWD, path.c_str(), RENAME_EXCHANGE) == 0) {
      old = fresh;
    }
#endif
    if (old.empty()) {
      old = fresh;
      old += ".old";
      fs::rename(path, old, error);
      if (error) return fail(ErrorCode::kIo, "{}: cannot be replaced: {}", path.string(), error.message());
    }
  }
  if (old != fresh) {
    fs::rename(fresh, path, error);
    if (error) {
      const std::string reason = error.message();
      if (!old.empty()) fs::rename(old, path, error);
      return fail(ErrorCode::kIo, "{}: cannot be put in place: {}", path.string(), reason);
    }
  }
  const int parent = ::open(path.parent_path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (parent >= 0) {
    ::fsync(parent);
    ::close(parent);
  }
  if (!old.empty()) fs::remove_all(old, error);
  return {};
}

std::vector<std::string> unique_names(const std::vector<NameRequest>& requests) {
  std::vector<std::string> names(requests.size());
  std::map<std::string, std::vector<std::size_t>> by_stem;
  for (std::size_t i = 0; i < requests.size(); ++i) {
    names[i] = plain_name(requests[i].stem);
    by_stem[lower_case(names[i])].push_back(i);
  }
  std::set<std::string> taken;
  for (const auto& [stem, members] : by_stem) {
    if (members.size() == 1) taken.insert(stem);
  }
  for (auto& [stem, members] : by_stem) {
    if (members.size() == 1) continue;
    std::sort(members.begin(), members.end(),
              [&](std::size_t a, std::size_t b) { return requests[a].key < requests[b].key; });
    for (std::size_t depth = 1; depth <= 4; ++depth) {
      std::set<std::string> trial;
      for (const std::size_t i : members) {
        trial.insert(lower_case(plain_name(parents(requests[i].key, depth) + requests[i].stem)));
      }
      if (trial.size() < members.size() && depth < 4) continue;
      for (const std::size_t i : members) {
        if (trial.size() == members.size())
          names[i] = plain_name(parents(requests[i].key, depth) + requests[i].stem);
      }
      break;
    }
    for (const std::size_t i : members) {
      const std::string base = names[i];
      for (int number = 2; !taken.insert(lower_case(names[i])).second; ++number) {
        names[i] = fmt::format("{}-{}", base, number);
      }
    }
  }
  return names;
}

Status link_or_copy(const fs::path& from, const fs::path& to) {
  std::error_code error;
  const fs::path real = fs::canonical(from, error);
  if (error) return fail(ErrorCode::kIo, "{}: {}", from.string(), error.message());
  fs::create_hard_link(real, to, error);
  if (!error) return {};
  fs::create_symlink(real, to, error);
  if (!error) return {};
  fs::copy_file(real, to, error);
  if (error)
    return fail(ErrorCode::kIo, "{}: cannot be linked or copied to {}: {}", from.string(), to.string(),
                error.message());
  return {};
}

}  // namespace terrapin::dataset
