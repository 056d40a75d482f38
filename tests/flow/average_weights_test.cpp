// script/average-weights, read by what reads models.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "artifacts/safetensors.h"
#include "flow/program.h"

namespace terrapin::flow {
namespace {

using artifacts::DType;
using artifacts::TensorFile;
using ::testing::HasSubstr;

class AverageWeights : public ::testing::Test {
 protected:
  std::string at(const std::string& name) const { return (folder_.path() / name).string(); }
  // A file with `name` of these values, and another tensor of one value.
  void write(const std::string& file, const std::string& name, std::vector<std::int64_t> shape,
             const std::vector<float>& values, DType type = DType::kF16) const {
    TensorFile made;
    made.tensors[name] = artifacts::from_float32(values, std::move(shape), type);
    made.tensors["average.scale"] =
        artifacts::from_float32(std::vector<float>{values.front()}, {1}, DType::kF32);
    if (file == "first") made.tensors["scale"] = made.tensors["average.scale"];
    if (file == "first") made.tensors.erase("average.scale");
    made.metadata["from"] = file;
    ASSERT_TRUE(artifacts::write_safetensors(at(file), made));
  }
  Answer average(const std::vector<std::string>& shares) const {
    std::vector<std::string> arguments{TERRAPIN_SOURCE_DIR "/script/average-weights", at("out")};
    for (const std::string& share : shares) {
      const std::size_t colon = share.find(':');
      arguments.push_back(share.substr(0, colon + 1) + at(share.substr(colon + 1)));
    }
    return run_python(folder_.path(), arguments);
  }
  void refused(const std::vector<std::string>& shares, const std::string& why) const {
    const Answer answer = average(shares);
    EXPECT_EQ(answer.code, 1);
    EXPECT_THAT(answer.errors, HasSubstr(why));
    EXPECT_THAT(answer.errors, testing::Not(HasSubstr("Traceback")));
    EXPECT_FALSE(std::filesystem::exists(at("out")));
  }
  TemporaryFolder folder_;
};

TEST_F(AverageWeights, SharesOfEachValue) {
  write("first", "conv", {2, 2}, {1, 2, 3, 4});
  // A checkpoint has the running average under a name of its own, in other types.
  write("second", "average.conv", {2, 2}, {5, 2, -1, 8}, DType::kF32);
  const Answer answer = average({"0.25:first", "0.75:second"});
  ASSERT_EQ(answer.code, 0) << answer.errors;
  const auto made = artifacts::read_safetensors(at("out"));
  ASSERT_TRUE(made) << made.error().message;
  ASSERT_EQ(made->tensors.size(), 2U);
  EXPECT_EQ(made->metadata.at("from"), "first");
  const auto& conv = made->tensors.at("conv");
  EXPECT_EQ(conv.dtype, DType::kF16);
  EXPECT_EQ(conv.shape, (std::vector<std::int64_t>{2, 2}));
  EXPECT_EQ(artifacts::to_float32(conv).value(), (std::vector<float>{4, 2, 0, 7}));
  EXPECT_EQ(artifacts::to_float32(made->tensors.at("scale")).value(), (std::vector<float>{4}));
}

TEST_F(AverageWeights, WhatDoesNotFitIsNamed) {
  write("first", "conv", {2, 3}, {1, 2, 3, 4, 5, 6});
  write("turned", "conv", {3, 2}, {1, 2, 3, 4, 5, 6});
  write("counts", "conv", {2, 3}, {1, 2, 3, 4, 5, 6}, DType::kI64);
  refused({"0.5:first", "0.5:turned"}, "turned has no conv of shape [2, 3]");
  refused({"0.5:first", "0.5:counts"}, "counts has no conv of shape [2, 3] in F16 or F32");
  refused({"0.5:counts", "0.5:first"}, "is I64: allowed are F16, F32");
  refused({"0.5:first", "0.5:none"}, "No such file");
  refused({"0.5:first", "0.4:first"}, "the shares add up to 0.9");
  refused({"half:first", "0.5:first"}, "a share is no number");
}

}  // namespace
}  // namespace terrapin::flow
