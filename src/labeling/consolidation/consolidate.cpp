#include "labeling/consolidation/consolidate.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <limits>
#include <memory>
#include <mutex>

#include "base/parallel.h"
#include "labeling/consolidation/vote_scan.h"

namespace terrapin::labeling {
namespace {

using imaging::Mask;

// Answers to one pixel are no independent witnesses: what makes it hard for one worker does so for others.
constexpr double kWitness = 0.6;
constexpr double kNat = 4096;                // scores are whole 1/4096 nats, so that a tie is a tie
constexpr std::int64_t kSure = 65536;        // probability 1
constexpr std::int64_t kMaxWidth = 1 << 25;  // a band's pixels are counted in 32 bits
constexpr std::int32_t kUnknown = std::numeric_limits<std::int32_t>::min();

std::int32_t rounded(double nats) {
  return static_cast<std::int32_t>(std::lround(nats * kNat));
}

// Each worker's error rates, looked up when first asked for. Threads may ask at once: they write the same
// value.
class ErrorTable {
 public:
  ErrorTable(const WorkerSkills& skills, std::span<const Answer> answers)
      : skills_(skills),
        answers_(answers),
        classes_(static_cast<std::size_t>(skills.class_count())),
        rates_(answers.size() * classes_ * classes_) {}
  double odds(std::size_t answer, std::uint8_t truth, std::uint8_t rival) {
    std::atomic<double>& value = rates_[(answer * classes_ + truth) * classes_ + rival];
    double known = value.load(std::memory_order_relaxed);
    if (known == 0) {
      const double error = skills_.error(answers_[answer].worker, truth, rival);
      known = error / (1 - error);
      value.store(known, std::memory_order_relaxed);
    }
    return known;
  }

 private:
  const WorkerSkills& skills_;
  std::span<const Answer> answers_;
  std::size_t classes_;
  std::vector<std::atomic<double>> rates_;  // 0 = not looked up yet
};

// Sums over pixels, per class. Integers: the bands may be added in any order.
struct Sums {
  LabelCounts pixels{};  // of the result
  LabelCounts sure{};    // probability of the class where it is the result, in 1/65536
  LabelCounts either{};  // of the class being the result or the truth
  LabelCounts both{};    // pairs of workers who gave the class
  LabelCounts any{};     // pairs of which at least one did
  std::int64_t disputed = 0;

  void add(const Sums& other) {
    for (std::size_t c = 0; c < pixels.size(); ++c) {
      pixels[c] += other.pixels[c], sure[c] += other.sure[c], either[c] += other.either[c];
      both[c] += other.both[c], any[c] += other.any[c];
    }
    disputed += other.disputed;
  }
};

struct Candidate {
  std::int32_t score;   // in 1/4096 nat
  std::int32_t share;   // probability, in 1/65536
  std::int32_t chosen;  // pixels of this tuple in the band that got this class
  std::uint8_t votes, label;
};

struct Tuple {
  std::uint32_t first = 0;  // of its candidates, which are ascending by label
  std::uint8_t candidates = 0, answers = 0;
  std::uint8_t leader = 0;  // the candidate with the largest score, the first of several
  bool settled = false;     // it leads by more than all neighbours together could make up
};

// One object being consolidated, shared by the threads.
struct Work {
  std::span<const Answer> answers;  // ordered
  const ConsolidationOptions& options;
  int class_count;
  imaging::Size size;
  std::int32_t side, diagonal;  // what a neighbour adds to its class, in 1/4096 nat
  ErrorTable& errors;
  Consolidated& result;
};

// In the raster of settled labels stands for a pixel that has none: open, or without any answer (kNoSpot).
constexpr std::uint8_t kOpen = imaging::Mask::kIgnore;
constexpr std::uint32_t kNoSpot = 0xffffffff;
static_assert(kMaxClasses <= kOpen);

// A band of rows with enough rows around it that its result is that of the whole raster: each sweep carries
// changes at most two rows further.
class Band {
 public:
  Band(const Work& work, std::int64_t begin, std::int64_t end)
      : work_(work),
        begin_(begin),
        end_(end),
        width_(work.size.width),
        stride_(work.size.width + 2),
        first_(std::max<std::int64_t>(0, begin - 2 * sweeps() - 1)),
        last_(std::min(work.size.height, end + 2 * sweeps() + 1)),
        table_(static_cast<int>(work.answers.size())),
        labels_(static_cast<std::size_t>((last_ - first_ + 2) * stride_), Mask::kIgnore),
        spot_at_(std::make_unique_for_overwrite<std::uint32_t[]>(labels_.size())) {
    // The border, one pixel wide.
    const std::int64_t rows = last_ - first_ + 2;
    std::fill_n(spot_at_.get(), stride_, kNoSpot);
    std::fill_n(spot_at_.get() + (rows - 1) * stride_, stride_, kNoSpot);
    for (std::int64_t row = 1; row + 1 < rows; ++row)
      spot_at_[static_cast<std::size_t>(row * stride_)] =
          spot_at_[static_cast<std::size_t>((row + 1) * stride_ - 1)] = kNoSpot;
  }

