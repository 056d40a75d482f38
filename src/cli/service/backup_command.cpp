// terrapin backup and restore: an installation as a folder of its own, while the server runs.
#include <sys/stat.h>

#include <map>
#include <nlohmann/json.hpp>

#include "base/files.h"
#include "base/interrupt.h"
#include "base/json_text.h"
#include "base/parallel.h"
#include "base/progress.h"
#include "cli/command.h"
#include "cli/service/installation.h"
#include "storage/folder_store.h"

namespace terrapin::cli {
namespace {

namespace fs = std::filesystem;

// Private files of a data folder that a backup holds as they are.
constexpr const char* kPrivateFiles[] = {"access-keys.json", "portal.key", "functions.json", "webhooks.json"};

struct Options {
  InstallationOptions installation;
  std::string folder;
  bool without_state = false;
};

Status copy_private(const fs::path& from, const fs::path& to) {
  for (const char* name : kPrivateFiles) {
    std::error_code error;
    if (!fs::exists(from / name, error)) continue;
    TERRAPIN_TRY(const Bytes bytes, read_file(from / name));
    TERRAPIN_TRY_STATUS(write_file_atomically(to / name, bytes));
    ::chmod((to / name).c_str(), 0600);
  }
  return {};
}

// Copies what `to` lacks or has with other bytes; 8 at once, so that their fsyncs share the disk's.
Result<std::int64_t> copy_objects(storage::ObjectStore& from, storage::ObjectStore& to, bool quiet) {
  std::int64_t copied = 0;
  TERRAPIN_TRY(const auto buckets, from.list_buckets());
  for (const storage::BucketInfo& bucket : buckets) {
    Status made = to.create_bucket(bucket.name);
    if (!made && made.error().code != ErrorCode::kAlreadyExists)
      return tl::unexpected<Error>(std::move(made.error()));
    std::map<std::string, std::pair<std::string, std::int64_t>> present;
    TERRAPIN_TRY_STATUS(
        storage::for_each_object(to, bucket.name, "", [&](const storage::ObjectInfo& object) -> Status {
          present[object.key] = {object.etag, object.size};
          return {};
        }));
    std::vector<std::string> keys;
    TERRAPIN_TRY_STATUS(
        storage::for_each_object(from, bucket.name, "", [&](const storage::ObjectInfo& object) -> Status {
          const auto found = present.find(object.key);
          if (found == present.end() || found->second != std::pair(object.etag, object.size))
            keys.push_back(object.key);
          return {};
        }));
    ProgressBar bar("objects of " + bucket.name, static_cast<std::int64_t>(keys.size()), !quiet);
    constexpr std::int64_t kBatch = 64;
    for (std::int64_t begin = 0; begin < static_cast<std::int64_t>(keys.size()); begin += kBatch) {
      if (interrupted()) return fail(ErrorCode::kCancelled, "interrupted; the folder is not complete");
      const std::int64_t count = std::min(kBatch, static_cast<std::int64_t>(keys.size()) - begin);
      std::vector<Status> done(static_cast<std::size_t>(count));
      parallel_for(count, 8, [&](std::int64_t i) {
        const storage::ObjectName name{bucket.name, keys[static_cast<std::size_t>(begin + i)]};
        const auto object = from.get(name);
        if (!object) {
          if (object.error().code != ErrorCode::kNotFound)
            done[static_cast<std::size_t>(i)] = tl::unexpected<Error>(object.error());
          return;  // removed meanwhile
        }
        auto put = to.put(name, *object->content, object->info.headers, {});
        if (!put) done[static_cast<std::size_t>(i)] = tl::unexpected<Error>(std::move(put.error()));
      });
      for (Status& status : done)
        if (!status) return tl::unexpected<Error>(std::move(status.error()));
      copied += count;
      bar.update(begin + count);
    }
    bar.finish();
  }
  return copied;
}

Result<int> backup(const Options& options, const Invocation& invocation) {
  TERRAPIN_TRY(const Installation installation, open_installation(options.installation, false));
  std::error_code error;
  if (fs::exists(options.folder, error) && !fs::is_empty(options.folder, error))
    return fail(ErrorCode::kAlreadyExists, "{}: exists and is not empty; name a new folder", options.folder);
  fs::create_directories(options.folder, error);
  if (error) return fail(ErrorCode::kIo, "{}: cannot create: {}", options.folder, error.message());
  ::chmod(options.folder.c_str(), 0700);
  const fs::path folder = fs::absolute(options.folder);
  TERRAPIN_TRY(const auto state, open_state(installation));
  TERRAPIN_TRY(const auto objects, open_objects(installation, system_clock()));
  TERRAPIN_TRY(const auto copy, storage::open_folder_store(folder / "objects", system_clock()));
  // Objects, state, then the objects that came meanwhile: whatever the state names is there.
  TERRAPIN_TRY(std::int64_t copied, copy_objects(*objects, *copy, invocation.quiet));
  if (!options.without_state) {
    TERRAPIN_TRY_STATUS(state->backup_to((folder / "state.db").string()));
  }
  TERRAPIN_TRY(const std::int64_t more, copy_objects(*objects, *copy, invocation.quiet));
  copied += more;
  TERRAPIN_TRY_STATUS(copy_private(installation.data_dir, folder));
  const nlohmann::ordered_json about{{"format", "terrapin-backup"},
                                     {"version", 1},
                                     {"made", iso_text(system_clock().now()) + "Z"},
                                     {"region", installation.region},
                                     {"account_id", installation.account_id},
                                     {"with_state", !options.without_state}};
  TERRAPIN_TRY_STATUS(write_file_atomically(folder / "backup.json", json_text(about, 2) + "\n"));
  fmt::print("{} objects{} and the keys are in {}\n", copied, options.without_state ? "" : ", the state",
             folder.string());
  return 0;
}

Result<int> restore(const Options& options, const Invocation& invocation) {
  const fs::path folder = fs::absolute(options.folder);
  auto text = read_text_file(folder / "backup.json", 1 << 20);
  if (!text) return fail(ErrorCode::kNotFound, "{}: is no complete backup (no backup.json)", folder.string());
  const auto about = nlohmann::json::parse(*text, nullptr, false);
  if (!about.is_object() || about.value("format", "") != "terrapin-backup" || about.value("version", 0) != 1)
    return fail(ErrorCode::kUnsupported, "{}/backup.json: is not version 1 of a terrapin-backup",
                folder.string());
  std::error_code error;
  const fs::path data_dir = options.installation.data_dir;
  if (fs::exists(data_dir, error) && !fs::is_empty(data_dir, error))
    return fail(ErrorCode::kAlreadyExists, "{}: exists and is not empty; name a new folder",
                data_dir.string());
  const bool with_state = about.value("with_state", true);
  if (with_state && !options.installation.state.empty() && !options.installation.state.starts_with("sqlite:"))
    return fail(ErrorCode::kUnsupported, "--state {}: the backup holds a SQLite file", "postgresql://...");
  InstallationOptions place = options.installation;
  place.region = about.value("region", "us-east-1");
  place.account_id = about.value("account_id", "111122223333");
  TERRAPIN_TRY(const Installation installation, open_installation(place, true));
  TERRAPIN_TRY(const auto from, storage::open_folder_store(folder / "objects", system_clock()));
  TERRAPIN_TRY(const auto objects, open_objects(installation, system_clock()));
  TERRAPIN_TRY(const std::int64_t copied, copy_objects(*from, *objects, invocation.quiet));
  if (with_state) {
    TERRAPIN_TRY(const Bytes bytes, read_file(folder / "state.db"));
    const fs::path target = installation.state.substr(7);
    TERRAPIN_TRY_STATUS(write_file_atomically(target, bytes));
    ::chmod(target.c_str(), 0600);
  }
  TERRAPIN_TRY_STATUS(copy_private(folder, installation.data_dir));
  TERRAPIN_TRY_STATUS(keep_settings(installation));
  fmt::print("{} objects and the keys are in {}; start it with `terrapin serve --data-dir {}`\n", copied,
             installation.data_dir.string(), installation.data_dir.string());
  return 0;
}

}  // namespace

void add_backup_commands(CLI::App& app, Invocation& invocation) {
  auto options = std::make_shared<Options>();
  auto* backup_command =
      app.add_subcommand("backup", "Copy an installation into a new folder, while it runs");
  add_installation_options(*backup_command, options->installation, false);
  backup_command->add_option("--output,-o", options->folder, "New folder")->required();
  backup_command->add_flag("--without-state", options->without_state,
                           "Leave the database out (PostgreSQL: use pg_dump beside)");
  backup_command->add_flag("--quiet", invocation.quiet, "No progress bars");
  backup_command->callback([options, &invocation] {
    invocation.action = [options, &invocation] { return backup(*options, invocation); };
  });
  auto* restore_command = app.add_subcommand("restore", "Make a new data folder from a backup");
  add_installation_options(*restore_command, options->installation, true);
  restore_command->add_option("--from", options->folder, "Folder that `terrapin backup` made")->required();
  restore_command->add_flag("--quiet", invocation.quiet, "No progress bars");
  restore_command->callback([options, &invocation] {
    invocation.action = [options, &invocation] { return restore(*options, invocation); };
  });
}

}  // namespace terrapin::cli
