// Objects as files of a local folder that a person can read: docs/formats/object-folder.md.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>

#include "base/clock.h"
#include "base/result.h"
#include "storage/object_store.h"

namespace terrapin::storage {

struct FolderStoreOptions {
  // Keep ETags and headers on the files as extended attributes where they fit; false: always beside.
  bool use_attributes = true;
  // Whether names that differ in case only are one file there; nullopt: found out by trying.
  std::optional<bool> folds_case;
};

// A bucket is a folder in `root`, an object the file at its key's path; files that a person puts there are
// objects too. `root` is made if missing. Puts that race on one key are ordered within this process: other
// programs may read, add and replace files, but two stores must not put under the same condition at once.
// kIo if the folder cannot be used, kUnsupported if a newer program laid it out.
Result<std::unique_ptr<ObjectStore>> open_folder_store(const std::filesystem::path& root, const Clock& clock,
                                                       const FolderStoreOptions& options = {});

}  // namespace terrapin::storage
