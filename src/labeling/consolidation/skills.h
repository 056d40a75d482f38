// How good each worker is, estimated from a whole job's votes without knowing the truth: the algorithm of
// Dawid and Skene, "Maximum likelihood estimation of observer error-rates using the EM algorithm" (1979),
// over pairs of classes and with the choices of docs/decisions/0005.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "labeling/consolidation/votes.h"

namespace terrapin::labeling {

struct SkillOptions {
  int max_rounds = 100;
  double tolerance = 1e-4;  // stop when no error rate moved further than this
};

// Immutable after construction; any thread may read.
class WorkerSkills {
 public:
  // Nobody is known: all workers alike.
  explicit WorkerSkills(int class_count);
  // The same votes give the same skills, bit for bit, in whatever order they were added.
  static WorkerSkills estimate(const JobVotes& votes, const SkillOptions& options = {});

  int class_count() const { return class_count_; }
  int rounds() const { return rounds_; }
  bool converged() const { return converged_; }
  std::vector<std::string> workers() const;  // those with evidence, ascending

  // Probability, in (0, 1), that the worker answers `rival` where workers dispute between the two classes and
  // the truth is `truth`. For two classes without evidence the worker's overall rate; for a worker without
  // evidence that of the job.
  double error(const std::string& worker, int truth, int rival) const;
  // 1 - the worker's overall error rate where workers dispute, for lists that people read.
  double reliability(const std::string& worker) const;

  // Expected votes of the worker for `truth` and for `rival` where `truth` is true, in units of 2^-24.
  struct Votes {
    std::int64_t right = 0, wrong = 0;
  };
  Votes votes(const std::string& worker, int truth, int rival) const;

 private:
  struct Rates {
    Votes votes;
    double error = 0;
  };
  struct Worker {
    double error = 0;
    std::map<std::pair<int, int>, Rates> pairs;  // by truth and rival
  };

  int class_count_;
  int rounds_ = 0;
  bool converged_ = true;
  double error_;  // of the job
  std::map<std::string, Worker> workers_;
};

}  // namespace terrapin::labeling
