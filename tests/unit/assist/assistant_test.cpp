// The whole way from points to a mask. Weights are random: what is tested is the way, not the answer.
#include "assist/assistant.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <thread>

#include "assist/classical.h"
#include "metrics/simulated_annotator.h"
#include "model_maker.h"
#include "unit/base/temporary_folder.h"

namespace terrapin::assist {
namespace {

using test::disc_mask;
using test::disc_photo;
using test::random_model;
using testing::HasSubstr;

class AssistantFile : public ::testing::Test {
 protected:
  AssistantFile() {
    EXPECT_TRUE(networks::write_assist_model(folder_ / "assist.safetensors", random_model(3)));
    options_.model = folder_.path();
    options_.threads = 2;
  }
  static Prompt prompt() {
    Prompt prompt;
    prompt.extremes = {{100, 40}, {60, 80}, {100, 120}, {140, 80}};
    return prompt;
  }
  const test::TemporaryFolder folder_;
  AssistantOptions options_;
};

TEST_F(AssistantFile, TheSameQuestionHasTheSameAnswer) {
  options_.at_a_time = 4;
  const auto assistant = Assistant::load(options_);
  ASSERT_TRUE(assistant) << assistant.error().message;
  EXPECT_TRUE((*assistant)->has_network());
  EXPECT_EQ((*assistant)->model_digest().size(), 64U);
  const auto photo = *(*assistant)->open(disc_photo({200, 160}, 100, 80, 40));
  Prompt refined = prompt();
  refined.negative = {{70, 50}};
  refined.previous = BoxedMask{{60, 40, 81, 81}, imaging::Mask({81, 81}, 1)};
  const auto first = (*assistant)->segment(*photo, prompt()), second = (*assistant)->segment(*photo, refined);
  ASSERT_TRUE(first) << first.error().message;
  ASSERT_TRUE(second);
  EXPECT_GT(first->object.box.width, 0);
  // What it is told makes a difference.
  EXPECT_FALSE(second->object.box == first->object.box && second->object.mask == first->object.mask);
  // A mask and its code are one question.
  Prompt coded = refined;
  coded.previous.reset();
  coded.previous_code = CodedMask{{60, 40, 81, 81}, {0, 0xa1, 0x33}};  // 81 * 81 = 0x33 * 128 + 0x21
  EXPECT_EQ((*assistant)->segment(*photo, coded)->object.mask, second->object.mask);
  // From many threads at a time too, and by another assistant of the same file.
  std::vector<std::future<std::pair<Answer, Answer>>> answers;
  for (int i = 0; i < 8; ++i) {
    answers.push_back(std::async(std::launch::async, [&] {
      return std::pair{*(*assistant)->segment(*photo, prompt()), *(*assistant)->segment(*photo, refined)};
    }));
  }
  for (auto& answer : answers) {
    const auto [a, b] = answer.get();
    EXPECT_EQ(a.object.mask, first->object.mask);
    EXPECT_EQ(a.object.box, first->object.box);
    EXPECT_EQ(b.object.mask, second->object.mask);
  }
  const auto other = *Assistant::load(options_);
  EXPECT_EQ(other->segment(*photo, prompt())->object.mask, first->object.mask);
}

TEST_F(AssistantFile, EnginesAgree) {
  const auto photo_image = disc_photo({200, 160}, 100, 80, 40);
  std::vector<imaging::Mask> masks;
  for (const char* backend : {"auto", "torch"}) {
    options_.backend = backend;
    const auto assistant = *Assistant::load(options_);
    const auto photo = *assistant->open(photo_image);
    const auto answer = *assistant->segment(*photo, prompt());
    imaging::Mask mask(photo->size());
    for (std::int64_t y = 0; y < answer.object.box.height; ++y) {
      for (std::int64_t x = 0; x < answer.object.box.width; ++x) {
        mask.set(answer.object.box.x + x, answer.object.box.y + y, answer.object.mask.at(x, y));
      }
    }
    masks.push_back(std::move(mask));
  }
  EXPECT_GE(metrics::overlap_of(masks[0], masks[1]).iou(), 0.99);
}

TEST_F(AssistantFile, AStoppedQuestionEnds) {
  const auto assistant = *Assistant::load(options_);
  const auto photo = *assistant->open(disc_photo({200, 160}, 100, 80, 40));
  std::stop_source source;
  source.request_stop();
  const auto answer = assistant->segment(*photo, prompt(), source.get_token());
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, ErrorCode::kCancelled);
  EXPECT_TRUE(assistant->segment(*photo, prompt()));  // the next one is served
}

TEST_F(AssistantFile, ManyAtOnceWaitTheirTurnOrLeave) {
  options_.at_a_time = 1;
  const auto assistant = *Assistant::load(options_);
  const auto photo = *assistant->open(disc_photo({200, 160}, 100, 80, 40));
  std::vector<std::jthread> threads;
  std::atomic<int> served = 0, left = 0, other = 0;
  std::stop_source source;
  for (int i = 0; i < 20; ++i) {
    threads.emplace_back([&, i] {
      const auto answer =
          assistant->segment(*photo, prompt(), i % 2 == 0 ? source.get_token() : std::stop_token());
      if (answer) {
        ++served;
      } else if (answer.error().code == ErrorCode::kCancelled) {
        ++left;
      } else {
        ++other;
      }
    });
  }
  source.request_stop();
  threads.clear();
  EXPECT_EQ(served + left, 20);
  EXPECT_GE(served, 10);
  EXPECT_EQ(other, 0);
}

TEST_F(AssistantFile, BadFilesAndQuestionsAreNamed) {
  AssistantOptions missing = options_;
  missing.model = folder_ / "none.safetensors";
  EXPECT_THAT(Assistant::load(missing).error().message, HasSubstr("none.safetensors"));
  options_.backend = "abacus";
  EXPECT_THAT(Assistant::load(options_).error().message, HasSubstr("abacus"));
  options_.backend = "auto";
  const auto assistant = *Assistant::load(options_);
  const auto photo = *assistant->open(disc_photo({50, 40}, 25, 20, 9));
  EXPECT_THAT(assistant->segment(*photo, prompt()).error().message, HasSubstr("x is 0 to 49, y is 0 to 39"));
  EXPECT_FALSE(assistant->open(imaging::Image()));
}

TEST_F(AssistantFile, WithoutAModelTheClassicalMethodServes) {
  AssistantOptions options;
  options.use_model = false;
  const auto assistant = Assistant::load(options);
  if (!classical_available()) {
    ASSERT_FALSE(assistant);
    EXPECT_THAT(assistant.error().message, HasSubstr("OpenCV"));
    GTEST_SKIP() << "this build has no OpenCV";
  }
  ASSERT_TRUE(assistant);
  EXPECT_FALSE((*assistant)->has_network());
  const imaging::Size size{200, 160};
  const auto photo = *(*assistant)->open(disc_photo(size, 100, 80, 40));
  const auto answer = (*assistant)->segment(*photo, prompt());
  ASSERT_TRUE(answer) << answer.error().message;
  EXPECT_EQ(answer->method, Method::kClassical);
  imaging::Mask mask(size);
  for (std::int64_t y = 0; y < answer->object.box.height; ++y) {
    for (std::int64_t x = 0; x < answer->object.box.width; ++x) {
      mask.set(answer->object.box.x + x, answer->object.box.y + y, answer->object.mask.at(x, y));
    }
  }
  EXPECT_GT(metrics::overlap_of(disc_mask(size, 100, 80, 40), mask).iou(), 0.97);
  EXPECT_EQ((*assistant)->segment(*photo, prompt())->object.mask, answer->object.mask);
  Prompt network = prompt();
  network.method = Method::kNetwork;
  EXPECT_EQ((*assistant)->segment(*photo, network).error().code, ErrorCode::kUnsupported);
}

}  // namespace
}  // namespace terrapin::assist
