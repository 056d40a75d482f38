// terrapin run: a program whose calls to AWS this service answers.
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <mutex>
#include <thread>

#include "api/aws_hosts.h"
#include "base/files.h"
#include "base/logging.h"
#include "base/waiting_threads.h"
#include "cli/command.h"
#include "cli/service/attended_command.h"
#include "cli/service/labeling_server.h"
#include "cli/service/run_environment.h"
#include "cli/service/running_server.h"
#include "identity/access_keys.h"
#include "proxy/authority.h"
#include "proxy/proxy.h"

namespace terrapin::cli {
namespace {

namespace fs = std::filesystem;

// A server that has the folder and does not answer yet is starting or stopping: longer than either takes.
constexpr std::chrono::seconds kStartLimit{60};
constexpr std::chrono::milliseconds kStep{100};
constexpr const char* kDefaultRegion = "us-east-1";

struct RunOptions {
  InstallationOptions installation;
  std::string endpoint, log_level = "warn";
  std::vector<std::string> command;
};

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string() : std::string(value);
}

std::vector<std::string> inherited_environment() {
  std::vector<std::string> all;
  for (char** each = environ; *each != nullptr; ++each)
    if (!is_of_waiting_threads(*each)) all.emplace_back(*each);
  return all;
}

fs::path default_data_dir() {
  if (const std::string named = variable("TERRAPIN_DATA_DIR"); !named.empty()) return named;
  if (const std::string data = variable("XDG_DATA_HOME"); !data.empty())
    return fs::path(data) / "terrapin" / "service";
  const std::string home = variable("HOME");
  return fs::path(home.empty() ? "/" : home) / ".local" / "share" / "terrapin" / "service";
}

// "http://127.0.0.1:9000", "https://[::1]:9443", "https://label.example.org"
Result<proxy::Upstream> parse_service_url(const std::string& url) {
  const auto refuse = [&] {
    return fail(ErrorCode::kInvalidArgument,
                "'{}' is no address of a service: allowed are http://HOST[:PORT] and https://HOST[:PORT]",
                url);
  };
  proxy::Upstream upstream;
  std::string rest;
  if (url.starts_with("http://")) {
    rest = url.substr(7);
  } else if (url.starts_with("https://")) {
    rest = url.substr(8);
    upstream.tls = true;
  } else {
    return refuse();
  }
  if (rest.ends_with('/')) rest.pop_back();
  std::string port = upstream.tls ? "443" : "80";
  const std::size_t bracket = rest.starts_with('[') ? rest.find(']') : std::string::npos;
  const std::size_t colon = rest.find(':', bracket == std::string::npos ? 0 : bracket);
  if (colon != std::string::npos) {
    port = rest.substr(colon + 1);
    rest.resize(colon);
  }
  if (bracket != std::string::npos) {
    if (bracket + 1 != rest.size()) return refuse();
    rest = rest.substr(1, bracket - 1);
  }
  const bool digits =
      !port.empty() && port.size() <= 5 && port.find_first_not_of("0123456789") == std::string::npos;
  upstream.port = digits ? std::atoi(port.c_str()) : 0;
  if (rest.empty() || upstream.port < 1 || upstream.port > 65535 ||
      rest.find_first_of("/?#@[] \t") != std::string::npos)
    return refuse();
  upstream.host = rest;
  return upstream;
}

// A server of this machine, by the address it listens on. Its certificate is for the name that people use,
// and the folder's lock says who it is.
Result<proxy::Upstream> upstream_of(const std::string& url) {
  TERRAPIN_TRY(proxy::Upstream upstream, parse_service_url(url));
  if (upstream.host == "0.0.0.0") upstream.host = "127.0.0.1";
  if (upstream.host == "::") upstream.host = "::1";
  upstream.verified = false;
  return upstream;
}

// The service of a data folder, wherever it is just now: another process's, or one in this process.
class Service {
 public:
  explicit Service(Installation installation) : installation_(std::move(installation)) {}

