#include "training/distributed/process_group.h"

#include <torch/torch.h>

#include <algorithm>
#include <vector>

#include "base/interrupt.h"
#include "training/distributed/rendezvous.h"

#ifdef TERRAPIN_WITH_GLOO
// libtorch's headers show these classes only to who says that the library has them.
#ifndef USE_C10D_GLOO
#define USE_C10D_GLOO
#endif
#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>
#ifdef TERRAPIN_WITH_NCCL
#ifndef USE_C10D_NCCL
#define USE_C10D_NCCL
#endif
#include <torch/csrc/distributed/c10d/PrefixStore.hpp>
#include <torch/csrc/distributed/c10d/ProcessGroupNCCL.hpp>
#endif
#endif

namespace terrapin::training {

Status ProcessGroup::agree(const Status& own) {
  torch::Tensor flags = torch::zeros({2}, torch::kLong);
  auto* flag = flags.data_ptr<std::int64_t>();
  if (!own) flag[own.error().code == ErrorCode::kCancelled ? 0 : 1] = 1;
  sum(flags);
  if (!own) return own;
  TERRAPIN_TRY_STATUS(status());
  if (flag[1] > 0) {
    told_of_failure_ = true;
    return fail(ErrorCode::kIo, "another process of this training failed; its own message says why");
  }
  if (flag[0] > 0) return fail(ErrorCode::kCancelled, "another process of this training was told to stop");
  return {};
}

Result<std::string> ProcessGroup::broadcast_text(const std::string& text) {
  torch::Tensor length = torch::full({1}, static_cast<std::int64_t>(text.size()), torch::kLong);
  broadcast(length);
  TERRAPIN_TRY_STATUS(status());
  std::string result(static_cast<std::size_t>(length.item<std::int64_t>()), '\0');
  if (rank() == 0) result = text;
  // In pieces: what is sent lies twice in memory meanwhile.
  constexpr std::size_t kPiece = 64 << 20;
  for (std::size_t begin = 0; begin < result.size(); begin += kPiece) {
    const auto count = static_cast<std::int64_t>(std::min(kPiece, result.size() - begin));
    torch::Tensor piece = torch::from_blob(result.data() + begin, {count}, torch::kByte);
    broadcast(piece);
    TERRAPIN_TRY_STATUS(status());
  }
  return result;
}

int gpu_count() {
  return torch::cuda::is_available() ? static_cast<int>(torch::cuda::device_count()) : 0;
}

#ifdef TERRAPIN_WITH_GLOO
namespace {

using Milliseconds = std::chrono::milliseconds;

// Our meeting point as c10d wants it. What cannot be kept is an exception there.
class MeetingStore final : public c10d::Store {
 public:
  MeetingStore(std::shared_ptr<RendezvousClient> client, Milliseconds timeout)
      : c10d::Store(timeout), client_(std::move(client)) {}

  void set(const std::string& key, const std::vector<std::uint8_t>& value) override {
    must(client_->set(key, std::string(value.begin(), value.end())));
  }
  std::vector<std::uint8_t> get(const std::string& key) override {
    const std::string value = must(client_->get(key, timeout_));
    return {value.begin(), value.end()};
  }
  std::int64_t add(const std::string& key, std::int64_t value) override {
    return must(client_->add(key, value));
  }
  bool check(const std::vector<std::string>& keys) override {
    return std::all_of(keys.begin(), keys.end(),
                       [this](const std::string& key) { return must(client_->has(key)); });
  }
  void wait(const std::vector<std::string>& keys) override { wait(keys, timeout_); }
  void wait(const std::vector<std::string>& keys, const Milliseconds& timeout) override {
    for (const std::string& key : keys) (void)must(client_->get(key, timeout));
  }
  bool deleteKey(const std::string&) override { return false; }
  std::int64_t getNumKeys() override { return 0; }
#if TORCH_VERSION_MAJOR > 2 || (TORCH_VERSION_MAJOR == 2 && TORCH_VERSION_MINOR >= 8)
  c10::intrusive_ptr<c10d::Store> clone() override {
    return c10::make_intrusive<MeetingStore>(client_, timeout_);
  }
#endif

