#include "dataset/transform.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <map>
#include <numeric>
#include <regex>
#include <set>
#include <unordered_map>

#include "artifacts/channels.h"
#include "base/files.h"
#include "base/interrupt.h"
#include "base/json_text.h"
#include "base/parallel.h"
#include "base/progress.h"
#include "dataset/check.h"
#include "dataset/transform_output.h"
#include "imaging/codecs.h"

namespace terrapin::dataset {
namespace {

namespace fs = std::filesystem;

constexpr int kJpegQuality = 95;

// What is kept of a usable entry until the end: short, whatever the size of its pictures.
struct Record {
  std::int64_t ordinal = 0, line = 0;
  std::string key, stem, group, digest;
  std::string extension;           // of the output photo, with its dot
  fs::path link_photo, link_mask;  // set if that file is linked instead of staged
  std::optional<Split> fixed;
  Split split = Split::kTrain;
};

// The result of one worker for one entry.
struct Outcome {
  CheckedPair pair;  // pictures already released
  Record record;
  std::array<std::int64_t, 256> pixels{};
  bool converted = false;
  Status status;  // of writing; a failure ends the run
};

// Every mask has the whole palette, so that the same bytes mean the same colours in every file.
imaging::Palette full_palette(const artifacts::ClassList& classes) {
  imaging::Palette palette = classes.palette();
  const imaging::Palette more = imaging::default_palette(255);
  for (std::size_t i = palette.size(); i < 255; ++i) palette.push_back(more[i]);
  palette.resize(255);
  palette.push_back({128, 128, 128});  // 255, ignored
  return palette;
}

// 8-bit indexed, not interlaced (IHDR fields at their fixed places), with exactly this palette and these
// labels.
bool is_final_mask(const CheckedPair& pair, bool palette_decides, const imaging::Palette& palette) {
  const Bytes& png = pair.mask_bytes;
  return png.size() > 33 && png[24] == 8 && png[25] == 3 && png[28] == 0 && pair.mask_palette == palette &&
         !palette_decides;
}

class Transformation {
 public:
  explicit Transformation(const TransformOptions& options) : options_(options) {}

  Result<TransformReport> run() {
    const auto start = std::chrono::steady_clock::now();
    TERRAPIN_TRY_STATUS(prepare());
    TERRAPIN_TRY(OutputFolder output, OutputFolder::open(options_.output, options_.overwrite));
    staging_ = output.building() / "staging";
    std::error_code error;
    fs::create_directory(staging_, error);
    if (error) return fail(ErrorCode::kIo, "{}: {}", staging_.string(), error.message());
    TERRAPIN_TRY_STATUS(process_all());
    find_duplicates();
    if (report_.usable == 0) {
      return fail(ErrorCode::kInvalidArgument, "{}: none of {} entries is usable; first: {}",
                  options_.input.string(), report_.entries,
                  report_.problems.empty() ? "no problem was found" : describe(report_.problems.front()));
    }
    TERRAPIN_TRY_STATUS(assign_splits());
    std::stable_sort(report_.problems.begin(), report_.problems.end(),
                     [](const Problem& a, const Problem& b) { return a.line < b.line; });
    if (options_.strict && !report_.problems.empty()) return std::move(report_);
    TERRAPIN_TRY_STATUS(place(output.building()));
    report_.written = true;
    TERRAPIN_TRY_STATUS(
        write_file_atomically(output.building() / "report.json", dump_json(to_json(report_))));
    if (interrupted()) return fail(ErrorCode::kCancelled, "interrupted; nothing was written");
    TERRAPIN_TRY_STATUS(output.commit());
    report_.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    return std::move(report_);
  }

