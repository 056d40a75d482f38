// A trained network as an ONNX model. Format page: docs/formats/onnx.md.
#pragma once

#include <optional>

#include "artifacts/model_package.h"
#include "base/files.h"
#include "base/result.h"
#include "networks/graph.h"

namespace terrapin::onnx {

struct OnnxOptions {
  // Input size fixed to 1 x 3 x height x width; none: batch, height and width are free.
  std::optional<imaging::Size> size;
  // A second output "labels" (N x H x W, uint8): the class of the largest logit, the lowest index on ties.
  bool labels = false;
};

// The model's bytes: opset 13, input "image" (N x 3 x H x W, normalised as the metadata says), output
// "logits" (N x classes x H x W). kInvalidArgument for a size below 1.
Result<Bytes> to_onnx(const networks::Graph& graph, const artifacts::ModelSpec& spec,
                      const OnnxOptions& options = {});

}  // namespace terrapin::onnx
