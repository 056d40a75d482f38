#include "training/hyperparameters.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <set>

#include "training/hyperparameters_table.h"

namespace terrapin::training {
namespace {

using table::Stage;
using table::Value;

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t above = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, diagonal + (a[i - 1] == b[j - 1] ? 0 : 1)});
      diagonal = above;
    }
  }
  return row[b.size()];
}

// The closest known name, or empty when none is close.
std::string closest_name(const std::string& name) {
  // Words that other frameworks use for the same thing.
  static constexpr std::pair<std::string_view, std::string_view> kElsewhere[] = {
      {"lr", "learning_rate"},
      {"batch_size", "mini_batch_size"},
      {"batch", "mini_batch_size"},
      {"num_epochs", "epochs"},
      {"n_epochs", "epochs"},
      {"classes", "num_classes"},
      {"pretrained", "use_pretrained_model"},
      {"scheduler", "lr_scheduler"},
      {"model", "algorithm"},
      {"network", "algorithm"},
      {"encoder", "backbone"},
      {"decoder", "algorithm"}};
  for (const auto& [theirs, ours] : kElsewhere) {
    if (name == theirs) return std::string(ours);
  }
  std::string best;
  std::size_t best_distance = std::max<std::size_t>(2, name.size() / 3) + 1;
  for (const table::Row& row : table::rows()) {
    const std::size_t distance = edit_distance(name, row.name);
    if (distance < best_distance) best = row.name, best_distance = distance;
  }
  return best;
}

// The SDK JSON-encodes every value: "\"fcn\"" means fcn. Decoded until it is no quoted string any more.
std::string decode_value(std::string text) {
  const auto trim = [](std::string& s) {
    constexpr const char* kBlank = " \t\r\n";
    s.erase(0, std::min(s.find_first_not_of(kBlank), s.size()));
    s.erase(s.find_last_not_of(kBlank) + 1);
  };
  trim(text);
  for (int depth = 0; depth < 3 && text.size() >= 2 && text.front() == '"' && text.back() == '"'; ++depth) {
    const auto json = nlohmann::json::parse(text, nullptr, false);
    if (!json.is_string()) break;
    text = json.get<std::string>();
    trim(text);
  }
  return text;
}

// Names known, values decoded. Job-internal names that the service adds by itself are left out.
Result<HyperparameterValues> decode_all(const HyperparameterValues& given) {
  HyperparameterValues values;
  for (const auto& [name, text] : given) {
    if (name == "_tuning_objective_metric") continue;  // added to every job of a tuning job
    if (table::find(name) == nullptr) {
      const std::string suggestion = closest_name(name);
      return fail(ErrorCode::kInvalidArgument,
                  "hyperparameter \"{}\" is not known{} (terrapin train --list-hyperparameters shows all)",
                  name, suggestion.empty() ? "" : fmt::format("; did you mean \"{}\"?", suggestion));
    }
    values[name] = decode_value(text);
  }
  return values;
}

bool wants_aws_recipe(const HyperparameterValues& values) {
  const auto it = values.find("recipe");
  if (it == values.end()) return false;
  const auto index = Value{it->first, it->second, ""}.choice(table::kRecipes);
  return index && table::kRecipes[*index] == "aws";
}

Status apply_stage(const HyperparameterValues& values, Stage stage, Hyperparameters& result) {
  for (const auto& [name, text] : values) {
    const table::Row& row = *table::find(name);
    if (row.stage != stage) continue;
    TERRAPIN_TRY_STATUS(row.set(Value{name, text, std::string(row.allowed)}, result));
  }
  return {};
}

Result<artifacts::NetworkSpec> network_of(const HyperparameterValues& values, HyperparameterMode mode) {
  Hyperparameters first;
  TERRAPIN_TRY_STATUS(apply_stage(values, Stage::kFirst, first));
  artifacts::NetworkSpec& network = first.options.network;
  const bool has_backbone = values.contains("backbone"), has_algorithm = values.contains("algorithm");
  if (!has_backbone && !has_algorithm) {
    const bool small = mode == HyperparameterMode::kCommandLine && !wants_aws_recipe(values);
    network.backbone = small ? "mobilenet-v2" : "resnet-50";
    network.algorithm = small ? "lite" : "fcn";
  } else if (!has_backbone) {
    network.backbone = network.algorithm == "lite" ? "mobilenet-v2" : "resnet-50";
  } else if (!has_algorithm) {
    network.algorithm = network.backbone == "mobilenet-v2" ? "lite" : "fcn";
  }
  if (network.algorithm == "lite" && network.backbone != "mobilenet-v2") {
    return fail(ErrorCode::kInvalidArgument,
                "hyperparameters backbone={} and algorithm={} do not go together; allowed: fcn, psp and "
                "deeplab with any backbone, lite with mobilenet-v2",
                network.backbone, network.algorithm);
  }
  network.auxiliary_head = network.backbone.starts_with("resnet");
  if (network.algorithm != "lite") network.skip_channels = artifacts::NetworkSpec{}.skip_channels;
  return network;
}

