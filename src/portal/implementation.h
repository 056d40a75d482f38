// What the routes share. Each file *_routes.cpp holds the handlers of one audience.
#pragma once

#include <atomic>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "assist/prompt.h"
#include "control/control_plane.h"
#include "portal/cookies.h"
#include "portal/image_links.h"
#include "portal/new_training.h"
#include "portal/open_photos.h"
#include "portal/pictures.h"
#include "portal/portal.h"
#include "portal/questions.h"

namespace terrapin::portal {

using nlohmann::json;

// A refusal that is no ErrorCode's: 401, 405, 415, 429.
http::Response refusal(int status, std::string_view code, const std::string& message);
// {"code": ..., "message": ...}; what went wrong inside is logged and not told.
http::Response error_answer(const Error& error, const http::Request& request);
http::Response json_answer(int status, const json& document);
// 429, unless the wait is none.
std::optional<http::Response> too_often(std::chrono::seconds wait);

// One request after the checks that all routes share.
struct Call {
  const http::Request& request;
  bool secure = false;                       // as the browser sees it
  std::string base_url;                      // "https://label.example.org", no slash at the end
  std::string token;                         // of the session cookie, whatever it is worth
  std::optional<identity::Session> session;  // set unless the route is anonymous
  json body;                                 // of routes that take JSON; {} if empty

  const identity::Account& account() const { return session->account; }
  std::string parameter(const char* name) const { return request.parameters.at(name); }
};

// The query of a list: unknown parameters and values out of range are kInvalidArgument.
class QueryFields {
 public:
  explicit QueryFields(const http::Request& request) : request_(request) {}
  std::optional<std::string> text(const char* name);
  std::int64_t integer_or(const char* name, std::int64_t otherwise, std::int64_t least, std::int64_t most);
  double number_or(const char* name, double otherwise);
  bool flag_or(const char* name, bool otherwise);
  Status finish() const;

 private:
  const http::Request& request_;
  std::vector<std::string> known_;
  std::string problem_;
};

class Portal::Implementation {
 public:
  using Handled = Result<http::Response>;
  using Handler = Handled (Implementation::*)(Call&);
  // How much body a route takes, and what it is.
  enum class Takes { kNothing, kJson, kJob, kBytes, kDeltas, kSnapshot, kAnswer, kQuestion, kPhoto };
  struct Row {
    std::string_view method, pattern;
    Access access;
    Takes takes;
    Handler handler;
  };
  static const std::vector<Row>& table();

  explicit Implementation(PortalContext context);
  http::Response dispatch(const http::Request& request);
  http::Admission admit(const http::Request& head) const;
  std::optional<AssistFigures> assist_figures();

 private:
  http::Response run(const Row& row, const http::Request& request);
  // The checks, in order; a response where one fails.
  std::optional<http::Response> check_origin(const Call& call) const;
  std::optional<http::Response> check_access(const Row& row, const Call& call) const;
  std::optional<http::Response> check_rate(const Call& call);
  Result<std::optional<http::Response>> read_body(const Row& row, Call& call) const;
  std::int64_t most_bytes(Takes takes) const;
  // As the browser sees it.
  bool secure(const http::Request& request) const;

  // sign_in_routes.cpp
  Handled sign_in_methods(Call& call);
  Handled sign_in(Call& call);
  Handled sign_out(Call& call);
  Handled who_am_i(Call& call);
  Handled look_at_invitation(Call& call);
  Handled accept_invitation(Call& call);
  Handled reset_password(Call& call);
  Handled change_password(Call& call);
  Handled start_open_id(Call& call);
  Handled finish_open_id(Call& call);
  Handled signed_in(Call& call, const identity::Account& account, int status, SameSite same_site);
  bool address_refused(const Call& call, const std::vector<identity::Role>& roles) const;

