#include "control/process/transform_work.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <atomic>
#include <csignal>
#include <mutex>
#include <set>

#include "base/interrupt.h"
#include "base/text.h"
#include "control/process/phases.h"
#include "control/process/training_work.h"
#include "http/server.h"
#include "storage/folder_store.h"

namespace terrapin::control {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;

// Stands in for `terrapin host`: a photo "bad" is refused, "slow start" fails twice, "broken" always.
class FakeServer final : public LocalModelServer {
 public:
  struct Record {
    std::mutex mutex;
    std::map<std::string, int> asked;  // by photo
    std::string content_type, accept;
    std::atomic<int> now{0}, most{0};
    int starts = 0;
    bool never_starts = false;
    std::string parameters = R"({"MaxConcurrentTransforms": 3, "MaxPayloadInMB": 1})";
    std::function<void()> on_photo;
  };
  explicit FakeServer(Record& record) : record_(record) {}

  Result<int> ensure() override {
    const std::lock_guard lock(mutex_);
    if (record_.never_starts) return fail(ErrorCode::kCorrupt, "The model cannot be served: it is no model");
    if (server_) return server_->port();
    ++record_.starts;
    http::Router router;
    router.add("GET", "/execution-parameters", [this](const http::Request&) -> Result<http::Response> {
      return http::Response::json(200, record_.parameters);
    });
    router.add("POST", "/invocations", [this](const http::Request& request) { return answer(request); });
    http::ServerOptions options;
    options.handler_threads = 16;
    TERRAPIN_TRY(server_, http::Server::start(std::move(router), options));
    return server_->port();
  }

 private:
  Result<http::Response> answer(const http::Request& request) {
    const int now = ++record_.now;
    int seen = record_.most.load();
    while (seen < now && !record_.most.compare_exchange_weak(seen, now)) {
    }
    const std::string photo(request.text());
    int times = 0;
    {
      const std::lock_guard lock(record_.mutex);
      times = ++record_.asked[photo];
      record_.content_type = request.headers.find("Content-Type").value_or("none");
      record_.accept = request.headers.find("Accept").value_or("none");
    }
    if (record_.on_photo) record_.on_photo();
    --record_.now;
    if (photo == "bad") return http::Response::json(400, R"({"message":"it is no photo"})");
    if (photo == "broken" || (photo == "slow start" && times <= 2))
      return http::Response::json(503, R"({"message":"later"})");
    return http::Response::text(200, "image/png", "mask of " + photo);
  }

