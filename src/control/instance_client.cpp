#include "control/instance_client.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <optional>
#include <system_error>

#include "base/text.h"

namespace terrapin::control {
namespace {

using FaultKind = InstanceFault::Kind;
using Deadline = InstanceClient::Deadline;
using Steady = std::chrono::steady_clock;
template <class T>
using Asked = tl::expected<T, InstanceFault>;

constexpr std::size_t kMaxHeadBytes = 64 << 10;
constexpr std::int64_t kMaxAnswerBytes = (std::int64_t{512} << 20) + (1 << 20);  // one record and its frame
constexpr std::size_t kPieceBytes = 256 << 10;
constexpr std::size_t kMostIdle = 64;
constexpr auto kIdleTime = std::chrono::seconds(30);  // well below the server's own
constexpr auto kLook = std::chrono::milliseconds(100);

tl::unexpected<InstanceFault> fault(FaultKind kind, std::string message) {
  return tl::unexpected<InstanceFault>(InstanceFault{kind, std::move(message)});
}
tl::unexpected<InstanceFault> gone(const char* what, int number) {
  return fault(FaultKind::kUnreachable, fmt::format("{}: {}", what, std::generic_category().message(number)));
}

struct Waiting {
  int socket;
  Deadline deadline;
  const std::atomic<bool>* abandoned;

