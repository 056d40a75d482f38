#include "training/distributed/rendezvous.h"

#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <map>
#include <thread>
#include <vector>

#include "base/interrupt.h"

namespace terrapin::training {
namespace {

using Clock = std::chrono::steady_clock;

// A question: operation, key length, value length, key, value. An answer: length, value. Lengths are
// little-endian, four bytes.
constexpr std::size_t kQuestionHead = 9, kAnswerHead = 4;
constexpr std::size_t kMaxKey = 1 << 10, kMaxValue = 1 << 20, kMaxTotal = 64 << 20;
constexpr std::size_t kMaxConnections = 8192;

void put_length(std::string& text, std::size_t length) {
  for (int shift = 0; shift < 32; shift += 8)
    text.push_back(static_cast<char>(static_cast<unsigned char>(length >> shift & 255)));
}

std::size_t length_at(const char* bytes) {
  std::size_t length = 0;
  for (int i = 3; i >= 0; --i) length = length << 8 | static_cast<unsigned char>(bytes[i]);
  return length;
}

struct Addresses {
  addrinfo* first = nullptr;
  int code = 0;
  Addresses(const std::string& host, int port, int flags) {
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = flags;
    code = ::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &first);
  }
  ~Addresses() {
    if (first != nullptr) ::freeaddrinfo(first);
  }
  Addresses(const Addresses&) = delete;
  Addresses& operator=(const Addresses&) = delete;
};

// Long waits look at the interrupt flag this often.
constexpr int kLookMs = 100;

// Until `events` come. nullopt-like: kIo past the deadline.
Status wait_for(int descriptor, short events, Clock::time_point deadline) {
  for (;;) {
    if (interrupted()) return fail(ErrorCode::kCancelled, "stopped while waiting for the other processes");
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
    if (left <= 0) return fail(ErrorCode::kIo, "no answer in time");
    pollfd entry{descriptor, events, 0};
    const int ready = ::poll(&entry, 1, static_cast<int>(std::min<std::int64_t>(left, kLookMs)));
    if (ready > 0) return {};
    if (ready < 0 && errno != EINTR) return fail(ErrorCode::kIo, "poll: {}", std::strerror(errno));
  }
}

}  // namespace

class RendezvousServer::Loop {
 public:
  Loop(Descriptor listener, Descriptor wake) : listener_(std::move(listener)), wake_(std::move(wake)) {
    thread_ = std::thread([this] { run(); });
  }
  ~Loop() {
    const std::uint64_t one = 1;
    [[maybe_unused]] const auto told = ::write(wake_.get(), &one, sizeof one);
    thread_.join();
  }
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

 private:
  struct Connection {
    Descriptor socket;
    std::string in, out;
    std::string waits_for;  // the key that its question asks for
    bool broken = false;
  };

  void run() {
    for (;;) {
      std::vector<pollfd> entries{{wake_.get(), POLLIN, 0}, {listener_.get(), POLLIN, 0}};
      for (const auto& connection : connections_) {
        const short wanted = static_cast<short>(POLLIN | (connection->out.empty() ? 0 : POLLOUT));
        entries.push_back({connection->socket.get(), wanted, 0});
      }
      if (::poll(entries.data(), entries.size(), -1) < 0) continue;
      if (entries[0].revents != 0) return;
      for (std::size_t i = 2; i < entries.size(); ++i) {
        if (entries[i].revents != 0) serve(*connections_[i - 2], entries[i].revents);
      }
      std::erase_if(connections_, [](const auto& connection) { return connection->broken; });
      if (entries[1].revents != 0) accept_one();
    }
  }

  void accept_one() {
    Descriptor socket(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!socket.is_open() || connections_.size() >= kMaxConnections) return;
    connections_.push_back(std::make_unique<Connection>());
    connections_.back()->socket = std::move(socket);
  }

  void serve(Connection& connection, short events) {
    if ((events & (POLLIN | POLLHUP | POLLERR)) != 0) {
      char buffer[1 << 16];
      const ssize_t count = ::recv(connection.socket.get(), buffer, sizeof buffer, 0);
      if (count > 0) {
        connection.in.append(buffer, static_cast<std::size_t>(count));
        answer_questions(connection);
      } else if (count == 0 || (errno != EAGAIN && errno != EINTR)) {
        connection.broken = true;
      }
    }
    flush(connection);
  }

