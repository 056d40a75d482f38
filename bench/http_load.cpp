// Many HTTP/1.1 clients in one thread, cheap enough to leave the machine to the server that is measured.
//   http_load workers HOST PORT SESSIONS TASKS DELTAS DELTA_BYTES ANSWER
//     SESSIONS: a file with a line "cookie csrf" for each worker; each does TASKS times: accept, open the
//     draft, DELTAS saves, submit (the file ANSWER). All begin at once; each sends when the answer before has
//     come.
//   http_load replay HOST PORT REQUESTS CONNECTIONS
//     REQUESTS: lines "METHOD TARGET BODY_BYTES", sent in order, each by the next connection that is free.
//   http_load repeat HOST PORT REQUEST SECONDS CONNECTIONS
//     REQUEST: a file with one whole request, which every connection sends again and again for that long.
// Prints one JSON object: seconds, operations, latencies in ms, bytes, and how many answers were not 2xx.
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iostream>
#include <map>
#include <memory>
#include <random>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;

[[noreturn]] void give_up(const std::string& text) {
  std::fprintf(stderr, "http_load: %s\n", text.c_str());
  std::exit(1);
}

struct Request {
  const char* kind = "";  // latencies are told by kind
  std::string head;
  std::string own_body;
  std::string_view body;  // own_body, or bytes that live longer
};

struct Reply {
  int status = 0;
  std::string body;  // the first kilobyte
  std::int64_t bytes = 0;
};

// What one connection sends.
class Script {
 public:
  virtual ~Script() = default;
  // False: nothing more. `reply` answers the request before; status 0 at first.
  virtual bool next(const Reply& reply, Request& request) = 0;
};

class WorkerScript : public Script {
 public:
  struct Plan {
    std::string host;
    int tasks = 1, deltas = 20;
    std::string delta, answer;
  };
  WorkerScript(const Plan& plan, std::string cookie, std::string csrf)
      : plan_(plan), cookie_(std::move(cookie)), csrf_(std::move(csrf)) {}

  bool next(const Reply& reply, Request& request) override {
    if (step_ == 1) {
      const std::size_t at = reply.body.find("\"id\":\"");
      if (at == std::string::npos) return false;  // nothing left to accept
      id_ = reply.body.substr(at + 6, reply.body.find('"', at + 6) - at - 6);
    }
    const std::string task = "/_/api/assignments/" + id_;
    if (step_ == plan_.deltas + 3) {
      step_ = 0;
      ++done_;
    }
    if (step_ == 0) {
      if (done_ == plan_.tasks) return false;
      fill(request, "accept", "/_/api/assignments", "{}");
    } else if (step_ == 1) {
      fill(request, "open", task + "/draft/open", "{\"tab\":\"tab\"}");
    } else if (step_ < plan_.deltas + 2) {
      std::ostringstream body;
      body << "{\"tab\":\"tab\",\"deltas\":[{\"sequence\":" << step_ - 1 << ",\"data\":\"" << plan_.delta
           << "\"}]}";
      fill(request, "save", task + "/draft/deltas", body.str());
    } else {
      fill(request, "submit", task + "/submit", "");
      request.body = plan_.answer;
      write_head(request, task + "/submit");
    }
    ++step_;
    return true;
  }

 private:
  void fill(Request& request, const char* kind, const std::string& target, std::string body) {
    request.kind = kind;
    request.own_body = std::move(body);
    request.body = request.own_body;
    write_head(request, target);
  }
  void write_head(Request& request, const std::string& target) {
    request.head = "POST " + target + " HTTP/1.1\r\nHost: " + plan_.host + "\r\nCookie: " + cookie_ +
                   "\r\nX-CSRF-Token: " + csrf_ + "\r\nContent-Type: application/json\r\nContent-Length: " +
                   std::to_string(request.body.size()) + "\r\n\r\n";
  }
  const Plan& plan_;
  std::string cookie_, csrf_, id_;
  int step_ = 0, done_ = 0;
};

