// Trainings of two real processes against one.
#include <arpa/inet.h>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <cmath>
#include <fstream>
#include <map>
#include <set>
#include <thread>

#include "small_dataset.h"
#include "training/distributed/place.h"
#include "training/distributed/rendezvous.h"

namespace terrapin::training {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using Weights = std::map<std::string, std::vector<float>>;

// One running worker. Killed at the end if it still runs.
class Worker {
 public:
  Worker(const std::vector<std::string>& arguments, const std::vector<std::string>& variables, fs::path said)
      : said_(std::move(said)) {
    std::vector<char*> argv{const_cast<char*>(TERRAPIN_TRAINING_WORKER)};
    for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
    argv.push_back(nullptr);
    std::vector<char*> all;
    for (char** each = environ; *each != nullptr; ++each) all.push_back(*each);
    for (const std::string& variable : variables) all.push_back(const_cast<char*>(variable.c_str()));
    all.push_back(nullptr);
    const std::string out = said_.string() + ".out", err = said_.string() + ".err";
    pid_ = ::fork();
    if (pid_ != 0) return;
    ::dup2(::open(out.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600), STDOUT_FILENO);
    ::dup2(::open(err.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600), STDERR_FILENO);
    ::execve(argv[0], argv.data(), all.data());
    ::_exit(127);
  }
  ~Worker() {
    if (!running()) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, &status_, 0);
  }
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  pid_t pid() const { return pid_; }
  bool running() {
    if (!ended_ && ::waitpid(pid_, &status_, WNOHANG) == pid_) ended_ = true;
    return !ended_;
  }
  bool wait_until(const std::function<bool()>& condition) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(240);
    while (!condition()) {
      if (std::chrono::steady_clock::now() > deadline) return false;
      ::usleep(2000);  // the poll's step, not a guess at how long the work takes
    }
    return true;
  }
  // The exit code, or 1000 + signal.
  int wait() {
    if (!wait_until([this] { return !running(); })) return 1000;
    return WIFEXITED(status_) ? WEXITSTATUS(status_) : 1000 + WTERMSIG(status_);
  }
  std::string output() const { return read_text_file(said_.string() + ".out").value_or(""); }
  std::string errors() const { return read_text_file(said_.string() + ".err").value_or(""); }

 private:
  fs::path said_;
  pid_t pid_ = -1;
  int status_ = 0;
  bool ended_ = false;
};

class Together : public testing::Test {
 protected:
  Together() { write_small_dataset(folder_.path()); }

  // The same training in `size` processes, each under a name of its own. They meet at a place that the test
  // keeps.
  std::vector<std::unique_ptr<Worker>> start(int size, const nlohmann::json& choices) {
    const fs::path file = folder_.path() / fmt::format("choices-{}.json", count_);
    EXPECT_TRUE(write_file_atomically(file, choices.dump()));
    if (size > 1) {
      auto server = RendezvousServer::start("127.0.0.1", 0);
      EXPECT_TRUE(server) << server.error().message;
      meeting_ = std::move(*server);
    }
    std::vector<std::unique_ptr<Worker>> workers;
    for (int rank = 0; rank < size; ++rank) {
      std::vector<std::string> variables{"OMP_WAIT_POLICY=passive", "OMP_NUM_THREADS=1"};
      if (size > 1) {
        variables.insert(variables.end(), {fmt::format("WORLD_SIZE={}", size), fmt::format("RANK={}", rank),
                                           fmt::format("LOCAL_RANK={}", rank), "MASTER_ADDR=127.0.0.1",
                                           fmt::format("MASTER_PORT={}", meeting_->port()),
                                           std::string(kLauncherMeets) + "=1"});
      }
      workers.push_back(
          std::make_unique<Worker>(std::vector<std::string>{folder_.path(), file, result(count_, rank)},
                                   variables, folder_.path() / fmt::format("said-{}-{}", count_, rank)));
    }
    ++count_;
    return workers;
  }

