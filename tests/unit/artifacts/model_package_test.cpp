#include "artifacts/model_package.h"

#include <cstdlib>

#include "artifacts/archive.h"
#include "unit/artifacts/failures.h"
#include "unit/base/temporary_folder.h"

namespace terrapin::artifacts {
namespace {

using nlohmann::json;
using test::expect_failure;
using test::must;

ModelPackage small_package() {
  ModelPackage package;
  package.spec.network = {"resnet-50", "fcn", 3, true, 0};
  package.spec.preprocessing.mean = {0.485, 0.456, 0.406};
  package.spec.preprocessing.size_multiple = 16;
  package.spec.preprocessing.size_offset = 1;
  package.spec.classes = ClassList::with_default_names(3);
  package.spec.hyperparameters = {{"epochs", "10"}};
  package.spec.training = {{"best_epoch", 7}, {"miou", 0.91}};
  package.weights.tensors["head.weight"] = from_float32(std::vector<float>{1, 2, 3, 4}, {2, 2});
  package.extras["metrics.jsonl"] = test::bytes_of("{}\n");
  package.extras["report/picture.png"] = Bytes{1, 2, 3};
  return package;
}

void expect_same(const ModelPackage& a, const ModelPackage& b) {
  EXPECT_EQ(to_json(a.spec), to_json(b.spec));
  EXPECT_EQ(a.spec.network, b.spec.network);
  EXPECT_EQ(a.spec.preprocessing, b.spec.preprocessing);
  EXPECT_EQ(a.extras, b.extras);
  ASSERT_EQ(a.weights.tensors.size(), b.weights.tensors.size());
  EXPECT_EQ(a.weights.tensors.at("head.weight").data, b.weights.tensors.at("head.weight").data);
}

TEST(ModelPackage, ReadsBackFromArchiveUnpackedFolderAndFolderWithArchive) {
  test::TemporaryFolder folder;
  std::filesystem::create_directories(folder / "unpacked");
  const auto path = folder / "packed/model.tar.gz";
  must(write_model_package(path, small_package()));
  expect_same(must(read_model_package(path)), small_package());
  expect_same(must(read_model_package(folder / "packed")), small_package());
  const std::string command = "tar -xzf '" + path.string() + "' -C '" + (folder / "unpacked").string() + "'";
  ASSERT_EQ(std::system(command.c_str()), 0);
  expect_same(must(read_model_package(folder / "unpacked")), small_package());
  expect_same(must(read_model_package((folder / "unpacked").string() + "/")), small_package());
}

TEST(ModelPackage, IncompletePackagesSayWhatIsMissing) {
  test::TemporaryFolder folder;
  const auto path = folder / "model.tar.gz";
  expect_failure(read_model_package(path), ErrorCode::kNotFound, path.string());
  expect_failure(read_model_package(folder.path()), ErrorCode::kNotFound, "holds neither model.json");
  must(write_tar_gz(path, {{"other.txt", {}}}));
  expect_failure(read_model_package(path), ErrorCode::kCorrupt, "no file 'model.json'; found: other.txt");
  const std::string spec = to_json(small_package().spec).dump();
  must(write_tar_gz(path, {{"model.json", test::bytes_of(spec)}}));
  expect_failure(read_model_package(path), ErrorCode::kCorrupt,
                 "no file 'weights.safetensors'; found: nothing");
  must(write_tar_gz(path, {{"model.json", test::bytes_of(spec)}, {"weights.safetensors", Bytes(3)}}));
  expect_failure(read_model_package(path), ErrorCode::kCorrupt, "weights.safetensors: safetensors: 3 bytes");
  must(write_tar_gz(path, {{"model.json", test::bytes_of("{,")}}));
  expect_failure(read_model_package(path), ErrorCode::kCorrupt,
                 path.string() + ": model.json: not valid JSON");
  const std::string deep = std::string(1'000'000, '[') + std::string(1'000'000, ']');
  must(write_tar_gz(path, {{"model.json", test::bytes_of("{\"format\":" + deep + "}")}}));
  expect_failure(read_model_package(path), ErrorCode::kCorrupt,
                 path.string() + ": model.json: the JSON nests objects and arrays deeper than 64 levels");
}

TEST(ModelPackage, WhatWouldNotBeReadBackIsNotWritten) {
  test::TemporaryFolder folder;
  const auto path = folder / "model.tar.gz";
  ModelPackage package = small_package();
  package.spec.network.num_classes = 4;
  expect_failure(write_model_package(path, package), ErrorCode::kInvalidArgument,
                 "network.num_classes is 4 but classes lists 3");
  package = small_package();
  package.extras["model.json"] = {};
  expect_failure(write_model_package(path, package), ErrorCode::kInvalidArgument,
                 "'model.json' cannot be an extra");
  package = small_package();
  package.weights.tensors["head.weight"].shape = {9};
  expect_failure(write_model_package(path, package), ErrorCode::kInvalidArgument, "tensor 'head.weight'");
  package = small_package();
  package.extras["../x"] = {};
  EXPECT_FALSE(write_model_package(path, package));
  EXPECT_FALSE(std::filesystem::exists(path));
}

TEST(ModelSpec, EveryFieldIsRequiredTypedAndRanged) {
  const json good = to_json(small_package().spec);
  ASSERT_TRUE(model_spec_from_json(good));
  const auto refuse = [&](const std::string& pointer, const json& value, const std::string& part) {
    json bad = good;
    bad[json::json_pointer(pointer)] = value;
    expect_failure(model_spec_from_json(bad), ErrorCode::kCorrupt, part);
  };
  for (const auto& [name, value] : good.items()) {
    json bad = good;
    bad.erase(name);
    expect_failure(model_spec_from_json(bad), ErrorCode::kCorrupt, "field '" + name + "' is missing");
  }
  for (const char* owner : {"network", "preprocessing"}) {
    for (const auto& [name, value] : good[owner].items()) {
      json bad = good;
      bad[owner].erase(name);
      expect_failure(model_spec_from_json(bad), ErrorCode::kCorrupt,
                     "field '" + std::string(owner) + "." + name + "' is missing");
    }
  }
  refuse("/format", "x", "field 'format' is 'x', expected 'terrapin-model'");
  refuse("/version", "1", "field 'version' is \"1\", expected an integer from 1");
  refuse("/surprise", 1, "unknown field 'surprise'");
  refuse("/network", 1, "field 'network' is 1, expected an object");
  refuse("/network/surprise", 1, "unknown field 'network.surprise'");
  refuse("/network/backbone", 50, "field 'network.backbone' is 50, expected a string");
  refuse("/network/backbone", "", "field 'network.backbone' is empty");
  refuse("/network/algorithm", "", "field 'network.algorithm' is empty");
  refuse("/network/num_classes", 256,
         "field 'network.num_classes' is 256, expected an integer from 1 to 255");
  refuse("/network/num_classes", 2.5, "field 'network.num_classes' is 2.5");
  refuse("/network/num_classes", std::uint64_t{18446744073709551615u}, "field 'network.num_classes'");
  refuse("/network/num_classes", 2, "network.num_classes is 2 but classes lists 3");
  refuse("/network/auxiliary_head", 1, "field 'network.auxiliary_head' is 1, expected true or false");
  refuse("/network/skip_channels", -1,
         "field 'network.skip_channels' is -1, expected an integer from 0 to 4096");
  refuse("/preprocessing/mean", json::array({1, 2}),
         "field 'preprocessing.mean' is [1,2], expected an array of 3");
  refuse("/preprocessing/mean/1", "x", "field 'preprocessing.mean[1]' is \"x\", expected a number");
  refuse("/preprocessing/std/2", 0, "field 'preprocessing.std[2]' is 0, expected a positive number");
  refuse("/preprocessing/long_side", -5, "field 'preprocessing.long_side' is -5");
  refuse("/preprocessing/size_multiple", 0,
         "field 'preprocessing.size_multiple' is 0, expected an integer from 1");
  refuse("/preprocessing/size_offset", -1, "field 'preprocessing.size_offset' is -1");
  refuse("/classes/0/name", 4, "field 'classes[0].name' is 4");
  refuse("/hyperparameters/epochs", 10, "field 'hyperparameters.epochs' is 10, expected a string");
  refuse("/training", 1, "field 'training' is 1, expected an object");
  json newer = {{"format", "terrapin-model"}, {"version", 2}};
  expect_failure(model_spec_from_json(newer), ErrorCode::kUnsupported,
                 "the model has format version 2, this program reads up to 1");
}

TEST(NetworkInputSize, LongSideThenMultiples) {
  const auto size = [](std::int64_t long_side, std::int64_t multiple, std::int64_t offset,
                       imaging::Size photo) {
    Preprocessing preprocessing;
    preprocessing.long_side = long_side;
    preprocessing.size_multiple = multiple;
    preprocessing.size_offset = offset;
    return network_input_size(preprocessing, photo);
  };
  using imaging::Size;
  EXPECT_EQ(size(520, 1, 0, {1000, 500}), (Size{520, 260}));
  EXPECT_EQ(size(520, 1, 0, {500, 1000}), (Size{260, 520}));
  EXPECT_EQ(size(100, 1, 0, {3, 2}), (Size{100, 67}));
  EXPECT_EQ(size(0, 1, 0, {123, 45}), (Size{123, 45}));
  EXPECT_EQ(size(513, 16, 1, {640, 480}), (Size{513, 385}));
  EXPECT_EQ(size(513, 16, 1, {640, 427}), (Size{513, 337}));  // 342.3 -> 1 + 16 * 21.3
  EXPECT_EQ(size(0, 16, 1, {1, 1}), (Size{17, 17}));
  EXPECT_EQ(size(0, 8, 0, {12, 11}), (Size{16, 8}));  // halves up
  EXPECT_EQ(size(520, 1, 0, {100'000, 1}), (Size{520, 1}));
  EXPECT_EQ(size(520, 32, 0, {100'000, 1}), (Size{512, 32}));
}

}  // namespace
}  // namespace terrapin::artifacts
