#include "assist/prompt.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace terrapin::assist {
namespace {

using imaging::Pixel;
using testing::AllOf;
using testing::HasSubstr;

Prompt four() {
  Prompt prompt;
  prompt.extremes = {{5, 1}, {1, 5}, {5, 9}, {9, 5}};
  return prompt;
}

TEST(Prompt, PointsAreRead) {
  EXPECT_EQ(*parse_points("1,2  -3,40", "--points"), (std::vector<Pixel>{{1, 2}, {-3, 40}}));
  EXPECT_TRUE(parse_points("", "--points")->empty());
  EXPECT_TRUE(parse_points("  ", "--points")->empty());
}

TEST(Prompt, ABadPointIsNamed) {
  for (const auto& [text, word] :
       std::map<std::string, std::string>{{"1,2 3;4 5,6", "'3;4'"},
                                          {"1,2 3", "'3'"},
                                          {"1,2 3,", "'3,'"},
                                          {"1,2 3,4x", "'3,4x'"},
                                          {"1,2 3.5,4", "'3.5,4'"},
                                          {"1,2 99999999999999999999,4", "'99999999999999999999,4'"}}) {
    const auto points = parse_points(text, "--negative");
    ASSERT_FALSE(points) << text;
    EXPECT_THAT(points.error().message,
                AllOf(HasSubstr("--negative point 2"), HasSubstr(word), HasSubstr("X,Y")));
  }
}

TEST(Prompt, FourPointsOrAMask) {
  const imaging::Size photo{10, 10};
  EXPECT_TRUE(check_prompt(four(), photo));
  Prompt prompt = four();
  prompt.extremes.pop_back();
  EXPECT_THAT(check_prompt(prompt, photo).error().message, HasSubstr("3 extreme points given: four"));
  prompt.extremes.clear();
  EXPECT_FALSE(check_prompt(prompt, photo));
  prompt.previous = BoxedMask{{2, 2, 3, 3}, imaging::Mask({3, 3})};
  EXPECT_FALSE(check_prompt(prompt, photo));  // an empty one says nothing
  prompt.previous->mask.set(1, 1, 1);
  EXPECT_TRUE(check_prompt(prompt, photo));
  prompt.previous->box.width = 4;
  EXPECT_THAT(check_prompt(prompt, photo).error().message, HasSubstr("3 x 3, its box 4 x 3"));
}

TEST(Prompt, ACodedMaskIsChecked) {
  const imaging::Size photo{10, 10};
  Prompt prompt;
  prompt.previous_code = CodedMask{{2, 2, 3, 2}, {6}};
  EXPECT_FALSE(check_prompt(prompt, photo));  // an empty one says nothing
  prompt.previous_code->runs = {0, 1, 5};
  EXPECT_TRUE(check_prompt(prompt, photo));
  for (const imaging::Box& box : {imaging::Box{-1, 2, 3, 2},
                                  {8, 2, 3, 2},
                                  {2, 9, 3, 2},
                                  {0, 0, INT64_MAX, INT64_MAX},
                                  {2, 2, -3, -2}}) {
    prompt.previous_code->box = box;
    EXPECT_THAT(check_prompt(prompt, photo).error().message,
                HasSubstr("does not lie in the photo of 10 x 10"));
  }
  prompt.previous_code->box = {2, 2, 3, 3};
  EXPECT_THAT(check_prompt(prompt, photo).error().message, HasSubstr("6 pixels, expected 9"));
}

TEST(Prompt, ACodedMaskBecomesTheMask) {
  Prompt prompt;
  prompt.previous_code = CodedMask{{2, 2, 3, 2}, {1, 4, 1}};
  ASSERT_TRUE(decode_previous(prompt));
  EXPECT_FALSE(prompt.previous_code);
  EXPECT_EQ(prompt.previous->box, (imaging::Box{2, 2, 3, 2}));
  imaging::Mask mask({3, 2}, 1);
  mask.set(0, 0, 0), mask.set(2, 1, 0);
  EXPECT_EQ(prompt.previous->mask, mask);
  ASSERT_TRUE(decode_previous(prompt));
  EXPECT_EQ(prompt.previous->mask, mask);
  Prompt nothing;
  nothing.previous_code = CodedMask{{2, 2, 0, 2}, {}};
  ASSERT_TRUE(decode_previous(nothing));
  EXPECT_FALSE(nothing.previous || nothing.previous_code);
}

TEST(Prompt, APointOutsideIsNamedWithWhatIsAllowed) {
  Prompt prompt = four();
  prompt.positive = {{0, 0}, {10, 3}};
  EXPECT_THAT(check_prompt(prompt, {10, 12}).error().message,
              AllOf(HasSubstr("positive point 2 at 10,3"), HasSubstr("x is 0 to 9, y is 0 to 11")));
  prompt.positive.assign(kMaxClicks + 1, {0, 0});
  EXPECT_EQ(check_prompt(prompt, {10, 12}).error().code, ErrorCode::kTooLarge);
}

TEST(Prompt, TheBoxHoldsPointsAndTheMaskSoFar) {
  Prompt prompt = four();
  EXPECT_EQ(prompt_box(prompt, {100, 100}), (imaging::Box{1, 1, 9, 9}));
  prompt.positive = {{20, 4}};
  prompt.negative = {{90, 90}};
  EXPECT_EQ(prompt_box(prompt, {100, 100}), (imaging::Box{1, 1, 20, 9}));
  prompt.previous = BoxedMask{{-5, 30, 10, 10}, imaging::Mask({10, 10}, 1)};
  EXPECT_EQ(prompt_box(prompt, {100, 100}), (imaging::Box{0, 1, 21, 39}));
}

}  // namespace
}  // namespace terrapin::assist
