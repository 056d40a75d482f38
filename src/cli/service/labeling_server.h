// Everything behind one port: the AWS gateway, the workers' interface, the labeling engine, health and
// metrics.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "cli/service/assist_learner.h"
#include "cli/service/assistance.h"
#include "cli/service/installation.h"
#include "control/slots.h"
#include "jobs/slurm_runner.h"

namespace terrapin::http {
class Server;
}
namespace terrapin::identity {
class AccessKeys;
class Accounts;
struct AccessKey;
}  // namespace terrapin::identity
namespace terrapin::labeling {
class JobService;
class Workforces;
}  // namespace terrapin::labeling

namespace terrapin::cli {

struct LabelingServerOptions {
  std::string command = "serve";  // who starts it, for those who find it (running_server.h)
  std::string listen = "127.0.0.1";
  int port = 0;
  std::filesystem::path tls_certificate, tls_key;
  bool allow_insecure = false;                 // a wider address without TLS
  std::string public_url;                      // "": what requests say
  std::vector<std::string> bucket_hosts;       // base names of virtual-host bucket addresses
  std::vector<std::string> metrics_from;       // CIDRs beside loopback
  std::vector<std::string> requester_buckets;  // the only ones requesters' accounts may use; empty: all
  std::int64_t max_upload_bytes = std::int64_t{5} << 30;
  std::int64_t max_spool_bytes = -1;  // of all large bodies at once; -1: half of the disk's free space
  int threads = 0;                    // of request handlers, 0 = by cores
  int retain_answers_days = 0;        // 0: for ever
  bool log_requests = false;
  std::filesystem::path pages;  // a folder in place of the pages compiled in; "" = those
  AssistanceOptions assistance;
  AssistLearnerOptions learning;                  // `retain_days` is retain_answers_days
  control::Slots slots;                           // `whole` without cores: this machine's
  std::optional<jobs::SlurmRunnerOptions> slurm;  // where training and transform jobs run; else here
};

class LabelingServer {
 public:
  // kInvalidArgument for a wider address without TLS, kConflict if another server uses the folder; otherwise
  // what the parts report. The first start makes
  // an admin key: first_key(); the settings of a fresh installation are written once all its parts are open.
  static Result<std::unique_ptr<LabelingServer>> start(const Installation& installation,
                                                       LabelingServerOptions options);
  ~LabelingServer();  // stop()

  std::string url() const;
  std::string address() const;            // the same, of the address it listens on
  const std::string& assistance() const;  // what helps workers to paint, in a few words
  const std::optional<identity::AccessKey>& first_key() const;
  identity::Accounts& accounts();
  labeling::JobService& jobs();
  labeling::Workforces& workforces();
  storage::ObjectStore& objects();
  // Reads certificates that changed on disk.
  void look_after();
  void stop();

 private:
  class Implementation;
  explicit LabelingServer(std::unique_ptr<Implementation> implementation);
  std::unique_ptr<Implementation> implementation_;
};

}  // namespace terrapin::cli
