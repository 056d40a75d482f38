// `terrapin train` as several processes: what a user sees of them, and what is left when one dies.
#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>

#include "artifacts/model_package.h"
#include "base/descriptor.h"
#include "base/files.h"
#include "dataset/scenes.h"
#include "flow/program.h"

namespace terrapin::flow {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

// The running children of a process, by their RANK.
std::map<int, pid_t> ranks_of(pid_t parent) {
  std::map<int, pid_t> ranks;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator("/proc", ignored)) {
    const std::string name = entry.path().filename().string();
    if (name.find_first_not_of("0123456789") != std::string::npos) continue;
    std::ifstream stat(entry.path() / "stat");
    std::string text{std::istreambuf_iterator<char>(stat), {}};
    const std::size_t end = text.rfind(')');
    if (end == std::string::npos) continue;
    std::istringstream rest(text.substr(end + 1));
    char state = 0;
    pid_t its_parent = 0;
    rest >> state >> its_parent;
    if (its_parent != parent || state == 'Z') continue;
    std::ifstream environment(entry.path() / "environ", std::ios::binary);
    for (std::string variable; std::getline(environment, variable, '\0');) {
      if (variable.starts_with("RANK=")) ranks[std::stoi(variable.substr(5))] = std::stoi(name);
    }
  }
  return ranks;
}

bool is_gone(pid_t pid) {
  std::ifstream stat("/proc/" + std::to_string(pid) + "/stat");
  std::string text{std::istreambuf_iterator<char>(stat), {}};
  const std::size_t end = text.rfind(')');
  return end == std::string::npos || text[end + 2] == 'Z';
}

// Below the ports that the system gives to outgoing connections: none of a test beside this one takes it
// before the process that it is for has started.
int free_port() {
  for (int i = 0; i < 100; ++i) {
    const int port = 20'000 + static_cast<int>((::getpid() + 101 * i) % 10'000);
    const Descriptor socket(::socket(AF_INET, SOCK_STREAM, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) return port;
  }
  ADD_FAILURE() << "no free port";
  return 0;
}

class Processes : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    ASSERT_EQ(::setenv("OMP_WAIT_POLICY", "passive", 1), 0);
    shared_ = new TemporaryFolder;
    ASSERT_EQ(::setenv("TERRAPIN_WEIGHTS", (shared_->path() / "no-weights").c_str(), 1), 0);
    dataset::SceneOptions scene;
    scene.size = {96, 72};
    scene.class_count = 3;
    ASSERT_TRUE(dataset::write_scene_output(shared_->path() / "scenes", 12, scene));
    const std::string manifest =
        (shared_->path() / "scenes" / "labelscenes" / "manifests" / "output" / "output.manifest").string();
    const Answer answer =
        run_program(shared_->path(), {"transform", manifest, "--quiet", "--output", data(), "--s3-root",
                                      "scenes=" + (shared_->path() / "scenes").string()});
    ASSERT_EQ(answer.code, 0) << answer.errors;
  }
  static void TearDownTestSuite() {
    delete shared_;
    shared_ = nullptr;
  }
  static std::string data() { return (shared_->path() / "data").string(); }
  std::string path(const std::string& name) const { return (folder_.path() / name).string(); }
  static std::vector<std::string> train(const std::string& output, int epochs,
                                        const std::vector<std::string>& more = {"--processes", "2"}) {
    std::vector<std::string> arguments{"train", "--data", data(), "--output", output, "--weights", "none",
                                       "--threads", "1", "--seed", "5", "-H", "crop_size=64", "-H",
                                       "base_size=96", "-H", "mini_batch_size=4", "-H", "skip_channels=0",
                                       "-H", "epochs=" + std::to_string(epochs),
                                       // The last epoch is then the best: the package has seen every step.
                                       "-H", "validate_every=" + std::to_string(epochs)};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
  }
  static Bytes weights_of(const fs::path& package) {
    const auto read = artifacts::read_model_package(package);
    return read ? artifacts::serialize_safetensors(read->weights) : Bytes{};
  }
  static std::int64_t lines(const fs::path& path) {
    const std::string text = read_text_file(path).value_or("");
    return std::count(text.begin(), text.end(), '\n');
  }

  static TemporaryFolder* shared_;
  TemporaryFolder folder_;
};
TemporaryFolder* Processes::shared_ = nullptr;

