// Pictures of some validation photos with what the model says of them, epoch by epoch: how it learns to see.
// Format: docs/formats/overlays.md.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "artifacts/channels.h"
#include "artifacts/class_list.h"
#include "artifacts/sample.h"
#include "base/result.h"

namespace terrapin::training {

struct OverlayOptions {
  int max_photos = 6;
  int max_epochs = 30;           // that have pictures: the first, the last and those evenly between
  std::int64_t long_side = 360;  // larger photos are scaled down
};

// Writes <folder>/<epoch>/<photo>.jpg and, once, <folder>/truth/<photo>.jpg: what was labelled. index.json is
// written last, so that what it names is there. Nothing is drawn of other photos and epochs. Not thread-safe.
class OverlayWriter {
 public:
  // `epochs`: of the whole training; `validate_every`: of these are validated. `stride`: of that many
  // processes this one validates the photos 0, `stride`, ...
  OverlayWriter(std::filesystem::path folder, artifacts::ClassList classes,
                const artifacts::SampleIndex& validation, int epochs, int validate_every,
                std::int64_t stride = 1, OverlayOptions options = {});

  // A photo of a validation, as TrainingObserver::on_prediction tells it.
  Status add(int epoch, std::int64_t index, const artifacts::LabeledPhoto& photo,
             const imaging::Mask& prediction);
  // The epoch's validation is over: the index names it.
  Status finish(int epoch);

 private:
  bool shows(int epoch) const;
  Status draw(const std::string& place, std::size_t number, const artifacts::LabeledPhoto& photo,
              const imaging::Mask& mask) const;

  const std::filesystem::path folder_;
  const artifacts::ClassList classes_;
  const int epochs_, validate_every_;
  const OverlayOptions options_;
  std::vector<std::int64_t> photos_;  // places among the validation samples, ascending
  std::vector<std::string> names_;    // of these
  std::vector<bool> has_truth_;
  std::vector<int> shown_;  // epochs, in the order of their time
  int drawn_ = 0;           // the epoch that was drawn last
};

}  // namespace terrapin::training
