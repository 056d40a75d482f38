// The life of labeling jobs.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "unit/labeling/job_fixture.h"

namespace terrapin::labeling::test {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST_F(JobTest, OneWorkersMaskPassesThroughBitForBit) {
  put_photos(3);
  create(spec());
  EXPECT_EQ(describe().status, JobStatus::kInProgress);
  EXPECT_EQ(describe().counters.unlabeled, 3);
  for (int i = 0; i < 3; ++i) {
    const Assignment task = accept("anna");
    EXPECT_EQ(task.object_index, i);
    submit("anna", task, rectangle(i, static_cast<std::uint8_t>(1 + i % 2)));
  }
  EXPECT_TRUE(nothing_for("anna"));
  clock_.advance(1s);
  run();
  const JobRecord job = describe();
  EXPECT_EQ(job.status, JobStatus::kCompleted) << job.failure_reason;
  EXPECT_EQ(job.counters.total_labeled, 3);
  EXPECT_EQ(job.counters.human_labeled, 3);
  EXPECT_EQ(job.counters.unlabeled, 0);
  EXPECT_EQ(job.output_dataset_uri, "s3://bucket/out/job/manifests/output/output.manifest");
  const auto lines = manifest();
  ASSERT_EQ(lines.size(), 3U);
  for (int i = 0; i < 3; ++i) {
    const auto& line = lines[static_cast<std::size_t>(i)];
    EXPECT_EQ(line["id"], i);
    EXPECT_EQ(mask_at(line["turtle-ref"]), rectangle(i, static_cast<std::uint8_t>(1 + i % 2)));
    const auto& metadata = line["turtle-ref-metadata"];
    EXPECT_EQ(metadata["type"], "groundtruth/semantic-segmentation");
    EXPECT_EQ(metadata["human-annotated"], "yes");
    EXPECT_EQ(metadata["job-name"], "labeling-job/job");
    EXPECT_EQ(metadata["internal-color-map"]["0"]["class-name"], "BACKGROUND");
    EXPECT_EQ(metadata["internal-color-map"]["2"]["class-name"], "Diver");
    EXPECT_EQ(metadata["internal-color-map"]["2"]["confidence"], 0.0);
  }
  // The layout that the seed lists.
  EXPECT_TRUE(exists("out/job/annotation-tool/template.liquid"));
  EXPECT_TRUE(exists("out/job/annotations/intermediate/1/output.manifest"));
  for (const char* folder : {"annotations/worker-response/iteration-1/0/",
                             "annotations/consolidated-annotation/consolidation-request/iteration-1/",
                             "annotations/consolidated-annotation/consolidation-response/iteration-1/",
                             "annotations/consolidated-annotation/output/0_2022-02-10T17:41:0"}) {
    const auto page = store_->list(
        "bucket", {.prefix = std::string("out/job/") + folder, .delimiter = "", .start_after = ""});
    EXPECT_FALSE(page->objects.empty()) << folder;
  }
}

TEST_F(JobTest, UnknownKeysOfALineStayByteForByte) {
  put_photos(1);
  const std::string line =
      R"({"source-ref" : "s3://bucket/photos/0.png",  "weight":1.50, "n":12345678901234567890123, "t":"\u00e9 é"})";
  put("input.manifest", line + "\r\n");
  create(spec());
  submit("anna", accept("anna"), rectangle(1));
  run();
  const std::string out = text_of(describe().output_dataset_uri);
  EXPECT_EQ(out.substr(0, line.size() - 1), line.substr(0, line.size() - 1));
}

TEST_F(JobTest, SeveralWorkersGiveOneMaskWhateverTheirOrder) {
  put_photos(4);
  const auto label = [&](const std::string& name, const std::vector<std::string>& order) {
    JobSpec wanted = spec(name);
    wanted.workers_per_object = 3;
    create(wanted);
    const std::map<std::string, int> shift{{"anna", 3}, {"bert", 4}, {"carl", 3}};
    for (int round = 0; round < 4; ++round)
      for (const std::string& id : order) {
        const Assignment task = accept(id, name);
        submit(id, task, rectangle(shift.at(id) + (id == "carl" && task.object_index == 2 ? 6 : 0)));
        clock_.advance(1s);
      }
    run();
    EXPECT_EQ(describe(name).status, JobStatus::kCompleted);
  };
  label("first", {"anna", "bert", "carl"});
  label("second", {"carl", "bert", "anna"});
  const auto a = manifest("first"), b = manifest("second");
  ASSERT_EQ(a.size(), 4U);
  for (std::size_t i = 0; i < a.size(); ++i) {
    EXPECT_EQ(mask_at(a[i]["turtle-ref"]), mask_at(b[i]["turtle-ref"]));
    EXPECT_EQ(a[i]["turtle-ref-metadata"]["internal-color-map"],
              b[i]["turtle-ref-metadata"]["internal-color-map"]);
    EXPECT_GT(a[i]["turtle-ref-metadata"]["internal-color-map"]["1"]["confidence"], 0.2);
    if (i != 2) {
      EXPECT_EQ(mask_at(a[i]["turtle-ref"]), rectangle(3));
    }
  }
  // Figures lie beside, and no superseded mask is left.
  const auto masks =
      store_->list("bucket", {.prefix = "out/first/annotations/consolidated-annotation/output/",
                              .delimiter = "",
                              .start_after = ""});
  EXPECT_EQ(masks->objects.size(), 4U);
  const auto disputed =
      jobs().objects("first", {.state = {}, .min_disagreement = 0.01, .most_disputed_first = true});
  ASSERT_FALSE(disputed->empty());
  EXPECT_EQ(disputed->front().index, 2);
  const auto workers = jobs().workers("first");
  ASSERT_EQ(workers->size(), 3U);
  EXPECT_EQ((*workers)[0].submitted, 4);
  EXPECT_TRUE((*workers)[0].reliability.has_value());
}

TEST_F(JobTest, NoWorkerSeesAnObjectTwice) {
  put_photos(1);
  JobSpec wanted = spec();
  wanted.workers_per_object = 2;
  create(wanted);
  const Assignment first = accept("anna");
  EXPECT_EQ(accept("anna").id, first.id) << "the lease she holds is given back";
  EXPECT_TRUE(tasks().accept_next(worker("anna"), "job", true).value() == std::nullopt);
  submit("anna", first, rectangle(1));
  EXPECT_TRUE(nothing_for("anna"));
  const Assignment second = accept("bert");
  EXPECT_TRUE(nothing_for("carl")) << "two workers are enough";
  submit("bert", second, rectangle(1));
  run();
  EXPECT_EQ(describe().status, JobStatus::kCompleted);
}

TEST_F(JobTest, ALeaseEndsAndTheObjectGoesBack) {
  put_photos(1);
  JobSpec wanted = spec();
  wanted.task_time_limit_s = 60;
  create(wanted);
  const Assignment lost = accept("anna");
  EXPECT_TRUE(nothing_for("bert"));
  clock_.advance(61s);
  run();
  EXPECT_EQ(tasks().assignment(worker("anna"), lost.id)->state, AssignmentState::kExpired);
  const auto late = tasks().submit(worker("anna"), lost.id, answer(rectangle(1)));
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().code, ErrorCode::kConflict);
  submit("bert", accept("bert"), rectangle(2));
  run();
  EXPECT_EQ(mask_at(manifest()[0]["turtle-ref"]), rectangle(2));
}

