#include "cli/service/labeling_server.h"

#include <arpa/inet.h>

#include <algorithm>
#include <mutex>

#include "api/aws_hosts.h"
#include "api/gateway.h"
#include "api/logs/logs_service.h"
#include "api/s3/s3_service.h"
#include "api/sagemaker/runtime_service.h"
#include "api/sagemaker/sagemaker_service.h"
#include "base/logging.h"
#include "base/parallel.h"
#include "cli/service/metrics.h"
#include "cli/service/running_server.h"
#include "control/control_plane.h"
#include "http/server.h"
#include "identity/access_keys.h"
#include "identity/accounts.h"
#include "identity/bucket_access.h"
#include "identity/openid_connect.h"
#include "identity/server_key.h"
#include "identity/sessions.h"
#include "labeling/functions/functions.h"
#include "labeling/labeling_service.h"
#include "labeling/notices/notices.h"
#include "labeling/workforces/workforces.h"
#include "networks/pretrained.h"
#include "portal/portal.h"
#include "training/hyperparameters.h"

namespace terrapin::cli {
namespace {

namespace fs = std::filesystem;

bool is_loopback(const std::string& address) {
  in_addr v4{};
  if (::inet_pton(AF_INET, address.c_str(), &v4) == 1) return (ntohl(v4.s_addr) >> 24) == 127;
  in6_addr v6{};
  if (::inet_pton(AF_INET6, address.c_str(), &v6) != 1) return false;
  // A server that listens on "::" sees IPv4 peers as ::ffff:127.0.0.1.
  return IN6_IS_ADDR_LOOPBACK(&v6) != 0 || (IN6_IS_ADDR_V4MAPPED(&v6) != 0 && v6.s6_addr[12] == 127);
}

// A request line is the client's text: it must not forge log lines. Signatures in it stay out of the log.
std::string shown_target(const std::string& target) {
  std::string path = target.substr(0, std::min<std::size_t>(target.find('?'), 500));
  if (path.starts_with("/_/api/images/")) path = "/_/api/images/...";
  std::string text;
  for (const char c : path) {
    const auto byte = static_cast<unsigned char>(c);
    text += byte > 0x20 && byte < 0x7f ? std::string(1, c) : fmt::format("\\x{:02x}", byte);
  }
  return text;
}

std::shared_ptr<identity::OpenIdConnect> open_id_of(const labeling::OpenIdProvider& provider,
                                                    const std::string& base_url, const Bytes& server_key,
                                                    const Clock& clock) {
  identity::OpenIdSettings settings;
  settings.issuer = provider.issuer;
  settings.client_id = provider.client_id;
  settings.client_secret = provider.client_secret;
  settings.redirect_uri = base_url + "/oauth2/idpresponse";
  if (!provider.scope.empty()) settings.scope = provider.scope;
  settings.authorization_endpoint = provider.authorization_endpoint;
  settings.token_endpoint = provider.token_endpoint;
  settings.userinfo_endpoint = provider.user_info_endpoint;
  settings.jwks_uri = provider.jwks_uri;
  settings.request_parameters = provider.extra_parameters;
  auto made = identity::OpenIdConnect::make(settings, server_key, clock);
  if (!made) {
    spdlog::error("sign-in through {}: {}", provider.issuer, made.error().message);
    return nullptr;
  }
  return std::move(*made);
}

std::vector<portal::Hyperparameter> explained_hyperparameters() {
  std::vector<portal::Hyperparameter> rows;
  for (training::HyperparameterRow& row : training::hyperparameter_rows())
    rows.push_back({std::move(row.name), std::move(row.allowed), std::move(row.terrapin_default),
                    std::move(row.meaning)});
  return rows;
}

// Where this program lies, for the jobs that are commands of it.
Result<std::string> program_path() {
  std::error_code error;
  const fs::path path = fs::read_symlink("/proc/self/exe", error);
  if (error) return fail(ErrorCode::kIo, "/proc/self/exe: {}", error.message());
  return path.string();
}

}  // namespace

class LabelingServer::Implementation {
 public:
  Status open(const Installation& installation, LabelingServerOptions options) {
    installation_ = installation;
    options_ = std::move(options);
    for (const fs::path& folder : {installation.scratch(), installation.spool()}) {
      std::error_code error;
      fs::create_directories(folder, error);
      if (error) return fail(ErrorCode::kIo, "{}: cannot create: {}", folder.string(), error.message());
    }
    TERRAPIN_TRY(claim_, ServerClaim::take(installation.data_dir));
    const api::Place place{installation.region, installation.account_id};
    TERRAPIN_TRY(assistance_, load_assistance(options_.assistance));
    TERRAPIN_TRY(state_, open_state(installation));
    TERRAPIN_TRY(objects_, open_objects(installation, clock_));
    // Not before: a place that cannot be opened must not be the one that every later start insists on.
    TERRAPIN_TRY_STATUS(keep_settings(installation));
    TERRAPIN_TRY(keys_, identity::AccessKeys::open(installation.data_dir, clock_));
    TERRAPIN_TRY(const auto known_keys, keys_->list());
    if (known_keys.empty()) {
      TERRAPIN_TRY(first_key_, keys_->create(identity::Scope::kAdmin, "admin", {}));
    }
    TERRAPIN_TRY(server_key_, identity::load_server_key(installation.data_dir));
    TERRAPIN_TRY(workforces_,
                 labeling::Workforces::open(*state_, {installation.region, installation.account_id}, clock_));
    labeling::FunctionsOptions functions;
    functions.scratch_folder = installation.scratch();
    TERRAPIN_TRY(functions_, labeling::Functions::open(installation.data_dir, clock_, functions));
    TERRAPIN_TRY(notices_, labeling::Notices::open(*state_, installation.data_dir, clock_));
    labeling::LabelingOptions engine;
    engine.scratch_folder = installation.scratch();
    engine.job_arn_prefix =
        fmt::format("arn:aws:sagemaker:{}:{}:labeling-job/", installation.region, installation.account_id);
    engine.retain_answers_days = options_.retain_answers_days;
    const auto may_read = [this](const std::string& owner, const std::string& bucket) {
      return buckets_->may_use(owner, bucket);
    };
    TERRAPIN_TRY(labeling_, labeling::LabelingService::open(*state_, *objects_, clock_, engine,
                                                            {functions_.get(), notices_.get(), may_read}));
    identity::AccountOptions people;
    people.on_removed = [this](const identity::Account& account) {
      return labeling_->give_back_leases(account.id);
    };
    control::ControlOptions control;
    TERRAPIN_TRY(control.program, program_path());
    control.data_dir = installation.data_dir;
    control.slots = options_.slots;
    control.slurm = options_.slurm;
    // A job's home is its work folder; initial weights lie where the server's are.
    control.job_environment = {{"TERRAPIN_WEIGHTS", networks::weights_folder().string()},
                               {"TERRAPIN_SHARE", networks::shipped_weights_folder().string()}};
    TERRAPIN_TRY(control_, control::ControlPlane::open(*state_, *objects_, clock_, std::move(control)));
    TERRAPIN_TRY(accounts_, identity::Accounts::open(*state_, clock_, people));
    TERRAPIN_TRY(sessions_, identity::Sessions::open(*state_, clock_));
    buckets_ = std::make_unique<identity::BucketAccess>(*keys_, *accounts_, options_.requester_buckets);
    AssistLearnerOptions learning = options_.learning;
    learning.retain_days = options_.retain_answers_days;
    learner_ = std::make_unique<AssistLearner>(assistance_, labeling_->jobs(), control_->assist_learnings(),
                                               clock_, may_read, learning);
    return {};
  }

