#include "inference/scoring.h"

#include <algorithm>
#include <mutex>
#include <optional>

#include "base/interrupt.h"
#include "base/parallel.h"
#include "metrics/boundary.h"

namespace terrapin::inference {
namespace {

struct PhotoResult {
  std::vector<std::optional<double>> boundary_f1;
  double mean_iou = 0;
};

Status check_labels(const artifacts::Sample& sample, const imaging::Mask& mask, int classes) {
  for (const std::uint8_t label : mask.bytes()) {
    if (label >= classes && label != imaging::Mask::kIgnore) {
      return fail(ErrorCode::kInvalidArgument, "{} holds class {}; the model knows 0 to {} (255 = ignore)",
                  sample.mask.string(), label, classes - 1);
    }
  }
  return {};
}

}  // namespace

Result<Scores> score(Predictor& predictor, const std::vector<artifacts::SampleIndex>& data, int workers,
                     const std::function<void(std::int64_t)>& progress) {
  const int classes = predictor.spec().network.num_classes;
  Scores scores{metrics::ConfusionMatrix(classes), {}, 0, {}};
  for (std::size_t k = 0; k < data.size(); ++k) {
    for (std::size_t i = 0; i < data[k].samples.size(); ++i)
      scores.photos.push_back({data[k].samples[i].name, 0, k, i});
  }
  if (scores.photos.empty()) return fail(ErrorCode::kNotFound, "the data holds no labelled photo");

  std::vector<PhotoResult> results(scores.photos.size());
  std::mutex mutex;
  std::int64_t done = 0;                   // guarded by mutex
  std::optional<Error> failure;            // guarded by mutex: that of the earliest photo
  std::size_t failed_at = results.size();  // guarded by mutex
  const auto one = [&](std::size_t index) -> Status {
    const PhotoScore& where = scores.photos[index];
    const artifacts::SampleIndex& part = data[where.index_number];
    const artifacts::Sample& sample = part.samples[where.sample];
    if (interrupted()) return fail(ErrorCode::kCancelled, "interrupted before every photo was scored");
    TERRAPIN_TRY(const auto labeled, artifacts::read_sample(sample, part.label_map));
    TERRAPIN_TRY_STATUS(check_labels(sample, labeled.mask, classes));
    auto prediction = predictor.predict(labeled.photo);
    if (!prediction) return with_context(prediction.error(), sample.photo.string());
    metrics::ConfusionMatrix confusion(classes);
    confusion.add(labeled.mask, prediction->mask);
    metrics::BoundaryScore boundary(classes);
    boundary.add(labeled.mask, prediction->mask);
    PhotoResult& result = results[index];
    result.mean_iou = confusion.mean_iou();
    for (int c = 0; c < classes; ++c) result.boundary_f1.push_back(boundary.f1(c));
    const std::lock_guard lock(mutex);
    scores.confusion.merge(confusion);
    progress(++done);
    return {};
  };
  parallel_for(static_cast<std::int64_t>(results.size()), workers, [&](std::int64_t i) {
    const auto index = static_cast<std::size_t>(i);
    {
      const std::lock_guard lock(mutex);
      if (failed_at < index) return;
    }
    const Status status = one(index);
    if (status) return;
    const std::lock_guard lock(mutex);
    if (index < failed_at) failed_at = index, failure = status.error();
  });
  if (failure) return tl::unexpected<Error>(*failure);

  // Summed in the order of the data, so that the last digit does not depend on the threads.
  double total = 0;
  int occurring = 0;
  for (int c = 0; c < classes; ++c) {
    double sum = 0;
    std::int64_t photos = 0;
    for (const PhotoResult& result : results) {
      if (const auto f1 = result.boundary_f1[static_cast<std::size_t>(c)]) sum += *f1, ++photos;
    }
    scores.boundary_f1.push_back(photos > 0 ? std::optional(sum / static_cast<double>(photos))
                                            : std::nullopt);
    if (photos > 0) total += *scores.boundary_f1.back(), ++occurring;
  }
  scores.mean_boundary_f1 = occurring > 0 ? total / occurring : 0;
  for (std::size_t i = 0; i < results.size(); ++i) scores.photos[i].mean_iou = results[i].mean_iou;
  return scores;
}

}  // namespace terrapin::inference
