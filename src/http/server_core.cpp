#include "http/server_core.h"

#include <fmt/chrono.h>

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "base/logging.h"
#include "http/response_head.h"

namespace terrapin::http {
namespace {

std::string http_date(std::time_t time) {
  return fmt::format("{:%a, %d %b %Y %H:%M:%S GMT}", fmt::gmtime(time));
}

// From the moment a Response leaves its handler, `body` holds the first piece of its source, and a source
// that fits into one piece is gone.
Status read_first_piece(Response& response) {
  const std::int64_t size = response.source->size();
  response.body.resize(static_cast<std::size_t>(std::min<std::int64_t>(size, kPieceBytes)));
  TERRAPIN_TRY_STATUS(read_from(*response.source, 0, response.body));
  if (size <= static_cast<std::int64_t>(kPieceBytes)) response.source.reset();
  return {};
}

}  // namespace

Response ServerCore::run_handler(const Route& route, const Request& request) const {
  try {
    Result<Response> result = route.handler(request);
    if (result) {
      const bool to_head = request.method == "HEAD";
      const Status status =
          result->source && has_body(*result, to_head) ? read_first_piece(*result) : Status();
      if (status) return std::move(*result);
      result = tl::unexpected<Error>(status.error());
    }
    const int status = status_of(result.error().code);
    if (status != 500) return error_response(status, result.error().message);
    spdlog::error("{} {}: {}", request.method, request.path, result.error().message);
  } catch (...) {
    log_failure(fmt::format("{} {}", request.method, request.path), std::current_exception());
  }
  return error_response(500, "internal error");
}

Admission ServerCore::run_admit(const Request& head) const {
  try {
    return options.admit(head);
  } catch (...) {
    log_failure(fmt::format("{} {}", head.method, head.path), std::current_exception());
  }
  return {0, error_response(500, "internal error")};
}

Response ServerCore::error_response(int status, const std::string& message) const {
  return options.error_response ? options.error_response(status, message) : Response::error(status, message);
}

Response ServerCore::busy(const std::string& message) const {
  Response response = error_response(503, message);
  response.headers.set("Retry-After", std::to_string(options.retry_after_s));
  return response;
}

const std::string& ServerCore::date() {
  const std::time_t now = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
  if (now != date_time_) {
    date_ = http_date(now);
    date_time_ = now;
  }
  return date_;
}

asio::awaitable<void> wait_for(std::shared_ptr<Errand> errand) {
  boost::system::error_code ignored;
  while (!errand->done) {
    co_await errand->finished.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
  }
}

Status read_from(const ByteSource& source, std::int64_t offset, Bytes& bytes) {
  try {
    return source.read(offset, bytes);
  } catch (...) {
    return fail(ErrorCode::kInternal, "an answer's source threw an exception");
  }
}

void log_failure(const std::string& where, const std::exception_ptr& failure) {
  try {
    std::rethrow_exception(failure);
  } catch (const std::exception& error) {
    spdlog::error("{}: exception: {}", where, error.what());
  } catch (...) {
    spdlog::error("{}: exception of unknown type", where);
  }
}

}  // namespace terrapin::http