 private:
  static void must(const Status& status) {
    if (!status) throw std::runtime_error(status.error().message);
  }
  template <class T>
  static T must(Result<T> result) {
    if (!result) throw std::runtime_error(result.error().message);
    return std::move(*result);
  }
  const std::shared_ptr<RendezvousClient> client_;
};

class TorchGroup final : public ProcessGroup {
 public:
  TorchGroup(const Place& place, std::unique_ptr<RendezvousServer> server,
             std::shared_ptr<RendezvousClient> client, const std::string& address, const Patience& patience)
      : place_(place), server_(std::move(server)) {
    const auto store = c10::make_intrusive<MeetingStore>(std::move(client), patience.meeting);
    auto options = c10d::ProcessGroupGloo::Options::create(patience.exchange);
    options->devices.push_back(c10d::ProcessGroupGloo::createDeviceForHostname(address));
    options->threads = 2;
    gloo_ = c10::make_intrusive<c10d::ProcessGroupGloo>(store, place.rank, place.world_size, options);
#ifdef TERRAPIN_WITH_NCCL
    if (gpu_count() > place.local_rank) {
      // Keys of its own.
      nccl_ = c10::make_intrusive<c10d::ProcessGroupNCCL>(
          c10::make_intrusive<c10d::PrefixStore>("nccl", store), place.rank, place.world_size);
    }
#endif
  }
  ~TorchGroup() override {
    (void)wait_for_all();
  }

  const Place& place() const override {
    return place_;
  }
  Status status() const override {
    return status_;
  }

  void sum(at::Tensor& tensor) override {
    run([&] {
      exchange(tensor, [this](std::vector<at::Tensor>& each) {
        return has_nccl(each[0]) ? nccl_sum(each) : gloo_->allreduce(each);
      });
    });
  }

  void broadcast(at::Tensor& tensor) override {
    run([&] {
      exchange(tensor, [this](std::vector<at::Tensor>& each) {
        return has_nccl(each[0]) ? nccl_broadcast(each) : gloo_->broadcast(each);
      });
    });
  }

  void begin_sum(const at::Tensor& tensor) override {
    run([&] {
      at::Tensor own = tensor;
      if (own.is_cuda() && !has_nccl(own)) {
        sum(own);
        return;
      }
      std::vector<at::Tensor> each{own};
      works_.push_back(has_nccl(own) ? nccl_sum(each) : gloo_->allreduce(each));
    });
  }

  void finish_sums() override {
    run([&] { wait_for_all_or_throw(); });
  }

 private:
  using Pending = c10::intrusive_ptr<c10d::Work>;

  // Blocks until the exchange is done; a CUDA tensor without NCCL goes through the CPU.
  template <class Exchange>
  void exchange(at::Tensor& tensor, const Exchange& start) {
    const bool staged = tensor.is_cuda() && !has_nccl(tensor);
    std::vector<at::Tensor> each{staged ? tensor.cpu() : tensor.contiguous()};
    start(each)->wait();
    if (!each[0].is_same(tensor)) tensor.copy_(each[0]);
  }

#ifdef TERRAPIN_WITH_NCCL
  bool has_nccl(const at::Tensor& tensor) const {
    return nccl_ && tensor.is_cuda();
  }
  Pending nccl_sum(std::vector<at::Tensor>& each) {
    return nccl_->allreduce(each);
  }
  Pending nccl_broadcast(std::vector<at::Tensor>& each) {
    return nccl_->broadcast(each);
  }
#else
  static bool has_nccl(const at::Tensor&) {
    return false;
  }
  static Pending nccl_sum(std::vector<at::Tensor>&) {
    return {};
  }
  static Pending nccl_broadcast(std::vector<at::Tensor>&) {
    return {};
  }
#endif

