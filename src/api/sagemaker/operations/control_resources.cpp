#include "api/sagemaker/operations/control_resources.h"

#include "base/text.h"
#include "control/resources.h"

namespace terrapin::api {
namespace {

struct KindType {
  const char *kind, *type;  // ours, AWS's
};
constexpr KindType kTypes[] = {
    {control::kTrainingJobKind, "training-job"},
    {control::kModelKind, "model"},
    {control::kEndpointConfigKind, "endpoint-config"},
    {control::kEndpointKind, "endpoint"},
    {control::kTransformJobKind, "transform-job"},
    {control::kTuningJobKind, "hyper-parameter-tuning-job"},
};

std::string arn_start(const Place& place) {
  return fmt::format("arn:aws:sagemaker:{}:{}:", place.region, place.account_id);
}

}  // namespace

std::string control_arn(const Place& place, std::string_view kind, std::string_view name) {
  const char* type = "";
  for (const KindType& one : kTypes)
    if (one.kind == kind) type = one.type;
  return fmt::format("{}{}/{}", arn_start(place), type, lower_case(std::string(name)));
}

std::optional<std::pair<std::string, std::string>> parse_control_arn(const Place& place,
                                                                     std::string_view arn) {
  const std::string start = arn_start(place);
  if (!arn.starts_with(start)) return std::nullopt;
  arn.remove_prefix(start.size());
  const std::size_t slash = arn.find('/');
  if (slash == std::string_view::npos || slash + 1 == arn.size()) return std::nullopt;
  for (const KindType& one : kTypes)
    if (arn.substr(0, slash) == one.type)
      return std::pair(std::string(one.kind), lower_case(std::string(arn.substr(slash + 1))));
  return std::nullopt;
}

}  // namespace terrapin::api
