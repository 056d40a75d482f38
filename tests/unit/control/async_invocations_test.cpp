// Requests that are answered later: their rows on both databases, and what becomes of each of them.
#include "control/async_invocations.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>
#include <optional>

#include "contract/database_backends.h"
#include "control/endpoint_state.h"
#include "storage/folder_store.h"
#include "unit/base/temporary_folder.h"
#include "unit/jobs/wait_until.h"

namespace terrapin::control {
namespace {

using std::chrono::seconds;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr Timestamp kStart = Timestamp(std::chrono::microseconds(1'700'000'000'000'000));

class AsyncRows : public storage::DatabaseContract {
 protected:
  void SetUp() override {
    DatabaseContract::SetUp();
    if (IsSkipped()) return;
    queue_.emplace(std::move(*AsyncQueue::open(*database_)));
  }
  AsyncInvocation add(const std::string& id, const std::string& endpoint, int accepted_s, int deadline_s) {
    AsyncInvocation made;
    made.id = id;
    made.endpoint = endpoint;
    made.endpoint_made = kStart;
    made.input = "s3://b/\xc3\xbc'";
    made.output = "s3://b/" + id + ".out";
    made.failure = "s3://b/" + id + "-error.out";
    made.content_type = "image/jpeg";
    made.accept = "image/png";
    made.custom_attributes = "a=\"b\"";
    made.inference_id = "seven";
    made.accepted = made.not_before = kStart + seconds(accepted_s);
    made.deadline = kStart + seconds(deadline_s);
    made.time = seconds(900);
    const Status added =
        database_->write([&](storage::Transaction& state) { return queue_->add(state, made); });
    EXPECT_TRUE(added) << added.error().message;
    return made;
  }
  static std::vector<std::string> ids(const Result<std::vector<AsyncInvocation>>& found) {
    EXPECT_TRUE(found) << found.error().message;
    std::vector<std::string> all;
    for (const AsyncInvocation& one : *found) all.push_back(one.id);
    return all;
  }
  std::int64_t count(const std::string& endpoint) {
    std::int64_t number = -1;
    EXPECT_TRUE(database_->read([&](storage::Transaction& state) -> Status {
      TERRAPIN_TRY(number, queue_->count(state, endpoint));
      return {};
    }));
    return number;
  }

  std::optional<AsyncQueue> queue_;
};

TEST_P(AsyncRows, AreFoundAsTheyWereAdded) {
  const AsyncInvocation made = add("a", "Turtles", 1, 100);
  const auto found = queue_->due({"tURTLES", kStart}, kStart + seconds(1), 10);
  ASSERT_EQ(ids(found), std::vector<std::string>{"a"});
  const AsyncInvocation& one = found->front();
  EXPECT_EQ(one.endpoint, "Turtles");
  EXPECT_EQ(one.endpoint_made, made.endpoint_made);
  EXPECT_EQ(one.input, made.input);
  EXPECT_EQ(one.output, made.output);
  EXPECT_EQ(one.failure, made.failure);
  EXPECT_EQ(one.content_type, made.content_type);
  EXPECT_EQ(one.accept, made.accept);
  EXPECT_EQ(one.custom_attributes, made.custom_attributes);
  EXPECT_EQ(one.inference_id, made.inference_id);
  EXPECT_EQ(one.accepted, made.accepted);
  EXPECT_EQ(one.deadline, made.deadline);
  EXPECT_EQ(one.time, made.time);
  EXPECT_EQ(one.tries, 0);
}

TEST_P(AsyncRows, AreTakenByAgeWhenTheirTimeHasCome) {
  add("young", "a", 3, 100);
  add("old", "a", 1, 50);
  add("middle", "a", 2, 60);
  add("other", "b", 1, 100);
  const AsyncQueue::Line line{"a", kStart};
  EXPECT_THAT(ids(queue_->due(line, kStart + seconds(9), 10)), ElementsAre("old", "middle", "young"));
  EXPECT_THAT(ids(queue_->due(line, kStart + seconds(9), 2)), ElementsAre("old", "middle"));
  EXPECT_TRUE(queue_->postpone("old", 2, kStart + seconds(20)));
  EXPECT_THAT(ids(queue_->due(line, kStart + seconds(19), 10)), ElementsAre("middle", "young"));
  EXPECT_EQ(queue_->due(line, kStart + seconds(20), 1)->front().tries, 2);
  EXPECT_THAT(ids(queue_->all(line, 10)), ElementsAre("old", "middle", "young"));
  EXPECT_THAT(ids(queue_->all({"a", kStart + seconds(1)}, 10)), IsEmpty()) << "another endpoint of that name";
  EXPECT_THAT(ids(queue_->expired(kStart + seconds(60), 10)), ElementsAre("old", "middle"));
  EXPECT_EQ(count("A"), 3);
  EXPECT_EQ(queue_->lines()->size(), 2U);
  EXPECT_TRUE(queue_->end("other"));
  EXPECT_TRUE(queue_->end("other")) << "it is gone";
  EXPECT_EQ(queue_->lines()->size(), 1U);
}

INSTANTIATE_TEST_SUITE_P(Databases, AsyncRows, testing::Values("sqlite", "postgresql"),
                         [](const auto& parameter) { return parameter.param; });

// Model servers are a function here; the object store can be told to refuse.
class AsyncAnswers : public testing::Test {
 protected:
  using Answer = tl::expected<InvocationAnswer, InvocationFailure>;

  void SetUp() override {
    store_ = std::move(*storage::open_folder_store(folder_ / "objects", clock_));
    ASSERT_TRUE(store_->create_bucket("photos"));
    ASSERT_TRUE(store_->create_bucket("answers"));
    database_ = std::move(*storage::Database::open("sqlite:" + (folder_ / "state.db").string()));
    resources_.emplace(std::move(*Resources::open(*database_, clock_)));
    make_endpoint();
    serve(1);
    ASSERT_TRUE(store_->put({"photos", "one"}, *bytes_source("photo"), "image/jpeg"));
  }
  void make_endpoint() {
    Resource row;
    row.kind = kEndpointKind;
    row.name = "Turtles";
    row.status = kEndpointInService;
    ASSERT_TRUE(resources_->create(row));
  }
  void serve(int servers) {
    auto route = std::make_shared<EndpointRoute>();
    route->name = "Turtles";
    route->asynchronous = spec_;
    VariantRoute& variant = route->variants.emplace_back();
    variant.name = "all";
    for (int i = 0; i < servers; ++i) {
      variant.instances.push_back(std::make_shared<ServedInstance>(std::to_string(i), "job", "all"));
      variant.instances.back()->healthy = true;
    }
    routes_.set(std::move(route));
  }
  static Answer answered(const std::string& text) {
    InvocationAnswer answer;
    answer.status = 200;
    answer.content_type = "image/png";
    answer.body.assign(text.begin(), text.end());
    return answer;
  }
  static Answer failed(InvocationFailure::Kind kind, const std::string& message, int status = 0) {
    InvocationFailure failure;
    failure.kind = kind;
    failure.message = message;
    failure.status = status;
    return tl::unexpected(failure);
  }
  std::unique_ptr<AsyncInvocations> open(AsyncInvocations::Ask ask, AsyncOptions options = {}) {
    options.look_interval = std::chrono::milliseconds(5);
    options.pause = std::chrono::milliseconds(0);
    return std::make_unique<AsyncInvocations>(*resources_, *AsyncQueue::open(*database_), *store_, routes_,
                                              clock_, std::move(ask), options);
  }
  static AsyncRequest request_for(const std::string& key) {
    AsyncRequest request;
    request.input = "s3://photos/" + key;
    request.content_type = "image/jpeg";
    return request;
  }
  AsyncTicket accept(AsyncInvocations& answers, const std::string& key = "one") {
    const auto ticket = answers.accept("turtles", spec_, request_for(key));
    EXPECT_TRUE(ticket) << ticket.error().message;
    return ticket ? *ticket : AsyncTicket{};
  }
  std::optional<std::string> text_at(const std::string& uri) {
    const auto opened = store_->get(*storage::parse_s3_uri(uri));
    if (!opened) return std::nullopt;
    return *read_all_text(*opened->content, 1 << 20);
  }
  bool nothing_waits() {
    const auto queue = AsyncQueue::open(*database_);
    const auto lines = const_cast<AsyncQueue&>(*queue).lines();
    return lines && lines->empty();
  }
  bool wait_for_all() {
    return test::wait_until([&] { return nothing_waits(); });
  }

  test::TemporaryFolder folder_;
  ManualClock clock_{kStart};
  std::unique_ptr<storage::ObjectStore> store_;
  std::unique_ptr<storage::Database> database_;
  std::optional<Resources> resources_;
  RouteTable routes_{1};
  AsyncSpec spec_{"s3://answers/out", "s3://answers/failed/", 2};
};

TEST_F(AsyncAnswers, LieWhereTheTicketSays) {
  const auto answers = open([](const Invocation& invocation) {
    EXPECT_EQ(invocation.endpoint, "Turtles");
    EXPECT_EQ(invocation.content_type, "image/jpeg");
    EXPECT_EQ(invocation.time, seconds(900));
    EXPECT_EQ(*read_all_text(*invocation.source, 100), "photo");
    return answered("mask");
  });
  const AsyncTicket ticket = accept(*answers);
  EXPECT_EQ(ticket.output, "s3://answers/out/" + ticket.inference_id + ".out");
  EXPECT_EQ(ticket.failure, "s3://answers/failed/" + ticket.inference_id + "-error.out");
  EXPECT_FALSE(text_at(ticket.output)) << "nothing is begun before start()";
  answers->start();
  ASSERT_TRUE(wait_for_all());
  EXPECT_EQ(text_at(ticket.output), "mask");
  EXPECT_EQ(store_->head(*storage::parse_s3_uri(ticket.output))->headers.content_type, "image/png");
  EXPECT_FALSE(text_at(ticket.failure));
}

TEST_F(AsyncAnswers, AFailureSaysWhy) {
  const auto answers = open([](const Invocation& invocation) {
    if (invocation.accept == "timeout") return failed(InvocationFailure::Kind::kTimeout, "");
    return failed(InvocationFailure::Kind::kModel, "no photo", 400);
  });
  answers->start();
  const AsyncTicket refused = accept(*answers), missing = accept(*answers, "nothing");
  AsyncRequest slow = request_for("one");
  slow.accept = "timeout";
  slow.time = seconds(7);
  slow.inference_id = "mine";
  const auto timed_out = answers->accept("turtles", spec_, slow);
  ASSERT_TRUE(wait_for_all());
  EXPECT_EQ(text_at(refused.failure), "Received client error (400) from primary with message \"no photo\"");
  EXPECT_THAT(text_at(missing.failure).value_or(""), HasSubstr("s3://photos/nothing"));
  EXPECT_EQ(timed_out->inference_id, "mine");
  EXPECT_THAT(text_at(timed_out->failure).value_or(""), HasSubstr("7 seconds"));
  storage::ListQuery written;
  written.prefix = "out/";
  EXPECT_THAT(store_->list("answers", written)->objects, IsEmpty());
}

TEST_F(AsyncAnswers, TriesEndButPatienceWithBusyServersDoesNot) {
  std::atomic<int> asked{0};
  const auto answers = open([&](const Invocation& invocation) {
    ++asked;
    auto gone = failed(InvocationFailure::Kind::kNotReady, "connection reset");
    gone.error().went_away = invocation.accept == "killer";
    if (gone.error().went_away || asked <= 40) return gone;
    return answered("mask");
  });
  answers->start();
  const AsyncTicket patient = accept(*answers);
  ASSERT_TRUE(wait_for_all());
  EXPECT_EQ(asked, 41);
  EXPECT_EQ(text_at(patient.output), "mask");
  asked = 0;
  AsyncRequest killer = request_for("one");
  killer.accept = "killer";
  const auto ticket = answers->accept("turtles", spec_, killer);
  ASSERT_TRUE(wait_for_all());
  EXPECT_EQ(asked, AsyncOptions().tries);
  EXPECT_EQ(text_at(ticket->failure), "The model server went away: connection reset");
}

TEST_F(AsyncAnswers, OnlySoManyAtOnceAndOnlySoManyWait) {
  std::mutex mutex;
  int now = 0, most = 0;
  bool open_gate = false;
  AsyncOptions options;
  options.most_waiting = 9;
  serve(2);  // with 2 each
  const auto answers = open(
      [&](const Invocation&) {
        {
          const std::lock_guard lock(mutex);
          most = std::max(most, ++now);
        }
        EXPECT_TRUE(test::wait_until([&] {
          const std::lock_guard lock(mutex);
          return open_gate;
        }));
        const std::lock_guard lock(mutex);
        --now;
        return answered("mask");
      },
      options);
  answers->start();
  std::vector<AsyncTicket> tickets;
  for (int i = 0; i < 9; ++i) tickets.push_back(accept(*answers));
  const auto tenth = answers->accept("turtles", spec_, request_for("one"));
  ASSERT_FALSE(tenth);
  EXPECT_EQ(tenth.error().code, ErrorCode::kTooLarge);
  EXPECT_TRUE(test::wait_until([&] {
    const std::lock_guard lock(mutex);
    return now == 4;
  }));
  {
    const std::lock_guard lock(mutex);
    open_gate = true;
  }
  ASSERT_TRUE(wait_for_all());
  EXPECT_EQ(most, 4);
  for (const AsyncTicket& ticket : tickets) EXPECT_EQ(text_at(ticket.output), "mask");
  EXPECT_TRUE(answers->accept("turtles", spec_, request_for("one")));
}

TEST_F(AsyncAnswers, TheNextServiceGoesOn) {
  std::atomic<int> asked{0};
  AsyncTicket ticket;
  {
    const auto first = open([&](const Invocation& invocation) {
      ++asked;
      EXPECT_TRUE(test::wait_until([&] { return invocation.abandoned->load(); }));
      return failed(InvocationFailure::Kind::kAbandoned, "the caller has gone");
    });
    first->start();
    ticket = accept(*first);
    ASSERT_TRUE(test::wait_until([&] { return asked == 1; }));
  }
  EXPECT_FALSE(nothing_waits());
  EXPECT_FALSE(text_at(ticket.failure));
  const auto second = open([](const Invocation&) { return answered("mask"); });
  second->start();
  ASSERT_TRUE(wait_for_all());
  EXPECT_EQ(text_at(ticket.output), "mask");
}

TEST_F(AsyncAnswers, WhoWaitsTooLongFails) {
  routes_.remove("turtles");  // no server is healthy
  const auto answers = open([](const Invocation&) { return answered("mask"); });
  AsyncRequest request = request_for("one");
  request.time_to_live = seconds(60);
  const auto ticket = answers->accept("turtles", spec_, request);
  clock_.advance(seconds(60));
  const AsyncTicket patient = accept(*answers);
  answers->start();
  ASSERT_TRUE(test::wait_until([&] { return text_at(ticket->failure).has_value(); }));
  EXPECT_THAT(text_at(ticket->failure).value_or(""), HasSubstr("RequestTTLSeconds"));
  EXPECT_FALSE(text_at(patient.failure));
  serve(1);
  ASSERT_TRUE(wait_for_all());
  EXPECT_EQ(text_at(patient.output), "mask");
  EXPECT_FALSE(text_at(ticket->output));
}

TEST_F(AsyncAnswers, AnEndpointsEndIsThatOfItsRequests) {
  routes_.remove("turtles");
  const auto answers = open([](const Invocation&) { return answered("mask"); });
  const AsyncTicket waiting = accept(*answers), answered_before = accept(*answers);
  // The service was killed between an answer and its row.
  ASSERT_TRUE(
      store_->put(*storage::parse_s3_uri(answered_before.output), *bytes_source("mask"), "image/png"));
  ASSERT_TRUE(resources_->remove(kEndpointKind, "turtles"));
  EXPECT_EQ(answers->accept("turtles", spec_, request_for("one")).error().code, ErrorCode::kNotFound);
  clock_.advance(seconds(1));
  make_endpoint();  // another one of that name
  serve(1);
  answers->start();
  ASSERT_TRUE(wait_for_all());
  EXPECT_THAT(text_at(waiting.failure).value_or(""), HasSubstr("deleted"));
  EXPECT_FALSE(text_at(waiting.output));
  EXPECT_FALSE(text_at(answered_before.failure)) << "it has its answer";
  ASSERT_TRUE(
      resources_->change(kEndpointKind, "turtles", [](storage::Transaction&, Resource& row) -> Status {
        row.status = kEndpointDeleting;
        return {};
      }));
  EXPECT_EQ(answers->accept("turtles", spec_, request_for("one")).error().code, ErrorCode::kNotFound);
}

TEST_F(AsyncAnswers, NowhereToWriteEndsThemToo) {
  const auto answers = open([](const Invocation&) { return answered("mask"); });
  answers->start();
  const auto no_bucket =
      answers->accept("turtles", {"s3://no-such-bucket/a", "s3://answers/failed", 0}, request_for("one"));
  const auto nowhere =
      answers->accept("turtles", {"s3://no-such-bucket/a", "s3://nor-this/b", 0}, request_for("one"));
  const auto silent = answers->accept("turtles", {"s3://answers/a", "", 0}, request_for("nothing"));
  EXPECT_EQ(silent->failure, "");
  ASSERT_TRUE(nowhere);
  ASSERT_TRUE(wait_for_all());
  EXPECT_THAT(text_at(no_bucket->failure).value_or(""), HasSubstr("no-such-bucket"));
}

}  // namespace
}  // namespace terrapin::control
