// The state of a training on disk: one safetensors file, replaced atomically. Format page:
// docs/formats/checkpoint.md. Free of torch.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <vector>

#include "artifacts/safetensors.h"
#include "base/result.h"
#include "training/recipe.h"

namespace terrapin::training {

// Sums over the steps of an unfinished epoch.
struct EpochSums {
  std::int64_t steps = 0;
  double loss = 0, cross_entropy = 0, dice = 0, auxiliary = 0;
  double seconds = 0, wait_seconds = 0;
};

struct Checkpoint {
  static constexpr int kVersion = 1;
  nlohmann::json run;  // what must agree for a resume: options and data
  int finished_epochs = 0;
  EpochSums sums;  // sums.steps steps of the next epoch are done
  std::vector<EpochReport> history;
  double elapsed_seconds = 0;
  double gradient_scale = 1;
  int good_steps = 0;
  // Prefixed: "weights.", "average." (moving average of the weights), "best." (of the best epoch),
  // "optimizer.".
  artifacts::TensorFile tensors;
};

// folder / "checkpoint.safetensors"
std::filesystem::path checkpoint_path(const std::filesystem::path& folder);
Status write_checkpoint(const std::filesystem::path& folder, const Checkpoint& checkpoint);
// nullopt if the folder holds none. kCorrupt or kUnsupported (a newer version) name the file.
Result<std::optional<Checkpoint>> read_checkpoint(const std::filesystem::path& folder);
// The same of a file's bytes; `path` is for messages.
Result<Checkpoint> parse_checkpoint(std::span<const std::uint8_t> bytes, const std::filesystem::path& path);

// kInvalidArgument naming the first value in which two runs differ, and both values.
Status same_run(const nlohmann::json& stored, const nlohmann::json& wanted,
                const std::filesystem::path& path);

// The tensors whose names begin with `prefix`, without it.
artifacts::TensorFile with_prefix_removed(const artifacts::TensorFile& file, const std::string& prefix);
void add_with_prefix(artifacts::TensorFile& target, artifacts::TensorFile source, const std::string& prefix);

}  // namespace terrapin::training
