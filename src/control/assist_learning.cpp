#include "control/assist_learning.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <system_error>
#include <utility>

#include "base/digest.h"
#include "base/files.h"
#include "base/json_text.h"
#include "jobs/json_members.h"

namespace terrapin::control {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using nlohmann::ordered_json;

constexpr const char* kLearnedFile = "learned.json";
constexpr std::int64_t kMaxLearnedBytes = 64 << 10;
constexpr std::int64_t kMaxModelBytes = std::int64_t{1} << 30;

double number_of(const json& from, const char* name) {
  const auto member = from.find(name);
  return member != from.end() && member->is_number() ? member->get<double>() : 0;
}

ordered_json scores_json(const AssistScores& scores) {
  return {{"objects", scores.objects}, {"iou", scores.iou}, {"iou_after_click", scores.clicked_iou}};
}

AssistScores scores_of(const json& from, const char* name) {
  const auto member = from.find(name);
  if (member == from.end() || !member->is_object()) return {};
  return {jobs::integer_of(*member, "objects", 0), number_of(*member, "iou"),
          number_of(*member, "iou_after_click")};
}

ordered_json outcome_json(const AssistLearningOutcome& outcome) {
  return {{"version", 1},
          {"replaced", outcome.replaced},
          {"learned_from", outcome.learned_from},
          {"held_out", outcome.held_out},
          {"before", scores_json(outcome.before)},
          {"after", scores_json(outcome.after)}};
}

AssistLearningOutcome outcome_of(const json& from) {
  return {jobs::flag_of(from, "replaced"), jobs::integer_of(from, "learned_from", 0),
          jobs::integer_of(from, "held_out", 0), scores_of(from, "before"), scores_of(from, "after")};
}

// A plain name of a file beside learned.json.
bool is_model_name(const std::string& name) {
  return name.starts_with("assist-") && name.ends_with(".safetensors") && name.find('/') == std::string::npos;
}

}  // namespace

bool learning_is_due(std::int64_t photos, std::int64_t tried, std::int64_t first) {
  return tried <= 0 ? photos >= first : photos >= tried + (tried + 1) / 2;
}

int held_out_of(int photos) {
  return photos > 0 ? std::max(1, photos / 5) : 0;
}

bool is_better(const AssistScores& before, const AssistScores& after) {
  return before.objects >= kLeastJudges && after.objects == before.objects &&
         after.iou >= before.iou + kLeastGain && after.clicked_iou >= before.clicked_iou;
}

std::string assist_learning_task_text(const AssistLearningTask& task) {
  ordered_json photos = ordered_json::array();
  for (const LearningPhoto& one : task.photos)
    photos.push_back({{"photo", one.photo_uri}, {"mask", one.mask_uri}});
  ordered_json made{{"version", 1},
                    {"labeling_job", task.labeling_job},
                    {"model", task.model.string()},
                    {"folder", task.folder.string()},
                    {"labeled", task.labeled},
                    {"steps", task.steps},
                    {"rate", task.rate}};
  made["photos"] = std::move(photos);
  return json_text(made);
}

Result<AssistLearningTask> parse_assist_learning_task(const std::string& text) {
  TERRAPIN_TRY(const json from, jobs::parse_object(text, "the task of an assistance learning"));
  AssistLearningTask task;
  task.labeling_job = jobs::text_of(from, "labeling_job");
  task.model = jobs::text_of(from, "model");
  task.folder = jobs::text_of(from, "folder");
  task.labeled = jobs::integer_of(from, "labeled", 0);
  task.steps = jobs::integer_of(from, "steps", 0);
  task.rate = number_of(from, "rate");
  if (const auto photos = from.find("photos"); photos != from.end() && photos->is_array())
    for (const json& one : *photos)
      task.photos.push_back({jobs::text_of(one, "photo"), jobs::text_of(one, "mask")});
  if (!task.model.is_absolute() || !task.folder.is_absolute() || task.steps < 1 || !(task.rate > 0))
    return fail(ErrorCode::kCorrupt,
                "the task of an assistance learning: model '{}' and folder '{}' must be absolute paths, "
                "steps, {}, 1 or more, and rate, {}, above 0",
                task.model.string(), task.folder.string(), task.steps, task.rate);
  return task;
}

std::string assist_learning_outcome_text(const AssistLearningOutcome& outcome) {
  return json_text(outcome_json(outcome));
}

Result<AssistLearningOutcome> parse_assist_learning_outcome(const std::string& text) {
  TERRAPIN_TRY(const json from, jobs::parse_object(text, "the outcome of an assistance learning"));
  return outcome_of(from);
}

std::string outcome_sentence(const AssistLearningOutcome& outcome) {
  if (outcome.after.objects == 0)
    return fmt::format("{} held-out objects are too few to judge by (at least {} are needed)",
                       outcome.before.objects, kLeastJudges);
  return fmt::format(
      "{} {} photos: IoU {:.4f} -> {:.4f}, after a click {:.4f} -> {:.4f}, on {} objects of {} later photos",
      outcome.replaced ? "learned from" : "kept the model, not better after", outcome.learned_from,
      outcome.before.iou, outcome.after.iou, outcome.before.clicked_iou, outcome.after.clicked_iou,
      outcome.after.objects, outcome.held_out);
}

Result<std::optional<LearnedModel>> read_learned_model(const fs::path& folder) {
  const fs::path path = folder / kLearnedFile;
  const auto text = read_text_file(path, kMaxLearnedBytes);
  if (!text && text.error().code == ErrorCode::kNotFound) return std::optional<LearnedModel>();
  if (!text) return tl::unexpected<Error>(text.error());
  TERRAPIN_TRY(const json from, jobs::parse_object(*text, path.string()));
  const std::string name = jobs::text_of(from, "model");
  if (!is_model_name(name)) return fail(ErrorCode::kCorrupt, "{}: '{}' names no model", path.string(), name);
  LearnedModel learned;
  learned.model = folder / name;
  learned.base = jobs::text_of(from, "base");
  learned.made = from_microseconds(jobs::integer_of(from, "made_us", 0));
  learned.outcome = outcome_of(from);
  return std::optional(std::move(learned));
}

Status store_learned_model(const fs::path& folder, const fs::path& model, const LearnedModel& learned) {
  TERRAPIN_TRY(const Bytes bytes, read_file(model, kMaxModelBytes));
  const std::string name = fmt::format("assist-{}.safetensors", sha256_hex(bytes).substr(0, 16));
  TERRAPIN_TRY_STATUS(write_file_atomically(folder / name, bytes));
  ordered_json made = outcome_json(learned.outcome);
  made["model"] = name;
  made["base"] = learned.base;
  made["made_us"] = to_microseconds(learned.made);
  TERRAPIN_TRY_STATUS(write_file_atomically(folder / kLearnedFile, json_text(made, 2) + "\n"));
  // What cannot be removed now goes the next time.
  if (const auto files = list_files(folder, false))
    for (const fs::path& file : *files)
      if (const std::string other = file.filename().string(); is_model_name(other) && other != name) {
        std::error_code ignored;
        fs::remove(file, ignored);
      }
  return {};
}

}  // namespace terrapin::control
