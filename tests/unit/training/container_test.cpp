#include "training/container.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <thread>

#include "artifacts/channels.h"
#include "base/files.h"
#include "base/random.h"
#include "imaging/codecs.h"
#include "training/container_records.h"

namespace terrapin::training {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class Container : public ::testing::Test {
 protected:
  void SetUp() override {
    auto made = ScratchFolder::make();
    ASSERT_TRUE(made) << made.error().message;
    scratch_ = std::move(*made);
    root_ = scratch_->path() / "ml";
    write("input/config/hyperparameters.json", R"({"num_classes": "2", "num_training_samples": "2"})");
  }
  void write(const std::string& name, std::string_view text) {
    const Status status = write_file_atomically(root_ / name, text);
    ASSERT_TRUE(status) << status.error().message;
  }
  void write(const std::string& name, const Bytes& bytes) {
    ASSERT_TRUE(write_file_atomically(root_ / name, std::span<const std::uint8_t>(bytes)));
  }
  static Bytes photo(std::uint8_t shade) {
    return *imaging::encode_jpeg(imaging::Image({16, 12}, {shade, shade, shade}));
  }
  static Bytes mask(std::uint8_t label) {
    return *imaging::encode_indexed_png(imaging::Mask({16, 12}, label), imaging::default_palette(3));
  }
  void write_image_channels() {
    for (const char* channel : {"train", "validation"}) {
      for (int i = 0; i < 2; ++i) {
        write(fmt::format("input/data/{}/{}.jpg", channel, i), photo(static_cast<std::uint8_t>(i * 60)));
        write(fmt::format("input/data/{}_annotation/{}.png", channel, i), mask(static_cast<std::uint8_t>(i)));
      }
    }
  }
  Result<ContainerData> open() {
    auto job = read_container_job(root_);
    if (!job) return tl::unexpected<Error>(job.error());
    return open_container_data(*job, {}, scratch_->path() / "spool");
  }
  std::unique_ptr<ScratchFolder> scratch_;
  fs::path root_;
};

TEST_F(Container, ReadsTheConfigFiles) {
  write("input/config/hyperparameters.json", R"({"epochs": "\"3\"", "num_classes": 2, "syncbn": true})");
  write(
      "input/config/inputdataconfig.json",
      R"({"train": {"ContentType": "application/x-image", "TrainingInputMode": "File", "RecordWrapperType": "None"}})");
  write("input/config/resourceconfig.json", R"({"current_host": "algo-1", "hosts": ["algo-1"]})");
  const auto job = read_container_job(root_);
  ASSERT_TRUE(job) << job.error().message;
  EXPECT_EQ(job->hyperparameters,
            (HyperparameterValues{{"epochs", "\"3\""}, {"num_classes", "2"}, {"syncbn", "true"}}));
  EXPECT_EQ(job->channels.at("train").input_mode, "File");
  EXPECT_EQ(job->channels.at("train").content_type, "application/x-image");
}

TEST_F(Container, BadConfigIsNamed) {
  write("input/config/hyperparameters.json", "[1]");
  EXPECT_THAT(read_container_job(root_).error().message,
              AllOf(HasSubstr("hyperparameters.json"), HasSubstr("not a JSON object")));
  write("input/config/hyperparameters.json", R"({"epochs": {"a": 1}})");
  EXPECT_THAT(read_container_job(root_).error().message, HasSubstr("epochs"));
  write("input/config/hyperparameters.json", "{}");
  write("input/config/resourceconfig.json", R"({"current_host": "algo-3", "hosts": ["algo-2", "algo-1"]})");
  EXPECT_THAT(read_container_job(root_).error().message,
              HasSubstr("current_host is \"algo-3\"; allowed is one of hosts: algo-1, algo-2"));
  write("input/config/resourceconfig.json", R"({"current_host": "algo-1", "hosts": ["algo-1", "algo-1"]})");
  EXPECT_THAT(read_container_job(root_).error().message, HasSubstr("hosts: algo-1 is there twice"));
  fs::remove_all(root_ / "input" / "config");
  EXPECT_THAT(read_container_job(root_).error().message, HasSubstr("hyperparameters.json"));
}

TEST_F(Container, SeveralHostsAreSorted) {
  write("input/config/hyperparameters.json", "{}");
  write("input/config/resourceconfig.json",
        R"({"current_host": "algo-2", "hosts": ["algo-2", "algo-1"], "network_interface_name": "eth0"})");
  const auto job = read_container_job(root_);
  ASSERT_TRUE(job) << job.error().message;
  EXPECT_EQ(job->hosts, (std::vector<std::string>{"algo-1", "algo-2"}));
  EXPECT_EQ(job->current_host, "algo-2");
  EXPECT_EQ(job->network_interface_name, "eth0");
}