  // worker_routes.cpp
  Handled worker_jobs(Call& call);
  Handled accept_next(Call& call);
  Handled history(Call& call);
  Handled previous(Call& call);
  Handled assignment(Call& call);
  Handled content(Call& call);
  Handled heartbeat(Call& call);
  Handled draft(Call& call);
  Handled open_draft(Call& call);
  Handled save_deltas(Call& call);
  Handled save_snapshot(Call& call);
  Handled discard_draft(Call& call);
  Handled submit(Call& call);
  Handled answer(Call& call);
  Handled correct(Call& call);
  Handled give_back(Call& call);
  Handled decline(Call& call);
  Result<labeling::Worker> worker(const Call& call) const;
  json assignment_json(const labeling::Assignment& assignment) const;

  // image_routes.cpp
  Handled image(Call& call);
  // {"s3://bucket/key": "/_/api/images/...", ...}; null for one that the job's owner may not read.
  Result<json> image_urls(const Call& call, const labeling::TaskContent& content) const;
  // The object that `uri` names; nullopt if it names none, or one that the job's owner may not read.
  Result<std::optional<storage::ObjectName>> readable_object(const labeling::JobRecord& record,
                                                             const std::string& uri) const;

  // assist_routes.cpp
  Handled open_photo(Call& call);
  Handled ask_assistant(Call& call);
  // A photo of a task that a worker holds.
  struct TaskPhoto {
    storage::ObjectName name;
    std::string job_id;
  };
  Handled answer_question(const TaskPhoto& asked, const assist::Prompt& prompt,
                          const Questions::Place& place);
  json assistance_json() const;
  // The photo, if it is one of the task's and the worker may still paint. kNotFound says the same of what is
  // not there and of what is not theirs.
  Result<TaskPhoto> task_photo(const Call& call, const std::string& uri) const;
  Result<OpenPhotos::Use> opened_photo(const storage::ObjectName& name, const std::stop_token& stop);

  // requester_routes.cpp
  Handled jobs(Call& call);
  Handled job(Call& call);
  Handled stop_job(Call& call);
  Handled clone_job(Call& call);
  Handled continue_job(Call& call);
  Handled chain_job(Call& call);
  Handled objects(Call& call);
  Handled object_answers(Call& call);
  Handled reopen_object(Call& call);
  Handled job_workers(Call& call);
  Handled withdraw_worker(Call& call);

  // console_job_routes.cpp
  Handled settings(Call& call);
  Handled create_job(Call& call);
  Handled job_categories(Call& call);
  Handled job_template(Call& call);
  Handled job_progress(Call& call);
  json learned_json(const labeling::JobRecord& record) const;

  // upload_routes.cpp
  Handled buckets(Call& call);
  Handled make_bucket(Call& call);
  Handled list_objects(Call& call);
  Handled put_object(Call& call);
  Handled get_object(Call& call);
  // kDenied unless the account may use the bucket; kInvalidArgument for what is no bucket's name.
  Status require_bucket(const Call& call, const std::string& bucket) const;
  Status require_team(const std::string& arn) const;
  // Routes of one job are for those who may use the bucket of its output.
  Status require_job(const Row& row, const Call& call) const;
  // The object, of a bucket that the account may use.
  Result<storage::OpenObject> open_object(const Call& call, const std::string& uri) const;
  Result<storage::ObjectInfo> object_info(const Call& call, const std::string& uri) const;

  // console_image_routes.cpp
  Handled object_photo(Call& call);
  Handled object_mask(Call& call);
  Handled answer_mask(Call& call);
  Handled object_disagreement(Call& call);
  Handled mask_picture(Call& call, const std::string& uri, std::optional<std::int64_t> width);
  // From the cache, or made by `make`, at most so many at once.
  Handled picture(Call& call, const std::string& tag, const std::function<Result<Picture>()>& make);

  // download_routes.cpp
  Handled download(Call& call);
  Handled download_dataset(Call& call, const labeling::JobRecord& record);

