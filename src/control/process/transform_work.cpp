#include "control/process/transform_work.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <charconv>
#include <condition_variable>
#include <cstdlib>
#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>
#include <thread>
#include <utility>

#include "base/child_process.h"
#include "base/files.h"
#include "base/interrupt.h"
#include "base/parallel.h"
#include "control/instance_client.h"
#include "control/models.h"
#include "control/process/child_environment.h"
#include "control/process/phases.h"
#include "control/process/saying.h"
#include "control/process/training_work.h"
#include "control/process/transfer.h"

namespace terrapin::control {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;
using Steady = std::chrono::steady_clock;

constexpr const char* kModelFile = "model.tar.gz";
constexpr milliseconds kLook{100};
constexpr std::chrono::seconds kStartLimit{600}, kPingLimit{2}, kEndLimit{20};
constexpr int kMostStarts = 4;  // of a server that crashes
constexpr milliseconds kFirstPause{100}, kLongestPause{5'000};
constexpr std::int64_t kMaxPayloadMb = 100;
constexpr std::string_view kAnyPhoto = "application/x-image";

// Hands on what the server says, and hears its address and why it fails.
class Relay {
 public:
  explicit Relay(Descriptor from) : from_(std::move(from)), thread_([this] { labor(); }) {}
  ~Relay() { thread_.join(); }  // the server has ended: its end of the pipe is closed
  Relay(const Relay&) = delete;
  Relay& operator=(const Relay&) = delete;

  int port() const { return port_.load(); }
  std::string error() const {
    const std::lock_guard lock(mutex_);
    return error_;
  }

 private:
  void labor() {
    std::string pending;
    char buffer[4096];
    for (;;) {
      const ssize_t count = ::read(from_.get(), buffer, sizeof buffer);
      if (count < 0 && errno == EINTR) continue;
      if (count <= 0) break;
      pending.append(buffer, static_cast<std::size_t>(count));
      for (std::size_t end = 0; (end = pending.find('\n')) != std::string::npos; pending.erase(0, end + 1))
        take(pending.substr(0, end));
      // A line without an end must not fill the memory.
      if (pending.size() > kLongestLine) take(std::exchange(pending, {}));
    }
    if (!pending.empty()) take(pending);
  }
  void take(const std::string& line) {
    write_lines(line + "\n");
    constexpr std::string_view kAddress = "terrapin host: http://127.0.0.1:",
                               kError = "terrapin host: error: ";
    if (line.starts_with(kAddress)) {
      int port = 0;
      std::from_chars(line.data() + kAddress.size(), line.data() + line.size(), port);
      port_.store(port);
    } else if (line.starts_with(kError)) {
      const std::lock_guard lock(mutex_);
      error_ = line.substr(kError.size());
    }
  }

  static constexpr std::size_t kLongestLine = 64 << 10;
  Descriptor from_;
  std::atomic<int> port_{0};
  mutable std::mutex mutex_;
  std::string error_;   // guarded by mutex_
  std::thread thread_;  // last: it uses the others
};

// `terrapin host` as a child, under the hosting contract.
class ChildModelServer final : public LocalModelServer {
 public:
  ChildModelServer(std::string program, fs::path folder, const TransformSpec& spec, fs::path model)
      : program_(std::move(program)), folder_(std::move(folder)), spec_(spec), model_(std::move(model)) {}
  ~ChildModelServer() override {
    const std::lock_guard lock(mutex_);
    end();
  }

  Result<int> ensure() override {
    const std::lock_guard lock(mutex_);
    if (child_) {
      TERRAPIN_TRY(const auto ending, child_->wait(milliseconds(0)));
      if (!ending) return relay_->port();
      say("the model server ended: {}", words_of(*ending));
      end();
    }
    std::string last;
    while (starts_ < kMostStarts) {
      ++starts_;
      auto port = start();
      if (port || port.error().code == ErrorCode::kCancelled) return port;
      last = port.error().message;
      end();
      // A model that cannot be loaded will not be loaded the next time.
      if (port.error().code == ErrorCode::kCorrupt) return port;
      say("{}", last);
    }
    return fail(ErrorCode::kCorrupt, "The model server ended {} times; it is not started again. {}", starts_,
                last);
  }

 private:
  static std::string words_of(const ChildEnding& ending) {
    return ending.signal ? fmt::format("signal {}", *ending.signal)
                         : fmt::format("exit code {}", ending.exit_code.value_or(0));
  }

  Result<int> start() {
    TERRAPIN_TRY(const ServerSettings settings, server_settings(spec_.environment));
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) return fail(ErrorCode::kIo, "pipe: error {}", errno);
    Descriptor from(ends[0]), to(ends[1]);
    ChildPlan plan;
    plan.arguments = {program_,        "host",
                      "--model",       model_.string(),
                      "--listen",      "127.0.0.1",
                      "--port",        "0",
                      "--max-batch",   fmt::format("{}", settings.max_batch),
                      "--max-body-mb", fmt::format("{}", std::max<std::int64_t>(64, spec_.max_payload_mb))};
    if (settings.long_side >= 0) {
      plan.arguments.emplace_back("--long-side");
      plan.arguments.push_back(fmt::format("{}", settings.long_side));
    }
    if (const char* cores = std::getenv("OMP_NUM_THREADS"); cores != nullptr) {
      plan.arguments.emplace_back("--threads");
      plan.arguments.emplace_back(cores);
    }
    plan.environment = child_environment();
    plan.folder = folder_.string();
    plan.output = plan.errors = to.get();
    TERRAPIN_TRY(ChildProcess child, ChildProcess::start(plan));
    child_.emplace(std::move(child));
    to = Descriptor();
    relay_.emplace(std::move(from));
    const auto deadline = Steady::now() + kStartLimit;
    InstanceClient client("");
    while (Steady::now() < deadline) {
      if (interrupted()) return fail(ErrorCode::kCancelled, "stopped");
      TERRAPIN_TRY(const auto ending, child_->wait(kLook));
      if (ending) {
        end();  // so that everything that it said was heard
        const bool its_word = ending->exit_code && !said_.empty();
        if (its_word) return fail(ErrorCode::kCorrupt, "The model cannot be served: {}", said_);
        return fail(ErrorCode::kIo, "The model server ended before it was ready: {}", words_of(*ending));
      }
      if (relay_->port() == 0) continue;
      client.set_port(relay_->port());
      const auto answer = client.ask({"GET", "/ping", {}, {}, nullptr}, Steady::now() + kPingLimit);
      if (answer && answer->status == 200) return relay_->port();
    }
    return fail(ErrorCode::kIo, "The model server was not ready within {} s", kStartLimit.count());
  }

  void end() {
    if (child_) {
      child_->signal(SIGTERM);
      static_cast<void>(child_->wait(kEndLimit));
      child_.reset();  // kills what did not end
    }
    if (relay_) said_ = relay_->error();
    relay_.reset();
  }

  const std::string program_;
  const fs::path folder_;
  const TransformSpec& spec_;
  const fs::path model_;
  std::mutex mutex_;
  // guarded by mutex_
  std::optional<ChildProcess> child_;
  std::optional<Relay> relay_;
  std::string said_;
  int starts_ = 0;
};

// Sets a flag once the process is told to stop, for those who wait for an answer.
class StopWatch {
 public:
  explicit StopWatch(std::atomic<bool>& flag) : flag_(flag), thread_([this] { labor(); }) {}
  ~StopWatch() {
    {
      const std::lock_guard lock(mutex_);
      over_ = true;
    }
    wake_.notify_all();
    thread_.join();
  }
  StopWatch(const StopWatch&) = delete;
  StopWatch& operator=(const StopWatch&) = delete;

