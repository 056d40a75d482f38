// Rows of the control plane, on both databases.
#include "control/resources.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>

#include "contract/database_backends.h"

namespace terrapin::control {
namespace {

using storage::DatabaseContract;
using testing::ElementsAre;

class ControlRows : public DatabaseContract {
 protected:
  void SetUp() override {
    DatabaseContract::SetUp();
    if (IsSkipped()) return;
    rows_.emplace(std::move(*Resources::open(*database_, clock_)));
  }
  Resource make(const std::string& name, const std::string& status = "InProgress",
                const std::string& kind = kTrainingJobKind) {
    Resource resource;
    resource.kind = kind;
    resource.name = name;
    resource.status = status;
    resource.spec = R"({"a":1})";
    resource.tags = {{"k", "v"}, {"quote\"", "\n"}};
    clock_.advance(std::chrono::seconds(1));
    const auto made = rows_->create(resource);
    EXPECT_TRUE(made) << made.error().message;
    return made ? *made : Resource{};
  }
  std::vector<std::string> names(const ResourceFilter& filter) {
    const auto page = rows_->list(filter);
    EXPECT_TRUE(page) << page.error().message;
    std::vector<std::string> all;
    for (const Resource& one : page->resources) all.push_back(one.name);
    if (page->more) all.push_back("more");
    return all;
  }
  ResourceFilter jobs() const {
    ResourceFilter filter;
    filter.kind = kTrainingJobKind;
    return filter;
  }

  ManualClock clock_{from_microseconds(1'700'000'000'000'000)};
  std::optional<Resources> rows_;
};

TEST_P(ControlRows, AreFoundAsTheyWereMadeWithoutRegardToCase) {
  const Resource made = make("My-Job");
  const auto found = rows_->find(kTrainingJobKind, "mY-jOB");
  ASSERT_TRUE(found) << found.error().message;
  EXPECT_EQ(found->name, "My-Job");
  EXPECT_EQ(found->spec, made.spec);
  EXPECT_EQ(found->tags, made.tags);
  EXPECT_EQ(found->created, clock_.now());
  EXPECT_EQ(rows_->find(kModelKind, "My-Job").error().code, ErrorCode::kNotFound);
  Resource again = made;
  again.name = "my-job";
  EXPECT_EQ(rows_->create(again).error().code, ErrorCode::kAlreadyExists);
  again.kind = kModelKind;
  EXPECT_TRUE(rows_->create(again));
}

TEST_P(ControlRows, AChangeIsAllOrNothing) {
  make("a");
  clock_.advance(std::chrono::seconds(5));
  const auto refused =
      rows_->change(kTrainingJobKind, "a", [](storage::Transaction&, Resource& row) -> Status {
        row.status = "Failed";
        return fail(ErrorCode::kConflict, "no");
      });
  EXPECT_EQ(refused.error().code, ErrorCode::kConflict);
  EXPECT_EQ(rows_->find(kTrainingJobKind, "a")->status, "InProgress");
  const auto changed =
      rows_->change(kTrainingJobKind, "A", [](storage::Transaction&, Resource& row) -> Status {
        row.status = "Completed";
        row.state = "{}";
        row.job_id = "j1";
        return {};
      });
  ASSERT_TRUE(changed) << changed.error().message;
  EXPECT_EQ(changed->modified, clock_.now());
  const auto found = rows_->find_by_job("j1");
  ASSERT_TRUE(found) << found.error().message;
  EXPECT_EQ(found->status, "Completed");
  EXPECT_EQ(found->modified, clock_.now());
  EXPECT_EQ(rows_->find_by_job("").error().code, ErrorCode::kNotFound);
  // Tags are no change of the thing itself.
  clock_.advance(std::chrono::seconds(5));
  ASSERT_TRUE(rows_->change(kTrainingJobKind, "a", [](storage::Transaction&, Resource& row) -> Status {
    row.tags = {{"only", "this"}};
    return {};
  }));
  EXPECT_EQ(rows_->find(kTrainingJobKind, "a")->tags.size(), 1u);
  EXPECT_LT(rows_->find(kTrainingJobKind, "a")->modified, clock_.now());
}

TEST_P(ControlRows, ListsFilterSortAndPage) {
  make("b_1");
  const Resource second = make("A-2", "Completed");
  make("c-3", "Failed");
  make("a-model", "", kModelKind);
  EXPECT_THAT(names(jobs()), ElementsAre("b_1", "A-2", "c-3"));
  ResourceFilter filter = jobs();
  filter.descending = true;
  filter.limit = 2;
  EXPECT_THAT(names(filter), ElementsAre("c-3", "A-2", "more"));
  filter.offset = 2;
  EXPECT_THAT(names(filter), ElementsAre("b_1"));
  filter = jobs();
  filter.sort_by = ResourceFilter::SortBy::kName;
  EXPECT_THAT(names(filter), ElementsAre("A-2", "b_1", "c-3"));
  filter.name_contains = "_";
  EXPECT_THAT(names(filter), ElementsAre("b_1"));
  filter.name_contains = "a";
  EXPECT_THAT(names(filter), ElementsAre("A-2"));
  filter = jobs();
  filter.statuses = {"Completed", "Failed"};
  EXPECT_THAT(names(filter), ElementsAre("A-2", "c-3"));
  filter = jobs();
  filter.created_after = second.created;
  EXPECT_THAT(names(filter), ElementsAre("c-3"));
  filter.created_after.reset();
  filter.created_before = second.created;
  EXPECT_THAT(names(filter), ElementsAre("b_1"));
}

TEST_P(ControlRows, AreRemovedOnce) {
  make("a");
  EXPECT_TRUE(rows_->remove(kTrainingJobKind, "A"));
  EXPECT_EQ(rows_->remove(kTrainingJobKind, "a").error().code, ErrorCode::kNotFound);
}

INSTANTIATE_TEST_SUITE_P(Databases, ControlRows, testing::Values("sqlite", "postgresql"),
                         [](const auto& which) { return which.param; });

}  // namespace
}  // namespace terrapin::control
