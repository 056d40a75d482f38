#include "networks/assist_network.h"

#include <fmt/ranges.h>

#include <set>

#include "networks/layer_network.h"

namespace terrapin::networks {

std::shared_ptr<SegmentationNetwork> build_assist_network(const AssistSpec& spec) {
  return std::make_shared<LayerNetwork>(make_assist_blueprint(spec));
}

Result<ImportReport> import_assist_weights(SegmentationNetwork& network,
                                           const artifacts::TensorFile& weights) {
  torch::NoGradGuard no_gradients;
  // The strict importer fills a plain network; what the two have in common goes over by name.
  artifacts::NetworkSpec plain_spec;
  TERRAPIN_TRY(const auto plain, build_network(plain_spec));
  TERRAPIN_TRY(ImportReport report, import_weights(*plain, weights));
  std::map<std::string, torch::Tensor> theirs;
  for (const auto& item : plain->named_parameters()) theirs.emplace(item.key(), item.value());
  const std::set<std::string> loaded(report.loaded.begin(), report.loaded.end());
  report.loaded.clear(), report.fresh.clear();
  for (const auto& item : network.named_parameters()) {
    const std::string& name = item.key();
    torch::Tensor target = item.value();
    const auto found = theirs.find(name);
    if (found == theirs.end() || !loaded.contains(name)) {
      report.fresh.push_back(name);
      continue;
    }
    const torch::Tensor& source = found->second;
    if (source.sizes() == target.sizes()) {
      target.copy_(source);
    } else if (name == "encoder.stem.weight") {
      target.zero_();
      target.narrow(1, 0, source.size(1)).copy_(source);
    } else {
      return fail(ErrorCode::kInternal, "{} has shape {} in one network and {} in the other", name,
                  fmt::join(source.sizes().vec(), " x "), fmt::join(target.sizes().vec(), " x "));
    }
    report.loaded.push_back(name);
  }
  return report;
}

Result<Graph> assist_graph(const AssistModel& model) {
  TERRAPIN_TRY_STATUS(check_assist_spec(model.spec));
  const auto network = build_assist_network(model.spec);
  TERRAPIN_TRY_STATUS(load_weights(*network, model.weights));
  return network->graph();
}

}  // namespace terrapin::networks
