// script/convert_weights.py on checkpoints that PyTorch itself wrote.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

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
    if (run_python(folder_.path(), {"-c", "import torch"}).code != 0)
      GTEST_SKIP() << "no torch for /usr/bin/python3: install python3-torch";
    ASSERT_TRUE(write_file_atomically(at("make.py"), R"(import sys, torch
state = {"module.conv.weight": torch.arange(12, dtype=torch.float32).reshape(3, 4).t() / 4,
         "norm.count": torch.tensor(7), "norm.half": torch.tensor([1.5, -2.0], dtype=torch.bfloat16)}
torch.save({"epoch": 3, "state_dict": state}, sys.argv[1])
torch.save([1, 2], sys.argv[2])
)"));
    const Answer made = run_python(folder_.path(), {at("make.py"), at("plain.pth"), at("list.pth")});
    ASSERT_EQ(made.code, 0) << made.errors;
  }
  std::string at(const std::string& name) const { return (folder_.path() / name).string(); }
  Answer convert(const std::string& from, const std::string& to, const std::string& option = {}) const {
    std::vector<std::string> arguments{TERRAPIN_SOURCE_DIR "/script/convert_weights.py", at(from), at(to)};
    if (!option.empty()) arguments.push_back(option);
    return run_python(folder_.path(), arguments);
  }
  TemporaryFolder folder_;
};

TEST_F(ConvertWeights, KeepsEveryTensor) {
  const Answer whole = convert("plain.pth", "out.safetensors");
  ASSERT_EQ(whole.code, 0) << whole.errors;
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

  const Answer halved = convert("plain.pth", "half.safetensors", "--half");
  ASSERT_EQ(halved.code, 0) << halved.errors;
  const auto half = artifacts::read_safetensors(at("half.safetensors"));
  ASSERT_TRUE(half) << half.error().message;
  EXPECT_EQ(half->tensors.at("conv.weight").dtype, artifacts::DType::kF16);
  EXPECT_EQ(artifacts::to_float32(half->tensors.at("conv.weight")).value_or(std::vector<float>{}), expected);
  EXPECT_EQ(half->tensors.at("norm.count").dtype, artifacts::DType::kI64);
}

TEST_F(ConvertWeights, RefusesABrokenPromiseAndWhatIsNoStateDict) {
  fs::copy_file(at("plain.pth"), at("net-0123abcd.pth"));
  const Answer broken = convert("net-0123abcd.pth", "out.safetensors");
  EXPECT_EQ(broken.code, 1);
  EXPECT_THAT(broken.errors, HasSubstr("its name promises 0123abcd"));
  const std::string digest = sha256_of_file(at("plain.pth")).value_or("");
  const std::string kept = "net-" + digest.substr(0, 8) + ".pth";
  fs::copy_file(at("plain.pth"), at(kept));
  EXPECT_EQ(convert(kept, "kept.safetensors").code, 0);
  const Answer list = convert("list.pth", "out.safetensors");
  EXPECT_EQ(list.code, 1);
  EXPECT_THAT(list.errors, HasSubstr("holds no state dict"));
  const Answer none = convert("none.pth", "out.safetensors");
  EXPECT_EQ(none.code, 1);
  EXPECT_THAT(none.errors, HasSubstr("no such file"));
  EXPECT_FALSE(fs::exists(at("out.safetensors")));
}

}  // namespace
}  // namespace terrapin::flow
