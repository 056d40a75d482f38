// Training jobs, models and endpoints as the console's pages read them: docs/formats/console-http.md.
#pragma once

#include <nlohmann/json.hpp>

#include "control/endpoint_routes.h"
#include "control/endpoints.h"
#include "control/models.h"
#include "control/training_jobs.h"

namespace terrapin::portal {

nlohmann::json training_summary_json(const control::TrainingJob& job);
nlohmann::json training_json(const control::TrainingJob& job);
// [{"name": "train:loss", "points": [[epoch, value], ...]}, ...] in the order of training_metric_names();
// where an epoch says a number twice, the later one counts.
nlohmann::json series_json(const std::vector<control::MetricValue>& values);
nlohmann::json model_json(const control::Model& model);
// `route`: what serves now; null while nothing does.
nlohmann::json endpoint_json(const control::Endpoint& endpoint, const control::EndpointRoute* route);

}  // namespace terrapin::portal
