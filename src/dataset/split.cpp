#include "dataset/split.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/files.h"
#include "base/text.h"

namespace terrapin::dataset {
namespace {

// FNV-1a, then the finalizer of SplitMix64: the place of a group in the draw.
std::uint64_t draw_order(std::uint64_t seed, std::string_view text) {
  std::uint64_t hash = 14695981039346656037ULL;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211ULL;
  hash += 0x9e3779b97f4a7c15ULL * (seed + 1);
  hash = (hash ^ (hash >> 30)) * 0xbf58476d1ce4e5b9ULL;
  hash = (hash ^ (hash >> 27)) * 0x94d049bb133111ebULL;
  return hash ^ (hash >> 31);
}

struct Group {
  std::string name;
  std::uint64_t order = 0;
  std::vector<std::size_t> items;
  std::int64_t size() const { return static_cast<std::int64_t>(items.size()); }
};

// Indices into `pool` whose sizes add up as near to `target` as possible (the lower sum on a tie). Exact
// subset sum over the distinct sizes, each at most as often as it occurs.
std::vector<std::size_t> nearest_subset(const std::vector<Group>& groups,
                                        const std::vector<std::size_t>& pool, std::int64_t target) {
  std::map<std::int64_t, std::vector<std::size_t>> by_size;
  std::int64_t largest = 0;
  for (const std::size_t g : pool) {
    by_size[groups[g].size()].push_back(g);
    largest = std::max(largest, groups[g].size());
  }
  const std::int64_t limit = target + largest;  // nothing nearer lies beyond
  constexpr std::int32_t kUnreachable = -1;
  // used[k][sum]: how many groups of the k-th size reach `sum` with the first k sizes; fewest wins.
  std::vector<std::vector<std::int32_t>> used;
  std::vector<char> reachable(static_cast<std::size_t>(limit + 1), 0);
  reachable[0] = 1;
  for (const auto& [size, members] : by_size) {
    std::vector<std::int32_t> count(static_cast<std::size_t>(limit + 1), kUnreachable);
    for (std::int64_t sum = 0; sum <= limit; ++sum) {
      const auto at = static_cast<std::size_t>(sum);
      if (reachable[at] != 0) {
        count[at] = 0;
      } else if (sum >= size) {
        const std::int32_t before = count[static_cast<std::size_t>(sum - size)];
        if (before != kUnreachable && before < static_cast<std::int32_t>(members.size()))
          count[at] = before + 1;
      }
    }
    for (std::size_t sum = 0; sum < count.size(); ++sum) reachable[sum] = count[sum] != kUnreachable ? 1 : 0;
    used.push_back(std::move(count));
  }
  std::int64_t best = 0;
  for (std::int64_t sum = 0; sum <= limit; ++sum) {
    if (reachable[static_cast<std::size_t>(sum)] != 0 && std::abs(sum - target) < std::abs(best - target))
      best = sum;
  }
  std::vector<std::size_t> chosen;
  auto row = static_cast<std::int64_t>(used.size()) - 1;
  for (auto size = by_size.rbegin(); size != by_size.rend(); ++size, --row) {
    const std::int32_t count = used[static_cast<std::size_t>(row)][static_cast<std::size_t>(best)];
    chosen.insert(chosen.end(), size->second.begin(), size->second.begin() + count);
    best -= count * size->first;
  }
  return chosen;
}

// Takes groups in drawn order while they fit; if the count is then missed, the last taken ones are put back,
// more each round, and the best combination of what is open is sought.
std::vector<std::size_t> choose(const std::vector<Group>& groups, const std::vector<std::size_t>& open,
                                std::int64_t target) {
  std::vector<std::size_t> taken, left;
  std::int64_t sum = 0;
  for (const std::size_t g : open) {
    if (sum + groups[g].size() <= target) {
      taken.push_back(g), sum += groups[g].size();
    } else {
      left.push_back(g);
    }
  }
  if (sum == target) return taken;
  std::vector<std::size_t> best = taken;
  std::int64_t best_gap = target - sum;
  for (std::size_t put_back = 1;; put_back *= 2) {
    const std::size_t keep = put_back >= taken.size() ? 0 : taken.size() - put_back;
    std::vector<std::size_t> trial(taken.begin(), taken.begin() + static_cast<std::ptrdiff_t>(keep));
    std::vector<std::size_t> pool(taken.begin() + static_cast<std::ptrdiff_t>(keep), taken.end());
    pool.insert(pool.end(), left.begin(), left.end());
    std::int64_t kept = 0;
    for (const std::size_t g : trial) kept += groups[g].size();
    for (const std::size_t g : nearest_subset(groups, pool, target - kept)) {
      trial.push_back(g), kept += groups[g].size();
    }
    if (std::abs(kept - target) < best_gap) best = trial, best_gap = std::abs(kept - target);
    if (best_gap == 0 || keep == 0) return best;
  }
}

}  // namespace

const char* split_name(Split split) {
  switch (split) {
    case Split::kTrain:
      return "train";
    case Split::kValidation:
      return "validation";
    case Split::kTest:
      return "test";
  }
  return "";
}

std::optional<Split> parse_split_name(std::string_view name) {
  const std::string lower = lower_case(std::string(name));
  if (lower == "train") return Split::kTrain;
  if (lower == "validation" || lower == "valid" || lower == "val") return Split::kValidation;
  if (lower == "test") return Split::kTest;
  return std::nullopt;
}

Status check_fractions(const SplitOptions& options) {
  const double train = options.train_fraction, test = options.test_fraction;
  if (!(train >= 0 && train <= 1)) {
    return fail(ErrorCode::kInvalidArgument, "the train fraction is 0 to 1, not {}", train);
  }
  if (!(test >= 0 && test <= 1))
    return fail(ErrorCode::kInvalidArgument, "the test fraction is 0 to 1, not {}", test);
  if (train + test > 1 + 1e-9) {
    return fail(ErrorCode::kInvalidArgument, "train fraction {} and test fraction {} add up to more than 1",
                train, test);
  }
  return {};
}

Result<std::vector<Split>> draw_split(const std::vector<SplitItem>& items, const SplitOptions& options) {
  const double train = options.train_fraction, test = options.test_fraction;
  TERRAPIN_TRY_STATUS(check_fractions(options));
  const auto count = static_cast<double>(items.size());
  const auto train_count = static_cast<std::int64_t>(std::llround(train * count));
  const auto test_count = std::min(static_cast<std::int64_t>(std::llround(test * count)),
                                   static_cast<std::int64_t>(items.size()) - train_count);

  std::map<std::string_view, std::size_t> index;
  std::vector<Group> groups;
  for (std::size_t i = 0; i < items.size(); ++i) {
    const auto [found, fresh] = index.try_emplace(items[i].group, groups.size());
    if (fresh) groups.push_back({items[i].group, draw_order(options.seed, items[i].group), {}});
    groups[found->second].items.push_back(i);
  }
  std::vector<std::size_t> open(groups.size());
  std::iota(open.begin(), open.end(), std::size_t{0});
  std::sort(open.begin(), open.end(), [&](std::size_t a, std::size_t b) {
    return std::tie(groups[a].order, groups[a].name) < std::tie(groups[b].order, groups[b].name);
  });

  std::vector<Split> result(items.size(), Split::kValidation);
  std::int64_t in_train = 0, in_test = 0;
  auto assign = [&](std::int64_t target, Split split, std::int64_t& total) {
    const std::vector<std::size_t> chosen = choose(groups, open, target);
    for (const std::size_t g : chosen) {
      for (const std::size_t item : groups[g].items) result[item] = split;
      total += groups[g].size();
    }
    std::vector<char> gone(groups.size(), 0);
    for (const std::size_t g : chosen) gone[g] = 1;
    std::erase_if(open, [&](std::size_t g) { return gone[g] != 0; });
  };
  assign(test_count, Split::kTest, in_test);
  assign(train_count, Split::kTrain, in_train);

  const auto rest = static_cast<std::int64_t>(items.size()) - in_train - in_test;
  auto refuse = [&](Split split) {
    return fail(ErrorCode::kInvalidArgument,
                "{} would be empty: {} usable photos in {} groups, train fraction {}, test fraction {}; add "
                "photos or "
                "change the fractions",
                split_name(split), items.size(), groups.size(), train, test);
  };
  if (train > 0 && in_train == 0) return refuse(Split::kTrain);
  if (test > 0 && in_test == 0) return refuse(Split::kTest);
  if (train + test < 1 - 1e-9 && rest == 0) return refuse(Split::kValidation);
  return result;
}

Result<SplitTable> read_split_table(const std::filesystem::path& path) {
  TERRAPIN_TRY(const std::vector<TextLine> lines, read_text_lines(path, std::int64_t{1} << 30));
  SplitTable table;
  std::map<std::string, std::size_t> column;
  for (const auto& [number, line] : lines) {
    std::vector<std::string> fields;
    for (std::size_t start = 0; start <= line.size();) {
      const std::size_t end = std::min(line.find('\t', start), line.size());
      fields.push_back(line.substr(start, end - start));
      start = end + 1;
    }
    if (column.empty()) {
      for (std::size_t i = 0; i < fields.size(); ++i) column[fields[i]] = i;
      table.has_name = column.contains("name"), table.has_source = column.contains("source");
      if (!column.contains("split") || (!table.has_name && !table.has_source)) {
        return fail(ErrorCode::kInvalidArgument,
                    "{}: the first line must name the tab-separated columns 'split' and 'name' or 'source'; "
                    "it is '{}'",
                    path.string(), line);
      }
      continue;
    }
    auto field = [&](const char* name) {
      const auto found = column.find(name);
      return found != column.end() && found->second < fields.size() ? fields[found->second] : std::string();
    };
    const std::optional<Split> split = parse_split_name(field("split"));
    if (!split) {
      return fail(ErrorCode::kInvalidArgument,
                  "{}: line {}: split '{}' is not train, validation (valid, val) or test", path.string(),
                  number, field("split"));
    }
    SplitTable::Row row{field("name"), field("source"), *split, number};
    if (row.name.empty() && row.source.empty()) {
      return fail(ErrorCode::kInvalidArgument, "{}: line {}: neither name nor source is given", path.string(),
                  number);
    }
    table.rows.push_back(std::move(row));
  }
  if (table.rows.empty())
    return fail(ErrorCode::kInvalidArgument, "{}: the split file has no rows", path.string());
  return table;
}

}  // namespace terrapin::dataset