  // False if a label is out of range.
  bool run() {
    for (std::int64_t y = first_; y < last_; ++y) read_row(y);
    if (wrong_label_) return false;
    for (int sweep = 1; sweep <= sweeps(); ++sweep) smooth();
    write();
    return true;
  }
  const Sums& sums() const { return sums_; }

 private:
  struct Spot {  // an open pixel
    std::uint32_t x, tuple;
    std::size_t first_share;
  };

  int sweeps() const { return work_.options.rule == VoteRule::kMajority ? 0 : work_.options.sweeps; }
  std::int64_t reach() const { return sweeps() > 0 ? 4 * (work_.side + work_.diagonal) : 0; }
  std::int64_t place(std::int64_t x, std::int64_t y) const { return (y - first_ + 1) * stride_ + 1 + x; }
  bool in_band(std::int64_t y) const { return y >= begin_ && y < end_; }

  void read_row(std::int64_t y) {
    std::array<const std::uint8_t*, kMaxAnswers> rows{};
    for (std::size_t a = 0; a < work_.answers.size(); ++a) rows[a] = work_.answers[a].mask->row(y);
    std::uint8_t* labels = labels_.data() + place(0, y);
    std::memcpy(labels, rows[0], static_cast<std::size_t>(width_));
    const std::uint8_t* at = labels;
    const auto left = [&] { return static_cast<std::size_t>(labels + width_ - at); };
    while ((at = static_cast<const std::uint8_t*>(std::memchr(at, kOpen, left()))) != nullptr)
      spot_at_[static_cast<std::size_t>(place(at++ - labels, y))] = kNoSpot;
    std::uint8_t* certainty = in_band(y) ? work_.result.certainty.row(y) : nullptr;
    if (certainty != nullptr) {
      for (std::int64_t x = 0; x < width_; ++x) certainty[x] = labels[x] == Mask::kIgnore ? 0 : 255;
    }
    LabelCounts agreed{};
    scan_row(rows.data(), static_cast<int>(work_.answers.size()), width_, agreed, [&](std::int64_t x) {
      bool fresh = false;
      const std::uint32_t id = table_.find_or_add(rows.data(), x, fresh);
      if (fresh) add_tuple(id);
      const Tuple& tuple = tuples_[id];
      if (!tuple.settled) {
        labels[x] = kOpen;
        spot_at_[static_cast<std::size_t>(place(x, y))] = static_cast<std::uint32_t>(spots_.size());
        spots_.push_back({static_cast<std::uint32_t>(x), id, shares_.size()});
        for (int c = 0; c < tuple.candidates; ++c)
          shares_.push_back(candidates_[tuple.first + static_cast<std::size_t>(c)].share);
        return;
      }
      Candidate& leader = candidates_[static_cast<std::size_t>(tuple.first) + tuple.leader];
      labels[x] = leader.label;
      if (certainty != nullptr) certainty[x] = shown(leader), ++leader.chosen;
    });
    row_ends_.push_back(spots_.size());
    for (int label = work_.class_count; label < Mask::kIgnore; ++label) {
      wrong_label_ = wrong_label_ || agreed[static_cast<std::size_t>(label)] > 0;
    }
    if (!in_band(y)) return;
    std::memcpy(work_.result.mask.row(y), labels, static_cast<std::size_t>(width_));
    const auto workers = static_cast<std::int64_t>(work_.answers.size());
    for (std::size_t c = 0; c < static_cast<std::size_t>(work_.class_count); ++c) {
      sums_.pixels[c] += agreed[c];
      sums_.sure[c] += agreed[c] * kSure, sums_.either[c] += agreed[c] * kSure;
      sums_.both[c] += agreed[c] * (workers * (workers - 1) / 2),
          sums_.any[c] += agreed[c] * (workers * (workers - 1) / 2);
    }
  }

