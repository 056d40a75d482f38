#include "unit/labeling/naive_consolidation.h"

#include <algorithm>
#include <cmath>
#include <set>

namespace terrapin::labeling {
namespace {

using imaging::Mask;

using Votes = std::map<std::string, int>;  // label by worker, only those who answered

Votes votes_at(const NaiveObject& object, std::int64_t x, std::int64_t y) {
  Votes votes;
  for (const auto& [worker, mask] : object.masks) {
    if (mask.at(x, y) != 255) votes[worker] = mask.at(x, y);
  }
  return votes;
}

std::set<int> classes_of(const Votes& votes) {
  std::set<int> classes;
  for (const auto& [worker, label] : votes) classes.insert(label);
  return classes;
}

struct Pixel {
  Votes votes;
  double weight;
  std::map<int, double> posterior;
  std::map<int, double> rivals;  // of an agreed pixel: which classes it speaks against, shares
};

void add_pixels(const NaiveObject& object, std::vector<Pixel>& all) {
  const imaging::Size size = object.masks.begin()->second.size();
  std::map<int, double> agreed, disputed;
  std::map<int, std::map<int, double>> beside;
  double disputes = 0;
  for (int pass = 0; pass < 2; ++pass) {
    for (std::int64_t y = 0; y < size.height; ++y) {
      for (std::int64_t x = 0; x < size.width; ++x) {
        const Votes votes = votes_at(object, x, y);
        const std::set<int> classes = classes_of(votes);
        if (votes.size() < 2) continue;
        if (pass == 0) {
          if (classes.size() > 1) ++disputes;
          for (const int c : classes) {
            ++(classes.size() > 1 ? disputed : agreed)[c];
            for (const int other : classes) {
              if (other != c) ++beside[c][other];
            }
          }
          continue;
        }
        if (disputes == 0) continue;
        Pixel pixel{votes, 3 * std::cbrt(disputes) / disputes, {}, {}};
        if (classes.size() == 1) {
          const int c = *classes.begin();
          if (disputed[c] == 0) continue;
          pixel.weight *= std::min(1.0, disputed[c] / agreed[c]);
          double sum = 0;
          for (const auto& [other, count] : beside[c]) sum += count;
          for (const auto& [other, count] : beside[c]) pixel.rivals[other] = count / sum;
        }
        for (const auto& [worker, label] : votes)
          pixel.posterior[label] += 1.0 / static_cast<double>(votes.size());
        all.push_back(pixel);
      }
    }
  }
}

double log_odds(double p) {
  return std::log(p / (1 - p));
}

// P(the worker answers `label` | truth, and one of `classes` is answered).
double likelihood(int truth, int label, const std::set<int>& classes,
                  const std::function<double(int, int)>& error) {
  const auto odds = [&](int other) {
    return other == truth ? 1.0 : error(truth, other) / (1 - error(truth, other));
  };
  double sum = 0;
  for (const int c : classes) sum += odds(c);
  return odds(label) / sum;
}

}  // namespace

NaiveSkills naive_skills(const std::vector<NaiveObject>& job) {
  std::vector<Pixel> all;
  for (const NaiveObject& object : job) add_pixels(object, all);
  NaiveSkills skills;
  for (int round = 0; round <= 100; ++round) {
    // Expected votes, right and wrong, by worker, truth and rival.
    std::map<std::string, std::map<std::pair<int, int>, std::pair<double, double>>> votes;
    for (const Pixel& pixel : all) {
      for (const auto& [truth, share] : pixel.posterior) {
        for (const auto& [worker, label] : pixel.votes) {
          for (const auto& [rival, part] : pixel.rivals) {
            votes[worker][{truth, rival}].first += pixel.weight * part, votes[worker][{rival, truth}];
          }
          for (const auto& [rival, other] : pixel.posterior) {
            if (rival == truth) continue;
            auto& [right, wrong] = votes[worker][{truth, rival}];
            if (label == truth) right += pixel.weight * share;
            if (label == rival) wrong += pixel.weight * share;
          }
        }
      }
    }
    // Error rates of job, worker, pair.
    double job_right = 0, job_wrong = 0;
    for (const auto& [worker, pairs] : votes) {
      for (const auto& [pair, count] : pairs) job_right += count.first, job_wrong += count.second;
    }
    const double job_error = (job_wrong + 8 * 0.3) / (job_right + job_wrong + 8);
    NaiveSkills next;
    std::set<std::pair<int, int>> class_pairs;
    for (const auto& [worker, pairs] : votes) {
      double right = 0, wrong = 0;
      for (const auto& [pair, count] : pairs) right += count.first, wrong += count.second;
      const double pull = 8 + 0.5 * (right + wrong);
      const double worker_error = (wrong + pull * job_error) / (right + wrong + pull);
      for (const auto& [pair, count] : pairs) {
        const double n = count.first + count.second, pair_pull = 8 + 0.3 * n;
        next.error[worker][pair] = (count.second + pair_pull * worker_error) / (n + pair_pull);
        if (pair.first < pair.second) class_pairs.insert(pair);
      }
    }
    // The lean that reliable workers share.
    for (const auto& [a, b] : class_pairs) {
      double lean = 0, weights = 0;
      for (const auto& [worker, pairs] : votes) {
        if (!pairs.contains({a, b})) continue;
        const auto one = pairs.at({a, b}), other = pairs.at({b, a});
        const double e = next.error[worker][{a, b}], f = next.error[worker][{b, a}];
        const double weight =
            (one.first + one.second + other.first + other.second) * std::max(0.001, 1 - e - f);
        lean += weight * (log_odds(e) - log_odds(f)) / 2, weights += weight;
      }
      if (weights == 0) continue;
      lean = 0.7 * lean / weights;
      for (const auto& [worker, pairs] : votes) {
        if (!pairs.contains({a, b})) continue;
        double &e = next.error[worker][{a, b}], &f = next.error[worker][{b, a}];
        e = 1 / (1 + std::exp(lean - log_odds(e))), f = 1 / (1 + std::exp(-lean - log_odds(f)));
      }
    }
    double moved = 0;
    for (const auto& [worker, pairs] : next.error) {
      for (const auto& [pair, error] : pairs)
        moved = std::max(moved, std::abs(error - skills.error[worker][pair]));
    }
    skills = next;
    if (round > 0 && moved <= 1e-4) break;
    // Posteriors.
    for (Pixel& pixel : all) {
      const std::set<int> classes = classes_of(pixel.votes);
      double sum = 0;
      for (auto& [truth, share] : pixel.posterior) {
        share = 1;
        for (const auto& [worker, label] : pixel.votes) {
          share *= likelihood(truth, label, classes, [&, &errors = skills.error[worker]](int t, int r) {
            return errors[{t, r}];
          });
        }
        sum += share;
      }
      for (auto& [truth, share] : pixel.posterior) share /= sum;
    }
  }
  return skills;
}

NaiveResult naive_consolidate(const NaiveObject& object,
                              const std::function<double(const std::string&, int, int)>& error,
                              double smoothing, int sweeps, bool majority) {
  const imaging::Size size = object.masks.begin()->second.size();
  NaiveResult result{Mask(size, 255), Mask(size, 0), Mask(size, 0), 0, 0, {}, {}};
  const double side = static_cast<double>(std::lround(smoothing * 4096));
  const double diagonal = static_cast<double>(std::lround(smoothing * std::sqrt(0.5) * 4096));
  const auto inside = [&](std::int64_t x, std::int64_t y) {
    return x >= 0 && y >= 0 && x < size.width && y < size.height;
  };
  if (majority) sweeps = 0;

  const auto score = [&](const Votes& votes, int truth) {
    double sum = 0;
    for (const auto& [worker, label] : votes) {
      if (majority) {
        sum += label == truth ? 1 : 0;
      } else {
        const double p = likelihood(truth, label, classes_of(votes),
                                    [&, &who = worker](int t, int r) { return error(who, t, r); });
        sum += static_cast<double>(std::lround(0.6 * std::log(p) * 4096));
      }
    }
    return sum;
  };
  // Shares of the classes from totals in 1/4096 nat, rounded to 1/65536.
  const auto shares = [](const std::map<int, double>& totals) {
    double most = -1e300, sum = 0;
    for (const auto& [c, total] : totals) most = std::max(most, total);
    std::map<int, double> share_of;
    for (const auto& [c, total] : totals) sum += share_of[c] = std::exp((total - most) / 4096);
    for (auto& [c, share] : share_of) share = static_cast<double>(std::lround(share / sum * 65536)) / 65536;
    return share_of;
  };

  // Every pixel's scores and shares; a settled pixel's share is 1 for its class.
  std::vector<std::map<int, double>> scores(static_cast<std::size_t>(size.area())), field(scores.size());
  std::vector<bool> open(scores.size(), false);
  const auto at = [&](std::int64_t x, std::int64_t y) {
    return static_cast<std::size_t>(y * size.width + x);
  };
  for (std::int64_t y = 0; y < size.height; ++y) {
    for (std::int64_t x = 0; x < size.width; ++x) {
      const Votes votes = votes_at(object, x, y);
      auto& own = scores[at(x, y)];
      for (const int c : classes_of(votes)) own[c] = score(votes, c);
      std::vector<double> sorted;
      for (const auto& [c, value] : own) sorted.push_back(value);
      std::sort(sorted.rbegin(), sorted.rend());
      open[at(x, y)] = sorted.size() > 1 && sorted[0] - sorted[1] <= (sweeps > 0 ? 4 * (side + diagonal) : 0);
      if (sorted.size() > 1 && sorted[0] - sorted[1] < 100) result.close_call.set(x, y, 1);
      if (open[at(x, y)]) {
        field[at(x, y)] = shares(own);
      } else {
        for (const auto& [c, value] : own) {
          if (value == sorted[0]) field[at(x, y)][c] = 1;
        }
      }
    }
  }
  const auto totals = [&](std::int64_t x, std::int64_t y) {
    std::map<int, double> sum = scores[at(x, y)];
    for (auto& [c, total] : sum) {
      for (std::int64_t dy = -1; sweeps > 0 && dy <= 1; ++dy) {
        for (std::int64_t dx = -1; dx <= 1; ++dx) {
          if ((dx == 0 && dy == 0) || !inside(x + dx, y + dy)) continue;
          const auto& there = field[at(x + dx, y + dy)];
          if (there.contains(c)) total += (dx != 0 && dy != 0 ? diagonal : side) * there.at(c);
        }
      }
    }
    return sum;
  };
  for (int sweep = 0; sweep < sweeps; ++sweep) {
    for (int set = 0; set < 4; ++set) {
      for (std::int64_t y = set / 2; y < size.height; y += 2) {
        for (std::int64_t x = set % 2; x < size.width; x += 2) {
          if (open[at(x, y)]) field[at(x, y)] = shares(totals(x, y));
        }
      }
    }
  }
  for (std::int64_t y = 0; y < size.height; ++y) {
    for (std::int64_t x = 0; x < size.width; ++x) {
      if (scores[at(x, y)].empty()) continue;
      if (!open[at(x, y)]) {
        result.mask.set(x, y, static_cast<std::uint8_t>(field[at(x, y)].begin()->first));
        continue;
      }
      const std::map<int, double> sums = totals(x, y);
      double most = -1e300;
      for (const auto& [c, total] : sums) most = std::max(most, total);
      int best = 255, best_votes = -1;
      for (const auto& [c, total] : sums) {
        if (total != most) continue;
        int around = 0;
        for (std::int64_t dy = -1; dy <= 1; ++dy) {
          for (std::int64_t dx = -1; dx <= 1; ++dx) {
            if (!inside(x + dx, y + dy)) continue;
            for (const auto& [worker, label] : votes_at(object, x + dx, y + dy)) around += label == c ? 1 : 0;
          }
        }
        if (around > best_votes) best = c, best_votes = around;
      }
      result.mask.set(x, y, static_cast<std::uint8_t>(best));
    }
  }
  // Figures.
  std::map<int, double> sure, either, both, any;
  for (std::int64_t y = 0; y < size.height; ++y) {
    for (std::int64_t x = 0; x < size.width; ++x) {
      const Votes votes = votes_at(object, x, y);
      const int choice = result.mask.at(x, y);
      if (votes.empty()) continue;
      std::map<int, double> share = shares(scores[at(x, y)]);
      for (auto& [c, s] : share) {
        if (majority) s = scores[at(x, y)][c] / static_cast<double>(votes.size());
        if (votes.size() < 2) s = 0;
      }
      result.certainty.set(x, y, static_cast<std::uint8_t>(std::lround(share[choice] * 255)));
      sure[choice] += share[choice], either[choice] += 1;
      for (const auto& [c, s] : share) {
        if (c != choice) either[c] += s;
      }
      for (const auto& [a, label_a] : votes) {
        for (const auto& [b, label_b] : votes) {
          if (a >= b) continue;
          any[label_a] += 1;
          if (label_a == label_b)
            both[label_a] += 1;
          else
            any[label_b] += 1;
        }
      }
    }
  }
  const bool only_background = either.size() == 1 && either.contains(0);
  double confidence = 0, agreement = 0, painted = 0, compared = 0;
  for (const auto& [c, whole] : either) {
    result.class_confidence[c] = whole > 0 ? sure[c] / whole : 0;
    result.class_agreement[c] = any[c] > 0 ? both[c] / any[c] : 0;
    if (c == 0 && !only_background) continue;
    confidence += result.class_confidence[c], painted += 1;
    if (any[c] > 0) agreement += result.class_agreement[c], compared += 1;
  }
  result.confidence = painted > 0 ? confidence / painted : 0;
  result.disagreement = compared > 0 ? 1 - agreement / compared : 0;
  return result;
}

}  // namespace terrapin::labeling
