// Numbers that a training says in its log. Lines: docs/formats/metrics.md.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "jobs/output_log.h"

namespace terrapin::control {

struct MetricValue {
  std::string name;  // "validation:mIOU"
  double value = 0;
  Timestamp time;
  int epoch = 0;  // from 1; 0: the line did not say
};

// The names that the built-in algorithm's metric definitions look for.
const std::vector<std::string>& training_metric_names();

// What one line says, in the order of training_metric_names().
void scrape_metrics(const jobs::OutputLine& line, std::vector<MetricValue>& found);

// The last of each name, in the order of training_metric_names().
std::vector<MetricValue> last_of_each(const std::vector<MetricValue>& values);

}  // namespace terrapin::control
