// From labelled photos to masks, with the program as a user runs it. Trainings are as small as they can be:
// what is tested is that the stages fit together and that interruptions cost nothing.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <optional>
#include <regex>

#include "artifacts/channels.h"
#include "artifacts/model_package.h"
#include "base/files.h"
#include "base/random.h"
#include "dataset/scenes.h"
#include "flow/program.h"
#include "imaging/codecs.h"
#include "inference/predictor.h"

namespace terrapin::flow {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::AnyOf;
using ::testing::HasSubstr;

// An environment variable for as long as this lives.
class Environment {
 public:
  Environment(const char* name, const std::string& value) : name_(name) {
    if (const char* before = std::getenv(name)) before_ = before;
    ::setenv(name, value.c_str(), 1);
  }
  ~Environment() { before_ ? ::setenv(name_, before_->c_str(), 1) : ::unsetenv(name_); }
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;

 private:
  const char* name_;
  std::optional<std::string> before_;
};

// 12 scenes of 96 x 72 as a dataset folder, made once.
class TrainFlow : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    // The starter encoder of the source tree, wherever the build folder lies; no weights of this machine's
    // user.
    ASSERT_EQ(::setenv("TERRAPIN_SHARE", TERRAPIN_SOURCE_DIR "/models", 1), 0);
    shared_ = new TemporaryFolder;
    ASSERT_EQ(::setenv("TERRAPIN_WEIGHTS", (shared_->path() / "no-weights").c_str(), 1), 0);
    dataset::SceneOptions scene;
    scene.size = {96, 72};
    scene.class_count = 3;
    ASSERT_TRUE(dataset::write_scene_output(shared_->path() / "scenes", 12, scene));
    const Answer answer =
        run_program(shared_->path(), {"transform", manifest(), "--quiet", "--output", data(), "--s3-root",
                                      "scenes=" + (shared_->path() / "scenes").string()});
    ASSERT_EQ(answer.code, 0) << answer.errors;
  }
  static void TearDownTestSuite() {
    delete shared_;
    shared_ = nullptr;
  }
  static std::string manifest() {
    return (shared_->path() / "scenes" / "labelscenes" / "manifests" / "output" / "output.manifest").string();
  }
  static std::string data() { return (shared_->path() / "data").string(); }

  static std::vector<std::string> tiny(const std::string& output, int epochs) {
    return {"train",
            "--data",
            data(),
            "--output",
            output,
            "--weights",
            "none",
            "--threads",
            "1",
            "--seed",
            "5",
            "-H",
            "crop_size=64",
            "-H",
            "base_size=96",
            "-H",
            "mini_batch_size=4",
            "-H",
            "skip_channels=0",
            "-H",
            "epochs=" + std::to_string(epochs)};
  }
  static std::vector<std::string> with(std::vector<std::string> arguments,
                                       const std::vector<std::string>& more) {
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
  }
  static std::int64_t lines(const fs::path& path) {
    const std::string text = read_text_file(path).value_or("");
    return std::count(text.begin(), text.end(), '\n');
  }
  std::string path(const std::string& name) const { return (folder_.path() / name).string(); }
  // Empty if there is no whole package.
  static Bytes weights_of(const fs::path& package) {
    const auto read = artifacts::read_model_package(package);
    return read ? artifacts::serialize_safetensors(read->weights) : Bytes{};
  }

  static TemporaryFolder* shared_;
  TemporaryFolder folder_;
};
TemporaryFolder* TrainFlow::shared_ = nullptr;

