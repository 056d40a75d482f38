#include "labeling/consolidation/votes.h"

#include <algorithm>
#include <bit>
#include <mutex>
#include <nlohmann/json.hpp>
#include <unordered_map>

#include "artifacts/json_fields.h"
#include "base/parallel.h"
#include "labeling/consolidation/vote_scan.h"

namespace terrapin::labeling {
namespace {

constexpr std::int64_t kMaxPixels = std::int64_t{1} << 60;
// Skill estimation multiplies weights by 2^14 and sums them over up to 64 workers in 64 bits.
constexpr std::int64_t kMaxJobWeight = std::int64_t{1} << 42;
constexpr char kNoAnswerByte = static_cast<char>(imaging::Mask::kIgnore);
constexpr std::uint8_t kNoRival = 255;

bool all_equal(const LabelTuple& tuple) {
  return tuple.find_first_not_of(tuple[0]) == LabelTuple::npos;
}

// The labels given at least once, ascending.
std::vector<std::uint8_t> labels_of(const LabelTuple& tuple) {
  std::vector<std::uint8_t> labels;
  for (const char c : tuple) {
    if (c != kNoAnswerByte) labels.push_back(static_cast<std::uint8_t>(c));
  }
  std::sort(labels.begin(), labels.end());
  labels.erase(std::unique(labels.begin(), labels.end()), labels.end());
  return labels;
}

bool is_disputed(const LabelTuple& tuple) {
  return labels_of(tuple).size() > 1;
}

// FNV-1a with a final mix: the sample of tuples must be the same on every machine.
std::uint64_t tuple_hash(const LabelTuple& tuple) {
  std::uint64_t h = 0xcbf29ce484222325;
  for (const char c : tuple) h = (h ^ static_cast<std::uint8_t>(c)) * 0x100000001b3;
  h = (h ^ (h >> 30)) * 0xbf58476d1ce4e5b9;
  h = (h ^ (h >> 27)) * 0x94d049bb133111eb;
  return h ^ (h >> 31);
}

// Keeps the tuples whose hash has at least `level` trailing zeros, with the lowest level that leaves at most
// kMaxTuples. A tuple that is kept in the end was never dropped, so its count is exact and the result is that
// of one pass in any order.
class TupleSample {
 public:
  void add(const LabelTuple& tuple, std::int64_t count) {
    if (all_equal(tuple)) {
      agreed_[tuple] += count;
      return;
    }
    if (is_disputed(tuple)) disputes_ += count;
    if (level_of(tuple) < level_) return;
    kept_[tuple] += count;
    while (kept_.size() > VoteCounts::kMaxTuples) {
      ++level_;
      std::erase_if(kept_, [this](const auto& entry) { return level_of(entry.first) < level_; });
    }
  }

  void finish(VoteCounts& votes) const {
    votes.tuples.insert(agreed_.begin(), agreed_.end());
    votes.tuples.insert(kept_.begin(), kept_.end());
    votes.left_out_disputes = disputes_;
    for (const auto& [tuple, count] : kept_) {
      if (is_disputed(tuple)) votes.left_out_disputes -= count;
    }
  }

