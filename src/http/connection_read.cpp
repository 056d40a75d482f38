// The way of a request in: head, route, body.
#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <limits>

#include "base/logging.h"
#include "http/connection.h"
#include "http/spool.h"
#include "http/target.h"

namespace terrapin::http {
namespace {

namespace beast = boost::beast;
namespace wire = boost::beast::http;

constexpr std::int64_t kSkippedBytes = 1
                                       << 20;  // of a refused request's body, before the connection is closed

// A body as bytes; its memory grows with what has arrived, not with what was announced.
struct ArrivingBody {
  using value_type = Bytes;
  class reader {
   public:
    template <bool kIsRequest, class Fields>
    reader(wire::header<kIsRequest, Fields>&, Bytes& body) : body_(body) {}
    void init(const boost::optional<std::uint64_t>&, error_code& error) { error = {}; }
    template <class Buffers>
    std::size_t put(const Buffers& buffers, error_code& error) {
      error = {};
      std::size_t size = 0;
      for (const asio::const_buffer buffer : beast::buffers_range_ref(buffers)) {
        const auto* bytes = static_cast<const std::uint8_t*>(buffer.data());
        body_.insert(body_.end(), bytes, bytes + buffer.size());
        size += buffer.size();
      }
      return size;
    }
    void finish(error_code& error) { error = {}; }

