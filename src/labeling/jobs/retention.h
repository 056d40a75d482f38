// What of ended jobs goes with time. Inside labeling only.
#pragma once

#include <functional>
#include <string>

#include "labeling/core.h"

namespace terrapin::labeling {

class Retention {
 public:
  explicit Retention(Core& core) : core_(core) {}

  // Removes drafts of jobs that ended a day ago and, as LabelingOptions say, answers. Ends early, without an
  // error for that, when `stopping`, which is asked before each file, says so (and then says so again); the
  // next call goes on there. What cannot be removed is left for a later call: the first such error is given
  // at the end.
  Status apply(const std::function<bool()>& stopping);

 private:
  Status remove_files(const std::function<bool()>& stopping);

  Core& core_;
  std::string after_;  // the file that a call before this one ended at; empty: all had their turn
};

}  // namespace terrapin::labeling
