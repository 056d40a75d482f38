#include "assist/assistants.h"

#include <algorithm>

namespace terrapin::assist {

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
  if (!entry->loaded) entry->loaded = load_(model);
  return *entry->loaded;
}

std::size_t Assistants::kept() {
  const std::lock_guard lock(mutex_);
  return entries_.size();
}

}  // namespace terrapin::assist
