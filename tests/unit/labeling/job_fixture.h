// A labeling service on a folder and a SQLite file, a clock that stands still, and workers who paint
// rectangles.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>

#include "base/base64.h"
#include "base/clock.h"
#include "base/json_text.h"
#include "imaging/codecs.h"
#include "labeling/labeling_service.h"
#include "storage/database.h"
#include "storage/folder_store.h"
#include "unit/base/temporary_folder.h"

namespace terrapin::labeling::test {

inline constexpr const char* kTeam = "arn:aws:sagemaker:us-east-1:111122223333:workteam/private-crowd/team";

inline std::string error_text(const Error& error) {
  return error.message;
}

#define ASSERT_OK(expression)                                        \
  do {                                                               \
    const auto& ok_result = (expression);                            \
    ASSERT_TRUE(ok_result.has_value()) << ok_result.error().message; \
  } while (false)
#define EXPECT_OK(expression)                                        \
  do {                                                               \
    const auto& ok_result = (expression);                            \
    EXPECT_TRUE(ok_result.has_value()) << ok_result.error().message; \
  } while (false)

// The answer's JSON as crowd-semantic-segmentation gives it.
inline std::string answer_of(const imaging::Mask& mask, const std::vector<std::string>& labels,
                             const imaging::Palette& palette) {
  imaging::Image image(mask.size(), {255, 255, 255});
  for (std::int64_t y = 0; y < mask.height(); ++y)
    for (std::int64_t x = 0; x < mask.width(); ++x)
      if (mask.at(x, y) != 0) image.set(x, y, palette[mask.at(x, y)]);
  nlohmann::json mappings = nlohmann::json::object();
  for (std::size_t i = 0; i < labels.size(); ++i)
    mappings[labels[i]]["color"] = imaging::to_hex(palette[i + 1]);
  const Bytes png = imaging::encode_png(image).value();
  const nlohmann::json answer{
      {"crowd-semantic-segmentation",
       {{"inputImageProperties", {{"width", mask.width()}, {"height", mask.height()}}},
        {"labelMappings", mappings},
        {"labeledImage", {{"pngImageData", base64(png)}}}}}};
  return json_text(answer);
}

class JobTest : public ::testing::Test {
 protected:
  static constexpr imaging::Size kSize{16, 12};

  void SetUp() override {
    store_ = storage::open_folder_store(folder_.path() / "objects", clock_).value();
    database_ = storage::Database::open("sqlite:" + (folder_.path() / "state.db").string()).value();
    std::filesystem::create_directories(folder_.path() / "scratch");
    open();
    ASSERT_OK(store_->create_bucket("bucket"));
    set_labels({"Turtle", "Diver"});
  }

  void open() {
    LabelingOptions options = options_;
    options.scratch_folder = folder_.path() / "scratch";
    service_ = LabelingService::open(*database_, *store_, clock_, options, collaborators_).value();
  }
  // As after a crash: all that was in memory is gone.
  void reopen() {
    service_.reset();
    database_.reset();
    database_ = storage::Database::open("sqlite:" + (folder_.path() / "state.db").string()).value();
    open();
  }

