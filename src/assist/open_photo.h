// A photo kept ready for many questions.
#pragma once

#include <vector>

#include "base/result.h"
#include "imaging/image.h"
#include "networks/prompt_input.h"

namespace terrapin::assist {

// Where samples lie: sample i at first + i * step, in pixels of the photo (0 = centre of the first).
struct SampleAxis {
  double first = 0, step = 1;
  std::int64_t count = 0;
};

// The photo and its halves, quarters, ...: about a third more memory than the photo. Constant after
// construction: any thread may use it.
class OpenPhoto {
 public:
  // kInvalidArgument for an empty photo. Uses up to `threads` threads.
  static Result<OpenPhoto> open(imaging::Image photo, int threads);

  imaging::Size size() const { return levels_.front().size(); }
  const imaging::Image& photo() const { return levels_.front(); }
  std::int64_t memory_bytes() const;
  // What memory_bytes() of a photo of that size will be.
  static std::int64_t bytes_for(imaging::Size size);

  // columns.count x rows.count pixels around the axes' positions, filtered as imaging::resize does (a
  // triangle of the step's reach); from the smallest level that loses nothing. `outside` where a position is
  // not in the photo.
  imaging::Image sample(const SampleAxis& columns, const SampleAxis& rows, imaging::Rgb outside,
                        int threads) const;
  // A frame's crop: what imaging::resize_region(photo, scaled, region) gives, from a smaller level where the
  // photo shrinks more than fourfold.
  imaging::Image crop(const networks::CropFrame& frame, int threads) const;

 private:
  std::vector<imaging::Image> levels_;  // each half the one before, rounded up
};

}  // namespace terrapin::assist