TEST_F(TrainFlow, TrainEvaluatePredict) {
  const Answer trained = run_program(folder_.path(), with(tiny(path("run"), 2), {"--json"}));
  ASSERT_EQ(trained.code, 0) << trained.errors;
  const auto summary = nlohmann::json::parse(trained.output, nullptr, false);
  ASSERT_TRUE(summary.is_object()) << "--json prints one document and nothing else: " << trained.output;
  EXPECT_EQ(summary.at("finished_epochs"), 2);
  EXPECT_EQ(lines(path("run/metrics.jsonl")), 2);
  EXPECT_THAT(read_text_file(path("run/report.html")).value_or(""), HasSubstr("data:image/jpeg;base64,"));
  EXPECT_THAT(read_text_file(path("run/training.log")).value_or(""), HasSubstr("[epoch 2/2] train:loss="));

  const auto package = artifacts::read_model_package(path("run/model.tar.gz"));
  ASSERT_TRUE(package) << package.error().message;
  EXPECT_EQ(package->spec.network.num_classes, 3);
  EXPECT_EQ(package->spec.classes.classes[1].name, "Turtle");
  EXPECT_TRUE(package->extras.contains("metrics.jsonl"));

  // The package's scores are those of its best epoch: evaluating it again gives the same figure.
  const Answer evaluated = run_program(
      folder_.path(), {"evaluate", "--model", path("run/model.tar.gz"), "--data", data(), "--json"});
  ASSERT_EQ(evaluated.code, 0) << evaluated.errors;
  const auto scores = nlohmann::json::parse(evaluated.output, nullptr, false);
  ASSERT_TRUE(scores.is_object()) << evaluated.output;
  EXPECT_NEAR(scores.at("mean_iou").get<double>(), summary.at("mean_iou").get<double>(), 5e-3);

  const Answer predicted = run_program(folder_.path(), {"predict", "--model", path("run/model.tar.gz"),
                                                        "--output", path("masks"), data() + "/validation"});
  ASSERT_EQ(predicted.code, 0) << predicted.errors;
  const auto photos = list_files(data() + "/validation", false);
  ASSERT_TRUE(photos && !photos->empty());
  const auto predictor = inference::Predictor::create(*package, {.threads = 1});
  ASSERT_TRUE(predictor) << predictor.error().message;
  for (const fs::path& photo : *photos) {
    const auto mask = imaging::read_label_mask(fs::path(path("masks")) / (photo.stem().string() + ".png"));
    ASSERT_TRUE(mask) << mask.error().message;
    const auto pixels = imaging::read_photo(photo);
    ASSERT_TRUE(pixels) << pixels.error().message;
    const auto expected = (*predictor)->predict(*pixels);
    ASSERT_TRUE(expected) << expected.error().message;
    EXPECT_EQ(*mask, expected->mask) << photo;
  }
}

TEST_F(TrainFlow, AFinishedRunIsNotOverwrittenByAccident) {
  ASSERT_EQ(run_program(folder_.path(), tiny(path("run"), 1)).code, 0);
  const auto before = read_file(path("run/model.tar.gz"));
  const Answer again = run_program(folder_.path(), tiny(path("run"), 1));
  EXPECT_EQ(again.code, 1);
  EXPECT_THAT(again.errors,
              AllOf(HasSubstr("holds a finished run"), HasSubstr("--overwrite"), HasSubstr("--resume")));
  EXPECT_EQ(read_file(path("run/model.tar.gz")).value_or(Bytes{}), before.value_or(Bytes{1}));
  const Answer replaced = run_program(folder_.path(), with(tiny(path("run"), 1), {"--overwrite"}));
  EXPECT_EQ(replaced.code, 0) << replaced.errors;
}

// How many trainings are killed at random; script/soak wants more.
std::int64_t kills() {
  const char* text = std::getenv("TERRAPIN_KILLS");
  return text == nullptr ? 1 : std::atoll(text);
}

