#include "identity/openid_connect.h"

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

#include "base/base64.h"
#include "crypto/hash.h"
#include "identity/base64url.h"
#include "identity/schema.h"
#include "identity/server_key.h"
#include "identity/text_member.h"

namespace terrapin::identity {
namespace {

using nlohmann::json;

constexpr std::chrono::seconds kEndpointsKept = std::chrono::hours(1), kErrorKept{10};
constexpr auto kKeysAskedAgainAfter = std::chrono::minutes(1);  // for a key id that is unknown
constexpr auto kKeysKept = std::chrono::hours(1);
constexpr std::size_t kMaxUsedCookies = 100'000;

std::string url_encode(std::string_view text) {
  static constexpr char kDigits[] = "0123456789ABCDEF";
  std::string result;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '-' || c == '.' || c == '_' || c == '~';
    if (plain) {
      result += c;
    } else {
      result += {'%', kDigits[byte >> 4], kDigits[byte & 15]};
    }
  }
  return result;
}

std::string form_of(const std::vector<std::pair<std::string, std::string>>& fields) {
  std::string form;
  for (const auto& [name, value] : fields) {
    if (!form.empty()) form += '&';
    form.append(url_encode(name)).append("=").append(url_encode(value));
  }
  return form;
}

std::vector<std::string> groups_of(const json& claims) {
  std::vector<std::string> groups;
  const auto found = claims.find("sagemaker:groups");
  if (found == claims.end()) return groups;
  if (found->is_array()) {
    for (const json& group : *found)
      if (group.is_string()) groups.push_back(group.get<std::string>());
  } else if (found->is_string()) {
    const std::string text = found->get<std::string>();
    for (std::size_t start = 0; start <= text.size();) {
      const std::size_t end = std::min(text.find(',', start), text.size());
      const std::size_t first = text.find_first_not_of(' ', start);
      if (first < end) groups.push_back(text.substr(first, text.find_last_not_of(' ', end - 1) - first + 1));
      start = end + 1;
    }
  }
  return groups;
}

tl::unexpected<Error> wrong_state() {
  return fail(ErrorCode::kDenied,
              "this sign-in was not begun in this browser, or took too long: begin again");
}

}  // namespace

OpenIdConnect::OpenIdConnect(OpenIdSettings settings, Bytes key, const Clock& clock)
    : settings_(std::move(settings)), key_(std::move(key)), clock_(clock) {
  policy_.ca_file = settings_.ca_file;
  for (const std::string& url :
       {settings_.issuer, settings_.token_endpoint, settings_.userinfo_endpoint, settings_.jwks_uri}) {
    if (!url.empty()) policy_.configured_hosts.push_back(host_of_url(url));
  }
}

Result<std::unique_ptr<OpenIdConnect>> OpenIdConnect::make(OpenIdSettings settings, const Bytes& server_key,
                                                           const Clock& clock) {
  const std::pair<const char*, const std::string*> needed[] = {{"issuer", &settings.issuer},
                                                               {"client_id", &settings.client_id},
                                                               {"redirect_uri", &settings.redirect_uri}};
  for (const auto& [name, value] : needed)
    if (value->empty()) return fail(ErrorCode::kInvalidArgument, "OpenID Connect: '{}' must be set", name);
  const std::pair<const char*, const std::string*> urls[] = {
      {"issuer", &settings.issuer},
      {"authorization_endpoint", &settings.authorization_endpoint},
      {"token_endpoint", &settings.token_endpoint},
      {"userinfo_endpoint", &settings.userinfo_endpoint},
      {"jwks_uri", &settings.jwks_uri},
      {"redirect_uri", &settings.redirect_uri}};
  for (const auto& [name, value] : urls) {
    const bool web = value->starts_with("https://") || value->starts_with("http://");
    if (!value->empty() && (!web || host_of_url(*value).empty()))
      return fail(ErrorCode::kInvalidArgument, "OpenID Connect: {} '{}' is no https:// address", name,
                  *value);
  }
  return std::unique_ptr<OpenIdConnect>(
      new OpenIdConnect(std::move(settings), derive_key(server_key, "openid-connect"), clock));
}

Result<std::string> OpenIdConnect::fetch_json(const HttpsRequest& request) {
  TERRAPIN_TRY(HttpsAnswer answer, fetch_https(request, policy_));
  const bool redirect = answer.status >= 300 && answer.status < 400;
  if (answer.status != 200) {
    return fail(ErrorCode::kIo, "{} answered {}{}", host_of_url(request.url), answer.status,
                redirect ? ": redirects are not followed" : "");
  }
  return std::move(answer.body);
}