  // Runs it to its end. Returns the number under which results lie.
  int train(int size, const nlohmann::json& choices) {
    auto workers = start(size, choices);
    for (auto& worker : workers) EXPECT_EQ(worker->wait(), 0) << worker->errors();
    return count_ - 1;
  }

  fs::path result(int run, int rank) const {
    return folder_.path() / fmt::format("result-{}-{}.safetensors", run, rank);
  }
  std::string bytes(int run, int rank) const {
    return read_text_file(result(run, rank), std::int64_t{1} << 30).value_or("");
  }
  nlohmann::json report(int run, int rank) const {
    return nlohmann::json::parse(read_text_file(result(run, rank).string() + ".json").value_or("null"));
  }
  Weights weights(int run) const {
    Weights all;
    const auto file = artifacts::read_safetensors(result(run, 0));
    EXPECT_TRUE(file) << file.error().message;
    if (!file) return all;
    for (const auto& [name, tensor] : file->tensors) all[name] = artifacts::to_float32(tensor).value();
    return all;
  }

  TemporaryFolder folder_;
  std::unique_ptr<RendezvousServer> meeting_;
  int count_ = 0;
};

// How far b is from a, as a part of how far a went from where it began.
double distance(const Weights& a, const Weights& b, const Weights& start) {
  double apart = 0, moved = 0;
  for (const auto& [name, values] : a) {
    const auto& other = b.at(name);
    const auto& first = start.at(name);
    for (std::size_t i = 0; i < values.size(); ++i) {
      apart += std::pow(static_cast<double>(values[i]) - other[i], 2);
      moved += std::pow(static_cast<double>(values[i]) - first[i], 2);
    }
  }
  return std::sqrt(apart / moved);
}

double largest_loss_difference(const nlohmann::json& a, const nlohmann::json& b) {
  double largest = 0;
  EXPECT_EQ(a["losses"].size(), b["losses"].size());
  for (std::size_t i = 0; i < a["losses"].size(); ++i)
    largest = std::max(largest, std::abs(a["losses"][i].get<double>() - b["losses"][i].get<double>()));
  return largest;
}

// Cross-entropy with class weights, Dice, clipping, moving average; parts of 3 and 2 crops; six steps.
TEST_F(Together, TwoProcessesEqualOneWithoutNorms) {
  // At 0.02 the loss rises at the fourth step, and what differs in the last bit then grows tenfold a step.
  const nlohmann::json choices{
      {"batch_size", 5}, {"epochs", 3}, {"optimizer", "sgd"}, {"learning_rate", 0.001}};
  nlohmann::json still = choices;
  still["learning_rate"] = 1e-12;
  const Weights start = weights(train(1, still));
  const int one = train(1, choices), two = train(2, choices);
  EXPECT_LT(largest_loss_difference(report(one, 0), report(two, 0)), 1e-5);
  const double apart = distance(weights(one), weights(two), start);
  RecordProperty("apart", std::to_string(apart));
  EXPECT_LT(apart, 1e-4);
  EXPECT_EQ(bytes(two, 0), bytes(two, 1)) << "every process has the same weights, to the bit";
  EXPECT_EQ(report(two, 0)["losses"], report(two, 1)["losses"]);
  // Scores are sums of whole numbers, of all photos.
  const auto validation = report(two, 0)["epochs"].back()["validation"];
  EXPECT_EQ(validation["photos"].size(), 2u);
  EXPECT_EQ(validation["confusion"], report(two, 1)["epochs"].back()["validation"]["confusion"]);
}

