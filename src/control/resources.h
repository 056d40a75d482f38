// Rows of the control plane: training jobs, models, endpoints and what else has a name, a status and a
// description. Columns: docs/formats/control.md.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "storage/database.h"

namespace terrapin::control {

// Kinds, as rows name them.
inline constexpr const char* kTrainingJobKind = "training-job";
inline constexpr const char* kModelKind = "model";
inline constexpr const char* kEndpointConfigKind = "endpoint-config";
inline constexpr const char* kEndpointKind = "endpoint";
inline constexpr const char* kTransformJobKind = "transform-job";
inline constexpr const char* kTuningJobKind = "tuning-job";

// The tag of a configuration that was made with an endpoint, and goes with it; its value is the endpoint's
// name. Whoever could set it would have it deleted: keys that begin so are not taken from outside.
inline constexpr const char* kMadeForTag = "terrapin-made-for";

struct Resource {
  std::string kind, name;
  std::string owner;   // of the access key that made it
  std::string status;  // "InProgress"; "" for what has none
  std::string parent;  // the tuning job that made a training job, ""
  std::string job_id;  // of src/jobs, "" without a process
  std::string spec;    // JSON of its kind: what was asked for; never changes
  std::string state;   // JSON of its kind: what has become of it
  std::map<std::string, std::string> tags;
  Timestamp created, modified;
};

struct ResourceFilter {
  std::string kind;
  std::string name_contains;  // without regard to case
  std::optional<std::string> parent;
  std::vector<std::string> statuses;  // any of these; empty: every
  std::optional<Timestamp> created_after, created_before, modified_after, modified_before;
  enum class SortBy { kName, kCreationTime, kModifiedTime, kStatus } sort_by = SortBy::kCreationTime;
  bool descending = false;
  std::int64_t offset = 0;
  int limit = 100;
};
struct ResourcePage {
  std::vector<Resource> resources;
  bool more = false;
};

// Names are unique in a kind without regard to case. Thread-safe, also between processes.
class Resources {
 public:
  // Brings the tables up to date.
  static Result<Resources> open(storage::Database& state, const Clock& clock);

  // With the present time as `created` and `modified`. kAlreadyExists.
  Result<Resource> create(storage::Transaction& state, Resource resource);
  Result<Resource> create(Resource resource);
  Result<Resource> find(storage::Transaction& state, const std::string& kind, const std::string& name);
  Result<Resource> find(const std::string& kind, const std::string& name);  // kNotFound
  // The one whose process has that id. kNotFound.
  Result<Resource> find_by_job(const std::string& job_id);
  Result<ResourcePage> list(const ResourceFilter& filter);
  // Those of every page from filter.offset on. Whoever changes what is listed wants them all before: rows
  // that leave the list would move its pages.
  Result<std::vector<Resource>> all(ResourceFilter filter);

  // Reads, changes and writes with nobody in between: status, job_id, state and tags are kept, `modified` is
  // set if one of the first three differs. An error of `change` leaves the row as it was.
  using Change = std::function<Status(storage::Transaction&, Resource&)>;
  Result<Resource> change(const std::string& kind, const std::string& name, const Change& change);
  Status remove(storage::Transaction& state, const std::string& kind, const std::string& name);  // kNotFound
  Status remove(const std::string& kind, const std::string& name);

  storage::Database& database() { return *state_; }
  Timestamp now() const { return clock_->now(); }

 private:
  Resources(storage::Database& state, const Clock& clock) : state_(&state), clock_(&clock) {}

  storage::Database* state_;
  const Clock* clock_;
};

}  // namespace terrapin::control
