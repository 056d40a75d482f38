// Endpoints from their creation to their end, with model servers that live in this process: a runner that
// starts them as the local one starts processes, and kills them as the test likes.
#include "control/endpoint_keeper.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "control/endpoint_logs.h"
#include "control/endpoints.h"
#include "control/invocations.h"
#include "http/server.h"
#include "jobs/supervisor.h"
#include "storage/folder_store.h"
#include "unit/base/temporary_folder.h"
#include "unit/jobs/wait_until.h"

namespace terrapin::control {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

// Model servers that answer with the address of their model.
class FakeRunner final : public jobs::Runner {
 public:
  Result<std::optional<std::string>> reserve(const std::string&, const jobs::Work&) override {
    return std::optional<std::string>("here");
  }
  Status start(const std::string& id, const std::string&, const jobs::Work& work) override {
    const std::lock_guard lock(mutex_);
    if (servers_.contains(id)) return {};
    TERRAPIN_TRY(const InstanceOrder order, parse_instance_order(work.files.at(kInstanceOrderFile)));
    Server& made = servers_[id];
    if (order.model.ends_with("/broken")) {
      made.ending.emplace();
      made.ending->exit_code = 1;
      made.ending->said = "ClientError: " + order.model + ": no archive";
      return {};
    }
    http::Router router;
    const auto mine = [id](const http::Request& request) {
      return request.headers.find("X-Terrapin-Instance") == std::string_view(id);
    };
    router.add("GET", "/ping", [mine](const http::Request& request) -> Result<http::Response> {
      return http::Response::json(mine(request) ? 200 : 421, "{}");
    });
    router.add("POST", "/invocations",
               [mine, model = order.model](const http::Request& request) -> Result<http::Response> {
                 if (!mine(request)) return http::Response::error(421, "another");
                 if (request.text() == "bad") return http::Response::error(400, "no photo");
                 return http::Response::text(200, "text/plain", model);
               });
    TERRAPIN_TRY(made.server, http::Server::start(std::move(router), {}));
    return {};
  }
  Result<jobs::Sight> adopt(const std::string& id, const std::string& handle) override {
    return look(id, handle);
  }
  Result<jobs::Sight> look(const std::string& id, const std::string&) override {
    const std::lock_guard lock(mutex_);
    const auto found = servers_.find(id);
    if (found == servers_.end()) return jobs::Sight{};
    if (found->second.ending) return jobs::Sight{jobs::Sight::Phase::kEnded, *found->second.ending};
    return jobs::Sight{jobs::Sight::Phase::kRunning, {}};
  }
  Status stop(const std::string& id, const std::string&) override {
    end(id, true);
    return {};
  }
  Status seal(const std::string&, const std::string&) override { return {}; }
  void release(const std::string&) override {}
  Status remove(const std::string& id, const std::string&) override {
    const std::lock_guard lock(mutex_);
    servers_.erase(id);
    return {};
  }
  Status clear(const std::string&, const std::string&, const std::set<std::string>&) override { return {}; }
  Result<std::string> read_file(const std::string& id, const std::string&, const std::string& name,
                                std::int64_t) override {
    const std::lock_guard lock(mutex_);
    const auto found = servers_.find(id);
    if (name != kInstancePortFile || found == servers_.end() || !found->second.server)
      return fail(ErrorCode::kNotFound, "no {}", name);
    return std::to_string(found->second.server->port());
  }
  Result<jobs::OutputPage> output(const std::string& id, std::int64_t, std::int64_t) override {
    jobs::OutputPage page;
    page.lines.push_back({{}, 1, "said by " + id});
    return page;
  }

  // As kill -9, unless it was asked to.
  void end(const std::string& id, bool asked = false) {
    std::unique_ptr<http::Server> ended;
    const std::lock_guard lock(mutex_);
    Server& server = servers_[id];
    if (server.ending) return;
    ended = std::move(server.server);
    server.ending.emplace();
    server.ending->stop_asked = asked;
    if (asked) {
      server.ending->exit_code = 0;
    } else {
      server.ending->signal = 9;
    }
  }
  std::set<std::string> running() {
    const std::lock_guard lock(mutex_);
    std::set<std::string> ids;
    for (const auto& [id, server] : servers_)
      if (!server.ending) ids.insert(id);
    return ids;
  }
  std::size_t known() {
    const std::lock_guard lock(mutex_);
    return servers_.size();
  }

