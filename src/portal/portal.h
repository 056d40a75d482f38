// The HTTP interface of workers, requesters and admins: everything under the reserved prefix "/_/", and
// "/oauth2/idpresponse". docs/formats/worker-http.md tells every route, request, answer and status.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/files.h"
#include "base/result.h"
#include "http/router.h"
#include "identity/access_keys.h"
#include "identity/accounts.h"
#include "identity/openid_connect.h"
#include "identity/rate_limit.h"
#include "identity/sessions.h"
#include "labeling/jobs/job_service.h"
#include "labeling/tasks/task_service.h"
#include "labeling/workforces/workforces.h"
#include "portal/pages.h"
#include "storage/object_store.h"

namespace terrapin::assist {
class Assistant;
}
namespace terrapin::control {
class ControlPlane;
}

namespace terrapin::portal {

struct PortalOptions {
  // How people reach this server: "https://label.example.org". Links, the expected Origin and, if it begins
  // with https, Secure cookies follow from it. "": what the request says (Host, TLS).
  std::string public_url;
  std::string local_issuer = "terrapin";  // identityData's issuer of accounts with a password
  std::chrono::seconds image_link_lifetime = std::chrono::minutes(15);
  std::chrono::seconds session_lifetime = std::chrono::hours(12);  // of the cookie; Sessions decides
  identity::TokenBuckets::Options account_rate{50, 300, 65'536};   // requests of one account
  identity::TokenBuckets::Options address_rate{10, 100, 65'536};   // of one address without a session
  std::int64_t max_upload_bytes = std::int64_t{5} << 30;           // of one object
  std::int64_t picture_cache_bytes = std::int64_t{64} << 20;       // reduced photos and masks
  int picture_decoders = 2;                                        // at once
  int pictures_waiting = 8;  // requests that may wait for those; each holds a thread
  identity::TokenBuckets::Options assist_rate{30, 90, 65'536};  // questions of one account
  std::int64_t assist_photo_bytes = std::int64_t{1} << 30;      // of photos kept decoded
  int assist_questions = 12;        // computed or waiting, of all; each holds a thread
  int assist_questions_of_one = 4;  // of one account
  labeling::TaskLimits limits;      // bodies above them are refused before TaskService sees them
};

// Of a training, as the form for one explains it.
struct Hyperparameter {
  std::string name, allowed, standard, meaning;  // `standard`: what it is unless given
};

// Everything outlives the Portal.
struct PortalContext {
  const Clock& clock;
  identity::Accounts& accounts;
  identity::Sessions& sessions;
  labeling::TaskService& tasks;
  labeling::JobService& jobs;
  storage::ObjectStore& objects;
  labeling::Workforces& workforces;
  identity::AccessKeys& keys;
  // Names of the annotation functions that are registered on this host.
  std::function<Result<std::vector<std::string>>()> registered_functions;
  Bytes server_key;  // identity::load_server_key
  // ARNs of the work teams whose members these groups are.
  std::function<Result<std::vector<std::string>>(const std::vector<std::string>& groups)> teams_of;
  // May this principal use this bucket: the owner of a job, or an account (identity::principal_of).
  std::function<Result<bool>(const std::string& owner, const std::string& bucket)> may_read;
  // May workers come from this address (the workforce's CIDRs).
  std::function<bool(std::string_view remote_address)> address_allowed;
  // The provider to sign in with; empty or null: passwords only. Asked at each use: it may change.
  std::function<std::shared_ptr<identity::OpenIdConnect>()> open_id;
  PortalOptions options;
  Pages pages = {};
  // Answers workers' points on a photo with a mask; null: this server offers none.
  std::shared_ptr<const assist::Assistant> assistant = {};
  // Trains and serves; null: this server does neither.
  control::ControlPlane* control = nullptr;
  std::vector<Hyperparameter> hyperparameters = {};
  // What is wrong with the hyperparameters of a training job; may be empty.
  std::function<Status(const std::map<std::string, std::string>&)> check_hyperparameters = {};
  // What answers questions about the tasks of the labeling job with this id in place of `assistant`; empty or
  // null: nothing does. Its methods are those of `assistant`.
  std::function<std::shared_ptr<const assist::Assistant>(const std::string& job_id)> assistant_of_job = {};
};

// Since the start.
struct AssistFigures {
  std::int64_t answered = 0, superseded = 0, refused = 0;  // questions
  std::int64_t microseconds = 0;                           // of those answered, waiting included
  std::int64_t photos_opened = 0;
  std::int64_t under_way = 0, photo_bytes = 0;  // now
};

// Who may call a route. An admin may also call what a requester may; what is a worker's needs the role.
enum class Access { kAnonymous, kSignedIn, kWorker, kRequester, kAdmin };

struct RouteInfo {
  std::string_view method, pattern;
  Access access;
};

// Thread-safe.
class Portal {
 public:
  explicit Portal(PortalContext context);
  ~Portal();
  Portal(const Portal&) = delete;
  Portal& operator=(const Portal&) = delete;
  // Takes the whole prefix: what is no route of ours there is answered 404 or 405. The Portal must outlive
  // the server that the router is handed to.
  void add_routes(http::Router& router);
  // Whether a request with this path, percent-encoded, comes here.
  static bool takes(std::string_view path);
  // What a request's head alone allows of its body (http::ServerOptions::admit): what its route takes, but
  // not more than 64 KiB without a session that the route needs; 401 or 413 for more.
  http::Admission admit(const http::Request& head) const;
  static std::vector<RouteInfo> routes();
  // nullopt where there is no assistance.
  std::optional<AssistFigures> assist_figures() const;

 private:
  class Implementation;
  std::unique_ptr<Implementation> implementation_;
};

}  // namespace terrapin::portal