  void answer_questions(Connection& connection) {
    while (!connection.broken && connection.waits_for.empty() && connection.in.size() >= kQuestionHead) {
      const std::size_t key_length = length_at(connection.in.data() + 1),
                        value_length = length_at(connection.in.data() + 5);
      if (key_length == 0 || key_length > kMaxKey || value_length > kMaxValue) {
        connection.broken = true;
        return;
      }
      if (connection.in.size() < kQuestionHead + key_length + value_length) return;
      const char operation = connection.in[0];
      const std::string key = connection.in.substr(kQuestionHead, key_length);
      const std::string value = connection.in.substr(kQuestionHead + key_length, value_length);
      connection.in.erase(0, kQuestionHead + key_length + value_length);
      answer(connection, operation, key, value);
    }
    // Nobody of ours asks twice before the answer.
    if (connection.in.size() > kQuestionHead + kMaxKey + kMaxValue) connection.broken = true;
  }

  void answer(Connection& connection, char operation, const std::string& key, const std::string& value) {
    const auto found = values_.find(key);
    switch (operation) {
      case 'S':
        if (!store(key, value)) break;
        say(connection, "");
        return;
      case 'G':
        if (found == values_.end()) {
          connection.waits_for = key;
        } else {
          say(connection, found->second);
        }
        return;
      case 'H':
        say(connection, found == values_.end() ? "0" : "1");
        return;
      case 'A': {
        std::int64_t sum = 0, step = 0;
        const std::string old = found == values_.end() ? "0" : found->second;
        const auto read = [](const std::string& text, std::int64_t& number) {
          const auto end = text.data() + text.size();
          const auto result = std::from_chars(text.data(), end, number);
          return result.ec == std::errc() && result.ptr == end;
        };
        if (!read(old, sum) || !read(value, step) || __builtin_add_overflow(sum, step, &sum)) break;
        if (!store(key, std::to_string(sum))) break;
        say(connection, std::to_string(sum));
        return;
      }
      default:
        break;
    }
    connection.broken = true;
  }

  bool store(const std::string& key, const std::string& value) {
    std::string& kept = values_[key];
    if (total_ - kept.size() + key.size() + value.size() > kMaxTotal) return false;
    total_ = total_ - kept.size() + key.size() + value.size();
    kept = value;
    for (const auto& connection : connections_) {
      if (connection->waits_for != key) continue;
      connection->waits_for.clear();
      say(*connection, value);
      flush(*connection);
    }
    return true;
  }

  static void say(Connection& connection, const std::string& value) {
    put_length(connection.out, value.size());
    connection.out += value;
  }

  static void flush(Connection& connection) {
    while (!connection.broken && !connection.out.empty()) {
      const ssize_t count =
          ::send(connection.socket.get(), connection.out.data(), connection.out.size(), MSG_NOSIGNAL);
      if (count > 0) {
        connection.out.erase(0, static_cast<std::size_t>(count));
      } else if (errno == EAGAIN) {
        return;
      } else if (errno != EINTR) {
        connection.broken = true;
      }
    }
  }

  const Descriptor listener_, wake_;
  // Of the thread alone.
  std::vector<std::unique_ptr<Connection>> connections_;
  std::map<std::string, std::string> values_;
  std::size_t total_ = 0;

  std::thread thread_;
};

