// What a worker's form gave.
#include "labeling/tasks/answer.h"

#include "fuzz/fuzz_target.h"

using namespace terrapin;

TERRAPIN_FUZZ_TARGET(answer) {
  static const artifacts::ClassList classes = [] {
    artifacts::ClassList list = artifacts::ClassList::with_default_names(3);
    list.classes[0].name = "BACKGROUND";
    list.classes[1].name = "Turtle";
    list.classes[2].name = "Diver";
    return list;
  }();
  const std::string text(text_of(input));
  const imaging::Size size{8, 6};
  if (const auto mask = labeling::read_mask_answer(text, classes, size, 1 << 16)) {
    require(mask->mask.size() == size, "the mask has the photo's size");
    for (const std::uint8_t label : mask->mask.bytes())
      require(label < classes.size(), "every pixel is of a class of the job");
  } else {
    require(!mask.error().message.empty(), "a refusal says why");
  }
  if (const auto choice = labeling::read_choice_answer(text, classes)) {
    require(choice->index >= 0 && choice->index < classes.size() - 1, "a label of the job");
    require(classes.classes[static_cast<std::size_t>(choice->index) + 1].name == choice->label,
            "of that name");
  }
}
