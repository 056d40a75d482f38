// Four clicks from the command line: a network is trained, measured and asked. The training is as small as it
// can be: what is tested is that the commands fit together.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "base/files.h"
#include "flow/program.h"
#include "imaging/codecs.h"
#include "imaging/regions.h"
#include "metrics/simulated_annotator.h"

namespace terrapin::flow {
namespace {

namespace fs = std::filesystem;
using imaging::Mask;
using ::testing::HasSubstr;

constexpr imaging::Size kSize{120, 90};

// A light disc on a dark ground, and its mask.
void write_example(const fs::path& folder, const std::string& name, std::int64_t cx, std::int64_t cy,
                   std::int64_t radius) {
  imaging::Image photo(kSize);
  Mask mask(kSize);
  for (std::int64_t y = 0; y < kSize.height; ++y) {
    for (std::int64_t x = 0; x < kSize.width; ++x) {
      const bool inside = (x - cx) * (x - cx) + (y - cy) * (y - cy) <= radius * radius;
      const auto noise = static_cast<std::uint8_t>((x * 7 + y * 13) % 23);
      photo.set(x, y, inside ? imaging::Rgb{200, 150, noise} : imaging::Rgb{noise, 40, 70});
      mask.set(x, y, inside ? 1 : 0);
    }
  }
  ASSERT_TRUE(write_file_atomically(folder / "images" / (name + ".png"), *imaging::encode_png(photo)));
  ASSERT_TRUE(
      write_file_atomically(folder / "instances" / (name + ".png"), *imaging::encode_indexed_png(mask, {})));
}

class AssistFlow : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(::setenv("TERRAPIN_SHARE", TERRAPIN_SOURCE_DIR "/models", 1), 0);
    ASSERT_EQ(::setenv("TERRAPIN_WEIGHTS", (folder_.path() / "no-weights").c_str(), 1), 0);
    std::string table = "split\tname\n";
    for (int i = 0; i < 6; ++i) {
      const std::string name = "disc" + std::to_string(i);
      write_example(data(), name, 40 + 6 * i, 44, 22 + i);
      table += (i < 4 ? "train\t" : "valid\t") + name + "\n";
    }
    ASSERT_TRUE(write_file_atomically(data() / "splits.tsv", table));
  }
  fs::path data() const { return folder_.path() / "discs"; }
  std::string text(const char* name) const { return (folder_.path() / name).string(); }
  Answer run(const std::vector<std::string>& arguments) const {
    return run_program(folder_.path(), arguments);
  }
  std::vector<std::string> training(const std::string& output) const {
    return {"train-assist",
            "--data",
            data().string(),
            "--output",
            output,
            "--weights",
            TERRAPIN_SOURCE_DIR "/models/starter-mobilenet-v2.safetensors",
            "--steps",
            "3",
            "--batch",
            "2",
            "--side",
            "65",
            "--width",
            "16",
            "--scenes",
            "0",
            "--watch-every",
            "1",
            "--threads",
            "1",
            "--watch-objects",
            "2",
            "--json",
            "--quiet"};
  }

  TemporaryFolder folder_;
};

TEST_F(AssistFlow, TrainMeasureAsk) {
  const Answer trained = run(training(text("run")));
  ASSERT_EQ(trained.code, 0) << trained.errors;
  const auto report = nlohmann::json::parse(trained.output);
  EXPECT_EQ(report["history"].size(), 3U);
  EXPECT_EQ(report["model"], text("run") + "/assist.safetensors");
  // Four photos: none falls into the sixteenth that is watched.
  EXPECT_THAT(trained.errors, HasSubstr("also learned from"));
  // A run that is done is not done again.
  const Answer again = run(training(text("run")));
  ASSERT_EQ(again.code, 0) << again.errors;
  EXPECT_EQ(nlohmann::json::parse(again.output)["history"], report["history"]);

  const Answer measured = run({"evaluate-assist", "--data", data().string(), "--model", text("run"),
                               "--clicks", "1", "--json", "--each"});
  ASSERT_EQ(measured.code, 0) << measured.errors;
  const auto sets = nlohmann::json::parse(measured.output)["sets"];
  ASSERT_EQ(sets.size(), 1U);
  EXPECT_EQ(sets[0]["objects"], 2);
  EXPECT_EQ(sets[0]["each"].size(), 2U);
  // The quadrilateral of a disc's outermost points is the square in it: 2 / pi.
  EXPECT_NEAR(sets[0]["iou_quadrilateral"].get<double>(), 0.65, 0.05);

  const std::string photo = (data() / "images/disc5.png").string();
  const std::vector<std::string> points{"--points", "70,17 43,44 70,71 97,44"};
  std::vector<std::string> ask{"autosegment", "--image",        photo,       "--model",           text("run"),
                               "--output",    text("mask.png"), "--overlay", text("overlay.jpg"), "--json"};
  ask.insert(ask.end(), points.begin(), points.end());
  const Answer asked = run(ask);
  ASSERT_EQ(asked.code, 0) << asked.errors;
  const auto told = nlohmann::json::parse(asked.output);
  EXPECT_EQ(told["method"], "network");
  const auto mask = imaging::read_label_mask(text("mask.png"));
  ASSERT_TRUE(mask) << mask.error().message;
  EXPECT_EQ(mask->size(), kSize);
  EXPECT_EQ(std::count(mask->bytes().begin(), mask->bytes().end(), 1), told["area"].get<std::int64_t>());
  EXPECT_EQ(std::count_if(mask->bytes().begin(), mask->bytes().end(), [](auto v) { return v > 1; }), 0);
  // Whatever three steps have taught: what was clicked belongs to it.
  for (const auto& [x, y] : {std::pair{70, 17}, {43, 44}, {70, 71}, {97, 44}}) EXPECT_EQ(mask->at(x, y), 1);
  const imaging::Box box = imaging::box_of(*mask, 1);
  EXPECT_EQ(told["box"], (nlohmann::json{box.x, box.y, box.width, box.height}));
  EXPECT_EQ(imaging::read_photo(text("overlay.jpg"))->size(), kSize);

  // The mask so far is refined: a click that takes away is obeyed.
  const Answer refined = run({"autosegment", "--image", photo, "--model", text("run"), "--mask",
                              text("mask.png"), "--negative", "70,44", "--output", text("refined.png")});
  ASSERT_EQ(refined.code, 0) << refined.errors;
  EXPECT_EQ(imaging::read_label_mask(text("refined.png"))->at(70, 44), 0);
}

