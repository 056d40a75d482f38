// The AWS algorithm's hyperparameters, and ours, from strings to TrainingOptions. One table
// (hyperparameters_table.cpp) drives the parser, `terrapin train --list-hyperparameters`,
// docs/formats/hyperparameters.md and the report. Source of names, ranges and defaults: "Semantic
// Segmentation Hyperparameters", Amazon SageMaker Developer Guide.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "training/recipe.h"

namespace terrapin::training {

// Who asks decides what may be left out.
enum class HyperparameterMode {
  kCommandLine,  // no backbone and no algorithm: mobilenet-v2 + lite on the shipped encoder; counts come from
                 // the data
  kContainer,    // as AWS: resnet-50, fcn; num_classes and num_training_samples are required
};

// Values as given, one string a name. A value may be JSON-encoded (the SageMaker SDK sends "\"fcn\"").
using HyperparameterValues = std::map<std::string, std::string>;

// What the data says, where it is known.
struct DatasetFacts {
  std::optional<int> num_classes;
  std::optional<std::int64_t> num_training_samples;
};

struct Hyperparameters {
  TrainingOptions options;  // paths, checkpoint folder and data are left to the caller
  std::int64_t num_training_samples = 0;
  std::vector<std::string> notes;  // values that have no effect, roundings; for the log
};

// All of `given` checked and turned into options. What is not given takes the recipe's value (hyperparameter
// `recipe`: terrapin or aws). Errors (kInvalidArgument) name the parameter, its value and what is allowed; an
// unknown name gets a "did you mean". No value is ever silently replaced.
Result<Hyperparameters> parse_hyperparameters(const HyperparameterValues& given, HyperparameterMode mode,
                                              const DatasetFacts& facts = {});

// "name=value" as -H takes it; kInvalidArgument shows the form.
Result<std::pair<std::string, std::string>> parse_assignment(const std::string& text);

// One line of the documentation.
struct HyperparameterRow {
  std::string name, allowed, aws_default, terrapin_default, meaning;
  bool from_aws = false;
};
std::vector<HyperparameterRow> hyperparameter_rows();

// The two tables of docs/formats/hyperparameters.md.
std::string hyperparameters_markdown();

// Every hyperparameter as these options have it, in the table's order; for reports.
std::vector<std::pair<std::string, std::string>> effective_hyperparameters(const TrainingOptions& options);

}  // namespace terrapin::training
