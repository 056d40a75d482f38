// What lies in a job's folder and in its row: written, read again, damaged.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <random>

#include "base/files.h"
#include "jobs/ending.h"
#include "jobs/job_state.h"
#include "jobs/keeper.h"
#include "jobs/output_log.h"
#include "jobs/work.h"
#include "unit/base/temporary_folder.h"

namespace terrapin::jobs {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

TEST(JobStates, NamesAndMoves) {
  using enum JobState;
  const JobState all[] = {kPending, kStarting, kRunning, kStopping, kCompleted, kFailed, kStopped};
  std::string moves;
  for (const JobState from : all) {
    const auto parsed = parse_job_state(job_state_name(from));
    ASSERT_TRUE(parsed);
    EXPECT_EQ(*parsed, from);
    for (const JobState to : all) {
      if (!may_move(from, to)) continue;
      EXPECT_FALSE(has_ended(from));
      moves += fmt::format("{}>{} ", job_state_name(from), job_state_name(to));
    }
  }
  EXPECT_EQ(moves,
            "Pending>Starting Pending>Failed Pending>Stopped "
            "Starting>Running Starting>Stopping Starting>Failed "
            "Running>Stopping Running>Completed Running>Failed "
            "Stopping>Completed Stopping>Failed Stopping>Stopped ");
  EXPECT_FALSE(parse_job_state("running"));
}

TEST(Works, AreReadAsTheyWereWritten) {
  Work work;
  work.arguments = {"/bin/true", "a b", ""};
  work.environment = {{"A", "1=2\n"}};
  work.inherited = {"HOME"};
  work.cores = 3;
  work.gpus = 2;
  work.stop_grace = std::chrono::milliseconds(7);
  work.max_run = std::chrono::seconds(9);
  work.max_output_bytes = 5000;
  work.failure_file = "out/failure";
  work.lane = "endpoints";
  work.files = {{"task.json", "{}"}, {"b", std::string("\n", 1)}};
  const auto read = parse_work(work_text(work));
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(work_text(*read), work_text(work));
  EXPECT_EQ(read->environment, work.environment);
  EXPECT_EQ(read->files, work.files);
}

TEST(Works, WhatCannotBeRunIsRefusedByName) {
  const auto refusal = [](const std::function<void(Work&)>& spoil) {
    Work work;
    work.arguments = {"/bin/true"};
    EXPECT_TRUE(check_work(work));
    spoil(work);
    const Status status = check_work(work);
    return status ? std::string("accepted") : status.error().message;
  };
  EXPECT_THAT(refusal([](Work& work) { work.arguments.clear(); }), HasSubstr("absolute path"));
  EXPECT_THAT(refusal([](Work& work) { work.arguments = {"sh"}; }), HasSubstr("'sh'"));
  EXPECT_THAT(refusal([](Work& work) { work.arguments.emplace_back("a\0b", 3); }), HasSubstr("zero byte"));
  EXPECT_THAT(refusal([](Work& work) { work.environment["A=B"] = ""; }), HasSubstr("'A=B'"));
  EXPECT_THAT(refusal([](Work& work) { work.inherited = {""}; }), HasSubstr("letters, digits"));
  EXPECT_THAT(refusal([](Work& work) { work.cores = 0; }), HasSubstr("0 cores"));
  EXPECT_THAT(refusal([](Work& work) { work.gpus = -1; }), HasSubstr("-1 GPUs"));
  EXPECT_THAT(refusal([](Work& work) { work.stop_grace = std::chrono::hours(25); }), HasSubstr("86400000"));
  EXPECT_THAT(refusal([](Work& work) { work.max_output_bytes = 10; }), HasSubstr("4096"));
  EXPECT_THAT(refusal([](Work& work) { work.lane = "A b"; }), HasSubstr("'A b'"));
  EXPECT_THAT(refusal([](Work& work) { work.files["a/b"] = ""; }), HasSubstr("'a/b'"));
  EXPECT_THAT(refusal([](Work& work) { work.files[".."] = ""; }), HasSubstr("'..'"));
  EXPECT_THAT(refusal([](Work& work) { work.files["a"] = std::string(5 << 20, 'x'); }),
              HasSubstr("4194304 are allowed"));
  EXPECT_THAT(refusal([](Work& work) { work.failure_file = "../x"; }), HasSubstr("'../x'"));
  EXPECT_THAT(refusal([](Work& work) { work.failure_file = "/x"; }), HasSubstr("'/x'"));
}

TEST(Orders, AreReadAsTheyWereWritten) {
  const Order order{"a1", {"/bin/true", "a b"}, {"A=1"}, std::chrono::milliseconds(7),
                    5000, "out/failure",        {"B"}};
  const auto read = parse_order(order_text(order));
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(order_text(*read), order_text(order));
  EXPECT_EQ(read->taken, order.taken);
}

TEST(Endings, AreReadAsTheyWereWritten) {
  Ending ending;
  ending.started = from_microseconds(5);
  ending.ended = from_microseconds(11);
  ending.signal = 9;
  ending.stop_asked = ending.killed = ending.out_of_memory = true;
  ending.peak_memory_bytes = 1LL << 40;
  ending.said = "\xc3\xa4\n";
  const auto read = parse_ending(ending_text(ending));
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(ending_text(*read), ending_text(ending));
}

TEST(Endings, DamagedFilesAreErrors) {
  for (const char* const text :
       {"", "{", "[]", "7", "{}", R"({"version": 2})", R"({"version": 1})",
        R"({"version": 1, "exit_code": "0"})", R"({"version": "1", "exit_code": 0})"})
    EXPECT_FALSE(parse_ending(text)) << text;
  for (const char* const text :
       {"", "{}", R"({"version": 1})", R"({"version": 1, "arguments": 7, "cores": {}})"}) {
    EXPECT_FALSE(parse_work(text)) << text;
    EXPECT_FALSE(parse_order(text)) << text;
  }
}

TEST(Endings, ReasonsArePlain) {
  Ending ending;
  ending.exit_code = 0;
  EXPECT_EQ(failure_reason(ending), "");
  ending.exit_code = 1;
  ending.out_of_memory = true;
  EXPECT_THAT(failure_reason(ending),
              HasSubstr("code 1. The system had killed a process for want of memory"));
  ending.exit_code.reset();
  ending.signal = 9;
  ending.peak_memory_bytes = 3000LL << 20;
  EXPECT_THAT(failure_reason(ending),
              HasSubstr("because memory ran out; its largest process had used 3000 MiB"));
  ending.signal = 11;  // memory ran out for somebody on the machine, but that is not how it ends a process
  EXPECT_EQ(failure_reason(ending), "The job was ended by signal 11 (SIGSEGV: Segmentation fault).");
}

TEST(Endings, WordsAreCutBetweenCharacters) {
  EXPECT_EQ(first_characters("\xc3\xa4\xc3\xb6\xc3\xbc", 2), "\xc3\xa4\xc3\xb6");
  EXPECT_EQ(first_characters("a\xff\xc3", 10), "a??");
  EXPECT_EQ(first_characters("", 10), "");
}

class JobOutput : public testing::Test {
 protected:
  std::vector<std::string> read_all(std::int64_t at_once) {
    std::vector<std::string> texts;
    std::int64_t offset = 0;
    for (;;) {
      const auto page = read_output(folder_.path(), offset, at_once);
      EXPECT_TRUE(page) << page.error().message;
      if (!page || page->lines.empty()) return texts;
      EXPECT_GT(page->next_offset, offset);
      offset = page->next_offset;
      for (const OutputLine& line : page->lines) texts.push_back(std::to_string(line.stream) + line.text);
    }
  }
  test::TemporaryFolder folder_;
  const Timestamp now_ = from_microseconds(1234567);
};

TEST_F(JobOutput, NothingYet) {
  EXPECT_TRUE(read_all(100).empty());
  EXPECT_TRUE(read_output(folder_ / "missing", 0, 100)->lines.empty());
  EXPECT_FALSE(read_output(folder_.path(), -1, 100));
}

TEST_F(JobOutput, LinesThatComeInPieces) {
  OutputWriter writer(folder_.path(), 1 << 20);
  writer.write(1, "ab", now_);
  writer.write(2, "error\n\nnext", now_);
  writer.write(1, "c\r\nd\n", now_);
  EXPECT_EQ(read_all(1 << 20), (std::vector<std::string>{"2error", "2", "1abc\r", "1d"}));
  writer.flush(now_);
  EXPECT_EQ(read_all(1), (std::vector<std::string>{"2error", "2", "1abc\r", "1d", "2next"}));
  EXPECT_EQ(read_output(folder_.path(), 0, 1)->lines.front().time, now_);
}

TEST_F(JobOutput, AnythingMayBeWritten) {
  OutputWriter writer(folder_.path(), 1 << 20);
  writer.write(1, std::string_view("\0\xff 1 \x01\n", 7), now_);
  EXPECT_EQ(read_all(100), (std::vector<std::string>{"1?? 1 \x01"}));
  const std::string longer(200'000, 'x');
  writer.write(2, longer + "\nend\n", now_);
  const auto all = read_all(100);
  ASSERT_EQ(all.size(), 6u);  // 65,536 three times, and what is left
  EXPECT_EQ(all[1].substr(1) + all[2].substr(1) + all[3].substr(1) + all[4].substr(1), longer);
  EXPECT_EQ(all[5], "2end");
}

TEST_F(JobOutput, ReadersWithOffsetsSeeWhatAReaderOfAllSees) {
  std::mt19937 random(7);
  OutputWriter writer(folder_.path(), 1 << 20);
  std::vector<std::string> written, followed;
  std::string pending[3];
  std::int64_t offset = 0;
  for (int i = 0; i < 400; ++i) {
    const int stream = 1 + static_cast<int>(random() % 2);
    std::string piece;
    for (std::size_t k = random() % 40; k > 0; --k)
      piece += random() % 7 == 0 ? '\n' : static_cast<char>('a' + random() % 26);
    writer.write(stream, piece, now_);
    for (const char c : piece) {
      if (c != '\n') {
        pending[stream] += c;
        continue;
      }
      written.push_back(std::to_string(stream) + pending[stream]);
      pending[stream].clear();
    }
    const auto page = read_output(folder_.path(), offset, static_cast<std::int64_t>(random() % 200));
    ASSERT_TRUE(page);
    offset = page->next_offset;
    for (const OutputLine& line : page->lines) followed.push_back(std::to_string(line.stream) + line.text);
  }
  for (;;) {
    const auto page = read_output(folder_.path(), offset, 1 << 20);
    ASSERT_TRUE(page);
    if (page->lines.empty()) break;
    offset = page->next_offset;
    for (const OutputLine& line : page->lines) followed.push_back(std::to_string(line.stream) + line.text);
  }
  EXPECT_EQ(followed, written);
  EXPECT_EQ(read_all(1 << 20), written);
}

TEST_F(JobOutput, AFollowerWhoIsLateIsToldWhatItMissed) {
  OutputWriter writer(folder_.path(), 4096);
  writer.write(1, "first\n", now_);
  const std::int64_t offset = read_output(folder_.path(), 0, 100)->next_offset;
  for (int i = 0; i < 2000; ++i) writer.write(1, fmt::format("line {}\n", i), now_);
  std::uintmax_t bytes = 0;
  for (const auto& entry : fs::directory_iterator(folder_.path())) bytes += entry.file_size();
  EXPECT_LE(bytes, 4096u);
  std::int64_t at = offset, missed = 0;
  std::string last;
  for (;;) {
    const auto page = read_output(folder_.path(), at, 1000);
    ASSERT_TRUE(page);
    if (page->lines.empty()) break;
    at = page->next_offset;
    for (const OutputLine& line : page->lines) {
      if (line.stream == 0) missed += std::stoll(line.text);
      last = line.text;
    }
  }
  EXPECT_EQ(last, "line 1999");
  EXPECT_GT(missed, 0);
}

TEST_F(JobOutput, HalfALineIsNotRead) {
  std::ofstream(folder_ / "output-000000000000000000.log") << "5 1 whole\n6 1 hal";
  EXPECT_EQ(read_all(100), (std::vector<std::string>{"1whole"}));
}

TEST_F(JobOutput, DamagedLinesAreRemarks) {
  std::ofstream(folder_ / "output-000000000000000000.log") << "garbage\n5 9 x\n\n-5 1 y\n";
  EXPECT_EQ(read_all(100), (std::vector<std::string>{"0garbage", "05 9 x", "0", "0-5 1 y"}));
}

}  // namespace
}  // namespace terrapin::jobs
