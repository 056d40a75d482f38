#include "labeling/consolidation/skills.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <unordered_map>

namespace terrapin::labeling {
namespace {

constexpr std::uint8_t kNoAnswer = imaging::Mask::kIgnore;
// A posterior of 1 as an integer: expected votes are sums of integers, so no order of summing can change
// them.
constexpr std::int64_t kShareOne = 16384;
// One vote of weight 1: evidence() counts in 1/1024.
constexpr double kVoteOne = 1024.0 * 16384.0;

// Before any evidence a worker errs 3 times in 10 where workers dispute. That belief weighs as much as
// kJobVotes votes, the job's rate kWorkerVotes votes of a worker, the worker's rate kPairVotes votes on two
// classes.
constexpr double kErrorBefore = 0.3;
constexpr double kJobVotes = 8;
constexpr double kWorkerVotes = 8;
constexpr double kPairVotes = 8;
// However many votes there are, a worker's rate is drawn to the job's, and a rate on two classes to the
// worker's: two workers who differ cannot be told apart by their own votes, and estimation would make one of
// them a dictator.
constexpr double kWorkerPull = 0.5;
constexpr double kPairPull = 0.3;
// How much of the lean that workers share is taken out.
constexpr double kLean = 0.7;

double log_odds(double probability) {
  return std::log(probability / (1 - probability));
}

double from_log_odds(double value) {
  return 1 / (1 + std::exp(-value));
}

// The job's evidence laid out for the iteration.
struct Layout {
  // One worker, one true class, one other class.
  struct Cell {
    int worker, truth, rival;
    std::int64_t right = 0, wrong = 0;
    double error = 0;      // the worker's own rate
    double adjusted = 0;   // without what all workers have in common
    std::size_t twin = 0;  // truth and rival exchanged
  };
  // One tuple. For each candidate, for each answer: the cells against each other candidate.
  struct Item {
    std::int64_t weight = 0;
    std::size_t first_share = 0, first_vote = 0, first_use = 0;
    int candidates = 0, answers = 0;
  };
  // An agreed tuple's votes all go to one side of one cell.
  struct Agreed {
    std::int64_t weight;
    std::size_t cell;
  };
  std::vector<std::string> workers;
  std::vector<Cell> cells;
  std::vector<std::vector<std::size_t>> pairs;  // the cells of two classes, truth < rival, all workers
  std::vector<Item> items;
  std::vector<Agreed> agreed;
  std::vector<std::int64_t> shares;  // posterior of each candidate of each item, in 1/16384
  std::vector<std::uint8_t> votes;   // of each answer of each item: number of the candidate
  std::vector<std::uint32_t> uses;

  explicit Layout(const JobVotes& job) {
    for (const auto& [group, evidence] : job.groups())
      workers.insert(workers.end(), group.begin(), group.end());
    std::sort(workers.begin(), workers.end());
    workers.erase(std::unique(workers.begin(), workers.end()), workers.end());
    for (const auto& [group, evidence] : job.groups()) {
      std::vector<int> members;
      for (const std::string& worker : group) {
        members.push_back(
            static_cast<int>(std::lower_bound(workers.begin(), workers.end(), worker) - workers.begin()));
      }
      for (const auto& [key, weight] : evidence) add(members, key, weight);
    }
    std::map<std::pair<int, int>, std::vector<std::size_t>> by_classes;
    for (std::size_t i = 0; i < cells.size(); ++i) {
      if (cells[i].truth < cells[i].rival) by_classes[{cells[i].truth, cells[i].rival}].push_back(i);
    }
    for (auto& [classes, list] : by_classes) {
      std::sort(list.begin(), list.end(),
                [this](std::size_t a, std::size_t b) { return cells[a].worker < cells[b].worker; });
      pairs.push_back(std::move(list));
    }
  }

 private:
  std::unordered_map<std::uint64_t, std::size_t> cell_of_;

  std::size_t cell(int worker, int truth, int rival) {
    const std::uint64_t key = static_cast<std::uint64_t>(worker) << 16 |
                              static_cast<std::uint64_t>(truth) << 8 | static_cast<std::uint64_t>(rival);
    const auto [entry, fresh] = cell_of_.emplace(key, cells.size());
    const std::size_t here = entry->second;
    if (fresh) {
      cells.push_back({worker, truth, rival});
      const std::size_t twin = cell(worker, rival, truth);
      cells[here].twin = twin;
    }
    return here;
  }

