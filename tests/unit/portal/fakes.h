// Stands in for what the portal talks to: the contracts of its interfaces on a few values in memory.
#pragma once

#include <map>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "labeling/jobs/job_service.h"
#include "labeling/tasks/task_service.h"
#include "unit/storage/fake_objects.h"

namespace terrapin::test {

// One job, "job-1" of owner "requester-key", with as many objects as are asked for.
class FakeTasks final : public labeling::TaskService {
 public:
  explicit FakeTasks(const Clock& clock) : clock_(clock) {}
  std::vector<std::string> readable_uris{"s3://photos/a.jpg"};
  std::string task_input = R"({"taskObject": "s3://photos/a.jpg", "labels": ["Turtle"]})";
  labeling::Worker last_worker;  // as the portal told it

  Result<std::vector<labeling::WorkerJob>> jobs(const labeling::Worker& worker) override {
    last_worker = worker;
    std::vector<labeling::WorkerJob> jobs;
    if (worker.workteam_arns.empty()) return jobs;
    labeling::WorkerJob job;
    job.job_name = "job-1";
    job.title = "Turtles";
    job.task_time_limit_s = 600;
    job.available = 3;
    job.workteam_arn = worker.workteam_arns.front();
    job.price = labeling::Price{0, 1, 2};
    jobs.push_back(job);
    return jobs;
  }
  Result<std::optional<labeling::Assignment>> accept_next(const labeling::Worker& worker,
                                                          const std::string& job, bool) override {
    if (job == "empty") return std::optional<labeling::Assignment>();
    Held held;
    held.worker = worker.id;
    held.lease.id = "assignment-" + std::to_string(held_.size() + 1);
    held.lease.job_name = "job-1";
    held.lease.accepted = clock_.now();
    held.lease.deadline = clock_.now() + std::chrono::seconds(600);
    held_[held.lease.id] = held;
    return std::optional(held.lease);
  }
  Result<labeling::TaskContent> content(const labeling::Worker& worker, const std::string& id) override {
    TERRAPIN_TRY(Held * held, find(worker, id));
    labeling::TaskContent content;
    content.assignment = held->lease;
    content.title = "Turtles";
    content.task_input_json = task_input;
    content.template_html = "<crowd-form></crowd-form>";
    content.readable_uris = readable_uris;
    content.labels = {"Turtle"};
    content.colors = {"#2ca02c"};
    content.voids = {false};
    content.indices = {1};
    content.label_attribute = "turtle-ref";
    content.draft_owner = held->draft.owner;
    content.draft_next_sequence = next_sequence(*held);
    return content;
  }
  Result<labeling::Assignment> assignment(const labeling::Worker& worker, const std::string& id) override {
    TERRAPIN_TRY(Held * held, find(worker, id));
    return held->lease;
  }
  Result<std::vector<labeling::Assignment>> history(const labeling::Worker& worker, std::int64_t,
                                                    int) override {
    std::vector<labeling::Assignment> list;
    for (const auto& [id, held] : held_)
      if (held.worker == worker.id) list.push_back(held.lease);
    return list;
  }
  Result<labeling::DraftState> open_draft(const labeling::Worker& worker, const std::string& id,
                                          const std::string& tab) override {
    TERRAPIN_TRY(Held * held, find(worker, id));
    held->draft.owner = tab;
    return held->draft;
  }
  Result<std::int64_t> save_draft(const labeling::Worker& worker, const std::string& id,
                                  const std::string& tab,
                                  const std::vector<labeling::DraftDelta>& deltas) override {
    TERRAPIN_TRY(Held * held, find(worker, id));
    if (held->draft.owner != tab) return fail(ErrorCode::kConflict, "another tab owns the draft");
    for (const labeling::DraftDelta& delta : deltas) {
      if (delta.sequence != next_sequence(*held))
        return fail(ErrorCode::kConflict, "expected sequence {}", next_sequence(*held));
      held->draft.deltas.push_back(delta);
    }
    return next_sequence(*held);
  }
  Status save_snapshot(const labeling::Worker& worker, const std::string& id, const std::string& tab,
                       std::int64_t base, const std::string& snapshot) override {
    TERRAPIN_TRY(Held * held, find(worker, id));
    if (held->draft.owner != tab) return fail(ErrorCode::kConflict, "another tab owns the draft");
    held->draft.snapshot = snapshot;
    held->draft.base_sequence = base;
    std::erase_if(held->draft.deltas, [&](const auto& delta) { return delta.sequence <= base; });
    return {};
  }
  Status discard_draft(const labeling::Worker& worker, const std::string& id) override {
    TERRAPIN_TRY(Held * held, find(worker, id));
    held->draft = {};
    return {};
  }
  Result<labeling::Assignment> submit(const labeling::Worker& worker, const std::string& id,
                                      const std::string& answer) override {
    TERRAPIN_TRY(Held * held, find(worker, id));
    if (answer.front() != '{') return fail(ErrorCode::kInvalidArgument, "the answer must be an object");
    held->answer = answer;
    held->lease.state = labeling::AssignmentState::kSubmitted;
    held->lease.submitted = clock_.now();
    held->lease.correctable = true;
    return held->lease;
  }
  Result<labeling::Assignment> decline(const labeling::Worker& worker, const std::string& id,
                                       const std::string& reason) override {
    TERRAPIN_TRY(Held * held, find(worker, id));
    last_reason = reason;
    held->lease.state = labeling::AssignmentState::kDeclined;
    return held->lease;
  }
  Result<labeling::Assignment> give_back(const labeling::Worker& worker, const std::string& id) override {
    TERRAPIN_TRY(Held * held, find(worker, id));
    held->lease.state = labeling::AssignmentState::kReturned;
    return held->lease;
  }
  Result<std::optional<std::string>> previous(const labeling::Worker& worker, const std::string& job,
                                              const std::string& before) override {
    last_previous = job + " " + before;
    for (const auto& [id, held] : held_)
      if (held.worker == worker.id && held.lease.submitted && id != before) return std::optional(id);
    return std::optional<std::string>();
  }
  std::string last_previous;
  Result<std::string> answer(const labeling::Worker& worker, const std::string& id) override {
    TERRAPIN_TRY(Held * held, find(worker, id));
    return held->answer;
  }
  std::string last_reason;