 private:
  Status prepare() {
    if (!options_.group_by.empty()) {
      try {
        group_regex_.emplace(options_.group_by, std::regex::ECMAScript);
      } catch (const std::regex_error&) {
        return fail(ErrorCode::kInvalidArgument, "--group-by '{}' is not a regular expression",
                    options_.group_by);
      }
    }
    // Refuse impossible fractions before hours of reading.
    TERRAPIN_TRY_STATUS(check_fractions(options_.split));
    // A group expression alone is no draw: the kept split is held against it.
    const bool draws = options_.split != SplitOptions{} || (options_.new_split && options_.group_by.empty());
    if (draws && !options_.split_file.empty()) {
      return fail(
          ErrorCode::kInvalidArgument,
          "the split of {} is kept: a train fraction, a test fraction or a seed draws a new one; give "
          "either the file or those",
          options_.split_file.string());
    }
    if (is_channel_folder(options_.input)) {
      return fail(
          ErrorCode::kInvalidArgument,
          "{} already holds training channels (train, train_annotation): nothing to transform; check it with "
          "`terrapin inspect {}`",
          options_.input.string(), options_.input.string());
    }
    TERRAPIN_TRY(source_, open_input(options_.input, options_.reading));
    std::error_code error;
    const fs::path output = fs::weakly_canonical(options_.output, error),
                   input = fs::weakly_canonical(options_.input, error);
    if (is_inside(output, input)) {
      return fail(ErrorCode::kInvalidArgument, "the input {} lies in the output folder {}",
                  options_.input.string(), options_.output.string());
    }
    if (fs::is_directory(input, error) && is_inside(input, output)) {
      return fail(ErrorCode::kInvalidArgument,
                  "the output folder {} lies in the input {}, which is never changed",
                  options_.output.string(), options_.input.string());
    }
    if (!options_.split_file.empty()) {
      TERRAPIN_TRY(split_table_, read_split_table(options_.split_file));
      for (const SplitTable::Row& row : split_table_.rows) {
        if (!row.name.empty()) split_by_name_.try_emplace(row.name, &row);
        if (!row.source.empty()) split_by_source_.try_emplace(row.source, &row);
      }
    }
    keep_split_ = !options_.split_file.empty() || (source_->has_split && !options_.new_split);
    report_.input = options_.input, report_.output = options_.output;
    report_.input_kind = input_kind_name(source_->kind), report_.attribute = source_->attribute;
    report_.options = {{"train_fraction", options_.split.train_fraction},
                       {"test_fraction", options_.split.test_fraction},
                       {"seed", options_.split.seed},
                       {"group_by", options_.group_by},
                       {"split_kept", keep_split_},
                       {"link", options_.link},
                       {"photos", options_.convert_to_jpeg ? "jpeg" : "copy"}};
    for (const Problem& problem : source_->problems) {
      // What the input's own split says does not matter when another one is used.
      const bool of_split = problem.kind.starts_with("split-");
      if (!of_split || (keep_split_ && options_.split_file.empty())) report_.problems.push_back(problem);
    }
    for (const std::string& note : source_->notes) report_.notes.push_back({"input", 0, "", "", note, false});
    TERRAPIN_TRY_STATUS(discover_classes(*source_, options_.show_progress));
    // Refuse what classes.json cannot hold before hours of reading.
    if (auto checked = artifacts::check_classes(source_->classes); !checked) {
      return with_context(std::move(checked.error()), options_.input.string());
    }
    report_.classes = source_->classes;
    palette_ = full_palette(source_->classes);
    report_.class_pixels.assign(static_cast<std::size_t>(source_->classes.size()), 0);
    return {};
  }

  Status process_all() {
    const int threads = options_.threads > 0 ? options_.threads : available_cores();
    ProgressBar progress("transform", source_->count, options_.show_progress);
    std::set<std::string> sources;
    for (bool more = true; more;) {
      std::vector<SourceEntry> chunk;
      std::vector<std::int64_t> ordinals;
      while (chunk.size() < static_cast<std::size_t>(threads) * 16) {
        TERRAPIN_TRY(auto entry, source_->next());
        if (!entry) {
          more = false;
          break;
        }
        ++report_.entries;
        if (!entry->problem && !sources.insert(entry->key).second) {
          entry->problem = Problem{"duplicate-source", entry->line, entry->key, entry->key,
                                   "an earlier line has the same source-ref; the first counts"};
        }
        if (!entry->problem) keep_split(*entry);
        chunk.push_back(std::move(*entry)), ordinals.push_back(report_.entries);
      }
      std::vector<Outcome> outcomes(chunk.size());
      parallel_for(static_cast<std::int64_t>(chunk.size()), threads, [&](std::int64_t i) {
        const auto at = static_cast<std::size_t>(i);
        if (!interrupted()) process(chunk[at], ordinals[at], outcomes[at]);
      });
      if (interrupted()) return fail(ErrorCode::kCancelled, "interrupted; nothing was written");
      for (std::size_t i = 0; i < chunk.size(); ++i) {
        TERRAPIN_TRY_STATUS(collect(chunk[i], outcomes[i]));
      }
      progress.update(report_.entries);
    }
    progress.finish();
    for (const auto& [name, row] : split_table_.has_name ? split_by_name_ : split_by_source_) {
      if (!split_used_.contains(row)) {
        report_.problems.push_back({"split-unknown-name", row->line, options_.split_file.string(), name,
                                    fmt::format("'{}' names no photo of the input", name), false});
      }
    }
    return {};
  }

