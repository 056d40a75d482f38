// Assistance that learns from a labeling job: when it is tried, what the process is told, and the model that
// is kept. Files: docs/formats/assist-learning.md; why it is so: docs/decisions/0015-assist-learning.md.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"

namespace terrapin::control {

// Of the row, of its process, and what `job-work` is called with.
inline constexpr const char* kAssistLearningKind = "assist-learning";

inline constexpr int kMostLearningPhotos = 400;   // the newest ones
inline constexpr std::int64_t kLeastJudges = 20;  // held-out objects below which nothing is judged
inline constexpr double kLeastGain = 0.005;       // of mean IoU

// Whether to try, with `photos` labelled and `tried` of them at the last try (0: never): at `first`, then
// each time that half as many have been added.
bool learning_is_due(std::int64_t photos, std::int64_t tried, std::int64_t first);

// How many of `photos`, the newest, are never learned from: a fifth, at least one.
int held_out_of(int photos);

// Of a model on the held-out photos' objects. Shares, 0 to 1.
struct AssistScores {
  std::int64_t objects = 0;
  double iou = 0;          // mean, from four clicks up to 3 pixels off
  double clicked_iou = 0;  // mean, after one corrective click
};
// Judged on the same objects, enough of them: the four clicks give more by kLeastGain, and the click after
// them no less.
bool is_better(const AssistScores& before, const AssistScores& after);

struct LearningPhoto {
  std::string photo_uri, mask_uri;  // s3://
};

// What the process is to do.
struct AssistLearningTask {
  std::string labeling_job;     // its name, for people
  std::filesystem::path model;  // what it begins with where the job has learned nothing yet: a file, absolute
  std::filesystem::path folder;  // of the job's learned model, absolute
  std::int64_t labeled = 0;      // photos of the job that have a mask now
  std::int64_t steps = 200;
  double rate = 2e-4;                 // the highest of the learning
  std::vector<LearningPhoto> photos;  // the newest first, no photo twice, at most kMostLearningPhotos
};
std::string assist_learning_task_text(const AssistLearningTask& task);
Result<AssistLearningTask> parse_assist_learning_task(const std::string& text);

// What became of a try.
struct AssistLearningOutcome {
  bool replaced = false;          // the tuned model is the job's now
  std::int64_t learned_from = 0;  // photos
  std::int64_t held_out = 0;      // photos
  AssistScores before, after;     // `after` without objects: nothing was tuned, too few were held out
};
std::string assist_learning_outcome_text(const AssistLearningOutcome& outcome);
Result<AssistLearningOutcome> parse_assist_learning_outcome(const std::string& text);
// For people, one line: "learned from 64 photos: IoU 0.871 -> 0.902 ...".
std::string outcome_sentence(const AssistLearningOutcome& outcome);

// The model that a labeling job's questions are answered with.
struct LearnedModel {
  std::filesystem::path model;  // its file; another one's content has another name
  std::string base;             // digest of the file that it began with
  Timestamp made;
  AssistLearningOutcome outcome;
};
// nullopt: the job has none. kCorrupt, kUnsupported name the file.
Result<std::optional<LearnedModel>> read_learned_model(const std::filesystem::path& folder);
// Copies `model` into the folder, then names it in learned.json: whoever reads sees the old one or the new
// one, also after a crash. Earlier ones are removed. `learned.model` is not looked at.
Status store_learned_model(const std::filesystem::path& folder, const std::filesystem::path& model,
                           const LearnedModel& learned);

}  // namespace terrapin::control
