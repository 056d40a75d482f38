#include "artifacts/model_package.h"

#include <vector>

#include "artifacts/archive.h"
#include "artifacts/json_fields.h"
#include "base/json_text.h"

namespace terrapin::artifacts {
namespace {

constexpr const char* kSpecName = "model.json";
constexpr const char* kWeightsName = "weights.safetensors";
constexpr const char* kArchiveName = "model.tar.gz";
// Trained weights hardly compress: the fastest level loses under a percent.
constexpr int kCompression = 1;
constexpr std::size_t kMaxFolderFiles = 1000;

Result<std::map<std::string, Bytes>> read_folder(const std::filesystem::path& folder) {
  TERRAPIN_TRY(const auto paths, list_files(folder, true));
  if (paths.size() > kMaxFolderFiles) {
    return fail(ErrorCode::kTooLarge, "{}: {} files, a model's folder holds at most {}", folder.string(),
                paths.size(), kMaxFolderFiles);
  }
  std::map<std::string, Bytes> files;
  std::int64_t left = ArchiveLimits{}.max_total_bytes;
  for (const auto& path : paths) {
    TERRAPIN_TRY(Bytes bytes, read_file(path, left));
    left -= static_cast<std::int64_t>(bytes.size());
    files.emplace(path.lexically_relative(folder).generic_string(), std::move(bytes));
  }
  return files;
}

Result<Bytes> take(std::map<std::string, Bytes>& files, const std::string& name) {
  const auto found = files.find(name);
  if (found == files.end()) {
    std::vector<std::string> names;
    for (const auto& [other, body] : files) {
      names.push_back(other);
      if (names.size() == 10) break;
    }
    return fail(ErrorCode::kCorrupt, "no file '{}'; found: {}", name,
                names.empty() ? "nothing" : fmt::format("{}", fmt::join(names, ", ")));
  }
  Bytes bytes = std::move(found->second);
  files.erase(found);
  return bytes;
}

Result<ModelPackage> unpack(std::map<std::string, Bytes> files) {
  ModelPackage package;
  TERRAPIN_TRY(const Bytes spec_bytes, take(files, kSpecName));
  auto json = parse_json({reinterpret_cast<const char*>(spec_bytes.data()), spec_bytes.size()});
  if (!json) return with_context(std::move(json.error()), kSpecName);
  auto spec = model_spec_from_json(*json);
  if (!spec) return with_context(std::move(spec.error()), kSpecName);
  package.spec = std::move(*spec);
  TERRAPIN_TRY(const Bytes weight_bytes, take(files, kWeightsName));
  auto weights = parse_safetensors(weight_bytes);
  if (!weights) return with_context(std::move(weights.error()), kWeightsName);
  package.weights = std::move(*weights);
  package.extras = std::move(files);
  return package;
}

}  // namespace

Status write_model_package(const std::filesystem::path& path, const ModelPackage& package) {
  // What would not be read back is not written.
  if (auto checked = model_spec_from_json(to_json(package.spec)); !checked) {
    checked.error().code = ErrorCode::kInvalidArgument;
    return with_context(std::move(checked.error()), path.string());
  }
  if (auto checked = check_tensors(package.weights); !checked) {
    return with_context(std::move(checked.error()), path.string());
  }
  std::map<std::string, Bytes> files = package.extras;
  const std::string spec = json_text(to_json(package.spec), 2) + "\n";
  for (const char* name : {kSpecName, kWeightsName}) {
    if (files.contains(name)) {
      return fail(ErrorCode::kInvalidArgument, "{}: '{}' cannot be an extra file, the package writes it",
                  path.string(), name);
    }
  }
  files[kSpecName] = Bytes(spec.begin(), spec.end());
  files[kWeightsName] = serialize_safetensors(package.weights);
  return write_tar_gz(path, files, kCompression);
}

Result<ModelPackage> read_model_package(const std::filesystem::path& path) {
  std::error_code ignored;
  const bool folder = std::filesystem::is_directory(path, ignored);
  if (!folder) {
    TERRAPIN_TRY(auto files, read_tar_gz(path));
    auto package = unpack(std::move(files));
    if (!package) return with_context(std::move(package.error()), path.string());
    return package;
  }
  if (!std::filesystem::exists(path / kSpecName, ignored)) {
    if (std::filesystem::is_regular_file(path / kArchiveName, ignored)) {
      return read_model_package(path / kArchiveName);
    }
    return fail(ErrorCode::kNotFound, "{}: the folder holds neither {} (an unpacked model) nor {}",
                path.string(), kSpecName, kArchiveName);
  }
  TERRAPIN_TRY(auto files, read_folder(path));
  auto package = unpack(std::move(files));
  if (!package) return with_context(std::move(package.error()), path.string());
  return package;
}

}  // namespace terrapin::artifacts