TEST_F(JobTest, WhoGoesOnAtTheEndOfALeaseGetsTheObjectAgainAtOnce) {
  put_photos(1);
  JobSpec wanted = spec();
  wanted.task_time_limit_s = 60;
  create(wanted);
  const Assignment lost = accept("anna");
  clock_.advance(60s);  // nobody has looked at the clock since
  ASSERT_EQ(tasks().jobs(worker("anna"))->size(), 1U);
  EXPECT_EQ(tasks().jobs(worker("anna"))->front().available, 1);
  const Assignment second = accept("anna");
  EXPECT_NE(second.id, lost.id);
  clock_.advance(60s);
  const Assignment again = accept("anna");
  EXPECT_NE(again.id, second.id);
  EXPECT_NE(again.id, lost.id);
  EXPECT_EQ(again.object_index, lost.object_index);
  EXPECT_EQ(tasks().assignment(worker("anna"), lost.id)->state, AssignmentState::kExpired);
  EXPECT_TRUE(nothing_for("bert"));
}

TEST_F(JobTest, DeclinesOfAsManyAsShouldAnswerFailTheObject) {
  put_photos(2);
  JobSpec wanted = spec();
  wanted.workers_per_object = 2;
  create(wanted);
  for (const char* id : {"anna", "bert"}) {
    const Assignment task = accept(id);
    EXPECT_EQ(task.object_index, 0);
    EXPECT_OK(tasks().decline(worker(id), task.id, "too dark"));
  }
  for (const char* id : {"anna", "bert"}) submit(id, accept(id), rectangle(3));
  run();
  EXPECT_EQ(describe().status, JobStatus::kCompleted);
  EXPECT_EQ(describe().counters.failed_non_retryable, 1);
  EXPECT_EQ(describe().counters.total_labeled, 1);
  const auto lines = manifest();
  EXPECT_FALSE(lines[0].contains("turtle-ref"));
  EXPECT_THAT(lines[0]["turtle-ref-metadata"]["failure-reason"].get<std::string>(), HasSubstr("declined"));
  EXPECT_EQ(lines[0]["turtle-ref-metadata"]["retry-count"], 0);
}

