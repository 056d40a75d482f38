// Whole trainings on a handful of small photos.
#include <gtest/gtest.h>
#include <torch/torch.h>

#include <cmath>
#include <csignal>

#include "base/interrupt.h"
#include "networks/network.h"
#include "small_dataset.h"
#include "training/checkpoint.h"
#include "training/loader.h"
#include "training/model_state.h"

namespace terrapin::training {
namespace {

class StepRecorder : public TrainingObserver {
 public:
  void on_step(const StepReport& report) override {
    ++steps;
    if (interrupt_at_step > 0 && steps == interrupt_at_step) std::raise(SIGTERM);
    last = report;
  }
  void on_epoch(const EpochReport& report) override { epochs.push_back(report); }
  void on_message(MessageLevel, const std::string& text) override { messages += text + "\n"; }
  int steps = 0, interrupt_at_step = 0;
  StepReport last;
  std::vector<EpochReport> epochs;
  std::string messages;
};

using Weights = std::map<std::string, Bytes>;
Weights bytes_of(const artifacts::TensorFile& file) {
  Weights result;
  for (const auto& [name, tensor] : file.tensors) result[name] = tensor.data;
  return result;
}

class Train : public testing::Test {
 protected:
  Train() : data_(write_small_dataset(folder_.path())), options_(small_options()) {
    install_interrupt_handlers();
    clear_interrupt();
  }
  ~Train() override { clear_interrupt(); }

  TrainingOutcome must_train(const TrainingOptions& options) {
    StepRecorder recorder;
    auto outcome = train(options, data_, recorder);
    EXPECT_TRUE(outcome.has_value()) << (outcome ? "" : outcome.error().message);
    return outcome ? std::move(*outcome) : TrainingOutcome{};
  }

