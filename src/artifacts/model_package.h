// model.tar.gz: model.json + weights.safetensors (+ report.html, metrics.jsonl). Format page:
// docs/formats/model-package.md.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <string>

#include "artifacts/class_list.h"
#include "artifacts/safetensors.h"
#include "base/result.h"

namespace terrapin::artifacts {

// Which network. Names are the AWS hyperparameter values where AWS has one.
struct NetworkSpec {
  std::string backbone = "mobilenet-v2";  // resnet-50, resnet-101, mobilenet-v2
  std::string algorithm = "lite";         // fcn, psp, deeplab, lite (see networks/blueprint.h)
  int num_classes = 2;
  bool auxiliary_head = false;  // ResNets while training
  // Options of `lite`: channels of the stride-4/8 skip connections; 0 = none (the layout of the public VOC
  // weights).
  int skip_channels = 48;
  friend bool operator==(const NetworkSpec&, const NetworkSpec&) = default;
};

// From stored pixels to the network's input. Value = (pixel / 255 - mean) / std per channel, RGB.
struct Preprocessing {
  std::array<double, 3> mean{0.5, 0.5, 0.5}, std{0.5, 0.5, 0.5};
  // The photo is resized (aspect kept) so that its long side is this many pixels; 0 = stored size. Answers
  // are brought back to the photo's own size by interpolating logits, never labels.
  std::int64_t long_side = 520;
  // Sides of the network's input are rounded to the nearest multiple of this, plus `size_offset`: (16, 1) for
  // networks whose grids align at corners, (1, 0) for free sizes.
  std::int64_t size_multiple = 1, size_offset = 0;
  friend bool operator==(const Preprocessing&, const Preprocessing&) = default;
};

// The network's input size for a photo: at least one multiple per side.
imaging::Size network_input_size(const Preprocessing& preprocessing, imaging::Size photo);

struct ModelSpec {
  static constexpr int kVersion = 1;
  NetworkSpec network;
  Preprocessing preprocessing;
  ClassList classes;
  nlohmann::json hyperparameters = nlohmann::json::object();  // strings, as given
  nlohmann::json training =
      nlohmann::json::object();  // facts: epochs, best epoch, scores, seed, data digest, times
};

nlohmann::json to_json(const ModelSpec& spec);
// Errors name the field. A newer version than kVersion is kUnsupported.
Result<ModelSpec> model_spec_from_json(const nlohmann::json& json);

struct ModelPackage {
  ModelSpec spec;
  TensorFile weights;                   // names as the network's parameters and buffers
  std::map<std::string, Bytes> extras;  // further files by name
};

Status write_model_package(const std::filesystem::path& path, const ModelPackage& package);
// `path`: a model.tar.gz, or a folder that holds the unpacked files (the hosting contract's /opt/ml/model) or
// one model.tar.gz.
Result<ModelPackage> read_model_package(const std::filesystem::path& path);

}  // namespace terrapin::artifacts