struct Queue {
  struct Line {
    std::string method, target;
    std::size_t body_bytes = 0;
  };
  std::string host;
  std::vector<Line> lines;
  std::size_t next = 0;
  std::string bytes;  // bodies are beginnings of this
};

class ReplayScript : public Script {
 public:
  explicit ReplayScript(Queue& queue) : queue_(queue) {}
  bool next(const Reply&, Request& request) override {
    if (queue_.next == queue_.lines.size()) return false;
    const Queue::Line& line = queue_.lines[queue_.next++];
    request.kind = line.method == "PUT" ? "put" : "get";
    request.body = std::string_view(queue_.bytes).substr(0, line.body_bytes);
    request.head = line.method + " " + line.target + " HTTP/1.1\r\nHost: " + queue_.host + "\r\n";
    if (line.method == "PUT") request.head += "Content-Length: " + std::to_string(line.body_bytes) + "\r\n";
    request.head += "\r\n";
    return true;
  }

 private:
  Queue& queue_;
};

class RepeatScript : public Script {
 public:
  RepeatScript(const std::string& whole, Clock::time_point end) : whole_(whole), end_(end) {}
  bool next(const Reply&, Request& request) override {
    request.kind = "request";
    request.body = whole_;  // head and all
    return Clock::now() < end_;
  }

 private:
  const std::string& whole_;
  const Clock::time_point end_;
};

struct Figures {
  std::map<std::string, std::vector<double>> milliseconds;
  std::int64_t refused = 0, bytes_in = 0, bytes_out = 0;
  std::string first_refusal;
};

class Connection {
 public:
  Connection(const sockaddr_in& address, std::unique_ptr<Script> script)
      : address_(address), script_(std::move(script)) {
    open();
  }
  ~Connection() { ::close(fd_); }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  int fd() const { return fd_; }
  // The server closes after this answer: the next request needs a connection of its own.
  bool is_over() const { return over_; }
  void reopen() {
    ::close(fd_);
    open();
  }

  void open() {
    over_ = false;
    fd_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd_ < 0 || ::connect(fd_, reinterpret_cast<const sockaddr*>(&address_), sizeof address_) != 0)
      give_up(std::string("cannot connect: ") + std::strerror(errno));
    const int on = 1;
    ::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    ::fcntl(fd_, F_SETFL, O_NONBLOCK);
  }

  // False: the script has ended.
  bool begin(Figures& figures) {
    if (!script_->next(reply_, request_)) return false;
    sent_ = 0;
    reply_ = {};
    head_.clear();
    in_body_ = false;
    started_ = Clock::now();
    send(figures);
    return true;
  }
  bool wants_to_send() const { return sent_ < request_.head.size() + request_.body.size(); }

  void send(Figures& figures) {
    while (wants_to_send()) {
      iovec parts[2];
      int count = 0;
      const std::size_t head = request_.head.size();
      if (sent_ < head) parts[count++] = {request_.head.data() + sent_, head - sent_};
      const std::size_t from = sent_ > head ? sent_ - head : 0;
      if (from < request_.body.size())
        parts[count++] = {const_cast<char*>(request_.body.data()) + from, request_.body.size() - from};
      const ssize_t done = ::writev(fd_, parts, count);
      if (done < 0 && errno == EAGAIN) return;
      if (done < 0) give_up(std::string("cannot send: ") + std::strerror(errno));
      sent_ += static_cast<std::size_t>(done);
      figures.bytes_out += done;
    }
  }

  // True: the answer is complete.
  bool receive(Figures& figures, std::vector<char>& buffer) {
    for (;;) {
      const ssize_t got = ::read(fd_, buffer.data(), buffer.size());
      if (got < 0 && errno == EAGAIN) return false;
      if (got <= 0) give_up("the server closed a connection");
      figures.bytes_in += got;
      std::string_view data(buffer.data(), static_cast<std::size_t>(got));
      if (!in_body_) {
        head_.append(data);
        const std::size_t end = head_.find("\r\n\r\n");
        if (end == std::string::npos) continue;
        read_head(end);
        const std::size_t body_here = head_.size() - end - 4;
        data = data.substr(data.size() - body_here);
      }
      reply_.bytes += static_cast<std::int64_t>(data.size());
      if (reply_.body.size() < 1024) reply_.body.append(data.substr(0, 1024 - reply_.body.size()));
      if (reply_.bytes >= expected_) {
        note(figures);
        return true;
      }
    }
  }

 private:
  void read_head(std::size_t end) {
    in_body_ = true;
    reply_.status = std::atoi(head_.c_str() + 9);
    std::string text = head_.substr(0, end);
    std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return std::tolower(c); });
    over_ = text.find("\r\nconnection: close") != std::string::npos;
    const std::size_t at = text.find("\r\ncontent-length:");
    expected_ = at == std::string::npos ? 0 : std::atoll(text.c_str() + at + 17);
    if (at == std::string::npos && text.find("\r\ntransfer-encoding:") != std::string::npos)
      give_up("an answer in chunks; a length is expected");
  }
  void note(Figures& figures) {
    figures.milliseconds[request_.kind].push_back(
        std::chrono::duration<double, std::milli>(Clock::now() - started_).count());
    if (reply_.status / 100 == 2) return;
    if (figures.refused++ == 0) figures.first_refusal = std::to_string(reply_.status) + " " + reply_.body;
  }

  const sockaddr_in address_;
  int fd_ = -1;
  bool over_ = false;
  std::unique_ptr<Script> script_;
  Request request_;
  std::size_t sent_ = 0;
  std::string head_;
  bool in_body_ = false;
  std::int64_t expected_ = 0;
  Reply reply_;
  Clock::time_point started_;
};

