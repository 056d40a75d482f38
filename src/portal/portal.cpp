#include "portal/portal.h"

#include <algorithm>
#include <cstdlib>

#include "base/json_text.h"
#include "base/logging.h"
#include "base/percent.h"
#include "crypto/hash.h"
#include "http/media_type.h"
#include "http/target.h"
#include "identity/server_key.h"
#include "portal/implementation.h"

namespace terrapin::portal {
namespace {

constexpr std::int64_t kJsonBytes = 64 << 10;
constexpr std::int64_t kJobBytes = 4 << 20;         // with a template or instructions
constexpr std::int64_t kQuestionBytes = 128 << 10;  // with points, and a mask as large as an answer's
constexpr auto kPhotoPatience = std::chrono::seconds(20);
constexpr std::string_view kPrefix = "/_/";
// The router asks one pattern for one method: these are all that a browser may send.
constexpr const char* kMethods[] = {"GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"};

std::string_view code_name(ErrorCode code) {
  switch (code) {
    case ErrorCode::kInvalidArgument:
    case ErrorCode::kCorrupt:
      return "InvalidArgument";
    case ErrorCode::kNotFound:
      return "NotFound";
    case ErrorCode::kAlreadyExists:
      return "AlreadyExists";
    case ErrorCode::kDenied:
      return "Denied";
    case ErrorCode::kConflict:
      return "Conflict";
    case ErrorCode::kUnsupported:
      return "Unsupported";
    case ErrorCode::kTooLarge:
      return "TooLarge";
    case ErrorCode::kNoSpace:
      return "NoSpace";
    case ErrorCode::kCancelled:
      return "Busy";
    case ErrorCode::kIo:
    case ErrorCode::kInternal:
      return "Internal";
  }
  return "Internal";
}

// For answers that hold what a session may see: nobody keeps, frames or guesses at them.
void protect(http::Response& response) {
  if (!response.headers.find("Cache-Control")) response.headers.set("Cache-Control", "no-store");
  if (!response.headers.find("Content-Security-Policy"))
    response.headers.set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'");
  response.headers.set("X-Content-Type-Options", "nosniff");
  response.headers.set("Referrer-Policy", "no-referrer");
  if (!response.headers.find("Cross-Origin-Resource-Policy"))
    response.headers.set("Cross-Origin-Resource-Policy", "same-origin");
}

bool is_safe_method(std::string_view method) {
  return method == "GET" || method == "HEAD" || method == "OPTIONS";
}

// "https://host:port" of a URL, without a path.
std::string origin_of(const std::string& url) {
  const std::size_t host = url.find("://");
  return host == std::string::npos ? url : url.substr(0, url.find('/', host + 3));
}

std::string host_field(const http::Request& request) {
  const std::string host(request.headers.find("Host").value_or(""));
  const bool plain = std::all_of(host.begin(), host.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view(".-:[]_").find(c) != std::string_view::npos;
  });
  return plain ? host : std::string();
}

}  // namespace

http::Response refusal(int status, std::string_view code, const std::string& message) {
  return json_answer(status, json{{"code", code}, {"message", message}});
}

http::Response error_answer(const Error& error, const http::Request& request) {
  const int status = http::status_of(error.code);
  if (status == 500) {
    spdlog::error("{} {}: {}", request.method, request.path, error.message);
    return refusal(500, "Internal", "internal error");
  }
  if (error.code == ErrorCode::kNoSpace) {  // the message names a file of the host
    spdlog::error("{} {}: {}", request.method, request.path, error.message);
    return refusal(status, code_name(error.code),
                   "there is no space left on the server; nothing was changed");
  }
  http::Response response = refusal(status, code_name(error.code), error.message);
  if (status == 503) response.headers.set("Retry-After", "1");
  return response;
}

http::Response json_answer(int status, const json& document) {
  return http::Response::json(status, json_text(document));
}

std::string time_text(Timestamp time) {
  return iso_text(time, 3) + "Z";
}

std::optional<http::Response> too_often(std::chrono::seconds wait) {
  if (wait.count() == 0) return std::nullopt;
  http::Response response = refusal(429, "TooManyRequests", fmt::format("try again in {} s", wait.count()));
  response.headers.set("Retry-After", std::to_string(wait.count()));
  return response;
}

json account_json(const identity::Account& account) {
  json roles = json::array();
  for (const identity::Role role : account.roles) roles.push_back(identity::role_name(role));
  return json{{"id", account.id},
              {"name", account.name},
              {"display_name", account.display_name},
              {"roles", std::move(roles)},
              {"groups", account.groups},
              {"issuer", account.issuer},
              {"active", account.active},
              {"created", time_text(account.created)}};
}

