#include "cli/service/assist_learner.h"

#include <map>
#include <set>
#include <utility>

#include "base/logging.h"
#include "storage/object_store.h"

namespace terrapin::cli {

AssistLearner::AssistLearner(const Assistance& assistance, labeling::JobService& jobs,
                             control::AssistLearnings& learnings, const Clock& clock, MayRead may_read,
                             AssistLearnerOptions options)
    : assistance_(assistance),
      jobs_(jobs),
      learnings_(learnings),
      clock_(clock),
      may_read_(std::move(may_read)),
      options_(std::move(options)),
      looks_("assistance learning", options_.look_interval, [this] { look_and_tell(); }) {}

void AssistLearner::look_and_tell() {
  const Status looked = look();
  // The same trouble is told once.
  if (!looked && looked.error().message != said_)
    spdlog::error("assistance learning: {}", looked.error().message);
  said_ = looked ? "" : looked.error().message;
}

Status AssistLearner::look() {
  Status first = forget_old();
  if (assistance_.model.empty()) return first;
  labeling::JobFilter filter;
  filter.status = labeling::JobStatus::kInProgress;
  for (bool more = true; more; filter.offset += filter.limit) {
    const auto listed = jobs_.list(filter);
    if (!listed) return first ? tl::unexpected<Error>(listed.error()) : first;
    const labeling::JobPage& page = *listed;
    for (const labeling::JobRecord& job : page.jobs) {
      const Status considered = consider(job);
      if (!considered && first)
        first = with_context(considered.error(), fmt::format("labeling job {}", job.spec.name));
    }
    more = page.more;
  }
  return first;
}

Status AssistLearner::consider(const labeling::JobRecord& job) {
  if (!labeling::assist_learning_wanted(job.spec).value_or(options_.wanted)) return {};
  if (labeling::task_kind(job.spec) == labeling::TaskKind::kVerification) return {};
  TERRAPIN_TRY(const control::AssistLearnings::Standing standing, learnings_.standing(job.id));
  if (standing.under_way) return {};
  TERRAPIN_TRY(const labeling::FinishedMasks counted, jobs_.finished_masks(job.spec.name, 0));
  if (!control::learning_is_due(counted.count, standing.tried, options_.first_photos)) return {};
  TERRAPIN_TRY(const labeling::FinishedMasks masks,
               jobs_.finished_masks(job.spec.name, control::kMostLearningPhotos));
  control::AssistLearningTask task;
  task.labeling_job = job.spec.name;
  task.model = assistance_.model;
  task.labeled = masks.count;
  task.steps = options_.steps;
  task.rate = options_.rate;
  std::map<std::string, bool> readable;  // by bucket, for the job's owner
  std::set<std::string> seen;            // a photo on two lines must not be learned from and judged by
  for (const labeling::FinishedMask& mask : masks.newest) {
    if (!seen.insert(mask.source_uri).second) continue;
    bool allowed = true;
    for (const std::string& uri : {mask.source_uri, mask.mask_uri}) {
      const auto name = storage::parse_s3_uri(uri);
      if (name && !readable.contains(name->bucket)) {
        TERRAPIN_TRY(readable[name->bucket], may_read_(job.spec.owner, name->bucket));
      }
      allowed = allowed && name && readable[name->bucket];
    }
    if (allowed) task.photos.push_back({mask.source_uri, mask.mask_uri});
  }
  const std::size_t photos = task.photos.size();
  TERRAPIN_TRY(const bool begun,
               learnings_.begin(job.id, std::move(task), job.spec.owner, job.spec.output_uri));
  if (begun)
    spdlog::info("assistance of labeling job {}: learns from its newest {} photos", job.spec.name, photos);
  return {};
}

// Answers of these jobs are gone by then (labeling's retention); so is what was learned from them.
Status AssistLearner::forget_old() {
  if (options_.retain_days <= 0) return {};
  TERRAPIN_TRY(const auto all, learnings_.all());
  Status first;
  const Timestamp before = clock_.now() - std::chrono::hours(24) * options_.retain_days;
  for (const auto& [id, standing] : all) {
    if (standing.under_way) continue;
    const auto job = jobs_.describe(standing.labeling_job);
    if (!job && job.error().code != ErrorCode::kNotFound) {
      if (first) first = tl::unexpected<Error>(job.error());
      continue;
    }
    if (job && job->id == id && (!labeling::has_ended(job->status) || job->modified >= before)) continue;
    const Status forgotten = learnings_.forget(id);
    if (!forgotten && first) first = forgotten;
  }
  return first;
}

std::shared_ptr<const assist::Assistant> AssistLearner::assistant_of(const std::string& job_id) {
  if (!assistance_.others) return nullptr;
  // Once more if the model was replaced between its name and its file.
  for (int i = 0; i < 2; ++i) {
    const auto learned = learnings_.learned(job_id);
    if (!learned) {
      spdlog::error("assistance: {}", learned.error().message);
      return nullptr;
    }
    if (!*learned) return nullptr;
    const auto assistant = assistance_.others->of((*learned)->model);
    if (assistant) return *assistant;
  }
  return nullptr;
}

}  // namespace terrapin::cli