  // console_training_routes.cpp
  Handled training_options(Call& call);
  Handled training_draft(Call& call);
  Handled training_jobs(Call& call);
  Handled training_job(Call& call);
  Handled training_metrics(Call& call);
  Handled training_log(Call& call);
  Handled training_overlays(Call& call);
  Handled training_overlay(Call& call);
  Handled create_training_job(Call& call);
  Handled stop_training_job(Call& call);
  // kUnsupported where there is none.
  Result<control::ControlPlane*> control() const;
  // Whether the account may use the bucket of an address; of what is none, an admin may.
  Result<bool> may_use(const Call& call, const std::string& uri) const;
  Result<std::vector<std::string>> usable_buckets(const Call& call) const;
  // The {name} of the path; kNotFound, too, where its output lies in a bucket of others.
  Result<control::TrainingJob> training_job_of(const Call& call) const;
  // Splits the labeling job's output: sets channels and what follows from the data, and gives the manifests
  // that are to be stored by their addresses.
  Result<std::map<std::string, std::string>> take_labeled(const Call& call, const NewTraining& training,
                                                          control::TrainingJobSpec& spec);
  Status check_channels(const Call& call, const control::TrainingJobSpec& spec);

  // console_endpoint_routes.cpp
  Handled models(Call& call);
  Handled model(Call& call);
  Handled create_model(Call& call);
  Handled delete_model(Call& call);
  Handled endpoints(Call& call);
  Handled endpoint(Call& call);
  Handled create_endpoint(Call& call);
  Handled delete_endpoint(Call& call);
  Handled change_weights(Call& call);
  Handled try_photo(Call& call);
  Handled deploy_training_job(Call& call);
  // kNotFound, too, where its data lie in a bucket of others.
  Result<control::Model> model_of(const Call& call, const std::string& name) const;
  Result<control::Endpoint> endpoint_of(const Call& call) const;
  Result<bool> may_see(const Call& call, const control::Endpoint& endpoint) const;
  Result<control::Model> make_model(const Call& call, control::ControlPlane& plane, control::ModelSpec spec);
  // With a configuration of its own, which goes with it.
  Result<control::Endpoint> make_endpoint(const Call& call, control::ControlPlane& plane,
                                          const std::string& name,
                                          std::vector<control::VariantSpec> variants);

  // console_team_routes.cpp
  Handled workteams(Call& call);
  Handled create_workteam(Call& call);
  Handled update_workteam(Call& call);
  Handled delete_workteam(Call& call);
  Handled add_member(Call& call);
  Handled remove_member(Call& call);
  Handled people(Call& call);
  Handled invite_worker(Call& call);
  Result<json> team_json(const labeling::Workteam& team);
  // The groups as the private workforce names its members.
  Result<std::vector<labeling::TeamMember>> members_of(const std::vector<std::string>& groups);

  // console_admin_routes.cpp
  Handled vendors(Call& call);
  Handled create_vendor(Call& call);
  Handled keys(Call& call);
  Handled create_key(Call& call);
  Handled revoke_key(Call& call);

  // admin_routes.cpp
  Handled accounts(Call& call);
  Handled account(Call& call);
  Handled update_account(Call& call);
  Handled remove_account(Call& call);
  Handled restore_account(Call& call);
  Handled reset_link(Call& call);
  Handled invitations(Call& call);
  Handled invite(Call& call);
  Handled invite_vendor(Call& call);
  Handled revoke_invitation(Call& call);

  // Constant after construction, or synchronises itself.
  PortalContext context_;
  ImageLinks links_;
  identity::TokenBuckets account_rate_, address_rate_;
  PictureCache pictures_;
  DecodeSlots decode_slots_;
  identity::TokenBuckets assist_rate_;
  DecodeSlots photo_slots_;  // of photos that are opened for assistance
  OpenPhotos photos_;
  Questions questions_;
  std::atomic<std::int64_t> answered_{0}, superseded_{0}, refused_{0}, answer_microseconds_{0};
  http::Router router_;
};

// "2022-02-10T17:41:04.801Z"
std::string time_text(Timestamp time);
json account_json(const identity::Account& account);
json job_json(const labeling::JobRecord& record);
http::Response job_answer(int status, const labeling::JobRecord& record);
// The {index} of the path. kNotFound if it is none.
Result<std::int64_t> object_index(const Call& call);
// What an invitation's maker gets: the token stands in the link alone.
http::Response invitation_answer(const Call& call, const identity::Invitation& invitation);

}  // namespace terrapin::portal