  void add_tuple(std::uint32_t id) {
    std::array<std::uint8_t, kMaxAnswers> given;
    std::array<std::size_t, kMaxAnswers> giver;
    int answers = 0;
    for (std::size_t a = 0; a < work_.answers.size(); ++a) {
      const std::uint8_t label = table_.label(id, static_cast<int>(a));
      if (label == Mask::kIgnore) continue;
      wrong_label_ = wrong_label_ || label >= work_.class_count;
      given[static_cast<std::size_t>(answers)] = label, giver[static_cast<std::size_t>(answers++)] = a;
    }
    Tuple tuple{static_cast<std::uint32_t>(candidates_.size()), 0, static_cast<std::uint8_t>(answers)};
    if (wrong_label_) {  // the band is given up, so anything in range will do
      candidates_.push_back({});
      tuple.candidates = 1, tuple.settled = true;
      tuples_.push_back(tuple);
      return;
    }
    for (int i = 0; i < answers; ++i) {
      const auto at =
          std::find_if(candidates_.begin() + tuple.first, candidates_.end(),
                       [&](const Candidate& c) { return c.label >= given[static_cast<std::size_t>(i)]; });
      if (at != candidates_.end() && at->label == given[static_cast<std::size_t>(i)]) {
        ++at->votes;
      } else {
        candidates_.insert(at, {0, 0, 0, 1, given[static_cast<std::size_t>(i)]});
        ++tuple.candidates;
      }
    }
    Candidate* own = candidates_.data() + tuple.first;
    std::array<double, kMaxAnswers> odds;
    double sum = 0;
    std::int32_t best = kUnknown;
    for (int c = 0; c < tuple.candidates; ++c) {
      if (work_.options.rule == VoteRule::kMajority) {
        own[c].score = own[c].votes;
        continue;
      }
      for (int i = 0; i < answers; ++i) {
        double all = 1, chosen = 1;
        for (int rival = 0; rival < tuple.candidates; ++rival) {
          if (rival == c) continue;
          const double wrong =
              work_.errors.odds(giver[static_cast<std::size_t>(i)], own[c].label, own[rival].label);
          all += wrong;
          if (own[rival].label == given[static_cast<std::size_t>(i)]) chosen = wrong;
        }
        own[c].score += rounded(kWitness * std::log(chosen / all));
      }
      best = std::max(best, own[c].score);
    }
    for (int c = 0; c < tuple.candidates; ++c) {
      double& value = odds[static_cast<std::size_t>(c)];
      value =
          work_.options.rule == VoteRule::kMajority ? own[c].votes : std::exp((own[c].score - best) / kNat);
      sum += value;
    }
    for (int c = 0; c < tuple.candidates; ++c) {
      own[c].share = static_cast<std::int32_t>(std::lround(odds[static_cast<std::size_t>(c)] / sum * kSure));
    }
    // A single answer has nobody to agree with.
    if (answers < 2) own[0].share = 0;
    std::int32_t lead = std::numeric_limits<std::int32_t>::max();
    for (int c = 1; c < tuple.candidates; ++c) {
      if (own[c].score > own[tuple.leader].score) tuple.leader = static_cast<std::uint8_t>(c);
    }
    for (int c = 0; c < tuple.candidates; ++c) {
      if (c != tuple.leader) lead = std::min(lead, own[tuple.leader].score - own[c].score);
    }
    tuple.settled = lead > reach();
    tuples_.push_back(tuple);
  }

