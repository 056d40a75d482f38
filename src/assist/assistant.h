// Points on a photo -> the object's mask. What the server, the command line and the benchmarks call. Free of
// torch, oneDNN and OpenCV.
#pragma once

#include <filesystem>
#include <memory>
#include <stop_token>
#include <string>

#include "assist/open_photo.h"
#include "assist/prompt.h"
#include "assist/refine.h"
#include "base/result.h"

namespace terrapin::assist {

class Turns;

struct AssistantOptions {
  // An assistance model (docs/formats/assist-model.md), or the folder of train-assist. Empty: the one that
  // ships with the program; where that is missing, only the classical method serves.
  std::filesystem::path model;
  bool use_model = true;         // false: classical only
  std::string backend = "auto";  // auto, onednn, torch, cuda
  int threads = 0;               // of one answer; 0: all available cores
  // Answers computed at a time; others wait their turn. 0: as many as fill the cores.
  int at_a_time = 0;
  std::shared_ptr<Turns> turns;  // of several assistants together; null: of this one alone, `at_a_time`
  RefineOptions refine;
};

struct Answer {
  BoxedMask object;  // tight box; 0 x 0 if nothing was found
  Method method = Method::kNetwork;
  // Milliseconds: the crop, the network (or GrabCut), everything after it.
  double crop_ms = 0, compute_ms = 0, refine_ms = 0;
};

// Thread-safe. The same photo, prompt, model, machine and thread count give the same bits.
class Assistant {
 public:
  // kNotFound, kCorrupt, kUnsupported name the model file; kUnsupported if neither method would serve.
  static Result<std::shared_ptr<Assistant>> load(const AssistantOptions& options = {});
  virtual ~Assistant() = default;

  virtual bool has_network() const = 0;
  virtual bool has_classical() const = 0;
  // Digest of the model's weights, for caches and logs; empty without a network.
  virtual std::string model_digest() const = 0;

  // Does the work that every question about a photo needs. Keep the handle while the photo is on somebody's
  // screen; it takes 4 bytes a pixel.
  virtual Result<std::shared_ptr<const OpenPhoto>> open(imaging::Image photo) const = 0;

  // kInvalidArgument as check_prompt says; kTooLarge as refine does; kUnsupported for a method that does not
  // serve here; kCancelled as soon as `stop` asks, also while waiting for a turn (the network itself, tens of
  // milliseconds, is not interrupted).
  virtual Result<Answer> segment(const OpenPhoto& photo, const Prompt& prompt,
                                 std::stop_token stop = {}) const = 0;
};

}  // namespace terrapin::assist
