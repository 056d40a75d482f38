#include "control/endpoint_logs.h"

#include <algorithm>
#include <map>

namespace terrapin::control {
namespace {

class EndpointLogs final : public LogSource {
 public:
  EndpointLogs(Resources& resources, Endpoints& endpoints, jobs::Runner& runner)
      : resources_(resources), endpoints_(endpoints), runner_(runner) {}

  Result<std::vector<LogGroup>> groups(const std::string& prefix) override {
    ResourceFilter filter;
    filter.kind = kEndpointKind;
    filter.sort_by = ResourceFilter::SortBy::kName;
    TERRAPIN_TRY(const std::vector<Resource> rows, resources_.all(filter));
    std::vector<LogGroup> found;
    for (const Resource& row : rows) {
      LogGroup group{kEndpointLogGroups + row.name, row.created};
      if (group.name.starts_with(prefix)) found.push_back(std::move(group));
    }
    std::sort(found.begin(), found.end(),
              [](const LogGroup& a, const LogGroup& b) { return a.name < b.name; });
    return found;
  }

  Result<std::vector<LogStream>> streams(const std::string& group, const std::string& prefix,
                                         const std::string& after, int limit) override {
    TERRAPIN_TRY(const auto all, servers(group));
    std::vector<LogStream> found;
    for (auto one = all.upper_bound(after); one != all.end() && static_cast<int>(found.size()) < limit; ++one)
      if (one->first.starts_with(prefix)) found.push_back(one->second.stream);
    return found;
  }

  Result<LogStream> stream(const std::string& group, const std::string& name) override {
    TERRAPIN_TRY(const Server server, find(group, name));
    return server.stream;
  }

  Result<jobs::OutputPage> read(const std::string& group, const std::string& stream, std::int64_t offset,
                                std::int64_t max_bytes) override {
    TERRAPIN_TRY(const Server server, find(group, stream));
    return runner_.output(server.job, offset, max_bytes);
  }

 private:
  struct Server {
    LogStream stream;
    std::string job;
  };

  // By the stream's name.
  Result<std::map<std::string, Server>> servers(const std::string& group) {
    const std::string_view start = kEndpointLogGroups;
    const auto endpoint = group.starts_with(start)
                              ? endpoints_.find(group.substr(start.size()))
                              : Result<Endpoint>(fail(ErrorCode::kNotFound, "no endpoint is logged there"));
    if (!endpoint && endpoint.error().code == ErrorCode::kNotFound)
      return fail(ErrorCode::kNotFound, "there is no log group '{}'", group);
    if (!endpoint) return tl::unexpected<Error>(endpoint.error());
    const EndpointState& state = endpoint->state;
    std::map<std::string, Server> all;
    const auto add = [&](const Instance& one) {
      const std::string name = one.variant + "/" + one.id;
      all[name] = {{name, one.made, one.bucket}, one.job};
    };
    for (const auto* deployment : {&state.active, &state.pending}) {
      if (!*deployment) continue;
      for (const DeployedVariant& variant : (*deployment)->variants) {
        for (const Instance& one : variant.instances) add(one);
      }
    }
    for (const Instance& one : state.retired) add(one);
    for (const Instance& one : state.past) add(one);
    return all;
  }

  Result<Server> find(const std::string& group, const std::string& stream) {
    TERRAPIN_TRY(const auto all, servers(group));
    const auto found = all.find(stream);
    if (found == all.end())
      return fail(ErrorCode::kNotFound, "the log group '{}' has no stream '{}'", group, stream);
    return found->second;
  }

  Resources& resources_;
  Endpoints& endpoints_;
  jobs::Runner& runner_;
};

}  // namespace

std::unique_ptr<LogSource> make_endpoint_logs(Resources& resources, Endpoints& endpoints,
                                              jobs::Runner& runner) {
  return std::make_unique<EndpointLogs>(resources, endpoints, runner);
}

}  // namespace terrapin::control