TEST_F(JobTest, AvailabilityEndsWithTheAnswersThatAreThere) {
  put_photos(2);
  JobSpec wanted = spec();
  wanted.workers_per_object = 3;
  wanted.task_availability_s = 100;
  wanted.task_time_limit_s = 1000;
  create(wanted);
  submit("anna", accept("anna"), rectangle(1));
  const Assignment running = accept("bert");
  EXPECT_EQ(running.object_index, 0);
  clock_.advance(101s);
  run();
  EXPECT_EQ(describe().status, JobStatus::kInProgress) << "bert still paints";
  EXPECT_TRUE(nothing_for("carl"));
  submit("bert", running, rectangle(1));
  run();
  EXPECT_EQ(describe().status, JobStatus::kCompleted);
  EXPECT_EQ(describe().counters.human_labeled, 1);
  EXPECT_EQ(describe().counters.failed_non_retryable, 1);
}

TEST_F(JobTest, ShowsAtMostTheConcurrentObjectsInOrder) {
  put_photos(5);
  JobSpec wanted = spec();
  wanted.max_concurrent = 2;
  create(wanted);
  const Assignment a = accept("anna"), b = accept("bert");
  EXPECT_EQ(a.object_index, 0);
  EXPECT_EQ(b.object_index, 1);
  EXPECT_TRUE(nothing_for("carl"));
  submit("anna", a, rectangle(1));
  EXPECT_EQ(accept("carl").object_index, 2);
}

TEST_F(JobTest, StopsAtItsStoppingConditions) {
  put_photos(10);
  JobSpec count = spec("count");
  count.max_human_labeled_objects = 3;
  JobSpec share = spec("share");
  share.max_percent_labeled = 25;
  create(count);
  create(share);
  for (const char* name : {"count", "share"}) {
    for (int i = 0; i < 3; ++i) submit("anna", accept("anna", name), rectangle(1));
    run();
    EXPECT_EQ(describe(name).status, JobStatus::kCompleted);
    EXPECT_EQ(describe(name).counters.total_labeled, 3);
    EXPECT_EQ(describe(name).counters.unlabeled, 7);
    EXPECT_EQ(manifest(name).size(), 10U);
  }
}

