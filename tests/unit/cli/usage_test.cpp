// A wrong command line ends with 2, names the options concerned, and touches nothing.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/files.h"
#include "flow/program.h"

namespace terrapin::cli {
namespace {

namespace fs = std::filesystem;

struct Mistake {
  std::string name;
  std::vector<std::string> arguments;
  std::vector<std::string> parts;  // of the message
};

// "folder" is a dataset folder, "manifest" a manifest; "out" must not appear.
std::vector<Mistake> mistakes() {
  const std::vector<std::string> train{"train", "--data", "folder", "--output", "out"};
  const std::vector<std::string> transform{"transform", "manifest", "--output", "out", "--split", "s.tsv"};
  const std::vector<std::string> evaluate{"evaluate", "--model", "m", "--output", "out"};
  const std::vector<std::string> predict{"predict", "--model", "m", "--output", "out", "photos"};
  const auto with = [](std::vector<std::string> arguments, const std::vector<std::string>& more) {
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
  };
  std::vector<Mistake> list{
      {"no_command", {}, {"subcommand"}},
      {"unknown_option", with(train, {"--epoch", "3"}), {"--epoch"}},
      {"label_map_beside_data", with(train, {"--label-map", "maps"}), {"--data", "--label-map"}},
      {"train_beside_data", with(train, {"--train", "photos"}), {"--data", "--train"}},
      {"s3_root_beside_folder", with(train, {"--s3-root", "b=folder"}), {"--s3-root", "--data folder"}},
      {"attribute_beside_folder",
       with(train, {"--label-attribute", "a-ref"}),
       {"--label-attribute", "--data folder"}},
      {"validation_beside_folder", with(train, {"--validation", "v"}), {"--validation", "--data folder"}},
      {"s3_root_beside_channels",
       {"train", "--output", "out", "--train", "t", "--s3-root", "b=folder"},
       {"--s3-root", "--data"}},
      {"channel_missing", {"train", "--output", "out", "--train", "t"}, {"--train-annotation is missing"}},
      {"no_output", {"train", "--data", "folder"}, {"--output is missing"}},
      {"resume_and_overwrite", with(train, {"--resume", "--overwrite"}), {"--resume", "--overwrite"}},
      {"weights_and_model", with(train, {"--weights", "none", "--model", "m"}), {"--weights", "--model"}},
      {"weights_unknown",
       with(train, {"--weights", "best"}),
       {"--weights best", "starter, pretrained, none"}},
      {"assignment_without_value", with(train, {"-H", "epochs"}), {"epochs", "name=value"}},
      {"autosegment_without_output", {"autosegment", "--image", "a.jpg"}, {"--output"}},
      {"autosegment_bad_point",
       {"autosegment", "--image", "a.jpg", "--points", "1,2 x", "--output", "out"},
       {"--points point 2", "'x'", "X,Y"}},
      {"autosegment_classical_model",
       {"autosegment", "--image", "a.jpg", "--classical", "--model", "m", "--output", "out"},
       {"--classical", "--model"}},
      {"train_assist_steps_and_minutes",
       {"train-assist", "--data", "folder", "--output", "out", "--steps", "5", "--minutes", "1"},
       {"--steps", "--minutes"}},
      {"train_assist_side",
       {"train-assist", "--data", "folder", "--output", "out", "--side", "100"},
       {"side 100", "16 k + 1"}},
      {"evaluate_assist_part",
       {"evaluate-assist", "--data", "folder", "--part", "all"},
       {"--part", "unseen"}},
      {"hyperparameter_unknown", with(train, {"-H", "epoch=3"}), {"did you mean \"epochs\"?"}},
      {"hyperparameter_out_of_range", with(train, {"-H", "epochs=0"}), {"epochs=\"0\"", "allowed"}},
      {"root_without_container", with(train, {"--root", "ml"}), {"--root", "--container"}},
      {"split_and_fraction", with(transform, {"--train-fraction", "0.5"}), {"--split", "--train-fraction"}},
      {"split_and_test_fraction",
       with(transform, {"--test-fraction", "0.1"}),
       {"--split", "--test-fraction"}},
      {"split_and_seed", with(transform, {"--seed", "2"}), {"--split", "--seed"}},
      {"evaluate_nothing", evaluate, {"--data", "--photos", "--masks"}},
      {"evaluate_photos_alone", with(evaluate, {"--photos", "p"}), {"--photos", "--masks"}},
      {"evaluate_photos_and_data",
       with(evaluate, {"--photos", "p", "--masks", "m", "--data", "folder"}),
       {"--photos", "--data"}},
      {"evaluate_photos_and_split",
       with(evaluate, {"--photos", "p", "--masks", "m", "--split", "test"}),
       {"--photos", "--split"}},
      {"evaluate_manifest_and_split",
       with(evaluate, {"--data", "manifest", "--split", "test"}),
       {"--split", "--data manifest"}},
      {"evaluate_folder_and_root",
       with(evaluate, {"--data", "folder", "--s3-root", "b=folder"}),
       {"--s3-root", "--data folder"}},
      {"evaluate_split_unknown",
       with(evaluate, {"--data", "folder", "--split", "train+all"}),
       {"--split", "train+all", "validation"}},
      {"evaluate_long_side",
       with(evaluate, {"--data", "folder", "--long-side", "65537"}),
       {"--long-side", "65537", "65536"}},
      {"predict_long_side",
       with(predict, {"--long-side", "900000000"}),
       {"--long-side", "900000000", "65536"}},
      {"predict_negative", with(predict, {"--long-side", "-1"}), {"--long-side", "-1", "65536"}},
      {"predict_probabilities",
       with(predict, {"--probabilities=float8"}),
       {"--probabilities", "float8", "float16", "float32"}},
      {"predict_backend", with(predict, {"--backend", "tpu"}), {"--backend", "tpu", "onednn"}},
      {"scenes_size", {"scenes", "out", "--size", "12by13"}, {"--size", "12by13", "WIDTHxHEIGHT"}},
  };
  const std::vector<std::vector<std::string>> others{
      {"-H", "epochs=1"},   {"--seed", "1"},     {"--threads", "1"},   {"--weights", "none"},
      {"--model", "m"},     {"--resume"},        {"--overwrite"},      {"--json"},
      {"--data", "folder"}, {"--output", "out"}, {"--label-map", "l"}, {"--label-attribute", "a"}};
  for (const std::vector<std::string>& other : others) {
    list.push_back({"container_and_" + other[0],
                    with({"train", "--container", "--root", "ml"}, other),
                    {"--container", other[0] == "-H" ? "--hyperparameter" : other[0]}});
  }
#ifdef TERRAPIN_WITH_SERVING
  list.push_back({"host_root_and_model", {"host", "--model", "m", "--root", "ml"}, {"--root", "--model"}});
  list.push_back({"host_no_model", {"host", "--root", "ml"}, {"--model", "ml/model"}});
  list.push_back({"host_long_side", {"host", "--model", "m", "--long-side", "100000"}, {"100000", "65536"}});
  list.push_back({"export_size",
                  {"export", "--model", "m", "--output", "out", "--size", "12by13"},
                  {"--size", "12by13", "HEIGHTxWIDTH"}});
  list.push_back({"serve_no_assistance_and_model",
                  {"serve", "--data-dir", "out", "--no-assistance", "--assist-model", "m"},
                  {"--no-assistance", "--assist-model"}});
  list.push_back({"serve_assist_memory",
                  {"serve", "--data-dir", "out", "--assist-memory-mib", "1"},
                  {"--assist-memory-mib", "16"}});
  list.push_back({"serve_metrics_from",
                  {"serve", "--data-dir", "out", "--metrics-from", "10.0.0.1"},
                  {"--metrics-from: '10.0.0.1'", "192.0.2.0/24"}});
  for (const std::string url : {"label.example.org", "https://", "https://label.example.org/terrapin",
                                "ftp://label.example.org", "https://me@label.example.org", "https://:8443",
                                "https://label.example.org:99999", "https://a:b:c"}) {
    list.push_back({"serve_public_url " + url,
                    {"serve", "--data-dir", "out", "--public-url", url},
                    {"--public-url is '" + url + "'", "https://label.example.org"}});
  }
#endif
  return list;
}

TEST(Usage, EveryMistakeOnTheCommandLineEndsWith2) {
  const flow::TemporaryFolder folder;
  const fs::path before = fs::current_path();
  fs::current_path(folder.path());  // so that the rows can be plain names
  fs::create_directories("folder/train");
  ASSERT_TRUE(write_file_atomically("manifest", "{}\n"));
  const fs::path logs = folder.path() / "logs";
  fs::create_directories(logs);
  for (const Mistake& mistake : mistakes()) {
    const flow::Answer answer = flow::run_program(logs, mistake.arguments);
    EXPECT_EQ(answer.code, 2) << mistake.name << ": " << answer.errors;
    EXPECT_EQ(answer.output, "") << mistake.name;
    for (const std::string& part : mistake.parts) {
      EXPECT_THAT(answer.errors, ::testing::HasSubstr(part)) << mistake.name;
    }
    EXPECT_FALSE(fs::exists("out")) << mistake.name;
  }
  fs::current_path(before);
}

TEST(Usage, ResumeWithNothingToResumeNamesTheFolder) {
  const flow::TemporaryFolder folder;
  const std::string out = (folder.path() / "mistyped").string();
  const flow::Answer answer = flow::run_program(
      folder.path(), {"train", "--data", (folder.path() / "data").string(), "--output", out, "--resume"});
  EXPECT_EQ(answer.code, 1);
  EXPECT_THAT(answer.errors, ::testing::AllOf(::testing::HasSubstr("--resume"), ::testing::HasSubstr(out)));
  EXPECT_FALSE(fs::exists(out));
}

}  // namespace
}  // namespace terrapin::cli