// ---- the table ----

// A new route is one row here, one handler in the file of its audience, and its paragraph in
// docs/formats/worker-http.md.
const std::vector<Portal::Implementation::Row>& Portal::Implementation::table() {
  using I = Implementation;
  using enum Access;
  using enum Takes;
  // clang-format off
  static const std::vector<Row> kRows = {
      {"GET",    "/_/api/sign-in",                                        kAnonymous, kNothing,  &I::sign_in_methods},
      {"POST",   "/_/api/sign-in",                                        kAnonymous, kJson,     &I::sign_in},
      {"POST",   "/_/api/sign-out",                                       kSignedIn,  kJson,     &I::sign_out},
      {"GET",    "/_/api/me",                                             kSignedIn,  kNothing,  &I::who_am_i},
      {"POST",   "/_/api/invitation/look",                                kAnonymous, kJson,     &I::look_at_invitation},
      {"POST",   "/_/api/invitation/accept",                              kAnonymous, kJson,     &I::accept_invitation},
      {"POST",   "/_/api/password/reset",                                 kAnonymous, kJson,     &I::reset_password},
      {"POST",   "/_/api/password/change",                                kSignedIn,  kJson,     &I::change_password},
      {"GET",    "/_/api/open-id/start",                                  kAnonymous, kNothing,  &I::start_open_id},
      {"GET",    "/oauth2/idpresponse",                                   kAnonymous, kNothing,  &I::finish_open_id},

      {"GET",    "/_/api/jobs",                                           kWorker,    kNothing,  &I::worker_jobs},
      {"POST",   "/_/api/assignments",                                    kWorker,    kJson,     &I::accept_next},
      {"GET",    "/_/api/assignments",                                    kWorker,    kNothing,  &I::history},
      {"GET",    "/_/api/assignments/previous",                           kWorker,    kNothing,  &I::previous},
      {"GET",    "/_/api/assignments/{id}",                               kWorker,    kNothing,  &I::assignment},
      {"GET",    "/_/api/assignments/{id}/content",                       kWorker,    kNothing,  &I::content},
      {"POST",   "/_/api/assignments/{id}/heartbeat",                     kWorker,    kJson,     &I::heartbeat},
      {"GET",    "/_/api/assignments/{id}/draft",                         kWorker,    kNothing,  &I::draft},
      {"POST",   "/_/api/assignments/{id}/draft/open",                    kWorker,    kJson,     &I::open_draft},
      {"POST",   "/_/api/assignments/{id}/draft/deltas",                  kWorker,    kDeltas,   &I::save_deltas},
      {"PUT",    "/_/api/assignments/{id}/draft/snapshot",                kWorker,    kSnapshot, &I::save_snapshot},
      {"DELETE", "/_/api/assignments/{id}/draft",                         kWorker,    kJson,     &I::discard_draft},
      {"POST",   "/_/api/assignments/{id}/submit",                        kWorker,    kAnswer,   &I::submit},
      {"GET",    "/_/api/assignments/{id}/answer",                        kWorker,    kNothing,  &I::answer},
      {"PUT",    "/_/api/assignments/{id}/answer",                        kWorker,    kAnswer,   &I::correct},
      {"POST",   "/_/api/assignments/{id}/return",                        kWorker,    kJson,     &I::give_back},
      {"POST",   "/_/api/assignments/{id}/decline",                       kWorker,    kJson,     &I::decline},
      {"POST",   "/_/api/assignments/{id}/assist",                        kWorker,    kQuestion, &I::ask_assistant},
      {"POST",   "/_/api/assignments/{id}/assist/open",                   kWorker,    kJson,     &I::open_photo},
      {"GET",    "/_/api/images/{token}",                                 kWorker,    kNothing,  &I::image},

      {"GET",    "/_/api/requester/jobs",                                 kRequester, kNothing,  &I::jobs},
      {"GET",    "/_/api/requester/jobs/{name}",                          kRequester, kNothing,  &I::job},
      {"POST",   "/_/api/requester/jobs/{name}/stop",                     kRequester, kJson,     &I::stop_job},
      {"POST",   "/_/api/requester/jobs/{name}/clone",                    kRequester, kJson,     &I::clone_job},
      {"POST",   "/_/api/requester/jobs/{name}/continue",                 kRequester, kJson,     &I::continue_job},
      {"POST",   "/_/api/requester/jobs/{name}/chain",                    kRequester, kJson,     &I::chain_job},
      {"GET",    "/_/api/requester/jobs/{name}/objects",                  kRequester, kNothing,  &I::objects},
      {"GET",    "/_/api/requester/jobs/{name}/objects/{index}/answers",  kRequester, kNothing,  &I::object_answers},
      {"POST",   "/_/api/requester/jobs/{name}/objects/{index}/reopen",   kRequester, kJson,     &I::reopen_object},
      {"GET",    "/_/api/requester/jobs/{name}/workers",                  kRequester, kNothing,  &I::job_workers},
      {"POST",   "/_/api/requester/jobs/{name}/workers/{worker}/withdraw", kRequester, kJson,    &I::withdraw_worker},

      {"GET",    "/_/api/requester/settings",                             kRequester, kNothing,  &I::settings},
      {"GET",    "/_/api/requester/buckets",                              kRequester, kNothing,  &I::buckets},
      {"POST",   "/_/api/requester/buckets",                              kRequester, kJson,     &I::make_bucket},
      {"GET",    "/_/api/requester/objects",                              kRequester, kNothing,  &I::list_objects},
      {"PUT",    "/_/api/requester/objects/{bucket}/{key+}",              kRequester, kBytes,    &I::put_object},
      {"GET",    "/_/api/requester/objects/{bucket}/{key+}",              kRequester, kNothing,  &I::get_object},
      {"POST",   "/_/api/requester/jobs",                                 kRequester, kJob,      &I::create_job},
      {"GET",    "/_/api/requester/jobs/{name}/categories",               kRequester, kNothing,  &I::job_categories},
      {"GET",    "/_/api/requester/jobs/{name}/template",                 kRequester, kNothing,  &I::job_template},
      {"GET",    "/_/api/requester/jobs/{name}/progress",                 kRequester, kNothing,  &I::job_progress},
      {"GET",    "/_/api/requester/jobs/{name}/download",                 kRequester, kNothing,  &I::download},
      {"GET",    "/_/api/requester/jobs/{name}/objects/{index}/photo",    kRequester, kNothing,  &I::object_photo},
      {"GET",    "/_/api/requester/jobs/{name}/objects/{index}/mask",     kRequester, kNothing,  &I::object_mask},
      {"GET",    "/_/api/requester/jobs/{name}/objects/{index}/answers/{assignment}/mask", kRequester, kNothing, &I::answer_mask},
      {"GET",    "/_/api/requester/jobs/{name}/objects/{index}/disagreement", kRequester, kNothing, &I::object_disagreement},
      {"GET",    "/_/api/requester/workteams",                            kRequester, kNothing,  &I::workteams},
      {"POST",   "/_/api/requester/workteams",                            kRequester, kJson,     &I::create_workteam},
      {"PUT",    "/_/api/requester/workteams/{name}",                     kRequester, kJson,     &I::update_workteam},
      {"DELETE", "/_/api/requester/workteams/{name}",                     kRequester, kJson,     &I::delete_workteam},
      {"POST",   "/_/api/requester/workteams/{name}/members",             kRequester, kJson,     &I::add_member},
      {"DELETE", "/_/api/requester/workteams/{name}/members/{account}",   kRequester, kJson,     &I::remove_member},
      {"GET",    "/_/api/requester/people",                               kRequester, kNothing,  &I::people},
      {"POST",   "/_/api/requester/invitations",                          kRequester, kJson,     &I::invite_worker},

      {"GET",    "/_/api/console/training-options",                       kRequester, kNothing,  &I::training_options},
      {"GET",    "/_/api/requester/jobs/{name}/training-draft",           kRequester, kNothing,  &I::training_draft},
      {"GET",    "/_/api/console/training-jobs",                          kRequester, kNothing,  &I::training_jobs},
      {"POST",   "/_/api/console/training-jobs",                          kRequester, kJson,     &I::create_training_job},
      {"GET",    "/_/api/console/training-jobs/{name}",                   kRequester, kNothing,  &I::training_job},
      {"GET",    "/_/api/console/training-jobs/{name}/metrics",           kRequester, kNothing,  &I::training_metrics},
      {"GET",    "/_/api/console/training-jobs/{name}/log",               kRequester, kNothing,  &I::training_log},
      {"GET",    "/_/api/console/training-jobs/{name}/overlays",          kRequester, kNothing,  &I::training_overlays},
      {"GET",    "/_/api/console/training-jobs/{name}/overlays/{epoch}/{photo}", kRequester, kNothing, &I::training_overlay},
      {"POST",   "/_/api/console/training-jobs/{name}/stop",              kRequester, kJson,     &I::stop_training_job},
      {"POST",   "/_/api/console/training-jobs/{name}/deploy",            kRequester, kJson,     &I::deploy_training_job},
      {"GET",    "/_/api/console/models",                                 kRequester, kNothing,  &I::models},
      {"POST",   "/_/api/console/models",                                 kRequester, kJson,     &I::create_model},
      {"GET",    "/_/api/console/models/{name}",                          kRequester, kNothing,  &I::model},
      {"DELETE", "/_/api/console/models/{name}",                          kRequester, kJson,     &I::delete_model},
      {"GET",    "/_/api/console/endpoints",                              kRequester, kNothing,  &I::endpoints},
      {"POST",   "/_/api/console/endpoints",                              kRequester, kJson,     &I::create_endpoint},
      {"GET",    "/_/api/console/endpoints/{name}",                       kRequester, kNothing,  &I::endpoint},
      {"DELETE", "/_/api/console/endpoints/{name}",                       kRequester, kJson,     &I::delete_endpoint},
      {"POST",   "/_/api/console/endpoints/{name}/weights",               kRequester, kJson,     &I::change_weights},
      {"POST",   "/_/api/console/endpoints/{name}/photo",                 kRequester, kPhoto,    &I::try_photo},

      {"GET",    "/_/api/accounts",                                       kAdmin,     kNothing,  &I::accounts},
      {"GET",    "/_/api/accounts/{id}",                                  kAdmin,     kNothing,  &I::account},
      {"PUT",    "/_/api/accounts/{id}",                                  kAdmin,     kJson,     &I::update_account},
      {"POST",   "/_/api/accounts/{id}/remove",                           kAdmin,     kJson,     &I::remove_account},
      {"POST",   "/_/api/accounts/{id}/restore",                          kAdmin,     kJson,     &I::restore_account},
      {"POST",   "/_/api/accounts/{id}/reset-link",                       kAdmin,     kJson,     &I::reset_link},
      {"GET",    "/_/api/invitations",                                    kAdmin,     kNothing,  &I::invitations},
      {"POST",   "/_/api/invitations",                                    kAdmin,     kJson,     &I::invite},
      {"DELETE", "/_/api/invitations/{id}",                               kAdmin,     kJson,     &I::revoke_invitation},
      {"GET",    "/_/api/vendors",                                        kAdmin,     kNothing,  &I::vendors},
      {"POST",   "/_/api/vendors",                                        kAdmin,     kJson,     &I::create_vendor},
      {"POST",   "/_/api/vendors/{vendor}/invitations",                   kAdmin,     kJson,     &I::invite_vendor},
      {"GET",    "/_/api/keys",                                           kAdmin,     kNothing,  &I::keys},
      {"POST",   "/_/api/keys",                                           kAdmin,     kJson,     &I::create_key},
      {"DELETE", "/_/api/keys/{id}",                                      kAdmin,     kJson,     &I::revoke_key},
  };
  // clang-format on
  return kRows;
}