  // Sets the entry's place in the kept split, or the problem that it has none.
  void keep_split(SourceEntry& entry) {
    if (!keep_split_) {
      entry.split.reset();
      return;
    }
    if (!options_.split_file.empty()) {
      entry.split.reset();
      const SplitTable::Row* row = nullptr;
      if (const auto found = split_by_source_.find(entry.key); found != split_by_source_.end()) {
        row = found->second;
      } else if (const auto named = split_by_name_.find(entry.stem); named != split_by_name_.end()) {
        row = named->second;
      } else if (const auto stem = split_by_source_.find(entry.stem);
                 !split_table_.has_name && stem != split_by_source_.end()) {
        row = stem->second;
      }
      if (row != nullptr) entry.split = row->split, split_used_.insert(row);
    }
    if (!entry.split) {
      entry.problem = Problem{"not-in-split", entry.line, entry.key, entry.stem,
                              "the kept split does not name this photo"};
    }
  }

  std::string group_of(const SourceEntry& entry) const {
    // std::regex recurses once a character: a hostile line must not exhaust the stack. S3 keys end at 1024
    // bytes.
    if (group_regex_ && entry.key.size() <= 4096) {
      std::smatch match;
      if (!std::regex_search(entry.key, match, *group_regex_)) return entry.key;
      return match.size() > 1 ? match[1].str() : match[0].str();
    }
    return entry.group.empty() ? entry.key : entry.group;
  }

  fs::path staged_photo(std::int64_t ordinal) const { return staging_ / fmt::format("{}.photo", ordinal); }
  fs::path staged_mask(std::int64_t ordinal) const { return staging_ / fmt::format("{}.mask", ordinal); }

  // Runs on any thread. Checks, then stages what cannot be linked; the pictures are freed before it returns.
  void process(const SourceEntry& entry, std::int64_t ordinal, Outcome& outcome) const {
    outcome.pair = check_pair(entry, *source_);
    CheckedPair& pair = outcome.pair;
    if (pair.usable) outcome.status = stage(entry, ordinal, outcome);
    pair.photo = {}, pair.mask = {}, pair.photo_bytes = {}, pair.mask_bytes = {};
  }

  Status stage(const SourceEntry& entry, std::int64_t ordinal, Outcome& outcome) const {
    CheckedPair& pair = outcome.pair;
    Record& record = outcome.record;
    record.ordinal = ordinal, record.line = entry.line;
    record.key = entry.key, record.stem = entry.stem, record.group = group_of(entry);
    record.digest = pair.digest, record.fixed = entry.split;
    for (const std::uint8_t label : pair.mask.bytes()) ++outcome.pixels[label];

    const imaging::FileType type = pair.info.type;
    outcome.converted = type != imaging::FileType::kJpeg && options_.convert_to_jpeg;
    record.extension = outcome.converted || type == imaging::FileType::kJpeg ? ".jpg"
                       : type == imaging::FileType::kPng                     ? ".png"
                                                                             : ".webp";
    if (outcome.converted) {
      TERRAPIN_TRY(const Bytes jpeg, imaging::encode_jpeg(pair.photo, kJpegQuality));
      TERRAPIN_TRY_STATUS(write_plain(staged_photo(ordinal), jpeg));
    } else if (options_.link) {
      record.link_photo = entry.photo;
    } else {
      TERRAPIN_TRY_STATUS(write_plain(staged_photo(ordinal), pair.photo_bytes));
    }
    if (!is_final_mask(pair, source_->palette_decides, palette_)) {
      TERRAPIN_TRY(const Bytes png, imaging::encode_indexed_png(pair.mask, palette_));
      return write_plain(staged_mask(ordinal), png);
    }
    if (options_.link) {
      record.link_mask = entry.mask;
      return {};
    }
    return write_plain(staged_mask(ordinal), pair.mask_bytes);
  }