TEST_F(Container, ImageChannelsWithLabelMaps) {
  write_image_channels();
  write("input/data/label_map/train_label_map.json", R"({"map": {"0": 1, "1": 0}})");
  const auto data = open();
  ASSERT_TRUE(data) << data.error().message;
  ASSERT_EQ(data->train.samples.size(), 2u);
  ASSERT_EQ(data->validation.samples.size(), 2u);
  EXPECT_FALSE(data->train.label_map.is_identity());
  EXPECT_TRUE(data->validation.label_map.is_identity());
  const auto swapped = artifacts::read_sample_mask(data->train.samples[0], data->train.label_map);
  ASSERT_TRUE(swapped) << swapped.error().message;
  EXPECT_EQ(swapped->at(0, 0), 1);
  EXPECT_FALSE(data->model);
}

TEST_F(Container, MissingChannelsAreNamed) {
  write_image_channels();
  fs::remove_all(root_ / "input/data/validation_annotation");
  EXPECT_THAT(open().error().message, HasSubstr("channel validation_annotation is missing"));
  fs::remove_all(root_ / "input/data/train");
  EXPECT_THAT(open().error().message,
              AllOf(HasSubstr("channel train is missing"), HasSubstr("required: train, train_annotation")));
}

TEST_F(Container, AugmentedManifestInFileMode) {
  write_image_channels();
  for (const char* channel : {"train", "validation"}) {
    const fs::path folder = root_ / "input/data" / channel,
                   masks = root_ / "input/data" / (std::string(channel) + "_annotation");
    std::string lines;
    for (int i = 0; i < 2; ++i) {
      lines += fmt::format(
          "{{\"source-ref\": \"{}/store/{}.jpg\", \"birds-ref\": \"{}/store/{}.png\", "
          "\"birds-ref-metadata\": "
          "{{\"internal-color-map\": {{\"0\": {{\"class-name\": \"BACKGROUND\", \"hex-color\": "
          "\"#ffffff\"}}, "
          "\"1\": {{\"class-name\": \"Bird\", \"hex-color\": \"#2ca02c\"}}}}}}}}\n",
          root_.string(), i, root_.string(), i);
      write(fmt::format("store/{}.jpg", i), photo(40));
      write(fmt::format("store/{}.png", i), mask(1));
    }
    fs::remove_all(folder);
    fs::remove_all(masks);
    write(fmt::format("input/data/{}/birds.manifest", channel), lines);
  }
  const auto data = open();
  ASSERT_TRUE(data) << data.error().message;
  EXPECT_EQ(data->train.samples.size(), 2u);
  ASSERT_EQ(data->classes.size(), 2);
  EXPECT_EQ(data->classes.classes[1].name, "Bird");
}

TEST_F(Container, RecordFilesAndFifos) {
  Bytes stream;
  for (int i = 0; i < 3; ++i) {
    for (const Bytes& record :
         {photo(static_cast<std::uint8_t>(i)), mask(static_cast<std::uint8_t>(i % 2))}) {
      const Bytes framed = frame_record(record);
      stream.insert(stream.end(), framed.begin(), framed.end());
    }
  }
  write("input/data/train/part-0.rec", stream);
  const fs::path fifo = root_ / "input/data/validation_0";
  ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
  std::thread writer([&] {
    std::ofstream out(fifo, std::ios::binary);  // blocks until the reader is there
    out.write(reinterpret_cast<const char*>(stream.data()), static_cast<std::streamsize>(stream.size()));
  });
  const auto data = open();
  writer.join();
  ASSERT_TRUE(data) << data.error().message;
  ASSERT_EQ(data->train.samples.size(), 3u);
  ASSERT_EQ(data->validation.samples.size(), 3u);
  for (const artifacts::SampleIndex* index : {&data->train, &data->validation}) {
    for (std::size_t i = 0; i < 3; ++i) {
      const auto labeled = artifacts::read_sample(index->samples[i], index->label_map);
      ASSERT_TRUE(labeled) << labeled.error().message;
      EXPECT_EQ(labeled->mask.at(3, 3), i % 2);
    }
  }
}

TEST_F(Container, RecordsThatDoNotAlternateAreRefused) {
  const Bytes one = frame_record(photo(1));
  write("input/data/train/part.rec", one);
  EXPECT_THAT(open().error().message, HasSubstr("record 1 is a photo without its label"));
  Bytes two = one;
  two.insert(two.end(), one.begin(), one.end());
  write("input/data/train/part.rec", two);
  EXPECT_THAT(open().error().message, AllOf(HasSubstr("record 2"), HasSubstr("allowed: a PNG label")));
}

TEST_F(Container, ModelChannel) {
  write_image_channels();
  write("input/data/model/model.tar.gz", "not read here");
  const auto data = open();
  ASSERT_TRUE(data) << data.error().message;
  ASSERT_TRUE(data->model);
  EXPECT_EQ(data->model->filename(), "model.tar.gz");
  fs::remove(root_ / "input/data/model/model.tar.gz");
  EXPECT_THAT(open().error().message, HasSubstr("holds no model.tar.gz"));
}

