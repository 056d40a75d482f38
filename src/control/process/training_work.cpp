#include "control/process/training_work.h"

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>

#include "artifacts/archive.h"
#include "base/child_process.h"
#include "base/files.h"
#include "base/interrupt.h"
#include "base/json_text.h"
#include "control/process/child_environment.h"
#include "control/process/phases.h"
#include "control/process/saying.h"
#include "control/process/transfer.h"
#include "control/training_spec.h"

namespace terrapin::control {
namespace {

namespace fs = std::filesystem;
using nlohmann::ordered_json;
using storage::ObjectName;

constexpr std::chrono::milliseconds kChildLook{200};
// What a job fetches and makes, in its work folder.
constexpr const char* kOwnFolders[] = {"input", "model", "checkpoints", "output"};
constexpr const char *kModelArchive = "model.tar.gz", *kOutputArchive = "output.tar.gz";

std::string size_text(std::int64_t bytes) {
  return bytes < 10 << 20 ? fmt::format("{} KiB", (bytes + 1023) >> 10) : fmt::format("{} MiB", bytes >> 20);
}

struct Outcome {
  int code = 0;
  std::optional<int> signal;
};

class TrainingRun {
 public:
  TrainingRun(storage::ObjectStore& objects, const Clock& clock, const TrainingWork& work,
              TrainingJobSpec spec)
      : clock_(clock),
        work_(work),
        spec_(std::move(spec)),
        transfer_(objects, spec_.allowed_buckets),
        checkpoints_(transfer_, work.folder / "checkpoints", spec_.checkpoint_uri) {}

  Result<Outcome> run() {
    TERRAPIN_TRY(PhaseLog phases, PhaseLog::open(work_.folder, clock_));
    for (const std::string& note : spec_.notes) say("{}", note);
    if (work_.check_hyperparameters) {
      TERRAPIN_TRY_STATUS(work_.check_hyperparameters(spec_.hyperparameters));
    }
    TERRAPIN_TRY_STATUS(phases.add("Downloading"));
    if (const Status fetched = fetch(); !fetched) {
      if (fetched.error().code == ErrorCode::kCancelled) return tl::unexpected<Error>(fetched.error());
      return with_context(fetched.error(), "Data download failed");
    }
    TERRAPIN_TRY_STATUS(configure());
    TERRAPIN_TRY_STATUS(phases.add("Training"));
    TERRAPIN_TRY(const Outcome outcome, train());
    const Status saved = save_checkpoints();
    if (outcome.signal || outcome.code != 0) {
      if (!saved) say("checkpoints: {}", saved.error().message);
      return outcome;
    }
    TERRAPIN_TRY_STATUS(saved);
    TERRAPIN_TRY_STATUS(phases.add("Uploading"));
    TERRAPIN_TRY(const std::string model, store());
    TERRAPIN_TRY_STATUS(phases.add("Uploaded", {{kModelFact, model}}));
    return outcome;
  }

 private:
  Status fetch() {
    for (const DataChannel& channel : spec_.channels) {
      TERRAPIN_TRY(const fs::path name, local_file(channel.name));
      const fs::path folder = work_.folder / "input" / "data" / name;
      auto got = channel.source.kind == DataSource::Kind::kAugmentedManifest
                     ? transfer_.download_augmented(channel.source, folder,
                                                    work_.folder / "input" / "objects", buckets_)
                     : transfer_.download(channel.source, folder);
      if (!got) return with_context(std::move(got.error()), fmt::format("channel {}", channel.name));
      say("channel {}: {} objects, {}, from {}", channel.name, got->objects, size_text(got->bytes),
          channel.source.uri);
    }
    if (spec_.checkpoint_uri.empty()) return {};
    TERRAPIN_TRY(const Transferred earlier, checkpoints_.restore());
    if (earlier.objects > 0)
      say("checkpoints: {} objects, {}, from {}", earlier.objects, size_text(earlier.bytes),
          spec_.checkpoint_uri);
    return {};
  }

  Status configure() const {
    const fs::path config = work_.folder / "input" / "config";
    ordered_json channels = ordered_json::object();
    for (const DataChannel& channel : spec_.channels) {
      ordered_json made{
          {"TrainingInputMode", channel.input_mode.empty() ? spec_.input_mode : channel.input_mode},
          {"S3DistributionType", channel.distribution.empty() ? "FullyReplicated" : channel.distribution},
          {"RecordWrapperType", channel.record_wrapper.empty() ? "None" : channel.record_wrapper}};
      if (!channel.content_type.empty()) made["ContentType"] = channel.content_type;
      if (!channel.source.attributes.empty()) made["AttributeNames"] = channel.source.attributes;
      channels[channel.name] = std::move(made);
    }
    // One machine, whatever number of instances it stands for: others would stand in "hosts".
    const ordered_json resources{
        {"current_host", "algo-1"}, {"hosts", {"algo-1"}}, {"network_interface_name", "lo"}};
    for (const auto& [name, json] :
         {std::pair("hyperparameters.json", ordered_json(spec_.hyperparameters)),
          std::pair("inputdataconfig.json", channels), std::pair("resourceconfig.json", resources)}) {
      TERRAPIN_TRY_STATUS(write_file_atomically(config / name, json_text(json, 2) + "\n"));
    }
    for (const char* folder : {"model", "checkpoints", "output/data"}) {
      std::error_code problem;
      fs::create_directories(work_.folder / folder, problem);
      if (problem) return fail(ErrorCode::kIo, "{}: {}", folder, problem.message());
    }
    return {};
  }