  static std::uint8_t shown(const Candidate& candidate) {
    return static_cast<std::uint8_t>((candidate.share * 255 + kSure / 2) / kSure);
  }

  // Votes for a class in the 3x3 neighbourhood.
  int votes_around(std::int64_t x, std::int64_t y, std::uint8_t label) const {
    int votes = 0;
    for (std::int64_t ny = std::max<std::int64_t>(0, y - 1); ny <= std::min(work_.size.height - 1, y + 1);
         ++ny) {
      for (const Answer& answer : work_.answers) {
        const std::uint8_t* row = answer.mask->row(ny);
        for (std::int64_t nx = std::max<std::int64_t>(0, x - 1); nx <= std::min(width_ - 1, x + 1); ++nx) {
          votes += row[nx] == label ? 1 : 0;
        }
      }
    }
    return votes;
  }

  // The class with the largest total; a tie goes to more votes around, then to the lower index.
  int best_of(const Tuple& tuple, const std::int64_t* totals, std::int64_t x, std::int64_t y) const {
    const Candidate* own = candidates_.data() + tuple.first;
    const std::int64_t most = *std::max_element(totals, totals + tuple.candidates);
    int best = -1, best_votes = -1;
    const bool tied = std::count(totals, totals + tuple.candidates, most) > 1;
    for (int c = 0; c < tuple.candidates; ++c) {
      if (totals[c] != most) continue;
      if (!tied) return c;
      const int votes = votes_around(x, y, own[c].label);
      if (votes > best_votes) best = c, best_votes = votes;
    }
    return best;
  }

  // Score and neighbours' shares of each candidate of an open pixel, in 1/(4096 * 65536) nat.
  void total(const Spot& spot, std::int64_t y, std::int64_t* totals) const {
    const Tuple& tuple = tuples_[spot.tuple];
    const Candidate* own = candidates_.data() + tuple.first;
    for (int c = 0; c < tuple.candidates; ++c) totals[c] = own[c].score * kSure;
    if (sweeps() == 0) return;
    const std::int64_t here = place(spot.x, y);
    const auto add = [&](std::int64_t at, std::int64_t weight) {
      const std::uint8_t label = labels_[static_cast<std::size_t>(at)];
      if (label != kOpen) {
        for (int c = 0; c < tuple.candidates; ++c) totals[c] += own[c].label == label ? weight * kSure : 0;
        return;
      }
      const std::uint32_t number = spot_at_[static_cast<std::size_t>(at)];
      if (number == kNoSpot) return;
      const Spot& other = spots_[number];
      const std::int32_t* shares = shares_.data() + other.first_share;
      if (other.tuple == spot.tuple) {
        for (int c = 0; c < tuple.candidates; ++c) totals[c] += weight * shares[c];
        return;
      }
      const Tuple& others = tuples_[other.tuple];
      const Candidate* theirs = candidates_.data() + others.first;
      for (int c = 0, t = 0; c < tuple.candidates; ++c) {
        while (t < others.candidates && theirs[t].label < own[c].label) ++t;
        if (t < others.candidates && theirs[t].label == own[c].label) totals[c] += weight * shares[t];
      }
    };
    add(here - 1, work_.side), add(here + 1, work_.side);
    add(here - stride_, work_.side), add(here + stride_, work_.side);
    add(here - stride_ - 1, work_.diagonal), add(here - stride_ + 1, work_.diagonal);
    add(here + stride_ - 1, work_.diagonal), add(here + stride_ + 1, work_.diagonal);
  }

