// script/convert_weights.py on checkpoints that PyTorch itself wrote.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <cstdlib>

#include "artifacts/safetensors.h"
#include "base/digest.h"
#include "base/files.h"
#include "flow/program.h"

namespace terrapin::flow {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

class ConvertWeights : public ::testing::Test {
 protected:
  void SetUp() override {
    const int status = std::system("/usr/bin/python3 -c 'import torch' 2>/dev/null");
    if (status != 0) GTEST_SKIP() << "no torch for /usr/bin/python3: install python3-torch";
    ASSERT_TRUE(write_file_atomically(at("make.py"), R"(import sys, torch
state = {"module.conv.weight": torch.arange(12, dtype=torch.float32).reshape(3, 4).t() / 4,
         "norm.count": torch.tensor(7), "norm.half": torch.tensor([1.5, -2.0], dtype=torch.bfloat16)}
torch.save({"epoch": 3, "state_dict": state}, sys.argv[1])
torch.save([1, 2], sys.argv[2])
)"));
    ASSERT_EQ(
        shell("/usr/bin/python3 '" + at("make.py") + "' '" + at("plain.pth") + "' '" + at("list.pth") + "'"),
        0)
        << said();
  }
  std::string at(const std::string& name) const { return (folder_.path() / name).string(); }
  int shell(const std::string& command) {
    const int status = std::system((command + " > '" + at("said") + "' 2>&1").c_str());
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000;
  }
  std::string said() const { return read_text_file(at("said")).value_or(""); }
  int convert(const std::string& from, const std::string& to, const std::string& more = {}) {
    return shell("/usr/bin/python3 '" TERRAPIN_SOURCE_DIR "/script/convert_weights.py' '" + at(from) + "' '" +
                 at(to) + "' " + more);
  }
  TemporaryFolder folder_;
};

TEST_F(ConvertWeights, KeepsEveryTensor) {
  ASSERT_EQ(convert("plain.pth", "out.safetensors"), 0) << said();
  const auto file = artifacts::read_safetensors(at("out.safetensors"));
  ASSERT_TRUE(file) << file.error().message;
  ASSERT_EQ(file->tensors.size(), 3u);
  const auto& conv = file->tensors.at("conv.weight");  // without DataParallel's "module."
  EXPECT_EQ(conv.shape, (std::vector<std::int64_t>{4, 3}));
  const std::vector<float> expected{0, 1, 2, 0.25, 1.25, 2.25, 0.5, 1.5, 2.5, 0.75, 1.75, 2.75};
  EXPECT_EQ(artifacts::to_float32(conv).value_or(std::vector<float>{}), expected);
  EXPECT_EQ(file->tensors.at("norm.count").dtype, artifacts::DType::kI64);
  EXPECT_EQ(file->tensors.at("norm.half").dtype, artifacts::DType::kBF16);
  EXPECT_EQ(artifacts::to_float32(file->tensors.at("norm.half")).value_or(std::vector<float>{}),
            (std::vector<float>{1.5, -2}));
  EXPECT_EQ(file->metadata.at("source"), "plain.pth");
  EXPECT_EQ(file->metadata.at("source_sha256"), sha256_of_file(at("plain.pth")).value_or(""));

  ASSERT_EQ(convert("plain.pth", "half.safetensors", "--half"), 0) << said();
  const auto half = artifacts::read_safetensors(at("half.safetensors"));
  ASSERT_TRUE(half) << half.error().message;
  EXPECT_EQ(half->tensors.at("conv.weight").dtype, artifacts::DType::kF16);
  EXPECT_EQ(artifacts::to_float32(half->tensors.at("conv.weight")).value_or(std::vector<float>{}), expected);
  EXPECT_EQ(half->tensors.at("norm.count").dtype, artifacts::DType::kI64);
}

TEST_F(ConvertWeights, RefusesABrokenPromiseAndWhatIsNoStateDict) {
  fs::copy_file(at("plain.pth"), at("net-0123abcd.pth"));
  EXPECT_EQ(convert("net-0123abcd.pth", "out.safetensors"), 1);
  EXPECT_THAT(said(), HasSubstr("its name promises 0123abcd"));
  const std::string digest = sha256_of_file(at("plain.pth")).value_or("");
  const std::string kept = "net-" + digest.substr(0, 8) + ".pth";
  fs::copy_file(at("plain.pth"), at(kept));
  EXPECT_EQ(convert(kept, "kept.safetensors"), 0) << said();
  EXPECT_EQ(convert("list.pth", "out.safetensors"), 1);
  EXPECT_THAT(said(), HasSubstr("holds no state dict"));
  EXPECT_EQ(convert("none.pth", "out.safetensors"), 1);
  EXPECT_THAT(said(), HasSubstr("no such file"));
  EXPECT_FALSE(fs::exists(at("out.safetensors")));
}

}  // namespace
}  // namespace terrapin::flow
