#include "control/training_metrics.h"

#include <charconv>
#include <cmath>

namespace terrapin::control {
namespace {

// False if no number begins the text.
template <class Number>
bool leading_number(std::string_view text, Number& number) {
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), number);
  return problem == std::errc() && end != text.data();
}

int epoch_of(std::string_view text) {
  constexpr std::string_view kStart = "[epoch ";
  const std::size_t at = text.find(kStart);
  int epoch = 0;
  if (at == std::string_view::npos || !leading_number(text.substr(at + kStart.size()), epoch)) return 0;
  return epoch > 0 ? epoch : 0;
}

}  // namespace

const std::vector<std::string>& training_metric_names() {
  static const std::vector<std::string> kNames = {"train:loss", "train:throughput", "validation:mIOU",
                                                  "validation:pixel_accuracy", "validation:throughput"};
  return kNames;
}

void scrape_metrics(const jobs::OutputLine& line, std::vector<MetricValue>& found) {
  if (line.stream == 0 || line.text.find(':') == std::string::npos) return;
  const std::string_view text = line.text;
  for (const std::string& name : training_metric_names()) {
    for (std::size_t at = text.find(name); at != std::string_view::npos; at = text.find(name, at + 1)) {
      const std::string_view rest = text.substr(at + name.size());
      double value = 0;
      if (!rest.starts_with('=') || !leading_number(rest.substr(1), value) || !std::isfinite(value)) continue;
      found.push_back({name, value, line.time, epoch_of(text)});
      break;
    }
  }
}

std::vector<MetricValue> last_of_each(const std::vector<MetricValue>& values) {
  std::vector<MetricValue> last;
  for (const std::string& name : training_metric_names()) {
    for (auto value = values.rbegin(); value != values.rend(); ++value) {
      if (value->name != name) continue;
      last.push_back(*value);
      break;
    }
  }
  return last;
}

}  // namespace terrapin::control