  void wait_for_all_or_throw() {
    for (const Pending& work : works_) work->wait();
    works_.clear();
  }
  // The threads of c10d write to the tensors until their work is over, also after a failure.
  bool wait_for_all() {
    bool good = true;
    for (const Pending& work : works_) {
      try {
        work->wait();
      } catch (const std::exception&) {
        good = false;
      }
    }
    works_.clear();
    return good;
  }

  template <class Body>
  void run(const Body& body) {
    if (!status_) return;
    try {
      torch::NoGradGuard no_gradients;
      body();
    } catch (const std::exception& error) {
      (void)wait_for_all();
      const std::string text = error.what();
      status_ = fail(ErrorCode::kIo, "process {} of {} lost another process of this training: {}", rank(),
                     size(), text.substr(0, text.find('\n')));
    }
  }

  const Place place_;
  const std::unique_ptr<RendezvousServer> server_;  // of rank 0 without a launcher
  c10::intrusive_ptr<c10d::ProcessGroupGloo> gloo_;
#ifdef TERRAPIN_WITH_NCCL
  c10::intrusive_ptr<c10d::ProcessGroupNCCL> nccl_;
#endif
  std::vector<Pending> works_;
  Status status_;
};

// Everybody says how many they are, and waits until all have come: who is missing can then be named.
Status meet(RendezvousClient& client, const Place& place, Milliseconds timeout) {
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  const auto name = [](int rank) { return "terrapin/process/" + std::to_string(rank); };
  TERRAPIN_TRY(const std::int64_t same, client.add(name(place.rank) + "/count", 1));
  if (same > 1) return fail(ErrorCode::kInvalidArgument, "RANK {} is given to two processes", place.rank);
  TERRAPIN_TRY_STATUS(client.set(name(place.rank), std::to_string(place.world_size)));
  for (int rank = 0; rank < place.world_size; ++rank) {
    const auto left = std::chrono::duration_cast<Milliseconds>(deadline - std::chrono::steady_clock::now());
    const auto size = client.get(name(rank), std::max(left, Milliseconds(1)));
    if (!size && size.error().code == ErrorCode::kCancelled) return tl::unexpected<Error>(size.error());
    if (!size) {
      return fail(ErrorCode::kIo, "process {} of {} did not come to {} port {}: {}", rank, place.world_size,
                  place.master, place.port, size.error().message);
    }
    if (*size != std::to_string(place.world_size)) {
      return fail(ErrorCode::kInvalidArgument, "WORLD_SIZE is {} in process {} and {} in process {}", *size,
                  rank, place.world_size, place.rank);
    }
  }
  return {};
}

}  // namespace

Result<std::shared_ptr<ProcessGroup>> join_processes(const Place& place, const Patience& patience) {
  TERRAPIN_TRY(const std::string address, listening_address(place));
  std::unique_ptr<RendezvousServer> server;
  if (place.serves) {
    TERRAPIN_TRY(server, RendezvousServer::start(address, place.port));
  }
  TERRAPIN_TRY(
      std::shared_ptr<RendezvousClient> client,
      RendezvousClient::connect(place.serves ? address : place.master, place.port, patience.meeting));
  TERRAPIN_TRY_STATUS(meet(*client, place, patience.meeting));
  try {
    return std::make_shared<TorchGroup>(place, std::move(server), std::move(client), address, patience);
  } catch (const std::exception& error) {
    if (interrupted()) return fail(ErrorCode::kCancelled, "stopped while waiting for the other processes");
    const std::string text = error.what();
    return fail(ErrorCode::kIo, "process {} of {} could not be joined to the others: {}", place.rank,
                place.world_size, text.substr(0, text.find('\n')));
  }
}

#else

Result<std::shared_ptr<ProcessGroup>> join_processes(const Place& place, const Patience&) {
  return fail(ErrorCode::kUnsupported,
              "WORLD_SIZE is {}: this build trains with one process (it was built without gloo; script/setup "
              "brings it)",
              place.world_size);
}

#endif

}  // namespace terrapin::training