 private:
  struct Server {
    std::unique_ptr<http::Server> server;
    std::optional<jobs::Ending> ending;
  };
  std::mutex mutex_;
  std::map<std::string, Server> servers_;  // guarded by mutex_
};

class KeptEndpoints : public testing::Test {
 protected:
  void SetUp() override {
    database_ = std::move(*storage::Database::open("sqlite:" + (folder_ / "state.db").string()));
    store_ = std::move(*storage::open_folder_store(folder_ / "objects", system_clock()));
    resources_.emplace(std::move(*Resources::open(*database_, system_clock())));
    jobs_.emplace(std::move(*jobs::JobStore::open(*database_, system_clock())));
    slots_.whole.cores = 1;
    models_.emplace(*resources_, *store_);
    configs_.emplace(*resources_, *models_, slots_);
    endpoints_.emplace(*resources_, *configs_, *models_, slots_, [] {});
    capture_.emplace(*store_);
    ASSERT_TRUE(store_->create_bucket("bucket"));
    take_up();
    for (const char* model : {"one", "two", "broken"}) {
      ASSERT_TRUE(store_->put({"bucket", model}, *bytes_source("x")));
      ModelSpec spec;
      spec.name = model;
      spec.container.image = "a/semantic-segmentation:1";
      spec.container.data = std::string("s3://bucket/") + model;
      ASSERT_TRUE(models_->create(spec, "admin", {}));
    }
  }
  // A keeper as a server that has just started has it.
  void take_up() {
    invocations_.reset();
    keeper_.reset();
    supervisor_.reset();
    routes_.emplace(5);
    supervisor_.emplace(*jobs_, runner_, system_clock(), jobs::SupervisorOptions{.lane = "endpoints"});
    EndpointKeeperOptions options;
    options.program = "/bin/terrapin";
    options.data_dir = folder_.path();
    options.lane = "endpoints";
    options.first_ping_interval = options.ping_interval = std::chrono::milliseconds(0);
    keeper_.emplace(*resources_, *jobs_, runner_, *routes_, slots_, system_clock(), options);
    invocations_.emplace(
        *routes_, *capture_, system_clock(), [] { return true; }, [] {});
  }
  void make_config(const std::string& name, const std::string& model, int count) {
    EndpointConfigSpec spec;
    spec.name = name;
    VariantSpec variant;
    variant.name = "a";
    variant.model = model;
    variant.instance_type = "ml.c5.xlarge";
    variant.count = count;
    spec.variants.push_back(variant);
    const auto made = configs_->create(spec, "admin", {});
    ASSERT_TRUE(made) << made.error().message;
  }
  void round() {
    EXPECT_TRUE(keeper_->look());
    EXPECT_TRUE(supervisor_->look());
    keeper_->ask_after_health();
    EXPECT_TRUE(keeper_->look());
  }
  bool rounds_until(const std::function<bool()>& is_so) {
    return test::wait_until([&] {
      round();
      return is_so();
    });
  }
  std::string status() {
    const auto found = endpoints_->find("turtles");
    return found ? found->row.status : "gone";
  }
  void in_service(int count) {
    make_config("config", "one", count);
    ASSERT_TRUE(endpoints_->create("turtles", "config", "admin", {}));
    ASSERT_TRUE(rounds_until([&] { return status() == kEndpointInService; })) << status();
  }
  tl::expected<InvocationAnswer, InvocationFailure> ask(std::string_view body = "photo") {
    Invocation invocation;
    invocation.endpoint = "TURTLES";
    invocation.body = {reinterpret_cast<const std::uint8_t*>(body.data()), body.size()};
    return invocations_->invoke(invocation);
  }
  std::string answer() {
    const auto answered = ask();
    return answered ? std::string(answered->body.begin(), answered->body.end()) : answered.error().message;
  }

