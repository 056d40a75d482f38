#include "control/training_state.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/json_text.h"
#include "jobs/json_members.h"

namespace terrapin::control {
namespace {

using jobs::JobState;
using nlohmann::json;
using nlohmann::ordered_json;

struct StepWords {
  TrainingStep step;
  const char *name, *message;
};
constexpr StepWords kSteps[] = {
    {TrainingStep::kPending, "Pending", "Training job waiting for capacity"},
    {TrainingStep::kStarting, "Starting", "Preparing the instances for training"},
    {TrainingStep::kDownloading, "Downloading", "Downloading input data"},
    {TrainingStep::kTraining, "Training", "Training image download completed. Training in progress."},
    {TrainingStep::kUploading, "Uploading", "Uploading generated training model"},
    {TrainingStep::kStopping, "Stopping", "Stopping the training job"},
    {TrainingStep::kCompleted, "Completed", "Training job completed"},
    {TrainingStep::kFailed, "Failed", "Training job failed"},
    {TrainingStep::kStopped, "Stopped", "Training job stopped"},
    {TrainingStep::kMaxRuntimeExceeded, "MaxRuntimeExceeded",
     "Training job runtime exceeded MaxRuntimeInSeconds provided"},
};

const StepWords& words_of(TrainingStep step) {
  return *std::find_if(std::begin(kSteps), std::end(kSteps),
                       [&](const StepWords& one) { return one.step == step; });
}

const StepWords* step_named(const std::string& name) {
  const auto found = std::find_if(std::begin(kSteps), std::end(kSteps),
                                  [&](const StepWords& one) { return one.name == name; });
  return found == std::end(kSteps) ? nullptr : &*found;
}

std::string model_of(const std::vector<Phase>& phases) {
  for (auto phase = phases.rbegin(); phase != phases.rend(); ++phase)
    if (const auto fact = phase->facts.find(kModelFact); fact != phase->facts.end()) return fact->second;
  return "";
}

void end_with(TrainingJobState& state, const jobs::JobRecord& job, const std::vector<Phase>& phases) {
  state.model_uri = model_of(phases);
  TrainingStep step = TrainingStep::kStopped;
  std::string message;
  state.status = BatchStatus::kStopped;
  if (job.state == JobState::kFailed || (job.state == JobState::kCompleted && state.model_uri.empty())) {
    state.status = BatchStatus::kFailed;
    step = TrainingStep::kFailed;
    state.model_uri.clear();
    state.failure_reason =
        job.state == JobState::kFailed
            ? failure_reason(job, "AlgorithmError")
            : "InternalServerError: The job ended without an error and did not say where its model lies.";
  } else if (job.state == JobState::kCompleted) {
    state.status = BatchStatus::kCompleted;
    step = TrainingStep::kCompleted;
  } else if (!job.failure.empty()) {
    // Stopped, and not because somebody asked for it.
    step = TrainingStep::kMaxRuntimeExceeded;
  }
  // What went wrong while it was stopped is told, though it failed nobody.
  if (state.status == BatchStatus::kStopped && job.ending && !job.ending->said.empty())
    message = fmt::format("{}. {}", words_of(step).message, job.ending->said);
  if (state.status == BatchStatus::kFailed) message = state.failure_reason;
  state.transitions.push_back({step, job.modified, {}, message.empty() ? words_of(step).message : message});
}

}  // namespace

const char* training_step_name(TrainingStep step) {
  return words_of(step).name;
}

std::int64_t TrainingJobState::seconds() const {
  if (!started || !ended) return 0;
  return std::chrono::ceil<std::chrono::seconds>(*ended - *started).count();
}

TrainingJobState derive_training_state(const jobs::JobRecord& job,
                                       const std::vector<jobs::JobChange>& changes,
                                       const std::vector<Phase>& phases, std::vector<MetricValue> metrics) {
  TrainingJobState state;
  state.metrics = std::move(metrics);
  std::optional<Timestamp> begun;
  for (const jobs::JobChange& change : changes) {
    const auto add = [&](TrainingStep step) {
      state.transitions.push_back({step, change.time, {}, words_of(step).message});
    };
    if (change.state == JobState::kPending) add(TrainingStep::kPending);
    if (change.state == JobState::kStarting) add(TrainingStep::kStarting);
    if (change.state == JobState::kStopping) add(TrainingStep::kStopping);
    if (change.state == JobState::kStarting || change.state == JobState::kRunning) begun = change.time;
    if (change.state == JobState::kRunning) state.started = change.time;
  }
  for (const Phase& phase : phases) {
    const StepWords* const step = step_named(phase.name);
    if (step == nullptr) continue;
    // Another machine's clock may be behind.
    state.transitions.push_back(
        {step->step, begun ? std::max(*begun, phase.time) : phase.time, {}, step->message});
  }
  std::stable_sort(state.transitions.begin(), state.transitions.end(),
                   [](const auto& a, const auto& b) { return a.start < b.start; });
  if (job.state == JobState::kStopping) state.status = BatchStatus::kStopping;
  if (jobs::has_ended(job.state)) {
    end_with(state, job, phases);
    if (state.started) state.ended = job.modified;
  }
  for (std::size_t i = 1; i < state.transitions.size(); ++i) {
    TrainingTransition& one = state.transitions[i];
    one.start = std::max(one.start, state.transitions[i - 1].start);
    state.transitions[i - 1].end = one.start;
  }
  if (jobs::has_ended(job.state)) state.transitions.back().end = state.transitions.back().start;
  return state;
}

std::string training_state_text(const TrainingJobState& state) {
  ordered_json transitions = ordered_json::array();
  for (const TrainingTransition& one : state.transitions) {
    transitions.push_back({{"step", training_step_name(one.step)},
                           {"start_us", to_microseconds(one.start)},
                           {"message", one.message}});
    if (one.end) transitions.back()["end_us"] = to_microseconds(*one.end);
  }
  ordered_json metrics = ordered_json::array();
  for (const MetricValue& one : state.metrics)
    metrics.push_back({{"name", one.name},
                       {"value", one.value},
                       {"time_us", to_microseconds(one.time)},
                       {"epoch", one.epoch}});
  ordered_json made{{"version", 1},
                    {"status", batch_status_name(state.status)},
                    {"transitions", std::move(transitions)},
                    {"failure_reason", state.failure_reason},
                    {"model_uri", state.model_uri},
                    {"metrics", std::move(metrics)}};
  jobs::put_time(made, "started_us", state.started);
  jobs::put_time(made, "ended_us", state.ended);
  return json_text(made);
}

Result<TrainingJobState> parse_training_state(const std::string& text) {
  TERRAPIN_TRY(const json from, jobs::parse_object(text, "the state of a training job"));
  TrainingJobState state;
  TERRAPIN_TRY(state.status, parse_batch_status(jobs::text_of(from, "status")));
  for (const json& one : from.value("transitions", json::array())) {
    const StepWords* const step = one.is_object() ? step_named(jobs::text_of(one, "step")) : nullptr;
    if (step == nullptr) return fail(ErrorCode::kCorrupt, "a transition of a training job names no step");
    state.transitions.push_back({step->step, from_microseconds(jobs::integer_of(one, "start_us", 0)),
                                 jobs::time_of(one, "end_us"), jobs::text_of(one, "message")});
  }
  if (state.transitions.empty()) return fail(ErrorCode::kCorrupt, "a training job has no transitions");
  state.failure_reason = jobs::text_of(from, "failure_reason");
  state.model_uri = jobs::text_of(from, "model_uri");
  for (const json& one : from.value("metrics", json::array())) {
    if (!one.is_object()) continue;
    const auto value = one.find("value");
    if (value == one.end() || !value->is_number()) continue;
    state.metrics.push_back({jobs::text_of(one, "name"), value->get<double>(),
                             from_microseconds(jobs::integer_of(one, "time_us", 0)),
                             static_cast<int>(jobs::integer_of(one, "epoch", 0))});
  }
  state.started = jobs::time_of(from, "started_us");
  state.ended = jobs::time_of(from, "ended_us");
  return state;
}

}  // namespace terrapin::control
