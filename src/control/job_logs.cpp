#include "control/job_logs.h"

#include <algorithm>
#include <utility>

#include "storage/object_store.h"

namespace terrapin::control {
namespace {

constexpr int kRowsAtATime = 1000;

class JobLogs final : public LogSource {
 public:
  JobLogs(Resources& resources, jobs::Runner& runner, std::string kind, std::string group,
          std::function<std::string(const Resource&)> output_uri)
      : resources_(resources),
        runner_(runner),
        kind_(std::move(kind)),
        group_(std::move(group)),
        output_uri_(std::move(output_uri)) {}

  // There is one as soon as there is a job.
  Result<std::vector<LogGroup>> groups(const std::string& prefix) override {
    if (!group_.starts_with(prefix)) return std::vector<LogGroup>();
    ResourceFilter oldest;
    oldest.kind = kind_;
    oldest.limit = 1;
    TERRAPIN_TRY(const ResourcePage page, resources_.list(oldest));
    if (page.resources.empty()) return std::vector<LogGroup>();
    return std::vector<LogGroup>{{group_, page.resources.front().created}};
  }

  Result<std::vector<LogStream>> streams(const std::string& group, const std::string& prefix,
                                         const std::string& after, int limit) override {
    TERRAPIN_TRY_STATUS(require(group));
    std::vector<LogStream> found;
    // "<name>/..." names one job; anything shorter is the beginning of many names.
    if (const std::size_t slash = prefix.find('/'); slash != std::string::npos) {
      const auto row = resources_.find(kind_, prefix.substr(0, slash));
      if (!row && row.error().code != ErrorCode::kNotFound) return tl::unexpected<Error>(row.error());
      if (!row || row->name != prefix.substr(0, slash)) return found;
      TERRAPIN_TRY_STATUS(add(*row, prefix, after, found));
      if (found.size() > static_cast<std::size_t>(limit)) found.resize(static_cast<std::size_t>(limit));
      return found;
    }
    ResourceFilter filter;
    filter.kind = kind_;
    filter.name_contains = prefix;
    filter.limit = kRowsAtATime;
    for (bool more = true; more; filter.offset += filter.limit) {
      TERRAPIN_TRY(const ResourcePage page, resources_.list(filter));
      for (const Resource& row : page.resources) {
        TERRAPIN_TRY_STATUS(add(row, prefix, after, found));
      }
      more = page.more;
    }
    std::sort(found.begin(), found.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
    if (found.size() > static_cast<std::size_t>(limit)) found.resize(static_cast<std::size_t>(limit));
    return found;
  }

  Result<LogStream> stream(const std::string& group, const std::string& name) override {
    TERRAPIN_TRY(const auto found, streams(group, name, "", 1));
    if (found.empty() || found.front().name != name || name.find('/') == std::string::npos)
      return fail(ErrorCode::kNotFound, "there is no log stream '{}'", name);
    return found.front();
  }

  Result<jobs::OutputPage> read(const std::string& group, const std::string& stream, std::int64_t offset,
                                std::int64_t max_bytes) override {
    TERRAPIN_TRY_STATUS(require(group));
    TERRAPIN_TRY(const Resource row, resources_.find(kind_, stream.substr(0, stream.find('/'))));
    if (stream_of(row) != stream) return fail(ErrorCode::kNotFound, "there is no log stream '{}'", stream);
    return runner_.output(row.job_id, offset, max_bytes);
  }

 private:
  Status require(const std::string& group) const {
    if (group == group_) return {};
    return fail(ErrorCode::kNotFound, "there is no log group '{}'", group);
  }
  static std::string stream_of(const Resource& row) {
    return fmt::format("{}/algo-1-{}", row.name, to_microseconds(row.created) / 1'000'000);
  }
  Status add(const Resource& row, const std::string& prefix, const std::string& after,
             std::vector<LogStream>& found) {
    LogStream stream{stream_of(row), row.created, {}, row.modified};
    if (!stream.name.starts_with(prefix) || stream.name <= after) return {};
    // Nothing was written before it began.
    TERRAPIN_TRY(const jobs::OutputPage first, runner_.output(row.job_id, 0, 1));
    if (first.lines.empty()) return {};
    stream.created = first.lines.front().time;
    const auto place = storage::parse_s3_uri(output_uri_(row));
    if (place) stream.bucket = place->bucket;
    found.push_back(std::move(stream));
    return {};
  }

  Resources& resources_;
  jobs::Runner& runner_;
  const std::string kind_, group_;
  const std::function<std::string(const Resource&)> output_uri_;
};

}  // namespace

std::unique_ptr<LogSource> make_job_logs(Resources& resources, jobs::Runner& runner, std::string kind,
                                         std::string group,
                                         std::function<std::string(const Resource&)> output_uri) {
  return std::make_unique<JobLogs>(resources, runner, std::move(kind), std::move(group),
                                   std::move(output_uri));
}

}  // namespace terrapin::control
