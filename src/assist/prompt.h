// What a person says about the object: points, and the mask so far.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/files.h"
#include "base/result.h"
#include "imaging/image.h"
#include "imaging/regions.h"

namespace terrapin::assist {

// A mask that covers `box` of a photo only: 1 = object, 0 = not; mask.size() is the box's. An empty answer
// has a box of 0 x 0.
struct BoxedMask {
  imaging::Box box;
  imaging::Mask mask;
};

// The same as a mask of the photo's size; the box lies in the photo.
imaging::Mask whole(const BoxedMask& object, imaging::Size photo);

// The same as the code of its runs (imaging/run_lengths.h): a few bytes may be millions of pixels.
struct CodedMask {
  imaging::Box box;
  Bytes runs;
};

enum class Method {
  kAuto,  // the network where a model is loaded, else classical
  kNetwork,
  kClassical,  // GrabCut: for pictures unlike photos
};
const char* method_name(Method method);  // auto, network, classical

// Pixels are those of the photo as stored; (0, 0) is its first one.
struct Prompt {
  // The object's top-most, left-most, bottom-most and right-most point, in any order: four; or none where
  // `previous` holds something.
  std::vector<imaging::Pixel> extremes;
  std::vector<imaging::Pixel> positive, negative;  // belongs to the object; does not
  std::optional<BoxedMask> previous;               // its box may reach beyond the photo
  std::optional<CodedMask> previous_code;          // instead of `previous`; its box lies in the photo
  Method method = Method::kAuto;
};

constexpr std::size_t kMaxClicks = 200;  // of each kind

// kInvalidArgument names the point and what is allowed.
Status check_prompt(const Prompt& prompt, imaging::Size photo);
// The part of it that needs no photo: whether there are enough points.
Status check_extremes(const Prompt& prompt);

// What `previous_code` says becomes `previous`. The prompt is valid. An assistant does this once it is the
// prompt's turn: who waits holds few bytes.
Status decode_previous(Prompt& prompt);

// "12,34 56,78": points in text; `what` names them in the message. Decimal integers; spaces between points.
Result<std::vector<imaging::Pixel>> parse_points(std::string_view text, std::string_view what);

// Pixels that must be seen: extremes and positive points, and the mask so far (inside the photo). The prompt
// is valid, and its mask decoded.
imaging::Box prompt_box(const Prompt& prompt, imaging::Size photo);

}  // namespace terrapin::assist
