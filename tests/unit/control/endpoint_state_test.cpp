// The rule that brings endpoints on, step by step, with model servers that are what the test says.
#include "control/endpoint_state.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

namespace terrapin::control {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

class EndpointSteps : public testing::Test {
 protected:
  static Deployment deployment(const std::string& config, int count, const std::string& variant = "a") {
    Deployment made;
    made.config = config;
    DeployedVariant one;
    one.spec.name = variant;
    one.spec.model = "model-" + config;
    one.spec.instance_type = "ml.c5.xlarge";
    one.spec.count = count;
    one.container.image = "semantic-segmentation";
    one.container.data = "s3://bucket/" + config;
    made.variants.push_back(one);
    return made;
  }

  EndpointOrders step(std::chrono::milliseconds later = std::chrono::milliseconds(100)) {
    now_ += later;
    const auto orders = bring_on(
        status_, state_, [&](const Instance& one) { return sights_[one.job]; },
        [&](const DeployedVariant&, const std::string&) -> Result<std::string> {
          made_.push_back("job" + std::to_string(made_.size()));
          return made_.back();
        },
        now_);
    EXPECT_TRUE(orders) << orders.error().message;
    // What is kept is what goes on.
    const auto read = parse_endpoint_state(endpoint_state_text(state_));
    EXPECT_TRUE(read) << read.error().message;
    EXPECT_EQ(endpoint_state_text(*read), endpoint_state_text(state_));
    return *orders;
  }
  void serve(const std::string& job) { sights_[job].healthy = true; }
  void end(const std::string& job, const std::string& why = "crashed", bool mendable = false) {
    sights_[job] = {};
    sights_[job].ended = true;
    sights_[job].ending = why;
    sights_[job].mendable = mendable;
  }
  // An endpoint in service with that many servers.
  void in_service(int count) {
    status_ = kEndpointCreating;
    state_.pending = deployment("one", count);
    step();
    for (const std::string& job : made_) serve(job);
    step();
    ASSERT_EQ(status_, kEndpointInService);
  }
  std::set<std::string> active() const {
    std::set<std::string> jobs;
    for (const DeployedVariant& variant : state_.active->variants)
      for (const Instance& one : variant.instances) jobs.insert(one.job);
    return jobs;
  }