  test::TemporaryFolder folder_;
  std::unique_ptr<storage::Database> database_;
  std::unique_ptr<storage::ObjectStore> store_;
  std::optional<Resources> resources_;
  std::optional<jobs::JobStore> jobs_;
  Slots slots_;
  FakeRunner runner_;
  std::optional<Models> models_;
  std::optional<EndpointConfigs> configs_;
  std::optional<Endpoints> endpoints_;
  std::optional<EndpointCapture> capture_;
  std::optional<RouteTable> routes_;
  std::optional<jobs::Supervisor> supervisor_;
  std::optional<EndpointKeeper> keeper_;
  std::optional<Invocations> invocations_;
};

TEST_F(KeptEndpoints, ComeIntoServiceAndAnswer) {
  EXPECT_EQ(ask().error().kind, InvocationFailure::Kind::kNoEndpoint);
  in_service(2);
  EXPECT_EQ(answer(), "s3://bucket/one");
  const auto refused = ask("bad");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, InvocationFailure::Kind::kModel);
  EXPECT_EQ(refused.error().status, 400);
  EXPECT_EQ(refused.error().message, "no photo");
  const auto logs = make_endpoint_logs(*resources_, *endpoints_, runner_);
  const auto streams = logs->streams("/aws/sagemaker/Endpoints/turtles", "a/", "", 10);
  ASSERT_TRUE(streams) << streams.error().message;
  ASSERT_THAT(*streams, SizeIs(2));
  EXPECT_EQ(streams->front().bucket, "bucket");
  const auto page = logs->read("/aws/sagemaker/Endpoints/turtles", streams->front().name, 0, 100);
  EXPECT_TRUE(page->lines.front().text.starts_with("said by "));
  EXPECT_EQ(logs->streams("/aws/sagemaker/Endpoints/nobody", "", "", 10).error().code, ErrorCode::kNotFound);
}

TEST_F(KeptEndpoints, AKilledServerCostsNoRequestAndIsReplaced) {
  in_service(2);
  const std::set<std::string> before = runner_.running();
  runner_.end(*before.begin());
  // Nobody has looked yet: requests that meet the dead one are answered by the other.
  for (int i = 0; i < 20; ++i) EXPECT_EQ(answer(), "s3://bucket/one");
  EXPECT_TRUE(rounds_until([&] { return runner_.running().size() == 2; }));
  EXPECT_FALSE(runner_.running().contains(*before.begin()));
  EXPECT_EQ(status(), kEndpointInService);
}

TEST_F(KeptEndpoints, WithoutAnyServerTheyAreNotReady) {
  in_service(1);
  runner_.end(*runner_.running().begin());
  EXPECT_EQ(ask().error().kind, InvocationFailure::Kind::kNotReady);
  EXPECT_TRUE(rounds_until([&] { return answer() == "s3://bucket/one"; }));
}

TEST_F(KeptEndpoints, AnUpdateUnderLoadDropsNothing) {
  in_service(2);
  make_config("next", "two", 1);
  std::atomic<bool> stop{false};
  std::atomic<int> failed{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i)
    threads.emplace_back([&] {
      while (!stop)
        if (!ask()) ++failed;
    });
  ASSERT_TRUE(endpoints_->update("turtles", "next", {}));
  EXPECT_EQ(endpoints_->update("turtles", "next", {}).error().code, ErrorCode::kConflict);
  EXPECT_TRUE(rounds_until([&] { return status() == kEndpointInService && runner_.running().size() == 1; }));
  stop = true;
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(failed, 0);
  EXPECT_EQ(answer(), "s3://bucket/two");
}

TEST_F(KeptEndpoints, AnUpdateToABrokenModelIsRolledBack) {
  in_service(1);
  const std::set<std::string> before = runner_.running();
  make_config("broken", "broken", 2);
  ASSERT_TRUE(endpoints_->update("turtles", "broken", {}));
  EXPECT_TRUE(rounds_until([&] { return status() == kEndpointInService; }));
  EXPECT_EQ(runner_.running(), before);
  const auto after = endpoints_->find("turtles");
  EXPECT_EQ(after->config(), "config");
  EXPECT_EQ(after->state.failure, "s3://bucket/broken: no archive");
}

TEST_F(KeptEndpoints, LogsOfServersWhoseVariantIsGoneHaveABucket) {
  in_service(1);
  ASSERT_TRUE(endpoints_->remove("turtles"));
  ASSERT_TRUE(keeper_->look());
  const auto endpoint = endpoints_->find("turtles");
  ASSERT_TRUE(endpoint) << endpoint.error().message;
  ASSERT_FALSE(endpoint->state.active);
  const auto logs = make_endpoint_logs(*resources_, *endpoints_, runner_);
  const auto streams = logs->streams("/aws/sagemaker/Endpoints/turtles", "", "", 10);
  ASSERT_TRUE(streams) << streams.error().message;
  ASSERT_THAT(*streams, SizeIs(1));
  EXPECT_EQ(streams->front().bucket, "bucket");
}