// Other processors have other kernels, with other orders of sums. oneDNN takes the named ones where the
// processor has them; libtorch's are others still.
TEST_F(AssistFlow, TheShippedNetworkAnswersAlikeWhateverTheProcessor) {
  struct Question {
    fs::path photo;
    std::string points;
  };
  std::vector<Question> questions;
  const auto ask_for = [&](const fs::path& photo, const Mask& object) {
    const auto points = metrics::extreme_points(object);
    ASSERT_TRUE(points) << photo;
    std::string text;
    for (const imaging::Pixel& point : *points) text += fmt::format("{},{} ", point.x, point.y);
    questions.push_back({photo, text});
  };
  for (const char* name : {"disc0", "disc5"})
    ask_for(data() / "images" / (std::string(name) + ".png"),
            imaging::read_label_mask(data() / "instances" / (std::string(name) + ".png")).value());
  ASSERT_EQ(run({"scenes", text("scenes"), "--count", "3"}).code, 0);
  const fs::path masks = folder_.path() / "scenes/labelscenes/annotations/consolidated-annotation/output";
  const std::size_t discs = questions.size();
  for (const auto& entry : fs::directory_iterator(masks)) {
    const Mask labels = imaging::read_label_mask(entry.path()).value();
    const std::string number = entry.path().filename().string().substr(0, 1);
    const imaging::LabeledRuns parts = imaging::connected_regions(labels);
    for (std::size_t i = 0; i < parts.regions.size(); ++i) {
      if (parts.regions[i].label == 0 || parts.regions[i].area < 800) continue;
      Mask object(labels.size());
      for (const imaging::Run& run : parts.runs)
        if (run.region == static_cast<std::int64_t>(i))
          std::fill(object.row(run.y) + run.begin, object.row(run.y) + run.end, 1);
      ask_for(folder_.path() / "scenes/photos" / ("scene-0000" + number + ".jpg"), object);
    }
  }
  EXPECT_GE(questions.size(), discs + 3);
  const auto answer = [&](const Question& question, const char* kernels, const char* backend) {
    ::setenv("DNNL_MAX_CPU_ISA", kernels, 1);
    const Answer asked = run({"autosegment", "--image", question.photo.string(), "--points", question.points,
                              "--backend", backend, "--threads", "2", "--output", text("mask.png")});
    ::unsetenv("DNNL_MAX_CPU_ISA");
    EXPECT_EQ(asked.code, 0) << asked.errors;
    return imaging::read_label_mask(text("mask.png")).value_or(Mask({1, 1}));
  };
  for (const Question& question : questions) {
    const Mask here = answer(question, "ALL", "auto");
    EXPECT_GT(std::count(here.bytes().begin(), here.bytes().end(), 1), 100) << question.photo;
    EXPECT_EQ(answer(question, "ALL", "auto").bytes(), here.bytes()) << "the same machine, the same bits";
    for (const char* kernels : {"SSE41", "AVX2"})
      EXPECT_GE(metrics::overlap_of(here, answer(question, kernels, "auto")).iou(), 0.99)
          << question.photo << " with " << kernels;
    EXPECT_GE(metrics::overlap_of(here, answer(question, "ALL", "torch")).iou(), 0.99)
        << question.photo << " with libtorch";
  }
}

TEST_F(AssistFlow, SaysWhatIsWrong) {
  const Answer without = run({"train-assist", "--data", data().string(), "--without", "discs", "--output",
                              text("run"), "--steps", "1"});
  EXPECT_EQ(without.code, 1);
  EXPECT_THAT(without.errors, HasSubstr("no objects to learn from are left"));
  const Answer unknown = run({"train-assist", "--data", data().string(), "--without", "cats", "--output",
                              text("run"), "--steps", "1"});
  EXPECT_EQ(unknown.code, 1);
  EXPECT_THAT(unknown.errors, HasSubstr("--without cats"));
  const Answer outside = run({"autosegment", "--image", (data() / "images/disc0.png").string(), "--points",
                              "1,1 2,2 3,3 500,4", "--output", text("mask.png")});
  EXPECT_NE(outside.code, 0);
  EXPECT_THAT(outside.errors, HasSubstr("500"));
  EXPECT_FALSE(fs::exists(text("mask.png")));
  const Answer no_model = run({"autosegment", "--image", (data() / "images/disc0.png").string(), "--points",
                               "1,1 2,2 3,3 4,4", "--model", text("none"), "--output", text("mask.png")});
  EXPECT_EQ(no_model.code, 1);
  EXPECT_THAT(no_model.errors, HasSubstr("none"));
}

}  // namespace
}  // namespace terrapin::flow
