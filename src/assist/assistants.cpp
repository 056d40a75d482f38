#include "assist/assistants.h"

#include <algorithm>

namespace terrapin::assist {
namespace {

// Whether a file that could not be loaded for this reason never can: its name stands for one content.
bool lasts(ErrorCode code) {
  return code == ErrorCode::kCorrupt || code == ErrorCode::kUnsupported ||
         code == ErrorCode::kInvalidArgument || code == ErrorCode::kTooLarge;
}

}  // namespace

Result<std::shared_ptr<const Assistant>> Assistants::of(const std::filesystem::path& model) {
  std::shared_ptr<Entry> entry;
  {
    const std::lock_guard lock(mutex_);
    std::shared_ptr<Entry>& place = entries_[model];
    if (!place) place = std::make_shared<Entry>();
    entry = place;
    entry->last_used = ++turn_;
    while (entries_.size() > most_) {
      entries_.erase(std::min_element(entries_.begin(), entries_.end(), [](const auto& a, const auto& b) {
        return a.second->last_used < b.second->last_used;
      }));
    }
  }
  const std::lock_guard lock(entry->mutex);
  if (entry->loaded) return *entry->loaded;
  auto loaded = load_(model);
  // What may be otherwise in a moment is tried again.
  if (loaded || lasts(loaded.error().code)) entry->loaded = loaded;
  return loaded;
}

std::size_t Assistants::kept() {
  const std::lock_guard lock(mutex_);
  return entries_.size();
}

}  // namespace terrapin::assist
