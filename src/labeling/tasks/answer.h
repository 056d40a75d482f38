// What a worker's form gave, checked and turned into class indices.
#pragma once

#include <string>
#include <vector>

#include "artifacts/class_list.h"
#include "base/result.h"
#include "imaging/image.h"

namespace terrapin::labeling {

struct MaskAnswer {
  imaging::Mask mask;  // class indices of the job
  bool initial_value_modified = true;
};

// Reads {"<element>": {"labeledImage": {"pngImageData": "<base64>"}, "labelMappings": {"Turtle": {"color":
// "#2ca02c"}}, "inputImageProperties": {"width", "height"}}}. Every pixel has the colour of a label of
// `labelMappings` or is background (white or fully transparent). kInvalidArgument names what is wrong: no
// mask, another size than `photo`'s, a label that is not among `classes`, a colour twice or unknown (with the
// pixel), a PNG that cannot be read; kTooLarge above max_pixels.
Result<MaskAnswer> read_mask_answer(const std::string& answer_json, const artifacts::ClassList& classes,
                                    imaging::Size photo, std::int64_t max_pixels);

// Of one worker: nine workers' fit into a line of a manifest, which has at most 100,000.
inline constexpr std::int64_t kMostFeedbackCharacters = 2000;

struct ChoiceAnswer {
  int index = 0;  // among the labels, BACKGROUND not counted
  std::string label, feedback;
};
// Reads {"<element>": {"label": "good"}, ...} or {"<element>": {"labels": ["good"]}}; a member named
// "workerComment", "feedback", "comments" or "issues" is kept as text, at most kMostFeedbackCharacters.
// kInvalidArgument names the label and those allowed, or the text's length.
Result<ChoiceAnswer> read_choice_answer(const std::string& answer_json, const artifacts::ClassList& classes);

}  // namespace terrapin::labeling
