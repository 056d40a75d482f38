#include "control/process/assist_learning_work.h"

#include <fcntl.h>
#include <signal.h>

#include <cstdio>
#include <nlohmann/json.hpp>
#include <optional>
#include <system_error>

#include "base/child_process.h"
#include "base/digest.h"
#include "base/files.h"
#include "base/interrupt.h"
#include "control/assist_learning.h"
#include "control/process/child_environment.h"
#include "control/process/saying.h"
#include "control/process/training_work.h"
#include "control/process/transfer.h"

namespace terrapin::control {
namespace {

namespace fs = std::filesystem;

constexpr std::chrono::milliseconds kTuningLook{200};
constexpr std::int64_t kMaxScoresBytes = 1 << 20;
constexpr std::int64_t kMostJudges = 200;  // objects that are measured: a second each on a slow core
constexpr int kWatchedObjects = 48;
constexpr const char *kDataFolder = "data", *kTunedFolder = "tuned", *kSaidFile = "said";

Result<std::string> run_child(const AssistLearningWork& work, const std::vector<std::string>& arguments) {
  const fs::path said = work.folder / kSaidFile;
  const Descriptor output(::open(said.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (!output.is_open())
    return fail(ErrorCode::kIo, "{}: {}", said.string(), std::generic_category().message(errno));
  ChildPlan plan;
  plan.arguments = {work.program};
  plan.arguments.insert(plan.arguments.end(), arguments.begin(), arguments.end());
  plan.environment = child_environment();
  plan.folder = work.folder.string();
  plan.output = output.get();
  TERRAPIN_TRY(ChildProcess child, ChildProcess::start(plan));
  bool told = false;
  for (;;) {
    TERRAPIN_TRY(const auto ending, child.wait(kTuningLook));
    if (ending && interrupted()) return fail(ErrorCode::kCancelled, "told to stop");
    if (ending && ending->signal)
      return fail(ErrorCode::kInternal, "terrapin {} was ended by signal {}", arguments.front(),
                  *ending->signal);
    if (ending && ending->exit_code.value_or(0) != 0)
      return fail(ErrorCode::kInternal, "terrapin {} ended with exit code {}; the log says why",
                  arguments.front(), *ending->exit_code);
    if (ending) return read_text_file(said, kMaxScoresBytes);
    if (interrupted() && !told) {
      child.signal(SIGTERM);
      told = true;
    }
  }
}

class Learning {
 public:
  Learning(storage::ObjectStore& objects, const Clock& clock, const AssistLearningWork& work,
           AssistLearningTask task)
      : clock_(clock), work_(work), task_(std::move(task)), transfer_(objects, {}) {}

  Result<AssistLearningOutcome> run() {
    TERRAPIN_TRY(const auto own, read_learned_model(task_.folder));
    const fs::path base = own ? own->model : task_.model;
    TERRAPIN_TRY(const std::string base_digest, sha256_of_file(base));
    AssistLearningOutcome outcome;
    TERRAPIN_TRY_STATUS(fetch(outcome));
    say("labeling job {}: {} photos to learn from, {} later ones held out; begins with {}",
        task_.labeling_job, outcome.learned_from, outcome.held_out, base.string());
    TERRAPIN_TRY(outcome.before, measure(base));
    if (outcome.before.objects < kLeastJudges) return outcome;
    TERRAPIN_TRY_STATUS(tune(base));
    const fs::path tuned = work_.folder / kTunedFolder / "assist.safetensors";
    TERRAPIN_TRY(outcome.after, measure(tuned));
    if (!is_better(outcome.before, outcome.after)) return outcome;
    outcome.replaced = true;
    TERRAPIN_TRY_STATUS(store_learned_model(task_.folder, tuned, {{}, base_digest, clock_.now(), outcome}));
    return outcome;
  }

 private:
  Result<std::string> terrapin(const std::vector<std::string>& arguments) {
    if (interrupted()) return fail(ErrorCode::kCancelled, "told to stop");
    return work_.run ? work_.run(arguments) : run_child(work_, arguments);
  }
  std::string data() const { return (work_.folder / kDataFolder).string(); }

  // Photos and masks as docs/formats/object-masks.md, the newest first in the table.
  Status fetch(AssistLearningOutcome& outcome) {
    const fs::path data = work_.folder / kDataFolder;
    std::vector<std::string> names;
    std::int64_t bytes = 0;
    for (const LearningPhoto& one : task_.photos) {
      if (bytes >= work_.max_photo_bytes || names.size() >= kMostLearningPhotos) break;
      const std::string name = fmt::format("{:04}", names.size());
      TERRAPIN_TRY(const std::optional<std::int64_t> mask,
                   fetch_one(one.mask_uri, data / "masks" / (name + ".png")));
      if (!mask) continue;
      TERRAPIN_TRY(const std::optional<std::int64_t> photo,
                   fetch_one(one.photo_uri, data / "images" / (name + ".photo")));
      if (!photo) {
        std::error_code ignored;
        fs::remove(data / "masks" / (name + ".png"), ignored);
        continue;
      }
      bytes += *mask + *photo;
      names.push_back(name);
    }
    if (names.size() < 2)
      return fail(ErrorCode::kNotFound, "{} photos with masks could be fetched; at least 2 are needed",
                  names.size());
    const auto held_out = static_cast<std::size_t>(held_out_of(static_cast<int>(names.size())));
    std::string table = "split\tname\n";
    for (std::size_t i = 0; i < names.size(); ++i)
      table += fmt::format("{}\t{}\n", i < held_out ? "later" : "train", names[i]);
    outcome.held_out = static_cast<std::int64_t>(held_out);
    outcome.learned_from = static_cast<std::int64_t>(names.size() - held_out);
    return write_file_atomically(data / "splits.tsv", table);
  }

  // nullopt: it is there no more, as a mask that was taken back.
  Result<std::optional<std::int64_t>> fetch_one(const std::string& uri, const fs::path& file) {
    TERRAPIN_TRY(const storage::ObjectName name, storage::parse_s3_uri(uri));
    const auto got = transfer_.download_object(name, file);
    if (got) return std::optional(*got);
    if (got.error().code != ErrorCode::kNotFound) return tl::unexpected<Error>(got.error());
    say("left out: {}", got.error().message);
    return std::optional<std::int64_t>();
  }

  Result<AssistScores> measure(const fs::path& model) {
    TERRAPIN_TRY(const std::string said,
                 terrapin({"evaluate-assist", "--data", data(), "--model", model.string(), "--min-share",
                           "0.002", "--jitter", "3", "--clicks", "1", "--limit", std::to_string(kMostJudges),
                           "--threads", "1", "--json"}));
    try {
      const auto json = nlohmann::json::parse(said);
      const auto& set = json.at("sets").at(0);
      return AssistScores{set.at("objects").get<std::int64_t>(), set.at("iou_jitter3").get<double>(),
                          set.at("iou_jitter3_after_click").get<double>()};
    } catch (const nlohmann::json::exception& problem) {
      return fail(ErrorCode::kInternal, "what terrapin evaluate-assist printed cannot be read: {}",
                  problem.what());
    }
  }

  Status tune(const fs::path& base) {
    const std::int64_t watch_every = std::max<std::int64_t>(1, task_.steps / 4);
    const auto said = terrapin({"train-assist",
                                "--data",
                                data(),
                                "--output",
                                (work_.folder / kTunedFolder).string(),
                                "--weights",
                                base.string(),
                                "--steps",
                                std::to_string(task_.steps),
                                "--rate",
                                fmt::format("{}", task_.rate),
                                "--scenes",
                                "0",
                                "--watch-every",
                                std::to_string(watch_every),
                                "--watch-objects",
                                std::to_string(kWatchedObjects),
                                "--threads",
                                "1",
                                "--loader-threads",
                                "1",
                                "--device",
                                "cpu",
                                "--fresh",
                                "--quiet"});
    if (!said) return tl::unexpected<Error>(said.error());
    fmt::print("{}", *said);
    std::fflush(stdout);
    return {};
  }

  const Clock& clock_;
  const AssistLearningWork& work_;
  const AssistLearningTask task_;
  Transfer transfer_;
};

Result<AssistLearningOutcome> work_through(storage::ObjectStore& objects, const Clock& clock,
                                           const AssistLearningWork& work) {
  TERRAPIN_TRY(const std::string text, read_text_file(work.folder / kTaskFile, 16 << 20));
  TERRAPIN_TRY(AssistLearningTask task, parse_assist_learning_task(text));
  return Learning(objects, clock, work, std::move(task)).run();
}

}  // namespace

int run_assist_learning_work(storage::ObjectStore& objects, const Clock& clock,
                             const AssistLearningWork& work) {
  Result<AssistLearningOutcome> outcome = work_through(objects, clock, work);
  std::error_code ignored;
  for (const char* made : {kDataFolder, kTunedFolder, kSaidFile}) fs::remove_all(work.folder / made, ignored);
  if (outcome) {
    say("{}", outcome_sentence(*outcome));
    const Status written =
        write_file_atomically(work.folder / kOutcomeFile, assist_learning_outcome_text(*outcome));
    if (written) return 0;
    outcome = tl::unexpected<Error>(written.error());
  }
  if (outcome.error().code == ErrorCode::kCancelled && interrupted()) return 128 + interrupt_signal();
  say("{}", outcome.error().message);
  keep_reason(work.folder, outcome.error().message);
  return 1;
}

}  // namespace terrapin::control
