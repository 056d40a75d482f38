#include "assist/refine.h"

#include <gtest/gtest.h>

#include <cmath>

#include "assist/topology.h"
#include "base/random.h"
#include "metrics/simulated_annotator.h"
#include "model_maker.h"

namespace terrapin::assist {
namespace {

using imaging::Mask;
using imaging::Pixel;
using test::disc_mask;
using test::disc_photo;

struct Scene {
  imaging::Image photo;
  Mask truth;
  Prompt prompt;
};

Scene disc(imaging::Size size, double x, double y, double radius) {
  Scene scene{disc_photo(size, x, y, radius), disc_mask(size, x, y, radius), {}};
  const auto points = metrics::extreme_points(scene.truth);
  scene.prompt.extremes.assign(points->begin(), points->end());
  return scene;
}

// What a network might say: the truth in the crop, grown by `off` crop pixels and soft.
std::vector<float> logits_of(const networks::CropFrame& frame, double x, double y, double radius,
                             double off) {
  std::vector<float> logits;
  const double scale = static_cast<double>(frame.scaled.width) / static_cast<double>(frame.photo.width);
  for (std::int64_t j = 0; j < frame.side(); ++j) {
    for (std::int64_t i = 0; i < frame.side(); ++i) {
      const double dx = frame.to_photo_x(static_cast<double>(i)) - x,
                   dy = frame.to_photo_y(static_cast<double>(j)) - y;
      logits.push_back(static_cast<float>((radius - std::sqrt(dx * dx + dy * dy)) * scale + off));
    }
  }
  return logits;
}

TEST(Refine, BringsARoughAnswerToThePhotosEdge) {
  const imaging::Size size{1200, 900};
  const Scene scene = disc(size, 600, 450, 310);
  const auto photo = OpenPhoto::open(scene.photo, 2);
  networks::FrameOptions options;
  options.side = 129;
  const auto frame = networks::make_frame(size, networks::box_around(scene.prompt.extremes), options);
  const std::vector<float> logits = logits_of(frame, 600, 450, 310, -0.8);
  RefineOptions edges, plain;
  plain.radius = 0;
  const auto score = [&](const RefineOptions& refine_options) {
    const auto object = refine(*photo, frame, logits, scene.prompt, refine_options, 2, {});
    EXPECT_TRUE(object);
    return metrics::overlap_of(scene.truth, whole(*object, size)).iou();
  };
  EXPECT_LT(score(plain), 0.975);
  EXPECT_GT(score(edges), score(plain) + 0.008);
}

TEST(Refine, FollowsClicksAndIsTheSameForAnyThreads) {
  const imaging::Size size{400, 300};
  const Scene scene = disc(size, 200, 150, 80);
  const auto photo = OpenPhoto::open(scene.photo, 1);
  const auto frame = networks::make_frame(size, networks::box_around(scene.prompt.extremes), {});
  Prompt prompt = scene.prompt;
  prompt.positive = {{125, 85}};   // a corner of the box, outside the disc
  prompt.negative = {{200, 150}};  // its middle
  const auto logits = logits_of(frame, 200, 150, 80, 0);
  const auto object = refine(*photo, frame, logits, prompt, {}, 1, {});
  ASSERT_TRUE(object);
  const Mask mask = whole(*object, size);
  for (const Pixel& p : prompt.extremes) EXPECT_EQ(mask.at(p.x, p.y), 1) << p.x << "," << p.y;
  EXPECT_EQ(mask.at(125, 85), 1);
  EXPECT_EQ(mask.at(200, 150), 0);
  EXPECT_EQ(imaging::box_of(object->mask, 1), (imaging::Box{0, 0, object->box.width, object->box.height}));
  const auto again = refine(*photo, frame, logits, prompt, {}, 3, {});
  EXPECT_EQ(object->mask, again->mask);
  EXPECT_EQ(object->box, again->box);
}

TEST(Refine, WorksAtEveryBorderAndAtOnePixel) {
  for (const imaging::Size size :
       {imaging::Size{1, 1}, imaging::Size{1, 40}, imaging::Size{37, 1}, imaging::Size{64, 48}}) {
    const auto photo = OpenPhoto::open(imaging::Image(size, {90, 90, 90}), 2);
    Prompt prompt;
    prompt.extremes = {{0, 0}, {0, 0}, {size.width - 1, size.height - 1}, {size.width - 1, size.height - 1}};
    const auto frame = networks::make_frame(size, networks::box_around(prompt.extremes), {});
    for (const float logit : {-5.0F, 5.0F}) {
      const std::vector<float> logits(static_cast<std::size_t>(frame.side() * frame.side()), logit);
      const auto object = refine(*photo, frame, logits, prompt, {}, 2, {});
      ASSERT_TRUE(object);
      const Mask mask = whole(*object, size);
      EXPECT_EQ(mask.at(0, 0), 1);
      EXPECT_EQ(mask.at(size.width - 1, size.height - 1), 1);
      if (logit > 0) {
        EXPECT_EQ(std::count(mask.bytes().begin(), mask.bytes().end(), 1), size.area());
      }
    }
  }
}

TEST(Refine, NothingFoundIsAnEmptyBox) {
  const auto photo = OpenPhoto::open(imaging::Image({50, 50}), 1);
  Prompt prompt;  // refined from a mask, without points
  prompt.previous = BoxedMask{{10, 10, 5, 5}, Mask({5, 5}, 1)};
  const auto frame = networks::make_frame({50, 50}, {10, 10, 5, 5}, {});
  const std::vector<float> logits(static_cast<std::size_t>(frame.side() * frame.side()), -9.0F);
  const auto object = refine(*photo, frame, logits, prompt, {}, 1, {});
  ASSERT_TRUE(object);
  EXPECT_EQ(object->box, imaging::Box{});
}

TEST(Refine, AnAnswerOfTooManyRunsIsNone) {
  // One that alternates pixel by pixel, in a crop of the photo's own scale.
  const imaging::Size size{100, 100};
  const auto photo = OpenPhoto::open(imaging::Image(size, {90, 90, 90}), 1);
  Prompt prompt;
  prompt.extremes = {{50, 0}, {0, 50}, {50, 99}, {99, 50}};
  networks::FrameOptions frame_options;
  frame_options.side = 100, frame_options.margin = 0;
  const auto frame = networks::make_frame(size, {0, 0, 100, 100}, frame_options);
  ASSERT_EQ(frame.scaled, size);
  std::vector<float> logits;
  for (int i = 0; i < 100 * 100; ++i) logits.push_back((i + i / 100) % 2 == 0 ? 9.0F : -9.0F);
  RefineOptions options;
  options.radius = 0;
  options.click_radius = 0.1;
  // Every pixel is one, but those beside the four points.
  options.max_runs = 9'900;
  const auto object = refine(*photo, frame, logits, prompt, options, 1, {});
  ASSERT_FALSE(object);
  EXPECT_EQ(object.error().code, ErrorCode::kTooLarge);
  EXPECT_NE(object.error().message.find("more than 9900"), std::string::npos) << object.error().message;
  options.max_runs = 10'000;
  EXPECT_TRUE(refine(*photo, frame, logits, prompt, options, 1, {}));
}

TEST(Refine, StopsWhenAsked) {
  const auto photo = OpenPhoto::open(imaging::Image({50, 50}), 1);
  const Scene scene = disc({50, 50}, 25, 25, 9);
  const auto frame = networks::make_frame({50, 50}, {10, 10, 20, 20}, {});
  std::stop_source source;
  source.request_stop();
  const std::vector<float> logits(static_cast<std::size_t>(frame.side() * frame.side()), 1.0F);
  const auto object = refine(*photo, frame, logits, scene.prompt, {}, 1, source.get_token());
  ASSERT_FALSE(object);
  EXPECT_EQ(object.error().code, ErrorCode::kCancelled);
}

TEST(Topology, DropsSpecksFillsHolesAndJoinsPoints) {
  Mask mask({60, 60});
  for (int y = 10; y < 50; ++y) {
    for (int x = 10; x < 50; ++x) mask.set(x, y, 1);
  }
  mask.set(20, 20, 0);                               // a hole
  for (int i = 30; i < 33; ++i) mask.set(i, 30, 0);  // another, which stays: a negative point lies in it
  mask.set(2, 2, 1);                                 // a speck
  for (int y = 52; y < 58; ++y) {
    for (int x = 52; x < 58; ++x) mask.set(x, y, 1);  // a part that a point lies in
  }
  TopologyOptions options;
  tidy(mask, {{55, 55}, {30, 4}, {-4, 9}}, {{31, 30}, {100, 0}}, options);
  EXPECT_EQ(mask.at(20, 20), 1);
  EXPECT_EQ(mask.at(31, 30), 0);
  EXPECT_EQ(mask.at(2, 2), 0);
  EXPECT_EQ(mask.at(55, 55), 1);
  EXPECT_EQ(mask.at(30, 4), 1);
  for (int y = 4; y < 10; ++y) EXPECT_EQ(mask.at(30, y), 1);  // joined
}

TEST(Topology, KeepsItsPromisesOnRandomMasks) {
  Random random(12);
  for (int round = 0; round < 200; ++round) {
    Mask mask({24, 17});
    const double density = random.uniform(0, 1);
    for (std::uint8_t& label : mask.bytes()) label = random.uniform() < density ? 1 : 0;
    std::vector<Pixel> inside, outside;
    for (int i = 0; i < 4; ++i) inside.push_back({random.below(24), random.below(17)});
    for (int i = 0; i < 2; ++i) outside.push_back({random.below(24), random.below(17)});
    tidy(mask, inside, outside, {});
    for (const Pixel& p : outside) ASSERT_TRUE(mask.at(p.x, p.y) == 0) << round;
    for (const Pixel& p : inside) {
      if (std::find(outside.begin(), outside.end(), p) == outside.end()) {
        ASSERT_EQ(mask.at(p.x, p.y), 1) << round;
      }
    }
  }
}

}  // namespace
}  // namespace terrapin::assist
