#include "training/hyperparameters.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/files.h"

namespace terrapin::training {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using Mode = HyperparameterMode;

// What AWS requires, and nothing else.
HyperparameterValues required() {
  return {{"num_classes", "3"}, {"num_training_samples", "120"}};
}

HyperparameterValues with(HyperparameterValues values, const std::string& name, const std::string& text) {
  values[name] = text;
  return values;
}

std::string error_of(const HyperparameterValues& values, Mode mode = Mode::kContainer,
                     const DatasetFacts& facts = {}) {
  const auto result = parse_hyperparameters(values, mode, facts);
  return result ? "no error" : result.error().message;
}

TrainingOptions parsed(const HyperparameterValues& values, Mode mode = Mode::kContainer,
                       const DatasetFacts& facts = {}) {
  const auto result = parse_hyperparameters(values, mode, facts);
  EXPECT_TRUE(result) << (result ? "" : result.error().message);
  return result ? result->options : TrainingOptions{};
}

TEST(Hyperparameters, AwsRecipeHasTheDefaultsOfTheDeveloperGuide) {
  const TrainingOptions options = parsed(with(required(), "recipe", "aws"));
  EXPECT_EQ(options.network.backbone, "resnet-50");
  EXPECT_EQ(options.network.algorithm, "fcn");
  EXPECT_EQ(options.network.num_classes, 3);
  EXPECT_EQ(options.weights, WeightSource::kPretrained);
  EXPECT_EQ(options.base_size, 520);
  EXPECT_EQ(options.crop_size, 240);
  EXPECT_EQ(options.epochs, 10);
  EXPECT_DOUBLE_EQ(options.optimizer.learning_rate, 0.001);
  EXPECT_EQ(options.schedule.kind, ScheduleKind::kPoly);
  EXPECT_DOUBLE_EQ(options.schedule.step_factor, 0.1);
  EXPECT_EQ(options.optimizer.kind, OptimizerKind::kSgd);
  EXPECT_DOUBLE_EQ(options.optimizer.momentum, 0.9);
  EXPECT_DOUBLE_EQ(options.optimizer.weight_decay, 0.0001);
  EXPECT_DOUBLE_EQ(options.optimizer.gamma1, 0.9);
  EXPECT_DOUBLE_EQ(options.optimizer.gamma2, 0.9);
  EXPECT_EQ(options.batch_size, 16);
  EXPECT_EQ(options.validation_batch_size, 16);
  EXPECT_FALSE(options.early_stopping.enabled);
  EXPECT_EQ(options.early_stopping.min_epochs, 5);
  EXPECT_EQ(options.early_stopping.patience, 4);
  EXPECT_DOUBLE_EQ(options.early_stopping.tolerance, 0.0);
  EXPECT_FALSE(options.syncbn);
}

TEST(Hyperparameters, EveryAwsNameSetsItsField) {
  HyperparameterValues values = required();
  for (const auto& [name, text] : HyperparameterValues{{"backbone", "resnet-101"},
                                                       {"use_pretrained_model", "False"},
                                                       {"algorithm", "psp"},
                                                       {"base_size", "600"},
                                                       {"crop_size", "320"},
                                                       {"epochs", "7"},
                                                       {"learning_rate", "0.02"},
                                                       {"lr_scheduler", "step"},
                                                       {"lr_scheduler_factor", "0.3"},
                                                       {"lr_scheduler_step", "2, 5"},
                                                       {"optimizer", "nag"},
                                                       {"momentum", "0.8"},
                                                       {"weight_decay", "0.003"},
                                                       {"gamma1", "0.7"},
                                                       {"gamma2", "0.6"},
                                                       {"mini_batch_size", "4"},
                                                       {"validation_mini_batch_size", "3"},
                                                       {"early_stopping", "True"},
                                                       {"early_stopping_min_epochs", "2"},
                                                       {"early_stopping_patience", "3"},
                                                       {"early_stopping_tolerance", "0.01"},
                                                       {"syncbn", "True"}}) {
    values[name] = text;
  }
  const TrainingOptions options = parsed(values);
  EXPECT_EQ(options.network.backbone, "resnet-101");
  EXPECT_EQ(options.network.algorithm, "psp");
  EXPECT_EQ(options.weights, WeightSource::kNone);
  EXPECT_EQ(options.base_size, 600);
  EXPECT_EQ(options.crop_size, 320);
  EXPECT_EQ(options.epochs, 7);
  EXPECT_DOUBLE_EQ(options.optimizer.learning_rate, 0.02);
  EXPECT_EQ(options.schedule.kind, ScheduleKind::kStep);
  EXPECT_DOUBLE_EQ(options.schedule.step_factor, 0.3);
  EXPECT_EQ(options.schedule.step_epochs, (std::vector<int>{2, 5}));
  EXPECT_EQ(options.optimizer.kind, OptimizerKind::kNag);
  EXPECT_DOUBLE_EQ(options.optimizer.momentum, 0.8);
  EXPECT_DOUBLE_EQ(options.optimizer.weight_decay, 0.003);
  EXPECT_DOUBLE_EQ(options.optimizer.gamma1, 0.7);
  EXPECT_DOUBLE_EQ(options.optimizer.gamma2, 0.6);
  EXPECT_EQ(options.batch_size, 4);
  EXPECT_EQ(options.validation_batch_size, 3);
  EXPECT_TRUE(options.early_stopping.enabled);
  EXPECT_EQ(options.early_stopping.min_epochs, 2);
  EXPECT_EQ(options.early_stopping.patience, 3);
  EXPECT_DOUBLE_EQ(options.early_stopping.tolerance, 0.01);
  EXPECT_TRUE(options.syncbn);
}

TEST(Hyperparameters, ValuesArriveJsonEncodedAsTheSdkSendsThem) {
  HyperparameterValues values = {{"num_classes", "\"3\""},           {"num_training_samples", "\"120\""},
                                 {"algorithm", "\"deeplab\""},       {"learning_rate", "\"0.002\""},
                                 {"early_stopping", "\"True\""},     {"lr_scheduler", "\"step\""},
                                 {"lr_scheduler_step", "\"10, 20\""}};
  const TrainingOptions options = parsed(values);
  EXPECT_EQ(options.network.algorithm, "deeplab");
  EXPECT_EQ(options.network.num_classes, 3);
  EXPECT_DOUBLE_EQ(options.optimizer.learning_rate, 0.002);
  EXPECT_TRUE(options.early_stopping.enabled);
  EXPECT_EQ(options.schedule.step_epochs, (std::vector<int>{10, 20}));
  EXPECT_EQ(options.hyperparameters.at("algorithm"), "deeplab");
}

TEST(Hyperparameters, BooleansInEverySpelling) {
  for (const char* text : {"True", "true", "1", "TRUE", "\"true\"", " True "}) {
    EXPECT_TRUE(parsed(with(required(), "early_stopping", text)).early_stopping.enabled) << text;
  }
  for (const char* text : {"False", "false", "0", "\"False\""}) {
    EXPECT_FALSE(parsed(with(required(), "early_stopping", text)).early_stopping.enabled) << text;
  }
}

TEST(Hyperparameters, CropSizeIsRoundedUpToAMultipleOfEightAndSaysSo) {
  for (const auto& [given, used] :
       std::vector<std::pair<int, int>>{{17, 24}, {240, 240}, {241, 248}, {247, 248}}) {
    const auto result =
        parse_hyperparameters(with(required(), "crop_size", std::to_string(given)), Mode::kContainer);
    ASSERT_TRUE(result) << result.error().message;
    EXPECT_EQ(result->options.crop_size, used) << given;
    EXPECT_EQ(result->notes.empty(), given == used) << given;
  }
}

TEST(Hyperparameters, BadValuesNameParameterValueAndWhatIsAllowed) {
  const std::vector<std::pair<const char*, std::vector<const char*>>> bad = {
      {"backbone", {"resnet-18", "", "resnet"}},
      {"use_pretrained_model", {"yes", "2", ""}},
      {"algorithm", {"unet", "FCN8"}},
      {"num_classes", {"1", "255", "two", "", "2.5", "-3", "1e400"}},
      {"num_training_samples", {"0", "-1", "many", "99999999999999999999"}},
      {"base_size", {"16", "0", "-520", "nan"}},
      {"crop_size", {"16", "x", "1e9"}},
      {"epochs", {"0", "-1", "1.5", "10 epochs"}},
      {"learning_rate", {"0", "1.01", "-0.1", "nan", "inf", "0,001", "0x1p-3"}},
      {"lr_scheduler", {"linear", ""}},
      {"lr_scheduler_factor", {"-0.1", "1.1", "half"}},
      {"lr_scheduler_step", {"", "10,", "20, 10", "10, 10", "0", "a, b", "10; 20"}},
      {"optimizer", {"lbfgs", ""}},
      {"momentum", {"0", "1.1"}},
      {"weight_decay", {"0", "1", "-1"}},
      {"gamma1", {"0", "1"}},
      {"gamma2", {"-0.1", "1"}},
      {"mini_batch_size", {"0", "-16"}},
      {"validation_mini_batch_size", {"0"}},
      {"early_stopping", {"maybe"}},
      {"early_stopping_min_epochs", {"-1"}},
      {"early_stopping_patience", {"0"}},
      {"early_stopping_tolerance", {"1.5", "-0.5"}},
      {"syncbn", {"on"}},
      {"recipe", {"ours"}},
      {"seed", {"-1", "x"}},
      {"threads", {"-1", "1025"}},
      {"device", {"gpu"}},
      {"mixed_precision", {"fp16"}},
      {"loss", {"focal"}},
      {"class_weights", {"balanced"}},
      {"encoder_learning_rate_factor", {"-0.1", "1.1"}},
      {"warmup_epochs", {"-1"}},
      {"gradient_clip_norm", {"-1"}},
      {"ema_decay", {"1", "-0.1"}},
      {"foreground_crop_probability", {"1.1"}},
      {"crops_per_photo", {"0"}},
      {"freeze_batch_norm", {"x"}},
      {"skip_channels", {"-1", "513"}},
      {"validate_every", {"0"}},
      {"resume_from_checkpoint", {"x"}},
  };
  std::set<std::string> seen;
  for (const auto& [name, texts] : bad) {
    seen.insert(name);
    for (const char* text : texts) {
      const std::string message = error_of(with(required(), name, text));
      EXPECT_THAT(message, AllOf(HasSubstr(std::string("hyperparameter ") + name),
                                 HasSubstr(std::string("\"") + text + "\""), HasSubstr("allowed: ")));
    }
  }
  // No row of the table without a case above.
  for (const HyperparameterRow& row : hyperparameter_rows()) EXPECT_TRUE(seen.contains(row.name)) << row.name;
}

TEST(Hyperparameters, LimitsThemselvesAreAllowed) {
  const std::vector<std::pair<const char*, std::vector<const char*>>> good = {
      {"num_classes", {"2", "254", "3.0"}},
      {"base_size", {"17"}},
      {"learning_rate", {"1", "1e-8", "+0.5"}},
      {"lr_scheduler_factor", {"0", "1"}},
      {"momentum", {"1"}},
      {"early_stopping_tolerance", {"0", "1"}},
      {"ema_decay", {"0", "0.9999"}},
      {"lr_scheduler_step", {"[1, 2]", "3"}},
      {"optimizer", {"sgd", "nag", "adam", "adamw", "adagrad", "rmsprop", "adadelta"}}};
  for (const auto& [name, texts] : good) {
    for (const char* text : texts)
      EXPECT_EQ(error_of(with(required(), name, text)), "no error") << name << "=" << text;
  }
}

TEST(Hyperparameters, UnknownNamesGetASuggestion) {
  EXPECT_THAT(error_of(with(required(), "learning_rat", "1")),
              HasSubstr("\"learning_rat\" is not known; did you mean \"learning_rate\"?"));
  EXPECT_THAT(error_of(with(required(), "batch_size", "8")), HasSubstr("did you mean \"mini_batch_size\"?"));
  EXPECT_THAT(error_of(with(required(), "lr", "1")), HasSubstr("did you mean \"learning_rate\"?"));
  EXPECT_THAT(error_of(with(required(), "zzzzzzzz", "1")), ::testing::Not(HasSubstr("did you mean")));
}

TEST(Hyperparameters, AddedByATuningJobIsNoError) {
  EXPECT_EQ(error_of(with(required(), "_tuning_objective_metric", "validation:mIOU")), "no error");
}

TEST(Hyperparameters, MissingOnesAreNamed) {
  EXPECT_THAT(error_of({{"num_training_samples", "5"}}), HasSubstr("hyperparameter num_classes is required"));
  EXPECT_THAT(error_of({{"num_classes", "2"}}), HasSubstr("hyperparameter num_training_samples is required"));
  EXPECT_THAT(error_of(with(required(), "lr_scheduler", "step")),
              HasSubstr("lr_scheduler_step is required with lr_scheduler=step"));
  // In a container what the data says does not replace a required value.
  EXPECT_THAT(error_of({}, Mode::kContainer, {3, 100}), HasSubstr("num_classes is required"));
  EXPECT_EQ(error_of({}, Mode::kCommandLine, {3, 100}), "no error");
  EXPECT_THAT(error_of({}, Mode::kCommandLine), HasSubstr("num_classes is required"));
}

TEST(Hyperparameters, NetworksByModeAndByWhatIsGiven) {
  const auto network = [](const HyperparameterValues& values, Mode mode) {
    HyperparameterValues whole = required();
    for (const auto& [name, value] : values) whole[name] = value;
    const auto result = parse_hyperparameters(whole, mode, {});
    if (!result) return result.error().message;
    return result->options.network.backbone + "+" + result->options.network.algorithm;
  };
  EXPECT_EQ(network({}, Mode::kContainer), "resnet-50+fcn");
  EXPECT_EQ(network({}, Mode::kCommandLine), "mobilenet-v2+lite");
  EXPECT_EQ(network({{"recipe", "aws"}}, Mode::kCommandLine), "resnet-50+fcn");
  EXPECT_EQ(network({{"backbone", "resnet-101"}}, Mode::kCommandLine), "resnet-101+fcn");
  EXPECT_EQ(network({{"algorithm", "psp"}}, Mode::kCommandLine), "resnet-50+psp");
  EXPECT_EQ(network({{"backbone", "mobilenet-v2"}}, Mode::kContainer), "mobilenet-v2+lite");
  EXPECT_EQ(network({{"algorithm", "lite"}}, Mode::kContainer), "mobilenet-v2+lite");
  for (const char* algorithm : {"fcn", "psp", "deeplab"}) {
    EXPECT_EQ(network({{"backbone", "mobilenet-v2"}, {"algorithm", algorithm}}, Mode::kContainer),
              std::string("mobilenet-v2+") + algorithm);
  }
  EXPECT_THAT(network({{"backbone", "resnet-50"}, {"algorithm", "lite"}}, Mode::kCommandLine),
              HasSubstr("do not go together"));
}

TEST(Hyperparameters, PretrainedWeightsByNetwork) {
  const DatasetFacts facts{2, 10};
  EXPECT_EQ(parsed({}, Mode::kCommandLine, facts).weights, WeightSource::kStarter);
  EXPECT_EQ(parsed({{"backbone", "resnet-50"}}, Mode::kCommandLine, facts).weights,
            WeightSource::kPretrained);
  EXPECT_EQ(parsed(required()).weights, WeightSource::kPretrained) << "never a silent random start";
  EXPECT_EQ(parsed(with(required(), "use_pretrained_model", "False")).weights, WeightSource::kNone);
  EXPECT_TRUE(parsed(required()).network.auxiliary_head);
  EXPECT_FALSE(parsed({}, Mode::kCommandLine, facts).network.auxiliary_head);
}

TEST(Hyperparameters, OurRecipeFillsOnlyWhatIsNotGiven) {
  const TrainingOptions ours = parsed(required());
  EXPECT_EQ(ours.optimizer.kind, OptimizerKind::kAdamW);
  EXPECT_EQ(ours.schedule.kind, ScheduleKind::kCosine);
  EXPECT_EQ(ours.loss.kind, LossKind::kCrossEntropyDice);
  HyperparameterValues values = with(with(required(), "optimizer", "sgd"), "lr_scheduler", "poly");
  const TrainingOptions mixed = parsed(values);
  EXPECT_EQ(mixed.optimizer.kind, OptimizerKind::kSgd);
  EXPECT_EQ(mixed.schedule.kind, ScheduleKind::kPoly);
  EXPECT_EQ(mixed.loss.kind, LossKind::kCrossEntropyDice);
  EXPECT_DOUBLE_EQ(mixed.optimizer.weight_decay, 0.0001) << "AdamW's decay is too strong for SGD";
  EXPECT_DOUBLE_EQ(parsed(with(values, "weight_decay", "0.02")).optimizer.weight_decay, 0.02);
}

TEST(Hyperparameters, ValuesWithoutEffectAreSaid) {
  const auto result =
      parse_hyperparameters(with(with(required(), "gamma1", "0.5"), "early_stopping_patience", "2"),
                            Mode::kContainer, {std::nullopt, 100});
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_THAT(result->notes,
              ::testing::UnorderedElementsAre(HasSubstr("gamma1 has no effect"),
                                              HasSubstr("early_stopping_patience has no effect"),
                                              HasSubstr("num_training_samples=120 but the data holds 100")));
}

TEST(Hyperparameters, AssignmentsOfTheCommandLine) {
  const auto pair = parse_assignment("lr_scheduler_step=10, 20");
  ASSERT_TRUE(pair);
  EXPECT_EQ(*pair, (std::pair<std::string, std::string>("lr_scheduler_step", "10, 20")));
  EXPECT_EQ(parse_assignment("a=b=c")->second, "b=c");
  EXPECT_THAT(parse_assignment("epochs").error().message, HasSubstr("not of the form name=value"));
  EXPECT_FALSE(parse_assignment("=3"));
}

// What the table shows as a default is what giving that value does.
TEST(Hyperparameters, ShownDefaultsAreTheDefaults) {
  const HyperparameterValues base = with(required(), "recipe", "aws");
  const auto expected = effective_hyperparameters(parsed(base));
  int compared = 0;
  for (const HyperparameterRow& row : hyperparameter_rows()) {
    if (row.aws_default.empty() || row.aws_default.starts_with("required") || row.name == "recipe") continue;
    EXPECT_EQ(effective_hyperparameters(parsed(with(base, row.name, row.aws_default))), expected) << row.name;
    ++compared;
  }
  EXPECT_GT(compared, 30);
}

TEST(Hyperparameters, TheFormatPageHoldsTheTable) {
  const auto page = read_text_file(TERRAPIN_SOURCE_DIR "/docs/formats/hyperparameters.md");
  ASSERT_TRUE(page) << page.error().message;
  EXPECT_THAT(*page, HasSubstr(hyperparameters_markdown()))
      << "docs/formats/hyperparameters.md is out of date: replace its tables by the output of terrapin train "
         "--list-hyperparameters";
}

}  // namespace
}  // namespace terrapin::training
