// Which server uses a data folder: at most one does, and the commands beside it can find it.
// docs/formats/data-folder.md has the files.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <optional>
#include <string>

#include "base/descriptor.h"
#include "base/result.h"

namespace terrapin::cli {

struct RunningServer {
  std::string url;      // of the address it listens on
  std::string command;  // "serve", "label" or "run"
  pid_t process = 0;
};

// Held by a server while it uses its folder. The lock under it goes with the process, however that ends.
class ServerClaim {
 public:
  ServerClaim() = default;  // holds nothing
  // kConflict, naming the server that holds it; kIo.
  static Result<ServerClaim> take(const std::filesystem::path& data_dir);
  ServerClaim(ServerClaim&& other) noexcept = default;
  ServerClaim& operator=(ServerClaim&& other) noexcept;
  ~ServerClaim();

  // Once it answers: writes server.json.
  Status announce(const std::string& url, const std::string& command);
  // Removes server.json and lets go.
  void release();

 private:
  std::filesystem::path data_dir_;
  Descriptor lock_;
};

struct FolderUse {
  bool taken = false;                   // a server has it
  std::optional<RunningServer> server;  // nullopt although taken: it is starting or stopping
};
Result<FolderUse> folder_use(const std::filesystem::path& data_dir);

// An exclusive lock on a file of that name, made if it is missing; not open: somebody else holds it. It ends
// with the descriptor.
Result<Descriptor> try_lock(const std::filesystem::path& path);
// Does somebody hold such a lock. False without the file.
Result<bool> is_locked(const std::filesystem::path& path);

}  // namespace terrapin::cli