double percentile(std::vector<double>& values, double share) {
  if (values.empty()) return 0;
  const auto at = static_cast<std::size_t>(share * static_cast<double>(values.size() - 1) + 0.5);
  std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(at), values.end());
  return values[at];
}

void print(Figures& figures, double seconds) {
  std::vector<double> all;
  for (const auto& [kind, values] : figures.milliseconds) all.insert(all.end(), values.begin(), values.end());
  std::cout << "{\"seconds\": " << seconds << ", \"operations\": " << all.size()
            << ", \"operations_per_s\": " << static_cast<double>(all.size()) / seconds
            << ", \"p50_ms\": " << percentile(all, 0.5) << ", \"p99_ms\": " << percentile(all, 0.99)
            << ", \"bytes_in\": " << figures.bytes_in << ", \"bytes_out\": " << figures.bytes_out
            << ", \"refused\": " << figures.refused;
  for (auto& [kind, values] : figures.milliseconds)
    std::cout << ", \"" << kind << "\": {\"count\": " << values.size()
              << ", \"p50_ms\": " << percentile(values, 0.5) << ", \"p99_ms\": " << percentile(values, 0.99)
              << "}";
  std::cout << "}\n";
  if (figures.refused > 0)
    std::fprintf(stderr, "http_load: the first refusal: %s\n", figures.first_refusal.c_str());
}

