// What the connections of one server share. Inside this folder only.
#pragma once

#include <algorithm>
#include <atomic>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <ctime>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "base/parallel.h"
#include "http/message.h"
#include "http/router.h"
#include "http/server.h"
#include "http/spool.h"

namespace terrapin::http {

namespace asio = boost::asio;
using Clock = std::chrono::steady_clock;

constexpr std::size_t kPieceBytes = 256 << 10;  // written to or read from a file at one time

// Work on another thread that a connection waits for. The other thread writes the results and posts
// `finish` to the socket thread.
struct Errand {
  explicit Errand(asio::io_context& context) : finished(context, Clock::time_point::max()) {}
  void finish() {
    done = true;
    finished.cancel();
  }
  asio::steady_timer finished;
  bool done = false;
};

struct HandlerErrand : Errand {
  explicit HandlerErrand(asio::io_context& context) : Errand(context), look_again(context) {}
  asio::steady_timer look_again;
  Response response;
  std::shared_ptr<std::atomic<bool>> client_gone = std::make_shared<std::atomic<bool>>(false);
};

struct PieceErrand : Errand {
  using Errand::Errand;
  Bytes bytes;  // read, or to be written
  Status status;
};

struct AdmissionErrand : Errand {
  using Errand::Errand;
  Admission admission;
};

struct ServerCore {
  ServerCore(Router routes, ServerOptions chosen)
      : router(std::move(routes)),
        options(std::move(chosen)),
        handlers(std::max(1, options.handler_threads)) {}

  // Any thread. The one place where exceptions of handlers end.
  Response run_handler(const Route& route, const Request& request) const;
  // The same for ServerOptions::admit.
  Admission run_admit(const Request& head) const;
  Response error_response(int status, const std::string& message) const;
  Response busy(const std::string& message) const;  // 503 with Retry-After

  // The socket thread's.
  // "Sun, 06 Nov 1994 08:49:37 GMT", now.
  const std::string& date();
  // `work` runs on a thread of `pool`; then the errand is done.
  template <class Kind, class Work>
  void send_out(ThreadPool& pool, const std::shared_ptr<Kind>& errand, Work work) {
    pool.submit([this, errand, work = std::move(work)]() mutable {
      work(*errand);
      asio::post(context, [errand] { errand->finish(); });
    });
  }
  // The threads that read and write files for connections, apart from the handlers, which may all be busy.
  ThreadPool& piece_pool() {
    if (!pieces_) pieces_.emplace(std::clamp(options.handler_threads, 2, 16));
    return *pieces_;
  }
  // Lets go of a file off the socket thread: the system may take long to give a large one's space back.
  template <class File>
  void let_go(File file) {
    if (file) piece_pool().submit([file = std::move(file)] {});
  }

  // Constant after construction.
  const Router router;
  const ServerOptions options;
  // Constant once the server has started.
  std::int64_t max_body_bytes = options.max_body_bytes;
  std::shared_ptr<SpoolBudget> spool_budget;  // null: bodies stay in memory
  // The socket thread's.
  asio::io_context context{1};
  std::int64_t buffered_bytes = 0;  // what connections hold in memory of requests' bodies
  int pending = 0;                  // requests handed to the pool and not finished
  bool stopping = false;

 private:
  std::time_t date_time_ = 0;  // of date_
  std::string date_;

 public:
  // Synchronise themselves; destroyed first: their tasks use what is above. The second is made by the socket
  // thread when it is first needed.
  ThreadPool handlers;

 private:
  std::optional<ThreadPool> pieces_;
};

asio::awaitable<void> wait_for(std::shared_ptr<Errand> errand);
void log_failure(const std::string& where, const std::exception_ptr& failure);
// Fills `bytes`; an exception of the source is kInternal.
Status read_from(const ByteSource& source, std::int64_t offset, Bytes& bytes);

}  // namespace terrapin::http
