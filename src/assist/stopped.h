// What a question that was asked to stop ends with. Why it was is for who asked to say.
#pragma once

#include "base/result.h"

namespace terrapin::assist {

inline tl::unexpected<Error> stopped() {
  return fail(ErrorCode::kCancelled, "it was stopped");
}

}  // namespace terrapin::assist