 private:
  static int level_of(const LabelTuple& tuple) { return std::countr_zero(tuple_hash(tuple)); }
  std::unordered_map<LabelTuple, std::int64_t> agreed_, kept_;
  std::int64_t disputes_ = 0;
  int level_ = 0;
};

Status check_votes(const VoteCounts& votes) {
  TERRAPIN_TRY_STATUS(check_class_count(votes.class_count));
  if (votes.workers.empty() || votes.workers.size() > static_cast<std::size_t>(kMaxAnswers)) {
    return fail(ErrorCode::kInvalidArgument, "{} workers, expected 1 to {}", votes.workers.size(),
                kMaxAnswers);
  }
  for (std::size_t i = 0; i < votes.workers.size(); ++i) {
    TERRAPIN_TRY_STATUS(check_worker_id(votes.workers[i]));
    if (i > 0 && votes.workers[i - 1] >= votes.workers[i]) {
      return fail(ErrorCode::kInvalidArgument, "workers are not in ascending order, or twice, at '{}'",
                  votes.workers[i]);
    }
  }
  std::int64_t pixels = votes.left_out_disputes;
  for (const auto& [tuple, count] : votes.tuples) {
    if (tuple.size() != votes.workers.size()) {
      return fail(ErrorCode::kInvalidArgument, "a tuple has {} labels, expected one for each of {} workers",
                  tuple.size(), votes.workers.size());
    }
    for (const char c : tuple) {
      if (c != kNoAnswerByte && static_cast<std::uint8_t>(c) >= votes.class_count) {
        return fail(ErrorCode::kInvalidArgument,
                    "label {} in a tuple, expected 0 to {}, or 255 for no answer",
                    static_cast<std::uint8_t>(c), votes.class_count - 1);
      }
    }
    if (count < 1 || count > kMaxPixels || (pixels += count) > kMaxPixels) {
      return fail(ErrorCode::kInvalidArgument, "{} pixels of one tuple, expected 1 to 2^60 in all", count);
    }
  }
  return {};
}

using Wide = unsigned __int128;

// Rounded down.
std::int64_t cube_root(Wide value) {
  Wide root = 0;
  for (Wide bit = Wide{1} << 40; bit != 0; bit >>= 1) {
    const Wide next = root | bit;
    if (next * next * next <= value) root = next;
  }
  return static_cast<std::int64_t>(root);
}

// value * numerator / denominator, rounded down.
std::int64_t scaled(std::int64_t value, std::int64_t numerator, std::int64_t denominator) {
  return static_cast<std::int64_t>(static_cast<Wide>(value) * static_cast<Wide>(numerator) /
                                   static_cast<Wide>(denominator));
}

}  // namespace

Result<VoteCounts> VoteCounts::without(const std::string& worker) const {
  const auto found = std::find(workers.begin(), workers.end(), worker);
  if (found == workers.end()) {
    return fail(ErrorCode::kNotFound, "worker '{}' gave no answer; these did: {}", worker,
                fmt::join(workers, ", "));
  }
  if (left_out_disputes > 0) {
    return fail(
        ErrorCode::kUnsupported,
        "{} disputed pixels are not in these counts: count the votes again from the masks that remain",
        left_out_disputes);
  }
  const auto at = static_cast<std::size_t>(found - workers.begin());
  VoteCounts rest{class_count, workers, {}, 0};
  rest.workers.erase(rest.workers.begin() + static_cast<std::ptrdiff_t>(at));
  if (rest.workers.empty()) return rest;
  for (const auto& [tuple, count] : tuples) {
    LabelTuple shorter = tuple;
    shorter.erase(at, 1);
    rest.tuples[shorter] += count;
  }
  return rest;
}

Result<VoteCounts> count_votes(std::span<const Answer> answers, int class_count, int threads) {
  TERRAPIN_TRY(const std::vector<Answer> ordered, ordered_answers(answers, class_count));
  const imaging::Size size = ordered[0].mask->size();
  const int count = static_cast<int>(ordered.size());
  const RowBands bands(size);
  std::mutex mutex;
  TupleSample sample;        // guarded by mutex
  bool wrong_label = false;  // guarded by mutex
  parallel_for(bands.count(), threads > 0 ? threads : available_cores(), [&](std::int64_t band) {
    TupleTable table(count);
    std::vector<std::int64_t> pixels;
    LabelCounts agreed{};
    std::array<const std::uint8_t*, kMaxAnswers> rows{};
    for (std::int64_t y = bands.begin(band); y < bands.end(band); ++y) {
      for (int a = 0; a < count; ++a) {
        const auto slot = static_cast<std::size_t>(a);
        rows[slot] = ordered[slot].mask->row(y);
      }
      scan_row(rows.data(), count, size.width, agreed, [&](std::int64_t x) {
        bool fresh = false;
        const std::uint32_t id = table.find_or_add(rows.data(), x, fresh);
        if (fresh) pixels.push_back(0);
        ++pixels[id];
      });
    }
    bool wrong = false;
    const auto check = [&](std::uint8_t label) {
      wrong = wrong || (label >= class_count && label != imaging::Mask::kIgnore);
    };
    std::vector<LabelTuple> tuples(table.size(), LabelTuple(static_cast<std::size_t>(count), '\0'));
    for (std::size_t id = 0; id < tuples.size(); ++id) {
      for (int a = 0; a < count; ++a) {
        const std::uint8_t label = table.label(static_cast<std::uint32_t>(id), a);
        check(label);
        tuples[id][static_cast<std::size_t>(a)] = static_cast<char>(label);
      }
    }
    const std::lock_guard lock(mutex);
    for (std::size_t label = 0; label < agreed.size(); ++label) {
      if (agreed[label] == 0) continue;
      check(static_cast<std::uint8_t>(label));
      sample.add(LabelTuple(static_cast<std::size_t>(count), static_cast<char>(label)), agreed[label]);
    }
    for (std::size_t id = 0; id < tuples.size(); ++id) sample.add(tuples[id], pixels[id]);
    wrong_label = wrong_label || wrong;
  });
  if (wrong_label) {
    TERRAPIN_TRY_STATUS(check_labels(ordered, class_count));
  }
  VoteCounts votes;
  votes.class_count = class_count;
  for (const Answer& answer : ordered) votes.workers.push_back(answer.worker);
  sample.finish(votes);
  return votes;
}

std::string to_json(const VoteCounts& votes) {
  nlohmann::ordered_json json;
  json["format"] = "terrapin-votes";
  json["version"] = 1;
  json["classes"] = votes.class_count;
  json["workers"] = votes.workers;
  json["left_out_disputes"] = votes.left_out_disputes;
  json["tuples"] = nlohmann::ordered_json::array();
  for (const auto& [tuple, count] : votes.tuples) {
    nlohmann::ordered_json row = nlohmann::ordered_json::array();
    for (const char c : tuple) row.push_back(static_cast<std::uint8_t>(c));
    row.push_back(count);
    json["tuples"].push_back(std::move(row));
  }
  return json.dump();
}

Result<VoteCounts> votes_from_json(std::string_view text) {
  TERRAPIN_TRY(const nlohmann::json json, artifacts::parse_json(text));
  artifacts::ObjectReader reader(json, "");
  const std::string format = reader.text("format");
  const std::int64_t version = reader.integer("version", 1, std::int64_t{1} << 31);
  VoteCounts votes;
  votes.class_count = static_cast<int>(reader.integer("classes", 1, kMaxClasses));
  const nlohmann::json& workers = reader.array("workers");
  votes.left_out_disputes = reader.integer("left_out_disputes", 0, kMaxPixels);
  const nlohmann::json& tuples = reader.array("tuples");
  TERRAPIN_TRY_STATUS(reader.finish());
  if (format != "terrapin-votes") {
    return fail(ErrorCode::kCorrupt, "field 'format' is '{}', expected 'terrapin-votes'",
                format.substr(0, 40));
  }
  if (version != 1) {
    return fail(ErrorCode::kUnsupported, "votes of version {}, this program reads version 1", version);
  }
  for (const nlohmann::json& worker : workers) {
    if (!worker.is_string()) {
      return fail(ErrorCode::kCorrupt, "field 'workers' holds {}, expected strings",
                  artifacts::shown(worker));
    }
    votes.workers.push_back(worker.get<std::string>());
  }
  for (const nlohmann::json& row : tuples) {
    const auto is_count = [](const nlohmann::json& value) {
      return value.is_number_unsigned() &&
             value.get<std::uint64_t>() <= static_cast<std::uint64_t>(kMaxPixels);
    };
    if (!row.is_array() || row.size() != votes.workers.size() + 1 ||
        !std::all_of(row.begin(), row.end(), is_count)) {
      return fail(ErrorCode::kCorrupt, "field 'tuples' holds {}, expected {} labels and a count of pixels",
                  artifacts::shown(row), votes.workers.size());
    }
    LabelTuple tuple;
    for (std::size_t i = 0; i + 1 < row.size(); ++i) {
      const std::uint64_t label = row[i].get<std::uint64_t>();
      if (label > 255) {
        return fail(ErrorCode::kCorrupt, "field 'tuples' holds label {}, expected 0 to 255", label);
      }
      tuple.push_back(static_cast<char>(label));
    }
    if (!votes.tuples.emplace(tuple, row.back().get<std::int64_t>()).second) {
      return fail(ErrorCode::kCorrupt, "field 'tuples' holds the labels of {} twice", artifacts::shown(row));
    }
  }
  if (Status good = check_votes(votes); !good) {
    return fail(ErrorCode::kCorrupt, "{}", good.error().message);
  }
  return votes;
}

Evidence evidence(const VoteCounts& object) {
  // Per class: pixels that all who answered (two or more) gave it; disputed pixels where somebody gave it,
  // and how often which other class was given beside it.
  LabelCounts agreed{}, disputed{};
  std::map<std::pair<int, int>, std::int64_t> beside;
  std::array<std::int64_t, 256> beside_any{};
  std::int64_t kept = 0;
  const auto is_agreed = [](const LabelTuple& tuple, const std::vector<std::uint8_t>& labels) {
    return labels.size() == 1 && std::count(tuple.begin(), tuple.end(), kNoAnswerByte) + 2 <=
                                     static_cast<std::ptrdiff_t>(tuple.size());
  };
  for (const auto& [tuple, count] : object.tuples) {
    const std::vector<std::uint8_t> labels = labels_of(tuple);
    if (is_agreed(tuple, labels)) agreed[labels[0]] += count;
    if (labels.size() < 2) continue;
    kept += count;
    for (const std::uint8_t label : labels) {
      disputed[label] += count;
      for (const std::uint8_t other : labels) {
        if (other != label) beside[{label, other}] += count, beside_any[label] += count;
      }
    }
  }
  Evidence weights;
  if (kept == 0) return weights;  // nobody differs: nothing tells workers apart
  // Disputed pixels are no independent witnesses, and one photo must not drown the others: together they
  // weigh three times the cube root of their number (in units of 1/1024).
  const std::int64_t whole = cube_root(static_cast<Wide>(kept + object.left_out_disputes) * 27 << 30);
  for (const auto& [tuple, count] : object.tuples) {
    const std::vector<std::uint8_t> labels = labels_of(tuple);
    if (labels.size() > 1) {
      if (const std::int64_t weight = scaled(count, whole, kept); weight > 0)
        weights[{tuple, kNoRival}] = weight;
    } else if (is_agreed(tuple, labels) && disputed[labels[0]] > 0) {
      // Agreement on a class counts at most as much as the disputes about it, and speaks of the classes it is
      // disputed with.
      const std::int64_t total = agreed[labels[0]], most = std::min(total, disputed[labels[0]]);
      const std::int64_t weight = scaled(scaled(count, whole, kept), most, total);
      for (auto rival = beside.lower_bound({labels[0], 0});
           rival != beside.end() && rival->first.first == labels[0]; ++rival) {
        const std::int64_t part = scaled(weight, rival->second, beside_any[labels[0]]);
        if (part > 0) weights[{tuple, static_cast<std::uint8_t>(rival->first.second)}] = part;
      }
    }
  }
  return weights;
}

JobVotes::JobVotes(int class_count) : class_count_(class_count) {}

Status JobVotes::add(const VoteCounts& object) {
  TERRAPIN_TRY_STATUS(check_votes(object));
  if (object.class_count != class_count_) {
    return fail(ErrorCode::kInvalidArgument, "votes over {} classes, the job has {}", object.class_count,
                class_count_);
  }
  const Evidence weights = evidence(object);
  std::int64_t total = total_;
  for (const auto& [key, weight] : weights) total += weight;
  if (total > kMaxJobWeight) {
    return fail(ErrorCode::kTooLarge, "the votes of a job weigh {}, expected at most 2^42", total);
  }
  if (weights.empty()) return {};
  auto& group = groups_[object.workers];
  for (const auto& [key, weight] : weights) group[key] += weight;
  total_ = total;
  return {};
}

Status JobVotes::remove(const VoteCounts& object) {
  TERRAPIN_TRY_STATUS(check_votes(object));
  const Evidence weights = evidence(object);
  if (weights.empty()) return {};
  const auto group = groups_.find(object.workers);
  for (const auto& [key, weight] : weights) {
    const bool known = group != groups_.end() && group->second.contains(key) && group->second[key] >= weight;
    if (!known) {
      return fail(ErrorCode::kInvalidArgument,
                  "an object of workers {} was not added to this job, so it cannot be removed",
                  fmt::join(object.workers, ", "));
    }
  }
  for (const auto& [key, weight] : weights) {
    const auto entry = group->second.find(key);
    if ((entry->second -= weight) == 0) group->second.erase(entry);
    total_ -= weight;
  }
  if (group->second.empty()) groups_.erase(group);
  return {};
}

}  // namespace terrapin::labeling
