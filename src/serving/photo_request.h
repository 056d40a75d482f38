// What a client sent as a photo, and what it wants back.
#pragma once

#include <optional>
#include <string_view>

#include "base/result.h"
#include "http/message.h"
#include "imaging/codecs.h"
#include "imaging/image.h"

namespace terrapin::serving {

enum class AnswerType { kPng, kRecord, kJson };

struct PhotoRequest {
  AnswerType answer = AnswerType::kPng;
  std::string_view content_type;  // of the answer, as negotiated
  imaging::PhotoInfo photo;
};

// Reads the fields and the photo's header. On refusal the answer to give: 406 (Accept), 415 (Content-Type, or
// a body of another type than it says), 400 (empty or broken body), 413 (over `max_pixels`, or probabilities
// of `classes` classes that do not fit an answer); each names what is allowed. A missing Content-Type means
// application/x-image.
tl::expected<PhotoRequest, http::Response> read_photo_request(const http::Request& request,
                                                              std::int64_t max_pixels, int classes);

// The answer for a photo that cannot be decoded: 400, 413, or 415 for a kind this build does not read; other
// errors are left to the dispatcher.
Result<http::Response> answer_decode_error(const Error& error);

}  // namespace terrapin::serving
