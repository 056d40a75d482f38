// A client so plain that every byte on the wire is the test's own: POSIX sockets, no HTTP library.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>

namespace terrapin::testing {

struct Answer {
  int status = 0;
  std::map<std::string, std::string> headers;  // names in lower case
  std::string body;
  std::string header(const std::string& name) const {
    const auto found = headers.find(name);
    return found == headers.end() ? std::string() : found->second;
  }
};

class RawClient {
 public:
  explicit RawClient(int port) : socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connected_ = ::connect(socket_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
  }
  virtual ~RawClient() { close(); }
  RawClient(const RawClient&) = delete;
  RawClient& operator=(const RawClient&) = delete;

  bool connected() const { return connected_; }
  void close() {
    if (socket_ >= 0) ::close(socket_);
    socket_ = -1;
  }
  void finish_sending() { ::shutdown(socket_, SHUT_WR); }

  // False if the other side no longer takes bytes.
  bool send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t sent = write_some(bytes.data(), bytes.size());
      if (sent <= 0) return false;
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
  }

  // The next answer; nullopt if the connection ends before a whole one. `head`: no body follows.
  std::optional<Answer> receive(bool head = false) {
    std::size_t end = 0;
    while ((end = received_.find("\r\n\r\n")) == std::string::npos) {
      if (!receive_some()) return std::nullopt;
    }
    Answer answer = parse_head(received_.substr(0, end));
    received_.erase(0, end + 4);
    if (head || answer.status == 100 || answer.status == 204 || answer.status == 304) return answer;
    const std::size_t length = std::strtoull(answer.header("content-length").c_str(), nullptr, 10);
    while (received_.size() < length) {
      if (!receive_some()) return std::nullopt;
    }
    answer.body = received_.substr(0, length);
    received_.erase(0, length);
    return answer;
  }

  // True once the other side has closed and everything was read.
  bool at_end() { return received_.empty() && !receive_some(); }

  // True if bytes or the end are there to read within `milliseconds`.
  bool readable(int milliseconds) {
    pollfd wait{socket_, POLLIN, 0};
    return !received_.empty() || ::poll(&wait, 1, milliseconds) > 0;
  }

 protected:
  int socket() const { return socket_; }
  virtual ssize_t write_some(const char* bytes, std::size_t size) {
    return ::send(socket_, bytes, size, MSG_NOSIGNAL);
  }
  virtual ssize_t read_some(char* bytes, std::size_t size) { return ::recv(socket_, bytes, size, 0); }

 private:
  bool receive_some() {
    char block[65536];
    const ssize_t count = read_some(block, sizeof block);
    if (count <= 0) return false;
    received_.append(block, static_cast<std::size_t>(count));
    return true;
  }

  static Answer parse_head(const std::string& head) {
    Answer answer;
    if (head.rfind("HTTP/1.1 ", 0) != 0) throw std::runtime_error("not an HTTP/1.1 answer: " + head);
    answer.status = std::atoi(head.c_str() + 9);
    std::size_t start = head.find("\r\n");
    while (start != std::string::npos) {
      start += 2;
      const std::size_t end = head.find("\r\n", start);
      const std::string line = head.substr(start, end == std::string::npos ? end : end - start);
      const std::size_t colon = line.find(": ");
      std::string name = line.substr(0, colon);
      std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return std::tolower(c); });
      if (colon != std::string::npos) answer.headers[name] = line.substr(colon + 2);
      start = end;
    }
    return answer;
  }

  int socket_ = -1;
  bool connected_ = false;
  std::string received_;
};

// One request over a connection of its own; status 0 if there was no whole answer.
inline Answer ask(int port, const std::string& request, bool head = false) {
  RawClient client(port);
  client.send(request);
  return client.receive(head).value_or(Answer{});
}

inline std::string get(const std::string& target) {
  return "GET " + target + " HTTP/1.1\r\nHost: test\r\n\r\n";
}

inline std::string post(const std::string& target, const std::string& body, const std::string& fields = {}) {
  return "POST " + target + " HTTP/1.1\r\nHost: test\r\n" + fields +
         "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

}  // namespace terrapin::testing
