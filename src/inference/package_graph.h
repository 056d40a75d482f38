// A model package's network as a graph, for callers that do not see torch.
#pragma once

#include "artifacts/model_package.h"
#include "base/result.h"
#include "networks/graph.h"

namespace terrapin::inference {

// Builds the network the package names, loads its weights strictly and folds it.
Result<networks::Graph> graph_of(const artifacts::ModelPackage& package);

}  // namespace terrapin::inference