// ResNet-50: batch norm, dropout, an auxiliary head.
TEST_F(Together, SynchronizedNormsEqualOneProcess) {
  nlohmann::json choices{{"backbone", "resnet-50"}, {"algorithm", "fcn"}, {"auxiliary_head", true},
                         {"batch_size", 6},         {"epochs", 3},        {"optimizer", "sgd"},
                         {"learning_rate", 1e-3},   {"syncbn", true}};
  nlohmann::json still = choices;
  still["learning_rate"] = 1e-12;
  still["epochs"] = 1;
  const Weights start = weights(train(1, still));
  const int one = train(1, choices), two = train(2, choices);
  const double losses = largest_loss_difference(report(one, 0), report(two, 0));
  const double apart = distance(weights(one), weights(two), start);
  RecordProperty("losses", std::to_string(losses));
  RecordProperty("apart", std::to_string(apart));
  EXPECT_LT(losses, 1e-3);
  EXPECT_LT(apart, 1e-2);
  EXPECT_EQ(bytes(two, 0), bytes(two, 1));
  // Without it each process normalises its own three crops: another training.
  choices["syncbn"] = false;
  const int apart_norms = train(2, choices);
  EXPECT_GT(largest_loss_difference(report(one, 0), report(apart_norms, 0)), 1e-2);
  EXPECT_EQ(bytes(apart_norms, 0), bytes(apart_norms, 1)) << "running statistics are averaged";
}

TEST_F(Together, SameSeedSameBytes) {
  const nlohmann::json choices{{"epochs", 2}};
  const int first = train(2, choices), second = train(2, choices);
  EXPECT_FALSE(bytes(first, 0).empty());
  EXPECT_EQ(bytes(first, 0), bytes(second, 0));
}

TEST_F(Together, AStoppedTrainingGoesOnAsIfItHadNotBeen) {
  nlohmann::json choices{{"epochs", 3}};
  const int whole = train(2, choices);
  choices["checkpoint_folder"] = (folder_.path() / "checkpoints").string();
  choices["stop_after"] = 3;
  choices["stopped_rank"] = 1;  // one that does not write the checkpoint
  auto stopped = start(2, choices);
  for (auto& worker : stopped) EXPECT_EQ(worker->wait(), 3) << worker->errors();
  EXPECT_THAT(stopped[0]->errors(), HasSubstr("stopped in epoch 2 after 1 of 2 steps"));
  choices.erase("stop_after");
  const int resumed = train(2, choices);
  EXPECT_EQ(report(resumed, 0)["losses"].size(), 3u);
  EXPECT_EQ(bytes(whole, 0), bytes(resumed, 0));
}

TEST_F(Together, AKilledProcessEndsTheOtherWhichSaysSo) {
  auto workers = start(2, {{"epochs", 1000}});
  ASSERT_TRUE(workers[0]->wait_until([&] {
    return workers[0]->output().find("step 2\n") != std::string::npos || !workers[0]->running();
  })) << workers[0]->errors();
  ::kill(workers[1]->pid(), SIGKILL);
  const auto killed = std::chrono::steady_clock::now();
  EXPECT_EQ(workers[0]->wait(), 4) << workers[0]->errors();
  EXPECT_LT(std::chrono::steady_clock::now() - killed, std::chrono::seconds(60));
  EXPECT_THAT(workers[0]->errors(), HasSubstr("process 0 of 2 lost another process of this training"));
}

TEST_F(Together, OtherDataInOneProcessIsSaid) {
  auto workers = start(2, {{"epochs", 1}, {"other_data_in_rank", 1}});
  EXPECT_EQ(workers[1]->wait(), 1);
  EXPECT_THAT(workers[1]->errors(), HasSubstr("the digest of the data is"));
  EXPECT_EQ(workers[0]->wait(), 4);
  EXPECT_THAT(workers[0]->errors(), HasSubstr("another process of this training failed"));
}

TEST_F(Together, ABatchSmallerThanTheProcessesIsRefused) {
  auto workers = start(3, {{"epochs", 1}, {"batch_size", 2}});
  for (auto& worker : workers) {
    EXPECT_EQ(worker->wait(), 1);
    EXPECT_THAT(worker->errors(), HasSubstr("batch_size is 2 for 3 processes"));
  }
}

