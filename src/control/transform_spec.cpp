#include "control/transform_spec.h"

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/json_text.h"
#include "jobs/json_members.h"

namespace terrapin::control {
namespace {

using jobs::JobState;
using nlohmann::json;
using nlohmann::ordered_json;

constexpr const char* kOutputEnding = ".out";

// With the '/' at its end.
std::string output_folder(const TransformSpec& spec) {
  std::string uri = spec.output_uri;
  while (uri.ends_with('/')) uri.pop_back();
  return uri + "/";
}

std::int64_t count_of(const Phase& phase, const char* name) {
  const auto fact = phase.facts.find(name);
  if (fact == phase.facts.end()) return 0;
  std::int64_t count = 0;
  std::from_chars(fact->second.data(), fact->second.data() + fact->second.size(), count);
  return count;
}

bool is_text(const std::string& media_type) {
  return media_type == "application/json" || media_type.starts_with("text/");
}

}  // namespace

Status check_transform_spec(const TransformSpec& spec) {
  if (spec.source.kind == DataSource::Kind::kAugmentedManifest)
    return fail(ErrorCode::kInvalidArgument,
                "a transform reads a prefix or a manifest, not an augmented manifest");
  if (spec.join_lines && !is_text(spec.accept))
    return fail(ErrorCode::kInvalidArgument,
                "answers of type '{}' are binary: a line end would break them; assemble them with None, or "
                "accept application/json",
                spec.accept.empty() ? "image/png" : spec.accept);
  if (spec.max_concurrent < 0 || spec.max_concurrent > kMostConcurrentTransforms)
    return fail(ErrorCode::kInvalidArgument,
                "{} transforms at a time were asked for; at most {} are allowed, 0 leaves it to the model "
                "server",
                spec.max_concurrent, kMostConcurrentTransforms);
  if (spec.max_payload_mb < 0 || spec.max_payload_mb > 100)
    return fail(ErrorCode::kInvalidArgument, "a payload of {} MB was asked for; 0 to 100 are allowed",
                spec.max_payload_mb);
  if (spec.timeout_s < 1 || spec.timeout_s > 3600)
    return fail(ErrorCode::kInvalidArgument, "{} seconds for a request; 1 to 3600 are allowed",
                spec.timeout_s);
  if (spec.retries < 0 || spec.retries > 3)
    return fail(ErrorCode::kInvalidArgument, "{} retries of a request; 0 to 3 are allowed", spec.retries);
  return {};
}

std::string transform_spec_text(const TransformSpec& spec) {
  const bool manifest = spec.source.kind == DataSource::Kind::kManifest;
  const ordered_json made{{"version", 1},
                          {"name", spec.name},
                          {"model", spec.model},
                          {"model_uri", spec.model_uri},
                          {"environment", spec.environment},
                          {"source_kind", manifest ? "manifest" : "prefix"},
                          {"source_uri", spec.source.uri},
                          {"content_type", spec.content_type},
                          {"accept", spec.accept},
                          {"join_lines", spec.join_lines},
                          {"output_uri", spec.output_uri},
                          {"max_concurrent", spec.max_concurrent},
                          {"max_payload_mb", spec.max_payload_mb},
                          {"timeout_s", spec.timeout_s},
                          {"retries", spec.retries},
                          {"instance_type", spec.instance_type},
                          {"instance_count", spec.instance_count},
                          {"allowed_buckets", spec.allowed_buckets},
                          {"notes", spec.notes},
                          {"kept", spec.kept}};
  return json_text(made);
}

Result<TransformSpec> parse_transform_spec(const std::string& text) {
  TERRAPIN_TRY(const json from, jobs::parse_object(text, "the description of a transform"));
  TransformSpec spec;
  spec.name = jobs::text_of(from, "name");
  spec.model = jobs::text_of(from, "model");
  spec.model_uri = jobs::text_of(from, "model_uri");
  spec.environment = jobs::text_map_of(from, "environment");
  const std::string kind = jobs::text_of(from, "source_kind");
  if (kind != "prefix" && kind != "manifest")
    return fail(ErrorCode::kCorrupt, "'{}' is no kind of a transform's source", kind);
  spec.source.kind = kind == "manifest" ? DataSource::Kind::kManifest : DataSource::Kind::kPrefix;
  spec.source.uri = jobs::text_of(from, "source_uri");
  spec.content_type = jobs::text_of(from, "content_type");
  spec.accept = jobs::text_of(from, "accept");
  spec.join_lines = jobs::flag_of(from, "join_lines");
  spec.output_uri = jobs::text_of(from, "output_uri");
  spec.max_concurrent = static_cast<int>(jobs::integer_of(from, "max_concurrent", 0));
  spec.max_payload_mb = jobs::integer_of(from, "max_payload_mb", 0);
  spec.timeout_s = jobs::integer_of(from, "timeout_s", 600);
  spec.retries = static_cast<int>(jobs::integer_of(from, "retries", 3));
  spec.instance_type = jobs::text_of(from, "instance_type");
  spec.instance_count = static_cast<int>(jobs::integer_of(from, "instance_count", 1));
  spec.allowed_buckets = jobs::texts_of(from, "allowed_buckets");
  spec.notes = jobs::texts_of(from, "notes");
  spec.kept = jobs::text_of(from, "kept");
  TERRAPIN_TRY_STATUS(check_transform_spec(spec));
  return spec;
}

std::string transform_output_uri(const TransformSpec& spec, const std::string& file) {
  return output_folder(spec) + file + kOutputEnding;
}

bool is_transform_output(const TransformSpec& spec, const storage::ObjectName& object) {
  const std::string uri = storage::s3_uri(object);
  return uri.starts_with(output_folder(spec)) && uri.ends_with(kOutputEnding);
}

TransformState derive_transform_state(const jobs::JobRecord& job, const std::vector<jobs::JobChange>& changes,
                                      const std::vector<Phase>& phases) {
  TransformState state;
  for (const jobs::JobChange& change : changes)
    if (change.state == JobState::kRunning) state.started = change.time;
  const auto whole = std::find_if(phases.begin(), phases.end(),
                                  [](const Phase& phase) { return phase.facts.contains(kDoneFact); });
  if (whole != phases.end()) {
    state.done = count_of(*whole, kDoneFact);
    state.failed = count_of(*whole, kFailedFact);
  }
  if (job.state == JobState::kStopping) state.status = BatchStatus::kStopping;
  if (!jobs::has_ended(job.state)) return state;
  state.ended = job.modified;
  state.status = BatchStatus::kStopped;
  if (job.state == JobState::kFailed) {
    state.status = BatchStatus::kFailed;
    state.failure_reason = failure_reason(job, "InternalServerError");
  } else if (job.state == JobState::kCompleted && whole == phases.end()) {
    state.status = BatchStatus::kFailed;
    state.failure_reason = "InternalServerError: The job ended without an error and did not say what it did.";
  } else if (job.state == JobState::kCompleted) {
    state.status = BatchStatus::kCompleted;
  }
  return state;
}

std::string transform_state_text(const TransformState& state) {
  ordered_json made{{"version", 1},
                    {"status", batch_status_name(state.status)},
                    {"failure_reason", state.failure_reason},
                    {"done", state.done},
                    {"failed", state.failed}};
  jobs::put_time(made, "started_us", state.started);
  jobs::put_time(made, "ended_us", state.ended);
  return json_text(made);
}

Result<TransformState> parse_transform_state(const std::string& text) {
  TERRAPIN_TRY(const json from, jobs::parse_object(text, "the state of a transform"));
  TransformState state;
  TERRAPIN_TRY(state.status, parse_batch_status(jobs::text_of(from, "status")));
  state.failure_reason = jobs::text_of(from, "failure_reason");
  state.done = jobs::integer_of(from, "done", 0);
  state.failed = jobs::integer_of(from, "failed", 0);
  state.started = jobs::time_of(from, "started_us");
  state.ended = jobs::time_of(from, "ended_us");
  return state;
}

}  // namespace terrapin::control