// ---- one request ----

Portal::Implementation::Implementation(PortalContext context)
    : context_(std::move(context)),
      links_(identity::derive_key(context_.server_key, "image-links")),
      account_rate_(context_.clock, context_.options.account_rate),
      address_rate_(context_.clock, context_.options.address_rate),
      pictures_(context_.options.picture_cache_bytes),
      decode_slots_(context_.options.picture_decoders, context_.options.pictures_waiting),
      assist_rate_(context_.clock, context_.options.assist_rate),
      photo_slots_(context_.options.picture_decoders, context_.options.assist_questions),
      photos_(context_.options.assist_photo_bytes, kPhotoPatience),
      questions_(context_.options.assist_questions, context_.options.assist_questions_of_one) {
  while (context_.options.public_url.ends_with("/")) context_.options.public_url.pop_back();
  for (const Row& row : table()) {
    router_.add(std::string(row.method), row.pattern,
                [this, &row](const http::Request& request) { return run(row, request); });
  }
  for (const std::string_view pattern : Pages::patterns()) {
    router_.add("GET", pattern,
                [this](const http::Request& request) { return context_.pages.answer(request); });
  }
}

http::Response Portal::Implementation::dispatch(const http::Request& request) {
  auto match = router_.find(request.method, request.path);
  http::Response response;
  if (!match) {
    response = error_answer(match.error(), request);
  } else if (match->route) {
    http::Request matched = request;
    matched.parameters = std::move(match->parameters);
    Result<http::Response> result = match->route->handler(matched);
    response = result ? std::move(*result) : error_answer(result.error(), request);
  } else if (!match->allowed.empty()) {
    const std::string allowed = fmt::format("{}", fmt::join(match->allowed, ", "));
    response = refusal(405, "MethodNotAllowed",
                       fmt::format("{} is not allowed here: allowed are {}", request.method, allowed));
    response.headers.set("Allow", allowed);
  } else {
    response = refusal(404, "NotFound", "there is nothing at this path");
  }
  protect(response);
  return response;
}

