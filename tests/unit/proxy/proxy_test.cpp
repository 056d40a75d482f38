#include "proxy/proxy.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <functional>
#include <future>
#include <latch>
#include <mutex>
#include <thread>

#include "unit/proxy/certificates.h"

namespace terrapin::proxy {
namespace {

constexpr const char* kHost = "s3.amazonaws.com";

sockaddr_in loopback(int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

bool send_all(int socket, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}
std::string receive_all(int socket) {
  std::string all;
  std::array<char, 65536> block{};
  for (ssize_t got = 0; (got = ::recv(socket, block.data(), block.size(), 0)) > 0;)
    all.append(block.data(), static_cast<std::size_t>(got));
  return all;
}

// The service behind: each connection is handled on a thread of its own, then closed.
class FakeService {
 public:
  explicit FakeService(std::function<void(int socket)> handle) : handle_(std::move(handle)) {
    listener_ = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address = loopback(0);
    ::bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof address);
    ::listen(listener_, 256);
    socklen_t size = sizeof address;
    ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    acceptor_ = std::thread([this] {
      for (int socket = -1; (socket = ::accept(listener_, nullptr, nullptr)) >= 0;) {
        const std::lock_guard lock(mutex_);
        handlers_.emplace_back([this, socket] {
          handle_(socket);
          ::close(socket);
        });
      }
    });
  }
  ~FakeService() {
    ::shutdown(listener_, SHUT_RDWR);
    acceptor_.join();
    for (std::thread& handler : handlers_) handler.join();
    ::close(listener_);
  }
  int port() const { return port_; }

 private:
  std::function<void(int)> handle_;
  int listener_ = -1, port_ = 0;
  std::thread acceptor_;
  std::mutex mutex_;
  std::vector<std::thread> handlers_;  // guarded by mutex_ until the acceptor has ended
};

// A program behind the proxy.
class Client {
 public:
  explicit Client(const Proxy& proxy) : socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address = loopback(proxy.port());
    connected_ = ::connect(socket_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
  }
  ~Client() {
    tls_.reset();
    close();
  }
  void close() {
    if (socket_ >= 0) ::close(socket_);
    socket_ = -1;
  }
  bool connected() const { return connected_; }
  bool send_plain(std::string_view bytes) { return send_all(socket_, bytes); }
  std::string rest_plain() { return receive_all(socket_); }

  // The status line of the answer to CONNECT, byte by byte so that nothing of TLS is taken.
  std::string ask(const std::string& request) {
    send_plain(request);
    return read_head();
  }
  std::string read_head() {
    std::string head;
    char one = 0;
    while (head.find("\r\n\r\n") == std::string::npos && ::recv(socket_, &one, 1, 0) == 1) head += one;
    return head;
  }
  std::string connect_to(const std::string& host) {
    return ask("CONNECT " + host + ":443 HTTP/1.1\r\nHost: " + host + ":443\r\n\r\n");
  }

  // True if the certificate is for `host`, by `authority`.
  bool shake_hands(const std::string& authority_pem, const std::string& host) {
    prepare(authority_pem, host);
    SSL_set_fd(tls_.get(), socket_);
    return SSL_connect(tls_.get()) == 1;
  }
  void prepare(const std::string& authority_pem, const std::string& host) {
    context_.reset(SSL_CTX_new(TLS_client_method()));
    const auto authority = testing::read_certificate(authority_pem);
    X509_STORE_add_cert(SSL_CTX_get_cert_store(context_.get()), authority.get());
    SSL_CTX_set_verify(context_.get(), SSL_VERIFY_PEER, nullptr);
    tls_.reset(SSL_new(context_.get()));
    SSL_set1_host(tls_.get(), host.c_str());
    SSL_set_tlsext_host_name(tls_.get(), host.c_str());
  }
  SSL* tls() { return tls_.get(); }
  int socket() const { return socket_; }
  bool send(std::string_view bytes) {
    while (!bytes.empty()) {
      const int sent =
          SSL_write(tls_.get(), bytes.data(), static_cast<int>(std::min<std::size_t>(bytes.size(), 1 << 16)));
      if (sent <= 0) return false;
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
  }
  std::string receive(std::size_t most) {
    std::string all;
    std::array<char, 65536> block{};
    while (all.size() < most) {
      const int got =
          SSL_read(tls_.get(), block.data(), static_cast<int>(std::min(block.size(), most - all.size())));
      if (got <= 0) break;
      all.append(block.data(), static_cast<std::size_t>(got));
    }
    return all;
  }
  std::string receive_rest() { return receive(std::size_t{1} << 40); }
  void end_sending() { SSL_shutdown(tls_.get()); }
  // The other side has said that nothing more will come.
  bool ended_properly() { return (SSL_get_shutdown(tls_.get()) & SSL_RECEIVED_SHUTDOWN) != 0; }

 private:
  struct Free {
    void operator()(SSL* tls) const { SSL_free(tls); }
    void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
  };
  int socket_;
  bool connected_ = false;
  std::unique_ptr<SSL_CTX, Free> context_;
  std::unique_ptr<SSL, Free> tls_;
};

std::string bytes_of(std::size_t size, unsigned seed) {
  std::string bytes(size, '\0');
  for (char& byte : bytes) {
    seed = seed * 1664525U + 1013904223U;
    byte = static_cast<char>(seed >> 24);
  }
  return bytes;
}

class ProxyTest : public ::testing::Test {
 protected:
  ProxyTest() { ::signal(SIGPIPE, SIG_IGN); }

