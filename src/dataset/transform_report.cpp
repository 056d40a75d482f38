#include "dataset/transform_report.h"

#include <fmt/format.h>

namespace terrapin::dataset {

nlohmann::json to_json(const TransformReport& report) {
  nlohmann::json json = {{"format", TransformReport::kFormat},
                         {"version", TransformReport::kVersion},
                         {"input", report.input.string()},
                         {"input_kind", report.input_kind},
                         {"attribute", report.attribute},
                         {"options", report.options},
                         {"entries", report.entries},
                         {"usable", report.usable},
                         {"train", report.counts[0]},
                         {"validation", report.counts[1]},
                         {"test", report.counts[2]},
                         {"converted_photos", report.converted},
                         {"linked_files", report.linked},
                         {"classes", artifacts::to_json(report.classes)},
                         {"class_pixels", report.class_pixels},
                         {"ignored_pixels", report.ignored_pixels},
                         {"written", report.written},
                         {"problems", nlohmann::json::array()},
                         {"notes", nlohmann::json::array()},
                         {"renamed", nlohmann::json::array()}};
  for (const Problem& problem : report.problems) json["problems"].push_back(to_json(problem));
  for (const Problem& note : report.notes) json["notes"].push_back(to_json(note));
  for (const auto& renamed : report.renamed) {
    json["renamed"].push_back({{"source", renamed.source}, {"name", renamed.name}});
  }
  return json;
}

std::string summary(const TransformReport& report) {
  std::string text =
      fmt::format("{} ({}{}): {} entries, {} usable\n", report.input.string(), report.input_kind,
                  report.attribute.empty() ? "" : ", " + report.attribute, report.entries, report.usable);
  if (!report.classes.classes.empty()) {
    text += "  classes     ";
    for (int i = 0; i < report.classes.size(); ++i) {
      if (i == 8 && report.classes.size() > 9) {
        text += fmt::format(", and {} more", report.classes.size() - 8);
        break;
      }
      text += fmt::format("{}{} {}", i == 0 ? "" : ", ", i,
                          report.classes.classes[static_cast<std::size_t>(i)].name);
    }
    text += "\n";
  }
  if (report.written) {
    text += fmt::format("  train       {}\n  validation  {}\n", report.counts[0], report.counts[1]);
    if (report.counts[2] > 0) text += fmt::format("  test        {}\n", report.counts[2]);
  }
  if (report.converted > 0)
    text += fmt::format("  {} photos converted to JPEG (--photos copy keeps them)\n", report.converted);
  if (report.linked > 0) text += fmt::format("  {} files linked\n", report.linked);
  if (!report.renamed.empty()) {
    text += fmt::format("  {} photos share a base name and were renamed; first: {} -> {}\n",
                        report.renamed.size(), report.renamed.front().source, report.renamed.front().name);
  }
  if (!report.problems.empty()) {
    text += fmt::format("Problems: {}\n{}", report.problems.size(), list_problems(report.problems));
  }
  if (!report.notes.empty())
    text += fmt::format("Notes: {}\n{}", report.notes.size(), list_problems(report.notes, 3));
  if (report.written)
    text += fmt::format("Written to {} in {:.1f} s\n", report.output.string(), report.seconds);
  return text;
}

}  // namespace terrapin::dataset
