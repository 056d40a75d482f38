// What has become of an endpoint, and the one rule that brings it on: wanted and present model servers in,
// what is to be started, stopped and switched out. Free of threads and processes.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "control/endpoint_configs.h"

namespace terrapin::control {

// The statuses of an endpoint's row; docs/states.md shows the moves.
inline constexpr const char* kEndpointCreating = "Creating";
inline constexpr const char* kEndpointInService = "InService";
inline constexpr const char* kEndpointUpdating = "Updating";
inline constexpr const char* kEndpointRollingBack = "RollingBack";
inline constexpr const char* kEndpointDeleting = "Deleting";
inline constexpr const char* kEndpointFailed = "Failed";

// What has not happened yet.
inline constexpr Timestamp kNever{};

// A model server: a job of its own. A replacement is another instance.
struct Instance {
  std::string id;  // "i-0123456789abcdef0"
  std::string variant, job;
  std::string bucket;      // of its model: who may not use it may not read its log; "": unknown
  Timestamp made, served;  // `served`: since when it answers /ping; kNever: not yet
  Timestamp retired;       // since when it gets no more requests; kNever: not
};

// A variant with all that its servers are made from: a model that is deleted harms nobody who serves it.
struct DeployedVariant {
  VariantSpec spec;  // with the present weight and number of servers
  ModelContainer container;
  std::vector<Instance> instances;
  int failures = 0;      // servers that ended by themselves, one soon after the other
  Timestamp not_before;  // when the next one is started
  std::string problem;   // why the last one ended
};
struct Deployment {
  std::string config;
  Timestamp begun;
  std::vector<DeployedVariant> variants;
  std::optional<CaptureSpec> capture;
  std::optional<AsyncSpec> asynchronous;
};

struct EndpointState {
  std::optional<Deployment> active;     // serves, or served before the endpoint failed
  std::optional<Deployment> pending;    // is started to take its place; shares the servers that it keeps
  std::vector<Instance> retired;        // still run: they finish what they were asked
  std::vector<Instance> past;           // have ended; their output can be read
  std::string failed_variant, failure;  // of the last deployment, "" if it came about
};
// Of the models of servers that still end: whose endpoint it is where nothing is deployed any more. At least
// one; "": unknown.
std::vector<std::string> buckets_left(const EndpointState& state);
std::string endpoint_state_text(const EndpointState& state);
Result<EndpointState> parse_endpoint_state(const std::string& text);

// What is known of an instance's process.
struct InstanceSight {
  bool ended = false;
  std::string ending;     // why, for people
  bool mendable = false;  // it said that its model is at fault: another try would end the same way
  bool healthy = false;   // answers /ping
  bool hung = false;      // runs, and has not answered /ping for long
  bool stopping = false;  // was told to end
  bool waits = false;     // has no place on this machine yet
  int in_flight = 0;      // requests that it is answering
};

struct EndpointOrders {
  std::vector<std::string> stop;    // jobs
  std::vector<std::string> forget;  // jobs that have ended, with their files
  bool remove = false;              // the row
};

struct EndpointRules {
  int tries = 3;                           // of a server that never served, before a deployment fails
  std::chrono::seconds steady{60};         // who served so long ended for a reason of its own
  std::chrono::seconds longest_pause{60};  // between two starts
  std::chrono::seconds longest_drain{65};  // above what a request may take
  std::size_t kept_past = 20;
};

// One step. `make` starts a server and gives its job; its failure ends the step. Calling it again with
// nothing new changes nothing.
using MakeInstance =
    std::function<Result<std::string>(const DeployedVariant& variant, const std::string& instance_id)>;
Result<EndpointOrders> bring_on(std::string& status, EndpointState& state,
                                const std::function<InstanceSight(const Instance&)>& look,
                                const MakeInstance& make, Timestamp now, const EndpointRules& rules = {});

}  // namespace terrapin::control