  // What of `events` is so.
  Asked<short> wait(short events) const {
    for (;;) {
      const auto now = Steady::now();
      if (now >= deadline) return fault(FaultKind::kTimeout, "the model server did not answer in time");
      if (abandoned && abandoned->load(std::memory_order_relaxed))
        return fault(FaultKind::kAbandoned, "the caller has gone");
      auto most = std::chrono::ceil<std::chrono::milliseconds>(deadline - now);
      if (abandoned) most = std::min<std::chrono::milliseconds>(most, kLook);
      pollfd state{socket, events, 0};
      const int ready = ::poll(&state, 1, static_cast<int>(std::min<std::int64_t>(most.count(), 60'000)));
      if (ready > 0) return state.revents;
      if (ready < 0 && errno != EINTR) return gone("poll", errno);
    }
  }
};

Asked<Descriptor> connect_to(int port, Deadline deadline, const std::atomic<bool>* abandoned) {
  Descriptor socket(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!socket.is_open())
    return fault(FaultKind::kLocal, fmt::format("socket: {}", std::generic_category().message(errno)));
  const int on = 1;
  ::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    if (errno != EINPROGRESS) return gone("connect", errno);
    const auto ready = Waiting{socket.get(), deadline, abandoned}.wait(POLLOUT);
    if (!ready) return tl::unexpected<InstanceFault>(ready.error());
    int problem = 0;
    socklen_t size = sizeof problem;
    ::getsockopt(socket.get(), SOL_SOCKET, SO_ERROR, &problem, &size);
    if (problem != 0) return gone("connect", problem);
  }
  return socket;
}

// True: all is sent. False: the server answers before it has read everything.
Asked<bool> send_all(const Waiting& waiting, std::array<std::span<const std::uint8_t>, 2> parts) {
  for (;;) {
    std::array<iovec, 2> pieces{};
    std::size_t count = 0;
    for (const auto& part : parts)
      if (!part.empty()) pieces[count++] = {const_cast<std::uint8_t*>(part.data()), part.size()};
    if (count == 0) return true;
    msghdr message{};
    message.msg_iov = pieces.data();
    message.msg_iovlen = count;
    const ssize_t sent = ::sendmsg(waiting.socket, &message, MSG_NOSIGNAL);
    if (sent >= 0) {
      auto left = static_cast<std::size_t>(sent);
      for (auto& part : parts) {
        const std::size_t step = std::min(left, part.size());
        part = part.subspan(step);
        left -= step;
      }
      continue;
    }
    if (errno == EINTR) continue;
    if (errno == EPIPE || errno == ECONNRESET) return false;  // an answer may lie there all the same
    if (errno != EAGAIN && errno != EWOULDBLOCK) return gone("send", errno);
    const auto ready = waiting.wait(POLLOUT | POLLIN);
    if (!ready) return tl::unexpected<InstanceFault>(ready.error());
    if ((*ready & POLLIN) != 0) return false;
  }
}

// Bytes read, at least one. `any`: whether bytes of the answer came before.
Asked<std::size_t> receive_some(const Waiting& waiting, std::span<std::uint8_t> into) {
  for (;;) {
    const ssize_t count = ::recv(waiting.socket, into.data(), into.size(), 0);
    if (count > 0) return static_cast<std::size_t>(count);
    if (count == 0) return fault(FaultKind::kUnreachable, "the model server closed the connection");
    if (errno == EINTR) continue;
    if (errno != EAGAIN && errno != EWOULDBLOCK) return gone("receive", errno);
    const auto ready = waiting.wait(POLLIN);
    if (!ready) return tl::unexpected<InstanceFault>(ready.error());
  }
}

struct Head {
  InstanceAnswer answer;
  std::int64_t length = -1;
  bool keep = true;
};

std::optional<Head> parse_head(std::string_view text) {
  Head head;
  std::size_t end = text.find("\r\n");
  const std::string_view first = text.substr(0, end);
  if (!first.starts_with("HTTP/1.1 ") || first.size() < 12) return std::nullopt;
  const auto [after, problem] = std::from_chars(first.data() + 9, first.data() + 12, head.answer.status);
  if (problem != std::errc() || after != first.data() + 12) return std::nullopt;
  while (end != std::string_view::npos && end + 2 < text.size()) {
    const std::size_t begin = end + 2;
    end = text.find("\r\n", begin);
    const std::string_view line = text.substr(begin, end == std::string_view::npos ? end : end - begin);
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos) return std::nullopt;
    std::string_view value = line.substr(colon + 1);
    while (!value.empty() && value.front() == ' ') value.remove_prefix(1);
    std::string name = lower_case(std::string(line.substr(0, colon)));
    if (name == "content-length") {
      const auto number = std::from_chars(value.data(), value.data() + value.size(), head.length);
      if (number.ec != std::errc() || number.ptr != value.data() + value.size() || head.length < 0)
        return std::nullopt;
    } else if (name == "connection") {
      head.keep = lower_case(std::string(value)) != "close";
    } else if (name == "transfer-encoding") {
      return std::nullopt;  // `terrapin host` never sends it
    }
    head.answer.fields.emplace_back(std::move(name), value);
  }
  return head;
}

std::string request_head(const std::string& name, const InstanceRequest& request) {
  const std::int64_t length =
      request.source ? request.source->size() : static_cast<std::int64_t>(request.body.size());
  std::string head;
  head.reserve(512);
  head.append(request.method).append(" ").append(request.path).append(" HTTP/1.1\r\nHost: 127.0.0.1\r\n");
  const auto add = [&](std::string_view field, std::string_view value) {
    head.append(field).append(": ");
    for (const char c : value) head += c == '\r' || c == '\n' || c == '\0' ? ' ' : c;
    head.append("\r\n");
  };
  add("X-Terrapin-Instance", name);
  for (const auto& [field, value] : request.fields) add(field, value);
  if (length > 0 || request.method == "POST") add("Content-Length", std::to_string(length));
  head.append("\r\n");
  return head;
}

std::span<const std::uint8_t> as_bytes(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

// True: all is sent, so that the connection may be used again.
Asked<bool> send_request(const Waiting& waiting, const std::string& head, const InstanceRequest& request) {
  if (!request.source) return send_all(waiting, {as_bytes(head), request.body});
  auto sent = send_all(waiting, {as_bytes(head), {}});
  const std::int64_t size = request.source->size();
  Bytes piece;
  for (std::int64_t at = 0; sent && *sent && at < size; at += static_cast<std::int64_t>(piece.size())) {
    piece.resize(static_cast<std::size_t>(std::min<std::int64_t>(size - at, kPieceBytes)));
    const Status read = request.source->read(at, piece);
    if (!read) return fault(FaultKind::kBody, read.error().message);
    sent = send_all(waiting, {std::span<const std::uint8_t>(piece), {}});
  }
  return sent;
}

// `keep`: whether the connection can be used again. `any`: whether a byte of the answer came.
Asked<InstanceAnswer> receive_answer(const Waiting& waiting, bool& keep, bool& any) {
  Bytes buffer(16 << 10);
  std::size_t filled = 0, head_end = std::string_view::npos;
  while (head_end == std::string_view::npos) {
    if (filled == buffer.size()) {
      if (filled >= kMaxHeadBytes)
        return fault(FaultKind::kUnreachable, "the model server's answer has a head without an end");
      buffer.resize(2 * filled);
    }
    const auto count = receive_some(waiting, std::span(buffer).subspan(filled));
    if (!count) return tl::unexpected<InstanceFault>(count.error());
    any = true;
    const std::size_t from = filled < 3 ? 0 : filled - 3;
    filled += *count;
    head_end = std::string_view(reinterpret_cast<const char*>(buffer.data()), filled).find("\r\n\r\n", from);
  }
  auto head = parse_head({reinterpret_cast<const char*>(buffer.data()), head_end});
  if (!head || head->length < 0)
    return fault(FaultKind::kUnreachable, "what answers in the model server's place speaks no HTTP/1.1");
  if (head->length > kMaxAnswerBytes)
    return fault(FaultKind::kTooLarge,
                 fmt::format("the model server's answer has {} bytes; at most {} are taken", head->length,
                             kMaxAnswerBytes));
  const std::size_t start = head_end + 4;
  const auto length = static_cast<std::size_t>(head->length);
  const std::size_t here = std::min(filled - start, length);
  keep = keep && head->keep && filled - start <= length;
  Bytes& body = head->answer.body;
  body.resize(length);
  std::copy_n(buffer.begin() + static_cast<std::ptrdiff_t>(start), here, body.begin());
  for (std::size_t at = here; at < length;) {
    const auto count = receive_some(waiting, std::span(body).subspan(at));
    if (!count) return tl::unexpected<InstanceFault>(count.error());
    at += *count;
  }
  return std::move(head->answer);
}

}  // namespace

std::string_view InstanceAnswer::field(std::string_view name) const {
  for (const auto& [key, value] : fields)
    if (key == name) return value;
  return {};
}

Descriptor InstanceClient::take_idle() {
  const std::lock_guard lock(mutex_);
  const auto now = Steady::now();
  while (!idle_.empty()) {
    Idle last = std::move(idle_.back());
    idle_.pop_back();
    // Readable while nothing was asked: it is at its end.
    pollfd state{last.socket.get(), POLLIN, 0};
    if (now - last.since < kIdleTime && ::poll(&state, 1, 0) == 0) return std::move(last.socket);
  }
  return {};
}

void InstanceClient::keep(Descriptor socket) {
  const std::lock_guard lock(mutex_);
  const auto now = Steady::now();
  // The oldest are first: those of a burst are not kept open by those that are used all the time.
  std::erase_if(idle_, [&](const Idle& idle) { return now - idle.since >= kIdleTime; });
  if (idle_.size() < kMostIdle) idle_.push_back({std::move(socket), now});
}

tl::expected<InstanceAnswer, InstanceFault> InstanceClient::ask(const InstanceRequest& request,
                                                                Deadline deadline,
                                                                const std::atomic<bool>* abandoned) {
  const int port = port_.load();
  if (port == 0) return fault(FaultKind::kUnreachable, "the model server has no address yet");
  const std::string head = request_head(name_, request);
  for (;;) {
    Descriptor socket = take_idle();
    const bool used_before = socket.is_open();
    if (!used_before) {
      auto connected = connect_to(port, deadline, abandoned);
      if (!connected) return tl::unexpected<InstanceFault>(connected.error());
      socket = std::move(*connected);
    }
    const Waiting waiting{socket.get(), deadline, abandoned};
    const auto sent = send_request(waiting, head, request);
    if (!sent) return tl::unexpected<InstanceFault>(sent.error());
    bool keep_it = *sent, any = false;
    auto answer = receive_answer(waiting, keep_it, any);
    if (!answer) {
      // It may have been closed while it was idle: a new one says what is so.
      if (used_before && !any && answer.error().kind == FaultKind::kUnreachable) continue;
      return answer;
    }
    if (answer->status == 421)
      return fault(FaultKind::kUnreachable, "another server has the model server's port");
    if (keep_it) keep(std::move(socket));
    return answer;
  }
}

}  // namespace terrapin::control