Result<OpenIdConnect::Endpoints> OpenIdConnect::endpoints() {
  Endpoints result{settings_.authorization_endpoint, settings_.token_endpoint, settings_.userinfo_endpoint,
                   settings_.jwks_uri};
  if (!result.authorization.empty() && !result.token.empty() && !result.keys.empty()) return result;
  {
    const std::lock_guard lock(mutex_);
    if (clock_.now() < endpoints_until_) {
      if (discovery_error_) return tl::unexpected<Error>(*discovery_error_);
      if (endpoints_) return *endpoints_;
    }
  }
  Result<Endpoints> found = discover(result);
  const std::lock_guard lock(mutex_);
  endpoints_.reset();
  discovery_error_.reset();
  if (found) {
    endpoints_ = *found;
  } else {
    discovery_error_ = found.error();
  }
  endpoints_until_ = clock_.now() + (found ? kEndpointsKept : kErrorKept);
  return found;
}

// Fills in what `result` lacks.
Result<OpenIdConnect::Endpoints> OpenIdConnect::discover(Endpoints result) {
  std::string base = settings_.issuer;
  while (!base.empty() && base.back() == '/') base.pop_back();
  TERRAPIN_TRY(const std::string body, fetch_json({base + "/.well-known/openid-configuration", "", {}}));
  const json document = json::parse(body, nullptr, false);
  if (!document.is_object() || text_member(document, "issuer") != settings_.issuer) {
    return fail(ErrorCode::kCorrupt, "the discovery document of {} is of another issuer", settings_.issuer);
  }
  const auto fill = [&](std::string& endpoint, const char* name, bool needed) -> Status {
    if (endpoint.empty()) endpoint = text_member(document, name);
    const bool web = endpoint.starts_with("https://") ||
                     (endpoint.starts_with("http://") && settings_.issuer.starts_with("http://"));
    if ((endpoint.empty() && needed) || (!endpoint.empty() && !web)) {
      return fail(ErrorCode::kCorrupt, "the discovery document of {} needs a '{}' that begins with https://",
                  settings_.issuer, name);
    }
    return {};
  };
  TERRAPIN_TRY_STATUS(fill(result.authorization, "authorization_endpoint", true));
  TERRAPIN_TRY_STATUS(fill(result.token, "token_endpoint", true));
  TERRAPIN_TRY_STATUS(fill(result.keys, "jwks_uri", true));
  TERRAPIN_TRY_STATUS(fill(result.userinfo, "userinfo_endpoint", false));
  return result;
}

Result<SigningKeys> OpenIdConnect::keys_for(const std::string& key_id, const std::string& url) {
  {
    const std::lock_guard lock(mutex_);
    const auto age = clock_.now() - keys_fetched_;
    const bool known = keys_ && (key_id.empty() || keys_->has(key_id));
    if (keys_ && age < kKeysKept && (known || age < kKeysAskedAgainAfter)) return *keys_;
  }
  TERRAPIN_TRY(const std::string body, fetch_json({url, "", {}}));
  TERRAPIN_TRY(SigningKeys keys, SigningKeys::parse(body));
  const std::lock_guard lock(mutex_);
  keys_ = keys;
  keys_fetched_ = clock_.now();
  return keys;
}

std::string OpenIdConnect::proof(const char* purpose, const std::string& cookie, std::int64_t expires) const {
  return encode_base64url(
      crypto::hmac_sha256(key_, fmt::format("{}\n{}\n{}\n{}", purpose, settings_.issuer, cookie, expires)));
}

Result<OpenIdStart> OpenIdConnect::start() {
  TERRAPIN_TRY(const Endpoints to, endpoints());
  const std::string cookie = new_token();
  const std::int64_t expires = to_microseconds(clock_.now() + settings_.sign_in_time) / 1'000'000;
  const std::string verifier = proof("verifier", cookie, expires);
  const std::string challenge =
      encode_base64url(crypto::hash(crypto::HashKind::kSha256, std::string_view(verifier)));
  std::vector<std::pair<std::string, std::string>> fields(settings_.request_parameters.begin(),
                                                          settings_.request_parameters.end());
  // Ours come last and replace what a setting might have said.
  const std::pair<const char*, std::string> ours[] = {
      {"response_type", "code"},
      {"client_id", settings_.client_id},
      {"redirect_uri", settings_.redirect_uri},
      {"scope", settings_.scope},
      {"state", fmt::format("{}.{}", expires, proof("state", cookie, expires))},
      {"nonce", proof("nonce", cookie, expires)},
      {"code_challenge", challenge},
      {"code_challenge_method", "S256"}};
  for (const auto& [name, value] : ours) {
    std::erase_if(fields, [&, key = std::string(name)](const auto& field) { return field.first == key; });
    fields.emplace_back(name, value);
  }
  const char* joint = to.authorization.find('?') == std::string::npos ? "?" : "&";
  return OpenIdStart{to.authorization + joint + form_of(fields), cookie};
}

