// Which models are in memory, and who waits for whom.
#include "assist/assistants.h"

#include <gtest/gtest.h>

#include <future>
#include <map>

namespace terrapin::assist {
namespace {

class Fake final : public Assistant {
 public:
  explicit Fake(std::string digest) : digest_(std::move(digest)) {}
  bool has_network() const override { return true; }
  bool has_classical() const override { return false; }
  std::string model_digest() const override { return digest_; }
  Result<std::shared_ptr<const OpenPhoto>> open(imaging::Image) const override {
    return fail(ErrorCode::kUnsupported, "the fake opens no photo");
  }
  Result<Answer> segment(const OpenPhoto&, const Prompt&, std::stop_token) const override { return Answer{}; }

 private:
  const std::string digest_;
};

class Models : public ::testing::Test {
 protected:
  Assistants::Load load() {
    return [this](const std::filesystem::path& model) -> Result<std::shared_ptr<const Assistant>> {
      {
        const std::lock_guard lock(mutex_);
        ++loads_[model.string()];
      }
      if (model == "broken") return fail(ErrorCode::kCorrupt, "broken: no model");
      return std::make_shared<const Fake>(model.string());
    };
  }
  std::mutex mutex_;
  std::map<std::string, int> loads_;
};

TEST_F(Models, AreLoadedOnceWhileTheyAreKept) {
  Assistants assistants(2, load());
  EXPECT_EQ(assistants.kept(), 0U);
  const auto first = *assistants.of("a");
  EXPECT_EQ(first->model_digest(), "a");
  EXPECT_EQ(*assistants.of("a"), first);
  EXPECT_EQ((*assistants.of("b"))->model_digest(), "b");
  EXPECT_EQ(*assistants.of("a"), first) << "used last: b is the older one now";
  ASSERT_TRUE(assistants.of("c"));
  EXPECT_EQ(assistants.kept(), 2U);
  EXPECT_EQ(*assistants.of("a"), first);
  EXPECT_EQ((*assistants.of("b"))->model_digest(), "b");
  EXPECT_EQ(loads_, (std::map<std::string, int>{{"a", 1}, {"b", 2}, {"c", 1}}));
  // A question that is under way keeps its model.
  EXPECT_EQ(first->model_digest(), "a");
}

TEST_F(Models, OneThatIsNoneIsReadOnce) {
  Assistants assistants(2, load());
  for (int i = 0; i < 3; ++i) EXPECT_EQ(assistants.of("broken").error().message, "broken: no model");
  EXPECT_EQ(loads_["broken"], 1);
}

TEST_F(Models, WhoAsksForAnotherDoesNotWait) {
  std::promise<void> loading, go_on;
  Assistants assistants(4, [&, plain = load()](const std::filesystem::path& model) {
    if (model == "slow") {
      loading.set_value();
      go_on.get_future().wait();
    }
    return plain(model);
  });
  auto slow = std::async(std::launch::async, [&] { return (*assistants.of("slow"))->model_digest(); });
  loading.get_future().wait();
  EXPECT_EQ((*assistants.of("quick"))->model_digest(), "quick");
  auto same = std::async(std::launch::async, [&] { return (*assistants.of("slow"))->model_digest(); });
  go_on.set_value();
  EXPECT_EQ(slow.get(), "slow");
  EXPECT_EQ(same.get(), "slow");
  EXPECT_EQ(loads_["slow"], 1);
}

}  // namespace
}  // namespace terrapin::assist