  // Finds the server that has the folder, or starts one. kCancelled if `interrupted` says so.
  Status find_or_start(const std::function<bool()>& interrupted) {
    const auto end = std::chrono::steady_clock::now() + kStartLimit;
    for (;;) {
      TERRAPIN_TRY(const FolderUse use, folder_use(installation_.data_dir));
      if (use.server) return follow(*use.server);
      if (!use.taken) {
        const Status started = start();
        // Of two that start at once the second finds the first.
        if (started || started.error().code != ErrorCode::kConflict) return started;
      }
      if (interrupted()) return fail(ErrorCode::kCancelled, "interrupted");
      if (std::chrono::steady_clock::now() > end)
        return fail(ErrorCode::kConflict, "{}: a server has this data folder and does not answer",
                    installation_.data_dir.string());
      std::this_thread::sleep_for(kStep);
    }
  }

  // A server that was restarted may have another port; what another `terrapin run` had started ends with
  // that, and is replaced.
  void look_after() {
    if (own_) return own_->look_after();
    const auto use = folder_use(installation_.data_dir);
    if (!use) return;
    Status status;
    if (use->server) {
      status = follow(*use->server);
    } else if (!use->taken && followed_ == "run") {
      status = start();
      if (!status && status.error().code == ErrorCode::kConflict) return;  // somebody else was first
    }
    if (!status) spdlog::error("{}", status.error().message);
  }

  proxy::Upstream upstream() const {
    const std::lock_guard lock(mutex_);
    return upstream_;
  }
  void stop() {
    if (own_) own_->stop();
  }

 private:
  Status start() {
    LabelingServerOptions options;
    options.command = "run";
    options.assistance.wanted = false;  // nobody paints here
    TERRAPIN_TRY(own_, LabelingServer::start(installation_, options));
    installation_.fresh = false;
    TERRAPIN_TRY(auto upstream, upstream_of(own_->address()));
    set(std::move(upstream));
    return {};
  }

  Status follow(const RunningServer& server) {
    TERRAPIN_TRY(auto upstream, upstream_of(server.url));
    set(std::move(upstream));
    followed_ = server.command;
    return {};
  }

  void set(proxy::Upstream upstream) {
    const std::lock_guard lock(mutex_);
    upstream_ = std::move(upstream);
  }

  Installation installation_;
  std::unique_ptr<LabelingServer> own_;
  std::string followed_;  // the command of the server that was found last
  mutable std::mutex mutex_;
  proxy::Upstream upstream_;  // guarded by mutex_
};

// An access key that ends with the run, in whatever way it ends: a file that this process has locked stands
// beside it, and the next run removes the keys whose files nobody has locked.
class RunKey {
 public:
  static Result<RunKey> make(const Installation& installation) {
    RunKey own;
    own.folder_ = installation.data_dir / "runs";
    std::error_code error;
    fs::create_directories(own.folder_, error);
    if (error) return fail(ErrorCode::kIo, "{}: cannot create: {}", own.folder_.string(), error.message());
    ::chmod(own.folder_.c_str(), 0700);
    TERRAPIN_TRY(own.keys_, identity::AccessKeys::open(installation.data_dir, system_clock()));
    // Runs that begin at the same moment wait for each other: a file that is not locked yet is nobody's.
    const Descriptor alone(::open(own.folder_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!alone.is_open() || ::flock(alone.get(), LOCK_EX) != 0)
      return fail(ErrorCode::kIo, "{}: cannot be locked: {}", own.folder_.string(),
                  std::generic_category().message(errno));
    own.remove_left_over();
    // The owner who always may: a job that goes on after the run needs somebody whose buckets it reads. Its
    // file is there before the key is: killed in between, this leaves no key that nobody takes back.
    TERRAPIN_TRY(own.key_, own.keys_->create(
                               identity::Scope::kAdmin, "admin", {}, [&own](const std::string& id) -> Status {
                                 TERRAPIN_TRY(own.lock_, try_lock(own.folder_ / (id + ".lock")));
                                 return {};
                               }));
    return own;
  }
  RunKey(RunKey&&) = default;
  RunKey& operator=(RunKey&&) = delete;
  ~RunKey() {
    if (!keys_ || key_.id.empty()) return;
    const Status revoked = keys_->revoke(key_.id);
    // The file stays then, for the next run to try again.
    if (!revoked && revoked.error().code != ErrorCode::kNotFound) {
      spdlog::error("the run's access key {} could not be removed: {}", key_.id, revoked.error().message);
      return;
    }
    remove_files(key_.id);
  }

  const identity::AccessKey& key() const { return key_; }
  fs::path path(const std::string& extension) const { return folder_ / (key_.id + extension); }

 private:
  RunKey() = default;

  void remove_files(const std::string& id) const {
    std::error_code ignored;
    for (const char* extension : {".bundle.pem", ".authority.pem", ".lock"})
      fs::remove(folder_ / (id + extension), ignored);
  }

  void remove_left_over() {
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(folder_, error)) {
      if (entry.path().extension() != ".lock") continue;
      const auto locked = is_locked(entry.path());
      if (!locked || *locked) continue;
      const std::string id = entry.path().stem().string();
      const Status revoked = keys_->revoke(id);
      if (revoked || revoked.error().code == ErrorCode::kNotFound) remove_files(id);
    }
  }

