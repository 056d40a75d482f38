#include "cli/data_source.h"

namespace terrapin::cli {

namespace fs = std::filesystem;

std::optional<fs::path> manifest_of(const std::string& data) {
  std::error_code ignored;
  if (data.empty() || !fs::exists(data, ignored)) return std::nullopt;
  if (!fs::is_directory(data, ignored)) return data;
  const fs::path output = fs::path(data) / "manifests" / "output" / "output.manifest";
  if (!fs::is_directory(fs::path(data) / "train", ignored) && fs::exists(output, ignored)) return output;
  return std::nullopt;
}

Status check_options(const DataSource& source) {
  const char* option = !source.s3_roots.empty()          ? "--s3-root"
                       : !source.label_attribute.empty() ? "--label-attribute"
                                                         : nullptr;
  if (option == nullptr || manifest_of(source.data)) return {};
  if (source.data.empty())
    return fail(ErrorCode::kInvalidArgument, "{} goes with --data and a manifest", option);
  std::error_code ignored;
  if (!fs::exists(source.data, ignored)) return {};  // said when it is opened
  return fail(ErrorCode::kInvalidArgument, "{} goes with a manifest; --data {} is a dataset folder", option,
              source.data);
}

Result<artifacts::ManifestIndex> open_manifest(const fs::path& manifest, const DataSource& source) {
  artifacts::S3Roots roots;
  for (const std::string& root : source.s3_roots) {
    TERRAPIN_TRY_STATUS(roots.add(root));
  }
  return artifacts::index_manifest(manifest, source.label_attribute, roots);
}

Result<artifacts::DatasetFolder> open_folder(const DataSource& source) {
  std::error_code ignored;
  if (!fs::exists(source.data, ignored))
    return fail(ErrorCode::kNotFound, "--data {}: does not exist", source.data);
  return artifacts::open_dataset_folder(source.data);
}

}  // namespace terrapin::cli
