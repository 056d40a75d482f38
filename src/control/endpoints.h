// Endpoints: their rows and what may be asked of them. The endpoint keeper makes it so.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "control/endpoint_configs.h"
#include "control/endpoint_state.h"
#include "control/models.h"
#include "control/resources.h"
#include "control/slots.h"

namespace terrapin::control {

struct Endpoint {
  Resource row;  // with the status
  EndpointState state;
  // Its configuration's name: of what serves, else of what is to serve.
  const std::string& config() const;
};

struct VariantChange {
  std::string variant;
  std::optional<double> weight;
  std::optional<int> count;
};

// What an update keeps of the variants of the same name.
struct Retained {
  bool counts = false, weights = false, capture = false;
};

// Thread-safe, also between processes.
class Endpoints {
 public:
  // `changed` is called after every change.
  Endpoints(Resources resources, EndpointConfigs& configs, Models& models, const Slots& slots,
            std::function<void()> changed);

  // kAlreadyExists. kNotFound: "endpoint-config NAME" or "model NAME" that is not there.
  Result<Endpoint> create(const std::string& name, const std::string& config, const std::string& owner,
                          const std::map<std::string, std::string>& tags);
  Result<Endpoint> find(const std::string& name);  // kNotFound
  // All servers anew, beside the old ones; the old ones serve until the new ones can. kConflict unless it is
  // InService; kNotFound as above, or with "" for the endpoint itself.
  Result<Endpoint> update(const std::string& name, const std::string& config, const Retained& retained);
  // The same configuration with other weights and numbers of servers; servers that stay are kept.
  Result<Endpoint> update_variants(const std::string& name, const std::vector<VariantChange>& changes);
  // Requests in flight are answered; then it is gone. kConflict if it is Deleting.
  Status remove(const std::string& name);

 private:
  Result<Deployment> deployment_of(const std::string& config);
  Result<Endpoint> change(const std::string& name,
                          const std::function<Status(Resource&, EndpointState&)>& change);

  Resources resources_;
  EndpointConfigs& configs_;
  Models& models_;
  const Slots& slots_;
  const std::function<void()> changed_;
};

}  // namespace terrapin::control
