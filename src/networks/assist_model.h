// The assistance network as a file, and as a graph to run. Free of torch. Format page:
// docs/formats/assist-model.md.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>

#include "artifacts/safetensors.h"
#include "base/result.h"
#include "networks/blueprint.h"
#include "networks/graph.h"
#include "networks/prompt_input.h"

namespace terrapin::networks {

// The tensor that tells an assistance model from other files of ours.
constexpr const char* kAssistClassifier = "decoder.assist2.classifier.weight";

struct AssistSpec {
  static constexpr int kVersion = 1;
  int width = 64;           // channels of the decoder's narrow path; a multiple of 4, 8..256
  std::int64_t side = 257;  // of the crop: 16 k + 1, 65..1025
  double margin = 0.13;     // see FrameOptions
  double max_stretch = 3;
  double point_radius = 4;  // of the points' heat maps, crop pixels

  FrameOptions frame() const { return {side, margin, max_stretch}; }
};
nlohmann::json to_json(const AssistSpec& spec);
// kInvalidArgument names the field and what is allowed.
Status check_assist_spec(const AssistSpec& spec);

// MobileNetV2 with kPromptChannels inputs, DeepLab's head, and a path over strides 8, 4 and 2. Answers one
// logit a pixel: object above 0.
Blueprint make_assist_blueprint(const AssistSpec& spec);

struct AssistModel {
  AssistSpec spec;
  nlohmann::json training = nlohmann::json::object();  // facts of the run
  artifacts::TensorFile weights;                       // its metadata is made when writing
};
Status write_assist_model(const std::filesystem::path& path, const AssistModel& model);
// The file itself where `path` is a folder that holds assist.safetensors.
std::filesystem::path assist_model_file(const std::filesystem::path& path);
// `path`: the file, or a folder that holds assist.safetensors. kNotFound, kCorrupt, kUnsupported (a newer
// version) name the file.
Result<AssistModel> read_assist_model(const std::filesystem::path& path);
// The model that ships with the program; it may be missing.
std::filesystem::path shipped_assist_model();

// Loads the weights strictly and folds the network.
Result<Graph> assist_graph(const AssistModel& model);

}  // namespace terrapin::networks