  Status serve() {
    const api::Place place{installation_.region, installation_.account_id};
    api::GatewayOptions gateway_options;
    gateway_options.place = place;
    gateway_options.find_key = [this](const std::string& id) { return keys_->find(id); };
    gateway_options.clock = &clock_;
    gateway_options.bucket_hosts = options_.bucket_hosts;
    // Programs under `terrapin run` say AWS's names.
    for (std::string& host : api::s3_hosts(installation_.region))
      gateway_options.bucket_hosts.push_back(std::move(host));
    gateway_ = std::make_unique<api::Gateway>(gateway_options);

    http::ServerOptions options;
    options.address = options_.listen;
    options.port = options_.port;
    options.handler_threads = options_.threads > 0 ? options_.threads : std::max(32, 8 * available_cores());
    options.max_pending_requests = 4096;
    options.max_connections = 4096;
    options.max_body_bytes = options_.max_upload_bytes;
    options.spool_above_bytes = std::int64_t{4} << 20;
    options.spool_folder = installation_.spool();
    options.max_spooled_bytes = options_.max_spool_bytes;
    options.admit = [this](const http::Request& head) { return admit(head); };
    options.tls_certificate = options_.tls_certificate;
    options.tls_key = options_.tls_key;
    options.on_access = [this](const http::AccessEntry& entry) {
      metrics_.count(entry);
      if (options_.log_requests)
        spdlog::info("{} {} {} {} {} bytes {:.1f} ms", entry.remote_address, entry.method,
                     shown_target(entry.target), entry.status, entry.body_bytes, entry.milliseconds);
    };

    const std::string scheme = options_.tls_certificate.empty() ? "http" : "https";
    base_url_ = options_.public_url;
    portal::PortalOptions portal_options;
    portal_options.public_url = options_.public_url;
    portal::Pages pages = portal::Pages::built_in();
    if (!options_.pages.empty()) {
      TERRAPIN_TRY(pages, portal::Pages::from_folder(options_.pages));
    }
    portal_options.max_upload_bytes = options_.max_upload_bytes;
    portal_options.assist_photo_bytes = options_.assistance.memory_mib << 20;
    // Painting goes on while all who ask are waiting.
    portal_options.assist_questions =
        std::clamp(options.handler_threads / 3, 1, portal_options.assist_questions);
    portal_ = std::make_unique<portal::Portal>(portal::PortalContext{
        clock_,
        *accounts_,
        *sessions_,
        labeling_->tasks(),
        labeling_->jobs(),
        *objects_,
        *workforces_,
        *keys_,
        [this]() -> Result<std::vector<std::string>> {
          const auto functions = functions_->list();
          if (!functions) return fail(ErrorCode::kInternal, "{}", functions.error().message);
          std::vector<std::string> names;
          for (const labeling::RegisteredFunction& one : *functions) names.push_back(one.name);
          return names;
        },
        server_key_,
        [this](const std::vector<std::string>& groups) { return workforces_->teams_of(groups); },
        [this](const std::string& owner, const std::string& bucket) {
          return buckets_->may_use(owner, bucket);
        },
        [this](std::string_view address) {
          const auto workforce = workforces_->private_workforce();
          return workforce && (!*workforce || labeling::address_allowed(**workforce, address));
        },
        [this] { return open_id(); },
        portal_options,
        std::move(pages),
        assistance_.assistant,
        control_.get(),
        explained_hyperparameters(),
        [](const std::map<std::string, std::string>& values) -> Status {
          const auto parsed =
              training::parse_hyperparameters(values, training::HyperparameterMode::kContainer);
          if (!parsed) return tl::unexpected<Error>(parsed.error());
          return {};
        },
        [this](const std::string& job_id) { return learner_->assistant_of(job_id); }});
    s3_ = std::make_unique<api::S3Service>(*objects_, clock_, place, s3_options());
    sagemaker_ = std::make_unique<api::SageMakerService>(labeling_->jobs(), *workforces_, *control_, place,
                                                         options_.public_url);
    logs_ = std::make_unique<api::LogsService>(*control_, place);
    gateway_->add("logs", [this](const api::Exchange& exchange) { return logs_->handle(exchange); });
    gateway_->add("s3", [this](const api::Exchange& exchange) { return s3_->handle(exchange); });
    gateway_->add("sagemaker",
                  [this](const api::Exchange& exchange) { return sagemaker_->handle(exchange); });
    runtime_ = std::make_unique<api::RuntimeService>(*control_, place);
    gateway_->add("sagemaker-runtime",
                  [this](const api::Exchange& exchange) { return runtime_->handle(exchange); });

    http::Router router;
    portal_->add_routes(router);
    router.add("GET", "/healthz", [this](const http::Request&) { return health(); });
    router.add("GET", "/metrics", [this](const http::Request& request) { return metrics(request); });
    router.set_fallback([this](const http::Request& request) { return gateway_->handle(request); },
                        api::Gateway::claims);
    TERRAPIN_TRY(server_, http::Server::start(std::move(router), options));
    if (base_url_.empty()) base_url_ = server_->url();
    labeling_->start();
    notices_->start();
    control_->start();
    learner_->start();
    TERRAPIN_TRY_STATUS(claim_.announce(server_->url(), options_.command));
    return {};
  }

