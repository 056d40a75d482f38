// The first line is method and target, the others are fields: what a signature says is read and checked.
#include "api/sigv4.h"

#include "fuzz/fuzz_target.h"
#include "http/target.h"

using namespace terrapin;

TERRAPIN_FUZZ_TARGET(sigv4) {
  const int choice = take_byte(input);
  std::string_view text = text_of(input);
  const auto line = [&] {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view found = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    return found;
  };
  http::Request request;
  const std::string_view first = line();
  const std::size_t blank = std::min(first.find(' '), first.size());
  request.method = first.substr(0, blank);
  request.target = first.substr(std::min(blank + 1, first.size()));
  auto target = http::parse_target(request.target);
  if (!target) return;
  request.path = std::move(target->path);
  request.query = std::move(target->query);
  while (!text.empty()) {
    const std::string_view field = line();
    const std::size_t colon = field.find(':');
    if (colon == std::string_view::npos) break;
    request.headers.add(
        std::string(field.substr(0, colon)),
        std::string(field.substr(std::min(field.find_first_not_of(' ', colon + 1), field.size()))));
  }
  request.body.assign(text.begin(), text.end());

  static constexpr const char* kId = "AKIAIOSFODNN7EXAMPLE";
  const auto find = [](const std::string& id) -> Result<std::optional<identity::AccessKey>> {
    if (id != kId) return std::optional<identity::AccessKey>();
    return std::optional(identity::AccessKey{
        kId, "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", identity::Scope::kAdmin, "ada", {}, {}});
  };
  static const ManualClock clock{*parse_iso_text("2013-05-24T00:00:00")};
  static constexpr api::Protocol kProtocols[] = {api::Protocol::kS3, api::Protocol::kJson,
                                                 api::Protocol::kRestJson, api::Protocol::kQuery};
  static constexpr const char* kServices[] = {"s3", "sagemaker", "sagemaker", "sts"};
  const auto claim = api::signature_claim(request);
  const auto verified =
      api::verify_signature(request, kProtocols[choice & 3], kServices[choice & 3], {}, find, clock);
  if (!verified) {
    require(verified.error().status >= 400 && verified.error().status < 500,
            "a refusal is the client's fault");
    require(!verified.error().code.empty(), "a refusal has a code");
    return;
  }
  require(claim.form == verified->form, "the claim told the form");
  require(claim.key_id == kId && verified->key.id == kId, "only the known key can have signed");
  require(claim.service == kServices[choice & 3], "the scope names the service");
  request.method += "X";
  require(!api::verify_signature(request, kProtocols[choice & 3], kServices[choice & 3], {}, find, clock),
          "a signature is for one method");
}
