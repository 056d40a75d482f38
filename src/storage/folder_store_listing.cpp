#include "storage/folder_store_listing.h"

#include <dirent.h>
#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <string_view>

#include "base/utf8.h"

namespace terrapin::storage {
namespace {

constexpr std::size_t kMostCachedEntries = 2'000'000;
// Small folders are read faster than looked up.
constexpr std::size_t kLeastCachedEntries = 64;
// A folder changed so recently may change again without its time of change moving.
constexpr std::int64_t kSettledNs = 1'000'000'000;

class Directory {
 public:
  // Reads an own copy of the folder's position.
  explicit Directory(int folder) {
    const int copy = ::openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (copy < 0) return;
    stream_ = ::fdopendir(copy);
    if (stream_ == nullptr) ::close(copy);
  }
  ~Directory() {
    if (stream_ != nullptr) ::closedir(stream_);
  }
  Directory(const Directory&) = delete;
  Directory& operator=(const Directory&) = delete;
  bool is_open() const { return stream_ != nullptr; }

  struct Item {
    std::string name;
    bool folder = false;
  };
  // The next regular file or folder; nullopt at the end.
  std::optional<Item> next() {
    while (const dirent* entry = ::readdir(stream_)) {
      const std::string_view name = entry->d_name;
      if (name == "." || name == "..") continue;
      unsigned char type = entry->d_type;
      if (type == DT_UNKNOWN) {
        struct stat status {};
        if (::fstatat(::dirfd(stream_), entry->d_name, &status, AT_SYMLINK_NOFOLLOW) != 0) continue;
        type = S_ISREG(status.st_mode) ? DT_REG : S_ISDIR(status.st_mode) ? DT_DIR : DT_UNKNOWN;
      }
      if (type == DT_REG || type == DT_DIR) return Item{std::string(name), type == DT_DIR};
    }
    return std::nullopt;
  }

