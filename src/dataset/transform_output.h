// A folder that appears under its own name complete or not at all.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/result.h"

namespace terrapin::dataset {

// Built in a hidden sibling folder, made durable and renamed by `commit`; destroyed uncommitted, it leaves
// nothing. Not thread-safe, except that files may be written below `building()` from any thread.
class OutputFolder {
 public:
  // `path` must be new or an empty folder. With `overwrite` it may also hold an earlier output of transform
  // and nothing else; it is replaced by `commit`, which looks again. kAlreadyExists otherwise, naming the
  // path and the first entry that transform does not write.
  static Result<OutputFolder> open(const std::filesystem::path& path, bool overwrite);
  OutputFolder(OutputFolder&& other) noexcept;
  OutputFolder& operator=(OutputFolder&&) = delete;
  ~OutputFolder();
  const std::filesystem::path& building() const { return building_; }
  Status commit();

 private:
  OutputFolder() = default;
  std::filesystem::path path_, building_;
  bool overwrite_ = false;
};

// Puts the folder `fresh` in the place of `path`, which need not exist, and removes what was there. Both lie
// in one folder. Exchanged in one step where the file system can: `path` is then complete at every moment,
// also after a crash. Otherwise (and with `exchange` false) in two renames, between which a crash leaves the
// earlier folder beside `path` under the name of `fresh` with ".old". kIo: `path` is as it was.
Status replace_folder(const std::filesystem::path& fresh, const std::filesystem::path& path,
                      bool exchange = true);

// Final names for files that go into one folder: the stem where it is unique (letter case aside), else with
// as many parent folders before it ("a__x") as tell the files apart, else numbered ("x-2"). The answer
// depends on the set of (key, stem), not on its order.
struct NameRequest {
  std::string key, stem;
};
std::vector<std::string> unique_names(const std::vector<NameRequest>& requests);

// A hard link, else a symbolic link, else a copy.
Status link_or_copy(const std::filesystem::path& from, const std::filesystem::path& to);

}  // namespace terrapin::dataset
