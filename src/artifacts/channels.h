// The dataset on disk that `transform` writes and `train`, `inspect`, `evaluate` read: channel folders, or a
// manifest. Either becomes one index of (photo, mask) pairs.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "artifacts/class_list.h"
#include "artifacts/label_map.h"
#include "artifacts/manifest.h"
#include "base/result.h"

namespace terrapin::artifacts {

struct Sample {
  std::string name;  // unique in its index: file stem, or stem plus a suffix
  std::filesystem::path photo, mask;
  // Colours -> indices for masks that arrive as RGB; masks of indices are checked against it. Empty: indices,
  // unchecked.
  std::vector<ColorMapEntry> color_map;
};

// Pairs of one channel (train or validation).
struct SampleIndex {
  std::vector<Sample> samples;  // sorted by name for folders; manifest order for manifests
  LabelMap label_map = LabelMap::identity();
};

// Pairs x.jpg|.jpeg|.png|.webp of `photos` with x.png of `annotations`, by stem, any letter case of the
// extension, subfolders included (stem = relative path). Fails naming photos without mask, masks without
// photo (up to ten of each, and the count), two photos of one stem, an empty folder.
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

// classes.json: {"format": "terrapin-classes", "version": 1, "classes": [...]}
Result<ClassList> read_classes_file(const std::filesystem::path& path);
Status write_classes_file(const std::filesystem::path& path, const ClassList& classes);

// Photo and mask of a sample: decoded, label map applied, colours mapped, sizes compared. Errors name the
// file and the pixel value. The one door through which training, inspection and evaluation read pixels.
struct LabeledPhoto {
  imaging::Image photo;
  imaging::Mask mask;
};
Result<LabeledPhoto> read_sample(const Sample& sample, const LabelMap& label_map);
Result<imaging::Mask> read_sample_mask(const Sample& sample, const LabelMap& label_map);

}  // namespace terrapin::artifacts