 private:
  struct Held {
    std::string worker, answer = "{}";
    labeling::Assignment lease;
    labeling::DraftState draft;
  };
  static std::int64_t next_sequence(const Held& held) {
    return (held.draft.deltas.empty() ? held.draft.base_sequence : held.draft.deltas.back().sequence) + 1;
  }
  Result<Held*> find(const labeling::Worker& worker, const std::string& id) {
    const auto found = held_.find(id);
    if (found == held_.end() || found->second.worker != worker.id)
      return fail(ErrorCode::kNotFound, "there is no assignment '{}'", id);
    return &found->second;
  }
  const Clock& clock_;
  std::map<std::string, Held> held_;
};

class FakeJobs : public labeling::JobService {
 public:
  FakeJobs() {
    record_.id = "id-1";
    record_.spec.name = "job-1";
    record_.spec.owner = "requester-key";
    record_.spec.output_uri = "s3://out/jobs";
    record_.spec.label_attribute = "turtle-ref";
    record_.spec.max_percent_labeled = 50;
    record_.status = labeling::JobStatus::kInProgress;
  }
  void give_output(const std::string& manifest, std::int64_t labeled) {
    record_.output_dataset_uri = manifest;
    record_.counters.total_labeled = labeled;
  }
  std::vector<std::string> calls;
  labeling::JobFilter last_filter;
  labeling::ObjectFilter last_objects;
  labeling::JobSpec last_spec;