TEST_F(JobTest, StopKeepsWhatIsDoneAndContinueDoesTheRest) {
  put_photos(4);
  create(spec());
  submit("anna", accept("anna"), rectangle(1));
  const Assignment open = accept("anna");
  ASSERT_OK(jobs().stop("job"));
  ASSERT_OK(jobs().stop("job"));
  run();
  EXPECT_EQ(describe().status, JobStatus::kStopped);
  EXPECT_EQ(describe().counters.total_labeled, 1);
  EXPECT_EQ(tasks().submit(worker("anna"), open.id, answer(rectangle(1))).error().code, ErrorCode::kConflict);
  EXPECT_EQ(jobs().stop("job").error().code, ErrorCode::kConflict);
  EXPECT_EQ(manifest().size(), 4U);
  const std::string first_mask = manifest()[0]["turtle-ref"];

  ASSERT_OK(jobs().continue_job("job", "rest", "someone"));
  run();
  for (int i = 1; i < 4; ++i) {
    const Assignment task = accept("anna", "rest");
    EXPECT_EQ(task.object_index, i);
    submit("anna", task, rectangle(i));
  }
  run();
  EXPECT_EQ(describe("rest").spec.owner, "someone");  // who asked
  EXPECT_EQ(describe("rest").status, JobStatus::kCompleted);
  EXPECT_EQ(describe("rest").counters.total_labeled, 4);
  EXPECT_EQ(manifest("rest")[0]["turtle-ref"], first_mask);
  EXPECT_EQ(mask_at(manifest("rest")[3]["turtle-ref"]), rectangle(3));
}

TEST_F(JobTest, GoesOnAfterACrashWhereItWas) {
  put_photos(3);
  ASSERT_OK(jobs().create(spec()));
  reopen();
  run();
  submit("anna", accept("anna"), rectangle(1));
  reopen();
  run();
  EXPECT_EQ(describe().counters.total_labeled, 1);
  submit("anna", accept("anna"), rectangle(2));
  const Assignment held = accept("anna");
  reopen();
  EXPECT_EQ(accept("anna").id, held.id);
  submit("anna", held, rectangle(3));
  reopen();
  run();
  EXPECT_EQ(describe().status, JobStatus::kCompleted);
  EXPECT_EQ(mask_at(manifest()[1]["turtle-ref"]), rectangle(2));
}

TEST_F(JobTest, MakesTheManifestOfAPrefixItself) {
  put_photos(3);
  put("photos/readme.txt", "no photo");
  JobSpec wanted = spec();
  wanted.input_uri = "s3://bucket/photos/";
  create(wanted);
  EXPECT_EQ(describe().objects, 3);
  EXPECT_EQ(accept("anna").object_index, 0);
}

TEST_F(JobTest, ABrokenManifestFailsTheJobNamingTheLine) {
  put_photos(1);
  put("input.manifest", "{\"source-ref\": \"s3://bucket/photos/0.png\"}\n\n{\"source\": \"text\"}\n");
  create(spec());
  EXPECT_EQ(describe().status, JobStatus::kFailed);
  EXPECT_THAT(describe().failure_reason, HasSubstr("input.manifest: line 3"));
  put("input.manifest", "");
  create(spec("empty"));
  EXPECT_EQ(describe("empty").status, JobStatus::kFailed);
}

