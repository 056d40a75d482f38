#include "training/report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <regex>

#include "base/files.h"
#include "imaging/codecs.h"
#include "imaging/drawing.h"
#include "training/container.h"
#include "training/metrics_log.h"
#include "training/report_charts.h"

namespace terrapin::training {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

artifacts::ClassList three_classes() {
  return {{{"BACKGROUND", {255, 255, 255}},
           {"Turtle", {44, 160, 44}},
           {"<b>Fish & \"chips\"</b>", {31, 119, 180}}}};
}

EpochReport epoch(int number, int total, double miou) {
  EpochReport report;
  report.epoch = number, report.epochs = total;
  report.loss = 1.5 / number, report.cross_entropy = 1.0 / number, report.dice = 0.5 / number;
  report.learning_rate = 0.001 * (total - number + 1) / total;
  report.train_seconds = 4, report.train_images_per_second = 40 + std::sin(number);
  report.elapsed_seconds = 5.0 * number;
  report.validated = true;
  report.validation_seconds = 1, report.validation_images_per_second = 12.34;
  report.confusion = metrics::ConfusionMatrix(3);
  report.confusion.add_counts(0, 0, 900'000), report.confusion.add_counts(0, 1, 4'000);
  report.confusion.add_counts(1, 1, 40'000), report.confusion.add_counts(1, 0, 9'000);
  report.confusion.add_counts(2, 2, 20'000), report.confusion.add_counts(2, 1, 11'000);
  report.mean_iou = miou, report.pixel_accuracy = report.confusion.pixel_accuracy();
  report.frequency_weighted_iou = report.confusion.frequency_weighted_iou();
  report.best = true;
  return report;
}

ReportContent content(int epochs) {
  ReportContent content;
  content.title = "Training reef <script>alert(1)</script>";
  content.classes = three_classes();
  for (int i = 1; i <= epochs; ++i) content.history.push_back(epoch(i, epochs, 0.9 - 0.6 / i));
  content.best_epoch = epochs;
  for (int i = 0; i < 3; ++i) {
    imaging::Image photo({240, 160}, {static_cast<std::uint8_t>(60 * i), 120, 160});
    imaging::Mask mask({240, 160});
    for (int y = 40; y < 100; ++y) {
      for (int x = 60 + 20 * i; x < 150; ++x) mask.set(x, y, static_cast<std::uint8_t>(1 + i % 2));
    }
    const Bytes jpeg = *imaging::encode_jpeg(imaging::overlay(photo, mask, content.classes.palette()));
    content.worst.push_back({fmt::format("photo<{}>.jpg", i), 0.2 + 0.1 * i, jpeg, jpeg});
    content.best.push_back({fmt::format("good_{}.jpg", i), 0.95 - 0.01 * i, jpeg, jpeg});
  }
  content.facts = {{"data", "reef/dataset"}, {"initial weights", "the starter encoder"}};
  content.hyperparameters = {
      {"backbone", "mobilenet-v2"}, {"learning_rate", "0.001"}, {"lr_scheduler", "cosine"}};
  return content;
}

TEST(MetricLine, IsStable) {
  EpochReport report = epoch(3, 30, 0.91);
  report.loss = 0.12345678, report.train_images_per_second = 45.6, report.pixel_accuracy = 0.99;
  EXPECT_EQ(format_metric_line(report),
            "[epoch 3/30] train:loss=0.123457 train:throughput=45.600 validation:mIOU=0.910000 "
            "validation:pixel_accuracy=0.990000 validation:throughput=12.340");
  report.validated = false;
  EXPECT_EQ(format_metric_line(report), "[epoch 3/30] train:loss=0.123457 train:throughput=45.600");
}

// As SageMaker scrapes a log: one regular expression a metric.
TEST(MetricLine, ServesRegularExpressions) {
  const std::string line = format_metric_line(epoch(2, 4, 0.75));
  for (const char* name : {"train:loss", "train:throughput", "validation:mIOU", "validation:pixel_accuracy",
                           "validation:throughput"}) {
    std::smatch match;
    EXPECT_TRUE(std::regex_search(line, match, std::regex(std::string(name) + "=([0-9.]+)"))) << name;
  }
}

TEST(MetricsFile, OneObjectAnEpochAndResumeRewritesTheHistory) {
  auto scratch = ScratchFolder::make();
  ASSERT_TRUE(scratch);
  const auto path = (*scratch)->path() / "metrics.jsonl";
  MetricsLog log(path, three_classes());
  ASSERT_TRUE(log.start({}));
  ASSERT_TRUE(log.append(epoch(1, 3, 0.5)));
  ASSERT_TRUE(log.append(epoch(2, 3, 0.6)));
  MetricsLog resumed(path, three_classes());
  ASSERT_TRUE(resumed.start({epoch(1, 3, 0.5)}));
  EpochReport second = epoch(2, 3, 0.7);
  second.validated = false;
  ASSERT_TRUE(resumed.append(second));

  const std::string text = *read_text_file(path);
  ASSERT_EQ(std::count(text.begin(), text.end(), '\n'), 2);
  const auto first = nlohmann::json::parse(text.substr(0, text.find('\n')));
  EXPECT_EQ(first.at("format"), "terrapin-metrics");
  EXPECT_EQ(first.at("version"), 1);
  EXPECT_EQ(first.at("epoch"), 1);
  EXPECT_DOUBLE_EQ(first.at("validation").at("mean_iou"), 0.5);
  EXPECT_EQ(first.at("validation").at("confusion").at(2).at(1), 11'000);
  EXPECT_EQ(first.at("validation").at("classes").at(1).at("name"), "Turtle");
  EXPECT_NEAR(first.at("validation").at("classes").at(1).at("iou").get<double>(), 40'000.0 / 64'000, 1e-12);
  const auto last = nlohmann::json::parse(text.substr(text.find('\n') + 1));
  EXPECT_FALSE(last.contains("validation"));
}

TEST(MetricsFile, ClassesThatNeverOccurAreNullAndBrokenNamesDoNotThrow) {
  EpochReport report = epoch(1, 1, 0.5);
  report.confusion = metrics::ConfusionMatrix(2);
  report.confusion.add_counts(0, 0, 5);
  const artifacts::ClassList classes{{{"a", {}}, {"bad \xff name", {}}}};
  EXPECT_TRUE(metrics_json(report, classes).at("validation").at("classes").at(1).at("iou").is_null());
  auto scratch = ScratchFolder::make();
  ASSERT_TRUE(scratch);
  MetricsLog log((*scratch)->path() / "metrics.jsonl", classes);
  EXPECT_TRUE(log.append(report));
}

TEST(Report, EscapesEveryTextFromOutside) {
  const std::string html = render_report(content(5));
  EXPECT_THAT(html, Not(HasSubstr("<script")));
  EXPECT_THAT(html, Not(HasSubstr("<b>Fish")));
  EXPECT_THAT(html, Not(HasSubstr("photo<0>")));
  EXPECT_THAT(html, HasSubstr("&lt;b&gt;Fish &amp; &quot;chips&quot;&lt;/b&gt;"));
}

TEST(Report, HoldsScoresCurvesMatrixAndPicturesWithoutOutsideResources) {
  const std::string html = render_report(content(5));
  EXPECT_THAT(html, Not(HasSubstr("http")));
  EXPECT_THAT(html, HasSubstr("0.780"));  // mean IoU of epoch 5
  EXPECT_THAT(html, HasSubstr("Scores of epoch 5"));
  EXPECT_THAT(html, HasSubstr("title=\"11000 pixels\""));  // the largest confusion
  EXPECT_THAT(html, HasSubstr("35.5"));                    // of that class, in percent
  const std::string_view polyline = "<polyline";
  std::size_t lines = 0;
  for (std::size_t at = html.find(polyline); at != std::string::npos; at = html.find(polyline, at + 1))
    ++lines;
  EXPECT_EQ(lines, 4u);
  const std::string_view picture = "src=\"data:image/jpeg;base64,/9j/";
  std::size_t pictures = 0;
  for (std::size_t at = html.find(picture); at != std::string::npos; at = html.find(picture, at + 1))
    ++pictures;
  EXPECT_EQ(pictures, 12u);
}

TEST(Report, OneEpochAndNoEpochStillMakeAPage) {
  EXPECT_THAT(render_report(content(1)), HasSubstr("<circle"));
  ReportContent nothing;
  nothing.title = "Empty";
  EXPECT_THAT(render_report(nothing), HasSubstr("No epoch was validated"));
}

TEST(Report, ChartsSkipNumbersThatAreNone) {
  const report::Chart chart{
      .title = "loss",
      .points = {{1, std::nan("")}, {2, 1.0}, {3, std::numeric_limits<double>::infinity()}, {4, 2.0}}};
  const std::string svg = report::draw_chart(chart);
  EXPECT_THAT(svg, Not(HasSubstr("nan")));
  EXPECT_THAT(svg, Not(HasSubstr("inf")));
  EXPECT_EQ(report::draw_chart({.title = "nothing", .points = {}}), "");
}

}  // namespace
}  // namespace terrapin::training
