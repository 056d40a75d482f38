// What the workers of one object handed in.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "imaging/image.h"

namespace terrapin::labeling {

constexpr int kMaxClasses = 255;  // 253 labels, BACKGROUND and a void label
constexpr int kMaxAnswers = 64;

// One worker's mask: class index < class count, or 255 where the worker gave no answer. The mask is not
// copied and must outlive the call it is handed to.
struct Answer {
  std::string worker;
  const imaging::Mask* mask = nullptr;
};

// The answers ordered by worker, so that the order of submission cannot matter. kInvalidArgument names what
// is wrong: 1..64 answers, 1..255 classes, masks present, not empty and of one size, worker ids of 1..256
// visible ASCII characters, none twice. Labels are not looked at.
Result<std::vector<Answer>> ordered_answers(std::span<const Answer> answers, int class_count);

// kInvalidArgument naming worker, pixel and value of the first label that is neither < class_count nor 255.
Status check_labels(std::span<const Answer> answers, int class_count);

Status check_class_count(int class_count);
Status check_worker_id(const std::string& worker);

}  // namespace terrapin::labeling
