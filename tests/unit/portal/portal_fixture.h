// A portal over real accounts and sessions and faked tasks, jobs and objects; asked without sockets.
#pragma once

#include <nlohmann/json.hpp>

#include "assist/assistant.h"
#include "control/control_plane.h"
#include "http/router.h"
#include "http/target.h"
#include "identity/server_key.h"
#include "portal/portal.h"
#include "unit/identity/identity_fixture.h"
#include "unit/portal/fakes.h"

namespace terrapin::test {

using nlohmann::json;

struct Answered {
  int status = 0;
  http::Headers headers;
  std::string text;
  json body;  // discarded if the text is no JSON
  std::string header(std::string_view name) const { return std::string(headers.find(name).value_or("")); }
  std::string code() const { return body.is_object() ? body.value("code", "") : ""; }
  // The value of a cookie that this answer sets.
  std::string cookie(const std::string& name) const {
    for (const auto& [field, value] : headers.fields())
      if (field == "Set-Cookie" && value.starts_with(name + "="))
        return value.substr(name.size() + 1, value.find(';') - name.size() - 1);
    return {};
  }
};

// Who asks: cookie and CSRF token, sent if they are not empty.
struct Browser {
  std::string cookie, csrf;
};

class PortalTest : public IdentityTest {
 protected:
  explicit PortalTest(portal::PortalOptions options = generous()) {
    workforces = labeling::Workforces::open(*database, {}, clock).value();
    keys = identity::AccessKeys::open(folder.path(), clock).value();
    // Not started: jobs and endpoints stay as they were asked for.
    control::ControlOptions control_options;
    control_options.program = "/bin/true";
    control_options.data_dir = folder.path();
    control = control::ControlPlane::open(*database, objects, clock, std::move(control_options)).value();
    open(std::move(options));
  }

  // Rates that no test but those of rates meets.
  static portal::PortalOptions generous() {
    portal::PortalOptions options;
    options.account_rate = options.address_rate = options.assist_rate = {1e6, 1e6, 1000};
    return options;
  }

  void open(portal::PortalOptions options) {
    portal::PortalContext context{
        clock,
        *accounts,
        *sessions,
        tasks,
        jobs,
        objects,
        *workforces,
        *keys,
        [this]() -> Result<std::vector<std::string>> { return registered; },
        identity::load_server_key(folder.path()).value(),
        [](const std::vector<std::string>& groups) -> Result<std::vector<std::string>> {
          std::vector<std::string> arns;
          for (const std::string& group : groups)
            if (group != "vendor:unknown") arns.push_back("arn:" + group);
          return arns;
        },
        [this](const std::string& owner, const std::string& bucket) -> Result<bool> {
          if (owner.starts_with("account:")) return !refused_buckets.contains(bucket);
          return owner == "requester-key" && bucket == readable_bucket;
        },
        [this](std::string_view address) { return address != refused_address; },
        [this] { return open_id; },
        std::move(options),
        {},
        assistant,
        control.get(),
        {{"epochs", "whole numbers from 1", "10", "How often every photo is seen."}},
        [](const std::map<std::string, std::string>& values) -> Status {
          if (!values.contains("wrong")) return {};
          return fail(ErrorCode::kInvalidArgument, "wrong is {}: nothing is allowed", values.at("wrong"));
        },
        [this](const std::string& job_id) {
          const auto found = assistants_of_jobs.find(job_id);
          return found == assistants_of_jobs.end() ? nullptr : found->second;
        }};
    portal = std::make_unique<portal::Portal>(std::move(context));
    router = {};
    portal->add_routes(router);
  }

  Browser browser_of(const identity::Account& account) {
    const auto made = sessions->create(account).value();
    return {cookie_prefix + made.token, made.session.csrf};
  }

  http::Request request(const std::string& method, const std::string& target, const std::string& body = {},
                        const Browser& browser = {}) const {
    http::Request made;
    made.method = method;
    made.target = target;
    const auto parsed = http::parse_target(target).value();
    made.path = parsed.path;
    made.query = parsed.query;
    made.remote_address = remote_address;
    made.secure = secure;
    made.headers.add("Host", "label.example.org");
    made.body.assign(body.begin(), body.end());
    if (!body.empty()) made.headers.add("Content-Type", "application/json");
    if (!browser.cookie.empty()) made.headers.add("Cookie", browser.cookie);
    if (!browser.csrf.empty()) made.headers.add("X-CSRF-Token", browser.csrf);
    return made;
  }

  Answered send(http::Request asked) const {
    const auto match = router.find(asked.method, asked.path).value();
    if (match.route == nullptr) throw std::runtime_error("the portal does not take " + asked.target);
    asked.parameters = match.parameters;
    const http::Response response = match.route->handler(asked).value();
    Answered answered;
    answered.status = response.status;
    answered.headers = response.headers;
    answered.text = response.source ? read_all_text(*response.source, 1 << 24).value()
                                    : std::string(response.body.begin(), response.body.end());
    answered.body = json::parse(answered.text, nullptr, false);
    return answered;
  }

  Answered ask(const std::string& method, const std::string& target, const json& body,
               const Browser& browser) const {
    return send(request(method, target, body.dump(), browser));
  }
  Answered get(const std::string& target, const Browser& browser = {}) const {
    return send(request("GET", target, {}, browser));
  }
  Answered post(const std::string& target, const json& body, const Browser& browser = {}) const {
    return send(request("POST", target, body.dump(), browser));
  }

  FakeTasks tasks{clock};
  FakeJobs jobs;
  FakeObjects objects;
  std::unique_ptr<labeling::Workforces> workforces;
  std::unique_ptr<identity::AccessKeys> keys;
  std::vector<std::string> registered{"count-turtles"};
  std::set<std::string> refused_buckets{"secrets"};  // to accounts
  std::string readable_bucket = "photos", refused_address = "203.0.113.66";
  std::shared_ptr<identity::OpenIdConnect> open_id;
  std::shared_ptr<const assist::Assistant> assistant;
  std::map<std::string, std::shared_ptr<const assist::Assistant>> assistants_of_jobs;  // by id
  std::unique_ptr<control::ControlPlane> control;
  std::string remote_address = "198.51.100.7", cookie_prefix = "terrapin-session=";
  bool secure = false;
  std::unique_ptr<portal::Portal> portal;
  http::Router router;
};

}  // namespace terrapin::test
