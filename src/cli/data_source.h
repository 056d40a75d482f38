// What --data names, for train and evaluate alike.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "artifacts/channels.h"
#include "base/result.h"

namespace terrapin::cli {

// For --help.
inline constexpr const char* kDataHelp =
    "A dataset folder (the output of transform), a Ground Truth output folder, or a manifest";

struct DataSource {
  std::string data;
  std::string label_attribute;        // of a manifest
  std::vector<std::string> s3_roots;  // "bucket=dir", for a manifest
};

// The manifest that `data` is, or holds as a Ground Truth output folder does
// (manifests/output/output.manifest); nullopt: a dataset folder, or nothing that exists.
std::optional<std::filesystem::path> manifest_of(const std::string& data);

// kInvalidArgument naming both options if --label-attribute or --s3-root would do nothing: they go with a
// manifest.
Status check_options(const DataSource& source);

// `manifest` read with the source's attribute and roots.
Result<artifacts::ManifestIndex> open_manifest(const std::filesystem::path& manifest,
                                               const DataSource& source);

// The dataset folder `source.data`; kNotFound if nothing is there.
Result<artifacts::DatasetFolder> open_folder(const DataSource& source);

}  // namespace terrapin::cli
