#include "inference/package_graph.h"

#include "networks/network.h"

namespace terrapin::inference {

Result<networks::Graph> graph_of(const artifacts::ModelPackage& package) {
  TERRAPIN_TRY(const auto network, networks::build_network(package.spec.network));
  TERRAPIN_TRY_STATUS(networks::load_weights(*network, package.weights));
  return network->graph();
}

}  // namespace terrapin::inference
