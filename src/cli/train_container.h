// `terrapin train --container`: the same training inside SageMaker's folder layout. Contract:
// docs/formats/container.md.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/result.h"

namespace terrapin::cli {

struct ContainerSettings {
  std::filesystem::path root = "/opt/ml";
  std::vector<std::string> s3_roots;  // besides those of TERRAPIN_S3_ROOTS
  int processes = 0;                  // on this machine; 0: one per GPU
  bool show_progress = true;
};

// Several hosts in resourceconfig.json, or several processes, train together; the first host's model folder
// gets the model. The exit code: 0 when a model lies in <root>/model (also after SIGTERM), 143 or 130 when a
// signal came before the first epoch was over. Every error is written to <root>/output/failure before it is
// returned.
Result<int> run_container(const ContainerSettings& settings);

}  // namespace terrapin::cli
