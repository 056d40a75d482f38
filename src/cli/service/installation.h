// A data folder and what it names: where state and objects lie. Shared by `serve` and the commands beside it.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "base/clock.h"
#include "base/result.h"
#include "cli/command.h"
#include "storage/database.h"
#include "storage/object_store.h"

namespace terrapin::cli {

// <data-dir>/settings.json, written once the first start has opened what it names:
// docs/formats/data-folder.md.
struct Installation {
  std::filesystem::path data_dir;
  std::string state;    // "sqlite:<path>" or "postgresql://..."
  std::string objects;  // "folder:<path>" or "https://s3.example.org" (credentials from the environment)
  std::string region = "us-east-1", account_id = "111122223333";
  bool fresh = false;  // its settings are not written yet

  std::filesystem::path scratch() const { return data_dir / "scratch"; }
  std::filesystem::path spool() const { return data_dir / "spool"; }
};

// What the command line said; empty: as before, or the default.
struct InstallationOptions {
  std::string data_dir, state, objects, region, account_id;
};
void add_installation_options(CLI::App& command, InstallationOptions& options, bool all);

// Reads the settings, or makes the folder (0700) if `create`: keep_settings() ends that. kNotFound without
// settings otherwise. What the options say and the settings contradict is kInvalidArgument: state does not
// move by itself.
Result<Installation> open_installation(const InstallationOptions& options, bool create);

// A folder that gets its settings later: made if it is missing, whatever it holds.
Result<Installation> fresh_installation(const InstallationOptions& options);

// Is in a data folder while `terrapin restore` fills it: nothing else opens it then.
std::filesystem::path restore_mark(const std::filesystem::path& data_dir);

// Writes the settings of a fresh installation; nothing for another.
Status keep_settings(const Installation& installation);

Result<std::unique_ptr<storage::Database>> open_state(const Installation& installation);
Result<std::unique_ptr<storage::ObjectStore>> open_objects(const Installation& installation,
                                                           const Clock& clock);

}  // namespace terrapin::cli
