#include "cli/service/installation.h"

#include <sys/stat.h>

#include <cstdlib>
#include <nlohmann/json.hpp>

#include "base/files.h"
#include "base/json_text.h"
#include "storage/folder_store.h"
#include "storage/remote_store.h"

namespace terrapin::cli {
namespace {

namespace fs = std::filesystem;

constexpr int kSettingsVersion = 1;

std::string without_password(const std::string& url) {
  const std::size_t at = url.find('@'), scheme = url.find("://");
  if (at == std::string::npos || scheme == std::string::npos || at < scheme) return url;
  const std::size_t colon = url.find(':', scheme + 3);
  return colon < at ? url.substr(0, colon + 1) + "***" + url.substr(at) : url;
}

Result<Installation> read_settings(const fs::path& data_dir) {
  const fs::path path = data_dir / "settings.json";
  TERRAPIN_TRY(const std::string text, read_text_file(path, 1 << 20));
  const auto json = nlohmann::json::parse(text, nullptr, false);
  Installation installation;
  installation.data_dir = data_dir;
  if (!json.is_object() || !json.value("version", nlohmann::json()).is_number_integer())
    return fail(ErrorCode::kCorrupt, "{}: is not a settings file", path.string());
  if (json["version"] != kSettingsVersion)
    return fail(ErrorCode::kUnsupported, "{}: version {}; this program knows {}", path.string(),
                json["version"].dump(), kSettingsVersion);
  for (const auto& [key, member] :
       {std::pair("state", &installation.state), std::pair("objects", &installation.objects),
        std::pair("region", &installation.region), std::pair("account_id", &installation.account_id)}) {
    const auto found = json.find(key);
    if (found == json.end() || !found->is_string())
      return fail(ErrorCode::kCorrupt, "{}: \"{}\" is missing", path.string(), key);
    *member = found->get<std::string>();
  }
  return installation;
}

Status write_settings(const Installation& installation) {
  const nlohmann::ordered_json json{{"version", kSettingsVersion},
                                    {"state", installation.state},
                                    {"objects", installation.objects},
                                    {"region", installation.region},
                                    {"account_id", installation.account_id}};
  const fs::path path = installation.data_dir / "settings.json";
  TERRAPIN_TRY_STATUS(write_file_atomically(path, json_text(json, 2) + "\n"));
  ::chmod(path.c_str(), 0600);  // a database URL may hold a password
  return {};
}

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string() : std::string(value);
}

}  // namespace

void add_installation_options(CLI::App& command, InstallationOptions& options, bool all) {
  command
      .add_option("--data-dir", options.data_dir,
                  "Folder of this installation: settings, keys, state, objects")
      ->required();
  if (!all) return;
  command.add_option(
      "--state", options.state,
      "Where state is kept: sqlite:FILE (default: in the data folder) or postgresql://USER@HOST/DATABASE");
  command.add_option("--objects", options.objects,
                     "Where objects are kept: folder:PATH (default: in the data folder), or an S3 service as "
                     "s3://?region=REGION or "
                     "https://HOST[:PORT]?region=...&prefix=...; its keys from AWS_ACCESS_KEY_ID and "
                     "AWS_SECRET_ACCESS_KEY or the file "
                     "that TERRAPIN_S3_CREDENTIALS_FILE names");
  command.add_option("--region", options.region,
                     "Region that ARNs name and signatures are made for (default: us-east-1)");
  command.add_option("--account-id", options.account_id, "Account number of ARNs (default: 111122223333)")
      ->check([](const std::string& text) {
        return text.size() == 12 && text.find_first_not_of("0123456789") == std::string::npos
                   ? std::string()
                   : "an account number has 12 digits, not '" + text + "'";
      });
}

Result<Installation> open_installation(const InstallationOptions& options, bool create) {
  const fs::path data_dir = fs::absolute(options.data_dir).lexically_normal();
  std::error_code error;
  if (fs::exists(restore_mark(data_dir), error))
    return fail(ErrorCode::kConflict,
                "{}: `terrapin restore` into it is under way or was cut short; run it again to the end",
                data_dir.string());
  if (fs::exists(data_dir / "settings.json", error)) {
    TERRAPIN_TRY(Installation installation, read_settings(data_dir));
    for (const auto& [given, kept, name] :
         {std::tuple(&options.state, &installation.state, "--state"),
          std::tuple(&options.objects, &installation.objects, "--objects"),
          std::tuple(&options.region, &installation.region, "--region"),
          std::tuple(&options.account_id, &installation.account_id, "--account-id")})
      if (!given->empty() && *given != *kept)
        return fail(ErrorCode::kInvalidArgument,
                    "{} is {}, but {} says {}; move what is there, then edit that file", name,
                    without_password(*given), (data_dir / "settings.json").string(), without_password(*kept));
    return installation;
  }
  if (!create)
    return fail(ErrorCode::kNotFound,
                "{}: is no data folder of Terrapin (no settings.json); `terrapin serve --data-dir` makes one",
                data_dir.string());
  return fresh_installation(options);
}

fs::path restore_mark(const fs::path& data_dir) {
  return data_dir / "restore.json";
}

Result<Installation> fresh_installation(const InstallationOptions& options) {
  const fs::path data_dir = fs::absolute(options.data_dir).lexically_normal();
  std::error_code error;
  const bool fresh = !fs::exists(data_dir, error);
  fs::create_directories(data_dir, error);
  if (error) return fail(ErrorCode::kIo, "{}: cannot create: {}", data_dir.string(), error.message());
  if (fresh) ::chmod(data_dir.c_str(), 0700);
  Installation installation;
  installation.data_dir = data_dir;
  installation.state = options.state.empty() ? "sqlite:" + (data_dir / "state.db").string() : options.state;
  installation.objects =
      options.objects.empty() ? "folder:" + (data_dir / "objects").string() : options.objects;
  if (!options.region.empty()) installation.region = options.region;
  if (!options.account_id.empty()) installation.account_id = options.account_id;
  installation.fresh = true;
  return installation;
}

Status keep_settings(const Installation& installation) {
  return installation.fresh ? write_settings(installation) : Status();
}

Result<std::unique_ptr<storage::Database>> open_state(const Installation& installation) {
  return storage::Database::open(installation.state);
}

Result<std::unique_ptr<storage::ObjectStore>> open_objects(const Installation& installation,
                                                           const Clock& clock) {
  const std::string& url = installation.objects;
  if (url.starts_with("folder:")) return storage::open_folder_store(url.substr(7), clock);
  auto options = storage::parse_remote_store_url(url);
  if (!options) return with_context(std::move(options.error()), "--objects " + url);
  auto credentials = storage::remote_credentials(environment("TERRAPIN_S3_CREDENTIALS_FILE"));
  if (!credentials) return with_context(std::move(credentials.error()), "--objects " + url);
  options->credentials = std::move(*credentials);
  options->spool_folder = installation.spool();
  options->clock = &clock;
  return storage::open_remote_store(*options);
}

}  // namespace terrapin::cli
