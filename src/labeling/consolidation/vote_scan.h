// The loop under counting and consolidating: finds the pixels where answers differ and gives every distinct
// tuple of labels a number. Inside this folder only.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <vector>

#include "labeling/consolidation/answers.h"

namespace terrapin::labeling {

using LabelCounts = std::array<std::int64_t, 256>;

// Adds the labels of bytes[0, count) to `counts`; runs of one label cost one comparison per eight.
inline void count_labels(const std::uint8_t* bytes, std::int64_t count, LabelCounts& counts) {
  constexpr std::uint64_t kOnes = 0x0101010101010101;
  std::int64_t i = 0;
  for (; i + 8 <= count; i += 8) {
    std::uint64_t word;
    std::memcpy(&word, bytes + i, 8);
    if (word == kOnes * bytes[i]) {
      counts[bytes[i]] += 8;
    } else {
      for (std::int64_t j = i; j < i + 8; ++j) ++counts[bytes[j]];
    }
  }
  for (; i < count; ++i) ++counts[bytes[i]];
}

// rows[0..answers) point to one row of `width` labels each. Calls differ(x) for the pixels whose labels are
// not all equal, x ascending, and adds the labels of all others to `agreed`.
template <class Differ>
void scan_row(const std::uint8_t* const* rows, int answers, std::int64_t width, LabelCounts& agreed,
              Differ&& differ) {
  constexpr std::int64_t kBlock = 64;
  const std::uint8_t* first = rows[0];
  std::int64_t x = 0;
  for (; x + kBlock <= width; x += kBlock) {
    alignas(64) std::array<std::uint8_t, kBlock> difference{};
    for (int a = 1; a < answers; ++a) {
      const std::uint8_t* other = rows[a] + x;
      for (std::size_t i = 0; i < kBlock; ++i) {
        difference[i] =
            static_cast<std::uint8_t>(difference[i] | (first[x + static_cast<std::int64_t>(i)] ^ other[i]));
      }
    }
    std::array<std::uint64_t, kBlock / 8> words;
    std::memcpy(words.data(), difference.data(), kBlock);
    std::uint64_t any = 0;
    for (const std::uint64_t word : words) any |= word;
    if (any == 0) {
      count_labels(first + x, kBlock, agreed);
      continue;
    }
    for (std::size_t w = 0; w < words.size(); ++w) {
      const std::int64_t at = x + static_cast<std::int64_t>(w) * 8;
      if (words[w] == 0) {
        count_labels(first + at, 8, agreed);
        continue;
      }
      for (std::int64_t i = 0; i < 8; ++i) {
        if (difference[w * 8 + static_cast<std::size_t>(i)] != 0) {
          differ(at + i);
        } else {
          ++agreed[first[at + i]];
        }
      }
    }
  }
  for (; x < width; ++x) {
    bool equal = true;
    for (int a = 1; a < answers; ++a) equal = equal && rows[a][x] == first[x];
    if (equal) {
      ++agreed[first[x]];
    } else {
      differ(x);
    }
  }
}

// Numbers the distinct label tuples met, 0, 1, 2, … in order of first sight. Not thread-safe.
class TupleTable {
 public:
  explicit TupleTable(int answers) : answers_(answers), words_((answers + 7) / 8), slots_(1024, 0) {}

  std::size_t size() const { return count_; }

  // The number of the tuple at column x of these rows; `fresh` is set if it was not there before.
  std::uint32_t find_or_add(const std::uint8_t* const* rows, std::int64_t x, bool& fresh) {
    std::array<std::uint64_t, kMaxAnswers / 8> key;
    for (int w = 0; w < words_; ++w) {
      std::uint64_t word = 0;
      const int begin = w * 8, end = std::min(begin + 8, answers_);
      for (int a = begin; a < end; ++a) word |= static_cast<std::uint64_t>(rows[a][x]) << ((a - begin) * 8);
      key[static_cast<std::size_t>(w)] = word;
    }
    fresh = false;
    if (count_ > 0 && equal(last_, key.data())) return last_;
    std::size_t slot = hash(key.data()) & (slots_.size() - 1);
    while (slots_[slot] != 0) {
      const std::uint32_t id = slots_[slot] - 1;
      if (equal(id, key.data())) return last_ = id;
      slot = (slot + 1) & (slots_.size() - 1);
    }
    fresh = true;
    last_ = static_cast<std::uint32_t>(count_++);
    slots_[slot] = last_ + 1;
    keys_.insert(keys_.end(), key.begin(), key.begin() + words_);
    if (count_ * 2 > slots_.size()) grow();
    return last_;
  }

  // Label number `answer` of tuple `id`.
  std::uint8_t label(std::uint32_t id, int answer) const {
    const std::uint64_t word = keys_[static_cast<std::size_t>(id) * static_cast<std::size_t>(words_) +
                                     static_cast<std::size_t>(answer / 8)];
    return static_cast<std::uint8_t>(word >> (answer % 8 * 8));
  }

 private:
  std::uint64_t hash(const std::uint64_t* key) const {
    std::uint64_t h = 0;
    for (int w = 0; w < words_; ++w) {
      h = (h ^ key[w]) * 0x9e3779b97f4a7c15;
      h ^= h >> 32;
    }
    return h;
  }
  bool equal(std::uint32_t id, const std::uint64_t* key) const {
    const std::uint64_t* stored =
        keys_.data() + static_cast<std::size_t>(id) * static_cast<std::size_t>(words_);
    std::uint64_t difference = 0;
    for (int w = 0; w < words_; ++w) difference |= stored[w] ^ key[w];
    return difference == 0;
  }
  void grow() {
    slots_.assign(slots_.size() * 2, 0);
    for (std::size_t id = 0; id < count_; ++id) {
      std::size_t slot = hash(keys_.data() + id * static_cast<std::size_t>(words_)) & (slots_.size() - 1);
      while (slots_[slot] != 0) slot = (slot + 1) & (slots_.size() - 1);
      slots_[slot] = static_cast<std::uint32_t>(id) + 1;
    }
  }

  int answers_, words_;
  std::size_t count_ = 0;
  std::uint32_t last_ = 0;
  std::vector<std::uint64_t> keys_;   // words_ per tuple
  std::vector<std::uint32_t> slots_;  // tuple number + 1, 0 = free; a power of two
};

// Rows [begin, end) of a raster, cut so that a band's working memory stays small.
struct RowBands {
  std::int64_t height, rows;
  explicit RowBands(imaging::Size size)
      : height(size.height), rows(std::clamp<std::int64_t>((std::int64_t{1} << 19) / size.width, 32, 4096)) {}
  std::int64_t count() const { return (height + rows - 1) / rows; }
  std::int64_t begin(std::int64_t band) const { return band * rows; }
  std::int64_t end(std::int64_t band) const { return std::min(height, (band + 1) * rows); }
};

}  // namespace terrapin::labeling
