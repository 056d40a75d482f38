// Model package -> masks for photos. No torch in this header.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "artifacts/model_package.h"
#include "base/result.h"
#include "imaging/image.h"

namespace terrapin::inference {

struct PredictorOptions {
  // "auto": oneDNN on a CPU where built in, libtorch on CUDA if there is a device, else libtorch. "onednn",
  // "torch", "cuda".
  std::string backend = "auto";
  int threads = 0;                                       // 0: all available cores
  std::optional<std::int64_t> long_side = std::nullopt;  // overrides the package's; 0 = the photo's own size
  // An input larger than this many pixels (after scaling) is cut into overlapping tiles of at most this size,
  // blended.
  std::int64_t max_tile_pixels = 4'000'000;
  bool flip = false;  // average with the mirrored photo
};

// Class probabilities at the photo's size: [classes][height][width] float32, sum 1 over classes.
struct Probabilities {
  int classes = 0;
  imaging::Size size;
  std::vector<float> values;
};

struct Prediction {
  imaging::Mask mask;  // the photo's own size; argmax of the probabilities, lowest index on ties
  std::optional<Probabilities> probabilities;
};

// Thread-safe: `predict` may be called from any thread; calls share the model and take turns on the engine
// unless it can run in parallel.
class Predictor {
 public:
  static Result<std::shared_ptr<Predictor>> load(const std::filesystem::path& package,
                                                 const PredictorOptions& options = {});
  static Result<std::shared_ptr<Predictor>> create(artifacts::ModelPackage package,
                                                   const PredictorOptions& options = {});
  virtual ~Predictor() = default;
  virtual const artifacts::ModelSpec& spec() const = 0;
  virtual Result<Prediction> predict(const imaging::Image& photo, bool with_probabilities = false) = 0;
  // Photos of one network input size run as one batch, others apart; answers in order.
  virtual std::vector<Result<Prediction>> predict_batch(const std::vector<const imaging::Image*>& photos,
                                                        bool with_probabilities) = 0;
  virtual std::string backend() const = 0;
};

}  // namespace terrapin::inference
