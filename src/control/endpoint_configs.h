// Endpoint configurations: which models an endpoint serves, on how many servers, with which share.
#pragma once

#include <map>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "control/models.h"
#include "control/resources.h"
#include "control/slots.h"

namespace terrapin::control {

struct VariantSpec {
  std::string name;
  std::string model;
  std::string instance_type;
  int count = 1;
  double weight = 1;
  int startup_timeout_s = 0;   // until /ping answers; 0: kStartupTimeoutS
  int download_timeout_s = 0;  // for the model's package; 0: the same
  int volume_gb = 0;           // told back
  std::string routing;         // "RANDOM"; else the least busy server is asked
};
inline constexpr int kStartupTimeoutS = 600;
inline constexpr const char* kRandomRouting = "RANDOM";

// Requests and answers that are kept as objects: docs/formats/endpoints.md.
struct CaptureSpec {
  bool enabled = true;
  int percent = 100;
  std::string destination;         // s3://bucket/prefix
  std::vector<std::string> modes;  // "Input", "Output", "InputAndOutput"
  std::vector<std::string> csv_types, json_types;
  bool wants(const char* mode) const;  // "Input" or "Output"
};

// Answers that are fetched later, from the object store.
struct AsyncSpec {
  std::string output, failure;  // s3://bucket/prefix; `failure` may be ""
  int max_concurrent = 0;       // per server; 0: as many as come
};

struct EndpointConfigSpec {
  std::string name;
  std::string role;  // told back
  std::vector<VariantSpec> variants;
  std::optional<CaptureSpec> capture;
  std::optional<AsyncSpec> asynchronous;
};
nlohmann::json capture_json(const std::optional<CaptureSpec>& capture);
Result<std::optional<CaptureSpec>> parse_capture(const nlohmann::json& json);
nlohmann::json async_json(const std::optional<AsyncSpec>& asynchronous);
Result<std::optional<AsyncSpec>> parse_async(const nlohmann::json& json);
std::string endpoint_config_text(const EndpointConfigSpec& spec);
Result<EndpointConfigSpec> parse_endpoint_config(const std::string& name, const std::string& text);

struct EndpointConfig {
  EndpointConfigSpec spec;
  Resource row;
};

// Thread-safe, also between processes.
class EndpointConfigs {
 public:
  EndpointConfigs(Resources resources, Models& models, const Slots& slots)
      : resources_(std::move(resources)), models_(models), slots_(slots) {}

  // kInvalidArgument naming the variant; kNotFound with the name of a model that is not there;
  // kAlreadyExists.
  Result<EndpointConfig> create(const EndpointConfigSpec& spec, const std::string& owner,
                                const std::map<std::string, std::string>& tags);
  Result<EndpointConfig> find(const std::string& name);  // kNotFound
  // Endpoints made from it go on.
  Status remove(const std::string& name);

 private:
  Resources resources_;
  Models& models_;
  const Slots& slots_;
};

}  // namespace terrapin::control