Result<std::unique_ptr<RendezvousServer>> RendezvousServer::start(const std::string& address, int port) {
  const Addresses addresses(address, port, AI_NUMERICHOST);
  if (addresses.first == nullptr) {
    return fail(ErrorCode::kInvalidArgument, "{} is no address in digits: {}", address,
                ::gai_strerror(addresses.code));
  }
  Descriptor listener(::socket(addresses.first->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const int on = 1;
  ::setsockopt(listener.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (!listener.is_open() ||
      ::bind(listener.get(), addresses.first->ai_addr, addresses.first->ai_addrlen) != 0 ||
      ::listen(listener.get(), 512) != 0) {
    return fail(ErrorCode::kIo, "cannot listen on {} port {}, where the processes should meet: {}", address,
                port, std::strerror(errno));
  }
  sockaddr_storage own{};
  socklen_t length = sizeof own;
  if (::getsockname(listener.get(), reinterpret_cast<sockaddr*>(&own), &length) != 0)
    return fail(ErrorCode::kIo, "{}: {}", address, std::strerror(errno));
  Descriptor wake(::eventfd(0, EFD_CLOEXEC));
  if (!wake.is_open()) return fail(ErrorCode::kIo, "eventfd: {}", std::strerror(errno));
  std::unique_ptr<RendezvousServer> server(new RendezvousServer());
  server->port_ = ntohs(own.ss_family == AF_INET6 ? reinterpret_cast<const sockaddr_in6&>(own).sin6_port
                                                  : reinterpret_cast<const sockaddr_in&>(own).sin_port);
  server->loop_ = std::make_unique<Loop>(std::move(listener), std::move(wake));
  return server;
}

RendezvousServer::~RendezvousServer() = default;

Result<std::unique_ptr<RendezvousClient>> RendezvousClient::connect(const std::string& host, int port,
                                                                    Milliseconds timeout) {
  const Clock::time_point deadline = Clock::now() + timeout;
  std::string why = "nobody was asked";
  do {
    // The name is asked again each time: a machine that starts last may not be known yet.
    const Addresses addresses(host, port, 0);
    if (addresses.first == nullptr) why = ::gai_strerror(addresses.code);
    for (const addrinfo* each = addresses.first; each != nullptr; each = each->ai_next) {
      Descriptor socket(::socket(each->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
      if (!socket.is_open()) continue;
      if (::connect(socket.get(), each->ai_addr, each->ai_addrlen) != 0) {
        if (errno != EINPROGRESS) {
          why = std::strerror(errno);
          continue;
        }
        const Status ready =
            wait_for(socket.get(), POLLOUT, std::min(deadline, Clock::now() + std::chrono::seconds(5)));
        if (!ready && ready.error().code == ErrorCode::kCancelled)
          return tl::unexpected<Error>(ready.error());
        int failure = 0;
        socklen_t length = sizeof failure;
        ::getsockopt(socket.get(), SOL_SOCKET, SO_ERROR, &failure, &length);
        if (!ready || failure != 0) {
          why = failure != 0 ? std::strerror(failure) : "no answer";
          continue;
        }
      }
      const int on = 1;
      ::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
      ::setsockopt(socket.get(), SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
      return std::unique_ptr<RendezvousClient>(new RendezvousClient(std::move(socket)));
    }
    if (interrupted()) return fail(ErrorCode::kCancelled, "stopped while waiting for the other processes");
    ::poll(nullptr, 0, kLookMs);
  } while (Clock::now() < deadline);
  return fail(ErrorCode::kIo, "{} port {}, where the processes meet, cannot be reached: {}", host, port, why);
}

Result<std::string> RendezvousClient::ask(char operation, const std::string& key, const std::string& value,
                                          Milliseconds timeout) {
  const std::lock_guard lock(mutex_);
  const Clock::time_point deadline = Clock::now() + timeout;
  if (!socket_.is_open()) return fail(ErrorCode::kIo, "the place where the processes meet is gone");
  if (key.empty() || key.size() > kMaxKey || value.size() > kMaxValue)
    return fail(ErrorCode::kTooLarge, "a key of {} and a value of {} bytes", key.size(), value.size());
  std::string question(1, operation);
  put_length(question, key.size());
  put_length(question, value.size());
  question += key + value;
  const auto give_up = [this](Status status) {
    socket_.reset();
    return tl::unexpected<Error>(status.error());
  };
  while (!question.empty()) {
    if (const Status ready = wait_for(socket_.get(), POLLOUT, deadline); !ready) return give_up(ready);
    const ssize_t count = ::send(socket_.get(), question.data(), question.size(), MSG_NOSIGNAL);
    if (count > 0) {
      question.erase(0, static_cast<std::size_t>(count));
    } else if (errno != EAGAIN && errno != EINTR) {
      return give_up(fail(ErrorCode::kIo, "the place where the processes meet is gone"));
    }
  }
  std::string answer;
  for (;;) {
    if (answer.size() >= kAnswerHead && answer.size() >= kAnswerHead + length_at(answer.data()))
      return answer.substr(kAnswerHead);
    if (const Status ready = wait_for(socket_.get(), POLLIN, deadline); !ready) return give_up(ready);
    char buffer[1 << 16];
    const ssize_t count = ::recv(socket_.get(), buffer, sizeof buffer, 0);
    if (count > 0) {
      answer.append(buffer, static_cast<std::size_t>(count));
    } else if (count == 0 || (errno != EAGAIN && errno != EINTR)) {
      return give_up(fail(ErrorCode::kIo, "the place where the processes meet is gone"));
    }
  }
}

constexpr RendezvousClient::Milliseconds kAtOnce = std::chrono::seconds(60);

Status RendezvousClient::set(const std::string& key, const std::string& value) {
  TERRAPIN_TRY([[maybe_unused]] const std::string done, ask('S', key, value, kAtOnce));
  return {};
}

Result<std::string> RendezvousClient::get(const std::string& key, Milliseconds timeout) {
  return ask('G', key, "", timeout);
}

Result<bool> RendezvousClient::has(const std::string& key) {
  TERRAPIN_TRY(const std::string answer, ask('H', key, "", kAtOnce));
  return !answer.empty() && answer[0] == '1';
}

Result<std::int64_t> RendezvousClient::add(const std::string& key, std::int64_t value) {
  TERRAPIN_TRY(const std::string answer, ask('A', key, std::to_string(value), kAtOnce));
  std::int64_t sum = 0;
  const auto [end, error] = std::from_chars(answer.data(), answer.data() + answer.size(), sum);
  if (error != std::errc() || end != answer.data() + answer.size())
    return fail(ErrorCode::kCorrupt, "{} is no number", answer);
  return sum;
}

}  // namespace terrapin::training