  // Not write_file_atomically: the whole folder appears at once and is made durable at once.
  static Status write_plain(const fs::path& path, const Bytes& bytes) {
    std::ofstream file(path, std::ios::binary);
    file.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
    file.close();
    if (!file) return fail(ErrorCode::kIo, "{}: cannot be written: {}", path.string(), std::strerror(errno));
    return {};
  }

  // Runs in the order of the input.
  Status collect(const SourceEntry& entry, Outcome& outcome) {
    TERRAPIN_TRY_STATUS(outcome.status);
    for (Problem& problem : outcome.pair.problems) report_.problems.push_back(std::move(problem));
    if (!outcome.pair.usable) return {};
    ++report_.usable;
    if (auto note = orientation_note(entry, outcome.pair.info)) report_.notes.push_back(std::move(*note));
    const auto [first, fresh] = masks_.try_emplace(entry.mask.string(), std::pair(entry.line, entry.key));
    if (!fresh) {
      report_.problems.push_back(
          {"shared-mask", entry.line, entry.key, entry.mask.string(),
           fmt::format("its mask {} is also the mask of {}", entry.mask.string(), first->second.second),
           false});
    }
    for (std::size_t i = 0; i < report_.class_pixels.size(); ++i)
      report_.class_pixels[i] += outcome.pixels[i];
    report_.ignored_pixels += outcome.pixels[imaging::Mask::kIgnore];
    report_.converted += outcome.converted ? 1 : 0;
    records_.push_back(std::move(outcome.record));
    return {};
  }

  // Photos of the same bytes join one group, named by its smallest member so that the input's order does not
  // matter.
  void find_duplicates() {
    std::unordered_map<std::string, std::size_t> first_of;
    std::map<std::string, std::string> joined;  // group -> group it belongs to
    auto root = [&](std::string group) {
      for (auto at = joined.find(group); at != joined.end(); at = joined.find(group)) group = at->second;
      return group;
    };
    for (std::size_t i = 0; i < records_.size(); ++i) {
      const auto [found, fresh] = first_of.try_emplace(records_[i].digest, i);
      if (fresh) continue;
      const Record& first = records_[found->second];
      const std::string place =
          first.line > 0 ? fmt::format("line {} ({})", first.line, first.key) : first.key;
      report_.problems.push_back({"duplicate-photo", records_[i].line, records_[i].key, first.key,
                                  fmt::format("the same bytes as {}; both stay in one split", place), false});
      const std::string a = root(first.group), b = root(records_[i].group);
      if (a != b) joined[std::max(a, b)] = std::min(a, b);
      if (first.fixed && records_[i].fixed && first.fixed != records_[i].fixed) {
        report_.problems.back().kind = "duplicate-across-splits";
        report_.problems.back().message =
            fmt::format("the same bytes as {}, which is in {} while this one is in {}", place,
                        split_name(*first.fixed), split_name(*records_[i].fixed));
      }
    }
    if (joined.empty()) return;
    for (Record& record : records_) record.group = root(record.group);
  }

