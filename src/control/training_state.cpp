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

constexpr std::size_t kMostReason = 1024;

struct StatusName {
  TrainingStatus status;
  const char* name;
};
constexpr StatusName kStatuses[] = {{TrainingStatus::kInProgress, "InProgress"},
                                    {TrainingStatus::kStopping, "Stopping"},
                                    {TrainingStatus::kCompleted, "Completed"},
                                    {TrainingStatus::kFailed, "Failed"},
                                    {TrainingStatus::kStopped, "Stopped"}};

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

// Whose fault it was begins the sentence, as the service that this follows has it.
std::string reason_of(const jobs::JobRecord& job) {
  const std::string& reason = job.failure;
  for (const char* begin : {"ClientError:", "AlgorithmError:", "InternalServerError:"})
    if (reason.starts_with(begin)) return jobs::first_characters(reason, kMostReason);
  const auto& ending = job.ending;
  const char* whose = "AlgorithmError: ";
  if (!ending) {
    // No process: it asks for more than there is.
    whose = "CapacityError: Unable to provision requested ML compute capacity. ";
  } else if (ending->out_of_memory) {
    whose = "ClientError: ";
  } else if (!ending->problem.empty() || ending->stop_asked) {
    whose = "InternalServerError: ";
  }
  return jobs::first_characters(whose + reason, kMostReason);
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
  state.status = TrainingStatus::kStopped;
  if (job.state == JobState::kFailed || (job.state == JobState::kCompleted && state.model_uri.empty())) {
    state.status = TrainingStatus::kFailed;
    step = TrainingStep::kFailed;
    state.model_uri.clear();
    state.failure_reason =
        job.state == JobState::kFailed
            ? reason_of(job)
            : "InternalServerError: The job ended without an error and did not say where its model lies.";
  } else if (job.state == JobState::kCompleted) {
    state.status = TrainingStatus::kCompleted;
    step = TrainingStep::kCompleted;
  } else if (!job.failure.empty()) {
    // Stopped, and not because somebody asked for it.
    step = TrainingStep::kMaxRuntimeExceeded;
  }
  // What went wrong while it was stopped is told, though it failed nobody.
  if (state.status == TrainingStatus::kStopped && job.ending && !job.ending->said.empty())
    message = fmt::format("{}. {}", words_of(step).message, job.ending->said);
  if (state.status == TrainingStatus::kFailed) message = state.failure_reason;
  state.transitions.push_back({step, job.modified, {}, message.empty() ? words_of(step).message : message});
}

std::optional<Timestamp> time_of(const json& from, const char* name) {
  const auto member = from.find(name);
  if (member == from.end() || !member->is_number_integer()) return std::nullopt;
  return from_microseconds(member->get<std::int64_t>());
}

}  // namespace

const char* training_status_name(TrainingStatus status) {
  return std::find_if(std::begin(kStatuses), std::end(kStatuses),
                      [&](const StatusName& one) { return one.status == status; })
      ->name;
}

Result<TrainingStatus> parse_training_status(std::string_view name) {
  for (const StatusName& one : kStatuses)
    if (one.name == name) return one.status;
  return fail(ErrorCode::kInvalidArgument, "'{}' is no status of a training job", name);
}

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
  if (job.state == JobState::kStopping) state.status = TrainingStatus::kStopping;
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
                    {"status", training_status_name(state.status)},
                    {"transitions", std::move(transitions)},
                    {"failure_reason", state.failure_reason},
                    {"model_uri", state.model_uri},
                    {"metrics", std::move(metrics)}};
  if (state.started) made["started_us"] = to_microseconds(*state.started);
  if (state.ended) made["ended_us"] = to_microseconds(*state.ended);
  return json_text(made);
}

Result<TrainingJobState> parse_training_state(const std::string& text) {
  TERRAPIN_TRY(const json from, jobs::parse_object(text, "the state of a training job"));
  TrainingJobState state;
  TERRAPIN_TRY(state.status, parse_training_status(jobs::text_of(from, "status")));
  for (const json& one : from.value("transitions", json::array())) {
    const StepWords* const step = one.is_object() ? step_named(jobs::text_of(one, "step")) : nullptr;
    if (step == nullptr) return fail(ErrorCode::kCorrupt, "a transition of a training job names no step");
    state.transitions.push_back({step->step, from_microseconds(jobs::integer_of(one, "start_us", 0)),
                                 time_of(one, "end_us"), jobs::text_of(one, "message")});
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
  state.started = time_of(from, "started_us");
  state.ended = time_of(from, "ended_us");
  return state;
}

}  // namespace terrapin::control
