#include "control/slots.h"

#include <algorithm>
#include <charconv>

namespace terrapin::control {
namespace {

constexpr int kMostSlots = 1 << 20;

bool read_number(std::string_view text, int least, int& number) {
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), number);
  return problem == std::errc() && end == text.data() + text.size() && number >= least &&
         number <= kMostSlots;
}

}  // namespace

Result<Slot> Slots::of(const std::string& instance_type) const {
  if (by_type.empty()) return whole;
  const auto found = by_type.find(instance_type);
  if (found != by_type.end()) return found->second;
  std::string known;
  for (const auto& [name, slot] : by_type) known += (known.empty() ? "" : ", ") + name;
  return fail(ErrorCode::kInvalidArgument, "there is no instance type '{}' here; there are {}", instance_type,
              known);
}

Result<Slot> Slots::of(const std::string& instance_type, int count) const {
  TERRAPIN_TRY(const Slot one, of(instance_type));
  if (!by_type.empty()) return Slot{one.cores * count, one.gpus * count};
  return Slot{std::max(one.cores, count), one.gpus > 0 ? std::max(one.gpus, count) : 0};
}

Status add_slot(std::string_view text, Slots& slots) {
  const std::size_t equal = text.find('=');
  const std::string_view name = text.substr(0, equal);
  Slot slot;
  bool good = equal != std::string_view::npos && !name.empty();
  if (good) {
    const std::string_view values = text.substr(equal + 1);
    const std::size_t comma = values.find(',');
    good = read_number(values.substr(0, comma), 1, slot.cores) &&
           (comma == std::string_view::npos || read_number(values.substr(comma + 1), 0, slot.gpus));
  }
  if (!good)
    return fail(ErrorCode::kInvalidArgument,
                "'{}' is no slot; TYPE=CORES or TYPE=CORES,GPUS is allowed, such as ml.p3.2xlarge=8,1", text);
  if (!slots.by_type.emplace(name, slot).second)
    return fail(ErrorCode::kInvalidArgument, "the instance type '{}' has two slots", name);
  return {};
}

}  // namespace terrapin::control