Status OpenIdConnect::use_state(const std::string& cookie, const std::string& state) {
  const std::size_t dot = state.find('.');
  std::int64_t expires = 0;
  if (!looks_like_token(cookie) || dot == std::string::npos ||
      std::from_chars(state.data(), state.data() + dot, expires).ptr != state.data() + dot ||
      !crypto::equal_in_constant_time(state.substr(dot + 1), proof("state", cookie, expires)))
    return wrong_state();
  const std::int64_t now = to_microseconds(clock_.now()) / 1'000'000;
  if (expires <= now) return wrong_state();
  const std::lock_guard lock(mutex_);
  used_cookies_.erase(used_cookies_.begin(), used_cookies_.lower_bound({now, std::string()}));
  if (used_cookies_.size() >= kMaxUsedCookies) used_cookies_.erase(used_cookies_.begin());
  if (!used_cookies_.emplace(expires, cookie).second) return wrong_state();
  return {};
}

Result<OpenIdIdentity> OpenIdConnect::finish(const std::string& cookie, const std::string& state,
                                             const std::string& code, const std::string& issuer) {
  TERRAPIN_TRY_STATUS(use_state(cookie, state));
  if (!issuer.empty() && issuer != settings_.issuer)
    return fail(ErrorCode::kDenied, "the answer comes from another provider (iss)");
  if (code.empty() || code.size() > 4096)
    return fail(ErrorCode::kDenied, "the provider gave no code of 1 to 4096 bytes");
  std::int64_t expires = 0;
  std::from_chars(state.data(), state.data() + state.find('.'), expires);
  TERRAPIN_TRY(const Endpoints to, endpoints());

  HttpsRequest request{to.token, "", {{"Accept", "application/json"}}};
  std::vector<std::pair<std::string, std::string>> fields{
      {"grant_type", "authorization_code"},
      {"code", code},
      {"redirect_uri", settings_.redirect_uri},
      {"code_verifier", proof("verifier", cookie, expires)}};
  if (settings_.secret_in_body || settings_.client_secret.empty()) {
    fields.emplace_back("client_id", settings_.client_id);
    if (!settings_.client_secret.empty()) fields.emplace_back("client_secret", settings_.client_secret);
  } else {
    const std::string pair = url_encode(settings_.client_id) + ":" + url_encode(settings_.client_secret);
    request.headers.emplace_back(
        "Authorization",
        "Basic " + base64({reinterpret_cast<const std::uint8_t*>(pair.data()), pair.size()}));
  }
  request.form = form_of(fields);
  TERRAPIN_TRY(const HttpsAnswer answer, fetch_https(request, policy_));
  if (answer.status >= 400 && answer.status < 500)
    return fail(ErrorCode::kDenied, "the provider refuses the code: begin again");
  if (answer.status != 200)
    return fail(ErrorCode::kIo, "{} answered {}", host_of_url(to.token), answer.status);
  const json tokens = json::parse(answer.body, nullptr, false);
  if (!tokens.is_object()) return fail(ErrorCode::kIo, "{} answered no JSON", host_of_url(to.token));
  const std::string id_token = text_member(tokens, "id_token"),
                    access_token = text_member(tokens, "access_token");

  TERRAPIN_TRY(const std::string key_id, key_id_of(id_token));
  TERRAPIN_TRY(const SigningKeys keys, keys_for(key_id, to.keys));
  IdTokenExpectations expected{settings_.issuer, settings_.client_id, proof("nonce", cookie, expires),
                               clock_.now()};
  TERRAPIN_TRY(const std::string claims_text, verify_id_token(id_token, keys, expected));
  json claims = json::parse(claims_text, nullptr, false);
  const bool usable_token =
      !access_token.empty() && access_token.size() < 16'384 &&
      std::all_of(access_token.begin(), access_token.end(), [](char c) { return c > 0x20 && c < 0x7f; });
  if (!claims.contains("sagemaker:groups") && !to.userinfo.empty() && usable_token) {
    TERRAPIN_TRY(const std::string body,
                 fetch_json({to.userinfo, "", {{"Authorization", "Bearer " + access_token}}}));
    const json more = json::parse(body, nullptr, false);
    if (!more.is_object() || text_member(more, "sub") != text_member(claims, "sub"))
      return fail(ErrorCode::kDenied, "the provider's userinfo is of another subject");
    for (const auto& [name, value] : more.items())
      if (!claims.contains(name)) claims[name] = value;
  }
  if (claims.contains("sagemaker:client_id") &&
      text_member(claims, "sagemaker:client_id") != settings_.client_id)
    return fail(ErrorCode::kDenied, "the claim sagemaker:client_id names another client");
  OpenIdIdentity identity;
  identity.issuer = settings_.issuer;
  identity.subject = text_member(claims, "sagemaker:sub");
  if (identity.subject.empty()) identity.subject = text_member(claims, "sub");
  if (identity.subject.size() > 255)
    return fail(ErrorCode::kDenied, "the claim sagemaker:sub must have 1 to 255 bytes");
  for (const char* name : {"sagemaker:name", "name", "email"})
    if (identity.name.empty()) identity.name = text_member(claims, name);
  identity.groups = groups_of(claims);
  return identity;
}

}  // namespace terrapin::identity
