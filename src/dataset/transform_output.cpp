#include "dataset/transform_output.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <map>
#include <nlohmann/json.hpp>
#include <numeric>
#include <set>

#include "base/files.h"
#include "dataset/transform_report.h"

namespace terrapin::dataset {
namespace {

namespace fs = std::filesystem;

bool made_by_transform(const fs::path& folder) {
  const auto text = read_text_file(folder / "report.json");
  if (!text) return false;
  const auto json = nlohmann::json::parse(*text, nullptr, false);
  return json.is_object() && json.value("format", "") == TransformReport::kFormat;
}

std::string lower_case(std::string text) {
  for (char& c : text) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return text;
}

// No control characters (splits.tsv), no leading dot (hidden files are no photos), no slash.
std::string plain_name(const std::string& stem) {
  std::string name = stem;
  for (char& c : name) {
    if (static_cast<unsigned char>(c) < 32 || c == 127 || c == '/') c = '_';
  }
  if (name.empty() || name.front() == '.') name.insert(name.begin(), '_');
  if (name.size() > 180) name.resize(180);
  return name;
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
  fs::path absolute = fs::absolute(path, error).lexically_normal();
  if (!absolute.has_filename()) absolute = absolute.parent_path();
  if (fs::exists(absolute, error)) {
    if (!fs::is_directory(absolute, error)) {
      return fail(ErrorCode::kAlreadyExists, "{} exists and is not a folder", path.string());
    }
    if (!fs::is_empty(absolute, error)) {
      if (!overwrite) {
        return fail(ErrorCode::kAlreadyExists,
                    "{} is not empty; name a new folder, or pass --overwrite to replace an earlier output of "
                    "transform",
                    path.string());
      }
      if (!made_by_transform(absolute)) {
        return fail(
            ErrorCode::kAlreadyExists,
            "{} was not made by transform (it has no report.json of it): --overwrite does not touch it",
            path.string());
      }
    }
  }
  fs::create_directories(absolute.parent_path(), error);
  if (error) {
    return fail(ErrorCode::kIo, "{}: cannot be created: {}", absolute.parent_path().string(),
                error.message());
  }
  static std::atomic<int> serial{0};
  OutputFolder folder;
  folder.path_ = absolute;
  folder.building_ = absolute.parent_path() / fmt::format(".{}.partial-{}-{}", absolute.filename().string(),
                                                          ::getpid(), serial.fetch_add(1));
  fs::remove_all(folder.building_, error);
  if (!fs::create_directory(folder.building_, error)) {
    return fail(ErrorCode::kIo, "{}: cannot be created: {}", folder.building_.string(), error.message());
  }
  return folder;
}

OutputFolder::OutputFolder(OutputFolder&& other) noexcept
    : path_(std::move(other.path_)), building_(std::move(other.building_)) {
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
  std::error_code error;
  fs::path old;
  if (fs::exists(path_, error) && !fs::is_empty(path_, error)) {
    old = building_;
    old += ".old";
    fs::rename(path_, old, error);
    if (error) return fail(ErrorCode::kIo, "{}: cannot be replaced: {}", path_.string(), error.message());
  }
  fs::rename(building_, path_, error);
  if (error) {
    const std::string reason = error.message();
    if (!old.empty()) fs::rename(old, path_, error);
    return fail(ErrorCode::kIo, "{}: cannot be put in place: {}", path_.string(), reason);
  }
  building_.clear();
  if (!old.empty()) fs::remove_all(old, error);
  const int parent = ::open(path_.parent_path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (parent >= 0) {
    ::fsync(parent);
    ::close(parent);
  }
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
