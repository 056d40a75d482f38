#include "portal/open_photos.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <thread>

namespace terrapin::portal {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

constexpr std::int64_t kBytes = 100 * 100 * 3;  // of one photo

class OpenPhotosTest : public ::testing::Test {
 protected:
  // How a photo is opened: with room for it, counted.
  OpenPhotos::Open photo() {
    return [this](const OpenPhotos::Reserve& reserve) -> Result<OpenPhotos::Photo> {
      ++calls_;
      TERRAPIN_TRY_STATUS(reserve(kBytes));
      TERRAPIN_TRY(assist::OpenPhoto opened, assist::OpenPhoto::open(imaging::Image({100, 100}), 1));
      return std::make_shared<const assist::OpenPhoto>(std::move(opened));
    };
  }
  static OpenPhotos::Open failing(ErrorCode code) {
    return [code](const OpenPhotos::Reserve&) -> Result<OpenPhotos::Photo> { return fail(code, "no photo"); };
  }
  Result<OpenPhotos::Use> get(const char* key, const std::stop_token& stop = {}) {
    return photos_.get(key, stop, photo());
  }
  std::atomic<int> calls_{0};
  OpenPhotos photos_{2 * kBytes + 10, 20s};
};

TEST_F(OpenPhotosTest, ThoseUsedLastStayWithinTheirBytes) {
  for (const char* key : {"a", "b", "a"}) EXPECT_EQ((**get(key)).size(), (imaging::Size{100, 100}));
  EXPECT_EQ(calls_, 2);
  EXPECT_EQ(photos_.opened(), 2);
  EXPECT_EQ(photos_.bytes(), 2 * kBytes);
  ASSERT_TRUE(get("c"));  // in the place of b
  EXPECT_EQ(photos_.bytes(), 2 * kBytes);
  ASSERT_TRUE(get("a"));
  EXPECT_EQ(calls_, 3);
  ASSERT_TRUE(get("b"));
  EXPECT_EQ(calls_, 4);
}

TEST_F(OpenPhotosTest, TinyPhotosCountToo) {
  OpenPhotos small(3 * (16 << 10), 20s);
  const auto tiny = [&](const OpenPhotos::Reserve& reserve) -> Result<OpenPhotos::Photo> {
    ++calls_;
    TERRAPIN_TRY_STATUS(reserve(3));
    TERRAPIN_TRY(assist::OpenPhoto opened, assist::OpenPhoto::open(imaging::Image({1, 1}), 1));
    return std::make_shared<const assist::OpenPhoto>(std::move(opened));
  };
  for (const char* key : {"a", "b", "c", "d"}) EXPECT_TRUE(small.get(key, {}, tiny));
  EXPECT_EQ(small.bytes(), 3 * (16 << 10));
  EXPECT_TRUE(small.get("d", {}, tiny));
  EXPECT_EQ(calls_, 4);
  EXPECT_TRUE(small.get("a", {}, tiny));
  EXPECT_EQ(calls_, 5);
}

TEST_F(OpenPhotosTest, OneOpensItForAllWhoWait) {
  const auto slow = [&](const OpenPhotos::Reserve& reserve) -> Result<OpenPhotos::Photo> {
    while (photos_.waiting() < 3) std::this_thread::yield();
    return photo()(reserve);
  };
  std::vector<std::future<bool>> all;
  for (int i = 0; i < 4; ++i)
    all.push_back(std::async(std::launch::async, [&] { return photos_.get("a", {}, slow).has_value(); }));
  for (auto& one : all) EXPECT_TRUE(one.get());
  EXPECT_EQ(calls_, 1);
}

TEST_F(OpenPhotosTest, WhatCannotBeOpenedIsToldAndForgotten) {
  const auto broken = photos_.get("a", {}, failing(ErrorCode::kCorrupt));
  ASSERT_FALSE(broken);
  EXPECT_EQ(broken.error().message, "no photo");
  EXPECT_EQ(photos_.bytes(), 0);
  EXPECT_TRUE(get("a"));
  // Room that was kept is given back, also where the opening throws.
  const auto late = [](const OpenPhotos::Reserve& reserve) -> Result<OpenPhotos::Photo> {
    TERRAPIN_TRY_STATUS(reserve(kBytes));
    return fail(ErrorCode::kCorrupt, "no photo");
  };
  EXPECT_FALSE(photos_.get("b", {}, late));
  const auto thrown = [](const OpenPhotos::Reserve& reserve) -> Result<OpenPhotos::Photo> {
    TERRAPIN_TRY_STATUS(reserve(kBytes));
    throw std::bad_alloc();
  };
  EXPECT_THROW((void)photos_.get("b", {}, thrown), std::bad_alloc);
  EXPECT_EQ(photos_.bytes(), kBytes);
  EXPECT_TRUE(get("b"));
}

TEST_F(OpenPhotosTest, WhoWaitsSharesAFailureButNotAStop) {
  for (const ErrorCode code : {ErrorCode::kCorrupt, ErrorCode::kCancelled}) {
    const auto failing = [&](const OpenPhotos::Reserve&) -> Result<OpenPhotos::Photo> {
      while (photos_.waiting() < 1) std::this_thread::yield();
      return fail(code, "not this one");
    };
    std::promise<void> opening;
    auto first = std::async(std::launch::async, [&] {
      return photos_.get("a", {}, [&](const OpenPhotos::Reserve& reserve) {
        opening.set_value();
        return failing(reserve);
      });
    });
    opening.get_future().wait();
    const auto second = get("a");
    EXPECT_EQ(first.get().error().code, code);
    ASSERT_EQ(second.has_value(), code == ErrorCode::kCancelled);
    EXPECT_EQ(calls_, code == ErrorCode::kCancelled ? 1 : 0);
  }
}

TEST_F(OpenPhotosTest, APhotoInUseKeepsItsRoom) {
  std::optional<OpenPhotos::Use> a(get("a").value()), b(get("b").value());
  auto waiting = std::async(std::launch::async, [&] { return get("c").has_value(); });
  while (photos_.waiting() < 1) std::this_thread::yield();
  EXPECT_EQ(photos_.bytes(), 2 * kBytes);
  EXPECT_EQ((**a).size(), (imaging::Size{100, 100}));
  b.reset();
  EXPECT_TRUE(waiting.get());
  EXPECT_EQ(photos_.bytes(), 2 * kBytes);
  EXPECT_TRUE(get("a"));
  EXPECT_EQ(calls_, 3);
}

TEST_F(OpenPhotosTest, NoPhotoGoesBeforeThereIsRoom) {
  std::optional<OpenPhotos::Use> a(get("a").value());
  ASSERT_TRUE(get("b"));
  const auto large = [](const OpenPhotos::Reserve& reserve) -> Result<OpenPhotos::Photo> {
    TERRAPIN_TRY_STATUS(reserve(2 * kBytes));
    TERRAPIN_TRY(assist::OpenPhoto opened, assist::OpenPhoto::open(imaging::Image({100, 200}), 1));
    return std::make_shared<const assist::OpenPhoto>(std::move(opened));
  };
  auto waiting = std::async(std::launch::async, [&] { return photos_.get("c", {}, large).has_value(); });
  while (photos_.waiting() < 1) std::this_thread::yield();
  // It would not fit beside a: b stays, however often the end of a question lets it look again.
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(get("b"));
  EXPECT_EQ(photos_.bytes(), 2 * kBytes);
  EXPECT_EQ(calls_, 2);
  a.reset();
  EXPECT_TRUE(waiting.get());
  EXPECT_EQ(photos_.bytes(), 2 * kBytes);
  EXPECT_TRUE(get("b"));
  EXPECT_EQ(calls_, 3);
}

TEST_F(OpenPhotosTest, WaitingEndsWhenAskedAndAfterItsTime) {
  const auto a = get("a"), b = get("b");
  std::stop_source stop;
  auto waiting = std::async(std::launch::async, [&] { return get("c", stop.get_token()).error(); });
  auto behind = std::async(std::launch::async, [&] { return get("c", stop.get_token()).has_value(); });
  while (photos_.waiting() < 2) std::this_thread::yield();
  stop.request_stop();
  EXPECT_EQ(waiting.get().code, ErrorCode::kCancelled);
  EXPECT_FALSE(behind.get());

  OpenPhotos hasty(kBytes, 0ms);
  const auto held = hasty.get("a", {}, photo());
  const auto none = hasty.get("b", {}, photo());
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code, ErrorCode::kCancelled);
  EXPECT_THAT(none.error().message, HasSubstr("no room"));
  EXPECT_EQ(hasty.bytes(), kBytes);
}

TEST_F(OpenPhotosTest, APhotoLargerThanAllRoomIsRefusedAtOnce) {
  OpenPhotos small(kBytes - 1, 20s);
  const auto photo_of_all = small.get("a", {}, photo());
  ASSERT_FALSE(photo_of_all);
  EXPECT_EQ(photo_of_all.error().code, ErrorCode::kTooLarge);
  EXPECT_EQ(small.bytes(), 0);
}

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