TEST_F(Processes, TrainOneModelAndSpeakAsOne) {
  const Answer answer = run_program(folder_.path(), train(path("two"), 2, {"--processes", "2", "--json"}));
  ASSERT_EQ(answer.code, 0) << answer.errors;
  const auto summary = nlohmann::json::parse(answer.output, nullptr, false);
  ASSERT_TRUE(summary.is_object()) << answer.output;
  EXPECT_EQ(summary.at("finished_epochs"), 2);
  EXPECT_EQ(lines(path("two/metrics.jsonl")), 2);
  EXPECT_TRUE(fs::exists(path("two/report.html")));
  EXPECT_THAT(answer.errors, HasSubstr("2 processes train together, 2 to 2 crops of a batch each"));
  const auto package = artifacts::read_model_package(path("two/model.tar.gz"));
  ASSERT_TRUE(package) << package.error().message;
  EXPECT_EQ(package->spec.training.at("processes"), 2);

  const Answer one = run_program(folder_.path(), train(path("one"), 2, {"--json"}));
  ASSERT_EQ(one.code, 0) << one.errors;
  EXPECT_NEAR(nlohmann::json::parse(one.output).at("mean_iou").get<double>(),
              summary.at("mean_iou").get<double>(), 0.02);
}

// Whoever is killed: one true error, nobody left, and the run goes on to the same bytes.
TEST_F(Processes, AKilledOneEndsAllWithOneError) {
  ASSERT_EQ(run_program(folder_.path(), train(path("whole"), 4)).code, 0);
  for (const int rank : {1, 0}) {
    const std::string run = path("killed-" + std::to_string(rank));
    std::map<int, pid_t> ranks;
    {
      Program program(folder_.path(), train(run, 4));
      ASSERT_TRUE(program.wait_until([&] { return lines(run + "/metrics.jsonl") >= 1; })) << program.errors();
      ranks = ranks_of(program.pid());
      ASSERT_EQ(ranks.size(), 2u);
      ::kill(ranks.at(rank), SIGKILL);
      const Answer answer = program.wait(std::chrono::seconds(60));
      EXPECT_EQ(answer.code, 1);
      EXPECT_THAT(answer.errors,
                  HasSubstr("process " + std::to_string(rank) + " of 2 was killed by signal 9 (Killed)"));
      const std::size_t first = answer.errors.find("error:");
      EXPECT_EQ(answer.errors.find("error:", first + 1), std::string::npos) << answer.errors;
      EXPECT_THAT(answer.errors, Not(HasSubstr("lost another process")))
          << "the cause is said, not what followed";
    }
    for (const auto& [each, pid] : ranks) EXPECT_TRUE(is_gone(pid)) << each;
    const Answer resumed = run_program(folder_.path(), train(run, 4, {"--processes", "2", "--resume"}));
    ASSERT_EQ(resumed.code, 0) << resumed.errors;
    EXPECT_EQ(weights_of(run + "/model.tar.gz"), weights_of(path("whole/model.tar.gz")));
  }
}

TEST_F(Processes, AKilledLauncherTakesAllAlong) {
  std::map<int, pid_t> ranks;
  Program program(folder_.path(), train(path("run"), 400));
  ASSERT_TRUE(program.wait_until([&] { return lines(path("run/metrics.jsonl")) >= 1; })) << program.errors();
  ranks = ranks_of(program.pid());
  ASSERT_EQ(ranks.size(), 2u);
  program.send(SIGKILL);
  EXPECT_EQ(program.wait().code, 1000 + SIGKILL);
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  for (const auto& [rank, pid] : ranks) {
    while (!is_gone(pid) && std::chrono::steady_clock::now() < deadline) ::usleep(2000);  // a poll's step
    EXPECT_TRUE(is_gone(pid)) << rank;
  }
}

