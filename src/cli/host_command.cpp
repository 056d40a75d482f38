// terrapin host: one model behind SageMaker's hosting contract, on any port.
#include <fmt/format.h>

#include <chrono>
#include <cstdio>
#include <filesystem>
#include <future>
#include <memory>
#include <string>
#include <thread>

#include "base/interrupt.h"
#include "base/logging.h"
#include "cli/command.h"
#include "cli/host.h"
#include "http/server.h"
#include "inference/predictor.h"
#include "serving/model_server.h"

namespace terrapin::cli {
namespace {

namespace fs = std::filesystem;

struct HostCommandOptions : HostOptions {
  HostCommandOptions() {
    listen.clear();
    port = 8080;
  }
  std::string root = "/opt/ml";
};

// Without --model the container's folder, if there is one: then every interface listens, as the contract
// needs.
Result<void> choose_model(HostCommandOptions& options) {
  std::error_code error;
  if (!options.model.empty()) {
    if (!fs::exists(options.model, error)) {
      return fail(ErrorCode::kNotFound, "--model {}: there is no such file or folder", options.model);
    }
    if (options.listen.empty()) options.listen = "127.0.0.1";
    return {};
  }
  const fs::path contract = fs::path(options.root) / "model";
  if (!fs::exists(contract, error)) {
    require_usage(
        fail(ErrorCode::kInvalidArgument,
             "name a model with --model FILE (a model.tar.gz or its unpacked folder); {} does not exist",
             contract.string()));
  }
  options.model = contract.string();
  if (options.listen.empty()) options.listen = "0.0.0.0";
  return {};
}

// A request line is the client's text: it must not forge log lines or move a terminal's cursor.
std::string printable(const std::string& text) {
  std::string result;
  for (const char c : text.substr(0, 2000)) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte > 0x20 && byte < 0x7f) {
      result += c;
    } else {
      result += fmt::format("\\x{:02x}", byte);
    }
  }
  return result.empty() ? "-" : result;
}

void log_access(const http::AccessEntry& entry) {
  if (entry.status == 200 && entry.target == "/ping") return;  // every other second, for ever
  spdlog::info("{} {} {} {} {} bytes {:.1f} ms", entry.remote_address, printable(entry.method),
               printable(entry.target), entry.status, entry.body_bytes, entry.milliseconds);
}

}  // namespace

Result<int> host(const HostOptions& options) {
  serving::ModelServerOptions settings;
  settings.http.address = options.listen;
  settings.http.port = options.port;
  settings.http.max_body_bytes = options.max_body_mb << 20;
  if (options.log_requests) settings.http.on_access = &log_access;
  settings.batching = options.batching;
  settings.threads = options.threads;
  settings.max_pixels = options.max_pixels;
  settings.max_memory_bytes = options.max_memory_mb << 20;
  settings.instance = options.instance;
  TERRAPIN_TRY(const auto server, serving::ModelServer::start(settings));
  fmt::print("terrapin host: {} (model {})\n", server->url(), options.model);
  std::fflush(stdout);
  if (options.listening) {
    TERRAPIN_TRY_STATUS(options.listening(server->port()));
  }

  // The port answers while the model loads, so that /ping can say so.
  inference::PredictorOptions engine;
  engine.backend = options.backend;
  engine.threads = options.threads;
  if (options.long_side >= 0) engine.long_side = options.long_side;
  auto loading =
      std::async(std::launch::async, [&] { return inference::Predictor::load(options.model, engine); });
  constexpr auto kLook = std::chrono::milliseconds(50);
  while (!interrupted()) {
    if (!loading.valid()) {
      std::this_thread::sleep_for(kLook);
      continue;
    }
    if (loading.wait_for(kLook) != std::future_status::ready) continue;
    TERRAPIN_TRY(const auto predictor, loading.get());
    spdlog::info("ready: {} classes, {} with {}, engine {}", predictor->spec().classes.size(),
                 predictor->spec().network.backbone, predictor->spec().network.algorithm,
                 predictor->backend());
    server->set_model(predictor);
    if (options.loaded) options.loaded();
  }
  spdlog::info("stopping: requests in flight are finished");
  server->stop();
  return 0;
}

void add_host_command(CLI::App& app, Invocation& invocation) {
  auto options = std::make_shared<HostCommandOptions>();
  auto* command =
      app.add_subcommand("host", "Answer photos with masks over HTTP (SageMaker's hosting contract)");
  CLI::Option* model = command->add_option(
      "--model", options->model,
      "model.tar.gz, or its unpacked folder (default: the container's ROOT/model, listening on 0.0.0.0)");
  command->add_option("--root", options->root, "Root of the container layout")
      ->excludes(model)
      ->capture_default_str();
  command->add_option("--port", options->port, "0 takes a free one and prints it")
      ->check(CLI::Range(0, 65535))
      ->capture_default_str();
  command->add_option("--listen", options->listen, "IPv4 or IPv6 address (default: 127.0.0.1 with --model)");
  command->add_option("--threads", options->threads, "Cores to use (default: all)")
      ->check(CLI::Range(1, 1024));
  command->add_option("--max-body-mb", options->max_body_mb, "Largest request body, in MiB")
      ->check(CLI::Range(1, 1023))
      ->capture_default_str();
  command
      ->add_option("--max-memory-mb", options->max_memory_mb,
                   "Decoded photos, masks and probabilities at one time, in MiB; above, requests are "
                   "answered 503 with Retry-After")
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{1} << 20))
      ->capture_default_str();
  command->add_option("--max-pixels", options->max_pixels, "Largest photo")
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{1'000'000'000}))
      ->capture_default_str();
  add_long_side_option(*command, options->long_side);
  command->add_option("--max-batch", options->batching.max_batch, "Most photos predicted together")
      ->check(CLI::Range(1, 256))
      ->capture_default_str();
  command
      ->add_option("--max-wait-ms", options->batching.max_wait_ms,
                   "How long a photo waits for others that are being decoded; alone it never waits")
      ->check(CLI::Range(0, 1000))
      ->capture_default_str();
  add_backend_option(*command, options->backend);
  command->add_flag("--quiet", invocation.quiet, "No line per request");
  command->callback([options, &invocation] {
    invocation.action = [options, &invocation]() -> Result<int> {
      configure_logging("info");
      TERRAPIN_TRY_STATUS(choose_model(*options));
      options->log_requests = !invocation.quiet;
      return host(*options);
    };
  });
}

}  // namespace terrapin::cli
