// The output of jobs as log streams: one group for all jobs of a kind.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "control/log_source.h"
#include "control/resources.h"
#include "jobs/runner.h"

namespace terrapin::control {

// Streams are called <name>/algo-1-<second of its creation>. A job has its stream once it has begun.
// `output_uri`: where the job of a row stores its results. Everything given outlives the source.
std::unique_ptr<LogSource> make_job_logs(Resources& resources, jobs::Runner& runner, std::string kind,
                                         std::string group,
                                         std::function<std::string(const Resource&)> output_uri);

}  // namespace terrapin::control