TEST_F(JobTest, RefusesWhatCannotBeMeant) {
  put_photos(1);
  create(spec());
  EXPECT_EQ(jobs().create(spec("JOB")).error().code, ErrorCode::kAlreadyExists);
  JobSpec wanted = spec("other");
  wanted.output_uri = "s3://nowhere/x";
  EXPECT_THAT(jobs().create(wanted).error().message, HasSubstr("nowhere"));
  wanted = spec("other");
  wanted.input_uri = "s3://bucket/missing.manifest";
  EXPECT_THAT(jobs().create(wanted).error().message, HasSubstr("missing.manifest"));
  wanted = spec("other");
  wanted.pre_function.name = "mine";
  EXPECT_EQ(jobs().create(wanted).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(jobs().describe("none").error().code, ErrorCode::kNotFound);
}

TEST_F(JobTest, Holds253LabelsAndNoMore) {
  put_photos(1);
  std::vector<std::string> labels;
  for (int i = 1; i <= 253; ++i) labels.push_back("label " + std::to_string(i));
  set_labels(labels);
  create(spec());
  imaging::Mask mask(kSize);
  for (int i = 0; i <= 191; ++i) mask.set(i % 16, i / 16, static_cast<std::uint8_t>(i == 0 ? 253 : i + 61));
  submit("anna", accept("anna"), mask);
  run();
  EXPECT_EQ(mask_at(manifest()[0]["turtle-ref"]), mask);
  EXPECT_EQ(manifest()[0]["turtle-ref-metadata"]["internal-color-map"]["253"]["class-name"], "label 253");
  labels.push_back("one more");
  set_labels(labels);
  EXPECT_THAT(jobs().create(spec("more")).error().message, HasSubstr("254 labels"));
}

TEST_F(JobTest, TakesAWorkersAnswersOutWhileItRunsAndAfter) {
  put_photos(2);
  JobSpec wanted = spec();
  wanted.workers_per_object = 2;
  create(wanted);
  for (const char* id : {"anna", "mallory"}) submit(id, accept(id), rectangle(id[0] == 'm' ? 9 : 1));
  run();
  EXPECT_EQ(describe().counters.total_labeled, 1);
  ASSERT_OK(jobs().withdraw_worker("job", "mallory"));
  clock_.advance(1s);
  run();
  EXPECT_EQ(describe().counters.total_labeled, 0);
  EXPECT_EQ(jobs().withdraw_worker("job", "mallory").error().code, ErrorCode::kNotFound);
  // Object 0 goes to another worker, not to mallory again.
  EXPECT_EQ(accept("mallory").object_index, 1);
  submit("mallory", accept("mallory"), rectangle(9));
  submit("bert", accept("bert"), rectangle(1));
  submit("anna", accept("anna"), rectangle(1));
  run();
  ASSERT_EQ(describe().status, JobStatus::kCompleted);
  EXPECT_EQ(mask_at(manifest()[0]["turtle-ref"]), rectangle(1));
  // After the end: masks and manifest are made again without them.
  clock_.advance(1s);
  ASSERT_OK(jobs().withdraw_worker("job", "mallory"));
  run();
  EXPECT_EQ(describe().status, JobStatus::kCompleted);
  EXPECT_EQ(mask_at(manifest()[1]["turtle-ref"]), rectangle(1));
  EXPECT_EQ(manifest()[1]["turtle-ref-metadata"]["internal-color-map"]["1"]["confidence"], 0.0);
}

TEST_F(JobTest, OpensOneObjectAgain) {
  put_photos(2);
  create(spec());
  submit("anna", accept("anna"), rectangle(1));
  run();
  ASSERT_OK(jobs().reopen_object("job", 0, true));
  EXPECT_EQ(jobs().reopen_object("job", 0, true).error().code, ErrorCode::kConflict);
  EXPECT_EQ(jobs().reopen_object("job", 7, true).error().code, ErrorCode::kNotFound);
  submit("bert", accept("bert"), rectangle(4));
  submit("anna", accept("anna"), rectangle(5));
  run();
  EXPECT_EQ(describe().status, JobStatus::kCompleted);
  EXPECT_EQ(mask_at(manifest()[0]["turtle-ref"]), rectangle(4));
  EXPECT_EQ(mask_at(manifest()[1]["turtle-ref"]), rectangle(5));
}

TEST_F(JobTest, VerificationCountsChoices) {
  put_photos(1);
  set_labels({"good", "bad"});
  JobSpec wanted = spec();
  wanted.label_attribute = "check";
  wanted.workers_per_object = 3;
  wanted.pre_function.name = "PRE-VerificationSemanticSegmentation";
  wanted.post_function.name = "ACS-VerificationSemanticSegmentation";
  create(wanted);
  EXPECT_THAT(tasks().submit(worker("anna"), accept("anna").id, R"({"c":{"label":"ugly"}})").error().message,
              HasSubstr("good, bad"));
  for (const char* id : {"anna", "bert", "carl"})
    EXPECT_OK(tasks().submit(
        worker(id), accept(id).id,
        id[0] == 'a' ? R"({"c":{"label":"good"}})" : R"({"c":{"label":"bad"},"f":{"comments":"edge"}})"));
  run();
  EXPECT_EQ(manifest()[0]["check"], "1");
  EXPECT_EQ(manifest()[0]["check-metadata"]["class-name"], "bad");
  EXPECT_EQ(manifest()[0]["check-metadata"]["type"], "groundtruth/label-verification");
  EXPECT_EQ(manifest()[0]["check-metadata"]["worker-feedback"].size(), 2U);
}

TEST_F(JobTest, AVerificationDoesNotTakeTheMasksPlace) {
  set_labels({"good", "bad"});
  put("input.manifest",
      R"({"source-ref":"s3://bucket/photos/0.png","turtle-ref":"s3://bucket/m.png","turtle-ref-metadata":)"
      R"({"internal-color-map":{"1":{"class-name":"Turtle","hex-color":"#2ca02c"}}}})"
      "\n");
  JobSpec wanted = spec();
  wanted.pre_function.name = "PRE-VerificationSemanticSegmentation";
  wanted.post_function.name = "ACS-VerificationSemanticSegmentation";
  create(wanted);
  EXPECT_EQ(describe().status, JobStatus::kFailed);
  EXPECT_THAT(describe().failure_reason, HasSubstr("line 1: 'turtle-ref' is a mask here"));
}

TEST_F(JobTest, ListsFiltersAndSorts) {
  put_photos(1);
  for (const char* name : {"beta", "alpha", "gamma-no"}) {
    JobSpec wanted = spec(name);
    create(wanted);
    clock_.advance(1s);
  }
  const auto names = [&](const JobFilter& filter) {
    std::vector<std::string> result;
    const auto page = jobs().list(filter);
    EXPECT_OK(page);
    for (const JobRecord& job : page->jobs) result.push_back(job.spec.name);
    return result;
  };
  EXPECT_THAT(names({}), ElementsAre("beta", "alpha", "gamma-no"));
  JobFilter filter;
  filter.sort_by = JobFilter::SortBy::kName;
  filter.descending = true;
  EXPECT_THAT(names(filter), ElementsAre("gamma-no", "beta", "alpha"));
  filter.name_contains = "a-n";
  EXPECT_THAT(names(filter), ElementsAre("gamma-no"));
  filter.name_contains = "a_n";  // no pattern
  EXPECT_THAT(names(filter), ElementsAre());
  JobFilter page;
  page.limit = 2;
  EXPECT_TRUE(jobs().list(page)->more);
  page.offset = 2;
  EXPECT_FALSE(jobs().list(page)->more);
  EXPECT_TRUE(jobs().team_in_use(kTeam).value());
}

// The clock stands, so nothing that is due later ever is, and the engine looks for jobs once, when it starts:
// every step must wake it.
TEST_F(JobTest, EveryStepWakesTheEngine) {
  put_photos(3);
  options_.look_interval_ms = 3'600'000;
  reopen();
  service_->start();
  ASSERT_OK(jobs().create(spec("first")));  // its one look may still find this one
  until_status("first", JobStatus::kInProgress);
  ASSERT_OK(jobs().create(spec()));
  until_status("job", JobStatus::kInProgress);
  const auto state_of = [&](std::int64_t index) { return jobs().object("job", index)->state; };
  for (int i = 0; i < 2; ++i) {
    submit("anna", accept("anna"), rectangle(i));
    until([&] { return state_of(i) == ObjectState::kLabeled; });
  }
  ASSERT_OK(jobs().withdraw_worker("job", "anna"));
  until([&] { return state_of(0) == ObjectState::kOpen && state_of(1) == ObjectState::kOpen; });
  for (int i = 0; i < 3; ++i) submit("bert", accept("bert"), rectangle(i));
  until_status("job", JobStatus::kCompleted);
  EXPECT_EQ(manifest().size(), 3U);
  EXPECT_EQ(describe().counters.total_labeled, 3);

  for (int i = 0; i < 3; ++i)
    EXPECT_OK(tasks().decline(worker("anna"), accept("anna", "first").id, "too dark"));
  until_status("first", JobStatus::kCompleted);
  ASSERT_OK(jobs().create(spec("last")));
  until_status("last", JobStatus::kInProgress);
  ASSERT_OK(jobs().stop("last"));
  until_status("last", JobStatus::kStopped);
  service_->stop();
}

}  // namespace
}  // namespace terrapin::labeling::test
