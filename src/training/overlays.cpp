#include "training/overlays.h"

#include <algorithm>

#include "base/files.h"
#include "base/json_text.h"
#include "imaging/codecs.h"
#include "imaging/drawing.h"
#include "imaging/resize.h"

namespace terrapin::training {
namespace {

constexpr int kQuality = 80;

}  // namespace

OverlayWriter::OverlayWriter(std::filesystem::path folder, artifacts::ClassList classes,
                             const artifacts::SampleIndex& validation, int epochs, int validate_every,
                             std::int64_t stride, OverlayOptions options)
    : folder_(std::move(folder)),
      classes_(std::move(classes)),
      epochs_(epochs),
      validate_every_(std::max(1, validate_every)),
      options_(options) {
  const std::int64_t total = (static_cast<std::int64_t>(validation.samples.size()) + stride - 1) / stride;
  const std::int64_t count = std::min<std::int64_t>(options_.max_photos, total);
  for (std::int64_t i = 0; i < count; ++i) {
    photos_.push_back(i * total / count * stride);
    names_.push_back(validation.samples[static_cast<std::size_t>(photos_.back())].name);
  }
  has_truth_.resize(photos_.size());
}

bool OverlayWriter::shows(int epoch) const {
  if (epoch == epochs_) return true;
  // The last one has a place of its own.
  const int validated = epochs_ / validate_every_, number = epoch / validate_every_;
  const int others = std::max(1, options_.max_epochs - 1);
  const int step = (validated + others - 1) / others;
  return (number - 1) % std::max(1, step) == 0;
}

Status OverlayWriter::draw(const std::string& place, std::size_t number, const artifacts::LabeledPhoto& photo,
                           const imaging::Mask& mask) const {
  const imaging::Size size = imaging::fitted(photo.photo.size(), options_.long_side);
  const imaging::Image picture = imaging::overlay(imaging::resize(photo.photo, size),
                                                  imaging::resize_nearest(mask, size), classes_.palette());
  TERRAPIN_TRY(const Bytes jpeg, imaging::encode_jpeg(picture, kQuality));
  return write_file_atomically(folder_ / place / fmt::format("{}.jpg", number), jpeg);
}

Status OverlayWriter::add(int epoch, std::int64_t index, const artifacts::LabeledPhoto& photo,
                          const imaging::Mask& prediction) {
  const auto found = std::find(photos_.begin(), photos_.end(), index);
  if (found == photos_.end() || !shows(epoch)) return {};
  const auto number = static_cast<std::size_t>(found - photos_.begin());
  if (!has_truth_[number]) {
    TERRAPIN_TRY_STATUS(draw("truth", number, photo, photo.mask));
    has_truth_[number] = true;
  }
  TERRAPIN_TRY_STATUS(draw(std::to_string(epoch), number, photo, prediction));
  drawn_ = epoch;
  return {};
}

Status OverlayWriter::finish(int epoch) {
  if (drawn_ != epoch) return {};
  shown_.push_back(epoch);
  nlohmann::ordered_json index{
      {"format", "terrapin-overlays"}, {"version", 1}, {"photos", names_}, {"epochs", shown_}};
  return write_file_atomically(folder_ / "index.json", json_text(index) + "\n");
}

}  // namespace terrapin::training
