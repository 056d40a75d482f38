// Our side of script/bench train-throughput: images/s of whole epochs (decode, augment, step) as `terrapin
// train` runs them, and of the same steps alone on one batch kept in memory. Prints one JSON object.
#include <torch/torch.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "artifacts/channels.h"
#include "base/parallel.h"
#include "networks/network.h"
#include "training/model_state.h"
#include "training/recipe.h"

namespace {

using namespace terrapin;

// Collects the steady and the first epoch's throughput.
class Throughput : public training::TrainingObserver {
 public:
  void on_epoch(const training::EpochReport& report) override {
    (report.epoch == 1 ? first : steady) = report.train_images_per_second;
  }
  double first = 0, steady = 0;
};

Result<double> bare_images_per_second(const training::TrainingOptions& options, int steps) {
  TERRAPIN_TRY(auto network, networks::build_network(options.network));
  TERRAPIN_TRY(auto average, networks::build_network(options.network));
  const std::int64_t side = options.crop_size + network->preprocessing().size_offset;
  training::LossSpec loss;
  loss.cross_entropy_weight = options.loss.cross_entropy_weight;
  loss.dice_weight = options.loss.dice_weight;
  training::ModelState model(network, average, options, loss, torch::kCPU);
  const torch::Tensor pixels =
      torch::rand({options.batch_size, 3, side, side}).contiguous(torch::MemoryFormat::ChannelsLast) * 2 - 1;
  const torch::Tensor labels =
      torch::randint(0, options.network.num_classes, {options.batch_size, side, side}).to(torch::kByte);
  auto begin = std::chrono::steady_clock::now();
  constexpr int kWarmUp = 5;
  for (int step = 0; step < kWarmUp + steps; ++step) {
    if (step == kWarmUp) begin = std::chrono::steady_clock::now();
    TERRAPIN_TRY(const training::StepLosses losses, model.step(pixels, labels, 1e-6));
    if (losses.aborted) return fail(ErrorCode::kCancelled, "stopped");
  }
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
  return steps * options.batch_size / seconds.count();
}

Result<nlohmann::json> measure(const std::string& folder, training::TrainingOptions options, int steps) {
  TERRAPIN_TRY(artifacts::DatasetFolder dataset, artifacts::open_dataset_folder(folder));
  training::TrainingData data;
  data.train = std::move(dataset.train);
  data.validation = std::move(dataset.validation);
  data.validation.samples.resize(1);
  data.classes = dataset.classes.value_or(artifacts::ClassList::with_default_names(2));
  options.network.num_classes = data.classes.size();
  options.epochs = 3;
  options.validate_every = options.epochs;
  Throughput throughput;
  TERRAPIN_TRY(const training::TrainingOutcome outcome, training::train(options, data, throughput));
  if (outcome.finished_epochs != options.epochs) return fail(ErrorCode::kInternal, "the run ended early");
  TERRAPIN_TRY(const double bare, bare_images_per_second(options, steps));
  return nlohmann::json{{"images_per_s", throughput.steady},
                        {"first_epoch_images_per_s", throughput.first},
                        {"bare_images_per_s", bare}};
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"Training throughput of Terrapin"};
  std::string data, weights;
  int steps = 30;
  training::TrainingOptions options = training::terrapin_recipe({});
  options.weights = training::WeightSource::kFile;
  app.add_option("--data", data)->required();
  app.add_option("--weights", weights)->required();
  app.add_option("--crop", options.crop_size);
  app.add_option("--base", options.base_size);
  app.add_option("--batch", options.batch_size);
  app.add_option("--steps", steps);
  CLI11_PARSE(app, argc, argv);
  options.weights_path = weights;
  const auto result = measure(data, options, steps);
  if (!result) {
    std::fprintf(stderr, "bench_train_throughput: %s\n", result.error().message.c_str());
    return 1;
  }
  std::printf("%s\n", result->dump().c_str());
  return 0;
}