http::Response Portal::Implementation::run(const Row& row, const http::Request& request) {
  const std::string& public_url = context_.options.public_url;
  Call call{request, secure(request), public_url, {}, {}, {}};
  if (call.base_url.empty()) call.base_url = (request.secure ? "https://" : "http://") + host_field(request);
  if (auto refused = check_origin(call)) return std::move(*refused);
  call.token = read_cookie(request, cookie_name("terrapin-session", call.secure));
  auto session = context_.sessions.find(call.token);
  if (!session) return error_answer(session.error(), request);
  call.session = std::move(*session);
  if (auto refused = check_rate(call)) return std::move(*refused);
  if (auto refused = check_access(row, call)) return std::move(*refused);
  if (const Status may = require_job(row, call); !may) return error_answer(may.error(), request);
  auto body = read_body(row, call);
  if (!body) return error_answer(body.error(), request);
  if (*body) return std::move(**body);
  Handled handled = (this->*row.handler)(call);
  return handled ? std::move(*handled) : error_answer(handled.error(), request);
}

// Requests that change something must come from our own pages, or from a program that is no browser.
std::optional<http::Response> Portal::Implementation::check_origin(const Call& call) const {
  if (is_safe_method(call.request.method)) return std::nullopt;
  const auto site = call.request.headers.find("Sec-Fetch-Site");
  const auto origin = call.request.headers.joined("Origin");
  if ((site && *site != "same-origin") || (origin && *origin != origin_of(call.base_url))) {
    return refusal(403, "CrossSite",
                   fmt::format("this request must come from a page of {}", origin_of(call.base_url)));
  }
  return std::nullopt;
}

