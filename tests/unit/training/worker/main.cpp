// training_worker FOLDER CHOICES.json RESULT: trains on the small set in FOLDER, alone or together with
// others as the environment says, and writes what came of it.
#include <csignal>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "artifacts/safetensors.h"
#include "base/files.h"
#include "base/interrupt.h"
#include "small_dataset.h"
#include "training/distributed/process_group.h"

namespace terrapin::training {
namespace {

class Recorder : public TrainingObserver {
 public:
  explicit Recorder(int stop_after) : stop_after_(stop_after) {}
  void on_step(const StepReport& report) override {
    losses.push_back(report.loss);
    std::printf("step %zu\n", losses.size());
    std::fflush(stdout);
    if (static_cast<int>(losses.size()) == stop_after_) std::raise(SIGTERM);
  }
  void on_epoch(const EpochReport& report) override { epochs.push_back(to_json(report)); }
  std::vector<double> losses;
  nlohmann::json epochs = nlohmann::json::array();

 private:
  const int stop_after_;
};

TrainingOptions options_from(const nlohmann::json& choices) {
  TrainingOptions options = small_options();
  options.network.backbone = choices.value("backbone", options.network.backbone);
  options.network.algorithm = choices.value("algorithm", options.network.algorithm);
  options.network.auxiliary_head = choices.value("auxiliary_head", false);
  if (choices.value("optimizer", "adamw") == "sgd") options.optimizer.kind = OptimizerKind::kSgd;
  options.optimizer.learning_rate = choices.value("learning_rate", options.optimizer.learning_rate);
  options.optimizer.encoder_rate_factor = 1;
  options.syncbn = choices.value("syncbn", false);
  options.batch_size = choices.value("batch_size", options.batch_size);
  options.epochs = choices.value("epochs", options.epochs);
  // The last epoch is then the best: what is compared has seen every step.
  options.validate_every = options.epochs;
  options.crops_per_photo = choices.value("crops_per_photo", 1);
  options.seed = choices.value("seed", options.seed);
  options.loss.class_weighting = ClassWeighting::kSqrtInverseFrequency;
  options.threads = 1;
  options.checkpoint_folder = choices.value("checkpoint_folder", "");
  return options;
}

int run(const std::filesystem::path& folder, const std::filesystem::path& choices_path,
        const std::filesystem::path& result_path) {
  const auto failed = [](const Error& error) {
    std::fprintf(stderr, "%s\n", error.message.c_str());
    return error.code == ErrorCode::kCancelled ? 3 : 1;
  };
  const auto place = place_from(environment());
  if (!place) return failed(place.error());
  const auto text = read_text_file(choices_path);
  if (!text) return failed(text.error());
  const nlohmann::json choices = nlohmann::json::parse(*text);
  std::shared_ptr<ProcessGroup> group;
  if (!place->alone()) {
    auto joined = join_processes(*place);
    if (!joined) return failed(joined.error());
    group = std::move(*joined);
  }
  TrainingData data = small_dataset_at(folder);
  if (choices.value("other_data_in_rank", -1) == place->rank) data.train.samples.pop_back();
  Recorder recorder(choices.value("stopped_rank", 0) == place->rank ? choices.value("stop_after", 0) : 0);
  const auto outcome = train(options_from(choices), data, recorder, group);
  if (!outcome) {
    const int code = failed(outcome.error());
    return group && group->failed_elsewhere() ? 4 : code;
  }
  const nlohmann::json report{{"losses", recorder.losses}, {"epochs", recorder.epochs}};
  if (!write_file_atomically(result_path.string() + ".json", report.dump()) ||
      !artifacts::write_safetensors(result_path, outcome->package.weights)) {
    return 1;
  }
  return 0;
}

}  // namespace
}  // namespace terrapin::training

int main(int argc, char** argv) {
  if (argc != 4) return 2;
  terrapin::install_interrupt_handlers();
  return terrapin::training::run(argv[1], argv[2], argv[3]);
}
