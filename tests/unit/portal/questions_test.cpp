#include "portal/questions.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace terrapin::portal {
namespace {

using ::testing::HasSubstr;

TEST(Questions, TheNewestOfATaskCounts) {
  Questions questions(10, 10);
  auto first = questions.begin("ann", "task-1"), other = questions.begin("ann", "task-2");
  auto photo = questions.begin("ann", "");
  ASSERT_TRUE(first && other && photo);
  EXPECT_FALSE(first->superseded());
  bool told = false;
  const std::stop_callback callback(first->stop(), [&] { told = questions.under_way() > 0; });
  {
    const auto second = questions.begin("ann", "task-1");
    EXPECT_TRUE(told);
    EXPECT_TRUE(first->superseded());
    EXPECT_FALSE(second->superseded());
    EXPECT_FALSE(other->superseded());
    EXPECT_TRUE(questions.begin("ann", ""));
    EXPECT_FALSE(photo->superseded());
    const auto third = questions.begin("ann", "task-1");
    EXPECT_TRUE(second->superseded());
    EXPECT_FALSE(third->superseded());
    EXPECT_EQ(questions.under_way(), 5);
  }
  EXPECT_EQ(questions.under_way(), 3);
  const auto moved = std::move(*other);
  EXPECT_EQ(questions.under_way(), 3);
  EXPECT_TRUE(questions.begin("ann", "task-2"));
  EXPECT_TRUE(moved.superseded());
}

TEST(Questions, AreBoundedInAllAndForEach) {
  Questions questions(3, 2);
  const auto a = questions.begin("ann", "task-1"), b = questions.begin("ann", "task-2");
  const auto over = questions.begin("ann", "task-1");
  ASSERT_FALSE(over);
  EXPECT_EQ(over.error().code, ErrorCode::kCancelled);
  EXPECT_THAT(over.error().message, HasSubstr("2 of your questions are under way: at most 2"));
  EXPECT_FALSE(a->superseded());  // by none that has no place
  {
    const auto c = questions.begin("bob", "task-3");
    ASSERT_TRUE(c);
    EXPECT_THAT(questions.begin("cid", "task-4").error().message, HasSubstr("too many questions"));
  }
  EXPECT_TRUE(questions.begin("cid", "task-4"));
}

}  // namespace
}  // namespace terrapin::portal
