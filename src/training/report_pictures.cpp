#include <algorithm>
#include <numeric>

#include "imaging/codecs.h"
#include "imaging/drawing.h"
#include "imaging/resize.h"
#include "training/report.h"

namespace terrapin::training {
namespace {

Result<ReportPicture> draw(const artifacts::SampleIndex& index, std::int64_t position,
                           const PhotoScore& score, const imaging::Mask& prediction,
                           const artifacts::ClassList& classes, std::int64_t long_side) {
  const artifacts::Sample& sample = index.samples[static_cast<std::size_t>(position)];
  TERRAPIN_TRY(const artifacts::LabeledPhoto labeled, artifacts::read_sample(sample, index.label_map));
  const imaging::Size size = imaging::fitted(labeled.photo.size(), long_side);
  const imaging::Image photo = imaging::resize(labeled.photo, size);
  const imaging::Palette palette = classes.palette();
  ReportPicture picture{score.name, score.mean_iou, {}, {}};
  TERRAPIN_TRY(picture.truth_jpeg,
               imaging::encode_jpeg(
                   imaging::overlay(photo, imaging::resize_nearest(labeled.mask, size), palette), 82));
  TERRAPIN_TRY(
      picture.prediction_jpeg,
      imaging::encode_jpeg(imaging::overlay(photo, imaging::resize_nearest(prediction, size), palette), 82));
  return picture;
}

}  // namespace

Result<ReportPictures> draw_report_pictures(const TrainingOutcome& outcome,
                                            const artifacts::SampleIndex& validation, int count,
                                            std::int64_t long_side) {
  const std::vector<PhotoScore>& scores = outcome.best.photos;
  if (scores.size() != validation.samples.size() || scores.empty()) return ReportPictures{};
  std::vector<std::int64_t> order(scores.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](std::int64_t a, std::int64_t b) {
    return scores[static_cast<std::size_t>(a)].mean_iou < scores[static_cast<std::size_t>(b)].mean_iou;
  });
  const auto total = static_cast<std::int64_t>(order.size());
  const std::int64_t worst_count = std::min<std::int64_t>(count, (total + 1) / 2);
  const std::int64_t best_count = std::min<std::int64_t>(count, total - worst_count);
  std::vector<std::int64_t> chosen(order.begin(), order.begin() + worst_count);
  chosen.insert(chosen.end(), order.rbegin(), order.rbegin() + best_count);

  TERRAPIN_TRY(const std::vector<imaging::Mask> masks, predict_samples(outcome.package, validation, chosen));
  ReportPictures result;
  for (std::size_t i = 0; i < chosen.size(); ++i) {
    TERRAPIN_TRY(ReportPicture picture,
                 draw(validation, chosen[i], scores[static_cast<std::size_t>(chosen[i])], masks[i],
                      outcome.package.spec.classes, long_side));
    (static_cast<std::int64_t>(i) < worst_count ? result.worst : result.best).push_back(std::move(picture));
  }
  return result;
}

}  // namespace terrapin::training