std::optional<http::Response> Portal::Implementation::check_rate(const Call& call) {
  const std::chrono::seconds wait =
      call.session ? account_rate_.take(call.session->account.id)
                   : address_rate_.take(identity::address_key(call.request.remote_address));
  return too_often(wait);
}

std::optional<http::Response> Portal::Implementation::check_access(const Row& row, const Call& call) const {
  if (row.access == Access::kAnonymous) return std::nullopt;
  if (!call.session) return refusal(401, "NotSignedIn", "sign in first");
  if (!is_safe_method(call.request.method)) {
    const auto csrf = call.request.headers.find("X-CSRF-Token");
    if (!csrf || !crypto::equal_in_constant_time(*csrf, call.session->csrf)) {
      return refusal(403, "WrongCsrfToken",
                     "the header X-CSRF-Token must repeat the 'csrf' that sign-in and /_/api/me tell");
    }
  }
  const identity::Account& account = call.account();
  using identity::Role;
  const bool admin = account.has(Role::kAdmin);
  const bool allowed = row.access == Access::kSignedIn ||
                       (row.access == Access::kWorker && account.has(Role::kWorker)) ||
                       (row.access == Access::kRequester && (admin || account.has(Role::kRequester))) ||
                       (row.access == Access::kAdmin && admin);
  if (!allowed) return refusal(403, "Denied", "your roles do not allow this");
  if (row.access == Access::kWorker && context_.address_allowed &&
      !context_.address_allowed(call.request.remote_address))
    return refusal(403, "AddressNotAllowed", "workers may not connect from this address");
  return std::nullopt;
}

std::int64_t Portal::Implementation::most_bytes(Takes takes) const {
  const labeling::TaskLimits& limits = context_.options.limits;
  switch (takes) {
    case Takes::kNothing:
      return 0;
    case Takes::kJson:
      return kJsonBytes;
    // JSON writes a character with up to six; what is inside is limited again by TaskService.
    case Takes::kDeltas:
      return 2 * limits.max_delta_bytes + kJsonBytes;
    case Takes::kSnapshot:
      return 2 * limits.max_draft_bytes + kJsonBytes;
    case Takes::kAnswer:
      return limits.max_answer_bytes;
    case Takes::kQuestion:
      return kQuestionBytes;
    case Takes::kJob:
      return kJobBytes;
    case Takes::kPhoto:
      return control::kMaxInvocationBytes;
    case Takes::kBytes:
      return context_.options.max_upload_bytes;
  }
  return 0;
}

