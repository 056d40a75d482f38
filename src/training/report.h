// report.html: one self-contained page about a training: curves, scores, confusion matrix, pictures,
// settings. No scripts and no outside resources; every text that comes from data is escaped.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "artifacts/channels.h"
#include "artifacts/class_list.h"
#include "base/files.h"
#include "base/result.h"
#include "training/recipe.h"

namespace terrapin::training {

// One validation photo: the labelled mask and the model's, both drawn over it.
struct ReportPicture {
  std::string name;
  double mean_iou = 0;
  Bytes truth_jpeg, prediction_jpeg;
};

struct ReportContent {
  std::string title;
  artifacts::ClassList classes;
  std::vector<EpochReport> history;
  int best_epoch = 0;  // 1-based; 0: no epoch was validated
  std::vector<ReportPicture> worst, best;
  std::vector<std::pair<std::string, std::string>> facts, hyperparameters;  // name, value
};

std::string render_report(const ReportContent& content);

struct ReportPictures {
  std::vector<ReportPicture> worst, best;  // lowest and highest mean_iou first; no photo in both
};

// Draws up to `count` photos each, with the predictions of `outcome.package`. Photos are scaled down to
// `long_side`. Fails as predict_samples and read_sample do.
Result<ReportPictures> draw_report_pictures(const TrainingOutcome& outcome,
                                            const artifacts::SampleIndex& validation, int count = 4,
                                            std::int64_t long_side = 480);

}  // namespace terrapin::training