  template <class Visit>
  void each_spot(std::int64_t y, Visit&& visit) {
    const auto row = static_cast<std::size_t>(y - first_);
    for (std::size_t i = row == 0 ? 0 : row_ends_[row - 1]; i < row_ends_[row]; ++i) visit(spots_[i]);
  }

  // One sweep of the mean field: even rows, then odd rows; even columns, then odd ones. No two pixels of one
  // such set are neighbours, so their order does not matter.
  void smooth() {
    std::array<std::int64_t, kMaxAnswers> totals;
    std::array<double, kMaxAnswers> odds;
    for (std::int64_t set = 0; set < 4; ++set) {
      for (std::int64_t y = first_ + ((first_ + set / 2) & 1); y < last_; y += 2) {
        each_spot(y, [&](const Spot& spot) {
          if ((spot.x & 1) != (set & 1)) return;
          total(spot, y, totals.data());
          const int count = tuples_[spot.tuple].candidates;
          const std::int64_t most = *std::max_element(totals.begin(), totals.begin() + count);
          double sum = 0;
          for (int c = 0; c < count; ++c) {
            const auto slot = static_cast<std::size_t>(c);
            sum += odds[slot] = std::exp(static_cast<double>(totals[slot] - most) / (kNat * kSure));
          }
          for (int c = 0; c < count; ++c) {
            const auto slot = static_cast<std::size_t>(c);
            shares_[spot.first_share + slot] =
                static_cast<std::int32_t>(std::lround(odds[slot] / sum * kSure));
          }
        });
      }
    }
  }

  void write() {
    std::array<std::int64_t, kMaxAnswers> totals;
    for (std::int64_t y = begin_; y < end_; ++y) {
      each_spot(y, [&](const Spot& spot) {
        const Tuple& tuple = tuples_[spot.tuple];
        total(spot, y, totals.data());
        Candidate& choice =
            candidates_[tuple.first + static_cast<std::size_t>(best_of(tuple, totals.data(), spot.x, y))];
        ++choice.chosen;
        work_.result.mask.set(spot.x, y, choice.label);
        work_.result.certainty.set(spot.x, y, shown(choice));
      });
    }
    for (const Tuple& tuple : tuples_) {
      const Candidate* own = candidates_.data() + tuple.first;
      std::int64_t pixels = 0;
      for (int c = 0; c < tuple.candidates; ++c) pixels += own[c].chosen;
      if (tuple.candidates > 1) sums_.disputed += pixels;
      for (int c = 0; c < tuple.candidates; ++c) {
        const auto label = static_cast<std::size_t>(own[c].label);
        const std::int64_t share = own[c].share, votes = own[c].votes;
        sums_.pixels[label] += own[c].chosen;
        sums_.sure[label] += own[c].chosen * share;
        sums_.either[label] += own[c].chosen * kSure + (pixels - own[c].chosen) * share;
        sums_.both[label] += pixels * (votes * (votes - 1) / 2);
        sums_.any[label] += pixels * (votes * (votes - 1) / 2 + votes * (tuple.answers - votes));
      }
    }
  }