TEST_F(TrainFlow, KilledAndResumedEqualsUninterrupted) {
  const auto begun = std::chrono::steady_clock::now();
  const Answer whole = run_program(folder_.path(), tiny(path("whole"), 4));
  const std::chrono::duration<double, std::milli> taken = std::chrono::steady_clock::now() - begun;
  ASSERT_EQ(whole.code, 0) << whole.errors;
  {
    Program killed(folder_.path(), tiny(path("killed"), 4));
    ASSERT_TRUE(killed.wait_until([&] { return lines(path("killed/metrics.jsonl")) >= 2; }))
        << killed.wait().errors;
    killed.send(SIGKILL);
    EXPECT_EQ(killed.wait().code, 1000 + SIGKILL);
  }
  EXPECT_FALSE(fs::exists(path("killed/model.tar.gz")));
  const Answer refused = run_program(folder_.path(), tiny(path("killed"), 4));
  EXPECT_EQ(refused.code, 1);
  EXPECT_THAT(refused.errors, HasSubstr("holds an unfinished run"));
  const Answer resumed = run_program(folder_.path(), with(tiny(path("killed"), 4), {"--resume"}));
  ASSERT_EQ(resumed.code, 0) << resumed.errors;
  EXPECT_THAT(resumed.errors, HasSubstr("resumed after epoch"));
  EXPECT_EQ(lines(path("killed/metrics.jsonl")), 4);
  const Bytes expected = weights_of(path("whole/model.tar.gz"));
  ASSERT_FALSE(expected.empty());
  EXPECT_EQ(weights_of(path("killed/model.tar.gz")), expected);

  // At any moment: while photos are read, in the middle of an epoch, while a checkpoint is written; also
  // twice.
  Random random(8);
  for (std::int64_t kill = 0; kill < kills(); ++kill) {
    const std::string run = path("killed-" + std::to_string(kill));
    std::string story;
    int code = -1;
    for (int stop = 0; stop < 3 && code != 0; ++stop) {
      const bool begun_before = fs::exists(fs::path(run) / "training.log");
      Program program(folder_.path(), with(tiny(run, 4), begun_before ? std::vector<std::string>{"--resume"}
                                                                      : std::vector<std::string>{}));
      if (stop < 2) {
        const auto moment =
            std::chrono::milliseconds(random.below(static_cast<std::int64_t>(taken.count()) + 1));
        const int signal = random.below(3) == 0 ? SIGTERM : SIGKILL;
        program.wait_until([] { return false; }, moment);
        program.send(signal);
        story += fmt::format("signal {} after {} ms; ", signal, moment.count());
      }
      const Answer answer = program.wait();
      code = answer.code;
      ASSERT_THAT(code, AnyOf(0, 1000 + SIGKILL, 1000 + SIGTERM, 128 + SIGTERM)) << story << answer.errors;
    }
    ASSERT_EQ(code, 0) << story;
    ASSERT_EQ(weights_of(fs::path(run) / "model.tar.gz"), expected) << story;
    ASSERT_EQ(lines(fs::path(run) / "metrics.jsonl"), 4) << story;
    fs::remove_all(run);
  }
}

TEST_F(TrainFlow, SigtermSavesAndEnds) {
  Program stopped(folder_.path(), tiny(path("run"), 500));
  ASSERT_TRUE(stopped.wait_until([&] { return lines(path("run/metrics.jsonl")) >= 1; }))
      << stopped.wait().errors;
  stopped.send(SIGTERM);
  const Answer answer = stopped.wait(std::chrono::seconds(10));  // the promise of the manual
  EXPECT_EQ(answer.code, 128 + SIGTERM) << answer.errors;
  EXPECT_THAT(answer.errors, HasSubstr("--resume goes on"));
  EXPECT_FALSE(fs::is_empty(path("run/checkpoints")));
}

TEST_F(TrainFlow, InterruptedPredictionLeavesWholeMasksOnly) {
  ASSERT_EQ(run_program(folder_.path(), tiny(path("run"), 1)).code, 0);
  const auto photos = list_files(data() + "/validation", false);
  ASSERT_TRUE(photos && !photos->empty());
  constexpr int kMany = 3000;
  fs::create_directories(path("photos"));
  for (int i = 0; i < kMany; ++i) {
    fs::create_symlink(photos->front(), fs::path(path("photos")) / (std::to_string(i) + ".jpg"));
  }
  Program stopped(folder_.path(), {"predict", "--model", path("run/model.tar.gz"), "--output", path("masks"),
                                   "--threads", "1", path("photos")});
  ASSERT_TRUE(stopped.wait_until([&] { return fs::exists(path("masks")) && !fs::is_empty(path("masks")); }));
  stopped.send(SIGINT);
  const Answer answer = stopped.wait(std::chrono::seconds(30));
  EXPECT_EQ(answer.code, 128 + SIGINT) << answer.errors;
  EXPECT_THAT(answer.errors, HasSubstr("photos not predicted: interrupted"));
  const auto masks = list_files(path("masks"), true);
  ASSERT_TRUE(masks);
  EXPECT_LT(masks->size(), static_cast<std::size_t>(kMany));
  for (const fs::path& mask : *masks) {
    EXPECT_TRUE(imaging::read_label_mask(mask)) << mask << " is half-written or not a mask";
  }
}

