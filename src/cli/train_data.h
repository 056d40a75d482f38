// What `terrapin train` is given, as training data: a dataset folder, channel folders, or manifests.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "artifacts/channels.h"
#include "base/result.h"

namespace terrapin::cli {

struct TrainDataSource {
  std::string data;  // --data: a dataset folder, a Ground Truth output folder, or a manifest
  // The four channels, and label_map; empty: not given. With --data a manifest, `validation` is one too.
  std::string train, train_annotation, validation, validation_annotation, label_map;
  std::string label_attribute;
  std::vector<std::string> s3_roots;  // "bucket=dir"
};

struct TrainData {
  artifacts::SampleIndex train, validation;
  artifacts::ClassList classes;  // empty: the data does not say
  std::vector<std::string> notes;
};

// Errors name the option or file and what is allowed. A manifest without a validation manifest gives every
// fifth of its photos (by a shuffle that depends on nothing but their number) to validation, and a note says
// so.
Result<TrainData> open_train_data(const TrainDataSource& source);

// One more than the highest label of the masks, 255 left out; at least 2. Reads every mask.
Result<int> count_classes(const TrainData& data,
                          const std::function<void(std::int64_t, std::int64_t)>& progress);

// `known` with default names and unused colours up to `num_classes`. More known classes than that is
// kInvalidArgument.
Result<artifacts::ClassList> fit_classes(artifacts::ClassList known, int num_classes);

}  // namespace terrapin::cli