  fs::path folder_;
  std::unique_ptr<identity::AccessKeys> keys_;
  identity::AccessKey key_;
  Descriptor lock_;
};

class TemporaryFolder {
 public:
  static Result<TemporaryFolder> make() {
    std::error_code error;
    std::string pattern = (fs::temp_directory_path(error) / "terrapin-run-XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr)
      return fail(ErrorCode::kIo, "{}: cannot make a temporary folder", pattern);
    TemporaryFolder own;
    own.path_ = pattern;
    return own;
  }
  TemporaryFolder(TemporaryFolder&& other) noexcept { std::swap(path_, other.path_); }
  TemporaryFolder& operator=(TemporaryFolder&&) = delete;
  ~TemporaryFolder() {
    std::error_code ignored;
    if (!path_.empty()) fs::remove_all(path_, ignored);
  }
  const fs::path& path() const { return path_; }

 private:
  TemporaryFolder() = default;
  fs::path path_;
};

// What both kinds of run have: the bundle, the proxy, the child.
Result<int> run_behind_proxy(const RunOptions& options, Attendant& attendant,
                             const proxy::Authority& authority, RunEnvironment environment,
                             const std::function<proxy::Upstream()>& upstream,
                             const std::function<void()>& look_after) {
  const std::vector<std::string> inherited = inherited_environment();
  TERRAPIN_TRY(const std::string trusted, trusted_certificates(inherited));
  TERRAPIN_TRY_STATUS(write_file_atomically(environment.authority, authority.certificate_pem()));
  TERRAPIN_TRY_STATUS(write_file_atomically(environment.bundle, trusted + authority.certificate_pem()));
  proxy::ProxyOptions proxy_options;
  proxy_options.allows = [region = environment.region](const std::string& host) {
    return api::is_aws_host(host, region);
  };
  proxy_options.allowed_words = api::aws_hosts_words(environment.region);
  proxy_options.upstream = upstream;
  TERRAPIN_TRY(const auto proxy, proxy::Proxy::start(authority, proxy_options));
  environment.proxy_url = proxy->url();
  if (const int number = attendant.take_signal()) return 128 + number;
  return attendant.run(options.command, run_environment(inherited, environment), look_after);
}

const proxy::AuthorityOptions kAuthority{"Terrapin local authority", api::kAwsDomain};

Result<int> run_on_folder(const RunOptions& options, Attendant& attendant) {
  InstallationOptions chosen = options.installation;
  if (chosen.data_dir.empty()) chosen.data_dir = default_data_dir().string();
  TERRAPIN_TRY(const Installation installation, open_installation(chosen, true));
  TERRAPIN_TRY(const auto authority,
               proxy::Authority::open(installation.data_dir / "authority", kAuthority, system_clock()));
  // Before a server starts: the first one finds a key, and leaves what it tells a new installation's admin to
  // the first `terrapin serve`.
  TERRAPIN_TRY(const RunKey key, RunKey::make(installation));
  Service service(installation);
  int received = 0;
  const Status found = service.find_or_start([&] { return (received = attendant.take_signal()) != 0; });
  if (!found && received != 0) return 128 + received;
  if (!found) return tl::unexpected<Error>(found.error());
  RunEnvironment environment;
  environment.bundle = key.path(".bundle.pem");
  environment.authority = key.path(".authority.pem");
  environment.key_id = key.key().id;
  environment.secret = key.key().secret;
  environment.region = installation.region;
  auto code = run_behind_proxy(
      options, attendant, *authority, environment, [&service] { return service.upstream(); },
      [&service] { service.look_after(); });
  service.stop();
  return code;
}

Result<int> run_at_endpoint(const RunOptions& options, Attendant& attendant) {
  auto upstream = parse_service_url(options.endpoint);
  if (!upstream) return with_context(std::move(upstream.error()), "--endpoint");
  RunEnvironment environment;
  environment.key_id = variable("AWS_ACCESS_KEY_ID");
  environment.secret = variable("AWS_SECRET_ACCESS_KEY");
  if (environment.key_id.empty() || environment.secret.empty())
    return fail(ErrorCode::kInvalidArgument,
                "--endpoint {} needs a key of that service in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY "
                "(`terrapin keys create` there makes one)",
                options.endpoint);
  environment.region = variable("AWS_REGION");
  if (environment.region.empty()) environment.region = variable("AWS_DEFAULT_REGION");
  if (environment.region.empty()) environment.region = kDefaultRegion;
  if (upstream->tls) {
    TERRAPIN_TRY(upstream->trusted_pem, trusted_certificates(inherited_environment()));
  }
  TERRAPIN_TRY(const TemporaryFolder folder, TemporaryFolder::make());
  environment.bundle = folder.path() / "bundle.pem";
  environment.authority = folder.path() / "authority.pem";
  TERRAPIN_TRY(const auto authority, proxy::Authority::make(kAuthority, system_clock()));
  return run_behind_proxy(
      options, attendant, *authority, environment, [&upstream] { return *upstream; }, [] {});
}

Result<int> run(const RunOptions& options) {
  configure_logging(options.log_level);
  Attendant attendant;
  return options.endpoint.empty() ? run_on_folder(options, attendant) : run_at_endpoint(options, attendant);
}

}  // namespace

void add_run_command(CLI::App& app, Invocation& invocation) {
  auto options = std::make_shared<RunOptions>();
  auto* command = app.add_subcommand(
      "run",
      "Runs a program as it is, with its calls to AWS (S3, SageMaker, STS, IAM) answered by this service");
  auto* data_dir = command->add_option(
      "--data-dir", options->installation.data_dir,
      "Folder of the installation: of the server that runs there, or of one that runs as long as the program "
      "(default: TERRAPIN_DATA_DIR, or terrapin/service where your data files are)");
  command
      ->add_option("--endpoint", options->endpoint,
                   "Address of a service elsewhere, e.g. https://label.example.org; its key in "
                   "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, its region in AWS_REGION")
      ->excludes(data_dir);
  command->add_option("--log-level", options->log_level, "debug, info (tells what is refused), warn or error")
      ->check(CLI::IsMember(std::vector<std::string>{"debug", "info", "warn", "error"}))
      ->capture_default_str();
  command->add_option("COMMAND", options->command, "The program and its arguments, after --")->required();
  command->positionals_at_end();
  command->callback([options, &invocation] { invocation.action = [options] { return run(*options); }; });
}

}  // namespace terrapin::cli
