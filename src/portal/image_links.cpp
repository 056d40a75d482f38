#include "portal/image_links.h"

#include <nlohmann/json.hpp>

#include "base/json_text.h"
#include "crypto/hash.h"
#include "identity/base64url.h"

namespace terrapin::portal {
namespace {

constexpr int kVersion = 1;
constexpr std::size_t kMembers = 6;

}  // namespace

std::string ImageLinks::seal(std::string_view payload) const {
  return identity::encode_base64url(crypto::hmac_sha256(key_, payload));
}

std::string ImageLinks::sign(const ImageGrant& grant) const {
  nlohmann::json granted = nlohmann::json::array();
  granted.push_back(kVersion);
  granted.push_back(to_microseconds(grant.expires) / 1'000'000);
  for (const std::string& text : {grant.account_id, grant.job_name, grant.assignment_id, grant.uri})
    granted.push_back(text);
  const std::string text = json_text(granted);
  const std::string payload =
      identity::encode_base64url({reinterpret_cast<const std::uint8_t*>(text.data()), text.size()});
  return payload + "." + seal(payload);
}

Result<ImageGrant> ImageLinks::verify(std::string_view token, const std::string& account_id,
                                      Timestamp now) const {
  const auto refuse = [] {
    return fail(ErrorCode::kDenied, "this link is not valid for you or has expired: fetch the task again");
  };
  const std::size_t dot = token.find('.');
  if (dot == std::string_view::npos) return refuse();
  const std::string_view payload = token.substr(0, dot);
  Bytes text;
  if (!crypto::equal_in_constant_time(token.substr(dot + 1), seal(payload)) ||
      !identity::decode_base64url(payload, text))
    return refuse();
  const nlohmann::json granted = nlohmann::json::parse(text.begin(), text.end(), nullptr, false);
  if (!granted.is_array() || granted.size() != kMembers || granted[0] != kVersion) return refuse();
  ImageGrant grant;
  grant.expires = from_microseconds(granted[1].get<std::int64_t>() * 1'000'000);
  grant.account_id = granted[2].get<std::string>();
  grant.job_name = granted[3].get<std::string>();
  grant.assignment_id = granted[4].get<std::string>();
  grant.uri = granted[5].get<std::string>();
  if (grant.account_id != account_id || grant.expires <= now) return refuse();
  return grant;
}

}  // namespace terrapin::portal
