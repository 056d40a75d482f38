// terrapin serve: the labeling service on one port.
#include <nlohmann/json.hpp>
#include <regex>
#include <thread>

#include "base/clock.h"
#include "base/interrupt.h"
#include "base/json_text.h"
#include "base/logging.h"
#include "base/text.h"
#include "cli/command.h"
#include "cli/service/labeling_server.h"
#include "identity/access_keys.h"
#include "identity/accounts.h"
#include "labeling/workforces/addresses.h"

namespace terrapin::cli {
namespace {

struct ServeOptions {
  InstallationOptions installation;
  LabelingServerOptions server;
  std::string tls_certificate, tls_key, log_level = "info";
  int max_upload_gb = 5, max_spool_gb = 0;
  bool no_assistance = false;
  std::vector<std::string> slots;
  std::string runner = "local";
  jobs::SlurmRunnerOptions slurm;
};

// As browsers say an origin: scheme, host and a port that is not the scheme's own, no slash at the end.
Status make_origin(std::string& url) {
  static const std::regex kOrigin(R"((https?)://([a-z0-9._-]+|\[[0-9a-f:.]+\])(?::([0-9]{1,5}))?/*)");
  const std::string text = lower_case(url);
  std::smatch parts;
  const bool read = std::regex_match(text, parts, kOrigin);
  const int port = read && parts[3].matched ? std::stoi(parts[3]) : 0;
  if (!read || (parts[3].matched && (port < 1 || port > 65535)))
    return fail(ErrorCode::kInvalidArgument,
                "--public-url is '{}': allowed is http:// or https:// with a host and perhaps a port, "
                "e.g. https://label.example.org",
                url);
  url = parts[1].str() + "://" + parts[2].str();
  if (port != 0 && port != (parts[1] == "https" ? 443 : 80)) url += fmt::format(":{}", port);
  return {};
}

Result<int> run(ServeOptions& options, const Invocation& invocation) {
  configure_logging(options.log_level);
  options.server.tls_certificate = options.tls_certificate;
  options.server.tls_key = options.tls_key;
  options.server.max_upload_bytes = std::int64_t{options.max_upload_gb} << 30;
  if (options.max_spool_gb > 0) options.server.max_spool_bytes = std::int64_t{options.max_spool_gb} << 30;
  options.server.log_requests = !invocation.quiet;
  if (!options.server.public_url.empty()) require_usage(make_origin(options.server.public_url));
  for (const std::string& range : options.server.metrics_from) {
    if (const auto parsed = labeling::parse_cidr(range); !parsed)
      require_usage(Status(fail(ErrorCode::kInvalidArgument, "--metrics-from: {}", parsed.error().message)));
  }
  for (const std::string& slot : options.slots) require_usage(control::add_slot(slot, options.server.slots));
  if (options.runner == "slurm") options.server.slurm = options.slurm;
  options.server.assistance.wanted = !options.no_assistance;
  TERRAPIN_TRY(const Installation installation, open_installation(options.installation, true));
  TERRAPIN_TRY(const auto server, LabelingServer::start(installation, options.server));
  if (const auto& key = server->first_key()) {
    // Once, and only here: the log never sees it.
    fmt::print(
        "The first access key, shown this once (more: terrapin keys create):\n"
        "  export AWS_ACCESS_KEY_ID={}\n  export AWS_SECRET_ACCESS_KEY={}\n",
        key->id, key->secret);
  }
  fmt::print("  export AWS_ENDPOINT_URL={} AWS_DEFAULT_REGION={}\nAssistance: {}\nterrapin serve: {}\n",
             server->url(), installation.region, server->assistance(), server->url());
  if (server->first_key()) {
    identity::NewInvitation wanted;
    wanted.roles = {identity::Role::kAdmin};
    wanted.made_by = "first start";
    TERRAPIN_TRY(const identity::Invitation made, server->accounts().invite(wanted));
    fmt::print(
        "The console, for its first admin (works once, until {}Z; more: terrapin people invite --role "
        "admin):\n"
        "  {}/_/join#{}\n",
        iso_text(made.expires), server->url(), made.token);
  }
  std::fflush(stdout);
  while (!interrupted()) {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    server->look_after();
  }
  spdlog::info("stopping: requests in flight are finished");
  server->stop();
  return 0;
}

void add_slurm_options(CLI::App& command, ServeOptions& options) {
  command
      .add_option(
          "--runner", options.runner,
          "Where training and transform jobs run: local (processes of this machine) or slurm (its data "
          "folder and this program must be at the same path on every node)")
      ->check(CLI::IsMember(std::vector<std::string>{"local", "slurm"}))
      ->capture_default_str();
  const auto of_slurm = [&](CLI::Option* option) {
    option->check([&options](const std::string&) {
      return options.runner == "slurm" ? "" : "it needs --runner slurm";
    });
    return option;
  };
  of_slurm(command.add_option("--slurm-partition", options.slurm.partition, "Default: Slurm's own"));
  of_slurm(command.add_option("--slurm-account", options.slurm.account, "Default: Slurm's own"));
  of_slurm(command.add_option("--slurm-memory-mib", options.slurm.memory_mib,
                              "Memory of a job (default: what the partition gives)"))
      ->check(CLI::PositiveNumber);
  of_slurm(command.add_option("--slurm-option", options.slurm.sbatch_options,
                              "One more option of sbatch, such as --slurm-option=--qos=night (repeatable)"));
}

}  // namespace

void add_serve_command(CLI::App& app, Invocation& invocation) {
  auto options = std::make_shared<ServeOptions>();
  options->server.port = 9000;
  auto* command = app.add_subcommand(
      "serve",
      "The labeling service: AWS-compatible S3 and SageMaker APIs and the workers' interface on one port");
  add_installation_options(*command, options->installation, true);
  command->add_option("--port", options->server.port, "0 takes a free one and prints it")
      ->check(CLI::Range(0, 65535))
      ->capture_default_str();
  command->add_option("--listen", options->server.listen, "IPv4 or IPv6 address")->capture_default_str();
  auto* certificate =
      command->add_option("--tls-cert", options->tls_certificate, "PEM file of the certificate chain");
  auto* key = command->add_option("--tls-key", options->tls_key, "PEM file of its key");
  certificate->needs(key);
  key->needs(certificate);
  command->add_flag("--allow-insecure", options->server.allow_insecure,
                    "Listen beyond this machine without TLS: only behind a proxy that ends it");
  command->add_option(
      "--public-url", options->server.public_url,
      "How people reach this server, e.g. https://label.example.org (default: what requests say)");
  command->add_option("--bucket-host", options->server.bucket_hosts,
                      "Base name of virtual-host bucket addresses, e.g. s3.example.org");
  command->add_option("--metrics-from", options->server.metrics_from,
                      "CIDR that may read /metrics beside this host");
  command->add_option(
      "--pages", options->server.pages,
      "Folder of built pages (node web/build.mjs) in place of those compiled in, read at each "
      "request: for working on them");
  command->add_option("--requester-bucket", options->server.requester_buckets,
                      "Bucket that requesters' accounts may use (repeatable; default: all; admins: all)");
  auto* model = command->add_option("--assist-model", options->server.assistance.model,
                                    "assist.safetensors, or train-assist's folder: what turns workers' four "
                                    "clicks into a mask (default: the one that ships)");
  auto* none = command->add_flag("--no-assistance", options->no_assistance, "Workers paint by hand alone");
  none->excludes(model);
  auto* memory = command
                     ->add_option("--assist-memory-mib", options->server.assistance.memory_mib,
                                  "Photos kept decoded for workers' clicks, in MiB: 4 bytes a pixel")
                     ->check(CLI::Range(16, 1 << 24))
                     ->capture_default_str();
  none->excludes(memory);
  AssistLearnerOptions& learning = options->server.learning;
  auto* learn =
      command->add_flag("--assist-learning", learning.wanted,
                        "Tune the assistance to each labeling job by its own masks, measured on later "
                        "photos before it is used; a job's tag terrapin:assist-learning, on or off, "
                        "decides for that job");
  auto* photos = command
                     ->add_option("--assist-learning-photos", learning.first_photos,
                                  "Labelled photos of a job at the first try; the next ones follow each time "
                                  "that half as many have been added")
                     ->check(CLI::Range(2, 1'000'000))
                     ->capture_default_str();
  auto* learning_steps =
      command
          ->add_option("--assist-learning-steps", learning.steps,
                       "Batches to learn from at each try: about two seconds each on one core")
          ->check(CLI::Range(1, 10'000))
          ->capture_default_str();
  auto* rate = command
                   ->add_option("--assist-learning-rate", learning.rate,
                                "Its highest learning rate: too high, and the model forgets what it knew")
                   ->check(CLI::Range(1e-6, 1e-2))
                   ->capture_default_str();
  for (auto* option : {learn, photos, learning_steps, rate}) none->excludes(option);
  command
      ->add_option("--job-cores", options->server.slots.whole.cores,
                   "Cores lent to training and transform jobs, all together (default: all)")
      ->check(CLI::Range(1, 1 << 20));
  add_slurm_options(*command, *options);
  command->add_option(
      "--slot", options->slots,
      "What an instance type is here, TYPE=CORES or TYPE=CORES,GPUS, such as ml.p3.2xlarge=8,1 "
      "(repeatable; default: any type is the whole machine, which several instances share)");
  command->add_option("--max-upload-gb", options->max_upload_gb, "Largest request body, in GiB")
      ->check(CLI::Range(1, 5120))
      ->capture_default_str();
  command
      ->add_option("--max-spool-gb", options->max_spool_gb,
                   "All large request bodies at once, in GiB (default: half of the free space at the start)")
      ->check(CLI::Range(1, 1 << 20));
  command
      ->add_option("--threads", options->server.threads, "Request handlers (default: 8 a core, at least 32)")
      ->check(CLI::Range(1, 1024));
  command
      ->add_option("--retain-answers-days", options->server.retain_answers_days,
                   "Remove workers' answers this long after a job's end; 0 keeps them")
      ->check(CLI::Range(0, 36500))
      ->capture_default_str();
  command->add_option("--log-level", options->log_level, "debug, info, warn or error")
      ->check(CLI::IsMember(std::vector<std::string>{"debug", "info", "warn", "error"}))
      ->capture_default_str();
  command->add_flag("--quiet", invocation.quiet, "No line per request");
  command->callback([options, &invocation] {
    invocation.action = [options, &invocation] { return run(*options, invocation); };
  });
}

}  // namespace terrapin::cli