 private:
  void labor() {
    std::unique_lock lock(mutex_);
    while (!over_ && !interrupted()) wake_.wait_for(lock, kLook);
    if (interrupted()) flag_.store(true);
  }
  std::atomic<bool>& flag_;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool over_ = false;   // guarded by mutex_
  std::thread thread_;  // last: it uses the others
};

// What the server says of a request that it refuses.
std::string words_of(const InstanceAnswer& answer) {
  const auto json = nlohmann::json::parse(answer.body.begin(), answer.body.end(), nullptr, false);
  if (json.is_object() && json.contains("message") && json["message"].is_string())
    return json["message"].get<std::string>();
  return fmt::format("the model server answered with status {}", answer.status);
}

class TransformRun {
 public:
  TransformRun(storage::ObjectStore& objects, const Clock& clock, const TransformWork& work,
               TransformSpec spec)
      : objects_(objects),
        clock_(clock),
        work_(work),
        spec_(std::move(spec)),
        transfer_(objects, spec_.allowed_buckets),
        client_("") {}

  // The failure for people if photos could not be transformed, "" if all could.
  Result<std::string> run() {
    TERRAPIN_TRY(PhaseLog phases, PhaseLog::open(work_.folder, clock_));
    for (const std::string& note : spec_.notes) say("{}", note);
    TERRAPIN_TRY_STATUS(phases.add("Downloading"));
    const fs::path model = fs::absolute(work_.folder) / kModelFile;
    TERRAPIN_TRY(const auto model_name, storage::parse_s3_uri(spec_.model_uri));
    if (const auto got = transfer_.download_object(model_name, model); !got)
      return with_context(got.error(), "Model download failed");
    TERRAPIN_TRY_STATUS(phases.add("Starting"));
    server_ = work_.make_server ? work_.make_server(spec_, model)
                                : std::make_unique<ChildModelServer>(
                                      work_.program, fs::absolute(work_.folder), spec_, model);
    TERRAPIN_TRY(const int port, server_->ensure());
    client_.set_port(port);
    TERRAPIN_TRY_STATUS(ask_for_parameters());
    TERRAPIN_TRY_STATUS(phases.add("Transforming"));
    {
      const StopWatch watch(stop_);
      TERRAPIN_TRY_STATUS(transfer_.for_each(spec_.source, [this](std::vector<SourceObject> group) {
        return transform(without_outputs(group));
      }));
    }
    if (left_out_ > 0)
      say("{} objects were left out: answers of a transform, below its S3OutputPath", left_out_);
    server_.reset();
    if (done_ + failed_ == 0)
      return fail(
          ErrorCode::kNotFound,
          "No S3 objects found under S3 URL \"{}\" given in input data source. Please ensure that the "
          "bucket exists and that objects exist under that S3 prefix.",
          spec_.source.uri);
    say("{} objects transformed, {} failed", done_.load(), failed_.load());
    TERRAPIN_TRY_STATUS(phases.add("Transformed", {{kDoneFact, fmt::format("{}", done_.load())},
                                                   {kFailedFact, fmt::format("{}", failed_.load())}}));
    if (failed_ == 0) return std::string();
    return fmt::format(
        "{}: {} of {} objects could not be transformed, the first of them {}. See job logs for more "
        "information.",
        whose_fault_, failed_.load(), done_ + failed_, first_failure_);
  }