TEST_F(Container, FailureFileStartsWithTheReason) {
  ASSERT_TRUE(
      write_failure(root_, {ErrorCode::kInvalidArgument, "hyperparameter epochs=\"0\" is not allowed"}));
  EXPECT_EQ(*read_text_file(root_ / "output/failure"),
            "ClientError: hyperparameter epochs=\"0\" is not allowed");
  EXPECT_THAT(failure_text({ErrorCode::kInternal, "x"}), StartsWith("AlgorithmError: "));
}

TEST_F(Container, ScratchIsRemoved) {
  const fs::path path = scratch_->path();
  scratch_.reset();
  EXPECT_FALSE(fs::exists(path));
}

TEST(S3RootList, PartsBySemicolon) {
  const auto scratch = ScratchFolder::make();
  ASSERT_TRUE(scratch);
  const std::string folder = (*scratch)->path().string();
  artifacts::S3Roots roots;
  const Status status = add_s3_roots("photos=" + folder + ";;labels=" + folder + ";", roots);
  ASSERT_TRUE(status) << status.error().message;
  EXPECT_EQ(roots.buckets.size(), 2u);
  EXPECT_EQ(roots.buckets.at("labels"), folder);
  EXPECT_FALSE(add_s3_roots("nonsense", roots));
}

class Records : public Container {
 protected:
  Result<std::vector<Bytes>> read_all(const Bytes& stream, std::int64_t limit = 1 << 20) {
    write("stream.rec", stream);
    TERRAPIN_TRY(RecordReader reader, RecordReader::open(root_ / "stream.rec", limit));
    std::vector<Bytes> records;
    while (true) {
      TERRAPIN_TRY(std::optional<Bytes> record, reader.next());
      if (!record) return records;
      records.push_back(std::move(*record));
    }
  }
};

// The magic word inside the data, aligned and not, at both ends and twice: what cuts records into parts.
TEST_F(Records, RoundTripsEveryLengthAndTheMagicWordItself) {
  std::vector<Bytes> records;
  for (std::size_t length = 0; length < 20; ++length)
    records.push_back(Bytes(length, static_cast<std::uint8_t>(length)));
  const Bytes magic = {0x0a, 0x23, 0xd7, 0xce};
  Random random(7);
  for (int i = 0; i < 200; ++i) {
    Bytes record;
    for (int part = 0; part < 1 + static_cast<int>(random.below(6)); ++part) {
      if (random.below(2) == 0) {
        record.insert(record.end(), magic.begin(), magic.end());
      } else {
        for (std::int64_t n = random.below(6); n > 0; --n)
          record.push_back(static_cast<std::uint8_t>(random.below(256)));
      }
    }
    records.push_back(record);
  }
  Bytes stream;
  for (const Bytes& record : records) {
    const Bytes framed = frame_record(record);
    EXPECT_EQ(framed.size() % 4, 0u);
    stream.insert(stream.end(), framed.begin(), framed.end());
  }
  const auto read = read_all(stream);
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(*read, records);
}

TEST_F(Records, KnownBytes) {
  // "abc" as one part: magic, flag 0 and length 3, the bytes, one byte of padding.
  EXPECT_EQ(frame_record(Bytes{'a', 'b', 'c'}),
            (Bytes{0x0a, 0x23, 0xd7, 0xce, 3, 0, 0, 0, 'a', 'b', 'c', 0}));
  // The magic word alone: an empty first and an empty last part.
  EXPECT_EQ(frame_record(Bytes{0x0a, 0x23, 0xd7, 0xce}),
            (Bytes{0x0a, 0x23, 0xd7, 0xce, 0, 0, 0, 0x20, 0x0a, 0x23, 0xd7, 0xce, 0, 0, 0, 0x60}));
}

TEST_F(Records, BrokenStreamsAreCorruptAndNamed) {
  const Bytes good = frame_record(Bytes{1, 2, 3, 4, 5});
  for (std::size_t cut = 1; cut < good.size(); ++cut) {
    const auto read = read_all(Bytes(good.begin(), good.begin() + static_cast<std::ptrdiff_t>(cut)));
    ASSERT_FALSE(read) << cut;
    EXPECT_EQ(read.error().code, ErrorCode::kCorrupt);
    EXPECT_THAT(read.error().message, HasSubstr("record 1"));
  }
  EXPECT_THAT(read_all(Bytes(16, 0xFF)).error().message, HasSubstr("not with the RecordIO word"));
  Bytes middle = good;
  middle[7] = 0x40;  // a middle part without a first one
  EXPECT_THAT(read_all(middle).error().message, HasSubstr("out of order"));
  Bytes lies = good;
  lies[7] = 0x1F;  // half a gigabyte that is not there
  EXPECT_EQ(read_all(lies).error().code, ErrorCode::kTooLarge);
}

}  // namespace
}  // namespace terrapin::training
