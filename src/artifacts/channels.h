// The dataset on disk that `transform` writes and `train`, `inspect`, `evaluate` read: channel folders, or a
// manifest. Either becomes one index of (photo, mask) pairs.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "artifacts/class_list.h"
#include "artifacts/label_map.h"
#include "artifacts/manifest.h"
#include "artifacts/sample.h"
#include "base/result.h"

namespace terrapin::artifacts {

// Pairs of one channel (train or validation).
struct SampleIndex {
  std::vector<Sample> samples;  // sorted by name for folders; manifest order for manifests
  LabelMap label_map = LabelMap::identity();
};

// x.jpg|.jpeg|.png|.webp of `photos` with x.png of `annotations`, by stem, any letter case of the extension,
// subfolders included (stem = relative path). Hidden files and files of other types do not count.
struct PairedFolders {
  std::vector<Sample> samples;  // sorted by name, which is the stem
  // Files left over, by stem.
  std::map<std::string, std::filesystem::path> photos_alone, masks_alone;
  // A second photo or mask of one stem; the first in the order of their paths is the one that is paired.
  struct Twin {
    std::string stem;
    std::filesystem::path first, second;
    bool is_mask = false;
  };
  std::vector<Twin> twins;
  std::size_t photo_files = 0, mask_files = 0;    // with twins
  std::size_t other_photos = 0, other_masks = 0;  // files of other types in the two folders
};
Result<PairedFolders> pair_folders(const std::filesystem::path& photos,
                                   const std::filesystem::path& annotations);

// `pair_folders` where everything must pair. Fails naming photos without mask, masks without photo (up to ten
// of each, and the count), two photos or masks of one stem, an empty folder.
Result<SampleIndex> index_channel(const std::filesystem::path& photos,
                                  const std::filesystem::path& annotations);

// Every labelled line of an augmented manifest. Failed lines are skipped and counted. `attribute` empty: the
// only
// "-ref" attribute; several is an error that lists them.
struct ManifestIndex {
  SampleIndex index;
  ClassList classes;  // from internal-color-map; empty if the manifest carries none
  std::int64_t failed_lines = 0, unlabeled_lines = 0;
  std::string attribute;
};
Result<ManifestIndex> index_manifest(const std::filesystem::path& manifest, const std::string& attribute,
                                     const S3Roots& roots);

// A dataset folder: train/, train_annotation/, validation/, validation_annotation/, optional test/ +
// test_annotation/, label_map/{train,validation}_label_map.json, classes.json (ours; names and colours),
// splits.tsv.
struct DatasetFolder {
  SampleIndex train, validation;
  std::optional<SampleIndex> test;
  std::optional<ClassList> classes;
};
Result<DatasetFolder> open_dataset_folder(const std::filesystem::path& folder);

// The label map of a split of a dataset folder: label_map/<split>_label_map.json; for "test" that of
// validation if it has none of its own; identity without a file.
Result<LabelMap> read_split_label_map(const std::filesystem::path& folder, const std::string& split);

// classes.json: {"format": "terrapin-classes", "version": 1, "classes": [...]}
Result<ClassList> read_classes_file(const std::filesystem::path& path);
// kInvalidArgument for a list that read_classes_file would refuse, naming the class: nothing is written then.
Status write_classes_file(const std::filesystem::path& path, const ClassList& classes);
// The same refusal without a file.
Status check_classes(const ClassList& classes);

}  // namespace terrapin::artifacts
