// The threads that hold endpoints to what is wanted of them: start model servers, ask after their health,
// replace those that crashed or hang, lead requests to the others, end them.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <string>

#include "base/clock.h"
#include "base/repeating_thread.h"
#include "control/endpoint_routes.h"
#include "control/endpoint_state.h"
#include "control/resources.h"
#include "control/slots.h"
#include "jobs/job_store.h"
#include "jobs/runner.h"

namespace terrapin::control {

inline constexpr const char* kInstanceJobKind = "endpoint-instance";
inline constexpr const char* kInstanceOrderFile = "instance.json";  // in the work folder, before the start
inline constexpr const char* kInstancePortFile = "port";            // and once it listens
inline constexpr const char* kInstanceFailureFile = "failure";

// instance.json: what a model server is told, docs/formats/endpoints.md.
struct InstanceOrder {
  std::string data_dir;  // of the installation whose objects hold the model
  std::string model;     // s3://bucket/key
  int threads = 1;
  ServerSettings settings;
};
std::string instance_order_text(const InstanceOrder& order);
Result<InstanceOrder> parse_instance_order(const std::string& text);

struct EndpointKeeperOptions {
  std::string program;  // its hidden command `endpoint-instance` is a model server
  std::filesystem::path data_dir;
  std::string lane;
  std::function<void()> job_changed = {};  // a job was made or is to be stopped
  std::chrono::milliseconds look_interval{500};
  std::chrono::milliseconds ping_interval{2000}, first_ping_interval{100};
  std::chrono::milliseconds ping_timeout{2000};
  int pings_until_hung = 3;
  EndpointRules rules = {};
};

// One per database at a time.
class EndpointKeeper {
 public:
  EndpointKeeper(Resources resources, jobs::JobStore jobs, jobs::Runner& runner, RouteTable& routes,
                 const Slots& slots, const Clock& clock, EndpointKeeperOptions options);
  ~EndpointKeeper();  // stop()
  EndpointKeeper(const EndpointKeeper&) = delete;
  EndpointKeeper& operator=(const EndpointKeeper&) = delete;

  void start();
  // Ends the threads; model servers go on and are taken up by the next keeper.
  void stop();
  // Something changed: look now.
  void wake() { looks_.wake(); }
  // True once every endpoint was looked at, so that routes are what they should be; waits that long for it.
  bool wait_until_ready(std::chrono::milliseconds most);

  // One look at every endpoint, and one round of questions after health, as the threads do them. An endpoint
  // that cannot be dealt with now is logged and holds up no other; the error is the first of these.
  Status look();
  void ask_after_health();

 private:
  Status attend(const Resource& row, const std::map<std::string, jobs::JobRecord>& live);
  Result<std::string> make_job(storage::Transaction& state, const std::string& endpoint,
                               const DeployedVariant& variant, const std::string& instance_id);
  InstanceSight sight_of(const Instance& instance, const std::map<std::string, jobs::JobRecord>& live);
  ServedInstancePtr known(const Instance& instance);
  void publish(const Resource& row, const EndpointState& state);

  Resources resources_;
  jobs::JobStore jobs_;
  jobs::Runner& runner_;
  RouteTable& routes_;
  const Slots& slots_;
  const Clock& clock_;
  const EndpointKeeperOptions options_;

  // Of whoever looks.
  std::map<std::string, std::string> published_;  // what the route of an endpoint was made from
  std::map<std::string, InstanceSight> ended_;    // by job: it will not change any more

  std::mutex mutex_;
  std::condition_variable changed_;
  bool stopping_ = false, ready_ = false;               // guarded by mutex_
  std::map<std::string, ServedInstancePtr> instances_;  // guarded by mutex_; by job
  std::map<std::string, std::string> handles_;          // guarded by mutex_; of those that run
  std::map<std::string, std::chrono::steady_clock::time_point> asked_;  // guarded by mutex_
  RepeatingThread looks_, questions_;
};

}  // namespace terrapin::control