   private:
    Bytes& body_;
  };
};
using RequestParser = wire::request_parser<ArrivingBody>;

bool is_protocol_error(const error_code& error) {
  return error.category() == wire::make_error_code(wire::error::bad_method).category();
}

}  // namespace

struct Connection::Reading {
  RequestParser parser;
  std::shared_ptr<SpoolFile> file;       // null: the body stays in memory
  std::shared_ptr<PieceErrand> writing;  // the piece before; its buffer is used again
  std::int64_t spooled_bytes = 0;        // sent on their way to the file
  std::int64_t max_body_bytes = 0;
  std::optional<Response> over_limit;  // the answer to a larger one; std::nullopt: 413
  std::optional<Response> no_space;    // std::nullopt: 507
};

asio::awaitable<void> Connection::read_request(Incoming& incoming) {
  Reading reading;
  RequestParser& parser = reading.parser;
  parser.header_limit(static_cast<std::uint32_t>(
      std::min<std::int64_t>(core_.options.max_header_bytes, std::numeric_limits<std::uint32_t>::max())));
  reading.max_body_bytes = core_.max_body_bytes;
  parser.body_limit(static_cast<std::uint64_t>(reading.max_body_bytes));
  error_code error;
  // Control characters in a chunk's extensions are how one request is hidden in another.
  auto on_chunk = [](std::uint64_t, beast::string_view extensions, error_code& bad) {
    if (std::any_of(extensions.begin(), extensions.end(),
                    [](char c) { return (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7f; }))
      bad = wire::error::bad_chunk_extension;
  };
  parser.on_chunk_header(on_chunk);

  set_deadline(std::chrono::milliseconds(core_.options.header_timeout_ms));
  co_await wire::async_read_header(channel_, buffer_, parser,
                                   asio::redirect_error(asio::use_awaitable, error));
  if (parser.is_header_done() || error == wire::error::body_limit) {
    const auto& message = parser.get();
    incoming.method = std::string(message.method_string());
    incoming.target = std::string(message.target());
    incoming.head = incoming.method == "HEAD";
    incoming.keep_alive = message.keep_alive();
    incoming.http_1_0 = message.version() < 11;
  }
  if (error) {
    refuse_broken(reading, error, incoming);
    co_return;
  }
  // Copied now: fields that follow a chunked body must not change what the request said before it.
  auto request = std::make_shared<Request>();
  request->method = incoming.method;
  request->target = incoming.target;
  request->remote_address = remote_address_;
  request->secure = channel_.secure();
  for (const auto& field : parser.get()) {
    request->headers.add(std::string(field.name_string()), std::string(field.value()));
  }
  route(reading, *request, incoming);

  const bool expects_continue = beast::iequals(parser.get()[wire::field::expect], "100-continue");
  const auto announced = static_cast<std::int64_t>(parser.content_length().value_or(0));
  if (!incoming.refusal && !parser.is_done()) co_await admit(reading, request, incoming);
  if (!incoming.refusal && core_.spool_budget && announced > core_.options.spool_above_bytes) {
    make_room(reading, announced, incoming);
  }
  if (incoming.refusal && (expects_continue || !incoming.keep_alive || announced > kSkippedBytes)) {
    incoming.keep_alive = false;  // the body was neither asked for nor read
    co_return;
  }
  set_deadline(std::chrono::milliseconds(core_.options.body_timeout_ms));
  // Also where no body follows: botocore, answered at once, misreads the answer to the connection's next
  // request.
  if (expects_continue && !incoming.http_1_0) {
    co_await send(as_bytes("HTTP/1.1 100 Continue\r\n\r\n"), error);
    if (error) co_return;
    set_deadline(std::chrono::milliseconds(core_.options.body_timeout_ms));
  }
  if (!parser.is_done()) {
    bool complete = false;
    co_await read_body(reading, incoming, complete);
    if (reading.writing) co_await wait_for(reading.writing);
    if (complete && reading.file) request->spooled = reading.file->finish();
    core_.let_go(std::move(reading.file));
    if (!complete) co_return;
  }
  if (incoming.refusal) co_return;  // the body is read and dropped: the connection can go on
  request->body = std::move(parser.get().body());
  incoming.request = std::move(request);
}

// Asks what the head allows, or sets the refusal.
asio::awaitable<void> Connection::admit(Reading& reading, std::shared_ptr<Request> head, Incoming& incoming) {
  const auto announced = reading.parser.content_length();
  if (!core_.options.admit ||
      (announced && *announced <= static_cast<std::uint64_t>(core_.options.admit_above_bytes))) {
    co_return;
  }
  if (core_.pending >= core_.options.max_pending_requests) {
    incoming.refusal = core_.busy("too many requests are waiting");
    incoming.keep_alive = false;
    co_return;
  }
  auto errand = std::make_shared<AdmissionErrand>(core_.context);
  ++core_.pending;
  core_.send_out(core_.handlers, errand, [&core = core_, head = std::move(head)](AdmissionErrand& own) {
    own.admission = core.run_admit(*head);
  });
  clear_deadline();
  co_await wait_for(errand);
  --core_.pending;
  reading.max_body_bytes =
      std::clamp<std::int64_t>(errand->admission.max_body_bytes, 0, core_.max_body_bytes);
  reading.over_limit = std::move(errand->admission.refusal);
  reading.no_space = std::move(errand->admission.no_space);
  if (announced && *announced > static_cast<std::uint64_t>(reading.max_body_bytes)) {
    refuse_large(reading, incoming);
  } else {
    reading.parser.body_limit(static_cast<std::uint64_t>(reading.max_body_bytes));
  }
}

void Connection::refuse_large(const Reading& reading, Incoming& incoming) const {
  incoming.keep_alive = false;
  incoming.refusal = reading.over_limit
                         ? reading.over_limit
                         : core_.error_response(413, fmt::format("the body is over the limit of {} bytes",
                                                                 reading.max_body_bytes));
}

// A file for the body with room for that many bytes, or the refusal.
void Connection::make_room(Reading& reading, std::int64_t bytes, Incoming& incoming) const {
  if (!reading.file) {
    reading.file = std::make_shared<SpoolFile>(core_.options.spool_folder, SpoolShare(core_.spool_budget));
  }
  if (reading.file->reserve(bytes)) return;
  incoming.keep_alive = false;
  incoming.refusal = core_.busy("the space for large request bodies is taken");
}

// `complete` only if the whole body was read; else the refusal says why or, without one, the connection is
// to be dropped.
asio::awaitable<void> Connection::read_body(Reading& reading, Incoming& incoming, bool& complete) {
  RequestParser& parser = reading.parser;
  Bytes& body = parser.get().body();
  std::int64_t skipped = 0;
  std::size_t since_deadline = 0;
  if (parser.chunked() || parser.content_length().value_or(0) > kIdleBufferBytes) buffer_.reserve(kReadBytes);
  while (!parser.is_done()) {
    const std::size_t before = body.size();
    error_code error;
    co_await wire::async_read_some(channel_, buffer_, parser,
                                   asio::redirect_error(asio::use_awaitable, error));
    if (error) {
      incoming.refusal.reset();
      refuse_broken(reading, error, incoming);
      co_return;
    }
    since_deadline += body.size() - before;
    if (since_deadline >= kReadBytes) {
      set_deadline(std::chrono::milliseconds(core_.options.body_timeout_ms));
      since_deadline = 0;
    }
    if (incoming.refusal) {
      skipped += static_cast<std::int64_t>(body.size());
      body.clear();
      if (skipped > kSkippedBytes && !parser.is_done()) {
        incoming.keep_alive = false;
        co_return;
      }
      continue;
    }
    if (!reading.file && core_.spool_budget &&
        static_cast<std::int64_t>(body.size()) > core_.options.spool_above_bytes) {
      make_room(reading, static_cast<std::int64_t>(body.size()), incoming);
      if (incoming.refusal) co_return;
    }
    if (reading.file) {
      if (body.size() < kPieceBytes && !parser.is_done()) continue;
      co_await spool_piece(body, reading, incoming);
      if (incoming.refusal) co_return;
      continue;
    }
    hold(body.size());
    if (core_.buffered_bytes > core_.options.max_buffered_bytes && !body.empty()) {
      incoming.keep_alive = false;
      incoming.refusal = core_.busy("too many request bodies are in flight");
      co_return;
    }
  }
  if (reading.file) {
    co_await last_piece_written(reading, incoming);
    if (incoming.refusal) co_return;
  }
  complete = true;
}

// Sends `piece` on its way to the file once the one before has arrived there, and leaves an empty buffer.
asio::awaitable<void> Connection::spool_piece(Bytes& piece, Reading& reading, Incoming& incoming) {
  Bytes next;
  if (reading.writing) {
    co_await last_piece_written(reading, incoming);
    if (incoming.refusal) co_return;
    next = std::move(reading.writing->bytes);
  }
  reading.spooled_bytes += static_cast<std::int64_t>(piece.size());
  make_room(reading, reading.spooled_bytes, incoming);
  if (incoming.refusal) co_return;
  next.clear();
  next.reserve(kPieceBytes + kReadBytes);
  reading.writing = std::make_shared<PieceErrand>(core_.context);
  reading.writing->bytes = std::exchange(piece, std::move(next));
  release();
  core_.send_out(core_.piece_pool(), reading.writing,
                 [file = reading.file](PieceErrand& errand) { errand.status = file->write(errand.bytes); });
}

asio::awaitable<void> Connection::last_piece_written(const Reading& reading, Incoming& incoming) {
  if (!reading.writing->done) {
    clear_deadline();  // now it is us who are slow
    co_await wait_for(reading.writing);
    set_deadline(std::chrono::milliseconds(core_.options.body_timeout_ms));
  }
  const Status& status = reading.writing->status;
  if (status) co_return;
  spdlog::error("{} {}: {}", incoming.method, incoming.target, status.error().message);
  incoming.keep_alive = false;
  if (status.error().code != ErrorCode::kNoSpace) {
    incoming.refusal = core_.error_response(500, "internal error");
  } else if (reading.no_space) {
    incoming.refusal = reading.no_space;
  } else {
    incoming.refusal = core_.error_response(507, "there is no space left for the request's body");
  }
}

// Finds the handler, or sets the refusal.
void Connection::route(const Reading& reading, Request& request, Incoming& incoming) const {
  const RequestParser& parser = reading.parser;
  const auto& message = parser.get();
  const auto refuse = [&](int status, const std::string& text, bool keep_alive) {
    incoming.refusal = core_.error_response(status, text);
    incoming.keep_alive = incoming.keep_alive && keep_alive;
  };
  if (!incoming.http_1_0 && message.count(wire::field::host) != 1) {
    return refuse(400, "an HTTP/1.1 request needs one Host field", false);
  }
  if (incoming.http_1_0 && message.count(wire::field::transfer_encoding) > 0) {
    return refuse(400, "an HTTP/1.0 request has no Transfer-Encoding", false);
  }
  if (message.count(wire::field::transfer_encoding) > 0 &&
      (!parser.chunked() || message.count(wire::field::transfer_encoding) > 1 ||
       !beast::iequals(message[wire::field::transfer_encoding], "chunked"))) {
    return refuse(501, "the only Transfer-Encoding served is 'chunked'", false);
  }
  if (message.count(wire::field::expect) > 0 &&
      !beast::iequals(message[wire::field::expect], "100-continue")) {
    return refuse(417, "the only expectation served is '100-continue'", false);
  }
  auto target = parse_target(incoming.target);
  if (!target) return refuse(400, target.error().message, true);
  request.path = std::move(target->path);
  request.query = std::move(target->query);
  auto match = core_.router.find(request);
  if (!match) return refuse(400, match.error().message, true);
  if (!match->route && match->allowed.empty()) {
    return refuse(404, fmt::format("there is nothing at {}", request.path), true);
  }
  if (!match->route) {
    const std::string allowed = fmt::format("{}", fmt::join(match->allowed, ", "));
    refuse(405, fmt::format("{} is not allowed at {}: allowed are {}", request.method, request.path, allowed),
           true);
    incoming.refusal->headers.set("Allow", allowed);
    return;
  }
  request.parameters = std::move(match->parameters);
  incoming.match = std::move(*match);
}

// A request that could not be read to its end: an answer where one makes sense, else the connection is
// dropped.
void Connection::refuse_broken(const Reading& reading, const error_code& error, Incoming& incoming) const {
  incoming.keep_alive = false;
  if (timed_out_) {
    incoming.refusal = core_.error_response(408, "the request took too long to arrive");
  } else if (error == wire::error::body_limit) {
    refuse_large(reading, incoming);
  } else if (error == wire::error::header_limit || error == wire::error::buffer_overflow) {
    incoming.refusal =
        core_.error_response(431, fmt::format("request line and header fields are over the limit of {} bytes",
                                              core_.options.max_header_bytes));
  } else if (error == wire::error::bad_version) {
    incoming.refusal = core_.error_response(505, "only HTTP/1.0 and HTTP/1.1 are served");
  } else if (is_protocol_error(error) && error != wire::error::end_of_stream &&
             error != wire::error::partial_message) {
    incoming.refusal = core_.error_response(400, fmt::format("this is not HTTP/1.1: {}", error.message()));
  }
}

}  // namespace terrapin::http
