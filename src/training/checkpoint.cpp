#include "training/checkpoint.h"

#include "base/json_text.h"

namespace terrapin::training {

std::filesystem::path checkpoint_path(const std::filesystem::path& folder) {
  return folder / "checkpoint.safetensors";
}

Status write_checkpoint(const std::filesystem::path& folder, const Checkpoint& checkpoint) {
  nlohmann::json json;
  json["format"] = "terrapin-checkpoint";
  json["version"] = Checkpoint::kVersion;
  json["run"] = checkpoint.run;
  json["finished_epochs"] = checkpoint.finished_epochs;
  json["sums"] = {{"steps", checkpoint.sums.steps},
                  {"loss", checkpoint.sums.loss},
                  {"cross_entropy", checkpoint.sums.cross_entropy},
                  {"dice", checkpoint.sums.dice},
                  {"auxiliary", checkpoint.sums.auxiliary},
                  {"seconds", checkpoint.sums.seconds},
                  {"wait_seconds", checkpoint.sums.wait_seconds}};
  json["history"] = nlohmann::json::array();
  for (const EpochReport& report : checkpoint.history) json["history"].push_back(to_json(report));
  json["elapsed_seconds"] = checkpoint.elapsed_seconds;
  json["gradient_scale"] = checkpoint.gradient_scale;
  json["good_steps"] = checkpoint.good_steps;
  artifacts::TensorFile file = checkpoint.tensors;
  file.metadata["checkpoint"] = json_text(json);
  return artifacts::write_safetensors(checkpoint_path(folder), file);
}

namespace {

Result<Checkpoint> checkpoint_of(artifacts::TensorFile file, const std::filesystem::path& path) {
  Checkpoint checkpoint;
  try {
    const nlohmann::json json = nlohmann::json::parse(file.metadata["checkpoint"]);
    if (json.at("format") != "terrapin-checkpoint") {
      return fail(ErrorCode::kCorrupt, "{}: not a terrapin checkpoint", path.string());
    }
    const int version = json.at("version").get<int>();
    if (version > Checkpoint::kVersion || version < 1) {
      return fail(ErrorCode::kUnsupported, "{}: version {}: this program reads versions 1 to {}",
                  path.string(), version, Checkpoint::kVersion);
    }
    checkpoint.run = json.at("run");
    json.at("finished_epochs").get_to(checkpoint.finished_epochs);
    const nlohmann::json& sums = json.at("sums");
    sums.at("steps").get_to(checkpoint.sums.steps);
    sums.at("loss").get_to(checkpoint.sums.loss);
    sums.at("cross_entropy").get_to(checkpoint.sums.cross_entropy);
    sums.at("dice").get_to(checkpoint.sums.dice);
    sums.at("auxiliary").get_to(checkpoint.sums.auxiliary);
    sums.at("seconds").get_to(checkpoint.sums.seconds);
    sums.at("wait_seconds").get_to(checkpoint.sums.wait_seconds);
    for (const nlohmann::json& entry : json.at("history")) {
      auto report = epoch_report_from_json(entry);
      if (!report) return with_context(report.error(), path.string());
      checkpoint.history.push_back(std::move(*report));
    }
    json.at("elapsed_seconds").get_to(checkpoint.elapsed_seconds);
    json.at("gradient_scale").get_to(checkpoint.gradient_scale);
    json.at("good_steps").get_to(checkpoint.good_steps);
  } catch (const nlohmann::json::exception& error) {
    return fail(ErrorCode::kCorrupt, "{}: {}", path.string(), error.what());
  }
  if (checkpoint.finished_epochs != static_cast<int>(checkpoint.history.size()) ||
      checkpoint.sums.steps < 0) {
    return fail(ErrorCode::kCorrupt, "{}: {} finished epochs but {} reports", path.string(),
                checkpoint.finished_epochs, checkpoint.history.size());
  }
  file.metadata.erase("checkpoint");
  checkpoint.tensors = std::move(file);
  return checkpoint;
}

}  // namespace

Result<std::optional<Checkpoint>> read_checkpoint(const std::filesystem::path& folder) {
  const std::filesystem::path path = checkpoint_path(folder);
  std::error_code ignored;
  if (!std::filesystem::exists(path, ignored)) return std::nullopt;
  auto file = artifacts::read_safetensors(path);
  if (!file) return with_context(file.error(), path.string());
  TERRAPIN_TRY(Checkpoint checkpoint, checkpoint_of(std::move(*file), path));
  return checkpoint;
}

Result<Checkpoint> parse_checkpoint(std::span<const std::uint8_t> bytes, const std::filesystem::path& path) {
  auto file = artifacts::parse_safetensors(bytes);
  if (!file) return with_context(file.error(), path.string());
  return checkpoint_of(std::move(*file), path);
}

Status same_run(const nlohmann::json& stored, const nlohmann::json& wanted,
                const std::filesystem::path& path) {
  for (const auto& [key, value] : wanted.items()) {
    const auto found = stored.find(key);
    if (found != stored.end() && *found == value) continue;
    return fail(ErrorCode::kInvalidArgument,
                "{} belongs to another training: {} is {} there and {} here; use another checkpoint folder "
                "or delete the file",
                path.string(), key, found == stored.end() ? "missing" : json_text(*found), json_text(value));
  }
  return {};
}

artifacts::TensorFile with_prefix_removed(const artifacts::TensorFile& file, const std::string& prefix) {
  artifacts::TensorFile result;
  for (const auto& [name, tensor] : file.tensors) {
    if (name.starts_with(prefix)) result.tensors.emplace(name.substr(prefix.size()), tensor);
  }
  return result;
}

void add_with_prefix(artifacts::TensorFile& target, artifacts::TensorFile source, const std::string& prefix) {
  for (auto& [name, tensor] : source.tensors)
    target.tensors.insert_or_assign(prefix + name, std::move(tensor));
}

}  // namespace terrapin::training
