#include "labeling/jobs/pre_annotation.h"

#include <nlohmann/json.hpp>

#include "base/json_text.h"
#include "base/text.h"

namespace terrapin::labeling {

Result<Prepared> prepare_object(Core& core, const JobHead& job, const ObjectRow& object) {
  nlohmann::ordered_json request = nlohmann::ordered_json::object();
  request["version"] = "2018-10-16";
  request["labelingJobArn"] = core.options.job_arn_prefix + lower_case(job.spec.name);
  request["dataObject"] = nlohmann::ordered_json::parse(object.line, nullptr, false);
  Prepared prepared;
  const std::string& name = job.spec.pre_function.name;
  TERRAPIN_TRY(const bool known, core.knows_function(name));
  if (!known) {
    prepared.failure = fmt::format("no pre-annotation function is registered as '{}'", name);
  } else if (auto answer = core.collaborators.functions->call(name, json_text(request)); !answer) {
    // The server stops, or the registry cannot be read: the object waits.
    if (answer.error().code == ErrorCode::kCancelled || answer.error().code == ErrorCode::kInternal)
      return tl::unexpected<Error>(std::move(answer.error()));
    prepared.failure = fmt::format("pre-annotation function {}: {}", name, answer.error().message);
  } else {
    const auto json = nlohmann::json::parse(*answer, nullptr, false);
    if (!json.is_object() || !json.contains("taskInput")) {
      prepared.failure = fmt::format("pre-annotation function {}: its answer has no \"taskInput\"", name);
    } else {
      prepared.task_input = json_text(json["taskInput"]);
      for (const char* key : {"isHumanAnnotationRequired", "humanAnnotationRequired"})
        if (const auto flag = json.find(key); flag != json.end())
          prepared.needed =
              !(*flag == false || (flag->is_string() && lower_case(flag->get<std::string>()) == "false"));
    }
  }
  return prepared;
}

}  // namespace terrapin::labeling