  std::vector<std::string> environment() const {
    std::vector<std::string> variables = child_environment(spec_.environment);
    // Relative to the folder that the training runs in.
    std::string roots = "TERRAPIN_S3_ROOTS=";
    for (const std::string& bucket : buckets_) roots += fmt::format("{0}=input/objects/{0};", bucket);
    variables.push_back(roots);
    return variables;
  }

  Result<Outcome> train() {
    ChildPlan plan;
    plan.arguments = {work_.program, "train", "--container", "--root", ".", "--quiet"};
    if (work_.processes > 0) {
      plan.arguments.insert(plan.arguments.end(), {"--processes", std::to_string(work_.processes)});
      say("{} instances are {} processes of this machine; the log of all is this one", spec_.instance_count,
          work_.processes);
    }
    plan.environment = environment();
    plan.folder = work_.folder.string();
    TERRAPIN_TRY(ChildProcess child, ChildProcess::start(plan));
    bool told = false;
    auto next_save = std::chrono::steady_clock::now() + work_.checkpoint_interval;
    for (;;) {
      TERRAPIN_TRY(const auto ending, child.wait(kChildLook));
      if (ending) return Outcome{ending->exit_code.value_or(0), ending->signal};
      if (interrupted() && !told) {
        child.signal(SIGTERM);
        told = true;
      }
      if (told || std::chrono::steady_clock::now() < next_save) continue;
      // Tried again soon, and once more at the end, where it counts.
      if (const Status saved = save_checkpoints(); !saved) say("checkpoints: {}", saved.error().message);
      next_save = std::chrono::steady_clock::now() + work_.checkpoint_interval;
    }
  }

  Status save_checkpoints() {
    if (spec_.checkpoint_uri.empty()) return {};
    const auto saved = checkpoints_.save();
    if (!saved) return with_context(saved.error(), "Checkpoint upload failed");
    return {};
  }

  // Where the model lies then. The model last: who sees it sees everything.
  Result<std::string> store() {
    const auto failed = [](const Error& error) { return with_context(error, "Artifact upload failed"); };
    // A model's numbers hardly get smaller: the fastest level.
    const fs::path archive = work_.folder / kModelArchive, output = work_.folder / kOutputArchive;
    const std::string uri = training_output_uri(spec_, kModelArchive);
    TERRAPIN_TRY(const ObjectName model, storage::parse_s3_uri(uri));
    TERRAPIN_TRY(const auto others, list_files(work_.folder / "output" / "data", true));
    if (!others.empty()) {
      if (const Status packed = artifacts::write_folder_tar_gz(output, work_.folder / "output" / "data");
          !packed)
        return failed(packed.error());
      TERRAPIN_TRY(const ObjectName name, storage::parse_s3_uri(training_output_uri(spec_, kOutputArchive)));
      if (const Status stored = transfer_.upload(output, name, "application/x-tar"); !stored)
        return failed(stored.error());
    }
    if (const Status packed = artifacts::write_folder_tar_gz(archive, work_.folder / "model", 1); !packed)
      return failed(packed.error());
    if (const Status stored = transfer_.upload(archive, model, "application/x-tar"); !stored)
      return failed(stored.error());
    std::error_code ignored;
    say("model: {}, {}", uri, size_text(static_cast<std::int64_t>(fs::file_size(archive, ignored))));
    return uri;
  }

  const Clock& clock_;
  const TrainingWork& work_;
  const TrainingJobSpec spec_;
  Transfer transfer_;
  FolderMirror checkpoints_;
  std::set<std::string> buckets_;  // that lie below input/objects
};

void clear(const fs::path& folder) {
  std::error_code ignored;
  fs::rename(folder / kOverlaysFolder, folder / kKeptOverlays, ignored);
  for (const char* name : kOwnFolders) fs::remove_all(folder / name, ignored);
  for (const char* name : {kModelArchive, kOutputArchive}) fs::remove(folder / name, ignored);
}

// Whose fault it is, for the one who reads FailureReason.
std::string training_reason(const Error& error) {
  const bool ours = error.code == ErrorCode::kIo || error.code == ErrorCode::kInternal;
  return (ours ? "InternalServerError: " : "ClientError: ") + error.message;
}

Result<Outcome> work_through(storage::ObjectStore& objects, const Clock& clock, const TrainingWork& work) {
  TERRAPIN_TRY(const std::string text, read_text_file(work.folder / kTaskFile, 16 << 20));
  TERRAPIN_TRY(TrainingJobSpec spec, parse_training_spec(text));
  return TrainingRun(objects, clock, work, std::move(spec)).run();
}

}  // namespace

int run_training_work(storage::ObjectStore& objects, const Clock& clock, const TrainingWork& work) {
  const Result<Outcome> outcome = work_through(objects, clock, work);
  const auto said = read_text_file(work.folder / "output" / "failure", 1 << 20);
  clear(work.folder);  // first: a full disk must not keep the reason from being written
  if (!outcome) {
    if (outcome.error().code == ErrorCode::kCancelled && interrupted()) return 128 + interrupt_signal();
    const std::string reason = training_reason(outcome.error());
    say("{}", reason);
    keep_reason(work.folder, reason);
    return 1;
  }
  if (outcome->signal) {
    say("the training was ended by signal {}", *outcome->signal);
    // The keeper knows best what a signal means.
    ::signal(*outcome->signal, SIG_DFL);
    ::kill(::getpid(), *outcome->signal);
    return 128 + *outcome->signal;
  }
  if (outcome->code == 1)
    keep_reason(work.folder,
                said ? *said : "AlgorithmError: The training ended with exit code 1 and did not say why.");
  return outcome->code;
}

}  // namespace terrapin::control
