#include "control/training_jobs.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "control/job_logs.h"
#include "control/process/training_work.h"

namespace terrapin::control {
namespace {

using jobs::JobRecord;
using storage::Transaction;

constexpr std::int64_t kScrapeBytes = 8 << 20;  // read of a log at a time
constexpr std::size_t kMostScraped = 2000;      // jobs whose numbers are kept in memory
constexpr std::int64_t kMaxOverlayBytes = 4 << 20;

jobs::Work work_of(const TrainingJobSpec& spec, const Slot& slot, const TrainingJobsOptions& options) {
  jobs::Work work =
      batch_work(options.program, kTrainingKind, options.data_dir, slot, training_spec_text(spec));
  work.environment = options.environment;
  if (spec.instance_count > 1) {
    // A process for each instance, and for each GPU.
    work.arguments.insert(work.arguments.end(),
                          {"--processes", std::to_string(std::max(spec.instance_count, slot.gpus))});
  }
  work.max_run = std::chrono::seconds(spec.max_run_s);
  return work;
}

}  // namespace

Result<OverlayIndex> parse_overlay_index(const std::string& text) {
  const auto json = nlohmann::json::parse(text, nullptr, false);
  const auto refuse = [] { return fail(ErrorCode::kCorrupt, "the index of overlays is none"); };
  if (!json.is_object() || json.value("version", 0) != 1) return refuse();
  OverlayIndex index;
  try {
    index.photos = json.at("photos").get<std::vector<std::string>>();
    index.epochs = json.at("epochs").get<std::vector<int>>();
  } catch (const nlohmann::json::exception&) {
    return refuse();
  }
  return index;
}

TrainingJobs::TrainingJobs(Resources& resources, jobs::JobStore& job_store, jobs::Runner& runner,
                           jobs::Supervisor& supervisor, TrainingJobsOptions options)
    : resources_(resources),
      job_store_(job_store),
      runner_(runner),
      supervisor_(supervisor),
      options_(std::move(options)),
      rows_(resources, job_store, runner, supervisor,
            {kTrainingJobKind, "training job", {kPhasesFile, kKeptOverlays}},
            [this](const JobRecord& job, const std::vector<jobs::JobChange>& changes,
                   const std::vector<Phase>& phases) -> Result<BatchFacts> {
              std::vector<MetricValue> metrics;
              if (!job.handle.empty()) {
                TERRAPIN_TRY(metrics, scrape(job.id));
              }
              TrainingJobState state = derive_training_state(job, changes, phases, last_of_each(metrics));
              TrainingTransition& last = state.transitions.back();
              const std::string waiting = supervisor_.waiting(job.id);
              if (last.step == TrainingStep::kStarting && !waiting.empty()) last.message += ". " + waiting;
              return BatchFacts{state.status, training_state_text(state)};
            }),
      log_source_(make_job_logs(resources_, runner_, kTrainingJobKind, "/aws/sagemaker/TrainingJobs",
                                [](const Resource& row) {
                                  const auto spec = parse_training_spec(row.spec);
                                  return spec ? spec->output_uri : std::string();
                                })) {}

TrainingJobs::~TrainingJobs() = default;

Result<TrainingJob> TrainingJobs::read(Resource row) {
  TrainingJob job;
  TERRAPIN_TRY(job.spec, parse_training_spec(row.spec));
  TERRAPIN_TRY(job.state, parse_training_state(row.state));
  job.resource = std::move(row);
  return job;
}

Result<TrainingJob> TrainingJobs::create(const TrainingJobSpec& spec, const std::string& owner,
                                         const std::map<std::string, std::string>& tags,
                                         const std::string& parent) {
  TERRAPIN_TRY(const Slot slot, options_.slots.of(spec.instance_type, spec.instance_count));
  const jobs::Work work = work_of(spec, slot, options_);
  Resource made;
  TERRAPIN_TRY_STATUS(resources_.database().write([&](Transaction& state) -> Status {
    Resource row;
    row.kind = kTrainingJobKind;
    row.name = spec.name;
    row.owner = owner;
    row.parent = parent;
    row.tags = tags;
    row.spec = training_spec_text(spec);
    JobRecord job;
    job.modified = resources_.now();
    row.state =
        training_state_text(derive_training_state(job, {{jobs::JobState::kPending, job.modified}}, {}, {}));
    row.status = batch_status_name(BatchStatus::kInProgress);
    TERRAPIN_TRY(row.job_id, job_store_.create(state, kTrainingKind, spec.name, work));
    TERRAPIN_TRY(made, resources_.create(state, std::move(row)));
    return {};
  }));
  supervisor_.wake();
  return read(std::move(made));
}

Result<TrainingJob> TrainingJobs::describe(const std::string& name) {
  TERRAPIN_TRY(Resource row, resources_.find(kTrainingJobKind, name));
  return read(std::move(row));
}

Result<TrainingJobPage> TrainingJobs::list(ResourceFilter filter) {
  filter.kind = kTrainingJobKind;
  TERRAPIN_TRY(ResourcePage rows, resources_.list(filter));
  TrainingJobPage page;
  page.more = rows.more;
  for (Resource& row : rows.resources) {
    TERRAPIN_TRY(TrainingJob job, read(std::move(row)));
    page.jobs.push_back(std::move(job));
  }
  return page;
}

Result<TrainingJob> TrainingJobs::stop(const std::string& name) {
  TERRAPIN_TRY(Resource row, rows_.stop(name));
  return read(std::move(row));
}

Result<std::vector<MetricValue>> TrainingJobs::scrape(const std::string& job_id) {
  std::shared_ptr<Scraped> scraped;
  {
    const std::lock_guard lock(mutex_);
    // Whichever goes is read again when somebody asks.
    if (scraped_.size() >= kMostScraped && !scraped_.contains(job_id)) scraped_.erase(scraped_.begin());
    auto& known = scraped_[job_id];
    if (!known) known = std::make_shared<Scraped>();
    scraped = known;
  }
  const std::lock_guard lock(scraped->mutex);
  for (;;) {
    TERRAPIN_TRY(const jobs::OutputPage page, runner_.output(job_id, scraped->offset, kScrapeBytes));
    for (const jobs::OutputLine& line : page.lines) scrape_metrics(line, scraped->values);
    if (page.next_offset == scraped->offset) return scraped->values;
    scraped->offset = page.next_offset;
  }
}

Result<std::vector<MetricValue>> TrainingJobs::metrics(const std::string& name) {
  TERRAPIN_TRY(const Resource row, resources_.find(kTrainingJobKind, name));
  return scrape(row.job_id);
}

Result<jobs::OutputPage> TrainingJobs::logs(const std::string& name, std::int64_t offset,
                                            std::int64_t max_bytes) {
  TERRAPIN_TRY(const Resource row, resources_.find(kTrainingJobKind, name));
  return runner_.output(row.job_id, offset, max_bytes);
}

Result<std::string> TrainingJobs::overlay_file(const std::string& name, const std::string& file) {
  TERRAPIN_TRY(const Resource row, resources_.find(kTrainingJobKind, name));
  TERRAPIN_TRY(const JobRecord job, job_store_.find(row.job_id));
  const auto read = [&](const std::string& folder) {
    return runner_.read_file(job.id, job.handle, folder + "/" + file, kMaxOverlayBytes);
  };
  auto found = read(kOverlaysFolder);
  // It has ended, or ends just now.
  if (!found && found.error().code == ErrorCode::kNotFound) found = read(kKeptOverlays);
  if (!found && found.error().code == ErrorCode::kNotFound)
    return fail(ErrorCode::kNotFound, "the training job '{}' has no picture '{}'", row.name, file);
  return found;
}

Result<std::optional<OverlayIndex>> TrainingJobs::overlays(const std::string& name) {
  const auto text = overlay_file(name, "index.json");
  if (!text && text.error().code == ErrorCode::kNotFound) {
    TERRAPIN_TRY(const Resource row, resources_.find(kTrainingJobKind, name));
    return std::optional<OverlayIndex>();
  }
  if (!text) return tl::unexpected<Error>(text.error());
  TERRAPIN_TRY(OverlayIndex index, parse_overlay_index(*text));
  return std::optional(std::move(index));
}

Result<std::string> TrainingJobs::overlay(const std::string& name, int epoch, std::int64_t photo) {
  return overlay_file(name, fmt::format("{}/{}.jpg", epoch == 0 ? "truth" : std::to_string(epoch), photo));
}

}  // namespace terrapin::control
