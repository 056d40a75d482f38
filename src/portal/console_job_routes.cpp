// The form for a new job, and what a job's page shows beside its objects.
#include "artifacts/label_categories.h"
#include "control/control_plane.h"
#include "portal/new_job.h"

namespace terrapin::portal {
namespace {

json function_json(const std::string& arn, const std::string& name, const char* kind) {
  return json{{"arn", arn}, {"name", name}, {"kind", kind}};
}

Status put_text(storage::ObjectStore& objects, const std::string& uri, const std::string& text,
                const char* type) {
  TERRAPIN_TRY(const storage::ObjectName name, storage::parse_s3_uri(uri));
  TERRAPIN_TRY_STATUS(storage::check_key(name.key));
  auto put = objects.put(name, *bytes_source(text), type);
  if (!put) return tl::unexpected<Error>(std::move(put.error()));
  return {};
}

void remove_file(storage::ObjectStore& objects, const std::string& uri) {
  if (const auto name = storage::parse_s3_uri(uri)) (void)objects.remove(*name);
}

}  // namespace

Portal::Implementation::Handled Portal::Implementation::settings(Call&) {
  const labeling::WorkforcesOptions& place = context_.workforces.options();
  json before = json::array(), after = json::array();
  for (const labeling::BuiltInFunction& one : labeling::built_in_functions())
    (one.before ? before : after)
        .push_back(function_json(built_in_arn(place.region, one.name), one.name,
                                 labeling::task_kind_name(one.kind)));
  TERRAPIN_TRY(const auto registered, context_.registered_functions());
  for (const std::string& name : registered) {
    const json function =
        function_json(fmt::format("arn:aws:lambda:{}:{}:function:{}", place.region, place.account_id, name),
                      name, "registered");
    before.push_back(function);
    after.push_back(function);
  }
  return json_answer(
      200, json{{"region", place.region},
                {"account_id", place.account_id},
                {"public_crowd_arn", context_.workforces.team_arn(labeling::TeamKind::kPublic, "default")},
                {"job_arn_prefix",
                 fmt::format("arn:aws:sagemaker:{}:{}:labeling-job/", place.region, place.account_id)},
                {"pre_functions", std::move(before)},
                {"post_functions", std::move(after)},
                {"limits",
                 {{"max_labels", artifacts::kMaxLabels + 1},  // one of them void
                  {"max_upload_bytes", context_.options.max_upload_bytes}}}});
}

Status Portal::Implementation::require_team(const std::string& arn) const {
  TERRAPIN_TRY(const auto team, context_.workforces.find_team(arn));
  if (team) return {};
  return fail(ErrorCode::kInvalidArgument, "'workteam_arn' is '{}': there is no such work team", arn);
}

Portal::Implementation::Handled Portal::Implementation::create_job(Call& call) {
  TERRAPIN_TRY(NewJob job, new_job_of(call.body, context_.workforces.options().region));
  labeling::JobSpec& spec = job.spec;
  spec.owner = identity::principal_of(call.account());
  TERRAPIN_TRY_STATUS(require_team(spec.workteam_arn));
  // Before anything is written.
  const auto present = context_.jobs.describe(spec.name);
  if (present) return fail(ErrorCode::kAlreadyExists, "'name': there is a labeling job '{}'", spec.name);
  if (present.error().code != ErrorCode::kNotFound) return tl::unexpected<Error>(present.error());
  TERRAPIN_TRY(const storage::ObjectName output, storage::parse_s3_uri(spec.output_uri));
  TERRAPIN_TRY_STATUS(require_bucket(call, output.bucket));
  if (job.categories_text) {
    TERRAPIN_TRY_STATUS(
        put_text(context_.objects, spec.categories_uri, *job.categories_text, "application/json"));
  }
  if (job.template_text) {
    TERRAPIN_TRY_STATUS(put_text(context_.objects, spec.template_uri, *job.template_text, "text/html"));
  }
  auto record = context_.jobs.create(spec);
  if (!record) {
    if (job.categories_text) remove_file(context_.objects, spec.categories_uri);
    if (job.template_text) remove_file(context_.objects, spec.template_uri);
    return tl::unexpected<Error>(std::move(record.error()));
  }
  return job_answer(201, *record);
}

Portal::Implementation::Handled Portal::Implementation::job_categories(Call& call) {
  TERRAPIN_TRY(const artifacts::LabelCategories categories, context_.jobs.categories(call.parameter("name")));
  json labels = json::array();
  const auto add = [&](const artifacts::ClassEntry& entry, int index, bool is_void) {
    labels.push_back(json{
        {"label", entry.name}, {"color", imaging::to_hex(entry.color)}, {"void", is_void}, {"index", index}});
  };
  for (int i = 1; i < categories.classes.size(); ++i)
    add(categories.classes.classes[static_cast<std::size_t>(i)], i, false);
  if (categories.void_label) add(*categories.void_label, imaging::Mask::kIgnore, true);
  return json_answer(200, json{{"labels", std::move(labels)}});
}

Portal::Implementation::Handled Portal::Implementation::job_template(Call& call) {
  TERRAPIN_TRY(const std::string text, context_.jobs.template_html(call.parameter("name")));
  return json_answer(200, json{{"template", text}});
}

// null: assistance has learned nothing from the job.
json Portal::Implementation::learned_json(const labeling::JobRecord& record) const {
  if (context_.control == nullptr) return nullptr;
  const auto learned = context_.control->assist_learnings().learned(record.id);
  // What cannot be read says nothing of how the job goes.
  if (!learned || !*learned) return nullptr;
  const control::AssistLearningOutcome& outcome = (*learned)->outcome;
  return json{{"photos", outcome.learned_from},
              {"held_out", outcome.held_out},
              {"iou_before", outcome.before.iou},
              {"iou_after", outcome.after.iou},
              {"time", time_text((*learned)->made)}};
}

Portal::Implementation::Handled Portal::Implementation::job_progress(Call& call) {
  TERRAPIN_TRY(const labeling::JobRecord record, context_.jobs.describe(call.parameter("name")));
  TERRAPIN_TRY(const labeling::JobProgress progress, context_.jobs.progress(call.parameter("name")));
  json series = json::array();
  for (const labeling::JobProgress::Point& point : progress.series)
    series.push_back(json{{"time", time_text(point.time)}, {"answers", point.answers}});
  return json_answer(200, json{{"job", job_json(record)},
                               {"answers", progress.answers},
                               {"answers_last_hour", progress.answers_last_hour},
                               {"median_seconds_per_answer",
                                progress.median_seconds ? json(*progress.median_seconds) : json()},
                               {"assistance_learned", learned_json(record)},
                               {"series", std::move(series)}});
}

}  // namespace terrapin::portal