http::Admission Portal::Implementation::admit(const http::Request& head) const {
  const auto refuse = [](std::int64_t most, http::Response response) {
    protect(response);
    return http::Admission{most, std::move(response)};
  };
  const auto match = router_.find(head.method, head.path);
  std::int64_t most = kJsonBytes;
  if (match && match->route) {
    const std::string pattern = "/" + fmt::format("{}", fmt::join(match->route->pattern, "/"));
    for (const Row& row : table()) {
      if (row.method != match->route->method || row.pattern != pattern) continue;
      most = most_bytes(row.takes);
      if (row.access == Access::kAnonymous || most <= kJsonBytes) break;
      Call call{head, secure(head), {}, {}, {}, {}};
      auto session = context_.sessions.find(read_cookie(head, cookie_name("terrapin-session", call.secure)));
      if (!session) return refuse(kJsonBytes, error_answer(session.error(), head));
      call.session = std::move(*session);
      if (auto refused = check_access(row, call)) return refuse(kJsonBytes, std::move(*refused));
    }
  }
  return refuse(
      most, refusal(413, "TooLarge", fmt::format("the body is larger than allowed here: {} bytes", most)));
}

bool Portal::Implementation::secure(const http::Request& request) const {
  return request.secure || context_.options.public_url.starts_with("https://");
}

Result<std::optional<http::Response>> Portal::Implementation::read_body(const Row& row, Call& call) const {
  const std::int64_t most = most_bytes(row.takes);
  const std::int64_t bytes = call.request.body_bytes();
  if (bytes > most) {
    return fail(ErrorCode::kTooLarge, "the body has {} bytes: allowed here are {}", bytes, most);
  }
  // Of any type: the handler stores them, or a model looks at them.
  if (row.takes == Takes::kBytes || row.takes == Takes::kPhoto) return std::nullopt;
  if (bytes == 0) {
    call.body = json::object();
    return std::nullopt;
  }
  const auto type = http::media_type_essence(call.request.headers.find("Content-Type").value_or(""));
  if (type != "application/json")
    return refusal(415, "UnsupportedMediaType", "the Content-Type must be application/json");
  if (row.takes == Takes::kAnswer) return std::nullopt;  // TaskService reads it
  if (call.request.spooled) {
    TERRAPIN_TRY(const std::string text, read_all_text(*call.request.spooled, most));
    call.body = json::parse(text, nullptr, false);
  } else {
    call.body = json::parse(call.request.text(), nullptr, false);
  }
  if (call.body.is_discarded()) return fail(ErrorCode::kInvalidArgument, "the body is no JSON");
  return std::nullopt;
}

// ---- the door ----

Portal::Portal(PortalContext context)
    : implementation_(std::make_unique<Implementation>(std::move(context))) {}
Portal::~Portal() = default;

void Portal::add_routes(http::Router& router) {
  const auto handler = [this](const http::Request& request) -> Result<http::Response> {
    return implementation_->dispatch(request);
  };
  for (const char* method : kMethods) {
    router.add(method, "/_", handler);
    router.add(method, kPrefix, handler);
    router.add(method, "/_/{rest+}", handler);
    router.add(method, "/oauth2/idpresponse", handler);
    router.add(method, "/crowd-html-elements.js", handler);
  }
}

bool Portal::takes(std::string_view path) {
  const auto decoded = percent_decode(path);
  return decoded && (*decoded == "/_" || decoded->starts_with(kPrefix) || *decoded == "/oauth2/idpresponse");
}

http::Admission Portal::admit(const http::Request& head) const {
  return implementation_->admit(head);
}

std::optional<AssistFigures> Portal::assist_figures() const {
  return implementation_->assist_figures();
}

std::vector<RouteInfo> Portal::routes() {
  std::vector<RouteInfo> routes;
  for (const std::string_view pattern : Pages::patterns())
    routes.push_back({"GET", pattern, Access::kAnonymous});
  for (const auto& row : Implementation::table()) routes.push_back({row.method, row.pattern, row.access});
  return routes;
}

}  // namespace terrapin::portal