  void set_labels(std::vector<std::string> labels) {
    labels_ = std::move(labels);
    nlohmann::json list = nlohmann::json::array();
    for (const std::string& label : labels_) list.push_back({{"label", label}});
    put("categories.json", json_text({{"document-version", "2018-11-28"}, {"labels", list}}));
    palette_ = imaging::default_palette(static_cast<int>(labels_.size()) + 1);
  }
  void put(const std::string& key, const std::string& text) {
    ASSERT_OK(store_->put({"bucket", key}, *bytes_source(text)));
  }
  std::string text_of(const std::string& uri) {
    const auto object = store_->get(storage::parse_s3_uri(uri).value());
    EXPECT_OK(object);
    return object ? read_all_text(*object->content, 1 << 26).value() : std::string();
  }
  bool exists(const std::string& key) { return store_->head({"bucket", key}).has_value(); }
  void put_photos(int count) {
    const Bytes photo = imaging::encode_png(imaging::Image(kSize, {10, 20, 30})).value();
    std::string manifest;
    for (int i = 0; i < count; ++i) {
      const std::string key = "photos/" + std::to_string(i) + ".png";
      ASSERT_OK(store_->put({"bucket", key}, *bytes_source(photo)));
      manifest += "{\"source-ref\": \"s3://bucket/" + key + "\", \"id\":" + std::to_string(i) + "}\n";
    }
    put("input.manifest", manifest);
  }
  JobSpec spec(const std::string& name = "job") {
    JobSpec spec;
    spec.name = name;
    spec.label_attribute = "turtle-ref";
    spec.input_uri = "s3://bucket/input.manifest";
    spec.output_uri = "s3://bucket/out";
    spec.categories_uri = "s3://bucket/categories.json";
    spec.workteam_arn = kTeam;
    spec.pre_function = {"arn:aws:lambda:us-east-1:432418664414:function:PRE-SemanticSegmentation",
                         "PRE-SemanticSegmentation"};
    spec.post_function = {"arn:aws:lambda:us-east-1:432418664414:function:ACS-SemanticSegmentation",
                          "ACS-SemanticSegmentation"};
    spec.title = "Segment";
    spec.description = "Segment the photo.";
    spec.owner = "tester";
    return spec;
  }
  void create(const JobSpec& wanted) {
    ASSERT_OK(jobs().create(wanted));
    ASSERT_OK(service_->run_pending());
  }
  static Worker worker(const std::string& id) { return {id, {kTeam}, "Private", "terrapin", id}; }
  // A rectangle of `label` from (x, 2) to (x + 5, 8).
  static imaging::Mask rectangle(std::int64_t x, std::uint8_t label = 1) {
    imaging::Mask mask(kSize);
    for (std::int64_t row = 2; row < 8; ++row)
      for (std::int64_t column = x; column < x + 5; ++column) mask.set(column, row, label);
    return mask;
  }
  std::string answer(const imaging::Mask& mask) { return answer_of(mask, labels_, palette_); }
  Assignment accept(const std::string& worker_id, const std::string& job = "job") {
    const auto assignment = tasks().accept_next(worker(worker_id), job);
    EXPECT_OK(assignment);
    EXPECT_TRUE(assignment && *assignment) << "nothing to do for " << worker_id;
    return assignment && *assignment ? **assignment : Assignment{};
  }
  bool nothing_for(const std::string& worker_id, const std::string& job = "job") {
    const auto assignment = tasks().accept_next(worker(worker_id), job);
    return assignment && !*assignment;
  }
  void submit(const std::string& worker_id, const Assignment& assignment, const imaging::Mask& mask) {
    EXPECT_OK(tasks().submit(worker(worker_id), assignment.id, answer(mask)));
  }
  JobRecord describe(const std::string& name = "job") { return jobs().describe(name).value(); }
  void run() {
    clock_.advance(std::chrono::seconds(1));  // manifests are written at intervals
    ASSERT_OK(service_->run_pending());
  }
  // Lets the engine's threads work until it is so: a number of steps, each a question to the service, not a
  // time.
  template <class Done>
  void until(const Done& done) {
    for (int step = 0; step < 100'000; ++step) {
      if (done()) return;
      EXPECT_OK(jobs().list({}));
      std::this_thread::yield();
    }
    ADD_FAILURE() << "the engine did not come to it";
  }
  void until_status(const std::string& name, JobStatus status) {
    until([&] { return describe(name).status == status; });
  }
  // The lines of the job's final manifest.
  std::vector<nlohmann::json> manifest(const std::string& name = "job") {
    std::vector<nlohmann::json> lines;
    std::string text = text_of(describe(name).output_dataset_uri), line;
    for (const char c : text) {
      if (c == '\n') {
        lines.push_back(nlohmann::json::parse(line));
        line.clear();
      } else {
        line += c;
      }
    }
    return lines;
  }
  imaging::Mask mask_at(const std::string& uri) {
    const auto object = store_->get(storage::parse_s3_uri(uri).value());
    EXPECT_OK(object);
    return *imaging::decode_mask(read_all(*object->content, 1 << 26).value()).value().labels;
  }
  JobService& jobs() { return service_->jobs(); }
  TaskService& tasks() { return service_->tasks(); }

  terrapin::test::TemporaryFolder folder_;
  ManualClock clock_{parse_iso_text("2022-02-10T17:41:04.801793").value()};
  LabelingOptions options_;
  Collaborators collaborators_;
  std::unique_ptr<storage::ObjectStore> store_;
  std::unique_ptr<storage::Database> database_;
  std::unique_ptr<LabelingService> service_;
  std::vector<std::string> labels_;
  imaging::Palette palette_;
};

}  // namespace terrapin::labeling::test