 private:
  // What the task leaves open, the server says.
  Status ask_for_parameters() {
    concurrent_ = spec_.max_concurrent > 0 ? spec_.max_concurrent : 1;
    payload_mb_ = spec_.max_payload_mb > 0 ? spec_.max_payload_mb : kMaxPayloadMb;
    if (spec_.max_concurrent > 0 && spec_.max_payload_mb > 0) return {};
    const auto answer =
        client_.ask({"GET", "/execution-parameters", {}, {}, nullptr}, Steady::now() + kEndLimit);
    if (!answer || answer->status != 200) return {};  // the contract does not ask for it
    const auto json = nlohmann::json::parse(answer->body.begin(), answer->body.end(), nullptr, false);
    const auto number = [&](const char* name, std::int64_t otherwise, std::int64_t most) {
      const auto member = json.is_object() ? json.find(name) : json.end();
      if (member == json.end() || !member->is_number_integer()) return otherwise;
      return std::clamp<std::int64_t>(member->get<std::int64_t>(), 1, most);
    };
    if (spec_.max_concurrent == 0)
      concurrent_ = static_cast<int>(number("MaxConcurrentTransforms", 1, kMostConcurrentTransforms));
    if (spec_.max_payload_mb == 0) payload_mb_ = number("MaxPayloadInMB", kMaxPayloadMb, kMaxPayloadMb);
    say("{} transforms at a time, photos of at most {} MB", concurrent_, payload_mb_);
    return {};
  }

