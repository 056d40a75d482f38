// Points on a photo -> the object's mask, while a worker paints.
#include <cmath>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "assist/assistant.h"
#include "base/base64.h"
#include "crypto/hash.h"
#include "imaging/codecs.h"
#include "imaging/run_lengths.h"
#include "portal/fields.h"
#include "portal/implementation.h"

namespace terrapin::portal {
namespace {

// Base64 and the other members of the answer make at most 100,000 bytes of them.
constexpr std::int64_t kMaxRunBytes = 74'000;
// Of a mask that comes with a question: held while that is computed.
constexpr std::int64_t kMaxPreviousPixels = std::int64_t{64} << 20;
constexpr imaging::DecodeLimits kDecode{kMaxWholePixels, std::int64_t{512} << 20};

bool is_integer(const json& value) {
  return value.is_number_integer() &&
         (!value.is_number_unsigned() || value.get<std::uint64_t>() <= INT64_MAX);
}

// Whether they lie in the photo is for the assistant to say.
Result<std::vector<imaging::Pixel>> read_points(Fields& fields, const char* name) {
  std::vector<imaging::Pixel> points;
  const json* list = fields.has(name) ? fields.list(name) : nullptr;
  if (list == nullptr) return points;
  if (list->size() > assist::kMaxClicks)
    return fail(ErrorCode::kInvalidArgument, "'{}' has {} points: at most {} are allowed", name, list->size(),
                assist::kMaxClicks);
  for (const json& point : *list) {
    if (!point.is_array() || point.size() != 2 || !is_integer(point[0]) || !is_integer(point[1]))
      return fail(ErrorCode::kInvalidArgument,
                  "point {} of '{}' must be [x, y], two integers: a pixel of the photo as stored",
                  points.size() + 1, name);
    points.push_back({point[0].get<std::int64_t>(), point[1].get<std::int64_t>()});
  }
  return points;
}

Result<assist::Method> read_method(const std::string& name) {
  for (const auto method : {assist::Method::kAuto, assist::Method::kNetwork, assist::Method::kClassical})
    if (name == assist::method_name(method)) return method;
  return fail(ErrorCode::kInvalidArgument, "'method' is '{}': allowed are auto, network, classical", name);
}

Status check_method(const assist::Assistant& assistant, assist::Method method) {
  const bool serves = method == assist::Method::kNetwork     ? assistant.has_network()
                      : method == assist::Method::kClassical ? assistant.has_classical()
                                                             : true;
  if (serves) return {};
  return fail(ErrorCode::kUnsupported, "the method '{}' does not serve here", assist::method_name(method));
}

// All of it but whether the box lies in the photo, which is for the assistant to say.
Result<assist::CodedMask> read_previous(const json& value) {
  Fields fields(value);
  const json* sides = fields.list("box");
  const std::string text = fields.text("runs");
  TERRAPIN_TRY_STATUS(fields.finish());
  if (sides->size() != 4 || !std::all_of(sides->begin(), sides->end(), is_integer))
    return fail(ErrorCode::kInvalidArgument, "'box' must be [x, y, width, height], four integers");
  const auto side = [&](std::size_t i) { return (*sides)[i].get<std::int64_t>(); };
  assist::CodedMask mask{{side(0), side(1), side(2), side(3)}, {}};
  if (!crypto::decode_base64(text, mask.runs))
    return fail(ErrorCode::kInvalidArgument, "'runs' is not base64");
  const auto [x, y, width, height] = mask.box;
  // What is larger, or less than nothing, lies in no photo that is taken.
  if (width < 0 || height < 0 || (height > 0 && width > kDecode.max_pixels / height)) return mask;
  if (width * height > kMaxPreviousPixels)
    return fail(ErrorCode::kTooLarge, "a mask of {} x {} pixels: at most {} are allowed", width, height,
                kMaxPreviousPixels);
  TERRAPIN_TRY_STATUS(imaging::read_run_lengths(mask.runs, width * height));
  return mask;
}

// A photo's size stands in the first bytes of nearly every file. `slot` is taken where more must be read.
Result<imaging::PhotoInfo> info_of(const ByteSource& file,
                                   const std::function<Result<DecodeSlots::Slot>()>& slot) {
  constexpr std::int64_t kHeadBytes = std::int64_t{256} << 10;
  Bytes head(static_cast<std::size_t>(std::min(file.size(), kHeadBytes)));
  TERRAPIN_TRY_STATUS(file.read(0, head));
  auto info = imaging::read_photo_info(head);
  if (info || file.size() <= kHeadBytes) return info;
  TERRAPIN_TRY(const DecodeSlots::Slot held, slot());
  TERRAPIN_TRY(const Bytes whole, read_all(file, kMaxPictureFileBytes));
  return imaging::read_photo_info(whole);
}

// Asks a question to stop once its client is gone: wherever it waits or computes, it holds a place.
class ClientWatch {
 public:
  ClientWatch(const http::Request& request, const Questions::Place& place)
      : thread_([&request, stop = place.stopper()](const std::stop_token& answered) mutable {
          constexpr auto kLook = std::chrono::milliseconds(100);
          std::mutex mutex;
          std::condition_variable_any wake;
          std::unique_lock lock(mutex);
          const auto gone = [&] { return request.abandoned(); };
          while (!answered.stop_requested() && !wake.wait_for(lock, answered, kLook, gone)) continue;
          if (gone()) stop.request_stop();
        }) {}