TEST_F(TrainFlow, WeightsAreAddedCheckedAndListed) {
  const Environment weights("TERRAPIN_WEIGHTS", path("weights"));
  // TERRAPIN_SHARE is asked first, also where the source tree's models/ is near.
  fs::create_directories(path("share"));
  fs::copy(TERRAPIN_SOURCE_DIR "/models/starter-mobilenet-v2.safetensors", path("share"));
  const Environment share("TERRAPIN_SHARE", path("share"));
  const Answer shipped = run_program(folder_.path(), {"weights", "list", "--json"});
  ASSERT_EQ(shipped.code, 0) << shipped.errors;
  const auto list = nlohmann::json::parse(shipped.output, nullptr, false);
  ASSERT_TRUE(list.is_array() && list.size() == 1) << "the starter encoder ships: " << shipped.output;
  const std::string starter = list[0].at("path");
  EXPECT_EQ(starter, path("share/starter-mobilenet-v2.safetensors"));
  EXPECT_EQ(list[0].at("backbone"), "mobilenet-v2");

  const Answer added = run_program(folder_.path(), {"weights", "add", starter, "--json"});
  ASSERT_EQ(added.code, 0) << added.errors;
  const auto facts = nlohmann::json::parse(added.output, nullptr, false);
  EXPECT_EQ(facts.at("backbone"), "mobilenet-v2");
  EXPECT_EQ(read_file(facts.at("path").get<std::string>()).value_or(Bytes{}),
            read_file(starter).value_or(Bytes{1}));

  ASSERT_TRUE(write_file_atomically(path("torn.safetensors"), "{"));
  const Answer torn = run_program(folder_.path(), {"weights", "add", path("torn.safetensors")});
  EXPECT_EQ(torn.code, 1);
  EXPECT_THAT(torn.errors, HasSubstr("torn.safetensors"));
  const auto kept = list_files(path("weights"), true);
  ASSERT_TRUE(kept);
  EXPECT_EQ(kept->size(), 1U);
}

TEST_F(TrainFlow, MistakesAreSaidBeforeAnyPhotoIsRead) {
  const Answer unknown = run_program(folder_.path(), with(tiny(path("run"), 1), {"-H", "learning_rat=1"}));
  EXPECT_EQ(unknown.code, 2);
  EXPECT_THAT(unknown.errors, HasSubstr("did you mean \"learning_rate\"?"));
  EXPECT_FALSE(fs::exists(path("run")));
  const Answer classes = run_program(folder_.path(), with(tiny(path("run"), 1), {"-H", "num_classes=2"}));
  EXPECT_EQ(classes.code, 1);
  EXPECT_THAT(classes.errors, AllOf(HasSubstr("num_classes=2"), HasSubstr("allowed")));
}

// What a newcomer types: no -H but the smallest sizes, no weights named.
TEST_F(TrainFlow, TheDefaultPathStartsFromTheShippedEncoder) {
  const Answer answer =
      run_program(folder_.path(), {"train", "--data", data(), "--output", path("run"), "-H", "epochs=1", "-H",
                                   "crop_size=64", "-H", "base_size=96", "-H", "mini_batch_size=4"});
  ASSERT_EQ(answer.code, 0) << answer.errors;
  std::smatch said;
  ASSERT_TRUE(std::regex_search(
      answer.errors, said,
      std::regex("initial weights: .*/models/starter-mobilenet-v2\\.safetensors \\(terrapin [a-z]+\\): "
                 "([0-9]+) tensors loaded, ([0-9]+) start at random")))
      << answer.errors;
  const auto package = artifacts::read_model_package(path("run/model.tar.gz"));
  ASSERT_TRUE(package) << package.error().message;
  EXPECT_EQ(package->spec.network.backbone, "mobilenet-v2");
  EXPECT_EQ(package->spec.network.algorithm, "lite");
  const auto classifiers =
      std::count_if(package->weights.tensors.begin(), package->weights.tensors.end(),
                    [](const auto& tensor) { return tensor.first.find("classifier.") != std::string::npos; });
  EXPECT_EQ(classifiers, 4) << "two layers, each with weight and bias";
  EXPECT_EQ(std::stoll(said[2]), classifiers) << "only classifiers start afresh: " << said[0];
  EXPECT_EQ(std::stoul(said[1]), package->weights.tensors.size() - static_cast<std::size_t>(classifiers));
}

