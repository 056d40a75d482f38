// What the processes of one training say to each other. Free of torch; the one file that includes c10d is
// process_group.cpp.
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "base/result.h"
#include "training/distributed/place.h"

namespace at {
class Tensor;
}

namespace terrapin::training {

// Every process calls the same functions in the same order, with tensors of the same shape and type; results
// are the same bits in every process, and in every run of the same number of processes. Nothing throws: once
// a process is gone, status() says so for good, and later calls leave their tensors as they are. Used from
// one thread at a time.
class ProcessGroup {
 public:
  virtual ~ProcessGroup() = default;
  virtual const Place& place() const = 0;
  int rank() const { return place().rank; }
  int size() const { return place().world_size; }

  // In place, over all processes.
  virtual void sum(at::Tensor& tensor) = 0;
  // The same while the caller goes on; `tensor` is its own again after finish_sums(), which waits for all of
  // them.
  virtual void begin_sum(const at::Tensor& tensor) = 0;
  virtual void finish_sums() = 0;
  // Everybody has rank 0's values afterwards.
  virtual void broadcast(at::Tensor& tensor) = 0;

  // kIo once another process is gone.
  virtual Status status() const = 0;

  // `own` where it is an error; else kCancelled or kIo if it is one in another process. So all go on, or
  // none.
  Status agree(const Status& own);
  // Everybody has rank 0's text afterwards.
  Result<std::string> broadcast_text(const std::string& text);
  // Whether the error of this process is only that of another one, which tells the reason.
  bool failed_elsewhere() const { return told_of_failure_ || !status(); }

 private:
  bool told_of_failure_ = false;
};

// How long a process waits for the others to come, and in each exchange later.
struct Patience {
  std::chrono::milliseconds meeting = std::chrono::minutes(10);
  std::chrono::milliseconds exchange = std::chrono::minutes(30);
};

// Meets the other processes. Listens on listening_address(place) only. CPU tensors go through gloo; CUDA ones
// through NCCL where this build has it (unproven: no machine with several GPUs has run it), else through the
// CPU. kUnsupported where this build cannot, kIo naming who did not come, kCancelled on interruption.
Result<std::shared_ptr<ProcessGroup>> join_processes(const Place& place, const Patience& patience = {});

// GPUs that this build and this machine offer; 0 without CUDA.
int gpu_count();

}  // namespace terrapin::training
