// Simulated annotators: a true mask as a person with known habits would paint it. Shared by the tests and
// script/bench consolidation.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/random.h"
#include "imaging/image.h"
#include "labeling/consolidation/answers.h"

namespace terrapin::labeling {

struct Habit {
  double wobble = 1.0;                    // how far the outline strays from the true one, smoothly, in pixels
  double fray = 0.7;                      // how far single pixels at the outline stray
  int grow = 0;                           // paints objects this many pixels too large, below 0 too small
  std::int64_t shift_x = 0, shift_y = 0;  // the whole mask lies off by this much
  double miss = 0;                        // probability to leave an object out
  double mistake = 0;                     // probability to give an object another class
  bool swaps = false;                     // takes classes 1 and 2 for one another
  bool thick_brush = false;               // parts thinner than 5 pixels are left out
  double unanswered = 0;                  // share of the photo, from the bottom, without an answer
  enum class Spam { kNone, kBlobs, kBackground } spam = Spam::kNone;
};

imaging::Mask annotate(const imaging::Mask& truth, int class_count, const Habit& habit, Random& random);

// Thin objects (3 pixels and less across) and a few large ones.
imaging::Mask thin_scene(imaging::Size size, int class_count, Random& random);

struct SimulatedObject {
  imaging::Mask truth;
  std::vector<std::string> workers;
  std::vector<imaging::Mask> masks;
  std::vector<Answer> answers() const;
};

// Every object is shown to `per_object` of the workers, drawn at random.
std::vector<SimulatedObject> simulate(const std::vector<imaging::Mask>& truths, int class_count,
                                      const std::vector<Habit>& workers, int per_object, std::uint64_t seed);

}  // namespace terrapin::labeling
