// The assistance network learns, resumes and stays the same whatever the number of loader threads.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/torch.h>

#include "base/files.h"
#include "imaging/regions.h"
#include "networks/assist_network.h"
#include "small_dataset.h"
#include "training/assist/loader.h"
#include "training/assist/train.h"

namespace terrapin::training {
namespace {

// Squares of any place and size on noise.
class Squares final : public ObjectSource {
 public:
  std::string name() const override { return "squares"; }
  std::int64_t object_count() const override { return 1000; }
  double weight() const override { return 1; }
  std::string digest() const override { return "squares"; }
  Result<ClickedPhoto> draw(Random& random) const override {
    artifacts::LabeledPhoto photo = square_photo(random.next_u32() % 8, {80, 64});
    return ClickedPhoto{std::move(photo.photo), std::move(photo.mask)};
  }
};

struct Recorder : AssistObserver {
  bool on_step(const AssistStepReport& step) override {
    losses.push_back(step.loss);
    return stop_after == 0 || step.step < stop_after;
  }
  void on_watch(const AssistWatchReport& report) override { watched.push_back(report); }
  std::int64_t stop_after = 0;
  std::vector<double> losses;
  std::vector<AssistWatchReport> watched;
};

class AssistTrain : public testing::Test {
 protected:
  AssistTrain() {
    torch::manual_seed(5);
    // A random start that others can load: the tests need no weights of strangers.
    const auto network = networks::build_assist_network(small().network);
    networks::initialize_from_batch(*network, torch::rand({4, networks::kPromptChannels, 65, 65}) * 2 - 1);
    EXPECT_TRUE(
        artifacts::write_safetensors(folder_.path() / "start.safetensors", networks::save_weights(*network)));
    data_.learn = data_.watch = {std::make_shared<Squares>()};
  }

  AssistTrainingOptions small() const {
    AssistTrainingOptions options;
    options.network.side = 65;
    options.network.width = 16;
    options.batch_size = 4;
    options.steps = 6;
    options.watch_every = 4;
    options.watch_objects = 8;
    options.threads = 2;  // libtorch is slow at 1 x 1 convolutions of few crops on one thread
    options.weights = folder_.path() / "start.safetensors";
    options.output = folder_.path() / "run";
    return options;
  }
  static Bytes model_of(const AssistTrainingOptions& options) {
    return *read_file(options.output / "assist.safetensors");
  }