  const Work& work_;
  std::int64_t begin_, end_, width_, stride_;
  std::int64_t first_, last_;  // rows held: the band and what it needs around
  TupleTable table_;
  std::vector<Tuple> tuples_;
  std::vector<Candidate> candidates_;
  std::vector<std::uint8_t> labels_;          // settled ones, or kOpen; with a border one pixel wide
  std::unique_ptr<std::uint32_t[]> spot_at_;  // number of the spot where labels_ is kOpen
  std::vector<Spot> spots_;                   // by row and column
  std::vector<std::size_t> row_ends_;         // where each row's spots end
  std::vector<std::int32_t> shares_;          // of each spot's candidates, in 1/65536
  bool wrong_label_ = false;
  Sums sums_;
};

double ratio(std::int64_t part, std::int64_t whole) {
  return whole > 0 ? static_cast<double>(part) / static_cast<double>(whole) : 0.0;
}

// Means over the classes painted, BACKGROUND only if there is no other. Agreement speaks of classes that one
// of at least two workers gave.
void summarize(const Sums& sums, Consolidated& result) {
  double confidence = 0, agreement = 0;
  int painted = 0, compared = 0;
  for (std::size_t c = 0; c < sums.pixels.size(); ++c) {
    if (sums.either[c] == 0 && sums.any[c] == 0) continue;
    const ClassOutcome outcome{static_cast<int>(c), sums.pixels[c], ratio(sums.sure[c], sums.either[c]),
                               ratio(sums.both[c], sums.any[c])};
    result.classes.push_back(outcome);
  }
  const bool only_background = result.classes.size() == 1;
  for (const ClassOutcome& outcome : result.classes) {
    if (outcome.index == 0 && !only_background) continue;
    confidence += outcome.confidence, ++painted;
    if (sums.any[static_cast<std::size_t>(outcome.index)] > 0) agreement += outcome.agreement, ++compared;
  }
  result.disputed_pixels = sums.disputed;
  result.confidence = painted > 0 ? confidence / painted : 0;
  result.disagreement = compared > 0 ? 1 - agreement / compared : 0;
}

Result<Consolidated> pass_through(const Answer& answer, int class_count) {
  TERRAPIN_TRY_STATUS(check_labels(std::span(&answer, 1), class_count));
  Consolidated result;
  result.mask = *answer.mask;
  result.certainty = Mask(answer.mask->size(), 0);
  LabelCounts pixels{};
  count_labels(answer.mask->bytes().data(), answer.mask->size().area(), pixels);
  for (int c = 0; c < class_count; ++c) {
    if (pixels[static_cast<std::size_t>(c)] > 0)
      result.classes.push_back({c, pixels[static_cast<std::size_t>(c)], 0, 0});
  }
  return result;
}

}  // namespace

Result<Consolidated> consolidate(std::span<const Answer> answers, const WorkerSkills& skills,
                                 const ConsolidationOptions& options) {
  const int class_count = skills.class_count();
  if (!(options.smoothing >= 0 && options.smoothing <= 8)) {
    return fail(ErrorCode::kInvalidArgument, "smoothing is {}, expected 0 to 8 nats", options.smoothing);
  }
  if (options.sweeps < 0 || options.sweeps > 16) {
    return fail(ErrorCode::kInvalidArgument, "{} sweeps, expected 0 to 16", options.sweeps);
  }
  TERRAPIN_TRY(const std::vector<Answer> ordered, ordered_answers(answers, class_count));
  if (ordered.size() == 1) return pass_through(ordered[0], class_count);
  const imaging::Size size = ordered[0].mask->size();
  if (size.width > kMaxWidth) {
    return fail(ErrorCode::kTooLarge, "the masks are {} pixels wide, expected at most {}", size.width,
                kMaxWidth);
  }
  Consolidated result;
  result.mask = Mask(size);
  result.certainty = Mask(size);
  ErrorTable errors(skills, ordered);
  const Work work{ordered,
                  options,
                  class_count,
                  size,
                  rounded(options.smoothing),
                  rounded(options.smoothing * std::sqrt(0.5)),
                  errors,
                  result};
  const RowBands bands(size);
  std::mutex mutex;
  Sums sums;                 // guarded by mutex
  bool wrong_label = false;  // guarded by mutex
  parallel_for(bands.count(), options.threads > 0 ? options.threads : available_cores(),
               [&](std::int64_t index) {
                 Band band(work, bands.begin(index), bands.end(index));
                 const bool good = band.run();
                 const std::lock_guard lock(mutex);
                 if (good) sums.add(band.sums());
                 wrong_label = wrong_label || !good;
               });
  if (wrong_label) {
    TERRAPIN_TRY_STATUS(check_labels(ordered, class_count));
    return fail(ErrorCode::kInternal, "masks changed while they were consolidated");
  }
  summarize(sums, result);
  return result;
}

}  // namespace terrapin::labeling