  // Whoever lists a prefix means the photos; a manifest means what it names.
  std::vector<SourceObject> without_outputs(std::vector<SourceObject> group) {
    if (spec_.source.kind == DataSource::Kind::kPrefix)
      left_out_ += static_cast<std::int64_t>(std::erase_if(
          group, [this](const SourceObject& one) { return is_transform_output(spec_, one.object); }));
    return group;
  }

  // Each thread holds one photo's answer; photos are sent from where they lie.
  Status transform(const std::vector<SourceObject>& group) {
    parallel_for(static_cast<std::int64_t>(group.size()), concurrent_, [&](std::int64_t index) {
      if (stop_.load() || interrupted() || is_broken()) return;
      const SourceObject& object = group[static_cast<std::size_t>(index)];
      const Status transformed = transform_one(object);
      if (transformed) {
        ++done_;
      } else if (transformed.error().code != ErrorCode::kCancelled) {
        note_failure(object, transformed.error());
      }
    });
    if (interrupted()) return fail(ErrorCode::kCancelled, "stopped");
    const std::lock_guard lock(mutex_);
    if (broken_) return tl::unexpected<Error>(*broken_);
    return {};
  }

  Status transform_one(const SourceObject& object) {
    TERRAPIN_TRY(const storage::OpenObject opened, objects_.get(object.object));
    if (opened.content->size() > payload_mb_ << 20)
      return fail(ErrorCode::kTooLarge, "it has {} bytes; MaxPayloadInMB allows {} MB",
                  opened.content->size(), payload_mb_);
    TERRAPIN_TRY(InstanceAnswer answer, ask(*opened.content));
    if (spec_.join_lines) answer.body.push_back('\n');
    TERRAPIN_TRY(const auto name,
                 storage::parse_s3_uri(transform_output_uri(spec_, object.file.generic_string())));
    const std::string type(answer.field("content-type"));
    const auto stored = objects_.put(name, *bytes_source(std::move(answer.body)),
                                     type.empty() ? std::string("binary/octet-stream") : type);
    if (stored) return {};
    // What cannot be stored now cannot be stored for the others either.
    const Error error{stored.error().code,
                      fmt::format("{}: {}", storage::s3_uri(name), stored.error().message)};
    const std::lock_guard lock(mutex_);
    if (!broken_) broken_ = error;
    return tl::unexpected<Error>(error);
  }