  void add(const std::vector<int>& members, const EvidenceKey& key, std::int64_t weight) {
    std::array<int, 256> given{};
    std::vector<int> candidates;
    Item item{weight, shares.size(), votes.size(), uses.size(), 0, 0};
    for (const char c : key.tuple) {
      const auto label = static_cast<std::uint8_t>(c);
      if (label == kNoAnswer) continue;
      ++item.answers;
      if (++given[label] == 1) candidates.push_back(label);
    }
    if (candidates.size() == 1) {
      for (std::size_t i = 0; i < key.tuple.size(); ++i) {
        if (static_cast<std::uint8_t>(key.tuple[i]) != kNoAnswer)
          agreed.push_back({weight, cell(members[i], candidates[0], key.rival)});
      }
      return;
    }
    std::sort(candidates.begin(), candidates.end());
    item.candidates = static_cast<int>(candidates.size());
    for (const int truth : candidates) {
      // The iteration starts from the shares of votes.
      shares.push_back(kShareOne * given[static_cast<std::size_t>(truth)] / item.answers);
      for (std::size_t i = 0; i < key.tuple.size(); ++i) {
        if (static_cast<std::uint8_t>(key.tuple[i]) == kNoAnswer) continue;
        for (const int rival : candidates) {
          if (rival != truth) uses.push_back(static_cast<std::uint32_t>(cell(members[i], truth, rival)));
        }
      }
    }
    for (const char c : key.tuple) {
      const auto label = static_cast<std::uint8_t>(c);
      if (label == kNoAnswer) continue;
      votes.push_back(static_cast<std::uint8_t>(
          std::lower_bound(candidates.begin(), candidates.end(), label) - candidates.begin()));
    }
    items.push_back(item);
  }
};

}  // namespace

WorkerSkills::WorkerSkills(int class_count) : class_count_(class_count), error_(kErrorBefore) {}

WorkerSkills WorkerSkills::estimate(const JobVotes& job, const SkillOptions& options) {
  WorkerSkills skills(job.class_count());
  Layout layout(job);
  std::vector<double> worker_error(layout.workers.size());

  // Expected votes from the shares.
  const auto count = [&] {
    for (Layout::Cell& cell : layout.cells) cell.right = cell.wrong = 0;
    for (const Layout::Agreed& agreed : layout.agreed)
      layout.cells[agreed.cell].right += agreed.weight * kShareOne;
    for (const Layout::Item& item : layout.items) {
      const std::uint32_t* use = layout.uses.data() + item.first_use;
      for (int truth = 0; truth < item.candidates; ++truth) {
        const std::int64_t expected =
            item.weight * layout.shares[item.first_share + static_cast<std::size_t>(truth)];
        for (int a = 0; a < item.answers; ++a) {
          const int vote = layout.votes[item.first_vote + static_cast<std::size_t>(a)];
          for (int rival = 0; rival < item.candidates; ++rival) {
            if (rival == truth) continue;
            Layout::Cell& cell = layout.cells[*use++];
            if (vote == truth) cell.right += expected;
            if (vote == rival) cell.wrong += expected;
          }
        }
      }
    }
  };
  // Error rates from the expected votes. Returns the largest move.
  const auto rate = [&] {
    std::vector<double> right(layout.workers.size(), 0), wrong(layout.workers.size(), 0);
    double all_right = 0, all_wrong = 0;
    for (const Layout::Cell& cell : layout.cells) {
      const auto w = static_cast<std::size_t>(cell.worker);
      right[w] += static_cast<double>(cell.right) / kVoteOne,
          wrong[w] += static_cast<double>(cell.wrong) / kVoteOne;
    }
    for (std::size_t w = 0; w < right.size(); ++w) all_right += right[w], all_wrong += wrong[w];
    skills.error_ = (all_wrong + kJobVotes * kErrorBefore) / (all_right + all_wrong + kJobVotes);
    for (std::size_t w = 0; w < right.size(); ++w) {
      const double votes = right[w] + wrong[w], pull = kWorkerVotes + kWorkerPull * votes;
      worker_error[w] = (wrong[w] + pull * skills.error_) / (votes + pull);
    }
    for (Layout::Cell& cell : layout.cells) {
      const double wrong_here = static_cast<double>(cell.wrong) / kVoteOne;
      const double votes = wrong_here + static_cast<double>(cell.right) / kVoteOne,
                   pull = kPairVotes + kPairPull * votes;
      cell.error = (wrong_here + pull * worker_error[static_cast<std::size_t>(cell.worker)]) / (votes + pull);
    }
    double moved = 0;
    for (const std::vector<std::size_t>& pair : layout.pairs) {
      // If all workers lean towards one of two classes, votes cannot tell whether they or the other reading
      // is right: most of the lean that reliable workers share is taken out, what sets a worker apart stays.
      double lean = 0, weights = 0;
      for (const std::size_t i : pair) {
        const Layout::Cell &cell = layout.cells[i], &twin = layout.cells[cell.twin];
        const double votes = static_cast<double>(cell.right) + static_cast<double>(cell.wrong) +
                             static_cast<double>(twin.right) + static_cast<double>(twin.wrong);
        const double weight = votes * std::max(1e-3, 1 - cell.error - twin.error);
        lean += weight * (log_odds(cell.error) - log_odds(twin.error)) / 2;
        weights += weight;
      }
      if (weights > 0) lean *= kLean / weights;
      for (const std::size_t i : pair) {
        Layout::Cell &cell = layout.cells[i], &twin = layout.cells[cell.twin];
        const double one = from_log_odds(log_odds(cell.error) - lean),
                     other = from_log_odds(log_odds(twin.error) + lean);
        moved = std::max({moved, std::abs(one - cell.adjusted), std::abs(other - twin.adjusted)});
        cell.adjusted = one, twin.adjusted = other;
      }
    }
    return moved;
  };
  // Shares from the error rates.
  std::array<double, kMaxAnswers> score;
  const auto judge = [&] {
    for (const Layout::Item& item : layout.items) {
      const std::uint32_t* use = layout.uses.data() + item.first_use;
      double best = -1e300, sum = 0;
      for (int truth = 0; truth < item.candidates; ++truth) {
        double value = 0;
        for (int a = 0; a < item.answers; ++a) {
          const int vote = layout.votes[item.first_vote + static_cast<std::size_t>(a)];
          double odds = 1, chosen = 1;
          for (int rival = 0; rival < item.candidates; ++rival) {
            if (rival == truth) continue;
            const double error = layout.cells[*use++].adjusted;
            odds += error / (1 - error);
            if (vote == rival) chosen = error / (1 - error);
          }
          value += std::log(chosen / odds);
        }
        score[static_cast<std::size_t>(truth)] = value;
        best = std::max(best, value);
      }
      for (int c = 0; c < item.candidates; ++c) {
        double& value = score[static_cast<std::size_t>(c)];
        sum += value = std::exp(value - best);
      }
      for (int c = 0; c < item.candidates; ++c) {
        layout.shares[item.first_share + static_cast<std::size_t>(c)] =
            std::llround(score[static_cast<std::size_t>(c)] / sum * kShareOne);
      }
    }
  };

  count();
  rate();
  skills.converged_ = layout.items.empty();
  while (!skills.converged_ && skills.rounds_ < options.max_rounds) {
    judge();
    count();
    ++skills.rounds_;
    skills.converged_ = rate() <= options.tolerance;
  }
  for (std::size_t w = 0; w < layout.workers.size(); ++w)
    skills.workers_[layout.workers[w]].error = worker_error[w];
  for (const Layout::Cell& cell : layout.cells) {
    skills.workers_[layout.workers[static_cast<std::size_t>(cell.worker)]].pairs[{cell.truth, cell.rival}] = {
        {cell.right, cell.wrong}, cell.adjusted};
  }
  return skills;
}

double WorkerSkills::error(const std::string& worker, int truth, int rival) const {
  const auto found = workers_.find(worker);
  if (found == workers_.end()) return error_;
  const auto rates = found->second.pairs.find({truth, rival});
  return rates == found->second.pairs.end() ? found->second.error : rates->second.error;
}

double WorkerSkills::reliability(const std::string& worker) const {
  const auto found = workers_.find(worker);
  return 1 - (found == workers_.end() ? error_ : found->second.error);
}

WorkerSkills::Votes WorkerSkills::votes(const std::string& worker, int truth, int rival) const {
  const auto found = workers_.find(worker);
  if (found == workers_.end()) return {};
  const auto rates = found->second.pairs.find({truth, rival});
  return rates == found->second.pairs.end() ? Votes{} : rates->second.votes;
}

std::vector<std::string> WorkerSkills::workers() const {
  std::vector<std::string> names;
  for (const auto& [worker, rates] : workers_) names.push_back(worker);
  return names;
}

}  // namespace terrapin::labeling
