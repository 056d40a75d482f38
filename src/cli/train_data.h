// What `terrapin train` is given, as training data: a dataset folder, channel folders, or manifests.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "artifacts/channels.h"
#include "base/result.h"
#include "cli/data_source.h"

namespace terrapin::cli {

struct TrainDataSource : DataSource {
  // Instead of `data` the four channels, and label_map; empty: not given. Where `data` is a manifest,
  // `validation` may name what --data may.
  std::string train, train_annotation, validation, validation_annotation, label_map;
};

struct TrainData {
  artifacts::SampleIndex train, validation;
  artifacts::ClassList classes;  // empty: the data does not say
  std::vector<std::string> notes;
};

// kInvalidArgument naming the options that are missing, exclude each other, or would do nothing.
Status check_options(const TrainDataSource& source);

// Errors name the option or file and what is allowed. Class names that differ between the two manifests are
// kInvalidArgument. A manifest without a validation manifest gives every
// fifth of its photos (by a shuffle that depends on nothing but their number) to validation, and a note says
// so.
Result<TrainData> open_train_data(const TrainDataSource& source);

// Going on from a model on data that numbers its classes in another way would teach it the wrong names:
// kInvalidArgument naming both. Data without names agrees with every model.
Status require_names_of_model(const std::filesystem::path& model, const artifacts::ClassList& classes);

// One more than the highest label of the masks, 255 left out; at least 2. Reads every mask.
Result<int> count_classes(const TrainData& data,
                          const std::function<void(std::int64_t, std::int64_t)>& progress);

// `known` with default names and unused colours up to `num_classes`. More known classes than that is
// kInvalidArgument.
Result<artifacts::ClassList> fit_classes(artifacts::ClassList known, int num_classes);

}  // namespace terrapin::cli