  std::string status_ = kEndpointCreating;
  EndpointState state_;
  std::map<std::string, InstanceSight> sights_;
  std::vector<std::string> made_;
  Timestamp now_ = from_microseconds(1'700'000'000'000'000);
};

TEST_F(EndpointSteps, ServesWhenEveryServerIsHealthy) {
  state_.pending = deployment("one", 2);
  step();
  EXPECT_THAT(made_, SizeIs(2));
  serve("job0");
  step();
  EXPECT_EQ(status_, kEndpointCreating);
  serve("job1");
  step();
  EXPECT_EQ(status_, kEndpointInService);
  EXPECT_EQ(active(), (std::set<std::string>{"job0", "job1"}));
  step();
  EXPECT_THAT(made_, SizeIs(2)) << "a step with nothing new changes nothing";
}

TEST_F(EndpointSteps, AModelThatIsAtFaultFailsAtOnceOthersAfterThreeTries) {
  state_.pending = deployment("one", 1);
  step();
  end("job0", "s3://bucket/one: no archive", true);
  step();
  EXPECT_EQ(status_, kEndpointFailed);
  EXPECT_EQ(state_.failed_variant, "a");
  EXPECT_EQ(state_.failure, "s3://bucket/one: no archive");
  step();
  EXPECT_THAT(made_, SizeIs(1));
  EXPECT_THAT(state_.retired, IsEmpty());

  status_ = kEndpointCreating;
  state_ = {};
  state_.pending = deployment("two", 1);
  step();
  for (int i = 1; i <= 3; ++i) {
    ASSERT_EQ(status_, kEndpointCreating) << i;
    ASSERT_THAT(made_, SizeIs(1 + i));
    end("job" + std::to_string(i), "killed");
    step();
    step(std::chrono::seconds(5));
  }
  EXPECT_EQ(status_, kEndpointFailed);
}

TEST_F(EndpointSteps, AServerThatNeverAnswersFailsAfterItsTime) {
  state_.pending = deployment("one", 1);
  state_.pending->variants[0].spec.startup_timeout_s = 60;
  state_.pending->variants[0].spec.download_timeout_s = 60;
  step();
  step(std::chrono::seconds(119));
  EXPECT_EQ(status_, kEndpointCreating);
  step(std::chrono::seconds(2));
  EXPECT_EQ(status_, kEndpointFailed);
  EXPECT_THAT(state_.failure, HasSubstr("within 120 seconds"));
  EXPECT_THAT(step().stop, ElementsAre("job0"));
}

TEST_F(EndpointSteps, AnUpdateChangesOverInOneStepAndDrains) {
  in_service(2);
  status_ = kEndpointUpdating;
  state_.pending = deployment("two", 1);
  step();
  EXPECT_THAT(made_, SizeIs(3));
  EXPECT_EQ(active(), (std::set<std::string>{"job0", "job1"}));
  serve("job2");
  sights_["job0"].in_flight = 1;
  EXPECT_THAT(step().stop, IsEmpty()) << "requests are still led to the old ones";
  EXPECT_EQ(status_, kEndpointInService);
  EXPECT_EQ(state_.active->config, "two");
  EXPECT_EQ(active(), std::set<std::string>{"job2"});
  EXPECT_THAT(step().stop, ElementsAre("job1"));
  sights_["job1"].stopping = true;
  EXPECT_THAT(step().stop, IsEmpty());
  sights_["job0"].in_flight = 0;
  EXPECT_THAT(step().stop, ElementsAre("job0"));
  end("job0");
  end("job1");
  step();
  EXPECT_THAT(state_.retired, IsEmpty());
  EXPECT_THAT(state_.past, SizeIs(2));
}

TEST_F(EndpointSteps, ARequestThatNeverEndsHoldsNobodyUpForEver) {
  in_service(1);
  status_ = kEndpointDeleting;
  sights_["job0"].in_flight = 1;
  step();
  EXPECT_THAT(step(std::chrono::seconds(60)).stop, IsEmpty());
  EXPECT_THAT(step(std::chrono::seconds(10)).stop, ElementsAre("job0"));
}

TEST_F(EndpointSteps, AFailedUpdateLeavesTheOldServersAlone) {
  in_service(1);
  status_ = kEndpointUpdating;
  state_.pending = deployment("two", 2, "b");
  step();
  serve("job1");
  end("job2", "no model", true);
  step();
  EXPECT_EQ(status_, kEndpointRollingBack);
  EXPECT_EQ(active(), std::set<std::string>{"job0"});
  EXPECT_EQ(state_.failed_variant, "b");
  EXPECT_THAT(step().stop, ElementsAre("job1"));
  EXPECT_EQ(status_, kEndpointRollingBack);
  end("job1");
  step();
  step();
  EXPECT_EQ(status_, kEndpointInService);
  EXPECT_EQ(state_.active->config, "one");
  EXPECT_EQ(state_.failure, "no model");
}

TEST_F(EndpointSteps, CrashedServersAreReplacedWithPauses) {
  in_service(1);
  step(std::chrono::minutes(5));
  end("job0");
  step();
  EXPECT_EQ(active(), std::set<std::string>{"job1"}) << "the first one at once";
  std::vector<int> pauses;
  for (int i = 1; i < 9; ++i) {
    end("job" + std::to_string(i));
    int tenths = 0;
    for (; made_.size() < static_cast<std::size_t>(i) + 2; ++tenths) step();
    pauses.push_back(tenths / 10);
  }
  EXPECT_THAT(pauses, ElementsAre(1, 2, 4, 8, 16, 32, 60, 60));
  EXPECT_EQ(status_, kEndpointInService);
  EXPECT_LE(state_.past.size(), 20U);
}

TEST_F(EndpointSteps, AServerThatHangsIsReplacedAndStopped) {
  in_service(2);
  sights_["job1"].healthy = false;
  sights_["job1"].hung = true;
  sights_["job1"].in_flight = 3;
  step();
  EXPECT_EQ(active(), (std::set<std::string>{"job0", "job2"}));
  EXPECT_THAT(step().stop, ElementsAre("job1"));
}

TEST_F(EndpointSteps, OtherNumbersKeepTheServersThatStay) {
  in_service(2);
  status_ = kEndpointUpdating;
  state_.pending = state_.active;
  state_.pending->variants[0].spec.count = 3;
  step();
  EXPECT_THAT(made_, SizeIs(3));
  serve("job2");
  step();
  EXPECT_EQ(active(), (std::set<std::string>{"job0", "job1", "job2"}));
  EXPECT_THAT(state_.retired, IsEmpty());
  status_ = kEndpointUpdating;
  state_.pending = state_.active;
  state_.pending->variants[0].spec.count = 1;
  step();
  EXPECT_EQ(status_, kEndpointInService);
  EXPECT_EQ(active(), std::set<std::string>{"job0"});
  EXPECT_THAT(step().stop, testing::UnorderedElementsAre("job1", "job2"));
}

TEST_F(EndpointSteps, ServersThatGoServeUntilThoseThatComeDo) {
  status_ = kEndpointCreating;
  state_.pending = deployment("one", 2);
  state_.pending->variants.push_back(deployment("one", 1, "b").variants.front());
  step();
  for (const std::string& job : made_) serve(job);
  step();
  ASSERT_EQ(status_, kEndpointInService);
  const std::set<std::string> before = active();
  ASSERT_THAT(before, SizeIs(3));

  status_ = kEndpointUpdating;
  state_.pending = state_.active;
  state_.pending->variants[0].spec.count = 1;
  state_.pending->variants[1].spec.count = 3;
  for (int i = 0; i < 3; ++i) {
    EXPECT_THAT(step(std::chrono::minutes(2)).stop, IsEmpty()) << i;
    EXPECT_EQ(active(), before) << i;
    EXPECT_THAT(state_.retired, IsEmpty()) << i;
  }
  ASSERT_THAT(made_, SizeIs(5));
  serve("job3");
  serve("job4");
  step();
  EXPECT_EQ(status_, kEndpointInService);
  EXPECT_EQ(active(), (std::set<std::string>{"job0", "job2", "job3", "job4"}));
  EXPECT_THAT(step().stop, ElementsAre("job1"));
}

TEST_F(EndpointSteps, AServerThatDoesNotServeGoesFirst) {
  in_service(3);
  sights_["job1"].healthy = false;
  status_ = kEndpointUpdating;
  state_.pending = state_.active;
  state_.pending->variants[0].spec.count = 2;
  step();
  EXPECT_EQ(status_, kEndpointInService);
  EXPECT_EQ(active(), (std::set<std::string>{"job0", "job2"}));
  EXPECT_THAT(step().stop, ElementsAre("job1"));
}

TEST_F(EndpointSteps, DeletingEndsEverythingThenTheRow) {
  in_service(1);
  status_ = kEndpointUpdating;
  state_.pending = deployment("two", 1);
  step();
  status_ = kEndpointDeleting;
  EXPECT_FALSE(step().remove);
  EXPECT_THAT(step().stop, testing::UnorderedElementsAre("job0", "job1"));
  end("job0");
  end("job1");
  const EndpointOrders orders = step();
  EXPECT_TRUE(orders.remove);
  EXPECT_THAT(orders.forget, testing::UnorderedElementsAre("job0", "job1"));
}

TEST_F(EndpointSteps, OldServersAreForgottenAtLast) {
  in_service(1);
  std::vector<std::string> forgotten;
  for (int i = 0; i < 25; ++i) {
    end("job" + std::to_string(i));
    for (std::size_t before = made_.size(); made_.size() == before;) {
      const auto orders = step(std::chrono::seconds(30));
      forgotten.insert(forgotten.end(), orders.forget.begin(), orders.forget.end());
    }
  }
  EXPECT_THAT(state_.past, SizeIs(20));
  EXPECT_THAT(forgotten, testing::Contains("job0"));
}

TEST_F(EndpointSteps, TheBucketOfAServerIsKnownAfterItsVariant) {
  in_service(1);
  step(std::chrono::minutes(5));
  end("job0");
  step();
  step();
  ASSERT_THAT(state_.past, SizeIs(1));
  EXPECT_EQ(state_.past.front().bucket, "bucket");
  EXPECT_THAT(buckets_left(state_), ElementsAre("")) << "no server ends";
  status_ = kEndpointDeleting;
  step();
  ASSERT_FALSE(state_.active);
  EXPECT_THAT(buckets_left(state_), ElementsAre("bucket"));
}

TEST_F(EndpointSteps, RowsWithoutBucketsCanBeRead) {
  in_service(1);
  state_.retired = state_.active->variants.front().instances;
  std::string text = endpoint_state_text(state_);
  const std::string member = R"("bucket":"bucket",)";
  for (int i = 0; i < 2; ++i) {
    const std::size_t place = text.find(member);
    ASSERT_NE(place, std::string::npos) << text;
    text.erase(place, member.size());
  }
  const auto read = parse_endpoint_state(text);
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(read->active->variants.front().instances.front().bucket, "bucket");
  EXPECT_THAT(buckets_left(*read), ElementsAre("")) << "unknown";
}

TEST(EndpointStateText, WhatIsBrokenIsTold) {
  for (const char* text : {"", "[]", "{}", R"({"version":2})", R"({"version":1,"active":{"config":1}})"})
    EXPECT_FALSE(parse_endpoint_state(text)) << text;
}

}  // namespace
}  // namespace terrapin::control
