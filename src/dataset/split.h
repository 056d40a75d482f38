// Which photos train, which validate, which test: exact, reproducible, and independent of the order of the
// input.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace terrapin::dataset {

enum class Split { kTrain, kValidation, kTest };

const char* split_name(Split split);  // "train", "validation", "test"
// "train", "valid", "validation", "val", "test", in any letter case.
std::optional<Split> parse_split_name(std::string_view name);

struct SplitItem {
  std::string key;    // names the item; decides its place in the draw, with the seed
  std::string group;  // items of one group stay together; by default the key
};

struct SplitOptions {
  double train_fraction = 0.8;  // 0..1; what neither training nor test takes validates
  double test_fraction = 0.0;
  std::uint64_t seed = 0;
  friend bool operator==(const SplitOptions&, const SplitOptions&) = default;
};

// kInvalidArgument for fractions outside [0, 1] or a sum above 1.
Status check_fractions(const SplitOptions& options);

// One split per item. Training gets round(train_fraction * count) items, test round(test_fraction * count):
// exactly when every item is its own group, else the reachable number nearest to it. The same set of (key,
// group) and seed gives the same answer in any order. kInvalidArgument for fractions outside [0, 1], a sum
// above 1, and for a fraction between 0 and 1 whose split, or the rest, would be empty.
Result<std::vector<Split>> draw_split(const std::vector<SplitItem>& items, const SplitOptions& options);

// A TSV file whose header names the columns "split" and "name", "source" or both.
struct SplitTable {
  struct Row {
    std::string name, source;  // empty where the file has no such column
    Split split = Split::kTrain;
    std::int64_t line = 0;
  };
  std::vector<Row> rows;
  bool has_name = false, has_source = false;
};
// Errors name the file, the line and the value.
Result<SplitTable> read_split_table(const std::filesystem::path& path);

}  // namespace terrapin::dataset
