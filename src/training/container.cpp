#include "training/container.h"

#include <fmt/ranges.h>
#include <stdlib.h>  // mkdtemp

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "artifacts/archive.h"
#include "base/files.h"
#include "base/json_text.h"

namespace terrapin::training {
namespace {

namespace fs = std::filesystem;

Result<nlohmann::json> read_object(const fs::path& path) {
  TERRAPIN_TRY(const std::string text, read_text_file(path, 16 << 20));
  auto json = nlohmann::json::parse(text, nullptr, false);
  if (!json.is_object()) return fail(ErrorCode::kCorrupt, "{}: not a JSON object", path.string());
  return json;
}

std::string text_of(const nlohmann::json& object, const char* key) {
  const auto it = object.find(key);
  return it != object.end() && it->is_string() ? it->get<std::string>() : std::string();
}

Status read_hosts(const fs::path& path, ContainerJob& job) {
  std::error_code ignored;
  if (!fs::exists(path, ignored)) return {};
  TERRAPIN_TRY(const nlohmann::json json, read_object(path));
  const auto hosts = json.find("hosts");
  if (hosts == json.end() || !hosts->is_array() || hosts->size() < 2) return {};
  for (const auto& host : *hosts) {
    if (!host.is_string() || host.get<std::string>().empty())
      return fail(ErrorCode::kCorrupt, "{}: hosts: {} is not a name", path.string(), json_text(host));
    job.hosts.push_back(host.get<std::string>());
  }
  std::sort(job.hosts.begin(), job.hosts.end());
  if (const auto twice = std::adjacent_find(job.hosts.begin(), job.hosts.end()); twice != job.hosts.end())
    return fail(ErrorCode::kCorrupt, "{}: hosts: {} is there twice", path.string(), *twice);
  job.current_host = text_of(json, "current_host");
  job.network_interface_name = text_of(json, "network_interface_name");
  if (!std::binary_search(job.hosts.begin(), job.hosts.end(), job.current_host)) {
    return fail(ErrorCode::kCorrupt, "{}: current_host is \"{}\"; allowed is one of hosts: {}", path.string(),
                job.current_host, fmt::join(job.hosts, ", "));
  }
  return {};
}

Status read_channels(const fs::path& path, ContainerJob& job) {
  std::error_code ignored;
  if (fs::exists(path, ignored)) {
    TERRAPIN_TRY(const nlohmann::json json, read_object(path));
    for (const auto& [name, value] : json.items()) {
      if (!value.is_object())
        return fail(ErrorCode::kCorrupt, "{}: channel {}: not an object", path.string(), name);
      ContainerChannel channel{text_of(value, "ContentType"), text_of(value, "TrainingInputMode"), {}};
      if (const auto it = value.find("AttributeNames"); it != value.end() && it->is_array()) {
        for (const auto& attribute : *it) {
          if (attribute.is_string()) channel.attribute_names.push_back(attribute.get<std::string>());
        }
      }
      job.channels[name] = std::move(channel);
    }
  }
  for (const auto& entry : fs::directory_iterator(job.root / "input" / "data", ignored)) {
    std::string name = entry.path().filename().string();
    if (name.starts_with('.')) continue;
    if (entry.is_fifo(ignored)) name = name.substr(0, name.rfind('_'));
    if (entry.is_directory(ignored) || entry.is_fifo(ignored)) job.channels.try_emplace(name);
  }
  return {};
}

}  // namespace

fs::path ContainerJob::channel_folder(const std::string& channel) const {
  return root / "input" / "data" / channel;
}

Result<ContainerJob> read_container_job(const fs::path& root) {
  ContainerJob job;
  job.root = root;
  const fs::path config = root / "input" / "config", file = config / "hyperparameters.json";
  TERRAPIN_TRY(const nlohmann::json json, read_object(file));
  for (const auto& [name, value] : json.items()) {
    if (value.is_object() || value.is_array() || value.is_null()) {
      return fail(ErrorCode::kInvalidArgument, "{}: {}: {} is not a string", file.string(), name,
                  json_text(value));
    }
    job.hyperparameters[name] = value.is_string() ? value.get<std::string>() : json_text(value);
  }
  TERRAPIN_TRY_STATUS(read_hosts(config / "resourceconfig.json", job));
  TERRAPIN_TRY_STATUS(read_channels(config / "inputdataconfig.json", job));
  return job;
}

Result<std::unique_ptr<ScratchFolder>> ScratchFolder::make() {
  std::error_code error;
  const fs::path base = fs::temp_directory_path(error);
  if (error) return fail(ErrorCode::kIo, "no temporary folder: {}", error.message());
  std::string pattern = (base / "terrapin-XXXXXX").string();
  if (::mkdtemp(pattern.data()) == nullptr) {
    return fail(ErrorCode::kIo, "{}: cannot make a temporary folder: {}", base.string(),
                std::strerror(errno));
  }
  return std::unique_ptr<ScratchFolder>(new ScratchFolder(pattern));
}

ScratchFolder::~ScratchFolder() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

Status add_s3_roots(const std::string& specification, artifacts::S3Roots& roots) {
  for (std::size_t begin = 0; begin <= specification.size();) {
    const std::size_t end = std::min(specification.find(';', begin), specification.size());
    if (end > begin) {
      TERRAPIN_TRY_STATUS(roots.add(specification.substr(begin, end - begin)));
    }
    begin = end + 1;
  }
  return {};
}

Status write_container_model(const ContainerJob& job, const artifacts::ModelPackage& package,
                             const fs::path& scratch) {
  // Through the archive: the folder then holds exactly what a model.tar.gz holds, whatever the format's
  // version.
  const fs::path archive = scratch / "model.tar.gz";
  TERRAPIN_TRY_STATUS(artifacts::write_model_package(archive, package));
  TERRAPIN_TRY(const auto files, artifacts::read_tar_gz(archive));
  for (const auto& [name, bytes] : files) {
    TERRAPIN_TRY_STATUS(write_file_atomically(job.model_folder() / name, bytes));
  }
  std::error_code ignored;
  fs::remove(archive, ignored);
  return {};
}

std::string failure_text(const Error& error) {
  const bool ours = error.code == ErrorCode::kInternal || error.code == ErrorCode::kIo ||
                    error.code == ErrorCode::kCancelled;
  return (ours ? "AlgorithmError: " : "ClientError: ") + error.message;
}

Status write_failure(const fs::path& root, const Error& error) {
  return write_file_atomically(root / "output" / "failure", failure_text(error));
}

}  // namespace terrapin::training