std::string file_text(const char* path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) give_up(std::string("cannot read ") + path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

void run(std::vector<std::unique_ptr<Connection>>& connections, Figures& figures) {
  const int poll = ::epoll_create1(EPOLL_CLOEXEC);
  const auto watch = [poll](Connection& connection, int operation) {
    epoll_event event{};
    event.events = EPOLLIN | (connection.wants_to_send() ? static_cast<unsigned>(EPOLLOUT) : 0U);
    event.data.ptr = &connection;
    ::epoll_ctl(poll, operation, connection.fd(), &event);
  };
  std::size_t active = 0;
  for (const auto& connection : connections) {
    if (!connection->begin(figures)) continue;
    ++active;
    watch(*connection, EPOLL_CTL_ADD);
  }
  std::vector<char> buffer(1 << 20);
  std::vector<epoll_event> events(1024);
  while (active > 0) {
    const int count = ::epoll_wait(poll, events.data(), static_cast<int>(events.size()), 60'000);
    if (count == 0) give_up("nothing came within 60 s");
    for (int i = 0; i < count; ++i) {
      auto& connection = *static_cast<Connection*>(events[static_cast<std::size_t>(i)].data.ptr);
      const bool was_sending = connection.wants_to_send();
      if (was_sending) connection.send(figures);
      const bool answered = connection.receive(figures, buffer);
      const bool reopened = answered && connection.is_over();
      if (reopened) connection.reopen();
      if (answered && !connection.begin(figures)) {
        if (!reopened) ::epoll_ctl(poll, EPOLL_CTL_DEL, connection.fd(), nullptr);
        --active;
      } else if (reopened) {
        watch(connection, EPOLL_CTL_ADD);
      } else if (was_sending || connection.wants_to_send()) {
        watch(connection, EPOLL_CTL_MOD);
      }
    }
  }
  ::close(poll);
}

}  // namespace

int main(int argc, char** argv) {
  const std::string mode = argc > 1 ? argv[1] : "";
  if (!(mode == "workers" && argc == 9) && !(mode == "replay" && argc == 6) &&
      !(mode == "repeat" && argc == 7)) {
    std::fprintf(stderr,
                 "http_load workers HOST PORT SESSIONS TASKS DELTAS DELTA_BYTES ANSWER\n"
                 "http_load replay HOST PORT REQUESTS CONNECTIONS\n"
                 "http_load repeat HOST PORT REQUEST SECONDS CONNECTIONS\n");
    return 2;
  }
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(std::atoi(argv[3])));
  if (::inet_pton(AF_INET, argv[2], &address.sin_addr) != 1) give_up("HOST must be an IPv4 address");
  const std::string host = std::string(argv[2]) + ":" + argv[3];

  WorkerScript::Plan plan;
  Queue queue;
  std::vector<std::unique_ptr<Connection>> connections;
  const std::string given = file_text(argv[4]);
  std::istringstream lines(given);
  if (mode == "repeat") {
    const auto end = Clock::now() + std::chrono::milliseconds(static_cast<int>(1000 * std::atof(argv[5])));
    for (int i = 0; i < std::atoi(argv[6]); ++i)
      connections.push_back(
          std::make_unique<Connection>(address, std::make_unique<RepeatScript>(given, end)));
  } else if (mode == "workers") {
    plan.host = host;
    plan.tasks = std::atoi(argv[5]);
    plan.deltas = std::atoi(argv[6]);
    plan.delta = std::string(static_cast<std::size_t>(std::atoi(argv[7])), 'd');
    plan.answer = file_text(argv[8]);
    for (std::string cookie, csrf; lines >> cookie >> csrf;)
      connections.push_back(
          std::make_unique<Connection>(address, std::make_unique<WorkerScript>(plan, cookie, csrf)));
  } else {
    queue.host = host;
    std::size_t largest = 0;
    for (Queue::Line line; lines >> line.method >> line.target >> line.body_bytes;) {
      largest = std::max(largest, line.body_bytes);
      queue.lines.push_back(line);
    }
    std::mt19937_64 random(1);
    queue.bytes.resize(largest);
    for (std::size_t at = 0; at + 8 <= largest; at += 8) {
      const std::uint64_t word = random();
      std::memcpy(queue.bytes.data() + at, &word, 8);
    }
    for (int i = 0; i < std::atoi(argv[5]); ++i)
      connections.push_back(std::make_unique<Connection>(address, std::make_unique<ReplayScript>(queue)));
  }
  Figures figures;
  const auto begin = Clock::now();
  run(connections, figures);
  print(figures, std::chrono::duration<double>(Clock::now() - begin).count());
  return figures.refused > 0 ? 1 : 0;
}
