// The bytes of photos and masks, by links that the task's content gave.
#include "portal/implementation.h"
#include "portal/object_answer.h"

namespace terrapin::portal {
namespace {

constexpr auto kLinkGrid = std::chrono::minutes(5);  // links of one grid step are equal: browsers cache them

}  // namespace

Result<json> Portal::Implementation::image_urls(const Call& call,
                                                const labeling::TaskContent& content) const {
  json urls = json::object();
  if (content.readable_uris.empty()) return urls;
  TERRAPIN_TRY(const labeling::JobRecord record, context_.jobs.describe(content.assignment.job_name));
  const auto expires = std::chrono::ceil<std::chrono::duration<std::int64_t, std::ratio<300>>>(
      context_.clock.now() + context_.options.image_link_lifetime);
  static_assert(kLinkGrid == std::chrono::seconds(300));
  for (const std::string& uri : content.readable_uris) {
    urls[uri] = nullptr;
    TERRAPIN_TRY(const auto name, readable_object(record, uri));
    if (!name) continue;
    urls[uri] = "/_/api/images/" + links_.sign({uri, content.assignment.job_name, content.assignment.id,
                                                call.account().id, expires});
  }
  return urls;
}

Result<std::optional<storage::ObjectName>> Portal::Implementation::readable_object(
    const labeling::JobRecord& record, const std::string& uri) const {
  const auto name = storage::parse_s3_uri(uri);
  if (!name || name->key.empty()) return std::optional<storage::ObjectName>();
  TERRAPIN_TRY(const bool readable, context_.may_read(record.spec.owner, name->bucket));
  return readable ? std::optional(*name) : std::nullopt;
}

Portal::Implementation::Handled Portal::Implementation::image(Call& call) {
  const Timestamp now = context_.clock.now();
  TERRAPIN_TRY(const ImageGrant grant, links_.verify(call.parameter("token"), call.account().id, now));
  // What was allowed when the link was made may have been taken back.
  TERRAPIN_TRY(const labeling::JobRecord record, context_.jobs.describe(grant.job_name));
  TERRAPIN_TRY(const storage::ObjectName name, storage::parse_s3_uri(grant.uri));
  TERRAPIN_TRY(const bool readable, context_.may_read(record.spec.owner, name.bucket));
  if (!readable) return fail(ErrorCode::kDenied, "the job's owner may not read '{}'", name.bucket);
  TERRAPIN_TRY(const storage::OpenObject object, context_.objects.get(name));
  const auto left = std::chrono::floor<std::chrono::seconds>(grant.expires - now);
  return object_answer(call.request, object, {fmt::format("private, max-age={}", left.count()), false, ""});
}

}  // namespace terrapin::portal
