// What a dataset can be read from: a manifest, a VOC folder, a folder of images and masks, channel folders.
// Each becomes a stream of entries, one photo and its mask at a time.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "artifacts/sample.h"
#include "base/result.h"
#include "dataset/problem.h"
#include "dataset/split.h"

namespace terrapin::dataset {

struct SourceEntry {
  std::int64_t line = 0;  // of the manifest; 0 for folders
  std::string key;        // the photo's URI, or its path below the input: stable when the folder moves
  std::string stem;       // file name without extension
  std::string group;      // "source" column of a splits.tsv; empty if there is none
  std::filesystem::path photo, mask;
  std::shared_ptr<const artifacts::LabelMap> label_map;  // of its channel; null = identity
  std::optional<Split> split;                            // an existing one
  std::optional<Problem> problem;  // found while reading the line: no photo or mask then
};

enum class InputKind { kManifest, kVocFolder, kPlainFolder, kChannels };
const char* input_kind_name(InputKind kind);  // "manifest", "voc", "folder", "channels"

// Entries in the order of the input. Not thread-safe.
class InputSource {
 public:
  virtual ~InputSource() = default;
  // The next entry, or nullopt at the end. Errors end the whole input; what concerns one entry is its
  // `problem`.
  virtual Result<std::optional<SourceEntry>> next() = 0;
  virtual Status rewind() = 0;

  InputKind kind = InputKind::kManifest;
  std::filesystem::path path;
  std::int64_t count = 0;  // entries, for progress
  std::string attribute;   // manifests
  bool has_split = false;  // entries without a split are then not part of the set

  // What the masks may hold; see artifacts::LabelRules.
  artifacts::ClassList classes;  // empty: nothing names them, the masks decide (discover_classes)
  std::vector<artifacts::ColorMapEntry> color_map;  // empty: nothing says which class a colour is
  bool palette_decides = false;                     // labelmap.txt
  std::optional<imaging::Rgb> ignored_color;        // VOC's void

  std::vector<Problem> problems;  // found while listing: photos without mask and the like
  std::vector<std::string> notes;
};

struct InputOptions {
  std::string attribute;  // empty: the only "-ref" attribute of the manifest
  artifacts::S3Roots roots;
};

// Reads a manifest once (its classes and attribute), or lists a folder. Fails with kNotFound, or
// kInvalidArgument for a folder of no known layout, a manifest without or with several label attributes (they
// are listed), no entries at all.
Result<std::unique_ptr<InputSource>> open_input(const std::filesystem::path& path,
                                                const InputOptions& options);

// A folder with train/ and train_annotation/.
bool is_channel_folder(const std::filesystem::path& folder);

}  // namespace terrapin::dataset