  TemporaryFolder folder_;
  AssistTrainingData data_;
};

TEST_F(AssistTrain, LearnsAFewSquares) {
  AssistTrainingOptions options = small();
  options.steps = 120;
  options.watch_every = 120;
  options.learning_rate = 3e-3;
  options.encoder_rate_factor = 1;
  options.augment.enabled = false;
  options.ema_decay = 0.9;
  options.error_weight = 0;  // early and late losses are to be of one kind: late answers have less wrong
  Recorder recorder;
  const auto outcome = train_assist(options, data_, recorder);
  ASSERT_TRUE(outcome) << outcome.error().message;
  const auto mean = [&](std::size_t begin) {
    double sum = 0;
    for (std::size_t i = begin; i < begin + 10; ++i) sum += recorder.losses[i] / 10;
    return sum;
  };
  EXPECT_LT(mean(110), 0.5 * mean(0));
  // The whole crop would score 0.54.
  EXPECT_GT(outcome->history.back().iou, 0.7);
  ASSERT_EQ(outcome->history.back().clicked.size(), 3U);
}

TEST_F(AssistTrain, ResumedEqualsUninterrupted) {
  AssistTrainingOptions whole = small(), parts = small();
  parts.output = folder_.path() / "parts";
  Recorder recorder;
  ASSERT_TRUE(train_assist(whole, data_, recorder));
  for (const std::int64_t stop : {2, 5}) {
    Recorder stopped;
    stopped.stop_after = stop;
    const auto outcome = train_assist(parts, data_, stopped);
    ASSERT_FALSE(outcome);
    EXPECT_EQ(outcome.error().code, ErrorCode::kCancelled);
  }
  Recorder last;
  ASSERT_TRUE(train_assist(parts, data_, last));
  EXPECT_EQ(last.losses.size(), 1U);
  EXPECT_EQ(last.losses.back(), recorder.losses.back());
  const auto weights_of = [](const AssistTrainingOptions& options) {
    std::map<std::string, Bytes> result;
    const auto file = artifacts::read_safetensors(options.output / "checkpoint.safetensors");
    for (const auto& [name, tensor] : file->tensors) {
      result[name] = tensor.data;
    }
    return result;
  };
  EXPECT_EQ(weights_of(whole), weights_of(parts));
}

TEST_F(AssistTrain, RefusesACheckpointOfAnotherRun) {
  AssistTrainingOptions options = small();
  Recorder recorder;
  recorder.stop_after = 1;
  ASSERT_FALSE(train_assist(options, data_, recorder));
  options.learning_rate = 2e-3;
  const auto outcome = train_assist(options, data_, recorder);
  ASSERT_FALSE(outcome);
  EXPECT_THAT(outcome.error().message, testing::HasSubstr("learning_rate"));
}

TEST_F(AssistTrain, BatchesDoNotDependOnThreadsOrWhereOneBegins) {
  AssistLoaderOptions options;
  options.frame.side = 65;
  options.batch_size = 3;
  options.seed = 4;
  const auto batches = [&](int threads, std::int64_t first, int count) {
    options.threads = threads;
    AssistLoader loader(data_.learn, options, first);
    std::vector<std::vector<AssistSample>> result;
    for (int i = 0; i < count; ++i) result.push_back(*loader.next());
    return result;
  };
  const auto one = batches(1, 0, 5), three = batches(3, 0, 5), late = batches(2, 3, 2);
  for (std::size_t s = 0; s < 5; ++s) {
    for (std::size_t i = 0; i < 3; ++i) {
      EXPECT_EQ(one[s][i].crop, three[s][i].crop);
      EXPECT_EQ(one[s][i].truth, three[s][i].truth);
      if (s >= 3) {
        EXPECT_EQ(one[s][i].crop, late[s - 3][i].crop);
      }
    }
  }
  EXPECT_NE(one[0][0].crop, one[1][0].crop);
}

TEST_F(AssistTrain, ClicksLieOnTheObjectsOutlineInTheCrop) {
  AssistAugment augment;
  augment.enabled = false;
  augment.fixed_jitter_px = 0;
  Random random(3);
  for (int i = 0; i < 40; ++i) {
    const auto sample = make_assist_sample(data_.learn, augment, small().network.frame(), random);
    ASSERT_TRUE(sample);
    const imaging::Box box = imaging::box_of(sample->truth, 1);
    ASSERT_EQ(sample->extremes.size(), 4U);
    EXPECT_NEAR(sample->extremes[0].y, static_cast<double>(box.y), 2.5);
    EXPECT_NEAR(sample->extremes[1].x, static_cast<double>(box.x), 2.5);
    EXPECT_NEAR(sample->extremes[2].y, static_cast<double>(box.y + box.height), 2.5);
    EXPECT_NEAR(sample->extremes[3].x, static_cast<double>(box.x + box.width), 2.5);
  }
}

TEST_F(AssistTrain, AugmentedTruthStaysWithTheObject) {
  AssistAugment augment;  // everything on, but the colours stay: red is the object
  augment.color_probability = augment.noise_probability = augment.blur_probability =
      augment.coarse_probability = 0;
  augment.jpeg_probability = 0;
  Random random(6);
  for (int i = 0; i < 60; ++i) {
    const auto sample = make_assist_sample(data_.learn, augment, small().network.frame(), random);
    ASSERT_TRUE(sample);
    std::int64_t agree = 0, known = 0;
    for (std::int64_t y = 0; y < 65; ++y) {
      for (std::int64_t x = 0; x < 65; ++x) {
        if (sample->truth.at(x, y) != 1) continue;
        const imaging::Rgb color = sample->crop.at(x, y);
        ++known;
        agree += color.red > color.green + 40 ? 1 : 0;
      }
    }
    ASSERT_GT(known, 50);
    EXPECT_GT(static_cast<double>(agree), 0.9 * static_cast<double>(known));
  }
}

// A low red block or a tall blue one on green: one before the other leaves two parts.
class Blocks final : public ObjectSource {
 public:
  std::string name() const override { return "blocks"; }
  std::int64_t object_count() const override { return 1000; }
  double weight() const override { return 1; }
  std::string digest() const override { return "blocks"; }
  Result<ClickedPhoto> draw(Random& random) const override {
    const bool red = random.below(2) == 0;
    ClickedPhoto made{imaging::Image({80, 64}), imaging::Mask({80, 64})};
    for (std::int64_t y = 0; y < 64; ++y) {
      for (std::int64_t x = 0; x < 80; ++x) {
        const bool inside =
            red ? x >= 10 && x < 70 && y >= 24 && y < 40 : x >= 32 && x < 48 && y >= 4 && y < 60;
        made.truth.set(x, y, inside ? 1 : 0);
        made.photo.set(x, y,
                       !inside ? imaging::Rgb{0, 200, 0}
                       : red   ? imaging::Rgb{200, 0, 0}
                               : imaging::Rgb{0, 0, 200});
      }
    }
    return made;
  }
};

TEST_F(AssistTrain, WhatStandsBeforeAnObjectIsNotObject) {
  data_.learn = {std::make_shared<Blocks>()};
  AssistAugment augment;
  augment.color_probability = augment.noise_probability = augment.blur_probability =
      augment.coarse_probability = augment.jpeg_probability = augment.paste_probability = 0;
  augment.hide_probability = 1;
  Random random(4);
  int hidden = 0;
  for (int i = 0; i < 60; ++i) {
    const auto sample = make_assist_sample(data_.learn, augment, small().network.frame(), random);
    ASSERT_TRUE(sample);
    // Clear red and blue pixels, of the object and not; a pixel at an outline is a mixture.
    std::int64_t object[2] = {0, 0}, other[2] = {0, 0};
    for (std::int64_t y = 0; y < 65; ++y) {
      for (std::int64_t x = 0; x < 65; ++x) {
        const imaging::Rgb color = sample->crop.at(x, y);
        if (color.red < 190 && color.blue < 190) continue;
        ++(sample->truth.at(x, y) == 1 ? object : other)[color.blue > color.red ? 1 : 0];
      }
    }
    const int own = object[1] > object[0] ? 1 : 0;
    ASSERT_GT(object[own], 50);
    EXPECT_LE(object[1 - own], object[own] / 50) << i << ": the other colour is not object";
    hidden += other[1 - own] > 50 ? 1 : 0;
    std::int64_t parts = 0;
    for (const imaging::Region& part : imaging::connected_regions(sample->truth).regions)
      parts += part.label == 1;
    EXPECT_EQ(parts, 1) << i;
  }
  EXPECT_GT(hidden, 15) << "half of the blocks in front are of the other colour";
}

TEST_F(AssistTrain, NamesABadOption) {
  Recorder recorder;
  AssistTrainingOptions options = small();
  options.minutes = 1;
  EXPECT_THAT(train_assist(options, data_, recorder).error().message, testing::HasSubstr("exactly one"));
  options = small();
  options.network.side = 64;
  EXPECT_THAT(train_assist(options, data_, recorder).error().message, testing::HasSubstr("side 64"));
  options = small();
  options.click_probability = 2;
  EXPECT_THAT(train_assist(options, data_, recorder).error().message,
              testing::HasSubstr("click_probability is 2"));
  options = small();
  options.error_weight = -1;
  EXPECT_THAT(train_assist(options, data_, recorder).error().message,
              testing::HasSubstr("error_weight is -1"));
}

}  // namespace
}  // namespace terrapin::training
