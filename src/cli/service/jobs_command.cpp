// terrapin jobs: labeling jobs from the command line, beside a running server, which does the work.
#include <nlohmann/json.hpp>

#include "base/json_text.h"
#include "cli/command.h"
#include "cli/service/installation.h"
#include "labeling/labeling_service.h"

namespace terrapin::cli {
namespace {

struct JobsOptions {
  InstallationOptions installation;
  std::string name, new_name, worker;
  std::int64_t index = 0;
  bool discard = false;
};

struct Opened {
  Installation installation;
  std::unique_ptr<storage::Database> state;
  std::unique_ptr<storage::ObjectStore> objects;
  std::unique_ptr<labeling::LabelingService> labeling;
};

Result<Opened> open_jobs(const JobsOptions& options) {
  Opened opened;
  TERRAPIN_TRY(opened.installation, open_installation(options.installation, false));
  TERRAPIN_TRY(opened.state, open_state(opened.installation));
  TERRAPIN_TRY(opened.objects, open_objects(opened.installation, system_clock()));
  labeling::LabelingOptions engine;
  engine.scratch_folder = opened.installation.scratch();
  TERRAPIN_TRY(opened.labeling,
               labeling::LabelingService::open(*opened.state, *opened.objects, system_clock(), engine, {}));
  return opened;
}

void print_job(const labeling::JobRecord& job, bool json) {
  if (json) {
    fmt::print("{}\n", json_text(nlohmann::ordered_json{{"name", job.spec.name},
                                                        {"status", labeling::job_status_name(job.status)},
                                                        {"failure_reason", job.failure_reason},
                                                        {"objects", job.objects},
                                                        {"labeled", job.counters.total_labeled},
                                                        {"failed", job.counters.failed_non_retryable},
                                                        {"manifest", job.output_dataset_uri}}));
  } else {
    fmt::print("{:<32}  {:<12}  {} of {} labelled, {} failed  {}\n", job.spec.name,
               labeling::job_status_name(job.status), job.counters.total_labeled, job.objects,
               job.counters.failed_non_retryable, job.failure_reason);
  }
}

Result<int> shown(Result<labeling::JobRecord> job, bool json) {
  if (!job) return tl::unexpected<Error>(std::move(job.error()));
  print_job(*job, json);
  return 0;
}

Result<int> list_jobs(labeling::JobService& jobs, bool json) {
  labeling::JobFilter filter;
  for (;;) {
    TERRAPIN_TRY(const auto page, jobs.list(filter));
    for (const labeling::JobRecord& job : page.jobs) print_job(job, json);
    if (!page.more) return 0;
    filter.offset += static_cast<std::int64_t>(page.jobs.size());
  }
}

Result<int> workers(labeling::JobService& jobs, const std::string& name, bool json) {
  TERRAPIN_TRY(const auto all, jobs.workers(name));
  for (const labeling::WorkerStatistics& worker : all) {
    if (json) {
      nlohmann::ordered_json line{{"worker", worker.worker_id},  {"submitted", worker.submitted},
                                  {"declined", worker.declined}, {"returned", worker.returned},
                                  {"expired", worker.expired},   {"seconds", worker.seconds_spent}};
      if (worker.reliability) line["reliability"] = *worker.reliability;
      fmt::print("{}\n", json_text(line));
    } else {
      fmt::print("{}  {} submitted, {} declined, {} returned, {} expired, {:.0f} s{}\n", worker.worker_id,
                 worker.submitted, worker.declined, worker.returned, worker.expired, worker.seconds_spent,
                 worker.reliability ? fmt::format(", reliability {:.3f}", *worker.reliability) : "");
    }
  }
  return 0;
}

using JobsWork = std::function<Result<int>(labeling::JobService&, const JobsOptions&, bool json)>;

}  // namespace

void add_jobs_command(CLI::App& app, Invocation& invocation) {
  auto options = std::make_shared<JobsOptions>();
  auto* jobs = app.add_subcommand("jobs", "Labeling jobs, beside a running server");
  jobs->require_subcommand(1);
  const auto add = [&](const char* name, const char* text, bool names_job, JobsWork work) {
    auto* command = jobs->add_subcommand(name, text);
    add_installation_options(*command, options->installation, false);
    if (names_job) command->add_option("JOB", options->name, "Name of the job")->required();
    command->add_flag("--json", invocation.json, "One JSON object a line");
    command->callback([options, &invocation, work] {
      invocation.action = [options, &invocation, work]() -> Result<int> {
        TERRAPIN_TRY(const Opened opened, open_jobs(*options));
        return work(opened.labeling->jobs(), *options, invocation.json);
      };
    });
    return command;
  };
  add("list", "All jobs", false,
      [](labeling::JobService& s, const JobsOptions&, bool json) { return list_jobs(s, json); });
  add("show", "One job", true, [](labeling::JobService& s, const JobsOptions& o, bool json) {
    return shown(s.describe(o.name), json);
  });
  add("stop", "End a job, keeping what is labelled", true,
      [](labeling::JobService& s, const JobsOptions& o, bool json) { return shown(s.stop(o.name), json); });
  add("clone", "The same job again under another name", true,
      [](labeling::JobService& s, const JobsOptions& o, bool json) {
        return shown(s.clone(o.name, o.new_name, ""), json);
      })
      ->add_option("NEW", options->new_name, "Name of the new job")
      ->required();
  add("continue", "A new job for what an ended one left unlabelled", true,
      [](labeling::JobService& s, const JobsOptions& o, bool json) {
        return shown(s.continue_job(o.name, o.new_name, ""), json);
      })
      ->add_option("NEW", options->new_name, "Name of the new job")
      ->required();
  auto* reopen = add("reopen", "Show one object to workers again", true,
                     [](labeling::JobService& s, const JobsOptions& o, bool) -> Result<int> {
                       TERRAPIN_TRY_STATUS(s.reopen_object(o.name, o.index, o.discard));
                       return 0;
                     });
  reopen->add_option("OBJECT", options->index, "Line of the manifest, from 0")->required();
  reopen->add_flag("--discard-answers", options->discard, "Do not count the answers it has");
  add("withdraw", "Take one worker's answers out", true,
      [](labeling::JobService& s, const JobsOptions& o, bool) -> Result<int> {
        TERRAPIN_TRY_STATUS(s.withdraw_worker(o.name, o.worker));
        return 0;
      })
      ->add_option("WORKER", options->worker, "Id of the worker, as `jobs workers` shows it")
      ->required();
  add("workers", "What each worker did", true,
      [](labeling::JobService& s, const JobsOptions& o, bool json) { return workers(s, o.name, json); });
}

}  // namespace terrapin::cli
