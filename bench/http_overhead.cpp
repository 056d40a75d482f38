// What HTTP costs: POST /invocations on loopback against decode + forward + PNG encode called directly, with
// the same predictor in the same process, in alternating rounds. Last line: {"http_overhead": ratio, ...}.
#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <numeric>
#include <thread>

#include "base/parallel.h"
#include "imaging/codecs.h"
#include "inference/predictor.h"
#include "serving/model_server.h"

using namespace terrapin;

namespace {

[[noreturn]] void stop(const std::string& message) {
  fmt::print(stderr, "http_overhead: {}\n", message);
  std::exit(1);
}

template <class T>
T need(Result<T> result) {
  if (!result) stop(result.error().message);
  return std::move(*result);
}

// One connection, kept; nothing a client could do faster.
class Client {
 public:
  explicit Client(int port) : socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const int on = 1;
    ::setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (::connect(socket_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
      stop("cannot connect");
  }
  ~Client() { ::close(socket_); }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  std::string invoke(const Bytes& photo) {
    std::string request = fmt::format(
        "POST /invocations HTTP/1.1\r\nHost: bench\r\nContent-Type: image/jpeg\r\nAccept: image/png\r\n"
        "Content-Length: {}\r\n\r\n",
        photo.size());
    request.append(photo.begin(), photo.end());
    for (std::size_t sent = 0; sent < request.size();) {
      const ssize_t count = ::send(socket_, request.data() + sent, request.size() - sent, MSG_NOSIGNAL);
      if (count <= 0) stop("the connection broke");
      sent += static_cast<std::size_t>(count);
    }
    std::string answer;
    std::size_t head = std::string::npos, length = 0;
    while (head == std::string::npos || answer.size() < head + 4 + length) {
      char block[65536];
      const ssize_t count = ::recv(socket_, block, sizeof block, 0);
      if (count <= 0) stop("the connection ended");
      answer.append(block, static_cast<std::size_t>(count));
      if (head != std::string::npos || (head = answer.find("\r\n\r\n")) == std::string::npos) continue;
      if (!answer.starts_with("HTTP/1.1 200")) stop(answer);
      length = std::strtoull(answer.c_str() + answer.find("Content-Length: ") + 16, nullptr, 10);
    }
    return answer.substr(head + 4);
  }

 private:
  int socket_;
};

// A photo-like scene: smooth colour with a textured disc, so that decoding costs what a photo's does.
imaging::Image scene(std::int64_t side) {
  imaging::Image image({side, side});
  std::uint32_t noise = 1;
  for (std::int64_t y = 0; y < side; ++y) {
    for (std::int64_t x = 0; x < side; ++x) {
      noise = noise * 1664525U + 1013904223U;
      const double radius = std::hypot(static_cast<double>(x - side / 2), static_cast<double>(y - side / 2));
      const int grain = static_cast<int>(noise >> 28);
      const int base = radius < static_cast<double>(side) / 4
                           ? 150 + static_cast<int>(30 * std::sin(static_cast<double>(x) / 5))
                           : 60;
      image.set(x, y,
                {static_cast<std::uint8_t>(base + grain), static_cast<std::uint8_t>(x * 200 / side + grain),
                 static_cast<std::uint8_t>(y * 200 / side + grain)});
    }
  }
  return image;
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const std::size_t middle = values.size() / 2;
  return values.size() % 2 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

template <class Work>
double milliseconds(const Work& work) {
  // The OpenMP team of the thread that computed last spins for some milliseconds before it sleeps; it must
  // not take cores from the one measured now.
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  const auto begin = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count();
}

}  // namespace

// http_overhead MODEL [JPEG] [ROUNDS] [THREADS]
int main(int argc, char** argv) {
  if (argc < 2 || argc > 5) {
    stop(
        "usage: http_overhead MODEL.tar.gz [JPEG, or - for a generated 480 x 480 one] [ROUNDS=40] "
        "[THREADS=all]");
  }
  const bool generated = argc < 3 || std::string(argv[2]) == "-";
  const Bytes photo = generated ? need(imaging::encode_jpeg(scene(480))) : need(read_file(argv[2]));
  const int rounds = argc > 3 ? std::max(1, std::atoi(argv[3])) : 40;
  inference::PredictorOptions engine;
  engine.threads = argc > 4 ? std::atoi(argv[4]) : available_cores();
  const auto predictor = need(inference::Predictor::load(argv[1], engine));
  const imaging::Palette palette = predictor->spec().classes.palette();

  serving::ModelServerOptions options;
  options.threads = engine.threads;
  const auto server = need(serving::ModelServer::start(options));
  server->set_model(predictor);
  Client client(server->port());

  Bytes direct_answer;
  const auto direct = [&] {
    const imaging::Image image = need(imaging::decode_photo(photo));
    const inference::Prediction prediction = need(predictor->predict(image));
    direct_answer = need(imaging::encode_indexed_png(prediction.mask, palette));
  };
  std::string http_answer;
  const auto over_http = [&] { http_answer = client.invoke(photo); };

  for (int i = 0; i < 5; ++i) direct(), over_http();
  if (!std::equal(http_answer.begin(), http_answer.end(), direct_answer.begin(), direct_answer.end(),
                  [](char a, std::uint8_t b) { return static_cast<std::uint8_t>(a) == b; })) {
    stop("the answers differ");
  }
  std::vector<double> direct_ms, http_ms, ratios;
  for (int i = 0; i < rounds; ++i) {
    // Who goes first alternates too.
    if (i % 2) http_ms.push_back(milliseconds(over_http));
    direct_ms.push_back(milliseconds(direct));
    if (i % 2 == 0) http_ms.push_back(milliseconds(over_http));
    ratios.push_back(http_ms.back() / direct_ms.back());
  }
  const double ratio = median(http_ms) / median(direct_ms);
  fmt::print("{} bytes of JPEG, {} rounds, {} threads, engine {}\n", photo.size(), rounds, engine.threads,
             predictor->backend());
  fmt::print("{:<34} {:>10} {:>10}\n", "", "median ms", "least ms");
  fmt::print("{:<34} {:>10.2f} {:>10.2f}\n", "decode + forward + encode", median(direct_ms),
             *std::min_element(direct_ms.begin(), direct_ms.end()));
  fmt::print("{:<34} {:>10.2f} {:>10.2f}\n", "POST /invocations, kept connection", median(http_ms),
             *std::min_element(http_ms.begin(), http_ms.end()));
  fmt::print("ratio of medians {:.3f}, median of the rounds' ratios {:.3f}\n", ratio, median(ratios));
  const nlohmann::json result{
      {"http_overhead", ratio}, {"http_ms", median(http_ms)}, {"direct_ms", median(direct_ms)}};
  fmt::print("{}\n", result.dump());
  return 0;
}
