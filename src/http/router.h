// Which handler answers a method and a path.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "http/message.h"

namespace terrapin::http {

// Where a handler runs. kQuick: on the thread that serves the sockets; it must neither block nor compute for
// longer than a millisecond, and answers even while every pool thread is busy (health checks).
enum class RunsOn { kPool, kQuick };

struct Route {
  std::string method;
  std::vector<std::string>
      pattern;  // parts between slashes: literal, "{name}", or last "{name+}" (one or more)
  Handler handler;
  RunsOn runs_on = RunsOn::kPool;
};

// Constant once the server has started.
class Router {
 public:
  // `pattern`: "/models/{id}/invocations". "{name}" matches one non-empty part, a last "{name+}" the rest
  // with its slashes. Literal parts win over "{name}", "{name}" over "{name+}", earlier routes over later
  // ones. Throws std::invalid_argument on a pattern that cannot be meant (a mistake of the program, found at
  // start).
  void add(std::string method, std::string_view pattern, Handler handler, RunsOn runs_on = RunsOn::kPool);

  // Answers whatever no route matches, whatever its method: also paths that only another method matches and
  // paths that do not percent-decode. It runs on the pool and gets no parameters; Request::target and path
  // are byte for byte as sent. With it there is neither 404 nor 405 from the router. `claims`, where given,
  // is asked first with the head alone, on the thread that serves the sockets: true gives the fallback a
  // request that a route would match.
  void set_fallback(Handler handler, std::function<bool(const Request& head)> claims = {});

  struct Match {
    const Route* route = nullptr;                   // null: none
    std::map<std::string, std::string> parameters;  // percent-decoded
    std::vector<std::string> allowed;  // methods of this path when no route matches (then 405), else empty
  };
  // `path` percent-encoded. HEAD takes a GET route where it has none of its own. kInvalidArgument: broken
  // percent-encoding or a zero byte, and no fallback.
  Result<Match> find(std::string_view method, std::string_view path) const;
  // The same for a request's head, which the fallback may claim.
  Result<Match> find(const Request& head) const;

 private:
  std::vector<Route> routes_;
  std::optional<Route> fallback_;
  std::function<bool(const Request& head)> claims_;
};

}  // namespace terrapin::http
