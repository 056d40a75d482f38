// How often each tuple of labels was given: all that skill estimation needs to know of the masks. Integers
// only, so that counts can be kept per object, summed, and taken out again exactly.
// Format: docs/formats/consolidation.md.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "labeling/consolidation/answers.h"

namespace terrapin::labeling {

// Labels of one pixel, one byte per worker in the order of the workers; 255 = no answer.
using LabelTuple = std::string;

// The votes on one object.
struct VoteCounts {
  // Above this many distinct tuples of differing labels (masks of noise), a sample of them is kept, chosen by
  // a hash of the tuple; `left_out_disputes` counts the disputed pixels of the others.
  static constexpr std::size_t kMaxTuples = 16384;

  int class_count = 0;
  std::vector<std::string> workers;           // ascending
  std::map<LabelTuple, std::int64_t> tuples;  // pixels with exactly these labels, > 0
  std::int64_t left_out_disputes = 0;

  // The same object as if `worker` had never answered. kNotFound if they did not; kUnsupported if tuples were
  // left out (count again from the masks).
  Result<VoteCounts> without(const std::string& worker) const;

  friend bool operator==(const VoteCounts&, const VoteCounts&) = default;
};

// Counts in one pass over the masks. The result depends neither on the order of the answers nor on `threads`
// (0 = all cores). Errors as `ordered_answers` and `check_labels`.
Result<VoteCounts> count_votes(std::span<const Answer> answers, int class_count, int threads = 0);

std::string to_json(const VoteCounts& votes);
// kCorrupt names the field and what is allowed.
Result<VoteCounts> votes_from_json(std::string_view text);

// Labels that were given together, and what they speak of: a disputed tuple (rival 255) of all its classes,
// an agreed one of its class against `rival`.
struct EvidenceKey {
  LabelTuple tuple;
  std::uint8_t rival = 255;
  friend bool operator==(const EvidenceKey&, const EvidenceKey&) = default;
  friend bool operator<(const EvidenceKey& a, const EvidenceKey& b) {
    return a.tuple != b.tuple ? a.tuple < b.tuple : a.rival < b.rival;
  }
};
using Evidence = std::map<EvidenceKey, std::int64_t>;  // weights > 0, in units of 1/1024

// What one object adds to a job.
Evidence evidence(const VoteCounts& object);

// The weighted votes of a job. Every object enters with the same rule (docs/decisions/0005): only what tells
// workers apart, and an object twice as disputed counts less than twice. Adding and removing are exact and
// may happen in any order.
class JobVotes {
 public:
  explicit JobVotes(int class_count);

  // kInvalidArgument if the class counts differ, kTooLarge if the sums could overflow; nothing is changed
  // then.
  Status add(const VoteCounts& object);
  // Takes out an object that was added. kInvalidArgument if it cannot have been; nothing is changed then.
  Status remove(const VoteCounts& object);

  int class_count() const { return class_count_; }
  std::int64_t total_weight() const { return total_; }
  // By the workers who answered together, ascending.
  using Groups = std::map<std::vector<std::string>, Evidence>;
  const Groups& groups() const { return groups_; }

  friend bool operator==(const JobVotes&, const JobVotes&) = default;

 private:
  int class_count_;
  std::int64_t total_ = 0;
  Groups groups_;
};

}  // namespace terrapin::labeling