TEST_F(KeptEndpoints, CrashesOfLongAgoFailNoChange) {
  in_service(1);
  const auto crashed =
      resources_->change(kEndpointKind, "turtles", [](storage::Transaction&, Resource& row) -> Status {
        TERRAPIN_TRY(EndpointState state, parse_endpoint_state(row.state));
        DeployedVariant& variant = state.active->variants.front();
        variant.failures = 5;
        variant.not_before = system_clock().now() + std::chrono::hours(1);
        variant.problem = "crashed";
        DeployedVariant other = variant;
        other.spec.name = "b";
        other.instances.clear();
        state.active->variants.push_back(std::move(other));
        row.state = endpoint_state_text(state);
        return {};
      });
  ASSERT_TRUE(crashed) << crashed.error().message;
  // Neither the variant that is named nor the other one brings its past along.
  const auto changed = endpoints_->update_variants("turtles", {{"b", 2.0, std::nullopt}});
  ASSERT_TRUE(changed) << changed.error().message;
  for (const DeployedVariant& variant : changed->state.pending->variants) {
    EXPECT_EQ(variant.failures, 0) << variant.spec.name;
    EXPECT_EQ(variant.not_before, Timestamp()) << variant.spec.name;
    EXPECT_EQ(variant.problem, "") << variant.spec.name;
  }
  ASSERT_TRUE(rounds_until([&] { return status() != kEndpointUpdating; }));
  const auto after = endpoints_->find("turtles");
  EXPECT_EQ(after->row.status, kEndpointInService);
  EXPECT_EQ(after->state.failure, "");
  EXPECT_EQ(after->state.active->variants.back().spec.weight, 2.0);
  EXPECT_THAT(runner_.running(), SizeIs(2));
}

TEST_F(KeptEndpoints, ANewKeeperTakesUpServersAndRoutes) {
  in_service(2);
  const std::set<std::string> before = runner_.running();
  take_up();
  EXPECT_FALSE(ask());
  ASSERT_TRUE(keeper_->look());
  EXPECT_EQ(answer(), "s3://bucket/one") << "with the first look, before any question after health";
  round();
  EXPECT_EQ(runner_.running(), before);
}

TEST_F(KeptEndpoints, OnesThatAreDeletedLeaveNothing) {
  in_service(2);
  ASSERT_TRUE(endpoints_->remove("turtles"));
  EXPECT_EQ(endpoints_->remove("turtles").error().code, ErrorCode::kConflict);
  round();
  EXPECT_EQ(ask().error().kind, InvocationFailure::Kind::kNoEndpoint);
  EXPECT_TRUE(rounds_until([&] { return status() == "gone"; }));
  EXPECT_EQ(runner_.known(), 0U);
  EXPECT_THAT(*jobs_->live("endpoints"), IsEmpty());
}

TEST_F(KeptEndpoints, ThreadsDoAllThatByThemselves) {
  supervisor_->start();
  keeper_->start();
  EXPECT_TRUE(keeper_->wait_until_ready(std::chrono::seconds(60)));
  make_config("config", "one", 1);
  ASSERT_TRUE(endpoints_->create("turtles", "config", "admin", {}));
  EXPECT_TRUE(test::wait_until([&] { return answer() == "s3://bucket/one"; }));
  keeper_->stop();
  supervisor_->stop();
}

TEST(ModelImages, AreTheAlgorithmsByTheLastPart) {
  for (const char* image :
       {"semantic-segmentation", "a/semantic-segmentation", "h:5000/a/semantic-segmentation:1",
        "a/semantic-segmentation@sha256:00", "a/semantic-segmentation:1@sha256:00"})
    EXPECT_TRUE(is_segmentation_image(image)) << image;
  for (const char* image :
       {"", "a/b", "semantic-segmentation/a", "x-semantic-segmentation", "semantic-segmentation-x:1"})
    EXPECT_FALSE(is_segmentation_image(image)) << image;
}

}  // namespace
}  // namespace terrapin::control
