// How these tests look at an expected failure.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "base/files.h"
#include "base/result.h"

namespace terrapin::test {

// One assertion: it failed, with this code, and the message holds `part`.
template <class T>
void expect_failure(const Result<T>& result, ErrorCode code, const std::string& part) {
  ASSERT_FALSE(result) << "expected a failure that says: " << part;
  EXPECT_EQ(result.error().code, code) << result.error().message;
  EXPECT_THAT(result.error().message, ::testing::HasSubstr(part));
}

// The value, or an exception that the test reports.
template <class T>
T must(Result<T> result) {
  if (!result) throw std::runtime_error(result.error().message);
  return std::move(*result);
}
inline void must(Status status) {
  if (!status) throw std::runtime_error(status.error().message);
}

inline void write_text(const std::filesystem::path& path, const std::string& text) {
  must(write_file_atomically(path, std::string_view(text)));
}
inline Bytes bytes_of(const std::string& text) {
  return Bytes(text.begin(), text.end());
}

}  // namespace terrapin::test
