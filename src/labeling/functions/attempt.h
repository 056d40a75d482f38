// One try at something outside this program.
#pragma once

#include <string>
#include <tl/expected.hpp>

#include "base/result.h"

namespace terrapin::labeling {

struct AttemptFailure {
  Error error;
  bool may_pass = false;  // the same may succeed at once: time-outs, refused connections, 5xx
  bool answered = false;  // by a server's status: it can be reached
};
using Attempt = tl::expected<std::string, AttemptFailure>;

inline tl::unexpected<AttemptFailure> final_failure(tl::unexpected<Error> failure) {
  return tl::unexpected<AttemptFailure>(AttemptFailure{std::move(failure.value()), false});
}
inline tl::unexpected<AttemptFailure> passing_failure(tl::unexpected<Error> failure) {
  return tl::unexpected<AttemptFailure>(AttemptFailure{std::move(failure.value()), true});
}

}  // namespace terrapin::labeling
