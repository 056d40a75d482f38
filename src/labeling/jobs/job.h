// A labeling job as plain values. AWS's names for these live in src/api.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"

namespace terrapin::labeling {

enum class JobStatus { kInitializing, kInProgress, kCompleted, kFailed, kStopping, kStopped };
const char* job_status_name(JobStatus status);  // "InProgress"
Result<JobStatus> parse_job_status(std::string_view name);
// The whole life of a labeling job; docs/states.md shows the same table.
bool may_move(JobStatus from, JobStatus to);
inline bool has_ended(JobStatus status) {
  return status == JobStatus::kCompleted || status == JobStatus::kFailed || status == JobStatus::kStopped;
}

enum class TaskKind {
  kSegmentation,  // draw
  kAdjustment,    // correct an earlier job's mask
  kVerification,  // choose one of the labels as judgement of an earlier mask
};

const char* task_kind_name(TaskKind kind);  // "segmentation"

// An annotation function that this program has itself, by its name; the account before it in the ARN differs
// from region to region.
struct BuiltInFunction {
  const char* name;
  TaskKind kind;
  bool before;    // makes a task's input; else consolidates answers
  bool majority;  // by plain majority vote
};
// PRE-/ACS- of SemanticSegmentation, AdjustmentSemanticSegmentation, VerificationSemanticSegmentation, and
// our ACS-SemanticSegmentation-Majority.
const std::vector<BuiltInFunction>& built_in_functions();

// What an annotation function is: built in, or registered under a name (labeling/functions.h).
struct FunctionReference {
  std::string arn;
  std::string name;  // "PRE-SemanticSegmentation"
  // "arn:aws:lambda:region:account:function:NAME[:version]"; without a name if `arn` is none of a function.
  static FunctionReference of_arn(const std::string& arn);
  const BuiltInFunction* find_built_in() const;  // null if it is not built in
  bool built_in() const { return find_built_in() != nullptr; }
};

struct Price {  // of one accepted answer, for the public crowd
  int dollars = 0, cents = 0, tenth_fractions_of_a_cent = 0;
};

// What the requester asked for. Times in seconds. job_rules.h says what is allowed.
struct JobSpec {
  std::string name;             // 1..63, [a-zA-Z0-9](-*[a-zA-Z0-9])*
  std::string label_attribute;  // ends in "-ref", or any for verification
  std::string input_uri;   // s3:// of a manifest; ending in '/' a prefix whose images become the manifest
  std::string output_uri;  // s3://bucket/prefix
  std::string kms_key_id;  // recorded, not used
  std::string role_arn;
  std::string categories_uri;  // s3:// of the label category file
  std::string template_uri;    // s3:// of the task template
  std::vector<std::string> content_classifiers;
  std::optional<std::int64_t> max_human_labeled_objects;
  std::optional<int> max_percent_labeled;  // 1..100
  std::string workteam_arn;
  FunctionReference pre_function, post_function;
  std::vector<std::string> keywords;
  std::string title, description;
  int workers_per_object = 1;  // 1..9
  std::int64_t task_time_limit_s = 3600;
  std::int64_t task_availability_s = 864'000;
  std::int64_t max_concurrent = 1000;  // objects shown at once
  std::optional<Price> price;
  std::vector<std::pair<std::string, std::string>> tags;  // as given at creation; the live ones are api's

  // Ours, beyond AWS.
  std::string owner;           // principal of the key that created it
  std::string continues;       // name of the job that this one continues or was chained to; "" = none
  bool skip_labeled = false;   // lines that carry the label attribute already pass through as they are
  bool majority_vote = false;  // also where post_function says so
};

// Of a job's tags: whether assistance learns from its masks, "on" or "off" (docs/formats/assist-learning.md).
inline constexpr const char* kAssistLearningTag = "terrapin:assist-learning";
// nullopt: the job does not say. Values other than "on" are off; check_spec lets no others pass than these
// two.
std::optional<bool> assist_learning_wanted(const JobSpec& spec);

// By the built-in pre-annotation function; kSegmentation for registered ones.
TaskKind task_kind(const JobSpec& spec);

struct LabelCounters {
  std::int64_t total_labeled = 0, human_labeled = 0, machine_labeled = 0, failed_non_retryable = 0,
               unlabeled = 0;
};

struct JobRecord {
  std::string id;  // never reused, unlike the name
  JobSpec spec;
  JobStatus status = JobStatus::kInitializing;
  std::string failure_reason;
  Timestamp created, modified;
  std::int64_t objects = 0;        // 0 while initializing
  LabelCounters counters;          // always those of the intermediate or final manifest on disk
  std::string output_dataset_uri;  // of the manifest; set once it exists
  std::string reference_code;      // JobReferenceCode
};

// The manifest as it is now: the final one, or the intermediate one of a job that runs.
Result<std::string> manifest_uri_now(const JobRecord& job);

}  // namespace terrapin::labeling
