// Photos, masks and answers as a requester reviews them: whole, or reduced to a width.
#include "imaging/codecs.h"
#include "imaging/resize.h"
#include "portal/implementation.h"
#include "portal/object_answer.h"

namespace terrapin::portal {
namespace {

constexpr std::int64_t kLeastWidth = 64, kMostWidth = 4096;
constexpr const char* kRevalidate = "private, no-cache";
constexpr std::int64_t kHeadBytes = 256 << 10;

Result<std::optional<std::int64_t>> wanted_width(const Call& call) {
  QueryFields query(call.request);
  const bool given = call.request.query_value("width").has_value();
  const std::int64_t width = query.integer_or("width", kMostWidth, kLeastWidth, kMostWidth);
  TERRAPIN_TRY_STATUS(query.finish());
  return given ? std::optional(width) : std::nullopt;
}

// 1 where the first bytes do not tell.
int orientation_of(const storage::OpenObject& object) {
  Bytes head(static_cast<std::size_t>(std::min(object.content->size(), kHeadBytes)));
  if (!object.content->read(0, head)) return 1;
  const auto info = imaging::read_photo_info(head);
  return info ? info->exif_orientation : 1;
}

std::string tag_of(const std::string& etag, std::int64_t width) {
  return fmt::format("\"{}-{}\"", etag, width);
}

bool is_mask_uri(const std::string& uri) {
  return uri.ends_with(".png");
}

Result<Picture> disagreement_picture(std::vector<imaging::Mask> masks) {
  for (const imaging::Mask& mask : masks)
    if (mask.size() != masks.front().size())
      return fail(ErrorCode::kConflict, "the answers' masks differ in size");
  TERRAPIN_TRY(Bytes png, imaging::encode_grey_png(disagreement_of(masks)));
  return Picture{"image/png", bytes_source(std::move(png)), 1};
}

}  // namespace

Portal::Implementation::Handled Portal::Implementation::picture(
    Call& call, const std::string& tag, const std::function<Result<Picture>()>& make) {
  http::Response response;
  set_content_headers(response, tag, kRevalidate);
  if (answered_unchanged(call.request, tag, response)) return response;
  const std::string key = call.request.path + "\n" + tag;
  std::optional<Picture> made = pictures_.find(key);
  if (!made) {
    TERRAPIN_TRY(const DecodeSlots::Slot slot,
                 decode_slots_.take(DecodeSlots::kPatience, [&call] { return call.request.abandoned(); }));
    made = pictures_.find(key);  // another may have made it while this one waited
    if (!made) {
      TERRAPIN_TRY(made, make());
      pictures_.keep(key, *made);
    }
  }
  response.headers.set("Content-Type", made->type);
  response.headers.set("Content-Disposition", "inline");
  response.headers.set("X-Orientation", std::to_string(made->orientation));
  response.source = made->content;
  return response;
}

Portal::Implementation::Handled Portal::Implementation::object_photo(Call& call) {
  TERRAPIN_TRY(const std::int64_t index, object_index(call));
  TERRAPIN_TRY(const auto width, wanted_width(call));
  TERRAPIN_TRY(const labeling::ObjectRecord record, context_.jobs.object(call.parameter("name"), index));
  if (!width) {
    TERRAPIN_TRY(const storage::OpenObject object, open_object(call, record.source_uri));
    TERRAPIN_TRY(http::Response whole,
                 object_answer(call.request, object, {kRevalidate, false, object.info.key}));
    if (whole.status == 200) whole.headers.set("X-Orientation", std::to_string(orientation_of(object)));
    return whole;
  }
  TERRAPIN_TRY(const storage::ObjectInfo info, object_info(call, record.source_uri));
  return picture(call, tag_of(info.etag, *width), [&]() -> Result<Picture> {
    TERRAPIN_TRY(const storage::OpenObject object, open_object(call, record.source_uri));
    TERRAPIN_TRY(const Bytes bytes, read_all(*object.content, kMaxPictureFileBytes));
    return of_stored(reduced_photo(bytes, *width), record.source_uri);
  });
}

Portal::Implementation::Handled Portal::Implementation::mask_picture(Call& call, const std::string& uri,
                                                                     std::optional<std::int64_t> width) {
  if (!width) {
    TERRAPIN_TRY(const storage::OpenObject object, open_object(call, uri));
    return object_answer(call.request, object, {kRevalidate, false, object.info.key});
  }
  TERRAPIN_TRY(const storage::ObjectInfo info, object_info(call, uri));
  return picture(call, tag_of(info.etag, *width), [&]() -> Result<Picture> {
    TERRAPIN_TRY(const storage::OpenObject object, open_object(call, uri));
    TERRAPIN_TRY(const Bytes bytes, read_all(*object.content, kMaxPictureFileBytes));
    return of_stored(reduced_mask(bytes, *width), uri);
  });
}

Portal::Implementation::Handled Portal::Implementation::object_mask(Call& call) {
  TERRAPIN_TRY(const std::int64_t index, object_index(call));
  TERRAPIN_TRY(const auto width, wanted_width(call));
  TERRAPIN_TRY(const labeling::ObjectRecord record, context_.jobs.object(call.parameter("name"), index));
  if (record.state != labeling::ObjectState::kLabeled || record.mask_uri.empty())
    return fail(ErrorCode::kNotFound, "object {} is {} and has no mask", index,
                labeling::object_state_name(record.state));
  return mask_picture(call, record.mask_uri, width);
}

Portal::Implementation::Handled Portal::Implementation::answer_mask(Call& call) {
  TERRAPIN_TRY(const std::int64_t index, object_index(call));
  TERRAPIN_TRY(const auto width, wanted_width(call));
  TERRAPIN_TRY(const auto answers, context_.jobs.answers(call.parameter("name"), index));
  const std::string id = call.parameter("assignment");
  for (const labeling::AnswerRecord& answer : answers) {
    if (answer.assignment_id != id) continue;
    if (!is_mask_uri(answer.answer_uri)) return fail(ErrorCode::kNotFound, "answer '{}' has no mask", id);
    return mask_picture(call, answer.answer_uri, width);
  }
  return fail(ErrorCode::kNotFound, "object {} has no answer '{}'", index, id);
}

Portal::Implementation::Handled Portal::Implementation::object_disagreement(Call& call) {
  TERRAPIN_TRY(const std::int64_t index, object_index(call));
  TERRAPIN_TRY(const auto width, wanted_width(call));
  TERRAPIN_TRY(const auto answers, context_.jobs.answers(call.parameter("name"), index));
  std::vector<std::string> files;
  std::string etags;
  for (const labeling::AnswerRecord& answer : answers) {
    if (answer.withdrawn || !is_mask_uri(answer.answer_uri)) continue;
    TERRAPIN_TRY(const storage::ObjectInfo info, object_info(call, answer.answer_uri));
    etags += info.etag + ".";
    files.push_back(answer.answer_uri);
  }
  if (files.size() < 2)
    return fail(ErrorCode::kNotFound, "object {} has {} answers with a mask; two are needed", index,
                files.size());
  return picture(call, tag_of(etags, width.value_or(0)), [&]() -> Result<Picture> {
    std::vector<imaging::Mask> masks;
    const std::int64_t most = kMaxDisagreementPixels / static_cast<std::int64_t>(files.size());
    for (const std::string& uri : files) {
      TERRAPIN_TRY(const storage::OpenObject file, open_object(call, uri));
      TERRAPIN_TRY(const Bytes bytes, read_all(*file.content, kMaxPictureFileBytes));
      TERRAPIN_TRY(const imaging::MaskFile mask,
                   of_stored(imaging::decode_mask(bytes, {kMaxWholePixels}), file.info.key));
      if (!mask.labels) return fail(ErrorCode::kConflict, "{}: is no mask of indices", file.info.key);
      const imaging::Size whole = mask.labels->size();
      const imaging::Size size = width ? imaging::reduced_size(whole, *width) : whole;
      if (size.area() > most)
        return fail(ErrorCode::kTooLarge, "{} answers of {} x {} pixels: ask with a width of at most {}",
                    files.size(), size.width, size.height, kMostWidth);
      masks.push_back(imaging::resize_nearest(*mask.labels, size));
    }
    return disagreement_picture(std::move(masks));
  });
}

}  // namespace terrapin::portal
