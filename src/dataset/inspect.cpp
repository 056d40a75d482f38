#include "dataset/inspect.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <unordered_map>

#include "base/files.h"
#include "base/interrupt.h"
#include "base/parallel.h"
#include "base/progress.h"
#include "dataset/check.h"
#include "imaging/drawing.h"
#include "imaging/resize.h"

namespace terrapin::dataset {
namespace {

constexpr int kSheetCells = 24, kSheetColumns = 6;
constexpr imaging::Size kCell{240, 180};

struct Looked {
  CheckedPair pair;  // pictures already released
  LabelCounts counts{};
  imaging::SheetCell cell;  // empty picture: not on the sheet
};

imaging::SheetCell sheet_cell(const CheckedPair& pair, const SourceEntry& entry,
                              const artifacts::ClassList& classes) {
  const imaging::Size size = imaging::kept_for_cell(pair.photo.size(), kCell);
  const std::string split = entry.split ? std::string(split_name(*entry.split)) + " " : "";
  return {imaging::overlay(imaging::resize(pair.photo, size), imaging::resize_nearest(pair.mask, size),
                           classes.palette()),
          split + entry.stem};
}

std::string set_of(const SourceEntry& entry) {
  return entry.split ? split_name(*entry.split) : "all";
}

}  // namespace

Result<InspectReport> inspect(const InspectOptions& options) {
  TERRAPIN_TRY(const auto source, open_input(options.input, options.reading));
  InspectReport report;
  report.input = options.input;
  report.input_kind = input_kind_name(source->kind), report.attribute = source->attribute;
  report.problems = source->problems;
  for (const std::string& note : source->notes) report.notes.push_back({"input", 0, "", "", note, false});
  TERRAPIN_TRY_STATUS(discover_classes(*source, options.show_progress));
  report.classes = source->classes;

  const int threads = options.threads > 0 ? options.threads : available_cores();
  const std::int64_t stride = std::max<std::int64_t>(1, source->count / kSheetCells);
  ProgressBar progress("inspect", source->count, options.show_progress);
  struct First {
    std::string set, place;
  };
  std::unordered_map<std::string, First> first_of;
  std::set<std::string> sources;
  std::vector<imaging::SheetCell> cells;
  for (bool more = true; more;) {
    std::vector<SourceEntry> chunk;
    while (chunk.size() < static_cast<std::size_t>(threads) * 16) {
      TERRAPIN_TRY(auto entry, source->next());
      if (!entry) {
        more = false;
        break;
      }
      if (!entry->problem && !sources.insert(entry->key).second) {
        entry->problem = Problem{"duplicate-source", entry->line, entry->key, entry->key,
                                 "an earlier line has the same source-ref; the first counts"};
      } else if (!entry->problem && source->has_split && !entry->split) {
        entry->problem = Problem{"not-in-split", entry->line, entry->key, entry->stem,
                                 "the kept split does not name this photo"};
      }
      chunk.push_back(std::move(*entry));
    }
    std::vector<Looked> looked(chunk.size());
    parallel_for(static_cast<std::int64_t>(chunk.size()), threads, [&](std::int64_t i) {
      if (interrupted()) return;
      const auto at = static_cast<std::size_t>(i);
      Looked& look = looked[at];
      look.pair = check_pair(chunk[at], *source);
      if (look.pair.usable) {
        look.counts = count_pixels(look.pair.mask);
        const bool wanted = (report.entries + i) % stride == 0 && (report.entries + i) / stride < kSheetCells;
        if (!options.sheet.empty() && wanted) look.cell = sheet_cell(look.pair, chunk[at], source->classes);
      }
      look.pair.photo = {}, look.pair.mask = {}, look.pair.photo_bytes = {}, look.pair.mask_bytes = {};
    });
    if (interrupted()) return fail(ErrorCode::kCancelled, "interrupted");
    for (std::size_t i = 0; i < chunk.size(); ++i) {
      const SourceEntry& entry = chunk[i];
      Looked& look = looked[i];
      for (Problem& problem : look.pair.problems) report.problems.push_back(std::move(problem));
      if (!look.pair.usable) continue;
      ++report.usable;
      report.splits[set_of(entry)].add(look.pair.info.size, look.counts);
      if (auto note = orientation_note(entry, look.pair.info)) report.notes.push_back(std::move(*note));
      bool empty = true;
      for (int label = 1; label < 255; ++label)
        empty = empty && look.counts[static_cast<std::size_t>(label)] == 0;
      if (empty) {
        report.notes.push_back(
            {"empty-mask", entry.line, entry.key, "", "no pixel belongs to a class other than 0", false});
      }
      const std::string place =
          entry.line > 0 ? fmt::format("line {} ({})", entry.line, entry.key) : entry.key;
      const auto [first, fresh] = first_of.try_emplace(look.pair.digest, First{set_of(entry), place});
      if (!fresh && first->second.set == set_of(entry)) {
        report.problems.push_back({"duplicate-photo", entry.line, entry.key, first->second.place,
                                   fmt::format("the same bytes as {}", first->second.place), false});
      } else if (!fresh) {
        report.problems.push_back({"duplicate-across-splits", entry.line, entry.key, first->second.place,
                                   fmt::format("the same bytes as {}, which is in {} while this one is in {}",
                                               first->second.place, first->second.set, set_of(entry)),
                                   false});
      }
      if (!look.cell.picture.empty()) cells.push_back(std::move(look.cell));
    }
    report.entries += static_cast<std::int64_t>(chunk.size());
    progress.update(report.entries);
  }
  progress.finish();
  std::stable_sort(report.problems.begin(), report.problems.end(),
                   [](const Problem& a, const Problem& b) { return a.line < b.line; });
  if (!options.sheet.empty()) {
    if (cells.empty()) {
      return fail(ErrorCode::kInvalidArgument, "{}: no usable photo for the sheet{}", options.input.string(),
                  report.problems.empty() ? std::string() : "; first: " + describe(report.problems.front()));
    }
    TERRAPIN_TRY(const Bytes png,
                 imaging::encode_png(imaging::contact_sheet(
                     cells, std::min(kSheetColumns, static_cast<int>(cells.size())), kCell)));
    TERRAPIN_TRY_STATUS(write_file_atomically(options.sheet, png));
  }
  return report;
}

nlohmann::json to_json(const InspectReport& report) {
  nlohmann::json json = {{"format", "terrapin-inspect-report"},
                         {"version", 1},
                         {"input", report.input.string()},
                         {"input_kind", report.input_kind},
                         {"attribute", report.attribute},
                         {"entries", report.entries},
                         {"usable", report.usable},
                         {"classes", artifacts::to_json(report.classes)},
                         {"splits", nlohmann::json::object()},
                         {"problems", nlohmann::json::array()},
                         {"notes", nlohmann::json::array()}};
  for (const auto& [name, set] : report.splits) json["splits"][name] = to_json(set, report.classes);
  for (const Problem& problem : report.problems) json["problems"].push_back(to_json(problem));
  for (const Problem& note : report.notes) json["notes"].push_back(to_json(note));
  return json;
}

std::string summary(const InspectReport& report) {
  std::string text =
      fmt::format("{} ({}{}): {} entries, {} usable\n\n", report.input.string(), report.input_kind,
                  report.attribute.empty() ? "" : ", " + report.attribute, report.entries, report.usable);
  text += fmt::format("  {:<11} {:>7}  {:>6}  {:<22}  {:<22}\n", "split", "photos", "empty",
                      "width min/median/max", "height min/median/max");
  SetStatistics all;
  for (const char* name : {"train", "validation", "test", "all"}) {
    const auto found = report.splits.find(name);
    if (found == report.splits.end()) continue;
    const SetStatistics& set = found->second;
    const auto w = set.widths(), h = set.heights();
    text += fmt::format("  {:<11} {:>7}  {:>6}  {:<22}  {:<22}\n", name, set.photos(), set.empty_masks(),
                        fmt::format("{} / {} / {}", w.min, w.median, w.max),
                        fmt::format("{} / {} / {}", h.min, h.median, h.max));
    all.merge(set);
  }
  std::size_t widest = 5;
  for (const auto& entry : report.classes.classes)
    widest = std::max(widest, std::min<std::size_t>(entry.name.size(), 24));
  text += fmt::format("\n  {:>3}  {:<{}}  {:>8}  {:<20}  {:>7}  share by split\n", "", "class", widest,
                      "share", "", "photos");
  for (int i = 0; i < report.classes.size(); ++i) {
    std::string by_split;
    for (const char* name : {"train", "validation", "test"}) {
      const auto found = report.splits.find(name);
      if (found != report.splits.end())
        by_split += fmt::format("{}{:.2f} %", by_split.empty() ? "" : " / ", found->second.share(i) * 100);
    }
    text += fmt::format("  {:>3}  {:<{}}  {:>6.2f} %  {}  {:>7}  {}\n", i,
                        cut_text(report.classes.classes[static_cast<std::size_t>(i)].name, 24), widest,
                        all.share(i) * 100, share_bar(all.share(i), 20), all.photos_with(i), by_split);
  }
  const std::int64_t ignored = all.pixels(imaging::Mask::kIgnore);
  if (ignored > 0) {
    text += fmt::format("  255  ignored: {:.2f} % of all pixels, in {} photos\n",
                        100.0 * static_cast<double>(ignored) / static_cast<double>(all.total_pixels()),
                        all.photos_with(imaging::Mask::kIgnore));
  }
  text += report.problems.empty()
              ? "\nNo problems.\n"
              : fmt::format("\nProblems: {}\n{}", report.problems.size(), list_problems(report.problems));
  if (!report.notes.empty())
    text += fmt::format("Notes: {}\n{}", report.notes.size(), list_problems(report.notes, 3));
  return text;
}

}  // namespace terrapin::dataset
