#include "portal/questions.h"

namespace terrapin::portal {

Questions::Place::~Place() {
  if (questions_ == nullptr) return;
  const std::lock_guard lock(questions_->mutex_);
  --questions_->under_way_;
  const auto mine = questions_->of_worker_.find(worker_);
  if (--mine->second == 0) questions_->of_worker_.erase(mine);
  const auto newest = questions_->newest_.find(task_);
  if (newest != questions_->newest_.end() && newest->second == end_) questions_->newest_.erase(newest);
}

Result<Questions::Place> Questions::begin(const std::string& worker, const std::string& task) {
  const auto end = std::make_shared<End>();
  std::shared_ptr<End> before;
  const auto enter = [&]() -> Status {
    const std::lock_guard lock(mutex_);
    const auto mine = of_worker_.find(worker);
    if (mine != of_worker_.end() && mine->second >= most_of_one_)
      return fail(ErrorCode::kCancelled, "{} of your questions are under way: at most {} may be",
                  mine->second, most_of_one_);
    if (under_way_ >= most_)
      return fail(ErrorCode::kCancelled, "too many questions are asked at once: try again in a moment");
    ++under_way_;
    ++of_worker_[worker];
    if (!task.empty()) before = std::exchange(newest_[task], end);
    return {};
  };
  const Status entered = enter();
  if (before) {
    before->superseded = true;
    before->stop.request_stop();  // not under the lock: it wakes those who wait
  }
  if (!entered) return tl::unexpected<Error>(entered.error());
  return Place(*this, worker, task, end);
}

int Questions::under_way() {
  const std::lock_guard lock(mutex_);
  return under_way_;
}

}  // namespace terrapin::portal
