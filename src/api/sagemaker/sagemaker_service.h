// SageMaker's control plane: POST /, X-Amz-Target: SageMaker.<Operation>, JSON 1.1.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "api/exchange.h"
#include "base/clock.h"
#include "control/control_plane.h"
#include "labeling/jobs/job_service.h"
#include "labeling/workforces/workforces.h"

namespace terrapin::api {

// Thread-safe. Everything given outlives the service.
class SageMakerService {
 public:
  // `portal_address`: where workers sign in, as DescribeWorkforce and DescribeWorkteam tell it (SubDomain);
  // "" leaves it out.
  SageMakerService(labeling::JobService& jobs, labeling::Workforces& workforces,
                   control::ControlPlane& control, Place place, std::string portal_address = {});

  // Answers every request whose signature names this service; failures are answers too.
  http::Response handle(const Exchange& exchange);

  static std::vector<std::string_view> operations();  // those that are served, ascending

 private:
  AwsResult<std::string> answer(const Exchange& exchange);

  labeling::JobService& jobs_;
  labeling::Workforces& workforces_;
  control::ControlPlane& control_;
  const Place place_;
  const std::string portal_address_;
};

}  // namespace terrapin::api
