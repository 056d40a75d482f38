#include "training/validation.h"

#include <chrono>
#include <deque>
#include <future>

#include "base/interrupt.h"
#include "imaging/codecs.h"
#include "networks/input.h"

namespace terrapin::training {
namespace {

struct Prepared {
  std::shared_ptr<const artifacts::LabeledPhoto> sample;
  torch::Tensor input;
};

Result<Prepared> prepare(const LabeledPhotos& photos, std::int64_t index,
                         const artifacts::Preprocessing& preprocessing) {
  c10::InferenceMode no_gradients;  // thread-local
  TERRAPIN_TRY(auto sample, photos.get(index));
  torch::Tensor input = networks::photo_to_input(sample->photo, preprocessing);
  return Prepared{std::move(sample), std::move(input)};
}

}  // namespace

Result<ValidationScores> validate(networks::SegmentationNetwork& network,
                                  const artifacts::Preprocessing& preprocessing, const LabeledPhotos& photos,
                                  int num_classes, torch::Device device, int batch_size,
                                  const std::function<void(std::int64_t, std::int64_t)>& progress,
                                  std::int64_t first, std::int64_t stride, const Predicted& predicted) {
  const auto started = std::chrono::steady_clock::now();
  ValidationScores scores;
  scores.confusion = metrics::ConfusionMatrix(num_classes);
  network.eval();
  c10::InferenceMode no_gradients;
  const std::int64_t total = std::max<std::int64_t>(0, (photos.size() - first + stride - 1) / stride);
  const auto photo = [&](std::int64_t place) { return first + place * stride; };
  std::int64_t asked = 0;
  std::deque<std::future<Result<Prepared>>> ahead;
  const auto ask = [&] {
    while (asked < total && ahead.size() < 2) {
      ahead.push_back(std::async(std::launch::async, [&photos, &preprocessing, index = photo(asked)] {
        return prepare(photos, index, preprocessing);
      }));
      ++asked;
    }
  };

  std::vector<Prepared> batch;
  const auto run_batch = [&] {
    std::vector<torch::Tensor> inputs;
    for (const Prepared& item : batch) inputs.push_back(item.input);
    const torch::Tensor input = inputs.size() == 1 ? inputs.front() : torch::cat(inputs);
    const torch::Tensor logits = network.forward(input.to(device)).logits.to(torch::kCPU, torch::kFloat32);
    for (std::size_t i = 0; i < batch.size(); ++i) {
      const imaging::Mask mask = networks::logits_to_mask(logits.narrow(0, static_cast<std::int64_t>(i), 1),
                                                          batch[i].sample->photo.size());
      metrics::ConfusionMatrix own(num_classes);
      own.add(batch[i].sample->mask, mask);
      scores.confusion.merge(own);
      const auto place = static_cast<std::int64_t>(scores.photos.size());
      if (predicted) predicted(photo(place), *batch[i].sample, mask);
      scores.photos.push_back({photos.name(photo(place)), own.mean_iou()});
    }
    batch.clear();
    if (progress) progress(static_cast<std::int64_t>(scores.photos.size()), total);
  };

  // One photo at a time fills the cores of a CPU and keeps its memory small; a GPU wants the batch, of photos
  // of one size.
  const std::size_t limit = device.is_cpu() ? 1 : static_cast<std::size_t>(batch_size);
  for (std::int64_t i = 0; i < total; ++i) {
    if (interrupted()) {
      for (auto& future : ahead) future.wait();
      return fail(ErrorCode::kCancelled, "stopped while validating");
    }
    ask();
    auto item = ahead.front().get();
    ahead.pop_front();
    ask();
    if (!item) {
      for (auto& future : ahead) future.wait();
      return tl::unexpected<Error>(item.error());
    }
    if (!batch.empty() && batch.front().input.sizes() != item->input.sizes()) run_batch();
    batch.push_back(std::move(*item));
    if (batch.size() >= limit) run_batch();
  }
  if (!batch.empty()) run_batch();
  scores.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count();
  return scores;
}

Result<std::vector<imaging::Mask>> predict_samples(const artifacts::ModelPackage& package,
                                                   const artifacts::SampleIndex& samples,
                                                   const std::vector<std::int64_t>& indices) {
  TERRAPIN_TRY(const auto network, networks::build_network(package.spec.network));
  TERRAPIN_TRY_STATUS(networks::load_weights(*network, package.weights));
  network->eval();
  c10::InferenceMode no_gradients;
  std::vector<imaging::Mask> masks;
  for (const std::int64_t index : indices) {
    if (index < 0 || index >= static_cast<std::int64_t>(samples.samples.size())) {
      return fail(ErrorCode::kInvalidArgument, "sample {} does not exist: there are {}", index,
                  samples.samples.size());
    }
    TERRAPIN_TRY(const imaging::Image photo,
                 imaging::read_photo(samples.samples[static_cast<std::size_t>(index)].photo));
    const torch::Tensor input = networks::photo_to_input(photo, package.spec.preprocessing);
    masks.push_back(networks::logits_to_mask(network->forward(input).logits, photo.size()));
  }
  return masks;
}

}  // namespace terrapin::training
