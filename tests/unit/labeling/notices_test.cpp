// Notices: stored with the job's change, signed, sent at least once.
#include "labeling/notices/notices.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <nlohmann/json.hpp>

#include "base/files.h"
#include "unit/base/temporary_folder.h"
#include "unit/labeling/functions_server.h"

namespace terrapin::labeling {
namespace {

namespace fs = std::filesystem;
using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using terrapin::test::RecordingServer;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

JobRecord job(const std::string& name = "Turtles") {
  JobRecord record;
  record.id = "j1";
  record.spec.name = name;
  record.status = JobStatus::kCompleted;
  record.objects = 10;
  record.counters = {7, 6, 1, 2, 1};
  return record;
}

class NoticesTest : public ::testing::Test {
 protected:
  NoticesTest() { open(); }

  void open() {
    notices_.reset();
    state_.reset();
    auto state = storage::Database::open("sqlite:" + (folder_ / "state.db").string());
    if (!state) throw std::runtime_error(state.error().message);
    state_ = std::move(*state);
    auto notices = Notices::open(*state_, folder_.path(), clock_, options_);
    if (!notices) throw std::runtime_error(notices.error().message);
    notices_ = std::move(*notices);
  }
  std::unique_ptr<Webhooks> webhooks() {
    auto opened = Webhooks::open(folder_.path(), clock_);
    if (!opened) throw std::runtime_error(opened.error().message);
    return std::move(*opened);
  }
  Webhook add(const std::string& url, std::vector<std::string> events = {"job.completed"}) {
    Webhook webhook;
    webhook.url = url;
    webhook.events = std::move(events);
    webhook.allow_private = true;
    auto added = webhooks()->add(webhook);
    if (!added) throw std::runtime_error(added.error().message);
    return *added;
  }
  void post(const std::string& event, const JobRecord& job) {
    const Status stored =
        state_->write([&](storage::Transaction& state) { return notices_->post(state, event, job); });
    EXPECT_TRUE(stored) << stored.error().message;
    notices_->wake();
  }
  Notices::Deliveries deliver() {
    const auto done = notices_->deliver_due();
    EXPECT_TRUE(done) << done.error().message;
    return done.value_or(Notices::Deliveries{-1, -1, -1});
  }