TEST_F(TrainFlow, GoesOnFromAModelOfTheSameClasses) {
  ASSERT_EQ(run_program(folder_.path(), tiny(path("first"), 1)).code, 0);
  const std::vector<std::string> more{
      "train",    "--output", path("second"), "--model", path("first/model.tar.gz"), "-H",
      "epochs=1", "-H",       "base_size=96", "-H",      "mini_batch_size=4"};
  const Answer answer = run_program(folder_.path(), with(more, {"--data", data()}));
  ASSERT_EQ(answer.code, 0) << answer.errors;
  EXPECT_THAT(answer.errors, AllOf(HasSubstr("initial weights: " + path("first/model.tar.gz")),
                                   HasSubstr("tensors loaded, 0 start at random")));
  const auto first = artifacts::read_model_package(path("first/model.tar.gz"));
  const auto second = artifacts::read_model_package(path("second/model.tar.gz"));
  ASSERT_TRUE(first && second);
  EXPECT_EQ(first->spec.network, second->spec.network);
  EXPECT_EQ(second->spec.hyperparameters.at("crop_size"), "64") << "the earlier model's";

  fs::copy(data(), path("swapped"), fs::copy_options::recursive);
  auto classes = artifacts::read_classes_file(path("swapped/classes.json"));
  ASSERT_TRUE(classes);
  std::swap(classes->classes[1], classes->classes[2]);
  ASSERT_TRUE(artifacts::write_classes_file(path("swapped/classes.json"), *classes));
  const Answer refused = run_program(folder_.path(), with(more, {"--data", path("swapped"), "--overwrite"}));
  EXPECT_EQ(refused.code, 1);
  EXPECT_THAT(refused.errors, AllOf(HasSubstr("\"Turtle\" in " + path("first/model.tar.gz")),
                                    HasSubstr("\"Fish\" in the data")));
}

// Masks of 40 times the index and a label map train the same model as masks of indices.
TEST_F(TrainFlow, LabelMapOnTheCommandLine) {
  for (const std::string channel : {"train_annotation", "validation_annotation"}) {
    const auto masks = list_files(data() + "/" + channel, false);
    ASSERT_TRUE(masks);
    for (const fs::path& file : *masks) {
      auto mask = imaging::read_label_mask(file);
      ASSERT_TRUE(mask);
      for (std::uint8_t& label : mask->bytes()) label = static_cast<std::uint8_t>(40 * label);
      ASSERT_TRUE(write_file_atomically(path(channel) + "/" + file.filename().string(),
                                        *imaging::encode_indexed_png(*mask, imaging::default_palette(200))));
    }
  }
  const auto arguments = [&](const std::string& output, const std::string& annotations) {
    std::vector<std::string> all = tiny(path(output), 1);
    all.erase(all.begin() + 1, all.begin() + 3);  // --data
    return with(all, {"--train", data() + "/train", "--train-annotation", annotations + "/train_annotation",
                      "--validation", data() + "/validation", "--validation-annotation",
                      annotations + "/validation_annotation"});
  };
  ASSERT_TRUE(write_file_atomically(path("map/train_label_map.json"), R"({"scale": "40"})"));
  ASSERT_TRUE(write_file_atomically(path("map/validation_label_map.json"), R"({"scale": "40"})"));
  const Answer mapped = run_program(
      folder_.path(), with(arguments("mapped", folder_.path().string()), {"--label-map", path("map")}));
  ASSERT_EQ(mapped.code, 0) << mapped.errors;
  EXPECT_THAT(mapped.errors, HasSubstr("num_classes=3: counted in the masks"));
  const Answer plain = run_program(folder_.path(), arguments("plain", data()));
  ASSERT_EQ(plain.code, 0) << plain.errors;
  const Bytes weights = weights_of(path("mapped/model.tar.gz"));
  ASSERT_FALSE(weights.empty());
  EXPECT_EQ(weights, weights_of(path("plain/model.tar.gz")));
}

TEST_F(TrainFlow, ResumeBeforeTheFirstCheckpointStartsAtTheBeginning) {
  ASSERT_TRUE(write_file_atomically(path("run/training.log"), ""));
  const Answer answer = run_program(folder_.path(), with(tiny(path("run"), 1), {"--resume"}));
  ASSERT_EQ(answer.code, 0) << answer.errors;
  EXPECT_THAT(answer.errors, HasSubstr("holds no checkpoint yet; training starts at its beginning"));
}