  // kInvalidArgument for what the server refuses, kIo for what it could not do.
  Result<InstanceAnswer> ask(const ByteSource& photo) {
    const std::string type = spec_.content_type.empty() ? std::string(kAnyPhoto) : spec_.content_type;
    InstanceRequest request{"POST", "/invocations", {{"Content-Type", type}}, {}, &photo};
    if (!spec_.accept.empty()) request.fields.emplace_back("Accept", spec_.accept);
    std::string last;
    milliseconds pause = kFirstPause;
    for (int attempt = 0; attempt <= spec_.retries; ++attempt) {
      if (attempt > 0 && !rest(pause)) return fail(ErrorCode::kCancelled, "stopped");
      if (attempt > 0) pause = std::min(2 * pause, kLongestPause);
      auto answer = client_.ask(request, Steady::now() + std::chrono::seconds(spec_.timeout_s), &stop_);
      if (answer && answer->status == 200) return std::move(*answer);
      if (answer && answer->status < 500 && answer->status != 408 && answer->status != 429)
        return fail(ErrorCode::kInvalidArgument, "{}", words_of(*answer));
      last = answer ? words_of(*answer) : answer.error().message;
      if (answer) continue;
      using Kind = InstanceFault::Kind;
      if (answer.error().kind == Kind::kAbandoned) return fail(ErrorCode::kCancelled, "stopped");
      if (answer.error().kind == Kind::kTooLarge || answer.error().kind == Kind::kBody) break;
      // It may have crashed.
      const auto port = server_->ensure();
      if (!port) {
        const std::lock_guard lock(mutex_);
        if (!broken_) broken_ = port.error();
        return tl::unexpected<Error>(port.error());
      }
      client_.set_port(*port);
    }
    return fail(ErrorCode::kIo, "{}", last);
  }

  // False: told to stop meanwhile.
  bool rest(milliseconds time) const {
    const auto end = Steady::now() + time;
    while (Steady::now() < end) {
      if (stop_.load()) return false;
      std::this_thread::sleep_for(std::min<Steady::duration>(end - Steady::now(), kLook));
    }
    return true;
  }

  bool is_broken() {
    const std::lock_guard lock(mutex_);
    return broken_.has_value();
  }

  void note_failure(const SourceObject& object, const Error& error) {
    const std::string words = fmt::format("{}: {}", storage::s3_uri(object.object), error.message);
    say("failed: {}", words);
    ++failed_;
    const std::lock_guard lock(mutex_);
    if (!first_failure_.empty()) return;
    first_failure_ = words;
    whose_fault_ =
        error.code == ErrorCode::kIo || error.code == ErrorCode::kInternal ? "AlgorithmError" : "ClientError";
  }

  storage::ObjectStore& objects_;
  const Clock& clock_;
  const TransformWork& work_;
  const TransformSpec spec_;
  Transfer transfer_;
  InstanceClient client_;
  std::unique_ptr<LocalModelServer> server_;
  int concurrent_ = 1;
  std::int64_t payload_mb_ = kMaxPayloadMb, left_out_ = 0;
  std::atomic<bool> stop_{false};
  std::atomic<std::int64_t> done_{0}, failed_{0};
  std::mutex mutex_;
  // guarded by mutex_
  std::optional<Error> broken_;  // nothing more can be done
  std::string first_failure_, whose_fault_;
};

// Whose fault it is, for the one who reads FailureReason.
std::string transform_reason(const Error& error) {
  const char* whose = "ClientError: ";
  if (error.code == ErrorCode::kIo || error.code == ErrorCode::kInternal) whose = "InternalServerError: ";
  if (error.code == ErrorCode::kCorrupt) whose = "AlgorithmError: ";
  return whose + error.message;
}

Result<std::string> work_through(storage::ObjectStore& objects, const Clock& clock,
                                 const TransformWork& work) {
  TERRAPIN_TRY(const std::string text, read_text_file(work.folder / kTaskFile, 16 << 20));
  TERRAPIN_TRY(TransformSpec spec, parse_transform_spec(text));
  return TransformRun(objects, clock, work, std::move(spec)).run();
}

}  // namespace

int run_transform_work(storage::ObjectStore& objects, const Clock& clock, const TransformWork& work) {
  const Result<std::string> failure = work_through(objects, clock, work);
  std::error_code ignored;
  fs::remove(work.folder / kModelFile,
             ignored);  // first: a full disk must not keep the reason from being written
  if (failure && failure->empty()) return 0;
  if (!failure && failure.error().code == ErrorCode::kCancelled && interrupted())
    return 128 + interrupt_signal();
  const std::string reason = failure ? *failure : transform_reason(failure.error());
  say("{}", reason);
  keep_reason(work.folder, reason);
  return 1;
}

}  // namespace terrapin::control