 private:
  DIR* stream_ = nullptr;
};

// The rest of long parts.
void read_pieces(int folder, const std::string& text, const std::string& path, NameRule rule,
                 FolderEntries& entries) {
  if (text.size() > kLongestKey) return;
  const Descriptor inside = open_beneath(folder, path, O_RDONLY | O_DIRECTORY);
  if (!inside.is_open()) return;
  Directory directory(inside.get());
  if (!directory.is_open()) return;
  while (const auto item = directory.next()) {
    const ReadName read = read_name(item->name, item->folder, true, rule);
    const std::string whole = text + read.text;
    const std::string whole_path = path + '/' + item->name;
    if (read.kind == ReadName::Kind::kBegins) {
      read_pieces(folder, whole, whole_path, rule, entries);
    } else if (read.kind == ReadName::Kind::kPart && escaped_part(whole, item->folder, rule) == whole_path) {
      entries.push_back({whole, whole_path, item->folder});
    }
  }
}

// a < b as if folders ended with '/'.
bool key_order(const FolderEntry& a, const FolderEntry& b) {
  const std::size_t common = std::min(a.part.size(), b.part.size());
  const int compared = a.part.compare(0, common, b.part, 0, common);
  if (compared != 0) return compared < 0;
  if (a.part.size() == b.part.size()) {
    if (a.folder != b.folder) return b.folder;
    return a.name.empty() && !b.name.empty();  // the plain file first
  }
  const auto after = [common](const FolderEntry& entry) {
    if (entry.part.size() > common) return static_cast<int>(static_cast<unsigned char>(entry.part[common]));
    return entry.folder ? static_cast<int>('/') : -1;
  };
  return after(a) < after(b);
}

bool same_file_key(const FolderEntry& a, const FolderEntry& b) {
  return !a.folder && !b.folder && a.part == b.part;
}

void add_entry(int folder, const Directory::Item& item, NameRule rule, FolderEntries& entries) {
  ReadName read = read_name(item.name, item.folder, false, rule);
  if (read.kind == ReadName::Kind::kBegins) {
    read_pieces(folder, read.text, item.name, rule, entries);
  } else if (read.kind == ReadName::Kind::kPart) {
    if (!read.escaped) {
      entries.push_back({std::move(read.text), {}, item.folder});
    } else if (is_utf8(read.text) && !(item.folder && is_plain_part(read.text, rule)) &&
               escaped_part(read.text, item.folder, rule) == item.name) {
      entries.push_back({std::move(read.text), item.name, item.folder});
    }
  }
}

Result<FolderEntries> read_sorted(int folder, NameRule rule) {
  Directory directory(folder);
  if (!directory.is_open()) return system_failure(errno, "a folder of a bucket");
  FolderEntries entries;
  while (const auto item = directory.next()) add_entry(folder, *item, rule, entries);
  std::sort(entries.begin(), entries.end(), key_order);
  entries.erase(std::unique(entries.begin(), entries.end(), same_file_key), entries.end());
  return entries;
}

std::string joined(const std::string& folder, const std::string& name) {
  return folder.empty() ? name : folder + '/' + name;
}

// Not open if the folder is not there.
Result<Descriptor> open_folder(int bucket, const std::string& folder) {
  Descriptor opened = open_beneath(bucket, folder.empty() ? "." : folder, O_RDONLY | O_DIRECTORY);
  if (opened.is_open() || errno == ENOENT || errno == ENOTDIR || errno == ELOOP || errno == ENAMETOOLONG)
    return opened;
  return system_failure(errno, folder);
}

bool same_time(const timespec& a, const timespec& b) {
  return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

std::int64_t nanoseconds(const timespec& time) {
  return static_cast<std::int64_t>(time.tv_sec) * 1'000'000'000 + time.tv_nsec;
}

class Walk {
 public:
  Walk(int bucket, const ListQuery& query, NameRule rule, const ReadFolder& read, const DescribeObject& info)
      : bucket_(bucket), query_(query), rule_(rule), read_(read), info_(info) {}

  // `folder`: the path of all keys that begin with `above`. False: the page is full.
  Result<bool> visit(const std::string& folder, const std::string& above) {
    TERRAPIN_TRY(const std::shared_ptr<const FolderEntries> entries, entries_of(folder));
    if (!entries) return true;
    const std::string_view wanted = part_after(query_.prefix, above);
    auto entry = std::lower_bound(entries->begin(), entries->end(), wanted,
                                  [](const FolderEntry& e, std::string_view w) { return before(e, w); });
    const std::string_view after = part_after(query_.start_after, above);
    if (after.empty() && !query_.start_after.starts_with(above) && query_.start_after > above) return true;
    if (!after.empty()) {
      auto start = std::lower_bound(entries->begin(), entries->end(), after,
                                    [](const FolderEntry& e, std::string_view w) { return before(e, w); });
      // The folder in which the list goes on lies just before.
      if (start != entries->begin() && std::prev(start)->folder && begins_in(after, *std::prev(start)))
        --start;
      entry = std::max(entry, start);
    }
    for (; entry != entries->end(); ++entry) {
      std::string key = above + entry->part;
      if (entry->folder) key += '/';
      if (!wanted.empty() && key.compare(above.size(), wanted.size(), wanted) != 0) break;
      TERRAPIN_TRY(const bool more, visit_entry(folder, *entry, key));
      if (!more) return false;
    }
    return true;
  }

  ListPage take() { return std::move(page_); }

 private:
  // What `text` says of names in the folder of keys that begin with `above`; empty: nothing.
  static std::string_view part_after(std::string_view text, std::string_view above) {
    return text.starts_with(above) ? text.substr(above.size()) : std::string_view();
  }
  static bool begins_in(std::string_view text, const FolderEntry& folder) {
    return text.size() > folder.part.size() && text.starts_with(folder.part) &&
           text[folder.part.size()] == '/';
  }
  static bool before(const FolderEntry& entry, std::string_view text) {
    const int compared = std::string_view(entry.part).compare(text.substr(0, entry.part.size()));
    if (compared != 0 || entry.part.size() >= text.size()) return compared < 0;
    if (!entry.folder) return true;
    // "part/" against a text that goes on after "part".
    const auto next = static_cast<unsigned char>(text[entry.part.size()]);
    return next == '/' ? text.size() > entry.part.size() + 1 : next > '/';
  }

  // Null: the folder went away. It does not stay open: deep keys must not use up descriptors.
  Result<std::shared_ptr<const FolderEntries>> entries_of(const std::string& folder) {
    TERRAPIN_TRY(const Descriptor opened, open_folder(bucket_, folder));
    if (!opened.is_open()) return std::shared_ptr<const FolderEntries>();
    return read_(opened.get());
  }

  Result<bool> visit_entry(const std::string& folder, const FolderEntry& entry, const std::string& key) {
    const std::string path = joined(folder, entry.path());
    if (!query_.delimiter.empty()) {
      const std::size_t found = key.find(query_.delimiter, query_.prefix.size());
      if (found != std::string::npos) {
        std::string group = key.substr(0, found + query_.delimiter.size());
        if (group <= query_.start_after || (!page_.prefixes.empty() && page_.prefixes.back() == group))
          return true;
        if (entry.folder) {
          TERRAPIN_TRY(const bool any, holds_object(bucket_, path, rule_));
          if (!any) return true;
        } else if (key.size() > kLongestKey) {
          return true;
        }
        if (!room()) return false;
        last_ = group;
        page_.prefixes.push_back(std::move(group));
        return true;
      }
    }
    if (entry.folder) {
      if (key.size() > kLongestKey) return true;
      const std::string& after = query_.start_after;
      if (key < after && !after.starts_with(key)) return true;
      return visit(path, key);
    }
    if (key <= query_.start_after || key.size() > kLongestKey) return true;
    if (!room()) return false;
    std::optional<ObjectInfo> object = info_(path, key);
    if (!object) return true;
    last_ = key;
    page_.objects.push_back(std::move(*object));
    return true;
  }

  bool room() {
    if (static_cast<int>(page_.objects.size() + page_.prefixes.size()) < query_.max_keys) return true;
    page_.truncated = query_.max_keys > 0;
    page_.next_start_after = last_;
    return false;
  }

  const int bucket_;
  const ListQuery& query_;
  const NameRule rule_;
  const ReadFolder& read_;
  const DescribeObject& info_;
  ListPage page_;
  std::string last_;
};

}  // namespace

Result<std::shared_ptr<const FolderEntries>> FolderCache::read(int folder) {
  struct stat status {};
  if (::fstat(folder, &status) != 0) return system_failure(errno, "a folder of a bucket");
  const Key key{status.st_dev, status.st_ino};
  {
    const std::lock_guard lock(mutex_);
    const auto found = by_folder_.find(key);
    if (found != by_folder_.end()) {
      const Cached& cached = *found->second;
      if (same_time(cached.modified, status.st_mtim) && same_time(cached.changed, status.st_ctim)) {
        newest_first_.splice(newest_first_.begin(), newest_first_, found->second);
        return cached.entries;
      }
      entry_count_ -= cached.entries->size();
      newest_first_.erase(found->second);
      by_folder_.erase(found);
    }
  }
  // The file system's own clock, not the store's: it is compared with times the file system wrote.
  const std::int64_t now = std::chrono::duration_cast<std::chrono::nanoseconds>(
                               std::chrono::system_clock::now().time_since_epoch())
                               .count();
  TERRAPIN_TRY(FolderEntries sorted, read_sorted(folder, rule_));
  auto entries = std::make_shared<const FolderEntries>(std::move(sorted));
  const bool settled = now - std::max(nanoseconds(status.st_mtim), nanoseconds(status.st_ctim)) > kSettledNs;
  if (!settled || entries->size() < kLeastCachedEntries || entries->size() > kMostCachedEntries)
    return entries;
  const std::lock_guard lock(mutex_);
  if (by_folder_.contains(key)) return entries;
  newest_first_.push_front({key, status.st_mtim, status.st_ctim, entries});
  by_folder_[key] = newest_first_.begin();
  entry_count_ += entries->size();
  while (entry_count_ > kMostCachedEntries) {
    entry_count_ -= newest_first_.back().entries->size();
    by_folder_.erase(newest_first_.back().key);
    newest_first_.pop_back();
  }
  return entries;
}

Result<bool> holds_object(int bucket, const std::string& folder, NameRule rule) {
  std::vector<std::string> folders;
  {
    TERRAPIN_TRY(const Descriptor opened, open_folder(bucket, folder));
    if (!opened.is_open()) return false;
    Directory directory(opened.get());
    if (!directory.is_open()) return system_failure(errno, "a folder of a bucket");
    while (const auto item = directory.next()) {
      FolderEntries entries;
      add_entry(opened.get(), *item, rule, entries);
      for (const FolderEntry& entry : entries) {
        if (!entry.folder) return true;
        folders.push_back(joined(folder, entry.path()));
      }
    }
  }
  for (const std::string& path : folders) {
    TERRAPIN_TRY(const bool any, holds_object(bucket, path, rule));
    if (any) return true;
  }
  return false;
}

Result<ListPage> list_folder(int bucket, const ListQuery& query, NameRule rule, const ReadFolder& read,
                             const DescribeObject& info) {
  const std::size_t slash = query.prefix.rfind('/');
  const std::string above = slash == std::string::npos ? std::string() : query.prefix.substr(0, slash + 1);
  Walk walk(bucket, query, rule, read, info);
  TERRAPIN_TRY_STATUS(walk.visit(key_folder_path(above, rule), above));
  return walk.take();
}

}  // namespace terrapin::storage