  ~Implementation() { stop(); }
  void stop() {
    if (server_) server_->stop();
    if (learner_) learner_->stop();
    if (functions_) functions_->stop();  // first: the engine waits for its calls
    if (labeling_) labeling_->stop();
    if (notices_) notices_->stop();
    if (control_) control_->stop();
    claim_.release();
  }

  api::S3Options s3_options() const {
    api::S3Options options;
    if (!options_.public_url.empty()) options.allowed_origins.push_back(options_.public_url);
    return options;
  }

  std::shared_ptr<identity::OpenIdConnect> open_id() {
    const auto workforce = workforces_->private_workforce();
    if (!workforce || !*workforce || !(*workforce)->openid) return nullptr;
    const std::lock_guard lock(open_id_mutex_);
    if (!open_id_ || open_id_since_ != (*workforce)->modified) {
      open_id_ = open_id_of(*(*workforce)->openid, base_url_, server_key_, clock_);
      open_id_since_ = (*workforce)->modified;
    }
    return open_id_;
  }

  // How large a body may be, by who sends it: nobody fills the disk who has not proved who they are.
  http::Admission admit(const http::Request& head) const {
    const bool pages = portal::Portal::takes(head.path) && !api::Gateway::claims(head);
    return pages ? portal_->admit(head) : gateway_->admit(head);
  }