 private:
  std::jthread thread_;
};

}  // namespace

json Portal::Implementation::assistance_json() const {
  if (!context_.assistant) return nullptr;
  return json{{"network", context_.assistant->has_network()},
              {"classical", context_.assistant->has_classical()}};
}

Result<Portal::Implementation::TaskPhoto> Portal::Implementation::task_photo(const Call& call,
                                                                             const std::string& uri) const {
  TERRAPIN_TRY(const labeling::Worker who, worker(call));
  TERRAPIN_TRY(const labeling::TaskContent content, context_.tasks.content(who, call.parameter("id")));
  if (!context_.assistant) return fail(ErrorCode::kUnsupported, "this server offers no assistance");
  const labeling::Assignment& lease = content.assignment;
  const bool leased = lease.state == labeling::AssignmentState::kLeased;
  if (!leased && !lease.correctable)
    return fail(ErrorCode::kConflict, "the task is {}: assistance is for tasks that are leased to you",
                labeling::assignment_state_name(lease.state));
  if (leased && lease.deadline <= context_.clock.now())
    return fail(ErrorCode::kConflict, "the time for the task ended at {}", time_text(lease.deadline));
  const auto& uris = content.readable_uris;
  std::optional<storage::ObjectName> name;
  std::string job_id;
  if (std::find(uris.begin(), uris.end(), uri) != uris.end()) {
    TERRAPIN_TRY(const labeling::JobRecord record, context_.jobs.describe(lease.job_name));
    TERRAPIN_TRY(name, readable_object(record, uri));
    job_id = record.id;
  }
  if (!name)
    return fail(ErrorCode::kNotFound,
                "'image' is no photo of this task: allowed are those that the 'images' of its content link");
  return TaskPhoto{*std::move(name), std::move(job_id)};
}

Result<OpenPhotos::Use> Portal::Implementation::opened_photo(const storage::ObjectName& name,
                                                             const std::stop_token& stop) {
  TERRAPIN_TRY(const storage::ObjectInfo info, context_.objects.head(name));
  const std::string uri = storage::s3_uri(name);
  const auto open = [&](const OpenPhotos::Reserve& reserve) -> Result<OpenPhotos::Photo> {
    const auto slot = [&] {
      return photo_slots_.take(DecodeSlots::kPatience, [&] { return stop.stop_requested(); });
    };
    TERRAPIN_TRY(const storage::OpenObject object, context_.objects.get(name));
    if (object.info.etag != info.etag)
      return fail(ErrorCode::kConflict, "{} was replaced meanwhile: ask again", uri);
    TERRAPIN_TRY(const imaging::PhotoInfo head, of_stored(info_of(*object.content, slot), uri));
    if (head.size.area() > kDecode.max_pixels)
      return fail(ErrorCode::kTooLarge, "{} has {} x {} pixels: assistance takes at most {}", uri,
                  head.size.width, head.size.height, kDecode.max_pixels);
    TERRAPIN_TRY_STATUS(reserve(assist::OpenPhoto::bytes_for(head.size)));
    // Not before there is room: who waits for that keeps no decoder from others, and holds no file.
    TERRAPIN_TRY(const DecodeSlots::Slot held, slot());
    TERRAPIN_TRY(const Bytes file, read_all(*object.content, kMaxPictureFileBytes));
    TERRAPIN_TRY(imaging::Image image, of_stored(imaging::decode_photo(file, kDecode), uri));
    return context_.assistant->open(std::move(image));
  };
  return photos_.get(uri + "\n" + info.etag, stop, open);
}

Portal::Implementation::Handled Portal::Implementation::open_photo(Call& call) {
  Fields fields(call.body);
  const std::string image = fields.text("image");
  TERRAPIN_TRY_STATUS(fields.finish());
  TERRAPIN_TRY(const TaskPhoto asked, task_photo(call, image));
  if (auto refused = too_often(assist_rate_.take(call.account().id))) return std::move(*refused);
  TERRAPIN_TRY(const Questions::Place place, questions_.begin(call.account().id, {}));
  const ClientWatch watch(call.request, place);
  TERRAPIN_TRY(const OpenPhotos::Use photo, opened_photo(asked.name, place.stop()));
  const imaging::Size size = (*photo).size();
  return json_answer(200, json{{"width", size.width}, {"height", size.height}});
}

Portal::Implementation::Handled Portal::Implementation::answer_question(const TaskPhoto& asked,
                                                                        const assist::Prompt& prompt,
                                                                        const Questions::Place& place) {
  TERRAPIN_TRY(const OpenPhotos::Use photo, opened_photo(asked.name, place.stop()));
  std::shared_ptr<const assist::Assistant> assistant;
  if (context_.assistant_of_job) assistant = context_.assistant_of_job(asked.job_id);
  if (!assistant) assistant = context_.assistant;
  TERRAPIN_TRY(const assist::Answer answer, assistant->segment(*photo, prompt, place.stop()));
  const auto runs = imaging::encode_runs(answer.object.mask, kMaxRunBytes);
  if (!runs)
    return fail(ErrorCode::kTooLarge,
                "the object's outline is too fine: an answer has at most 100,000 bytes; ask for a smaller "
                "part of the object");
  const imaging::Box& box = answer.object.box;
  return json_answer(
      200, json{{"box", {box.x, box.y, box.width, box.height}},
                {"runs", base64(*runs)},
                {"method", assist::method_name(answer.method)},
                {"milliseconds", std::llround(answer.crop_ms + answer.compute_ms + answer.refine_ms)}});
}

Portal::Implementation::Handled Portal::Implementation::ask_assistant(Call& call) {
  const auto start = std::chrono::steady_clock::now();
  Fields fields(call.body);
  const std::string image = fields.text("image");
  assist::Prompt prompt;
  TERRAPIN_TRY(prompt.extremes, read_points(fields, "extremes"));
  TERRAPIN_TRY(prompt.positive, read_points(fields, "positive"));
  TERRAPIN_TRY(prompt.negative, read_points(fields, "negative"));
  const json* const previous = fields.object_or_none("previous");
  const std::string method = fields.text_or("method", "auto");
  TERRAPIN_TRY_STATUS(fields.finish());
  TERRAPIN_TRY(prompt.method, read_method(method));
  if (previous != nullptr) {
    auto mask = read_previous(*previous);
    if (!mask) return with_context(std::move(mask.error()), "'previous'");
    prompt.previous_code = std::move(*mask);
  }
  TERRAPIN_TRY_STATUS(assist::check_extremes(prompt));
  TERRAPIN_TRY(const TaskPhoto asked, task_photo(call, image));
  TERRAPIN_TRY_STATUS(check_method(*context_.assistant, prompt.method));
  // Not before all this is known may it stop another question.
  if (auto refused = too_often(assist_rate_.take(call.account().id))) {
    ++refused_;
    return std::move(*refused);
  }
  auto place = questions_.begin(call.account().id, call.parameter("id"));
  if (!place) {
    ++refused_;
    return tl::unexpected<Error>(std::move(place.error()));
  }
  const ClientWatch watch(call.request, *place);
  Handled handled = answer_question(asked, prompt, *place);
  if (place->superseded()) {
    ++superseded_;
    return refusal(409, "superseded", "a newer question about this task took this one's place");
  }
  if (!handled) {
    ++refused_;
    return handled;
  }
  ++answered_;
  answer_microseconds_ +=
      std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now() - start).count();
  return handled;
}

std::optional<AssistFigures> Portal::Implementation::assist_figures() {
  if (!context_.assistant) return std::nullopt;
  return AssistFigures{
      answered_,      superseded_, refused_, answer_microseconds_, photos_.opened(), questions_.under_way(),
      photos_.bytes()};
}

}  // namespace terrapin::portal
