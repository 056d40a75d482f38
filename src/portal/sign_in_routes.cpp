// Coming in and going out.
#include "base/logging.h"
#include "portal/fields.h"
#include "portal/implementation.h"

namespace terrapin::portal {
namespace {

constexpr const char* kSessionCookie = "terrapin-session";
constexpr const char* kOpenIdCookie = "terrapin-open-id";

json open_invitation_json(const identity::Invitation& invitation) {
  return json{{"name", invitation.name}, {"expires", time_text(invitation.expires)}};
}

http::Response wait_answer(std::chrono::seconds wait) {
  http::Response response = refusal(429, "TooManyRequests",
                                    fmt::format("too many sign-ins failed: try again in {} s", wait.count()));
  response.headers.set("Retry-After", std::to_string(wait.count()));
  return response;
}

http::Response address_answer() {
  return refusal(403, "AddressNotAllowed", "workers may not connect from this address");
}

http::Response see_other(const std::string& url) {
  http::Response response;
  response.status = 303;
  response.headers.set("Location", url);
  return response;
}

}  // namespace

Portal::Implementation::Handled Portal::Implementation::sign_in_methods(Call&) {
  const bool open_id = context_.open_id && context_.open_id() != nullptr;
  return json_answer(200, json{{"password", true}, {"open_id", open_id}});
}

// Roles other than worker's are not bound to the workforce's addresses: an admin could lock everybody out.
bool Portal::Implementation::address_refused(const Call& call,
                                             const std::vector<identity::Role>& roles) const {
  const bool worker_only = roles == std::vector<identity::Role>{identity::Role::kWorker};
  return worker_only && context_.address_allowed && !context_.address_allowed(call.request.remote_address);
}

Portal::Implementation::Handled Portal::Implementation::signed_in(Call& call,
                                                                  const identity::Account& account,
                                                                  int status, SameSite same_site) {
  if (address_refused(call, account.roles)) return address_answer();
  TERRAPIN_TRY(const identity::NewSession made, context_.sessions.create(account, call.token));
  http::Response response = json_answer(status, json{{"account", account_json(made.session.account)},
                                                     {"csrf", made.session.csrf},
                                                     {"expires", time_text(made.session.expires)}});
  response.headers.add("Set-Cookie", make_cookie(cookie_name(kSessionCookie, call.secure), made.token,
                                                 call.secure, same_site, context_.options.session_lifetime));
  return response;
}

Portal::Implementation::Handled Portal::Implementation::sign_in(Call& call) {
  Fields fields(call.body);
  const std::string name = fields.text("name"), password = fields.text("password");
  TERRAPIN_TRY_STATUS(fields.finish());
  TERRAPIN_TRY(const identity::SignInOutcome outcome,
               context_.accounts.sign_in(name, password, call.request.remote_address));
  if (outcome.retry_after.count() > 0) return wait_answer(outcome.retry_after);
  if (!outcome.account) {
    spdlog::info("a sign-in from {} failed", call.request.remote_address);
    return refusal(401, "WrongCredentials", "the name or the password is wrong");
  }
  return signed_in(call, *outcome.account, 200, SameSite::kStrict);
}

Portal::Implementation::Handled Portal::Implementation::sign_out(Call& call) {
  TERRAPIN_TRY_STATUS(context_.sessions.end(call.token));
  http::Response response = json_answer(200, json::object());
  response.headers.add("Set-Cookie", make_cookie(cookie_name(kSessionCookie, call.secure), "", call.secure,
                                                 SameSite::kStrict, std::chrono::seconds(0)));
  return response;
}

Portal::Implementation::Handled Portal::Implementation::who_am_i(Call& call) {
  return json_answer(200, json{{"account", account_json(call.account())},
                               {"csrf", call.session->csrf},
                               {"expires", time_text(call.session->expires)}});
}

Portal::Implementation::Handled Portal::Implementation::look_at_invitation(Call& call) {
  Fields fields(call.body);
  const std::string token = fields.text("token");
  TERRAPIN_TRY_STATUS(fields.finish());
  TERRAPIN_TRY(const identity::Invitation invitation, context_.accounts.look_at_invitation(token));
  return json_answer(200, open_invitation_json(invitation));
}

Portal::Implementation::Handled Portal::Implementation::accept_invitation(Call& call) {
  Fields fields(call.body);
  const std::string token = fields.text("token"), name = fields.text_or("name", ""),
                    display_name = fields.text_or("display_name", ""), password = fields.text("password");
  TERRAPIN_TRY_STATUS(fields.finish());
  TERRAPIN_TRY(const identity::Invitation invitation, context_.accounts.look_at_invitation(token));
  if (address_refused(call, invitation.roles)) return address_answer();  // and the invitation stays open
  TERRAPIN_TRY(const identity::Account account,
               context_.accounts.accept_invitation(token, name, display_name, password));
  return signed_in(call, account, 201, SameSite::kStrict);
}

Portal::Implementation::Handled Portal::Implementation::reset_password(Call& call) {
  Fields fields(call.body);
  const std::string token = fields.text("token"), password = fields.text("password");
  TERRAPIN_TRY_STATUS(fields.finish());
  TERRAPIN_TRY(const identity::Account account, context_.accounts.reset_password(token, password));
  return signed_in(call, account, 200, SameSite::kStrict);
}

Portal::Implementation::Handled Portal::Implementation::change_password(Call& call) {
  Fields fields(call.body);
  const std::string old_password = fields.text("old_password"), new_password = fields.text("new_password");
  TERRAPIN_TRY_STATUS(fields.finish());
  TERRAPIN_TRY(const identity::SignInOutcome outcome,
               context_.accounts.change_password(call.account().id, old_password, new_password,
                                                 call.request.remote_address));
  if (outcome.retry_after.count() > 0) return wait_answer(outcome.retry_after);
  if (!outcome.account) return refusal(403, "WrongCredentials", "the old password is wrong");
  return signed_in(call, *outcome.account, 200, SameSite::kStrict);
}

Portal::Implementation::Handled Portal::Implementation::start_open_id(Call& call) {
  const auto provider = context_.open_id ? context_.open_id() : nullptr;
  if (!provider)
    return fail(ErrorCode::kNotFound, "no identity provider is configured: sign in with a password");
  TERRAPIN_TRY(const identity::OpenIdStart start, provider->start());
  http::Response response = see_other(start.url);
  // Lax: the provider's redirect back is a navigation from another site.
  response.headers.add("Set-Cookie",
                       make_cookie(cookie_name(kOpenIdCookie, call.secure), start.cookie, call.secure,
                                   SameSite::kLax, provider->settings().sign_in_time));
  return response;
}

Portal::Implementation::Handled Portal::Implementation::finish_open_id(Call& call) {
  const auto provider = context_.open_id ? context_.open_id() : nullptr;
  if (!provider)
    return fail(ErrorCode::kNotFound, "no identity provider is configured: sign in with a password");
  const auto query = [&](const char* name) {
    return std::string(call.request.query_value(name).value_or(""));
  };
  if (!query("error").empty()) return fail(ErrorCode::kDenied, "the identity provider refused the sign-in");
  const std::string cookie = read_cookie(call.request, cookie_name(kOpenIdCookie, call.secure));
  TERRAPIN_TRY(const identity::OpenIdIdentity who,
               provider->finish(cookie, query("state"), query("code"), query("iss")));
  TERRAPIN_TRY(const identity::Account account, context_.accounts.sign_in_with(who));
  TERRAPIN_TRY(http::Response made, signed_in(call, account, 200, SameSite::kLax));
  if (made.status != 200) return made;
  http::Response response = see_other("/_/");
  response.headers.add("Set-Cookie", std::string(*made.headers.find("Set-Cookie")));
  response.headers.add("Set-Cookie", make_cookie(cookie_name(kOpenIdCookie, call.secure), "", call.secure,
                                                 SameSite::kLax, std::chrono::seconds(0)));
  return response;
}

}  // namespace terrapin::portal
