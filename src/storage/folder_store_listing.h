// Keys in byte order out of folders in any order.
#pragma once

#include <sys/stat.h>

#include <functional>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "storage/folder_store_files.h"
#include "storage/key_path.h"
#include "storage/object_store.h"

namespace terrapin::storage {

struct FolderEntry {
  std::string part;  // of the key
  std::string name;  // in the folder, several parts for a long one; empty: as `part`
  bool folder = false;
  const std::string& path() const { return name.empty() ? part : name; }
};
// Ascending by `part`, with '/' at the end of folders: the order of the keys below.
using FolderEntries = std::vector<FolderEntry>;

// Sorted contents of folders that have not changed for a while, so that the pages of a long list do not sort
// again. Thread-safe.
class FolderCache {
 public:
  explicit FolderCache(NameRule rule) : rule_(rule) {}
  Result<std::shared_ptr<const FolderEntries>> read(int folder);

 private:
  using Key = std::pair<dev_t, ino_t>;
  struct Cached {
    Key key{};
    timespec modified{}, changed{};
    std::shared_ptr<const FolderEntries> entries;
  };
  const NameRule rule_;
  std::mutex mutex_;
  std::list<Cached> newest_first_;                        // guarded by mutex_
  std::map<Key, std::list<Cached>::iterator> by_folder_;  // guarded by mutex_
  std::size_t entry_count_ = 0;                           // guarded by mutex_
};

// Whether the folder of that path in the bucket's folder ("" is itself) holds an object, at any depth.
Result<bool> holds_object(int bucket, const std::string& folder, NameRule rule);

// Describes the object of that key, whose file was there; nullopt if it went away.
using DescribeObject =
    std::function<std::optional<ObjectInfo>(const std::string& path, const std::string& key)>;

// The sorted contents of an open folder, in which no object moves from one of its names to the other
// meanwhile.
using ReadFolder = std::function<Result<std::shared_ptr<const FolderEntries>>(int folder)>;

// One page. `bucket`: its open folder.
Result<ListPage> list_folder(int bucket, const ListQuery& query, NameRule rule, const ReadFolder& read,
                             const DescribeObject& info);

}  // namespace terrapin::storage
