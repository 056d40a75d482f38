// terrapin endpoint-instance, a model server of an endpoint: started by the job's keeper in its work folder,
// and typed by nobody. It brings the model, then is `terrapin host`.
#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "base/files.h"
#include "base/logging.h"
#include "cli/command.h"
#include "cli/host.h"
#include "cli/service/installation.h"
#include "control/endpoint_keeper.h"

namespace terrapin::cli {
namespace {

namespace fs = std::filesystem;

constexpr const char* kModelFile = "model.tar.gz";
constexpr std::int64_t kMaxModelBytes = std::int64_t{8} << 30;
constexpr std::int64_t kPieceBytes = 4 << 20;

Status fetch(storage::ObjectStore& objects, const std::string& uri) {
  TERRAPIN_TRY(const storage::ObjectName name, storage::parse_s3_uri(uri));
  TERRAPIN_TRY(const storage::OpenObject object, objects.get(name));
  if (object.info.size > kMaxModelBytes)
    return fail(ErrorCode::kTooLarge, "it has {} bytes; a model may have at most {}", object.info.size,
                kMaxModelBytes);
  TERRAPIN_TRY(AtomicFileWriter file, AtomicFileWriter::open(fs::absolute(kModelFile)));
  Bytes piece;
  for (std::int64_t at = 0; at < object.info.size; at += static_cast<std::int64_t>(piece.size())) {
    piece.resize(static_cast<std::size_t>(std::min(object.info.size - at, kPieceBytes)));
    TERRAPIN_TRY_STATUS(object.content->read(at, piece));
    TERRAPIN_TRY_STATUS(file.write(piece));
  }
  return file.commit();
}

// What other tries would meet again is the model's fault.
Error about_model(Error error, const std::string& uri) {
  const bool mendable = error.code == ErrorCode::kNotFound || error.code == ErrorCode::kCorrupt ||
                        error.code == ErrorCode::kInvalidArgument || error.code == ErrorCode::kTooLarge ||
                        error.code == ErrorCode::kUnsupported;
  error.message = fmt::format("{}{}: {}", mendable ? "ClientError: " : "", uri, error.message);
  return error;
}

Result<int> serve_model() {
  configure_logging("info");
  TERRAPIN_TRY(const std::string text, read_text_file(control::kInstanceOrderFile, 1 << 20));
  TERRAPIN_TRY(const control::InstanceOrder order, control::parse_instance_order(text));
  InstallationOptions folder;
  folder.data_dir = order.data_dir;
  TERRAPIN_TRY(const Installation installation, open_installation(folder, false));
  TERRAPIN_TRY(const auto objects, open_objects(installation, system_clock()));
  spdlog::info("fetching {}", order.model);
  const Status fetched = fetch(*objects, order.model);
  if (!fetched) return tl::unexpected<Error>(about_model(fetched.error(), order.model));

  HostOptions options;
  options.model = kModelFile;
  options.threads = order.threads;
  options.long_side = order.settings.long_side;
  options.batching.max_batch = order.settings.max_batch;
  if (const char* job = std::getenv("TERRAPIN_JOB")) options.instance = job;
  options.listening = [](int port) {
    return write_file_atomically(control::kInstancePortFile, std::to_string(port));
  };
  bool loaded = false;
  options.loaded = [&] {
    loaded = true;
    std::error_code ignored;
    fs::remove(kModelFile, ignored);  // it is in memory now
  };
  auto ended = host(options);
  if (!ended && !loaded) return tl::unexpected<Error>(about_model(ended.error(), order.model));
  return ended;
}

}  // namespace

void add_endpoint_instance_command(CLI::App& app, Invocation& invocation) {
  CLI::App* command = app.add_subcommand("endpoint-instance", "Serves a model of an endpoint")->group("");
  command->callback([&invocation] {
    invocation.action = []() -> Result<int> {
      auto ended = serve_model();
      if (!ended) {
        (void)write_file_atomically(control::kInstanceFailureFile, ended.error().message);
        std::error_code ignored;
        fs::remove(kModelFile, ignored);  // the folder stays for its output
      }
      return ended;
    };
  });
}

}  // namespace terrapin::cli
