// What the assistance network learns from: one object of one photo, clicked as people click, cut out and
// changed a little. Free of torch.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "artifacts/object_set.h"
#include "base/random.h"
#include "base/result.h"
#include "networks/prompt_input.h"

namespace terrapin::training {

// A photo and its object: 1 = object, 0 = not, 255 = nobody knows. Sizes agree.
struct ClickedPhoto {
  imaging::Image photo;
  imaging::Mask truth;
};

// Objects to draw from. Any method may be called from any thread.
class ObjectSource {
 public:
  virtual ~ObjectSource() = default;
  virtual std::string name() const = 0;
  virtual std::int64_t object_count() const = 0;
  // The chance that a sample comes from here, relative to other sources.
  virtual double weight() const = 0;
  // What the source's samples depend on, for comparing runs.
  virtual std::string digest() const = 0;
  // A random object; errors name the file.
  virtual Result<ClickedPhoto> draw(Random& random) const = 0;
};

// A scanned folder. A photo is drawn first, then one of its objects, larger ones more often (square root of
// the area). The weight grows with the square root of the number of objects, up to `max_weight`.
std::shared_ptr<const ObjectSource> folder_source(artifacts::ObjectSet set, double max_weight = 40);

struct AssistAugment {
  double max_jitter_px =
      10;  // of a click, photo pixels; never more than a seventh of the object's shorter side
  double margin_low = 0.05, margin_high = 0.25;
  double stretch_low = 1.5, stretch_high = 4;
  double paste_probability = 0.2;  // the object is put before another photo
  double hide_probability = 0.3;   // another object is put before it
  double color_probability = 0.8, grey_probability = 0.05;
  double blur_probability = 0.2, coarse_probability = 0.15;
  double noise_probability = 0.15, jpeg_probability = 0.2;
  bool enabled = true;  // false: fixed frame and jitter, pixels as they are
  double fixed_jitter_px = 3;
};

struct AssistSample {
  imaging::Image crop;
  imaging::Mask truth;                        // 1 object, 0 not, 255 unknown or outside the photo
  std::vector<networks::CropPoint> extremes;  // four
};

// The result depends on the arguments and the stream only. An object of fewer than 64 pixels is drawn again.
Result<AssistSample> make_assist_sample(const std::vector<std::shared_ptr<const ObjectSource>>& sources,
                                        const AssistAugment& augment, const networks::FrameOptions& frame,
                                        Random& random);

}  // namespace terrapin::training