  Result<http::Response> health() {
    const Status state = state_->read([](storage::Transaction& transaction) -> Status {
      auto one = transaction.select_one<std::int64_t>("SELECT 1");
      if (!one) return tl::unexpected<Error>(std::move(one.error()));
      return {};
    });
    if (!state) return http::Response::text(503, "text/plain", "the database cannot be read\n");
    if (!objects_->list_buckets())
      return http::Response::text(503, "text/plain", "the objects cannot be read\n");
    return http::Response::text(200, "text/plain", "ready\n");
  }

  Result<http::Response> metrics(const http::Request& request) {
    labeling::Workforce allowed;
    allowed.cidrs = options_.metrics_from;
    if (!is_loopback(request.remote_address) &&
        (options_.metrics_from.empty() || !labeling::address_allowed(allowed, request.remote_address)))
      return fail(ErrorCode::kDenied, "metrics are for this host and for --metrics-from");
    std::error_code error;
    const auto space = fs::space(installation_.data_dir, error);
    return http::Response::text(
        200, "text/plain; version=0.0.4",
        metrics_.text(labeling_->jobs(), error ? -1 : static_cast<std::int64_t>(space.available),
                      portal_->assist_figures()));
  }

  // In the order of their dependence.
  const Clock& clock_ = system_clock();
  ServerClaim claim_;
  Installation installation_;
  LabelingServerOptions options_;
  std::string base_url_;
  Metrics metrics_;
  Assistance assistance_;
  std::optional<identity::AccessKey> first_key_;
  Bytes server_key_;
  std::unique_ptr<storage::Database> state_;
  std::unique_ptr<storage::ObjectStore> objects_;
  std::unique_ptr<identity::AccessKeys> keys_;
  std::unique_ptr<labeling::Workforces> workforces_;
  std::unique_ptr<labeling::Functions> functions_;
  std::unique_ptr<labeling::Notices> notices_;
  std::unique_ptr<labeling::LabelingService> labeling_;
  std::unique_ptr<control::ControlPlane> control_;
  std::unique_ptr<AssistLearner> learner_;
  std::unique_ptr<identity::Accounts> accounts_;
  std::unique_ptr<identity::Sessions> sessions_;
  std::unique_ptr<identity::BucketAccess> buckets_;
  std::unique_ptr<api::Gateway> gateway_;
  std::unique_ptr<portal::Portal> portal_;
  std::unique_ptr<api::S3Service> s3_;
  std::unique_ptr<api::SageMakerService> sagemaker_;
  std::unique_ptr<api::LogsService> logs_;
  std::unique_ptr<api::RuntimeService> runtime_;
  std::mutex open_id_mutex_;
  std::shared_ptr<identity::OpenIdConnect> open_id_;  // guarded by open_id_mutex_
  Timestamp open_id_since_;                           // guarded by open_id_mutex_
  fs::file_time_type certificate_time_;
  std::unique_ptr<http::Server> server_;
};

LabelingServer::LabelingServer(std::unique_ptr<Implementation> implementation)
    : implementation_(std::move(implementation)) {}
LabelingServer::~LabelingServer() = default;

Result<std::unique_ptr<LabelingServer>> LabelingServer::start(const Installation& installation,
                                                              LabelingServerOptions options) {
  if (!is_loopback(options.listen) && options.tls_certificate.empty() && !options.allow_insecure)
    return fail(ErrorCode::kInvalidArgument,
                "--listen {} is reachable from other machines: give --tls-cert and --tls-key, or "
                "--allow-insecure behind a "
                "proxy that ends TLS",
                options.listen);
  auto implementation = std::make_unique<Implementation>();
  TERRAPIN_TRY_STATUS(implementation->open(installation, std::move(options)));
  TERRAPIN_TRY_STATUS(implementation->serve());
  return std::unique_ptr<LabelingServer>(new LabelingServer(std::move(implementation)));
}

std::string LabelingServer::url() const {
  return implementation_->base_url_;
}
std::string LabelingServer::address() const {
  return implementation_->server_->url();
}
const std::string& LabelingServer::assistance() const {
  return implementation_->assistance_.told;
}
const std::optional<identity::AccessKey>& LabelingServer::first_key() const {
  return implementation_->first_key_;
}
identity::Accounts& LabelingServer::accounts() {
  return *implementation_->accounts_;
}
labeling::JobService& LabelingServer::jobs() {
  return implementation_->labeling_->jobs();
}
labeling::Workforces& LabelingServer::workforces() {
  return *implementation_->workforces_;
}
storage::ObjectStore& LabelingServer::objects() {
  return *implementation_->objects_;
}

void LabelingServer::look_after() {
  Implementation& all = *implementation_;
  if (all.options_.tls_certificate.empty()) return;
  std::error_code error;
  const auto written = std::max(fs::last_write_time(all.options_.tls_certificate, error),
                                fs::last_write_time(all.options_.tls_key, error));
  if (error || written == all.certificate_time_) return;
  const bool first = all.certificate_time_ == fs::file_time_type{};
  all.certificate_time_ = written;
  if (first) return;
  const Status reloaded = all.server_->reload_certificates();
  if (reloaded) {
    spdlog::info("TLS: new certificate");
  } else {
    spdlog::error("TLS: {}", reloaded.error().message);
  }
}

void LabelingServer::stop() {
  implementation_->stop();
}

}  // namespace terrapin::cli