  Record& record_;
  std::mutex mutex_;
  std::unique_ptr<http::Server> server_;
};

class TransformWorkTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "terrapin-transform-XXXXXX").string();
    root_ = ::mkdtemp(pattern.data());
    fs::create_directories(work_.folder = root_ / "work");
    store_ = std::move(*storage::open_folder_store(root_ / "objects", clock_));
    for (const char* bucket : {"input", "output"}) ASSERT_TRUE(store_->create_bucket(bucket));
    put("input", "model.tar.gz", "a model");
    work_.make_server = [this](const TransformSpec&, const fs::path& model) {
      EXPECT_EQ(*read_text_file(model), "a model");
      return std::make_unique<FakeServer>(record_);
    };
    spec_.name = "t";
    spec_.model_uri = "s3://input/model.tar.gz";
    spec_.source.uri = "s3://input/photos/";
    spec_.output_uri = "s3://output/masks";
    spec_.retries = 2;
  }
  void TearDown() override {
    clear_interrupt();
    store_.reset();
    fs::remove_all(root_);
  }
  void put(const std::string& bucket, const std::string& key, const std::string& text) {
    ASSERT_TRUE(store_->put({bucket, key}, *bytes_source(text)));
  }
  int run() {
    EXPECT_TRUE(write_file_atomically(work_.folder / kTaskFile, transform_spec_text(spec_)));
    return run_transform_work(*store_, clock_, work_);
  }
  std::string reason() { return read_text_file(work_.folder / kFailureFile).value_or(""); }
  std::vector<std::string> outputs() {
    std::vector<std::string> keys;
    EXPECT_TRUE(
        storage::for_each_object(*store_, "output", "", [&](const storage::ObjectInfo& info) -> Status {
          keys.push_back(info.key);
          return {};
        }));
    return keys;
  }
  std::string text_of(const std::string& key) {
    const auto opened = store_->get({"output", key});
    return opened ? *read_all_text(*opened->content, 1 << 20) : opened.error().message;
  }
  std::vector<std::string> phases() {
    std::vector<std::string> names;
    for (const Phase& phase : parse_phases(read_text_file(work_.folder / kPhasesFile).value_or("")))
      names.push_back(phase.name);
    return names;
  }

  ManualClock clock_{from_microseconds(1'700'000'000'000'000)};
  fs::path root_;
  std::unique_ptr<storage::ObjectStore> store_;
  FakeServer::Record record_;
  TransformWork work_;
  TransformSpec spec_;
};

TEST_F(TransformWorkTest, EveryPhotoHasItsAnswer) {
  put("input", "photos/a.jpg", "one");
  put("input", "photos/deep/b.png", "two");
  put("input", "other/c.jpg", "three");
  EXPECT_EQ(run(), 0) << reason();
  EXPECT_THAT(outputs(), ElementsAre("masks/a.jpg.out", "masks/deep/b.png.out"));
  EXPECT_EQ(text_of("masks/a.jpg.out"), "mask of one");
  EXPECT_EQ(store_->head({"output", "masks/a.jpg.out"})->headers.content_type, "image/png");
  EXPECT_EQ(record_.content_type, "application/x-image");
  EXPECT_EQ(record_.accept, "none");
  EXPECT_THAT(phases(), ElementsAre("Downloading", "Starting", "Transforming", "Transformed"));
  EXPECT_FALSE(fs::exists(work_.folder / "model.tar.gz"));
}

// More than one page of a listing, and names that come before the output's.
TEST_F(TransformWorkTest, AnswersBelowTheInputAreNotTransformed) {
  constexpr int kPhotos = 1100;
  for (int i = 0; i < kPhotos; ++i) put("output", fmt::format("IMG_{:04}.jpg", i), "one");
  spec_.source.uri = "s3://output";
  spec_.output_uri = "s3://output/out";
  for (int times = 1; times <= 2; ++times) {
    EXPECT_EQ(run(), 0) << reason();
    const auto keys = outputs();
    EXPECT_EQ(keys.size(), 2U * kPhotos);
    EXPECT_EQ(keys.back(), "out/IMG_1099.jpg.out");
    EXPECT_EQ(record_.asked.at("one"), times * kPhotos);
  }
}

TEST_F(TransformWorkTest, AManifestNamesThePhotos) {
  put("input", "photos/a.jpg", "one");
  put("input", "photos/b.jpg", "two");
  put("input", "list.json", R"([{"prefix": "s3://input/photos/"}, "b.jpg"])");
  spec_.source = {DataSource::Kind::kManifest, "s3://input/list.json", {}};
  spec_.content_type = "image/jpeg";
  spec_.accept = "application/json";
  spec_.join_lines = true;
  EXPECT_EQ(run(), 0) << reason();
  EXPECT_THAT(outputs(), ElementsAre("masks/b.jpg.out"));
  EXPECT_EQ(text_of("masks/b.jpg.out"), "mask of two\n");
  EXPECT_EQ(record_.content_type, "image/jpeg");
  EXPECT_EQ(record_.accept, "application/json");
}

TEST_F(TransformWorkTest, APhotoThatIsNoneFailsTheJobAfterTheOthers) {
  put("input", "photos/a.jpg", "one");
  put("input", "photos/b.jpg", "bad");
  put("input", "photos/c.jpg", "two");
  EXPECT_EQ(run(), 1);
  EXPECT_THAT(reason(),
              AllOf(StartsWith("ClientError: 1 of 3 objects could not be transformed"),
                    HasSubstr("s3://input/photos/b.jpg: it is no photo"), HasSubstr("See job logs")));
  EXPECT_THAT(outputs(), ElementsAre("masks/a.jpg.out", "masks/c.jpg.out"));
  EXPECT_EQ(record_.asked["bad"], 1) << "asking again helps nobody";
}

TEST_F(TransformWorkTest, AServerThatHasTroubleIsAskedAgain) {
  put("input", "photos/a.jpg", "slow start");
  EXPECT_EQ(run(), 0) << reason();
  EXPECT_EQ(record_.asked["slow start"], 3);
}

TEST_F(TransformWorkTest, AfterTheRetriesItIsTheServersFault) {
  put("input", "photos/a.jpg", "broken");
  spec_.retries = 1;
  EXPECT_EQ(run(), 1);
  EXPECT_EQ(record_.asked["broken"], 2);
  EXPECT_THAT(reason(), StartsWith("AlgorithmError: 1 of 1 objects"));
  EXPECT_TRUE(outputs().empty());
}

TEST_F(TransformWorkTest, NoMoreAtATimeThanAllowed) {
  for (int i = 0; i < 24; ++i) put("input", fmt::format("photos/{}.jpg", i), fmt::format("{}", i));
  spec_.max_concurrent = 2;
  EXPECT_EQ(run(), 0) << reason();
  EXPECT_EQ(outputs().size(), 24u);
  EXPECT_LE(record_.most.load(), 2);
}

TEST_F(TransformWorkTest, TheServerSaysHowManyAtATimeAndHowLarge) {
  for (int i = 0; i < 24; ++i) put("input", fmt::format("photos/{}.jpg", i), fmt::format("{}", i));
  put("input", "photos/z.jpg", std::string((1 << 20) + 1, 'x'));
  EXPECT_EQ(run(), 1);
  EXPECT_LE(record_.most.load(), 3);
  EXPECT_EQ(outputs().size(), 24u);
  EXPECT_THAT(reason(), AllOf(HasSubstr("z.jpg: it has 1048577 bytes"), HasSubstr("MaxPayloadInMB")));
}

TEST_F(TransformWorkTest, WhatCannotBeIsSaid) {
  EXPECT_EQ(run(), 1);
  EXPECT_THAT(reason(), StartsWith("ClientError: No S3 objects found under S3 URL \"s3://input/photos/\""));

  put("input", "photos/a.jpg", "one");
  spec_.output_uri = "s3://nobody/masks";
  EXPECT_EQ(run(), 1);
  EXPECT_THAT(reason(), AllOf(StartsWith("ClientError: "), HasSubstr("s3://nobody/masks/a.jpg.out")));

  spec_.output_uri = "s3://output/masks";
  spec_.model_uri = "s3://input/no-model.tar.gz";
  EXPECT_EQ(run(), 1);
  EXPECT_THAT(reason(), AllOf(StartsWith("ClientError: Model download failed"), HasSubstr("no-model")));

  spec_.model_uri = "s3://input/model.tar.gz";
  record_.never_starts = true;
  EXPECT_EQ(run(), 1);
  EXPECT_EQ(reason(), "AlgorithmError: The model cannot be served: it is no model");

  spec_.allowed_buckets = {"output"};
  EXPECT_EQ(run(), 1);
  EXPECT_THAT(reason(), HasSubstr("may use other buckets only"));
  EXPECT_TRUE(outputs().empty());
}

TEST_F(TransformWorkTest, StopLeavesWhatIsStored) {
  install_interrupt_handlers();
  put("input", "photos/a.jpg", "one");
  put("input", "photos/b.jpg", "two");
  spec_.max_concurrent = 1;
  record_.on_photo = [] { std::raise(SIGTERM); };
  EXPECT_EQ(run(), 128 + SIGTERM);
  EXPECT_LE(outputs().size(), 1u);
  EXPECT_EQ(reason(), "");
  EXPECT_FALSE(fs::exists(work_.folder / "model.tar.gz"));
}

TEST(TransformSpecs, ComeBackAsTheyWere) {
  TransformSpec spec;
  spec.name = "t";
  spec.model = "m";
  spec.environment = {{"A", "b"}};
  spec.source = {DataSource::Kind::kManifest, "s3://a/b", {}};
  spec.accept = "application/json";
  spec.join_lines = true;
  spec.max_concurrent = 4;
  spec.kept = R"({"a":1})";
  const std::string text = transform_spec_text(spec);
  const auto back = parse_transform_spec(text);
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(transform_spec_text(*back), text);
  for (const char* hostile : {"", "[]", "{}", R"({"version":1})", R"({"version":9,"source_kind":"prefix"})"})
    EXPECT_FALSE(parse_transform_spec(hostile)) << hostile;
}

TEST(TransformSpecs, WhatMayNotBeIsNamed) {
  const auto error = [](auto change) {
    TransformSpec spec;
    change(spec);
    const Status checked = check_transform_spec(spec);
    return checked ? std::string() : checked.error().message;
  };
  using Spec = TransformSpec&;
  EXPECT_EQ(error([](Spec) {}), "");
  EXPECT_THAT(error([](Spec s) { s.join_lines = true; }), HasSubstr("'image/png' are binary"));
  EXPECT_THAT(error([](Spec s) { s.max_concurrent = 257; }), HasSubstr("at most 256"));
  EXPECT_THAT(error([](Spec s) { s.max_payload_mb = 101; }), HasSubstr("0 to 100"));
  EXPECT_THAT(error([](Spec s) { s.timeout_s = 0; }), HasSubstr("1 to 3600"));
  EXPECT_THAT(error([](Spec s) { s.retries = 4; }), HasSubstr("0 to 3"));
  EXPECT_THAT(error([](Spec s) { s.source.kind = DataSource::Kind::kAugmentedManifest; }),
              HasSubstr("augmented"));
}

TEST(TransformSpecs, OutputsLieBelowTheirPrefix) {
  TransformSpec spec;
  spec.output_uri = "s3://b/out/";
  EXPECT_EQ(transform_output_uri(spec, "x/a.jpg"), "s3://b/out/x/a.jpg.out");
  EXPECT_TRUE(is_transform_output(spec, {"b", "out/x/a.jpg.out"}));
  for (const char* key : {"out/x/a.jpg", "outer/a.jpg.out", "out.out", "x/out/a.jpg.out"})
    EXPECT_FALSE(is_transform_output(spec, {"b", key})) << key;
  EXPECT_FALSE(is_transform_output(spec, {"c", "out/a.jpg.out"}));
  spec.output_uri = "s3://b";
  EXPECT_EQ(transform_output_uri(spec, "a.jpg"), "s3://b/a.jpg.out");
}

TEST(TransformStates, FollowTheProcess) {
  using jobs::JobState;
  const Timestamp time = from_microseconds(1'700'000'000'000'000);
  const auto derive = [&](JobState state, const std::string& failure, bool ending,
                          const std::vector<Phase>& phases) {
    jobs::JobRecord job;
    job.state = state;
    job.failure = failure;
    job.modified = time;
    if (ending) job.ending.emplace();
    return derive_transform_state(job, {{JobState::kRunning, time}}, phases);
  };
  const std::vector<Phase> whole{{"Transformed", time, {{kDoneFact, "7"}, {kFailedFact, "0"}}}};
  EXPECT_EQ(derive(JobState::kPending, "", false, {}).status, BatchStatus::kInProgress);
  EXPECT_EQ(derive(JobState::kRunning, "", false, {}).status, BatchStatus::kInProgress);
  EXPECT_EQ(derive(JobState::kStopping, "", false, {}).status, BatchStatus::kStopping);
  EXPECT_EQ(derive(JobState::kStopped, "", true, {}).status, BatchStatus::kStopped);
  const TransformState completed = derive(JobState::kCompleted, "", true, whole);
  EXPECT_EQ(completed.status, BatchStatus::kCompleted);
  EXPECT_EQ(completed.done, 7);
  EXPECT_EQ(completed.ended, time);
  EXPECT_EQ(derive(JobState::kCompleted, "", true, {}).status, BatchStatus::kFailed);
  EXPECT_EQ(derive(JobState::kFailed, "ClientError: a", true, {}).failure_reason, "ClientError: a");
  EXPECT_THAT(derive(JobState::kFailed, "no such GPU", false, {}).failure_reason,
              StartsWith("CapacityError:"));
  EXPECT_THAT(derive(JobState::kFailed, "signal 9", true, {}).failure_reason,
              StartsWith("InternalServerError: signal 9"));
  const auto back = parse_transform_state(transform_state_text(completed));
  ASSERT_TRUE(back);
  EXPECT_EQ(transform_state_text(*back), transform_state_text(completed));
}

}  // namespace
}  // namespace terrapin::control
