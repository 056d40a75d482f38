// Expected failures are values. Library exceptions are caught at three named places only: the HTTP
// dispatcher, the job runner and the command line's main.
#pragma once

#include <fmt/format.h>

#include <string>
#include <tl/expected.hpp>
#include <utility>

namespace terrapin {

// The closed list of failures. The edge maps each to an exit code or an HTTP status.
enum class ErrorCode {
  kInvalidArgument,  // the caller's value is wrong: the message says what is allowed
  kNotFound,
  kAlreadyExists,
  kDenied,       // the caller may not
  kConflict,     // the thing's present state does not allow it: the message names the state
  kCorrupt,      // a file's bytes do not follow its format
  kUnsupported,  // a valid request this build or this program does not serve
  kTooLarge,     // over a stated limit
  kNoSpace,      // the disk or a quota is full
  kIo,           // the operating system refused
  kCancelled,    // SIGTERM, SIGINT or a caller's request
  kInternal,     // a mistake of ours
};

struct Error {
  ErrorCode code = ErrorCode::kInternal;
  std::string message;  // names the offending file, field or value and what is allowed
};

template <class T>
using Result = tl::expected<T, Error>;
using Status = Result<void>;

template <class... Args>
tl::unexpected<Error> fail(ErrorCode code, fmt::format_string<Args...> format, Args&&... args) {
  return tl::unexpected<Error>(Error{code, fmt::format(format, std::forward<Args>(args)...)});
}

// The same error with `context` and ": " before its message.
inline tl::unexpected<Error> with_context(Error error, const std::string& context) {
  error.message = context + ": " + error.message;
  return tl::unexpected<Error>(std::move(error));
}

}  // namespace terrapin

#define TERRAPIN_CONCAT_INNER(a, b) a##b
#define TERRAPIN_CONCAT(a, b) TERRAPIN_CONCAT_INNER(a, b)

// TERRAPIN_TRY(auto image, decode(path)); returns the error from the enclosing function, or goes on.
#define TERRAPIN_TRY(declaration, expression) \
  TERRAPIN_TRY_INNER(TERRAPIN_CONCAT(try_result_, __LINE__), declaration, expression)
#define TERRAPIN_TRY_INNER(name, declaration, expression)                       \
  auto name = (expression);                                                     \
  if (!name) return tl::unexpected<::terrapin::Error>(std::move(name.error())); \
  declaration = std::move(*name)

// The same for a Status.
#define TERRAPIN_TRY_STATUS(expression) \
  TERRAPIN_TRY_STATUS_INNER(TERRAPIN_CONCAT(try_status_, __LINE__), expression)
#define TERRAPIN_TRY_STATUS_INNER(name, expression) \
  auto name = (expression);                         \
  if (!name) return tl::unexpected<::terrapin::Error>(std::move(name.error()))