  terrapin::test::TemporaryFolder folder_;
  ManualClock clock_{Timestamp(seconds(1'700'000'000)) + milliseconds(250)};
  NoticesOptions options_;
  RecordingServer server_;
  std::unique_ptr<storage::Database> state_;
  std::unique_ptr<Notices> notices_;
};

TEST_F(NoticesTest, ANoticeTellsTheJobAndIsSigned) {
  const Webhook webhook = add(server_.url("/hook?x=1"));
  EXPECT_EQ(webhook.secret.size(), 40U);
  post("job.completed", job());
  EXPECT_EQ(server_.count(), 0U);
  EXPECT_EQ(deliver().delivered, 1);
  const auto requests = server_.requests();
  ASSERT_EQ(requests.size(), 1U);
  EXPECT_EQ(requests[0].target, "/hook?x=1");
  EXPECT_EQ(requests[0].headers.find("Content-Type"), "application/json");
  const std::string body(requests[0].text());
  EXPECT_EQ(requests[0].headers.find("X-Terrapin-Signature"), notice_signature(webhook.secret, body));
  const auto json = nlohmann::json::parse(body);
  EXPECT_EQ(json["event"], "job.completed");
  EXPECT_EQ(json["time"], "2023-11-14T22:13:20.250Z");
  EXPECT_EQ(json["jobName"], "Turtles");
  EXPECT_EQ(json["status"], "Completed");
  EXPECT_EQ(json["counters"],
            nlohmann::json::parse(R"({"totalLabeled": 7, "humanLabeled": 6, "machineLabeled": 1,
                               "failedNonRetryableError": 2, "unlabeled": 1})"));
  EXPECT_EQ(json["id"].get<std::string>().size(), 36U);
  EXPECT_EQ(requests[0].headers.find("X-Terrapin-Notice"), json["id"].get<std::string>());
  EXPECT_EQ(deliver().delivered, 0);
  EXPECT_EQ(server_.count(), 1U);
  EXPECT_EQ(*notices_->waiting(), 0);
}

TEST(NoticesSignature, IsHmacSha256) {
  EXPECT_EQ(notice_signature("key", "The quick brown fox jumps over the lazy dog"),
            "sha256=f7bc83f430538424b13298e6aa6fb143ef4d59a14946175997479dbc2d1a3cd8");
}

TEST_F(NoticesTest, EachWebhookGetsItsEvents) {
  RecordingServer other;
  add(server_.url(), {"job.completed", "tasks.available"});
  add(other.url(), {"job.failed", "tasks.available"});
  for (const char* event : {"job.in-progress", "tasks.available", "job.completed", "job.stopped"})
    post(event, job());
  EXPECT_EQ(deliver().delivered, 3);
  const auto events = [](RecordingServer& server) {
    std::vector<std::string> seen;
    for (const auto& request : server.requests())
      seen.emplace_back(*request.headers.find("X-Terrapin-Event"));
    std::sort(seen.begin(), seen.end());
    return seen;
  };
  EXPECT_THAT(events(server_), ElementsAre("job.completed", "tasks.available"));
  EXPECT_THAT(events(other), ElementsAre("tasks.available"));
}

TEST_F(NoticesTest, TheOutboxSurvivesARestart) {
  add(server_.url());
  server_.reply({500, "", {}});
  post("job.completed", job("First"));
  EXPECT_EQ(deliver().failed, 1);
  clock_.advance(milliseconds(1));
  post("job.completed", job("Second"));  // never tried before the restart
  open();
  EXPECT_EQ(*notices_->waiting(), 2);
  clock_.advance(minutes(1));
  EXPECT_EQ(deliver().delivered, 2);
  const auto requests = server_.requests();
  ASSERT_EQ(requests.size(), 3U);
  EXPECT_EQ(requests[0].text(), requests[1].text());  // the same id, for receivers that count
  EXPECT_THAT(std::string(requests[2].text()), HasSubstr("Second"));
  EXPECT_EQ(*notices_->waiting(), 0);
}

TEST_F(NoticesTest, PausesDoubleUntilADayHasPassed) {
  add(server_.url());
  server_.reply({500, "", {}}, 1000);
  post("job.completed", job());
  const Timestamp start = clock_.now();
  std::vector<std::int64_t> tried;  // seconds after the post
  Notices::Deliveries all;
  while (*notices_->waiting() > 0 && clock_.now() < start + hours(48)) {
    const auto done = deliver();
    if (done.failed + done.dropped > 0)
      tried.push_back(std::chrono::duration_cast<seconds>(clock_.now() - start).count());
    all.failed += done.failed;
    all.dropped += done.dropped;
    clock_.advance(seconds(5));
  }
  ASSERT_GE(tried.size(), 12U);
  EXPECT_EQ(std::vector<std::int64_t>(tried.begin(), tried.begin() + 12),
            (std::vector<std::int64_t>{0, 5, 15, 35, 75, 155, 315, 635, 1275, 2555, 5115, 8715}));
  EXPECT_EQ(tried[12] - tried[11], 3600);
  EXPECT_LE(tried.back(), 24 * 3600);
  EXPECT_GT(tried.back(), 22 * 3600);
  EXPECT_EQ(all.dropped, 1);
  EXPECT_EQ(*notices_->waiting(), 0);
  EXPECT_EQ(server_.count(), tried.size());
}

TEST_F(NoticesTest, AReceiverThatIsAwayHoldsUpNobodyElse) {
  RecordingServer away;
  add(away.url());
  away.stop();
  add(server_.url());
  for (int i = 0; i < 5; ++i) {
    post("job.completed", job("Job" + std::to_string(i)));
    clock_.advance(milliseconds(1));
  }
  const auto first = deliver();
  EXPECT_EQ(first.delivered, 5);
  EXPECT_EQ(first.failed, 1);  // the other four were not tried
  EXPECT_EQ(server_.count(), 5U);
  clock_.advance(seconds(5));
  EXPECT_EQ(deliver().failed, 1);
  EXPECT_EQ(*notices_->waiting(), 5);
}

TEST_F(NoticesTest, WhatIsPostedInAReceiversPauseWaitsForItsEnd) {
  RecordingServer away;
  add(away.url());
  away.stop();
  add(server_.url());
  post("job.completed", job("First"));
  EXPECT_EQ(deliver().failed, 1);
  clock_.advance(seconds(1));
  for (const char* name : {"Second", "Third"}) {
    post("job.completed", job(name));
    open();  // a restart ends no pause
    const auto done = deliver();
    EXPECT_EQ(done.failed, 0) << name;  // not tried: it would cost a time-out
    EXPECT_EQ(done.delivered, 1) << name;
    clock_.advance(seconds(1));
  }
  clock_.advance(seconds(3));
  EXPECT_EQ(deliver().failed, 1);
  EXPECT_EQ(*notices_->waiting(), 3);
}

TEST_F(NoticesTest, AReceiptEndsThePause) {
  options_.timeout = milliseconds(50);
  open();
  add(server_.url());
  server_.hold();
  post("job.completed", job("First"));
  EXPECT_EQ(deliver().failed, 1);
  server_.release();
  options_.timeout = seconds(60);
  open();
  clock_.advance(seconds(5));
  EXPECT_EQ(deliver().delivered, 1);
  clock_.advance(-seconds(3));  // back in what was the pause
  post("job.completed", job("Second"));
  EXPECT_EQ(deliver().delivered, 1);
}

TEST_F(NoticesTest, ANoticeThatIsRefusedHoldsUpNoOther) {
  add(server_.url());
  server_.reply({400, "", {}});
  for (const char* name : {"One", "Two", "Three"}) {
    post("job.completed", job(name));
    clock_.advance(milliseconds(1));
  }
  const auto done = deliver();
  EXPECT_EQ(done.failed, 1);
  EXPECT_EQ(done.delivered, 2);
}

TEST_F(NoticesTest, NoticesToARemovedWebhookAreDropped) {
  const Webhook webhook = add(server_.url());
  post("job.completed", job());
  ASSERT_TRUE(webhooks()->remove(webhook.id));
  EXPECT_EQ(deliver().dropped, 1);
  post("job.completed", job());
  EXPECT_EQ(*notices_->waiting(), 0);
  EXPECT_EQ(server_.count(), 0U);
}

TEST_F(NoticesTest, ForbiddenAddressesAreRefusedAtRegistrationAndWhenConnecting) {
  Webhook webhook;
  webhook.events = {"job.completed"};
  for (const char* host : {"127.0.0.1", "2130706433", "[::ffff:10.0.0.1]", "169.254.169.254", "localhost"}) {
    webhook.url = fmt::format("http://{}/hook", host);
    const auto refused = webhooks()->add(webhook);
    ASSERT_FALSE(refused) << host;
    EXPECT_EQ(refused.error().code, ErrorCode::kInvalidArgument);
  }
  options_.http.resolve = {fmt::format("hook.example.org:{}:127.0.0.1", server_.port())};
  open();
  webhook.url = fmt::format("http://hook.example.org:{}/hook", server_.port());
  ASSERT_TRUE(webhooks()->add(webhook));
  post("job.completed", job());
  EXPECT_EQ(deliver().failed, 1);
  EXPECT_EQ(server_.count(), 0U);
  EXPECT_EQ(*notices_->waiting(), 1);
}

TEST_F(NoticesTest, TheThreadSendsWhatIsPosted) {
  add(server_.url());
  post("job.completed", job("Before"));
  notices_->start();
  server_.wait_for_requests(1);
  post("job.completed", job("After"));
  server_.wait_for_requests(2);
  notices_->stop();
  EXPECT_EQ(server_.count(), 2U);
}

TEST_F(NoticesTest, StoppingBreaksADeliveryOffAndKeepsTheNotice) {
  options_.timeout = hours(1);
  open();
  add(server_.url());
  server_.hold();
  post("job.completed", job());
  notices_->start();
  server_.wait_for_requests(1);
  notices_->stop();
  EXPECT_EQ(*notices_->waiting(), 1);
  EXPECT_EQ(notices_->deliver_due().error().code, ErrorCode::kCancelled);
  server_.release();
  open();
  EXPECT_EQ(deliver().delivered, 1);  // no failure was counted against it
  const auto requests = server_.requests();
  ASSERT_EQ(requests.size(), 2U);
  EXPECT_EQ(requests[0].text(), requests[1].text());
}

TEST_F(NoticesTest, TheRegistryIsPrivateAndChecked) {
  Webhook webhook;
  webhook.url = "https://hook.example.org/a";
  webhook.events = {"job.failed", "job.stopped"};
  webhook.secret = "sixteen-or-more!";
  const auto hooks = webhooks();
  const auto added = hooks->add(webhook);
  ASSERT_TRUE(added) << added.error().message;
  EXPECT_EQ(added->secret, "sixteen-or-more!");
  struct stat info {};
  ASSERT_EQ(::stat((folder_ / "webhooks.json").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 0600U);
  const auto list = webhooks()->list();
  ASSERT_TRUE(list);
  ASSERT_EQ(list->size(), 1U);
  EXPECT_EQ((*list)[0].secret, "");
  EXPECT_EQ((*list)[0].url, webhook.url);
  EXPECT_EQ((*list)[0].events, webhook.events);
  EXPECT_EQ((*list)[0].created, clock_.now());
  EXPECT_EQ((*hooks->current())->front().secret, "sixteen-or-more!");

  EXPECT_EQ(hooks->add(webhook).error().code, ErrorCode::kAlreadyExists);
  const auto refused = [&](auto change, const char* says) {
    Webhook other = webhook;
    other.url = "https://hook.example.org/b";
    change(other);
    const auto status = hooks->add(other);
    ASSERT_FALSE(status) << says;
    EXPECT_EQ(status.error().code, ErrorCode::kInvalidArgument);
    EXPECT_THAT(status.error().message, HasSubstr(says));
  };
  refused([](Webhook& one) { one.events.clear(); }, "at least one");
  refused([](Webhook& one) { one.events = {"job.deleted"}; }, "job.deleted");
  refused([](Webhook& one) { one.events = {"job.failed", "job.failed"}; }, "twice");
  refused([](Webhook& one) { one.secret = "short"; }, "16 to 256");
  refused([](Webhook& one) { one.secret = "sixteen or more\nx"; }, "printable");
  refused([](Webhook& one) { one.url = "gopher://hook.example.org/"; }, "https://");
  EXPECT_EQ(hooks->remove("hook-none").error().code, ErrorCode::kNotFound);
  EXPECT_TRUE(hooks->remove(webhook.url));
  EXPECT_TRUE(hooks->list()->empty());

  ASSERT_TRUE(write_file_atomically(folder_ / "webhooks.json", std::string_view("{}")));
  fs::permissions(folder_ / "webhooks.json", fs::perms::owner_read | fs::perms::owner_write);
  const auto damaged = hooks->list();
  ASSERT_FALSE(damaged);
  EXPECT_EQ(damaged.error().code, ErrorCode::kCorrupt);
  EXPECT_THAT(damaged.error().message, HasSubstr("webhooks.json"));
  post("job.failed", job());  // a line in the log, no more
  EXPECT_EQ(*notices_->waiting(), 0);
}

}  // namespace
}  // namespace terrapin::labeling