// The local ends of the TCP sockets of a process that listen, and of all, from the kernel's table.
struct Sockets {
  std::set<std::string> listening, all;
};
Sockets sockets_of(pid_t pid) {
  std::set<std::string> inodes;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator("/proc/" + std::to_string(pid) + "/fd", ignored)) {
    const std::string target = fs::read_symlink(entry.path(), ignored).string();
    if (target.starts_with("socket:[")) inodes.insert(target.substr(8, target.size() - 9));
  }
  Sockets sockets;
  for (const char* table : {"/proc/net/tcp", "/proc/net/tcp6"}) {
    std::ifstream in(table);
    std::string line;
    std::getline(in, line);
    while (std::getline(in, line)) {
      std::istringstream words(line);
      std::vector<std::string> word{std::istream_iterator<std::string>(words), {}};
      if (word.size() < 10 || !inodes.contains(word[9])) continue;
      const std::string address = word[1].substr(0, word[1].find(':'));
      sockets.all.insert(address);
      if (word[3] == "0A") sockets.listening.insert(address);
    }
  }
  return sockets;
}

TEST_F(Together, NothingListensBeyondTheLoopback) {
  auto workers = start(2, {{"epochs", 1000}});
  Sockets seen;
  // From the first moment to the third step.
  ASSERT_TRUE(workers[0]->wait_until([&] {
    for (auto& worker : workers) {
      const Sockets now = sockets_of(worker->pid());
      seen.all.insert(now.all.begin(), now.all.end());
      seen.listening.insert(now.listening.begin(), now.listening.end());
    }
    return workers[0]->output().find("step 3\n") != std::string::npos || !workers[0]->running();
  }));
  ASSERT_TRUE(workers[0]->running()) << workers[0]->errors();
  const std::set<std::string> loopback{"0100007F"};  // 127.0.0.1 as the kernel prints it
  EXPECT_EQ(seen.all, loopback);
  // gloo listens for its peers for so short a time that a look may miss it.
  for (const std::string& address : seen.listening) EXPECT_TRUE(loopback.contains(address)) << address;
}

Variables variables(std::map<std::string, std::string> values) {
  return [values = std::move(values)](const std::string& name) {
    const auto found = values.find(name);
    return found == values.end() ? std::string() : found->second;
  };
}

TEST(Place, ComputesWithWhatItWasTold) {
  EXPECT_EQ(threads_told(variables({{"OMP_NUM_THREADS", "3"}})), 3);
  for (const char* text : {"", "0", "-1", "4,2", "many"})
    EXPECT_EQ(threads_told(variables({{"OMP_NUM_THREADS", text}})), 0) << text;
}

TEST(Place, IsThatOfTheEnvironment) {
  EXPECT_TRUE(place_from(variables({}))->alone());
  EXPECT_TRUE(place_from(variables({{"WORLD_SIZE", "1"}, {"RANK", "0"}}))->alone());
  EXPECT_TRUE(place_from(variables({{"RANK", "3"}}))->alone())
      << "without WORLD_SIZE it means something else";
  std::map<std::string, std::string> all{{"WORLD_SIZE", "4"},           {"RANK", "3"},
                                         {"LOCAL_RANK", "1"},           {"LOCAL_WORLD_SIZE", "2"},
                                         {"MASTER_ADDR", "algo-1"},     {"MASTER_PORT", "7777"},
                                         {"GLOO_SOCKET_IFNAME", "eth0"}};
  const auto place = place_from(variables(all));
  ASSERT_TRUE(place) << place.error().message;
  EXPECT_EQ(place->rank, 3);
  EXPECT_EQ(place->local_rank, 1);
  EXPECT_EQ(place->local_size, 2);
  EXPECT_EQ(place->master, "algo-1");
  EXPECT_EQ(place->interface_name, "eth0");
  EXPECT_FALSE(place->serves);
  all["RANK"] = "0";
  EXPECT_TRUE(place_from(variables(all))->serves);
  for (const auto& [name, value, message] : std::vector<std::tuple<std::string, std::string, std::string>>{
           {"RANK", "4", "RANK is \"4\": allowed are 0 to 3"},
           {"RANK", "", "RANK is not set"},
           {"WORLD_SIZE", "two", "WORLD_SIZE is \"two\""},
           {"MASTER_ADDR", "", "MASTER_ADDR is not set"},
           {"MASTER_PORT", "70000", "MASTER_PORT is \"70000\": allowed are 1 to 65535"}}) {
    auto bad = all;
    bad[name] = value;
    EXPECT_THAT(place_from(variables(bad)).error().message, HasSubstr(message));
  }
}

