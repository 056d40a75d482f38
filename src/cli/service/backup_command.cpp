// terrapin backup and restore: an installation as a folder of its own, while the server runs.
// docs/formats/backup.md.
#include <sys/stat.h>

#include <algorithm>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "base/files.h"
#include "base/interrupt.h"
#include "base/json_text.h"
#include "base/line_reader.h"
#include "base/parallel.h"
#include "base/progress.h"
#include "cli/command.h"
#include "cli/service/installation.h"
#include "crypto/hash.h"
#include "labeling/jobs/stored_files.h"
#include "storage/folder_store.h"

namespace terrapin::cli {
namespace {

namespace fs = std::filesystem;
using nlohmann::ordered_json;
using storage::ObjectInfo;
using storage::ObjectName;
using storage::ObjectStore;

constexpr int kBackupVersion = 1;
// Private files of a data folder that a backup holds as they are.
constexpr const char* kPrivateFiles[] = {"access-keys.json", "portal.key", "functions.json", "webhooks.json"};
constexpr const char* kInventory = "objects.jsonl";
// Copies of the state until one names nothing that was removed meanwhile.
constexpr int kMostRounds = 5;
constexpr std::int64_t kBatch = 64;
constexpr int kAtOnce = 8;  // so that their fsyncs share the disk's

struct BackupOptions {
  InstallationOptions installation;
  std::string folder;
  bool without_state = false;
  bool replace = false;
};

Result<std::string> digest_of(crypto::HashKind kind, const ByteSource& source) {
  crypto::Hasher hasher(kind);
  Bytes buffer(1 << 20);
  for (std::int64_t at = 0; at < source.size();) {
    const auto count = static_cast<std::size_t>(
        std::min<std::int64_t>(static_cast<std::int64_t>(buffer.size()), source.size() - at));
    const std::span<std::uint8_t> part(buffer.data(), count);
    TERRAPIN_TRY_STATUS(source.read(at, part));
    hasher.add(part);
    at += static_cast<std::int64_t>(count);
  }
  return crypto::hex(hasher.finish());
}

// What backup.json says of a file.
Result<ordered_json> description_of(const fs::path& path) {
  TERRAPIN_TRY(const ByteSourcePtr source, file_source(path));
  TERRAPIN_TRY(const std::string digest, digest_of(crypto::HashKind::kSha256, *source));
  return ordered_json{{"size", source->size()}, {"sha256", digest}};
}

Status copy_private_file(const fs::path& from, const fs::path& to) {
  TERRAPIN_TRY(const Bytes bytes, read_file(from));
  TERRAPIN_TRY_STATUS(write_file_atomically(to, bytes));
  ::chmod(to.c_str(), 0600);
  return {};
}

// Calls work(i) for 0..count-1, several at once; the first failure in order of i.
Status several_at_once(std::int64_t count, const std::function<Status(std::int64_t)>& work) {
  std::vector<Status> done(static_cast<std::size_t>(count));
  parallel_for(count, kAtOnce, [&](std::int64_t i) { done[static_cast<std::size_t>(i)] = work(i); });
  for (Status& status : done)
    if (!status) return tl::unexpected<Error>(std::move(status.error()));
  return {};
}

// ---- backup ----

// Copies what `to` lacks or has with other bytes. What is removed meanwhile is left out.
Result<std::int64_t> copy_objects(ObjectStore& from, ObjectStore& to, bool quiet) {
  std::int64_t copied = 0;
  TERRAPIN_TRY(const auto buckets, from.list_buckets());
  for (const storage::BucketInfo& bucket : buckets) {
    Status made = to.create_bucket(bucket.name);
    if (!made && made.error().code != ErrorCode::kAlreadyExists)
      return tl::unexpected<Error>(std::move(made.error()));
    std::map<std::string, std::pair<std::string, std::int64_t>> present;
    TERRAPIN_TRY_STATUS(
        storage::for_each_object(to, bucket.name, "", [&](const ObjectInfo& object) -> Status {
          present[object.key] = {object.etag, object.size};
          return {};
        }));
    std::vector<std::string> keys;
    Status listed = storage::for_each_object(from, bucket.name, "", [&](const ObjectInfo& object) -> Status {
      const auto found = present.find(object.key);
      if (found == present.end() || found->second != std::pair(object.etag, object.size))
        keys.push_back(object.key);
      return {};
    });
    if (!listed && listed.error().code == ErrorCode::kNotFound) continue;  // the bucket was removed
    TERRAPIN_TRY_STATUS(listed);
    ProgressBar bar("objects of " + bucket.name, static_cast<std::int64_t>(keys.size()), !quiet);
    for (std::int64_t begin = 0; begin < static_cast<std::int64_t>(keys.size()); begin += kBatch) {
      if (interrupted()) return fail(ErrorCode::kCancelled, "interrupted; the folder is not complete");
      const std::int64_t count = std::min(kBatch, static_cast<std::int64_t>(keys.size()) - begin);
      TERRAPIN_TRY_STATUS(several_at_once(count, [&](std::int64_t i) -> Status {
        const ObjectName name{bucket.name, keys[static_cast<std::size_t>(begin + i)]};
        auto object = from.get(name);
        if (!object && object.error().code == ErrorCode::kNotFound) return {};
        TERRAPIN_TRY(const storage::OpenObject found, std::move(object));
        TERRAPIN_TRY_STATUS(to.put(name, *found.content, found.info.headers, {}));
        return {};
      }));
      copied += count;
      bar.update(begin + count);
    }
    bar.finish();
  }
  return copied;
}

using Names = std::set<std::pair<std::string, std::string>>;  // bucket, key

// Copies the state and returns which objects it names that are not in the copy.
Result<Names> copy_state(storage::Database& state, const fs::path& path, ObjectStore& copy) {
  Names missing;
  TERRAPIN_TRY_STATUS(state.backup_to(path.string(), [&](storage::Transaction& copied) -> Status {
    missing.clear();
    return labeling::for_each_stored_file(copied, [&](const ObjectName& name) -> Status {
      if (!copy.head(name)) missing.emplace(name.bucket, name.key);
      return {};
    });
  }));
  return missing;
}

// Objects, the state, then the objects that came meanwhile: what the state names is there, unless it was
// removed before it could be copied. Then the state has gone on too, and is copied anew.
Result<std::int64_t> copy_all(ObjectStore& objects, storage::Database* state, const fs::path& state_copy,
                              ObjectStore& copy, bool quiet) {
  TERRAPIN_TRY(std::int64_t copied, copy_objects(objects, copy, quiet));
  if (state == nullptr) return copied;
  Names gone;
  for (int round = 1;; ++round) {
    TERRAPIN_TRY(Names missing, copy_state(*state, state_copy, copy));
    TERRAPIN_TRY(const std::int64_t more, copy_objects(objects, copy, quiet));
    copied += more;
    std::erase_if(missing, [&](const auto& name) {
      return copy.head({name.first, name.second}).has_value();
    });
    const bool settled = missing == gone;
    gone = std::move(missing);
    if (gone.empty()) return copied;
    if (settled || round == kMostRounds) break;
  }
  fmt::print(stderr, "terrapin backup: {} files that the state names are not among the objects, first {}\n",
             gone.size(), storage::s3_uri({gone.begin()->first, gone.begin()->second}));
  return copied;
}

// One line an object or bucket, as they are in the backup. Returns how many objects.
Result<std::int64_t> write_inventory(ObjectStore& copy, const fs::path& path) {
  TERRAPIN_TRY(AtomicFileWriter file, AtomicFileWriter::open(path));
  std::int64_t count = 0;
  TERRAPIN_TRY(const auto buckets, copy.list_buckets());
  for (const storage::BucketInfo& bucket : buckets) {
    TERRAPIN_TRY_STATUS(file.write(json_text(ordered_json{{"bucket", bucket.name}}) + "\n"));
    TERRAPIN_TRY_STATUS(storage::for_each_object(copy, bucket.name, "", [&](const ObjectInfo& object) {
      ++count;
      return file.write(
          json_text(ordered_json{
              {"bucket", bucket.name}, {"key", object.key}, {"size", object.size}, {"md5", object.etag}}) +
          "\n");
    }));
  }
  TERRAPIN_TRY_STATUS(file.commit());
  ::chmod(path.c_str(), 0600);
  return count;
}

bool is_sqlite(const Installation& installation) {
  return installation.state.starts_with("sqlite:");
}

Result<int> backup(const BackupOptions& options, const Invocation& invocation) {
  TERRAPIN_TRY(const Installation installation, open_installation(options.installation, false));
  std::error_code error;
  if (fs::exists(options.folder, error) && !fs::is_empty(options.folder, error))
    return fail(ErrorCode::kAlreadyExists, "{}: exists and is not empty; name a new folder", options.folder);
  TERRAPIN_TRY(const auto state, open_state(installation));
  if (!options.without_state) {
    TERRAPIN_TRY_STATUS(state->check_backup());
    TERRAPIN_TRY_STATUS(state->migrate("backup", {}));  // a state that nobody has used yet has its versions
  }
  fs::create_directories(options.folder, error);
  if (error) return fail(ErrorCode::kIo, "{}: cannot create: {}", options.folder, error.message());
  ::chmod(options.folder.c_str(), 0700);
  const fs::path folder = fs::absolute(options.folder);
  TERRAPIN_TRY(const auto objects, open_objects(installation, system_clock()));
  TERRAPIN_TRY(const auto copy, storage::open_folder_store(folder / "objects", system_clock()));
  const std::string state_name = options.without_state     ? ""
                                 : is_sqlite(installation) ? "state.db"
                                                           : "state.dump";
  TERRAPIN_TRY(const std::int64_t copied, copy_all(*objects, options.without_state ? nullptr : state.get(),
                                                   folder / state_name, *copy, invocation.quiet));
  ordered_json files = ordered_json::object();
  const auto add = [&](const std::string& name) -> Status {
    TERRAPIN_TRY(files[name], description_of(folder / name));
    return {};
  };
  for (const char* name : kPrivateFiles) {
    if (!fs::exists(installation.data_dir / name, error)) continue;
    TERRAPIN_TRY_STATUS(copy_private_file(installation.data_dir / name, folder / name));
    TERRAPIN_TRY_STATUS(add(name));
  }
  if (!state_name.empty()) {
    TERRAPIN_TRY_STATUS(add(state_name));
  }
  TERRAPIN_TRY(const std::int64_t count, write_inventory(*copy, folder / kInventory));
  TERRAPIN_TRY_STATUS(add(kInventory));
  const ordered_json about{{"format", "terrapin-backup"},
                           {"version", kBackupVersion},
                           {"made", iso_text(system_clock().now()) + "Z"},
                           {"region", installation.region},
                           {"account_id", installation.account_id},
                           {"state", state_name},
                           {"objects", count},
                           {"files", files}};
  TERRAPIN_TRY_STATUS(write_file_atomically(folder / "backup.json", json_text(about, 2) + "\n"));
  fmt::print("{} objects{} and the keys are in {}\n", copied, options.without_state ? "" : ", the state",
             folder.string());
  return 0;
}

// ---- restore ----

struct Backup {
  fs::path folder;
  std::string region, account_id;
  std::string state;  // name of its file, "" if the backup has none
  std::int64_t objects = 0;
  std::vector<std::string> private_files;
};

// Reads backup.json and holds every file but the objects against it.
Result<Backup> read_backup(const fs::path& folder) {
  const fs::path path = folder / "backup.json";
  const auto text = read_text_file(path, 1 << 20);
  if (!text && text.error().code == ErrorCode::kNotFound)
    return fail(ErrorCode::kNotFound, "{}: is no complete backup (no backup.json)", folder.string());
  if (!text) return tl::unexpected<Error>(text.error());
  const auto json = nlohmann::json::parse(*text, nullptr, false);
  if (!json.is_object() || json.value("format", nlohmann::json()) != "terrapin-backup" ||
      json.value("version", nlohmann::json()) != kBackupVersion)
    return fail(ErrorCode::kUnsupported, "{}: is not version {} of a terrapin-backup", path.string(),
                kBackupVersion);
  Backup backup;
  backup.folder = folder;
  const auto member = [&](const char* name, bool good) -> Status {
    if (good) return {};
    return fail(ErrorCode::kCorrupt, "{}: \"{}\" is missing or is not what a backup says", path.string(),
                name);
  };
  for (const auto& [name, value] :
       {std::pair("region", &backup.region), std::pair("account_id", &backup.account_id),
        std::pair("state", &backup.state)}) {
    TERRAPIN_TRY_STATUS(member(name, json.contains(name) && json[name].is_string()));
    *value = json[name].get<std::string>();
  }
  TERRAPIN_TRY_STATUS(
      member("state", backup.state.empty() || backup.state == "state.db" || backup.state == "state.dump"));
  TERRAPIN_TRY_STATUS(member("objects", json.contains("objects") && json["objects"].is_number_integer()));
  backup.objects = json["objects"].get<std::int64_t>();
  TERRAPIN_TRY_STATUS(member("files", json.contains("files") && json["files"].is_object()));
  const auto& files = json["files"];
  TERRAPIN_TRY_STATUS(member("files", files.contains(kInventory)));
  TERRAPIN_TRY_STATUS(member("files", backup.state.empty() || files.contains(backup.state)));
  for (const char* name : kPrivateFiles)
    if (files.contains(name)) backup.private_files.emplace_back(name);
  for (const auto& [name, said] : files.items()) {
    // Its own members alone are read: a name is no way out of the folder.
    const bool known = name == kInventory || name == backup.state ||
                       std::find(backup.private_files.begin(), backup.private_files.end(), name) !=
                           backup.private_files.end();
    TERRAPIN_TRY_STATUS(member("files", known));
    auto found = description_of(folder / name);
    if (!found) return with_context(std::move(found.error()), "the backup is not whole");
    if (nlohmann::json(*found) != said)
      return fail(ErrorCode::kCorrupt, "{}: is damaged: {} is what the backup wrote, {} what is there",
                  (folder / name).string(), json_text(said), json_text(*found));
  }
  return backup;
}

struct Listed {
  ObjectName name;
  std::int64_t size = 0;
  std::string md5;
};

// Copies one object and holds what was written against what the backup wrote down.
Status restore_object(ObjectStore& from, ObjectStore& to, const Listed& listed) {
  const std::string uri = storage::s3_uri(listed.name);
  auto object = from.get(listed.name);
  if (!object) return with_context(std::move(object.error()), "the backup is not whole: " + uri);
  TERRAPIN_TRY(const std::string md5, digest_of(crypto::HashKind::kMd5, *object->content));
  if (object->content->size() != listed.size || md5 != listed.md5)
    return fail(ErrorCode::kCorrupt,
                "{}: {} is damaged: {} bytes with MD5 {}, the backup wrote {} bytes with MD5 {}",
                from.description(), uri, object->content->size(), md5, listed.size, listed.md5);
  TERRAPIN_TRY_STATUS(to.put(listed.name, *object->content, object->info.headers, {}));
  return {};
}

// Calls `visit` with every line of the inventory; a line of a bucket alone has no key.
Status for_each_listed(const Backup& backup, const std::function<Status(Listed)>& visit) {
  const fs::path path = backup.folder / kInventory;
  TERRAPIN_TRY(ByteSourcePtr source, file_source(path));
  LineReader reader(std::move(source), 1 << 16);
  for (;;) {
    TERRAPIN_TRY(const auto line, reader.next());
    if (!line) return {};
    const auto json = nlohmann::json::parse(line->text, nullptr, false);
    if (!json.is_object() || !json.contains("bucket"))
      return fail(ErrorCode::kCorrupt, "{}: line {} names no object", path.string(), line->number);
    Listed listed;
    listed.name = {json.value("bucket", ""), json.value("key", "")};
    listed.size = json.value("size", std::int64_t{0});
    listed.md5 = json.value("md5", "");
    TERRAPIN_TRY_STATUS(visit(std::move(listed)));
  }
}

Status check_free(const Backup& backup, ObjectStore& to, const std::string& where) {
  return for_each_listed(backup, [&](const Listed& listed) -> Status {
    if (!listed.name.key.empty()) return {};
    auto page = to.list(listed.name.bucket, {});
    if (!page && page.error().code == ErrorCode::kNotFound) return {};
    TERRAPIN_TRY(const storage::ListPage found, std::move(page));
    if (found.objects.empty()) return {};
    return fail(ErrorCode::kAlreadyExists,
                "{}: bucket {} holds objects; an empty place is allowed, or --replace", where,
                listed.name.bucket);
  });
}

Result<std::int64_t> restore_objects(const Backup& backup, ObjectStore& from, ObjectStore& to, bool quiet) {
  std::int64_t copied = 0;
  std::vector<Listed> batch;
  ProgressBar bar("objects", backup.objects, !quiet);
  const auto flush = [&]() -> Status {
    if (interrupted()) return fail(ErrorCode::kCancelled, "interrupted; run it again to the end");
    const auto count = static_cast<std::int64_t>(batch.size());
    TERRAPIN_TRY_STATUS(several_at_once(
        count, [&](std::int64_t i) { return restore_object(from, to, batch[static_cast<std::size_t>(i)]); }));
    copied += count;
    batch.clear();
    bar.update(copied);
    return {};
  };
  TERRAPIN_TRY_STATUS(for_each_listed(backup, [&](Listed listed) -> Status {
    if (listed.name.key.empty()) {
      Status made = to.create_bucket(listed.name.bucket);
      if (!made && made.error().code != ErrorCode::kAlreadyExists) return made;
      return {};
    }
    batch.push_back(std::move(listed));
    return static_cast<std::int64_t>(batch.size()) < kBatch ? Status() : flush();
  }));
  TERRAPIN_TRY_STATUS(flush());
  bar.finish();
  return copied;
}

// The mark of a restore that has not ended: true in `state_begun` once the state's place, which was empty or
// was to be replaced, is being filled.
Status write_mark(const Installation& installation, const Backup& backup, bool state_begun) {
  const ordered_json mark{{"format", "terrapin-restore"},
                          {"version", 1},
                          {"from", backup.folder.string()},
                          {"state_begun", state_begun}};
  return write_file_atomically(restore_mark(installation.data_dir), json_text(mark, 2) + "\n");
}

Result<int> restore(const BackupOptions& options, const Invocation& invocation) {
  TERRAPIN_TRY(const Backup backup, read_backup(fs::absolute(options.folder)));
  const std::string& state_url = options.installation.state;
  const bool to_sqlite = state_url.empty() || state_url.starts_with("sqlite:");
  if (backup.state == "state.db" && !to_sqlite)
    return fail(ErrorCode::kUnsupported, "--state: the backup holds a SQLite file; sqlite:FILE is allowed");
  if (backup.state == "state.dump" && to_sqlite)
    return fail(ErrorCode::kUnsupported,
                "--state: the backup holds a PostgreSQL database; name an empty one as "
                "postgresql://USER@HOST/DATABASE");

  const fs::path data_dir = fs::absolute(options.installation.data_dir).lexically_normal();
  std::error_code error;
  const auto mark = read_text_file(restore_mark(data_dir), 1 << 16);
  const bool resumed = mark.has_value();  // what is there is a restore's own
  bool state_begun = false;
  if (resumed) {
    const auto json = nlohmann::json::parse(*mark, nullptr, false);
    if (!json.is_object() || json.value("from", nlohmann::json()) != backup.folder.string())
      return fail(
          ErrorCode::kConflict,
          "{}: holds a restore of another backup that was cut short ({}); run that one to the end, or "
          "name a new folder",
          data_dir.string(), restore_mark(data_dir).string());
    state_begun = json.value("state_begun", nlohmann::json()) == true;
  }
  if (!resumed && fs::exists(data_dir, error) && !fs::is_empty(data_dir, error)) {
    if (!options.replace)
      return fail(ErrorCode::kAlreadyExists,
                  "{}: exists and is not empty; name a new folder, or say --replace, which keeps it under "
                  "another name",
                  data_dir.string());
    fs::path aside = data_dir;
    aside += ".replaced-" + iso_text(system_clock().now());
    fs::rename(data_dir, aside, error);
    if (error)
      return fail(ErrorCode::kIo, "{}: cannot be renamed to {}: {}", data_dir.string(), aside.string(),
                  error.message());
    fmt::print("{} is kept as {}\n", data_dir.string(), aside.string());
  }
  InstallationOptions place = options.installation;
  place.region = backup.region;
  place.account_id = backup.account_id;
  TERRAPIN_TRY(const Installation installation, fresh_installation(place));
  if (!resumed) {
    TERRAPIN_TRY_STATUS(write_mark(installation, backup, false));
  }
  TERRAPIN_TRY(const auto from, storage::open_folder_store(backup.folder / "objects", system_clock()));
  TERRAPIN_TRY(const auto objects, open_objects(installation, system_clock()));
  if (!resumed && !options.replace) {
    TERRAPIN_TRY_STATUS(check_free(backup, *objects, objects->description()));
  }
  TERRAPIN_TRY(const std::int64_t copied, restore_objects(backup, *from, *objects, invocation.quiet));
  if (!backup.state.empty()) {
    const std::string archive = (backup.folder / backup.state).string();
    const bool replace = options.replace || state_begun;
    if (!replace) {
      TERRAPIN_TRY_STATUS(storage::Database::check_empty(installation.state));
    }
    TERRAPIN_TRY_STATUS(write_mark(installation, backup, true));
    TERRAPIN_TRY_STATUS(storage::Database::restore(installation.state, archive, true));
  }
  for (const std::string& name : backup.private_files) {
    TERRAPIN_TRY_STATUS(copy_private_file(backup.folder / name, installation.data_dir / name));
  }
  TERRAPIN_TRY_STATUS(keep_settings(installation));
  fs::remove(restore_mark(data_dir), error);
  if (error)
    return fail(ErrorCode::kIo, "{}: cannot be removed: {}", restore_mark(data_dir).string(),
                error.message());
  fmt::print("{} objects and the keys are in {}; start it with `terrapin serve --data-dir {}`\n", copied,
             installation.data_dir.string(), installation.data_dir.string());
  return 0;
}

}  // namespace

void add_backup_commands(CLI::App& app, Invocation& invocation) {
  auto options = std::make_shared<BackupOptions>();
  auto* backup_command =
      app.add_subcommand("backup", "Copy an installation into a new folder, while it runs");
  add_installation_options(*backup_command, options->installation, false);
  backup_command->add_option("--output,-o", options->folder, "New folder")->required();
  backup_command->add_flag("--without-state", options->without_state,
                           "Leave the database out, which is saved by other means");
  backup_command->add_flag("--quiet", invocation.quiet, "No progress bars");
  backup_command->callback([options, &invocation] {
    invocation.action = [options, &invocation] { return backup(*options, invocation); };
  });
  auto* restore_command = app.add_subcommand("restore", "Make a new data folder from a backup");
  add_installation_options(*restore_command, options->installation, true);
  restore_command->add_option("--from", options->folder, "Folder that `terrapin backup` made")->required();
  restore_command->add_flag(
      "--replace", options->replace,
      "Take the place of what is there: a data folder is kept under another name; a "
      "PostgreSQL database and buckets elsewhere are overwritten. Stop the server first");
  restore_command->add_flag("--quiet", invocation.quiet, "No progress bars");
  restore_command->callback([options, &invocation] {
    invocation.action = [options, &invocation] { return restore(*options, invocation); };
  });
}

}  // namespace terrapin::cli
