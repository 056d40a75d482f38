#include "api/sigv4.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "api/sigv2_link.h"
#include "base/text.h"
#include "crypto/hash.h"

namespace terrapin::api {
namespace {

using storage::CredentialScope;

constexpr std::chrono::minutes kAllowedSkew{15};
constexpr std::int64_t kMaxExpiresSeconds = 604'800;
constexpr std::string_view kTerminator = "aws4_request";

std::vector<std::string> split(std::string_view text, char separator) {
  std::vector<std::string> parts;
  for (;;) {
    const std::size_t end = text.find(separator);
    parts.emplace_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

bool all_digits(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

// "20130524T000000Z"
std::optional<Timestamp> parse_basic_time(std::string_view text) {
  if (text.size() != 16 || text[8] != 'T' || text[15] != 'Z' || !all_digits(text.substr(0, 8)) ||
      !all_digits(text.substr(9, 6)))
    return std::nullopt;
  const auto part = [&](std::size_t at, std::size_t count) { return text.substr(at, count); };
  const auto time = parse_iso_text(fmt::format("{}-{}-{}T{}:{}:{}", part(0, 4), part(4, 2), part(6, 2),
                                               part(9, 2), part(11, 2), part(13, 2)));
  if (!time) return std::nullopt;
  return *time;
}

// "Fri, 24 May 2013 00:00:00 GMT" (RFC 9110, 5.6.7, the form that is sent)
std::optional<Timestamp> parse_http_date(std::string_view text) {
  static constexpr std::string_view kMonths = "JanFebMarAprMayJunJulAugSepOctNovDec";
  if (text.size() != 29 || text.substr(3, 2) != ", " || text.substr(25) != " GMT") return std::nullopt;
  const std::size_t month = kMonths.find(text.substr(8, 3));
  if (month == std::string_view::npos || month % 3 != 0 || text[7] != ' ' || text[11] != ' ' ||
      text[16] != ' ')
    return std::nullopt;
  const auto time = parse_iso_text(fmt::format("{}-{:02}-{}T{}", text.substr(12, 4), month / 3 + 1,
                                               text.substr(5, 2), text.substr(17, 8)));
  if (!time) return std::nullopt;
  return *time;
}

std::string_view raw_query(const http::Request& request) {
  const std::string_view target = request.target;
  const std::size_t question = target.find('?');
  return question == std::string_view::npos ? std::string_view() : target.substr(question + 1);
}

// The refusals, each in the words of its protocol.
class Refusals {
 public:
  Refusals(Protocol protocol, SignatureForm form, std::string resource)
      : protocol_(protocol), presigned_(form == SignatureForm::kQuery), resource_(std::move(resource)) {}

  bool s3() const { return protocol_ == Protocol::kS3; }
  bool presigned() const { return presigned_; }

  tl::unexpected<AwsError> s3_words(int status, std::string code, std::string message,
                                    std::vector<std::pair<std::string, std::string>> details = {}) const {
    return tl::unexpected(
        AwsError{status, std::move(code), std::move(message), resource_, std::move(details)});
  }

  // The credentials cannot be read.
  tl::unexpected<AwsError> malformed(const std::string& s3_text, const std::string& other_text) const {
    if (s3()) return s3_malformed(s3_text);
    return other("IncompleteSignature", 400, other_text);
  }
  tl::unexpected<AwsError> s3_malformed(const std::string& text,
                                        std::vector<std::pair<std::string, std::string>> details = {}) const {
    if (presigned_) return s3_words(400, "AuthorizationQueryParametersError", text, std::move(details));
    return s3_words(400, "AuthorizationHeaderMalformed", "The authorization header is malformed; " + text,
                    std::move(details));
  }
  // The credentials can be read and are not for this place, or for this time.
  tl::unexpected<AwsError> wrong_scope(const std::string& s3_text, const std::string& other_text,
                                       std::vector<std::pair<std::string, std::string>> details = {}) const {
    const std::string start = presigned_ ? "Error parsing the X-Amz-Credential parameter; " : "";
    if (s3()) return s3_malformed(start + s3_text, std::move(details));
    return mismatch(other_text);
  }
  tl::unexpected<AwsError> mismatch(const std::string& other_text) const {
    if (protocol_ == Protocol::kQuery)
      return tl::unexpected(AwsError{403, "SignatureDoesNotMatch", other_text, {}});
    return other("InvalidSignature", 403, other_text);
  }
  tl::unexpected<AwsError> unknown_key(const std::string& id) const {
    if (s3())
      return s3_words(403, "InvalidAccessKeyId",
                      "The AWS Access Key Id you provided does not exist in our records.",
                      {{"AWSAccessKeyId", id}});
    return invalid_token();
  }
  tl::unexpected<AwsError> invalid_token() const {
    if (s3()) return s3_words(400, "InvalidToken", "The provided token is malformed or otherwise invalid.");
    const std::string text = "The security token included in the request is invalid.";
    if (protocol_ == Protocol::kQuery) return tl::unexpected(AwsError{403, "InvalidClientTokenId", text, {}});
    return other("UnrecognizedClient", 403, text);
  }
  tl::unexpected<AwsError> internal(const Error& error) const {
    return tl::unexpected(internal_failure(protocol_, error, "(signature)"));
  }

  // `stem` gets "Exception" in the JSON protocols, where every client error of x-amz-json has status 400.
  tl::unexpected<AwsError> other(const std::string& stem, int status, const std::string& text) const {
    const bool query = protocol_ == Protocol::kQuery;
    return tl::unexpected(
        AwsError{protocol_ == Protocol::kJson ? 400 : status, query ? stem : stem + "Exception", text, {}});
  }

 private:
  Protocol protocol_;
  bool presigned_;
  std::string resource_;
};

struct Claim {
  SignatureForm form = SignatureForm::kHeader;
  std::string key_id, terminator, signature;
  CredentialScope scope;
  std::vector<std::string> signed_headers;
  std::string time_text;  // basic form
  Timestamp time;
  std::int64_t expires_s = 0;  // kQuery
};

// "AKID/20130524/us-east-1/s3/aws4_request"; the id may hold slashes.
bool read_credential(std::string_view text, Claim& claim) {
  const std::vector<std::string> parts = split(text, '/');
  if (parts.size() < 5) return false;
  const std::size_t last = parts.size() - 1;
  claim.terminator = parts[last];
  claim.scope = {parts[last - 3], parts[last - 2], parts[last - 1]};
  for (std::size_t i = 0; i + 4 <= last; ++i) claim.key_id += (i == 0 ? "" : "/") + parts[i];
  return !claim.key_id.empty();
}

constexpr const char* kCredentialForm =
    "the Credential is mal-formed; expecting \"<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request\".";

AwsResult<Claim> read_header_claim(const http::Request& request, const Refusals& refuse) {
  const std::string_view header = *request.headers.find("authorization");
  Claim claim;
  std::map<std::string, std::string, std::less<>> fields;
  const std::string_view rest = header.substr(std::min(storage::kSigV4Algorithm.size(), header.size()));
  for (const std::string& part : split(rest, ',')) {
    const std::string_view field = trimmed(part);
    const std::size_t equals = field.find('=');
    if (equals == std::string_view::npos) continue;
    fields.emplace(field.substr(0, equals), field.substr(equals + 1));
  }
  std::string missing;
  for (const char* name : {"Credential", "Signature", "SignedHeaders"}) {
    if (fields.contains(name)) continue;
    if (refuse.s3())
      return refuse.s3_malformed(
          fmt::format("the authorization header requires three components: Credential, "
                      "SignedHeaders, and Signature; {} is missing.",
                      name));
    missing +=
        fmt::format("{}Authorization header requires '{}' parameter.", missing.empty() ? "" : " ", name);
  }
  const auto date = request.headers.find("x-amz-date");
  const auto plain_date = request.headers.find("date");
  if (!date && !plain_date && !refuse.s3())
    missing +=
        fmt::format("{}Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.",
                    missing.empty() ? "" : " ");
  if (!missing.empty()) return refuse.malformed({}, missing);
  if (!read_credential(fields["Credential"], claim))
    return refuse.malformed(kCredentialForm,
                            fmt::format("Credential must have exactly 5 slash-delimited elements, e.g. "
                                        "keyid/date/region/service/term, got '{}'",
                                        fields["Credential"]));
  claim.signature = fields["Signature"];
  claim.signed_headers = split(fields["SignedHeaders"], ';');
  const auto time = date ? parse_basic_time(*date) : std::optional<Timestamp>();
  const auto plain_time = !date && plain_date ? parse_http_date(*plain_date) : std::optional<Timestamp>();
  if (!time && !plain_time) {
    if (refuse.s3())
      return refuse.s3_words(403, "AccessDenied",
                             "AWS authentication requires a valid Date or x-amz-date header");
    return refuse.malformed({}, fmt::format("Date must be in ISO-8601 'basic format'. Got '{}'. See "
                                            "http://en.wikipedia.org/wiki/ISO_8601",
                                            date ? *date : *plain_date));
  }
  claim.time = time ? *time : *plain_time;
  claim.time_text = storage::basic_time_text(claim.time);
  return claim;
}

AwsResult<Claim> read_query_claim(const http::Request& request, const Refusals& refuse) {
  Claim claim;
  claim.form = SignatureForm::kQuery;
  const auto algorithm = request.query_value("X-Amz-Algorithm"), date = request.query_value("X-Amz-Date"),
             credential = request.query_value("X-Amz-Credential"),
             names = request.query_value("X-Amz-SignedHeaders"),
             signature = request.query_value("X-Amz-Signature"),
             expires = request.query_value("X-Amz-Expires");
  if (!algorithm || !date || !credential || !names || !signature || (!expires && refuse.s3())) {
    const std::string text =
        "Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, "
        "X-Amz-Signature, X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters.";
    return refuse.malformed(text, text);
  }
  if (*algorithm != storage::kSigV4Algorithm)
    return refuse.malformed("X-Amz-Algorithm only supports \"AWS4-HMAC-SHA256\"",
                            fmt::format("Unsupported AWS 'algorithm': '{}'", *algorithm));
  if (!read_credential(*credential, claim))
    return refuse.malformed(fmt::format("Error parsing the X-Amz-Credential parameter; {}", kCredentialForm),
                            fmt::format("Credential must have exactly 5 slash-delimited elements, e.g. "
                                        "keyid/date/region/service/term, got '{}'",
                                        *credential));
  const auto time = parse_basic_time(*date);
  if (!time)
    return refuse.malformed("X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\"",
                            fmt::format("Date must be in ISO-8601 'basic format'. Got '{}'.", *date));
  claim.time = *time;
  claim.time_text = *date;
  claim.signature = *signature;
  claim.signed_headers = split(*names, ';');
  claim.expires_s = 900;  // STS and its like need no X-Amz-Expires
  if (expires) {
    const auto read = std::from_chars(expires->data(), expires->data() + expires->size(), claim.expires_s);
    if (read.ec == std::errc::result_out_of_range && expires->front() != '-') claim.expires_s = INT64_MAX;
    const bool number = !expires->empty() && read.ptr == expires->data() + expires->size() &&
                        read.ec != std::errc::invalid_argument;
    if (!number)
      return refuse.malformed("X-Amz-Expires should be a number", "X-Amz-Expires should be a number");
    if (claim.expires_s < 1)
      return refuse.malformed("X-Amz-Expires must be non-negative and at least 1",
                              "X-Amz-Expires must be at least 1");
    if (claim.expires_s > kMaxExpiresSeconds) {
      const std::string text =
          "X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires must be "
          "less "
          "than 604800 seconds";
      return refuse.malformed(text, text);
    }
  }
  return claim;
}

// The scope names this place and service, and its day is that of the request's time.
tl::expected<void, AwsError> check_scope(const Claim& claim, const std::string& service, const Place& place,
                                         const Refusals& refuse) {
  if (claim.scope.date.size() != 8 || !all_digits(claim.scope.date))
    return refuse.wrong_scope(
        fmt::format(
            "incorrect date format \"{}\". This date in the credential must be in the format \"yyyyMMdd\".",
            claim.scope.date),
        fmt::format(
            "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: "
            "'{}' != '{}', from '{}'.",
            claim.scope.date, claim.time_text.substr(0, 8), claim.time_text));
  if (claim.scope.date != claim.time_text.substr(0, 8))
    return refuse.wrong_scope(
        fmt::format("Invalid credential date \"{}\". This date is not the same as X-Amz-Date: \"{}\".",
                    claim.scope.date, claim.time_text.substr(0, 8)),
        fmt::format(
            "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: "
            "'{}' != '{}', from '{}'.",
            claim.scope.date, claim.time_text.substr(0, 8), claim.time_text));
  // STS and IAM have a global address, which signs for us-east-1 wherever the caller is.
  const bool global = (service == "sts" || service == "iam") && claim.scope.region == "us-east-1";
  if (claim.scope.region != place.region && !global)
    return refuse.wrong_scope(
        fmt::format("the region '{}' is wrong; expecting '{}'", claim.scope.region, place.region),
        fmt::format("Credential should be scoped to a valid region, not '{}': this is '{}'.",
                    claim.scope.region, place.region),
        {{"Region", place.region}});
  if (claim.scope.service != service)
    return refuse.wrong_scope(fmt::format("incorrect service \"{}\". This endpoint belongs to \"{}\".",
                                          claim.scope.service, service),
                              fmt::format("Credential should be scoped to correct service: '{}'.", service));
  if (claim.terminator != kTerminator)
    return refuse.wrong_scope(
        fmt::format("incorrect terminal \"{}\". This endpoint uses \"{}\".", claim.terminator, kTerminator),
        fmt::format("Credential should be scoped with a valid terminator: '{}', not '{}'.", kTerminator,
                    claim.terminator));
  return {};
}

tl::expected<void, AwsError> check_time(const Claim& claim, Timestamp now, const Refusals& refuse) {
  const auto shown = [](Timestamp time) { return iso_text(time) + "Z"; };
  const auto basic = [](Timestamp time) { return storage::basic_time_text(time); };
  if (claim.form == SignatureForm::kQuery) {
    const Timestamp end = claim.time + std::chrono::seconds(claim.expires_s);
    if (now > end) {
      if (refuse.s3())
        return refuse.s3_words(403, "AccessDenied", "Request has expired",
                               {{"X-Amz-Expires", fmt::format("{}", claim.expires_s)},
                                {"Expires", shown(end)},
                                {"ServerTime", shown(now)}});
      return refuse.mismatch(
          fmt::format("Signature expired: {} is now earlier than {}", basic(end), basic(now)));
    }
  }
  if (claim.time > now + kAllowedSkew) {
    if (refuse.s3() && claim.form == SignatureForm::kQuery)
      return refuse.s3_words(403, "AccessDenied", "Request is not valid yet",
                             {{"X-Amz-Date", claim.time_text}, {"ServerTime", shown(now)}});
    if (!refuse.s3())
      return refuse.mismatch(
          fmt::format("Signature not yet current: {} is still later than {} ({} + 15 min.)", claim.time_text,
                      basic(now + kAllowedSkew), basic(now)));
  }
  const bool late = claim.form == SignatureForm::kHeader && claim.time < now - kAllowedSkew;
  if (late && !refuse.s3())
    return refuse.mismatch(fmt::format("Signature expired: {} is now earlier than {} ({} - 15 min.)",
                                       claim.time_text, basic(now - kAllowedSkew), basic(now)));
  if (late || claim.time > now + kAllowedSkew)
    return refuse.s3_words(403, "RequestTimeTooSkewed",
                           "The difference between the request time and the current time is too large.",
                           {{"RequestTime", claim.time_text},
                            {"ServerTime", shown(now)},
                            {"MaxAllowedSkewMilliseconds", "900000"}});
  return {};
}

// host and every x-amz-* header take part, so that nobody on the way can add one.
tl::expected<void, AwsError> check_signed_headers(const http::Request& request, const Claim& claim,
                                                  const Refusals& refuse) {
  const auto is_signed = [&](const std::string& name) {
    return std::find(claim.signed_headers.begin(), claim.signed_headers.end(), name) !=
           claim.signed_headers.end();
  };
  std::string left_out;
  if (!is_signed("host")) {
    if (!refuse.s3())
      return refuse.mismatch("'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.");
    left_out = "host";
  }
  for (const auto& [field, value] : request.headers.fields()) {
    const std::string name = lower_case(field);
    if (!name.starts_with("x-amz-") || is_signed(name)) continue;
    left_out += (left_out.empty() ? "" : ", ") + name;
  }
  if (left_out.empty()) return {};
  const std::string text = "There were headers present in the request which were not signed";
  if (refuse.s3()) return refuse.s3_words(403, "AccessDenied", text, {{"HeadersNotSigned", left_out}});
  return refuse.mismatch(fmt::format("{}: {}", text, left_out));
}

Result<std::string> sha256_of_body(const http::Request& request) {
  if (!request.spooled) return crypto::hex(crypto::hash(crypto::HashKind::kSha256, request.body));
  crypto::Hasher hasher(crypto::HashKind::kSha256);
  Bytes block(256 << 10);
  for (std::int64_t at = 0; at < request.spooled->size();) {
    const auto part = std::span(block).first(static_cast<std::size_t>(
        std::min<std::int64_t>(static_cast<std::int64_t>(block.size()), request.spooled->size() - at)));
    TERRAPIN_TRY_STATUS(request.spooled->read(at, part));
    hasher.add(part);
    at += static_cast<std::int64_t>(part.size());
  }
  return crypto::hex(hasher.finish());
}

bool is_sha256_text(std::string_view text) {
  return text.size() == 64 && std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
         });
}

// The line of the canonical request that stands for the body; fills in what the body must be.
AwsResult<std::string> payload_line(const http::Request& request, const Refusals& refuse,
                                    VerifiedSignature& verified) {
  if (!refuse.s3()) {
    const auto hash = sha256_of_body(request);
    if (!hash) return refuse.internal(hash.error());
    verified.payload = PayloadKind::kHash;
    verified.payload_hash = *hash;
    return *hash;
  }
  auto value = request.headers.find(kContentHash);
  if (!value && refuse.presigned()) value = request.query_value("X-Amz-Content-Sha256");
  if (!value && refuse.presigned()) value = storage::kUnsignedPayload;
  if (!value)
    return refuse.s3_words(400, "InvalidRequest",
                           "Missing required header for this request: x-amz-content-sha256");
  struct Form {
    std::string_view text;
    PayloadKind kind;
  };
  static constexpr std::array kForms = {
      Form{storage::kUnsignedPayload, PayloadKind::kUnsigned},
      Form{"STREAMING-AWS4-HMAC-SHA256-PAYLOAD", PayloadKind::kSignedChunks},
      Form{"STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER", PayloadKind::kSignedChunksTrailer},
      Form{"STREAMING-UNSIGNED-PAYLOAD-TRAILER", PayloadKind::kUnsignedChunksTrailer},
  };
  const auto form =
      std::find_if(kForms.begin(), kForms.end(), [&](const Form& each) { return each.text == *value; });
  if (form != kForms.end()) {
    verified.payload = form->kind;
  } else if (is_sha256_text(lower_case(std::string(*value)))) {
    verified.payload = PayloadKind::kHash;
    verified.payload_hash = lower_case(std::string(*value));
  } else {
    return refuse.s3_words(
        400, "InvalidArgument",
        "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, STREAMING-UNSIGNED-PAYLOAD-TRAILER, "
        "STREAMING-AWS4-HMAC-SHA256-PAYLOAD, STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER, or a "
        "valid sha256 value.",
        {{"ArgumentName", std::string(kContentHash)}, {"ArgumentValue", std::string(*value)}});
  }
  return std::string(*value);
}

// Canonical values of a header that may stand more than once.
std::string header_value(const http::Request& request, const std::string& name) {
  std::string result;
  bool first = true;
  for (const auto& [field, value] : request.headers.fields()) {
    if (!same_ignoring_case(field, name)) continue;
    if (!first) result += ',';
    first = false;
    result += storage::folded_value(value);
  }
  return result;
}

}  // namespace

SignatureClaim signature_claim(const http::Request& request) {
  const auto header = request.headers.find("authorization");
  const bool in_query = request.query_value("X-Amz-Algorithm") || request.query_value("X-Amz-Signature") ||
                        request.query_value("X-Amz-Credential");
  const bool version_2 = claims_sigv2_link(request);
  SignatureClaim claim;
  if (!header && !in_query) {
    if (!version_2) return claim;
    return {SignatureForm::kQueryVersion2, "s3", ""};
  }
  std::string_view credential;
  if (header) {
    const std::size_t at = header->find("Credential=");
    if (at != std::string_view::npos) credential = header->substr(at + 11);
    credential = trimmed(credential.substr(0, credential.find(',')));
  } else if (const auto value = request.query_value("X-Amz-Credential")) {
    credential = *value;
  }
  Claim read;
  if (read_credential(credential, read)) {
    claim.service = read.scope.service;
    claim.key_id = read.key_id;
  }
  const bool ours = !header || header->starts_with(std::string(storage::kSigV4Algorithm) + " ");
  if ((header && in_query) || version_2 || !ours) {
    claim.form = SignatureForm::kOther;
  } else {
    claim.form = header ? SignatureForm::kHeader : SignatureForm::kQuery;
  }
  return claim;
}

AwsResult<VerifiedSignature> verify_signature(const http::Request& request, Protocol protocol,
                                              const std::string& service, const Place& place,
                                              const KeyFinder& find_key, const Clock& clock,
                                              const std::string& host_bucket) {
  const SignatureForm form = signature_claim(request).form;
  const Refusals refuse(protocol, form, request.path);
  if (form == SignatureForm::kNone) {
    if (refuse.s3()) return refuse.s3_words(403, "AccessDenied", "Access Denied");
    return refuse.other("MissingAuthenticationToken", 403, "Missing Authentication Token");
  }
  if (form == SignatureForm::kQueryVersion2 && refuse.s3())
    return verify_sigv2_link(request, host_bucket, find_key, clock);
  if (form == SignatureForm::kOther || form == SignatureForm::kQueryVersion2) {
    if (!refuse.s3())
      return refuse.other(
          "IncompleteSignature", 400,
          "the only authorization served is one of AWS4-HMAC-SHA256, in the header or in the query");
    const auto header = request.headers.find("authorization");
    if (header && header->starts_with(storage::kSigV4Algorithm))
      return refuse.s3_words(
          400, "InvalidArgument",
          "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature "
          "query string parameter or the Authorization header should be specified");
    if (header && !header->starts_with("AWS "))
      return refuse.s3_words(400, "InvalidArgument", "Unsupported Authorization Type",
                             {{"ArgumentName", "Authorization"}});
    return refuse.s3_words(400, "InvalidRequest",
                           "The authorization mechanism you have provided is not supported. Please use "
                           "AWS4-HMAC-SHA256.");
  }
  const auto token = form == SignatureForm::kQuery ? request.query_value("X-Amz-Security-Token")
                                                   : request.headers.find("x-amz-security-token");
  const auto read =
      form == SignatureForm::kQuery ? read_query_claim(request, refuse) : read_header_claim(request, refuse);
  if (!read) return tl::unexpected(read.error());
  const Claim& claim = *read;
  if (const auto scope = check_scope(claim, service, place, refuse); !scope)
    return tl::unexpected(scope.error());
  if (const auto time = check_time(claim, clock.now(), refuse); !time) return tl::unexpected(time.error());
  if (const auto names = check_signed_headers(request, claim, refuse); !names)
    return tl::unexpected(names.error());
  if (token && !token->empty()) return refuse.invalid_token();

  auto key = find_key(claim.key_id);
  if (!key) return refuse.internal(key.error());
  if (!*key) return refuse.unknown_key(claim.key_id);

  VerifiedSignature verified;
  auto payload = payload_line(request, refuse, verified);
  if (!payload) return tl::unexpected(payload.error());
  storage::SignedRequest text;
  text.method = request.method;
  text.path = storage::canonical_path(
      request.path, refuse.s3() ? storage::PathRule::kS3 : storage::PathRule::kEncodedTwice);
  text.query =
      storage::canonical_query(raw_query(request), form == SignatureForm::kQuery ? "X-Amz-Signature" : "");
  for (const std::string& name : claim.signed_headers)
    text.headers.emplace_back(name, header_value(request, name));
  text.payload_hash = *payload;
  const std::string canonical = storage::canonical_request(text);
  const std::string to_sign = storage::string_to_sign(claim.time_text, claim.scope, canonical);
  verified.signing_key = storage::signing_key((*key)->secret, claim.scope);
  if (!crypto::equal_in_constant_time(storage::signature(verified.signing_key, to_sign), claim.signature)) {
    if (refuse.s3())
      return refuse.s3_words(
          403, "SignatureDoesNotMatch",
          "The request signature we calculated does not match the signature you provided. Check "
          "your key and signing method.",
          {{"AWSAccessKeyId", claim.key_id},
           {"StringToSign", to_sign},
           {"SignatureProvided", claim.signature},
           {"CanonicalRequest", canonical}});
    return refuse.mismatch(
        "The request signature we calculated does not match the signature you provided. Check your AWS "
        "Secret Access "
        "Key and signing method. Consult the service documentation for details.");
  }
  verified.key = std::move(**key);
  verified.form = form;
  verified.scope = claim.scope;
  verified.time = claim.time_text;
  verified.signature = claim.signature;
  return verified;
}

}  // namespace terrapin::api