// Values that this combination does not use: said, not refused, because AWS accepts them too.
void note_unused(const HyperparameterValues& values, const TrainingOptions& options,
                 std::vector<std::string>& notes) {
  const auto note = [&](const char* name, bool used, const char* wanted) {
    if (!used && values.contains(name))
      notes.push_back(fmt::format("{} has no effect without {}", name, wanted));
  };
  const OptimizerKind kind = options.optimizer.kind;
  const bool sgd_like = kind == OptimizerKind::kSgd || kind == OptimizerKind::kNag;
  note("momentum", sgd_like, "optimizer sgd or nag");
  note("weight_decay", sgd_like || kind == OptimizerKind::kAdam || kind == OptimizerKind::kAdamW,
       "optimizer sgd, nag, adam or adamw");
  note("gamma1", kind == OptimizerKind::kRmsprop, "optimizer rmsprop");
  note("gamma2", kind == OptimizerKind::kRmsprop, "optimizer rmsprop");
  const bool step = options.schedule.kind == ScheduleKind::kStep;
  note("lr_scheduler_factor", step, "lr_scheduler step");
  note("lr_scheduler_step", step, "lr_scheduler step");
  note("early_stopping_min_epochs", options.early_stopping.enabled, "early_stopping True");
  note("early_stopping_patience", options.early_stopping.enabled, "early_stopping True");
  note("early_stopping_tolerance", options.early_stopping.enabled, "early_stopping True");
  note("skip_channels", options.network.algorithm == "lite", "algorithm lite");
  note("freeze_batch_norm", options.network.algorithm != "lite",
       "batch norm, which algorithm lite does without");
}

// Our recipe's momentum, decay and so on belong to AdamW: another optimizer starts from AWS's values.
void adapt_to_optimizer(const HyperparameterValues& values, const TrainingOptions& aws,
                        TrainingOptions& options) {
  const OptimizerKind kind = options.optimizer.kind;
  if (values.contains("weight_decay") || kind == OptimizerKind::kAdamW) return;
  const bool sgd_like = kind == OptimizerKind::kSgd || kind == OptimizerKind::kNag;
  options.optimizer.weight_decay = sgd_like ? aws.optimizer.weight_decay : 0;
}

// use_pretrained_model=True, AWS's default: an encoder for mobilenet-v2 ships with the program.
WeightSource default_weights(const artifacts::NetworkSpec& network) {
  return network.backbone == "mobilenet-v2" ? WeightSource::kStarter : WeightSource::kPretrained;
}

Status check_required(const HyperparameterValues& values, HyperparameterMode mode,
                      const DatasetFacts& facts) {
  for (const char* name : {"num_classes", "num_training_samples"}) {
    const bool known = std::string_view(name) == "num_classes" ? facts.num_classes.has_value()
                                                               : facts.num_training_samples.has_value();
    if (values.contains(name) || (mode == HyperparameterMode::kCommandLine && known)) continue;
    return fail(ErrorCode::kInvalidArgument, "hyperparameter {} is required; allowed: {}", name,
                table::find(name)->allowed);
  }
  return {};
}

}  // namespace

Result<Hyperparameters> parse_hyperparameters(const HyperparameterValues& given, HyperparameterMode mode,
                                              const DatasetFacts& facts) {
  TERRAPIN_TRY(const HyperparameterValues values, decode_all(given));
  TERRAPIN_TRY(artifacts::NetworkSpec network, network_of(values, mode));
  TERRAPIN_TRY_STATUS(check_required(values, mode, facts));
  if (!values.contains("num_classes") && facts.num_classes) network.num_classes = *facts.num_classes;

  Hyperparameters result;
  const TrainingOptions aws = aws_recipe(network);
  result.options = wants_aws_recipe(values) ? aws : terrapin_recipe(network);
  result.options.weights = default_weights(network);
  if (facts.num_training_samples) result.num_training_samples = *facts.num_training_samples;
  TERRAPIN_TRY_STATUS(apply_stage(values, Stage::kSecond, result));

  TrainingOptions& options = result.options;
  if (options.schedule.kind == ScheduleKind::kStep && options.schedule.step_epochs.empty()) {
    return fail(ErrorCode::kInvalidArgument,
                "hyperparameter lr_scheduler_step is required with lr_scheduler=step; allowed: {}",
                table::find("lr_scheduler_step")->allowed);
  }
  if (values.contains("optimizer")) adapt_to_optimizer(values, aws, options);
  note_unused(values, options, result.notes);
  if (facts.num_training_samples && result.num_training_samples != *facts.num_training_samples) {
    result.notes.push_back(
        fmt::format("num_training_samples={} but the data holds {} training photos; all {} are used",
                    result.num_training_samples, *facts.num_training_samples, *facts.num_training_samples));
  }
  options.hyperparameters = nlohmann::json::object();
  for (const auto& [name, text] : values) options.hyperparameters[name] = text;
  TERRAPIN_TRY_STATUS(validate_options(options));
  return result;
}

Result<std::pair<std::string, std::string>> parse_assignment(const std::string& text) {
  const std::size_t equals = text.find('=');
  if (equals == std::string::npos || equals == 0) {
    return fail(ErrorCode::kInvalidArgument, "-H \"{}\" is not of the form name=value, such as -H epochs=30",
                text);
  }
  return std::pair(text.substr(0, equals), text.substr(equals + 1));
}

}  // namespace terrapin::training