TEST_F(Processes, SigtermStopsAllAndResumeGoesOn) {
  Program program(folder_.path(), train(path("run"), 500));
  ASSERT_TRUE(program.wait_until([&] { return lines(path("run/metrics.jsonl")) >= 1; })) << program.errors();
  program.send(SIGTERM);
  const Answer answer = program.wait(std::chrono::seconds(60));
  EXPECT_EQ(answer.code, 128 + SIGTERM);
  EXPECT_THAT(answer.errors,
              AllOf(HasSubstr("stopped in epoch"), HasSubstr("the same command with --resume")));
  EXPECT_TRUE(fs::exists(path("run/checkpoints/checkpoint.safetensors")));
}

TEST_F(Processes, ErrorsAreSaidOnce) {
  // Usage, before anything starts.
  const Answer many = run_program(folder_.path(), train(path("run"), 1, {"--processes", "5"}));
  EXPECT_EQ(many.code, 2);
  EXPECT_THAT(many.errors, HasSubstr("--processes 5 and mini_batch_size 4"));
  // What every process finds.
  const Answer data = run_program(folder_.path(), {"train", "--data", path("none"), "--output", path("run"),
                                                   "--processes", "2", "-H", "num_classes=3"});
  EXPECT_EQ(data.code, 1);
  const std::size_t first = data.errors.find("error:");
  ASSERT_NE(first, std::string::npos) << data.errors;
  EXPECT_EQ(data.errors.find("error:", first + 1), std::string::npos) << data.errors;
}

// Two hosts of a SageMaker job, both on this machine.
TEST_F(Processes, HostsOfAContainerBecomeRanks) {
  const nlohmann::json values = {{"backbone", "\"mobilenet-v2\""},
                                 {"num_classes", "3"},
                                 {"num_training_samples", "10"},
                                 {"crop_size", "64"},
                                 {"base_size", "96"},
                                 {"mini_batch_size", "5"},
                                 {"epochs", "2"},
                                 {"skip_channels", "0"},
                                 {"threads", "1"},
                                 {"use_pretrained_model", "\"False\""}};
  for (const char* host : {"127.0.0.1", "127.0.0.2"}) {
    const fs::path root = path(host);
    ASSERT_TRUE(write_file_atomically(root / "input/config/hyperparameters.json", values.dump()));
    ASSERT_TRUE(write_file_atomically(
        root / "input/config/resourceconfig.json",
        nlohmann::json{
            {"current_host", host}, {"hosts", {"127.0.0.2", "127.0.0.1"}}, {"network_interface_name", "lo"}}
            .dump()));
    fs::create_directories(root / "input/data");
    for (const char* channel : {"train", "train_annotation", "validation", "validation_annotation"})
      fs::copy(fs::path(data()) / channel, root / "input/data" / channel, fs::copy_options::recursive);
  }
  ASSERT_EQ(::setenv("MASTER_PORT", std::to_string(free_port()).c_str(), 1), 0);
  Program second(folder_.path(), {"train", "--container", "--root", path("127.0.0.2"), "--quiet"});
  Program first(folder_.path(), {"train", "--container", "--root", path("127.0.0.1"), "--quiet"});
  ::unsetenv("MASTER_PORT");
  const Answer a = first.wait(), b = second.wait();
  EXPECT_EQ(a.code, 0) << a.errors;
  EXPECT_EQ(b.code, 0) << b.errors;
  EXPECT_THAT(a.output, HasSubstr("[epoch 2/2] train:loss="));
  EXPECT_EQ(b.output, "") << "the first host speaks";
  const auto package = artifacts::read_model_package(path("127.0.0.1/model"));
  ASSERT_TRUE(package) << package.error().message;
  EXPECT_EQ(package->spec.training.at("processes"), 2);
  EXPECT_FALSE(fs::exists(path("127.0.0.2/model/config.json")));
  EXPECT_FALSE(fs::exists(path("127.0.0.2/output/failure")));
}

}  // namespace
}  // namespace terrapin::flow