TEST(Place, ListensOnOneAddress) {
  Place place;
  place.world_size = 2;
  place.master = "127.0.0.1";
  place.port = 1;
  EXPECT_EQ(listening_address(place).value_or(""), "127.0.0.1");
  place.interface_name = "lo";
  EXPECT_EQ(listening_address(place).value_or(""), "127.0.0.1");
  place.interface_name = "no-such-0";
  EXPECT_THAT(listening_address(place).error().message,
              testing::AllOf(HasSubstr("network interface no-such-0: there is none"), HasSubstr("lo")));
}

TEST(Rendezvous, KeepsWhatIsSaid) {
  const auto server = RendezvousServer::start("127.0.0.1", 0);
  ASSERT_TRUE(server) << server.error().message;
  const auto client = RendezvousClient::connect("127.0.0.1", (*server)->port(), std::chrono::seconds(20));
  const auto other = RendezvousClient::connect("127.0.0.1", (*server)->port(), std::chrono::seconds(20));
  ASSERT_TRUE(client && other);
  const std::string value(1 << 20, '\1');
  std::thread later([&] { EXPECT_TRUE((*other)->set("key", value)); });
  EXPECT_EQ((*client)->get("key", std::chrono::seconds(20)).value_or(""), value)
      << "a question waits for its key";
  later.join();
  EXPECT_TRUE((*client)->has("key").value_or(false));
  EXPECT_FALSE((*client)->has("none").value_or(true));
  EXPECT_EQ((*client)->add("count", 2).value_or(0), 2);
  EXPECT_EQ((*other)->add("count", -3).value_or(0), -1);
  EXPECT_FALSE((*client)->set("key", value + "1")) << "above the limit";
  EXPECT_FALSE((*client)->get("none", std::chrono::milliseconds(1)));
  EXPECT_THAT((*client)->has("key").error().message, HasSubstr("is gone"))
      << "its answer may still be on its way";
}

// Whatever is sent to it, others are served on.
TEST(RendezvousHostile, RandomBytesEndTheirConnectionAlone) {
  const auto server = RendezvousServer::start("127.0.0.1", 0);
  ASSERT_TRUE(server) << server.error().message;
  const auto client = RendezvousClient::connect("127.0.0.1", (*server)->port(), std::chrono::seconds(20));
  ASSERT_TRUE(client) << client.error().message;
  Random random(7);
  for (int round = 0; round < 200; ++round) {
    const Descriptor socket(::socket(AF_INET, SOCK_STREAM, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>((*server)->port()));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ASSERT_EQ(::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    std::string bytes(static_cast<std::size_t>(random.below(64)), '\0');
    for (char& byte : bytes) byte = static_cast<char>(random.below(256));
    if (!bytes.empty() && random.below(2) == 0) bytes[0] = "SGHA"[random.below(4)];
    if (bytes.size() > 9 && random.below(2) == 0) bytes.replace(1, 8, std::string("\3\0\0\0\2\0\0\0", 8));
    ::send(socket.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    ASSERT_EQ((*client)->add("rounds", 1).value_or(0), round + 1);
  }
}

}  // namespace
}  // namespace terrapin::training