class ContainerFlow : public TrainFlow {
 protected:
  void lay_out(const nlohmann::json& changes = nlohmann::json::object()) {
    nlohmann::json values = {{"backbone", "\"mobilenet-v2\""},
                             {"num_classes", "3"},
                             {"num_training_samples", "10"},
                             {"crop_size", "64"},
                             {"base_size", "96"},
                             {"mini_batch_size", "4"},
                             {"epochs", "2"},
                             {"use_pretrained_model", "\"False\""},
                             {"skip_channels", "0"},
                             {"threads", "1"}};
    values.update(changes);
    for (auto it = values.begin(); it != values.end();) it = it->is_null() ? values.erase(it) : std::next(it);
    ASSERT_TRUE(write_file_atomically(path("ml/input/config/hyperparameters.json"), values.dump()));
    ASSERT_TRUE(write_file_atomically(path("ml/input/config/resourceconfig.json"),
                                      R"({"current_host": "algo-1", "hosts": ["algo-1"]})"));
    for (const char* channel : {"train", "train_annotation", "validation", "validation_annotation"}) {
      fs::create_directories(path("ml/input/data"));
      fs::copy(fs::path(data()) / channel, fs::path(path("ml/input/data")) / channel,
               fs::copy_options::recursive | fs::copy_options::overwrite_existing);
    }
  }
  Answer start() { return run_program(folder_.path(), {"train", "--container", "--root", path("ml")}); }
};

TEST_F(ContainerFlow, LeavesAModelWhereSageMakerPacksIt) {
  lay_out();
  const Answer answer = start();
  ASSERT_EQ(answer.code, 0) << answer.errors;
  EXPECT_FALSE(fs::exists(path("ml/output/failure")));
  EXPECT_THAT(answer.output, AllOf(HasSubstr("[epoch 2/2] train:loss="), HasSubstr("validation:mIOU=")));
  const auto package = artifacts::read_model_package(path("ml/model"));
  ASSERT_TRUE(package) << package.error().message;
  EXPECT_EQ(package->spec.network.algorithm, "lite");
  EXPECT_TRUE(fs::exists(path("ml/output/data/report.html")));
  EXPECT_FALSE(fs::is_empty(path("ml/checkpoints")));
}

TEST_F(ContainerFlow, SigtermLeavesTheBestModelSoFar) {
  lay_out({{"epochs", "500"}});
  Program job(folder_.path(), {"train", "--container", "--root", path("ml")});
  ASSERT_TRUE(job.wait_until([&] { return lines(path("ml/output/data/metrics.jsonl")) >= 2; }))
      << job.wait().errors;
  job.send(SIGTERM);
  const Answer answer = job.wait(std::chrono::seconds(10));
  EXPECT_EQ(answer.code, 0) << answer.errors;
  EXPECT_FALSE(fs::exists(path("ml/output/failure")));
  const auto package = artifacts::read_model_package(path("ml/model"));
  ASSERT_TRUE(package) << package.error().message;
  EXPECT_GE(package->spec.training.at("best_epoch").get<int>(), 1);
}

TEST_F(ContainerFlow, FailureFilesSayWhatIsAllowed) {
  lay_out({{"epochs", "0"}});
  EXPECT_EQ(start().code, 1);
  EXPECT_EQ(read_text_file(path("ml/output/failure")).value_or(""),
            "ClientError: hyperparameter epochs=\"0\" is not allowed; allowed: a whole number above 0");
  lay_out({{"num_classes", nullptr}});
  EXPECT_EQ(start().code, 1);
  EXPECT_THAT(read_text_file(path("ml/output/failure")).value_or(""),
              HasSubstr("hyperparameter num_classes is required"));
  lay_out({{"num_classes", "2"}});
  EXPECT_EQ(start().code, 1);
  EXPECT_THAT(read_text_file(path("ml/output/failure")).value_or(""),
              AllOf(HasSubstr(".png"), HasSubstr("2")))
      << "a label over num_classes names the file and the pixel value";
  lay_out();
  fs::remove_all(path("ml/input/data/validation"));
  EXPECT_EQ(start().code, 1);
  EXPECT_THAT(read_text_file(path("ml/output/failure")).value_or(""),
              HasSubstr("channel validation is missing"));
}

}  // namespace
}  // namespace terrapin::flow
