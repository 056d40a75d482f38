// Failures in S3's words. The catalogue holds each code's status and sentence once.
#pragma once

#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <utility>
#include <vector>

#include "base/result.h"
#include "http/message.h"

namespace terrapin::api::s3 {

struct S3Error {
  int status = 400;
  std::string code, message;
  std::vector<std::pair<std::string, std::string>> fields;  // more elements: Key, BucketName, ...
  http::Headers headers;                                    // of the answer
};
template <class T>
using S3Result = tl::expected<T, S3Error>;
using S3Status = S3Result<void>;
using Fields = std::vector<std::pair<std::string, std::string>>;

// A failure with AWS's status and sentence for `code`; a code that the catalogue lacks is our mistake and
// becomes InternalError.
tl::unexpected<S3Error> refuse(std::string_view code, Fields fields = {});
// The same code with a sentence of our own, for what AWS says differently from case to case.
tl::unexpected<S3Error> refuse_saying(std::string_view code, std::string message, Fields fields = {});
// 501 for a header, parameter or setting that is not served: the message names it and what to do instead.
tl::unexpected<S3Error> not_served(std::string_view what, std::string_view instead = {});

// <Error> with Code, Message, the fields, Resource and RequestId. For HEAD without a body.
http::Response error_response(const S3Error& error, const std::string& resource,
                              const std::string& request_id, bool head);

}  // namespace terrapin::api::s3

// S3_TRY(auto value, expression) and S3_TRY_STATUS(expression) for S3Result, as TERRAPIN_TRY for Result.
#define S3_TRY(declaration, expression) \
  S3_TRY_INNER(TERRAPIN_CONCAT(s3_result_, __LINE__), declaration, expression)
#define S3_TRY_INNER(name, declaration, expression)                                        \
  auto name = (expression);                                                                \
  if (!name) return tl::unexpected<::terrapin::api::s3::S3Error>(std::move(name.error())); \
  declaration = std::move(*name)
#define S3_TRY_STATUS(expression) S3_TRY_STATUS_INNER(TERRAPIN_CONCAT(s3_status_, __LINE__), expression)
#define S3_TRY_STATUS_INNER(name, expression) \
  auto name = (expression);                   \
  if (!name) return tl::unexpected<::terrapin::api::s3::S3Error>(std::move(name.error()))