  Proxy& start(int service_port) {
    service_port_ = service_port;
    options_.allows = [](const std::string& host) {
      return host == kHost || host.ends_with(".s3.amazonaws.com");
    };
    options_.allowed_words = "S3's hosts";
    if (!options_.upstream) {
      options_.upstream = [this] {
        Upstream upstream;
        upstream.host = "127.0.0.1";
        upstream.port = service_port_;
        return upstream;
      };
    }
    auto started = Proxy::start(*authority_, options_, clock_);
    EXPECT_TRUE(started) << started.error().message;
    proxy_ = std::move(*started);
    return *proxy_;
  }
  const std::string& trusted() const { return authority_->certificate_pem(); }

  const Clock& clock_ = system_clock();
  std::unique_ptr<Authority> authority_ = *Authority::make({"Test authority", "amazonaws.com"}, clock_);
  ProxyOptions options_;
  std::atomic<int> service_port_{0};
  std::unique_ptr<Proxy> proxy_;
};

void echo(int socket) {
  std::array<char, 65536> block{};
  for (ssize_t got = 0; (got = ::recv(socket, block.data(), block.size(), 0)) > 0;)
    if (!send_all(socket, {block.data(), static_cast<std::size_t>(got)})) return;
}

TEST_F(ProxyTest, CarriesLargeBodiesAndTheEndOfEachSide) {
  const FakeService service(&echo);
  const Proxy& proxy = start(service.port());
  Client client(proxy);
  ASSERT_EQ(client.connect_to(kHost).substr(0, 12), "HTTP/1.1 200");
  ASSERT_TRUE(client.shake_hands(trusted(), kHost));
  const std::string body = bytes_of(1 << 20, 1);
  for (int round = 0; round < 12; ++round) {
    auto sender = std::async(std::launch::async, [&] { return client.send(body); });
    ASSERT_TRUE(sender.get());
    ASSERT_EQ(client.receive(body.size()), body);
  }
  // The last words are still answered after the client has said that they were its last.
  ASSERT_TRUE(client.send("goodbye"));
  client.end_sending();
  EXPECT_EQ(client.receive_rest(), "goodbye");
  EXPECT_TRUE(client.ended_properly());
}

// A service that answers early and ends its side takes the rest of what is sent to it all the same.
TEST_F(ProxyTest, TheServicesEndDoesNotEndTheClients) {
  std::promise<std::string> received;
  const FakeService service([&](int socket) {
    send_all(socket, "answer");
    ::shutdown(socket, SHUT_WR);
    received.set_value(receive_all(socket));
  });
  const Proxy& proxy = start(service.port());
  Client client(proxy);
  client.connect_to(kHost);
  ASSERT_TRUE(client.shake_hands(trusted(), kHost));
  EXPECT_EQ(client.receive_rest(), "answer");
  EXPECT_TRUE(client.ended_properly());
  const std::string body = bytes_of(5 << 20, 2);
  EXPECT_TRUE(client.send(body));
  client.end_sending();
  EXPECT_EQ(received.get_future().get(), body);
}

TEST_F(ProxyTest, ALostClientIsTheEndForTheService) {
  std::promise<std::string> received;
  const FakeService service([&](int socket) { received.set_value(receive_all(socket)); });
  const Proxy& proxy = start(service.port());
  Client client(proxy);
  client.connect_to(kHost);
  ASSERT_TRUE(client.shake_hands(trusted(), kHost));
  client.send("some");
  client.close();  // without a word
  EXPECT_EQ(received.get_future().get(), "some");
}

TEST_F(ProxyTest, SixtyFourAtOnce) {
  constexpr int kClients = 64;
  const FakeService service(&echo);
  const Proxy& proxy = start(service.port());
  std::latch all_connected(kClients);
  std::atomic<int> right{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < kClients; ++i) {
    threads.emplace_back([&, i] {
      const std::string host = i % 2 == 0 ? kHost : fmt::format("bucket-{}.s3.amazonaws.com", i);
      Client client(proxy);
      client.connect_to(host);
      const bool secure = client.shake_hands(trusted(), host);
      all_connected.arrive_and_wait();  // none ends before all are there
      const std::string body = bytes_of(100'000, static_cast<unsigned>(i));
      if (secure && client.send(body) && client.receive(body.size()) == body) ++right;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(right, kClients);
}

TEST_F(ProxyTest, TheCertificateIsTheAskedHosts) {
  const FakeService service(&echo);
  const Proxy& proxy = start(service.port());
  Client client(proxy);
  client.connect_to("photos.s3.amazonaws.com");
  EXPECT_FALSE(client.shake_hands(trusted(), kHost));
  Client stranger(proxy);
  stranger.connect_to(kHost);
  const auto other = *Authority::make({"Another", "amazonaws.com"}, clock_);
  EXPECT_FALSE(stranger.shake_hands(other->certificate_pem(), kHost));
}

TEST_F(ProxyTest, TlsThatComesWithTheRequestIsNotLost) {
  const FakeService service(&echo);
  const Proxy& proxy = start(service.port());
  Client client(proxy);
  client.prepare(trusted(), kHost);
  BIO* const in = BIO_new(BIO_s_mem());
  BIO* const out = BIO_new(BIO_s_mem());
  SSL_set_bio(client.tls(), in, out);
  SSL_connect(client.tls());  // writes the first message only
  std::string hello(4096, '\0');
  hello.resize(static_cast<std::size_t>(BIO_read(out, hello.data(), static_cast<int>(hello.size()))));
  ASSERT_TRUE(client.send_plain("CONNECT s3.amazonaws.com:443 HTTP/1.1\r\n\r\n" + hello));
  ASSERT_EQ(client.read_head().substr(0, 12), "HTTP/1.1 200");
  SSL_set_fd(client.tls(), client.socket());
  ASSERT_EQ(SSL_connect(client.tls()), 1);
  ASSERT_TRUE(client.send("hello"));
  EXPECT_EQ(client.receive(5), "hello");
}

TEST_F(ProxyTest, OtherHostsAreRefusedAndNobodyIsCalled) {
  std::atomic<int> calls{0};
  const FakeService service([&](int) { ++calls; });
  options_.max_head_bytes = 4096;
  const Proxy& proxy = start(service.port());
  for (const char* target : {"localhost:22", "169.254.169.254:80", "169.254.169.254:443", "[::1]:443",
                             "s3.amazonaws.com.evil.org:443", "a.s3.amazonaws.com:80"}) {
    Client client(proxy);
    const std::string head =
        client.ask(fmt::format("CONNECT {} HTTP/1.1\r\nHost: {}\r\n\r\n", target, target));
    EXPECT_EQ(head.substr(0, 12), "HTTP/1.1 403") << target;
    const std::string text = client.rest_plain();
    EXPECT_NE(text.find("Allowed are S3's hosts."), std::string::npos) << text;
  }
  for (const std::string& request :
       {std::string("CONNECT s3.amazonaws.com\r\n.evil.org:443 HTTP/1.1\r\n\r\n"),
        std::string("nonsense\r\n\r\n"),
        "CONNECT s3.amazonaws.com:443 HTTP/1.1\r\nX: " + std::string(5000, 'x') + "\r\n\r\n"}) {
    Client client(proxy);
    EXPECT_EQ(client.ask(request).substr(0, 12), "HTTP/1.1 400") << request.substr(0, 80);
  }
  Client plain(proxy);
  EXPECT_EQ(plain.ask("GET http://s3.amazonaws.com/ HTTP/1.1\r\n\r\n").substr(0, 12), "HTTP/1.1 403");
  EXPECT_EQ(calls, 0);
}

TEST_F(ProxyTest, ClientsThatStandStillAreLetGo) {
  const FakeService service(&echo);
  options_.head_timeout_ms = options_.handshake_timeout_ms = 50;
  const Proxy& proxy = start(service.port());
  Client silent(proxy);
  EXPECT_EQ(silent.rest_plain(), "");
  Client half(proxy);
  half.send_plain("CONNECT s3.amazonaws.com:443 HTT");
  EXPECT_EQ(half.rest_plain(), "");
  Client no_handshake(proxy);
  EXPECT_EQ(no_handshake.connect_to(kHost).substr(0, 12), "HTTP/1.1 200");
  EXPECT_EQ(no_handshake.rest_plain(), "");
}

TEST_F(ProxyTest, ASideThatNeverEndsIsLetGoOnceTheOtherHas) {
  const FakeService service([](int socket) {
    ::shutdown(socket, SHUT_WR);
    receive_all(socket);
  });
  options_.half_closed_timeout_ms = 50;
  const Proxy& proxy = start(service.port());
  Client client(proxy);
  client.connect_to(kHost);
  ASSERT_TRUE(client.shake_hands(trusted(), kHost));
  EXPECT_EQ(client.receive_rest(), "");
  // Nothing is sent and nothing closed here: the proxy ends it, so the service's thread can be joined.
  EXPECT_EQ(receive_all(client.socket()), "");
}

TEST_F(ProxyTest, AServiceThatIsNotThereIsNamed) {
  int port = 0;
  { port = FakeService(&echo).port(); }
  options_.connect_timeout_ms = 200;
  const Proxy& proxy = start(port);
  Client client(proxy);
  EXPECT_EQ(client.connect_to(kHost).substr(0, 12), "HTTP/1.1 502");
  EXPECT_NE(client.rest_plain().find(fmt::format("127.0.0.1:{}", port)), std::string::npos);
}

TEST_F(ProxyTest, AServiceThatMovesIsFound) {
  int gone = 0;
  { gone = FakeService(&echo).port(); }
  const FakeService service(&echo);
  std::atomic<int> asked{0};
  options_.upstream = [&] {
    Upstream upstream;
    upstream.host = "localhost";
    upstream.port = ++asked < 3 ? gone : service.port();
    return upstream;
  };
  const Proxy& proxy = start(0);
  Client client(proxy);
  ASSERT_EQ(client.connect_to(kHost).substr(0, 12), "HTTP/1.1 200");
  ASSERT_TRUE(client.shake_hands(trusted(), kHost));
  client.send("x");
  EXPECT_EQ(client.receive(1), "x");
  EXPECT_EQ(asked, 3);
}

TEST_F(ProxyTest, OverTheLimitTheRestWaits) {
  const FakeService service(&echo);
  options_.max_connections = 2;
  const Proxy& proxy = start(service.port());
  auto first = std::make_unique<Client>(proxy);
  Client second(proxy), third(proxy);
  for (Client* client : {first.get(), &second}) {
    client->connect_to(kHost);
    ASSERT_TRUE(client->shake_hands(trusted(), kHost));
  }
  auto waiting = std::async(std::launch::async, [&] { return third.connect_to(kHost); });
  second.send("x");
  EXPECT_EQ(second.receive(1), "x");
  first.reset();
  EXPECT_EQ(waiting.get().substr(0, 12), "HTTP/1.1 200");
}

TEST_F(ProxyTest, StoppingEndsWhatIsOpen) {
  const FakeService service(&echo);
  start(service.port());
  Client client(*proxy_), idle(*proxy_);
  client.connect_to(kHost);
  ASSERT_TRUE(client.shake_hands(trusted(), kHost));
  proxy_->stop();
  proxy_->stop();
  EXPECT_EQ(client.receive_rest(), "");
  Client late(*proxy_);
  EXPECT_FALSE(late.connected());
}

}  // namespace
}  // namespace terrapin::proxy
