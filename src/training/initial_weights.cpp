#include "training/initial_weights.h"

#include "networks/pretrained.h"

namespace terrapin::training {
namespace {

template <class T>
Status must_agree(const char* name, const T& earlier, const T& wanted) {
  if (earlier == wanted) return {};
  return fail(ErrorCode::kInvalidArgument,
              "{} is {} in the earlier model and {} here: incremental training needs the same", name, earlier,
              wanted);
}

// The crop size is a training fact, not part of a network: it is stored with the hyperparameters.
std::int64_t crop_size_of(const artifacts::ModelSpec& spec, std::int64_t otherwise) {
  const auto found = spec.training.find("crop_size");
  if (found != spec.training.end() && found->is_number_integer()) return found->get<std::int64_t>();
  const auto given = spec.hyperparameters.find("crop_size");
  if (given != spec.hyperparameters.end() && given->is_string()) {
    const std::string text = given->get<std::string>();
    if (!text.empty() && text.size() < 10 && text.find_first_not_of("0123456789") == std::string::npos)
      return std::stoll(text);
  }
  return otherwise;
}

Status import_from(networks::SegmentationNetwork& network, const artifacts::TensorFile& weights,
                   bool keep_head, const std::filesystem::path& path,
                   const std::function<void(const std::string&)>& message) {
  auto report = networks::import_weights(network, weights, keep_head);
  if (!report) return with_context(report.error(), path.string());
  message(fmt::format("initial weights: {} ({}): {} tensors loaded, {} start at random", path.string(),
                      report->layout, report->loaded.size(), report->fresh.size()));
  return {};
}

}  // namespace

std::filesystem::path starter_weights_path() {
  return networks::shipped_weights_folder() / "starter-mobilenet-v2.safetensors";
}

Status load_initial_weights(networks::SegmentationNetwork& network, const TrainingOptions& options,
                            const std::function<void(const std::string&)>& message) {
  std::filesystem::path path = options.weights_path;
  switch (options.weights) {
    case WeightSource::kNone:
      message("initial weights: none; the network starts at random");
      return {};
    case WeightSource::kStarter: {
      if (options.network.backbone != "mobilenet-v2") {
        return fail(ErrorCode::kInvalidArgument,
                    "the starter encoder is a mobilenet-v2: backbone {} needs weights of its own or none",
                    options.network.backbone);
      }
      path = starter_weights_path();
      std::error_code ignored;
      if (!std::filesystem::exists(path, ignored)) {
        return fail(ErrorCode::kNotFound, "the starter encoder {} is missing from this installation",
                    path.string());
      }
      break;
    }
    case WeightSource::kPretrained: {
      TERRAPIN_TRY(path, networks::find_pretrained(options.network));
      break;
    }
    case WeightSource::kFile:
      break;
    case WeightSource::kPackage: {
      TERRAPIN_TRY(const artifacts::ModelPackage earlier, artifacts::read_model_package(path));
      const artifacts::NetworkSpec &theirs = earlier.spec.network, &ours = options.network;
      TERRAPIN_TRY_STATUS(must_agree("backbone", theirs.backbone, ours.backbone));
      TERRAPIN_TRY_STATUS(must_agree("algorithm", theirs.algorithm, ours.algorithm));
      TERRAPIN_TRY_STATUS(must_agree("skip_channels", theirs.skip_channels, ours.skip_channels));
      TERRAPIN_TRY_STATUS(must_agree("num_classes", theirs.num_classes, ours.num_classes));
      TERRAPIN_TRY_STATUS(
          must_agree("crop_size", crop_size_of(earlier.spec, options.crop_size), options.crop_size));
      return import_from(network, earlier.weights, /*keep_head=*/true, path, message);
    }
  }
  TERRAPIN_TRY(const artifacts::TensorFile weights, artifacts::read_safetensors(path));
  return import_from(network, weights, options.keep_head, path, message);
}

}  // namespace terrapin::training
