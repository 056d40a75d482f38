// The naive twin: every pixel by itself, plain loops, doubles. Written from docs/decisions/0005, not from the
// library's code.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "imaging/image.h"

namespace terrapin::labeling {

struct NaiveObject {
  std::map<std::string, imaging::Mask> masks;  // by worker
};

struct NaiveSkills {
  std::map<std::string, std::map<std::pair<int, int>, double>> error;  // [worker][truth, rival]
};

NaiveSkills naive_skills(const std::vector<NaiveObject>& job);

struct NaiveResult {
  imaging::Mask mask, certainty;
  imaging::Mask close_call;  // 1 where two classes were nearly level at some point
  double confidence = 0, disagreement = 0;
  std::map<int, double> class_confidence, class_agreement;
};

// `error(worker, truth, rival)` are the skills.
NaiveResult naive_consolidate(const NaiveObject& object,
                              const std::function<double(const std::string&, int, int)>& error,
                              double smoothing, int sweeps, bool majority);

}  // namespace terrapin::labeling