  TemporaryFolder folder_;
  TrainingData data_;
  TrainingOptions options_;
};

TEST_F(Train, SameSeedSameWeightsWhateverTheLoaderThreads) {
  const TrainingOutcome first = must_train(options_);
  options_.loader_threads = 3;
  options_.cache_bytes = 0;
  const TrainingOutcome second = must_train(options_);
  EXPECT_EQ(bytes_of(first.package.weights), bytes_of(second.package.weights));
  options_.seed = 6;
  const TrainingOutcome other = must_train(options_);
  EXPECT_NE(bytes_of(first.package.weights), bytes_of(other.package.weights));
}

TEST_F(Train, ReportsAndPackageAreWhole) {
  options_.package_path = folder_.path() / "out" / "model.tar.gz";
  options_.epochs = 3;
  StepRecorder recorder;
  const auto outcome = train(options_, data_, recorder);
  ASSERT_TRUE(outcome.has_value()) << outcome.error().message;
  EXPECT_EQ(recorder.steps, 3 * 2);  // 6 photos in batches of 4
  ASSERT_EQ(recorder.epochs.size(), 3u);
  double best = -1;
  for (const EpochReport& report : recorder.epochs) {
    EXPECT_TRUE(report.validated);
    EXPECT_EQ(report.photos.size(), 2u);
    EXPECT_GT(report.confusion.total(), 0);
    EXPECT_DOUBLE_EQ(report.mean_iou, report.confusion.mean_iou());
    EXPECT_EQ(report.best, report.mean_iou > best);
    best = std::max(best, report.mean_iou);
    EXPECT_NEAR(report.loss, report.cross_entropy + report.dice, 1e-5);
    const auto again = epoch_report_from_json(to_json(report));
    ASSERT_TRUE(again.has_value());
    EXPECT_EQ(to_json(*again), to_json(report));
  }
  EXPECT_DOUBLE_EQ(outcome->best.mean_iou, best);

  const auto package = artifacts::read_model_package(outcome->package_path);
  ASSERT_TRUE(package.has_value()) << package.error().message;
  EXPECT_EQ(bytes_of(package->weights), bytes_of(outcome->package.weights));
  EXPECT_EQ(package->spec.preprocessing.long_side, options_.base_size);
  // The packaged weights are those that were scored.
  const auto masks = predict_samples(*package, data_.validation, {0, 1});
  ASSERT_TRUE(masks.has_value()) << masks.error().message;
  metrics::ConfusionMatrix confusion(2);
  for (std::size_t i = 0; i < masks->size(); ++i) {
    const auto mask = artifacts::read_sample_mask(data_.validation.samples[i], data_.validation.label_map);
    ASSERT_TRUE(mask.has_value());
    confusion.add(*mask, (*masks)[i]);
  }
  EXPECT_DOUBLE_EQ(confusion.mean_iou(), outcome->best.mean_iou);
}

// Every step in turn is the last before SIGTERM; what the resumed run ends with is what one run ends with.
TEST_F(Train, ResumedRunEqualsAnUninterruptedOne) {
  options_.epochs = 4;
  const TrainingOutcome whole = must_train(options_);
  for (const int stop_after : {1, 2, 5}) {
    TrainingOptions options = options_;
    options.checkpoint_folder = folder_.path() / ("checkpoint" + std::to_string(stop_after));
    StepRecorder recorder;
    recorder.interrupt_at_step = stop_after;
    const auto stopped = train(options, data_, recorder);
    ASSERT_FALSE(stopped.has_value());
    EXPECT_EQ(stopped.error().code, ErrorCode::kCancelled) << stopped.error().message;
    EXPECT_EQ(recorder.steps, stop_after);
    clear_interrupt();
    StepRecorder second;
    const auto resumed = train(options, data_, second);
    ASSERT_TRUE(resumed.has_value()) << resumed.error().message;
    EXPECT_EQ(second.steps, 4 * 2 - stop_after);
    EXPECT_EQ(bytes_of(whole.package.weights), bytes_of(resumed->package.weights)) << stop_after;
    EXPECT_EQ(whole.best_epoch, resumed->best_epoch);
    ASSERT_EQ(resumed->history.size(), 4u);
    for (std::size_t i = 0; i < 4; ++i) {
      EXPECT_EQ(whole.history[i].loss, resumed->history[i].loss);
      EXPECT_EQ(whole.history[i].mean_iou, resumed->history[i].mean_iou);
      EXPECT_EQ(whole.history[i].learning_rate, resumed->history[i].learning_rate);
    }
  }
}

// File names are bytes; the checkpoint's JSON is UTF-8.
TEST_F(Train, NamesThatAreNotUtf8AreTrainedAndResumed) {
  for (artifacts::Sample& sample : data_.validation.samples) sample.name += "\xe9\xff";
  options_.checkpoint_folder = folder_.path() / "checkpoints";
  const TrainingOutcome whole = must_train(options_);
  EXPECT_EQ(whole.finished_epochs, 2);
  StepRecorder recorder;
  const auto resumed = train(options_, data_, recorder);
  ASSERT_TRUE(resumed) << resumed.error().message;
  EXPECT_EQ(recorder.steps, 0);
  EXPECT_EQ(bytes_of(whole.package.weights), bytes_of(resumed->package.weights));
}

TEST_F(Train, ACheckpointOfAnotherRunIsRefusedByName) {
  options_.checkpoint_folder = folder_.path() / "checkpoint";
  options_.epochs = 1;
  must_train(options_);
  options_.crop_size = 40;
  StepRecorder recorder;
  const auto outcome = train(options_, data_, recorder);
  ASSERT_FALSE(outcome.has_value());
  EXPECT_EQ(outcome.error().code, ErrorCode::kInvalidArgument);
  EXPECT_NE(outcome.error().message.find("crop_size is 32 there and 40 here"), std::string::npos)
      << outcome.error().message;
}

TEST_F(Train, IncrementalTrainingNeedsTheSameNetwork) {
  options_.package_path = folder_.path() / "model.tar.gz";
  options_.epochs = 1;
  must_train(options_);
  TrainingOptions next = options_;
  next.weights = WeightSource::kPackage;
  next.weights_path = options_.package_path;
  next.package_path.clear();
  StepRecorder recorder;
  const auto again = train(next, data_, recorder);
  EXPECT_TRUE(again.has_value()) << again.error().message;
  EXPECT_NE(recorder.messages.find("0 start at random"), std::string::npos) << recorder.messages;
  next.crop_size = 48;
  const auto refused = train(next, data_, recorder);
  ASSERT_FALSE(refused.has_value());
  EXPECT_NE(refused.error().message.find("crop_size is 32 in the earlier model and 48 here"),
            std::string::npos)
      << refused.error().message;
}

TEST_F(Train, EarlyStoppingEndsAfterEpochsWithoutGain) {
  options_.epochs = 30;
  options_.optimizer.learning_rate = 1e-9;  // nothing changes
  options_.early_stopping = {true, 2, 2, 0.05};
  const TrainingOutcome outcome = must_train(options_);
  EXPECT_TRUE(outcome.stopped_early);
  EXPECT_LT(outcome.finished_epochs, 10);
  EXPECT_GE(outcome.finished_epochs, 3);
}

TEST_F(Train, BadOptionsAreNamed) {
  StepRecorder recorder;
  options_.optimizer.learning_rate = 0;
  const auto outcome = train(options_, data_, recorder);
  ASSERT_FALSE(outcome.has_value());
  EXPECT_NE(outcome.error().message.find("learning_rate is 0"), std::string::npos);
}

// The network, loss, optimizer and augmentation together can learn: one batch by heart.
TEST_F(Train, OverfitsOneBatch) {
  torch::manual_seed(1);
  options_.optimizer.learning_rate = 3e-3;
  options_.ema_decay = 0;
  auto network = networks::build_network(options_.network),
       average = networks::build_network(options_.network);
  ASSERT_TRUE(network && average);
  LoaderOptions loader;
  loader.base_size = 48;
  loader.crop_side = 33;
  loader.batch_size = 4;
  loader.normalization = Normalization::from((*network)->preprocessing());
  const auto photos = read_photos(data_.train, 2);
  std::vector<float> pixels(4 * 33 * 33 * 3);
  std::vector<std::uint8_t> labels(4 * 33 * 33);
  for (std::int64_t i = 0; i < 4; ++i) {
    ASSERT_TRUE(load_crop(*photos, {}, loader, 0, i, i, pixels.data() + i * 33 * 33 * 3,
                          labels.data() + i * 33 * 33));
  }
  const torch::Tensor input = torch::from_blob(pixels.data(), {4, 33, 33, 3}).permute({0, 3, 1, 2});
  const torch::Tensor target = torch::from_blob(labels.data(), {4, 33, 33}, torch::kByte);
  networks::initialize_from_batch(**network, input);
  ModelState model(*network, *average, options_, {1, 1, {}}, torch::kCPU);
  double first = 0, last = 0;
  for (int step = 0; step < 80; ++step) {
    const auto losses = model.step(input, target, 3e-3);
    ASSERT_TRUE(losses.has_value()) << losses.error().message;
    if (step == 0) first = losses->total;
    last = losses->total;
  }
  EXPECT_GT(first, 0.5);
  EXPECT_LT(last, 0.12);
}

TEST_F(Train, LearnsOnTheSmallSet) {
  options_.epochs = 25;
  options_.optimizer.learning_rate = 5e-3;
  options_.optimizer.encoder_rate_factor = 1;
  options_.ema_decay = 0.9;
  options_.augment.scale_low = 0.9;
  options_.augment.scale_high = 1.2;
  const TrainingOutcome outcome = must_train(options_);
  EXPECT_GT(outcome.best.mean_iou, 0.7);
}

}  // namespace
}  // namespace terrapin::training