  Result<labeling::JobRecord> create(const labeling::JobSpec& spec) override {
    last_spec = spec;
    if (!create_error.empty()) return fail(ErrorCode::kInvalidArgument, "{}", create_error);
    labeling::JobRecord record;
    record.spec = spec;
    return record;
  }
  std::string create_error;
  artifacts::LabelCategories categories_{{{{"BACKGROUND", {255, 255, 255}}, {"Turtle", {44, 160, 44}}}}, {}};
  Result<artifacts::LabelCategories> categories(const std::string& name) override {
    TERRAPIN_TRY([[maybe_unused]] const auto record, find(name));
    return categories_;
  }
  Result<std::string> template_html(const std::string& name) override {
    TERRAPIN_TRY([[maybe_unused]] const auto record, find(name));
    return std::string("<crowd-form></crowd-form>");
  }
  std::map<std::int64_t, labeling::ObjectRecord> objects_;
  std::vector<labeling::AnswerRecord> answers_{{"assignment-1", "w", "s3://out/a.json", {}, {}, true}};
  Result<labeling::ObjectRecord> object(const std::string& name, std::int64_t index) override {
    TERRAPIN_TRY([[maybe_unused]] const auto record, find(name));
    if (!objects_.contains(index)) return fail(ErrorCode::kNotFound, "there is no object {}", index);
    return objects_.at(index);
  }
  Result<labeling::JobProgress> progress(const std::string& name) override {
    TERRAPIN_TRY([[maybe_unused]] const auto record, find(name));
    labeling::JobProgress progress;
    progress.answers = 3;
    progress.answers_last_hour = 2;
    progress.median_seconds = 12.5;
    progress.series = {{from_microseconds(0), 1}, {from_microseconds(1'000'000), 3}};
    return progress;
  }
  Result<labeling::FinishedMasks> finished_masks(const std::string&, int) override {
    return not_in_this_fake();
  }
  Result<labeling::JobRecord> describe(const std::string& name) override { return find(name); }
  Result<labeling::JobPage> list(const labeling::JobFilter& filter) override {
    last_filter = filter;
    return labeling::JobPage{{record_}, true};
  }
  Result<labeling::JobRecord> stop(const std::string& name) override { return find(name, "stop"); }
  Result<labeling::JobRecord> clone(const std::string& name, const std::string& new_name,
                                    const std::string& owner) override {
    return find(name, "clone " + new_name + " for " + owner);
  }
  Result<labeling::JobRecord> continue_job(const std::string& name, const std::string& new_name,
                                           const std::string& owner) override {
    return find(name, "continue " + new_name + " for " + owner);
  }
  Result<labeling::JobRecord> chain(const std::string& name, labeling::JobSpec spec) override {
    last_spec = spec;
    return find(name, "chain " + spec.name);
  }
  Result<std::vector<labeling::ObjectRecord>> objects(const std::string& name,
                                                      const labeling::ObjectFilter& filter) override {
    last_objects = filter;
    TERRAPIN_TRY([[maybe_unused]] const auto record, find(name));
    std::vector<labeling::ObjectRecord> all;
    for (const auto& [index, one] : objects_)
      if (!filter.state || one.state == *filter.state) all.push_back(one);
    if (!objects_.empty()) return all;
    labeling::ObjectRecord object;
    object.index = 4;
    object.state = labeling::ObjectState::kLabeled;
    object.disagreement = 0.25;
    return std::vector{object};
  }
  Result<std::vector<labeling::AnswerRecord>> answers(const std::string& name, std::int64_t index) override {
    TERRAPIN_TRY([[maybe_unused]] const auto record, find(name, "answers " + std::to_string(index)));
    return answers_;
  }
  Status reopen_object(const std::string& name, std::int64_t index, bool discard) override {
    TERRAPIN_TRY([[maybe_unused]] const auto record, find(name, fmt::format("reopen {} {}", index, discard)));
    return {};
  }
  Status withdraw_worker(const std::string& name, const std::string& worker) override {
    TERRAPIN_TRY([[maybe_unused]] const auto record, find(name, "withdraw " + worker));
    return {};
  }
  Result<std::vector<labeling::WorkerStatistics>> workers(const std::string& name) override {
    TERRAPIN_TRY([[maybe_unused]] const auto record, find(name));
    return std::vector{labeling::WorkerStatistics{"w", 3, 0, 0, 0, 12.5, 0.9}};
  }
  Result<bool> team_in_use(const std::string& arn) override { return arn == busy_team; }
  std::string busy_team;
  labeling::JobRecord& record() { return record_; }

 private:
  Result<labeling::JobRecord> find(const std::string& name, const std::string& call = {}) {
    if (name != "job-1") return fail(ErrorCode::kNotFound, "there is no job '{}'", name);
    if (!call.empty()) calls.push_back(call);
    return record_;
  }
  labeling::JobRecord record_;
};

}  // namespace terrapin::test