  Status assign_splits() {
    if (!keep_split_) {
      std::vector<SplitItem> items;
      items.reserve(records_.size());
      for (const Record& record : records_) items.push_back({record.key, record.group});
      TERRAPIN_TRY(const auto splits, draw_split(items, options_.split));
      for (std::size_t i = 0; i < records_.size(); ++i) records_[i].split = splits[i];
    } else {
      std::map<std::string, const Record*> first_of_group;
      std::set<std::string> told;
      for (Record& record : records_) {
        record.split = *record.fixed;
        const auto [first, fresh] = first_of_group.try_emplace(record.group, &record);
        if (!fresh && first->second->split != record.split && told.insert(record.group).second) {
          report_.problems.push_back(
              {"group-across-splits", record.line, record.key, record.group,
               fmt::format("group '{}' is in {} here and in {} with {}", record.group,
                           split_name(record.split), split_name(first->second->split), first->second->key),
               false});
        }
      }
    }
    for (const Record& record : records_) ++report_.counts[static_cast<std::size_t>(record.split)];
    if (report_.counts[0] == 0 && keep_split_) {
      return fail(ErrorCode::kInvalidArgument,
                  "train would be empty: the kept split puts no usable photo there");
    }
    return {};
  }

  Status place(const fs::path& folder) {
    std::error_code error;
    auto channel = [&](Split split, bool masks) {
      return folder / (std::string(split_name(split)) + (masks ? "_annotation" : ""));
    };
    for (const Split split : {Split::kTrain, Split::kValidation, Split::kTest}) {
      if (split == Split::kTest && report_.counts[2] == 0) continue;
      fs::create_directory(channel(split, false), error);
      fs::create_directory(channel(split, true), error);
    }
    std::vector<NameRequest> requests;
    requests.reserve(records_.size());
    for (const Record& record : records_) requests.push_back({record.key, record.stem});
    const std::vector<std::string> names = unique_names(requests);
    std::string table = "split\tname\tsource\tgroup\n";
    for (std::size_t i = 0; i < records_.size(); ++i) {
      const Record& record = records_[i];
      const fs::path photo = channel(record.split, false) / (names[i] + record.extension);
      const fs::path mask = channel(record.split, true) / (names[i] + ".png");
      TERRAPIN_TRY_STATUS(settle(record.link_photo, staged_photo(record.ordinal), photo));
      TERRAPIN_TRY_STATUS(settle(record.link_mask, staged_mask(record.ordinal), mask));
      if (names[i] != record.stem) report_.renamed.push_back({record.key, names[i]});
      table += fmt::format("{}\t{}\t{}\t{}\n", split_name(record.split), names[i], field(record.key),
                           field(record.group));
    }
    fs::remove(staging_, error);
    TERRAPIN_TRY_STATUS(write_file_atomically(folder / "splits.tsv", table));
    TERRAPIN_TRY_STATUS(artifacts::write_classes_file(folder / "classes.json", source_->classes));
    nlohmann::json map = nlohmann::json::object();
    for (int i = 0; i < source_->classes.size(); ++i) map[std::to_string(i)] = i;
    const std::string label_map = json_text({{"map", map}}) + "\n";
    TERRAPIN_TRY_STATUS(write_file_atomically(folder / "label_map/train_label_map.json", label_map));
    return write_file_atomically(folder / "label_map/validation_label_map.json", label_map);
  }

  Status settle(const fs::path& link_from, const fs::path& staged, const fs::path& to) {
    if (!link_from.empty()) {
      ++report_.linked;
      return link_or_copy(link_from, to);
    }
    std::error_code error;
    fs::rename(staged, to, error);
    if (error) return fail(ErrorCode::kIo, "{}: cannot be put in place: {}", to.string(), error.message());
    return {};
  }

  static std::string field(std::string text) {
    std::replace_if(
        text.begin(), text.end(), [](char c) { return c == '\t' || c == '\n' || c == '\r'; }, ' ');
    return text;
  }

  const TransformOptions& options_;
  std::optional<std::regex> group_regex_;
  std::unique_ptr<InputSource> source_;
  SplitTable split_table_;
  std::map<std::string, const SplitTable::Row*> split_by_name_, split_by_source_;
  std::set<const SplitTable::Row*> split_used_;
  bool keep_split_ = false;
  imaging::Palette palette_;
  fs::path staging_;
  std::vector<Record> records_;
  std::unordered_map<std::string, std::pair<std::int64_t, std::string>>
      masks_;  // mask -> first line and photo
  TransformReport report_;
};

}  // namespace

Result<TransformReport> transform(const TransformOptions& options) {
  return Transformation(options).run();
}

}  // namespace terrapin::dataset
