#include "labeling/jobs/consolidator.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "artifacts/manifest_write.h"
#include "base/json_text.h"
#include "base/text.h"
#include "imaging/codecs.h"
#include "labeling/consolidation/consolidate.h"
#include "labeling/jobs/void_label.h"
#include "labeling/tasks/answer.h"

namespace terrapin::labeling {
namespace {

using nlohmann::ordered_json;

Result<Bytes> read_object(Core& core, const std::string& uri) {
  TERRAPIN_TRY(const storage::ObjectName name, storage::parse_s3_uri(uri));
  TERRAPIN_TRY(const storage::OpenObject object, core.store.get(name));
  return read_all(*object.content, std::int64_t{4} << 30);
}

std::string time_text(Timestamp time) {
  return iso_text(time, 3) + "Z";
}

// {"answers": [...]}, every answer as the worker gave it.
Status write_worker_response(Core& core, const JobRow& job, const OutputLayout& layout,
                             const ObjectRow& object, const std::vector<AssignmentRow>& answers,
                             Timestamp now) {
  ordered_json list = ordered_json::array();
  for (const AssignmentRow& answer : answers) {
    TERRAPIN_TRY(const Bytes bytes, read_object(core, answer.answer_uri));
    auto content = ordered_json::parse(bytes.begin(), bytes.end(), nullptr, false);
    ordered_json item = ordered_json::object();
    item["acceptanceTime"] = time_text(answer.accepted);
    item["submissionTime"] = time_text(answer.submitted.value_or(answer.accepted));
    item["timeSpentInSeconds"] =
        static_cast<double>((answer.submitted.value_or(answer.accepted) - answer.accepted).count()) / 1e6;
    item["workerId"] = answer.worker_id;
    item["answerContent"] = content.is_discarded() ? ordered_json::object() : std::move(content);
    item["workerMetadata"]["identityData"] = ordered_json::parse(answer.identity_json, nullptr, false);
    list.push_back(std::move(item));
  }
  ordered_json document = ordered_json::object();
  document["answers"] = std::move(list);
  auto put = core.store.put(layout.worker_response(job.iteration, object.index, now),
                            *bytes_source(json_text(document)), "application/json");
  if (!put) return tl::unexpected<Error>(std::move(put.error()));
  return {};
}

std::string job_name_of(const JobRow& job) {
  return "labeling-job/" + job.spec.name;
}

// The object's result as it was; nullopt if there is none.
std::optional<imaging::Mask> present_mask(Core& core, const ObjectRow& object) {
  if (object.mask_uri.empty()) return std::nullopt;
  const auto bytes = read_object(core, object.mask_uri);
  if (!bytes) return std::nullopt;
  auto file = imaging::decode_mask(*bytes);
  if (!file || !file->labels) return std::nullopt;
  return std::move(*file->labels);
}

std::string figures_json(const Consolidated& result, const std::vector<AssignmentRow>& answers,
                         const WorkerSkills& skills, const JobRow& job) {
  ordered_json document = ordered_json::object();
  document["format"] = "terrapin-consolidation";
  document["version"] = 1;
  document["confidence"] = result.confidence;
  document["disagreement"] = result.disagreement;
  document["disputed_pixels"] = result.disputed_pixels;
  ordered_json list = ordered_json::array();
  for (const ClassOutcome& outcome : result.classes) {
    ordered_json item = ordered_json::object();
    item["index"] = job.file_index(outcome.index);
    item["class-name"] = outcome.index < job.classes.size()
                             ? job.classes.classes[static_cast<std::size_t>(outcome.index)].name
                             : std::string();
    item["pixels"] = outcome.pixels;
    item["confidence"] = outcome.confidence;
    item["agreement"] = outcome.agreement;
    list.push_back(std::move(item));
  }
  document["classes"] = std::move(list);
  ordered_json workers = ordered_json::array();
  for (const AssignmentRow& answer : answers) {
    ordered_json item = ordered_json::object();
    item["workerId"] = answer.worker_id;
    if (answers.size() > 1) item["reliability"] = skills.reliability(answer.worker_id);
    workers.push_back(std::move(item));
  }
  document["workers"] = std::move(workers);
  return json_text(document, 2) + "\n";
}

Status put_bytes(Core& core, const storage::ObjectName& name, Bytes bytes, const char* type) {
  auto put = core.store.put(name, *bytes_source(std::move(bytes)), type);
  if (!put) return tl::unexpected<Error>(std::move(put.error()));
  return {};
}

Result<ObjectResult> consolidate_masks(Core& core, const JobRow& job, const OutputLayout& layout,
                                       ObjectRow object, const std::vector<AssignmentRow>& answers,
                                       const WorkerSkills& skills, Timestamp now) {
  TERRAPIN_TRY(const Bytes first, read_object(core, answers.front().mask_uri));
  auto info = imaging::read_photo_info(first);
  if (!info) return with_context(std::move(info.error()), answers.front().mask_uri);
  const imaging::Size size = info->size;
  const auto lease = core.pixels.take(size.area() * static_cast<std::int64_t>(answers.size() + 3));
  std::vector<imaging::Mask> masks;
  masks.reserve(answers.size());
  for (const AssignmentRow& answer : answers) {
    TERRAPIN_TRY(const Bytes png, read_object(core, answer.mask_uri));
    auto file = imaging::decode_mask(png);
    if (!file || !file->labels)
      return fail(ErrorCode::kCorrupt, "{}: {}", answer.mask_uri,
                  file ? "is no indexed PNG" : file.error().message);
    masks.push_back(std::move(*file->labels));
    to_class_indices(job, masks.back());
  }
  std::vector<Answer> list;
  for (std::size_t i = 0; i < answers.size(); ++i) list.push_back({answers[i].worker_id, &masks[i]});

  ObjectResult result;
  if (answers.size() > 1) {
    TERRAPIN_TRY(const VoteCounts votes, count_votes(list, job.classes.size()));
    result.votes_json = to_json(votes);
  }
  ConsolidationOptions options;
  options.rule = job.spec.majority_vote ? VoteRule::kMajority : VoteRule::kSkilled;
  TERRAPIN_TRY(Consolidated consolidated, consolidate(list, skills, options));
  masks.clear();
  to_file_indices(job, consolidated.mask);

  // A result that did not change keeps its files.
  const auto present = present_mask(core, object);
  const bool same = present && *present == consolidated.mask;
  if (!same) object.result = OutputLayout::stem(object.index, now);
  TERRAPIN_TRY_STATUS(put_bytes(
      core, layout.figures(object.result),
      [&] {
        const std::string text = figures_json(consolidated, answers, skills, job);
        return Bytes(text.begin(), text.end());
      }(),
      "application/json"));
  if (answers.size() > 1) {
    imaging::Palette grey;
    for (int value = 0; value < 256; ++value) {
      const auto level = static_cast<std::uint8_t>(value);
      grey.push_back({level, level, level});
    }
    TERRAPIN_TRY(Bytes png, imaging::encode_indexed_png(consolidated.certainty, grey));
    TERRAPIN_TRY_STATUS(put_bytes(core, layout.certainty(object.result), std::move(png), "image/png"));
  }
  if (!same) {
    TERRAPIN_TRY(Bytes png, imaging::encode_indexed_png(consolidated.mask, file_palette(job)));
    TERRAPIN_TRY_STATUS(put_bytes(core, layout.mask(object.result), std::move(png), "image/png"));
  }
  object.mask_uri = storage::s3_uri(layout.mask(object.result));
  object.confidence = consolidated.confidence;
  object.disagreement = consolidated.disagreement;
  object.value_json = artifacts::json_string(object.mask_uri);
  artifacts::MaskMetadata metadata{consolidated.confidence, true, iso_text(now, 6), job_name_of(job), ""};
  if (task_kind(job.spec) == TaskKind::kAdjustment) {
    bool adjusted = false;
    for (const AssignmentRow& answer : answers) {
      TERRAPIN_TRY(const Bytes bytes, read_object(core, answer.answer_uri));
      const auto json = nlohmann::json::parse(bytes.begin(), bytes.end(), nullptr, false);
      bool modified = true;
      if (json.is_object()) {
        for (const auto& element : json)
          if (element.is_object() && element.contains("initialValueModified"))
            modified = element["initialValueModified"] != false;
      }
      adjusted = adjusted || modified;
    }
    metadata.adjustment_status = adjusted ? "adjusted" : "unadjusted";
  }
  object.metadata_json = artifacts::mask_metadata_json(job.categories(), metadata);
  result.object = std::move(object);
  return result;
}

Result<ObjectResult> consolidate_choices(Core& core, const JobRow& job, ObjectRow object,
                                         const std::vector<AssignmentRow>& answers, Timestamp now) {
  std::map<int, int> votes;
  artifacts::VerificationMetadata metadata;
  for (const AssignmentRow& answer : answers) {
    TERRAPIN_TRY(const Bytes bytes, read_object(core, answer.answer_uri));
    TERRAPIN_TRY(const ChoiceAnswer choice,
                 read_choice_answer(std::string(bytes.begin(), bytes.end()), job.classes));
    ++votes[choice.index];
    if (!choice.feedback.empty()) metadata.worker_feedback.push_back(choice.feedback);
  }
  // Most votes; of equal ones the choice that comes first in the category file.
  auto best = votes.begin();
  for (auto vote = votes.begin(); vote != votes.end(); ++vote)
    if (vote->second > best->second) best = vote;
  metadata.class_name = job.classes.classes[static_cast<std::size_t>(best->first + 1)].name;
  metadata.confidence =
      answers.size() > 1 ? static_cast<double>(best->second) / static_cast<double>(answers.size()) : 0.0;
  metadata.creation_date = iso_text(now, 6);
  metadata.job_name = job_name_of(job);
  object.confidence = metadata.confidence;
  object.disagreement = answers.size() > 1
                            ? 1.0 - static_cast<double>(best->second) / static_cast<double>(answers.size())
                            : 0.0;
  object.value_json = artifacts::json_string(std::to_string(best->first));
  object.metadata_json = artifacts::verification_metadata_json(metadata);
  return ObjectResult{std::move(object), ""};
}

Result<ordered_json> request_entry(Core& core, const ObjectRow& object,
                                   const std::vector<AssignmentRow>& answers, bool whole) {
  ordered_json list = ordered_json::array();
  for (const AssignmentRow& answer : answers) {
    ordered_json data = ordered_json::object();
    if (whole) {
      TERRAPIN_TRY(const Bytes bytes, read_object(core, answer.answer_uri));
      data["content"] = std::string(bytes.begin(), bytes.end());
    } else {
      data["s3Uri"] = answer.answer_uri;
    }
    list.push_back({{"workerId", answer.worker_id}, {"annotationData", std::move(data)}});
  }
  ordered_json entry = ordered_json::object();
  entry["datasetObjectId"] = std::to_string(object.index);
  entry["dataObject"]["s3Uri"] = object.source_uri;
  entry["annotations"] = std::move(list);
  return entry;
}

// A registered post-annotation function decides what the manifest says.
Result<ObjectResult> consolidate_by_function(Core& core, const JobRow& job, ObjectRow object,
                                             const std::string& payload_uri) {
  ordered_json request = ordered_json::object();
  request["version"] = "2018-10-16";
  request["labelingJobArn"] = core.options.job_arn_prefix + lower_case(job.spec.name);
  ordered_json categories = ordered_json::array();
  for (int i = 1; i < job.classes.size(); ++i)
    categories.push_back(job.classes.classes[static_cast<std::size_t>(i)].name);
  request["labelCategories"] = std::move(categories);
  request["labelAttributeName"] = job.spec.label_attribute;
  request["roleArn"] = job.spec.role_arn;
  request["payload"]["s3Uri"] = payload_uri;
  const std::string& name = job.spec.post_function.name;
  const auto fail_object = [&](std::string reason) {
    object.state = ObjectState::kFailed;
    object.failure = std::move(reason);
    return ObjectResult{object, ""};
  };
  TERRAPIN_TRY(const bool known, core.knows_function(name));
  if (!known) return fail_object(fmt::format("no post-annotation function is registered as '{}'", name));
  auto answer = core.collaborators.functions->call(name, json_text(request));
  // The server stops, or the registry cannot be read: the object waits.
  if (!answer &&
      (answer.error().code == ErrorCode::kCancelled || answer.error().code == ErrorCode::kInternal))
    return tl::unexpected<Error>(std::move(answer.error()));
  if (!answer)
    return fail_object(fmt::format("post-annotation function {}: {}", name, answer.error().message));
  const auto json = ordered_json::parse(*answer, nullptr, false);
  const auto refuse = [&](const char* what) {
    return fail_object(fmt::format("post-annotation function {}: its answer {}", name, what));
  };
  if (!json.is_array()) return refuse("is no array of {\"datasetObjectId\", \"consolidatedAnnotation\"}");
  for (const auto& item : json) {
    if (!item.is_object() || !item.contains("datasetObjectId")) continue;
    const auto& id = item["datasetObjectId"];
    if ((id.is_string() ? id.get<std::string>() : id.dump()) != std::to_string(object.index)) continue;
    if (!item.contains("consolidatedAnnotation") || !item["consolidatedAnnotation"].is_object() ||
        !item["consolidatedAnnotation"].contains("content") ||
        !item["consolidatedAnnotation"]["content"].is_object())
      return refuse("has no consolidatedAnnotation.content for the object");
    const auto& content = item["consolidatedAnnotation"]["content"];
    if (!content.contains(job.spec.label_attribute)) return refuse("does not hold the label attribute");
    object.value_json = json_text(content[job.spec.label_attribute]);
    ordered_json metadata = ordered_json::object();
    if (content.contains(job.spec.label_attribute + "-metadata"))
      metadata = content[job.spec.label_attribute + "-metadata"];
    if (!metadata.is_object()) return refuse("has metadata that are no object");
    metadata["type"] = "groundtruth/custom";
    metadata["human-annotated"] = "yes";
    metadata["creation-date"] = iso_text(core.clock.now(), 6);
    metadata["job-name"] = job_name_of(job);
    object.metadata_json = json_text(metadata);
    return ObjectResult{std::move(object), ""};
  }
  return refuse("does not name the object");
}

// All that reads what workers gave: a file of theirs that is gone or damaged is the object's own fault.
Result<ObjectResult> compute(Core& core, const JobRow& job, const OutputLayout& layout,
                             const ObjectRow& object, const std::vector<AssignmentRow>& answers,
                             const WorkerSkills& skills, Timestamp now) {
  const bool built_in = job.spec.post_function.built_in();
  TERRAPIN_TRY_STATUS(write_worker_response(core, job, layout, object, answers, now));
  TERRAPIN_TRY(ordered_json entry, request_entry(core, object, answers, !built_in));
  ordered_json request = ordered_json::array();
  request.push_back(std::move(entry));
  const storage::ObjectName request_name = layout.consolidation_request(job.iteration, now);
  TERRAPIN_TRY_STATUS(core.store.put(request_name, *bytes_source(json_text(request)), "application/json"));
  if (!built_in) return consolidate_by_function(core, job, object, storage::s3_uri(request_name));
  if (task_kind(job.spec) == TaskKind::kVerification)
    return consolidate_choices(core, job, object, answers, now);
  return consolidate_masks(core, job, layout, object, answers, skills, now);
}

}  // namespace

Result<JobSkills> JobSkills::load(Core& core, const std::string& job_id, int class_count) {
  JobSkills skills(class_count);
  std::int64_t after = -1;
  for (;;) {
    std::vector<std::tuple<std::int64_t, std::string>> rows;
    TERRAPIN_TRY_STATUS(core.state.read([&](storage::Transaction& state) -> Status {
      TERRAPIN_TRY(
          rows,
          (state.select<std::int64_t, std::string>(
              "SELECT idx, votes FROM labeling_votes WHERE job_id = ? AND idx > ? ORDER BY idx LIMIT 200",
              job_id, after)));
      return {};
    }));
    if (rows.empty()) break;
    for (const auto& [index, text] : rows) {
      TERRAPIN_TRY(const VoteCounts votes, votes_from_json(text));
      TERRAPIN_TRY_STATUS(skills.add(votes));
      after = index;
    }
  }
  return skills;
}

Status JobSkills::add(const VoteCounts& object) {
  TERRAPIN_TRY_STATUS(votes_.add(object));
  ++objects_;
  stale_ = true;
  return {};
}

Status JobSkills::remove(const VoteCounts& object) {
  TERRAPIN_TRY_STATUS(votes_.remove(object));
  --objects_;
  stale_ = true;
  return {};
}

const WorkerSkills& JobSkills::skills(bool exact) {
  if (stale_ && (exact || objects_ * 10 >= estimated_at_ * 11)) {
    skills_ = WorkerSkills::estimate(votes_);
    estimated_at_ = objects_;
    stale_ = false;
  }
  return skills_;
}

Result<ObjectResult> consolidate_object(Core& core, const JobRow& job, const OutputLayout& layout,
                                        ObjectRow object, const std::vector<AssignmentRow>& answers,
                                        const WorkerSkills& skills) {
  const Timestamp now = core.clock.now();
  object.iteration = job.iteration;
  object.state = ObjectState::kLabeled;
  object.failure.clear();
  const std::int64_t index = object.index;

  auto result = compute(core, job, layout, object, answers, skills, now);
  if (!result) {
    // What is wrong with this object alone must not hold up the job.
    const ErrorCode code = result.error().code;
    if (code != ErrorCode::kNotFound && code != ErrorCode::kCorrupt && code != ErrorCode::kUnsupported &&
        code != ErrorCode::kInvalidArgument)
      return result;
    object.state = ObjectState::kFailed;
    object.failure = result.error().message;
    object.take_mask_back();
    result = ObjectResult{std::move(object), ""};
  }
  ordered_json content = ordered_json::object();
  if (result->object.state == ObjectState::kLabeled) {
    content[job.spec.label_attribute] = ordered_json::parse(result->object.value_json, nullptr, false);
    content[job.spec.label_attribute + "-metadata"] =
        ordered_json::parse(result->object.metadata_json, nullptr, false);
  } else {
    content["failure-reason"] = result->object.failure;
  }
  ordered_json entry = ordered_json::object();
  entry["datasetObjectId"] = std::to_string(index);
  entry["consolidatedAnnotation"]["content"] = std::move(content);
  ordered_json response = ordered_json::array();
  response.push_back(std::move(entry));
  TERRAPIN_TRY_STATUS(core.store.put(layout.consolidation_response(job.iteration, now),
                                     *bytes_source(json_text(response)), "application/json"));
  return result;
}

}  // namespace terrapin::labeling
