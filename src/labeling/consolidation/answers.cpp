#include "labeling/consolidation/answers.h"

#include <algorithm>

namespace terrapin::labeling {

Status check_class_count(int class_count) {
  if (class_count >= 1 && class_count <= kMaxClasses) return {};
  return fail(ErrorCode::kInvalidArgument, "{} classes, expected 1 to {}, BACKGROUND included", class_count,
              kMaxClasses);
}

Status check_worker_id(const std::string& worker) {
  const bool visible = std::all_of(worker.begin(), worker.end(), [](char c) { return c > ' ' && c <= '~'; });
  if (visible && !worker.empty() && worker.size() <= 256) return {};
  return fail(ErrorCode::kInvalidArgument,
              "worker id '{}' has {} bytes, expected 1 to 256 visible ASCII characters",
              visible ? worker.substr(0, 40) : "?", worker.size());
}

Result<std::vector<Answer>> ordered_answers(std::span<const Answer> answers, int class_count) {
  TERRAPIN_TRY_STATUS(check_class_count(class_count));
  if (answers.empty() || answers.size() > static_cast<std::size_t>(kMaxAnswers)) {
    return fail(ErrorCode::kInvalidArgument, "{} answers for one object, expected 1 to {}", answers.size(),
                kMaxAnswers);
  }
  std::vector<Answer> ordered(answers.begin(), answers.end());
  std::sort(ordered.begin(), ordered.end(),
            [](const Answer& a, const Answer& b) { return a.worker < b.worker; });
  for (std::size_t i = 0; i < ordered.size(); ++i) {
    const Answer& answer = ordered[i];
    TERRAPIN_TRY_STATUS(check_worker_id(answer.worker));
    if (i > 0 && answer.worker == ordered[i - 1].worker) {
      return fail(ErrorCode::kInvalidArgument, "worker '{}' has two answers for one object, expected one",
                  answer.worker);
    }
    if (answer.mask == nullptr || answer.mask->empty()) {
      return fail(ErrorCode::kInvalidArgument, "the mask of worker '{}' is empty", answer.worker);
    }
    const imaging::Size size = answer.mask->size(), expected = ordered[0].mask->size();
    if (size != expected) {
      return fail(ErrorCode::kInvalidArgument,
                  "the mask of worker '{}' is {}x{}, that of worker '{}' is {}x{}", answer.worker, size.width,
                  size.height, ordered[0].worker, expected.width, expected.height);
    }
  }
  return ordered;
}

Status check_labels(std::span<const Answer> answers, int class_count) {
  for (const Answer& answer : answers) {
    const auto& labels = answer.mask->bytes();
    const auto wrong = std::find_if(labels.begin(), labels.end(), [class_count](std::uint8_t label) {
      return label >= class_count && label != imaging::Mask::kIgnore;
    });
    if (wrong == labels.end()) continue;
    const std::int64_t at = wrong - labels.begin(), width = answer.mask->width();
    return fail(ErrorCode::kInvalidArgument,
                "the mask of worker '{}' has class {} at column {}, row {}; allowed are 0 to {}, and 255 for "
                "no answer",
                answer.worker, *wrong, at % width, at / width, class_count - 1);
  }
  return {};
}

}  // namespace terrapin::labeling
