// Gradients summed over processes while the backward pass still computes others.
#pragma once

#include <torch/torch.h>

#include <memory>
#include <vector>

#include "training/distributed/process_group.h"
#include "training/optimizer.h"

namespace terrapin::training {

// Cuts the gradients' blocks into pieces of about `piece_bytes`, at the edges of parameters. Each piece is
// sent as soon as the backward pass has written all of it, in one order that all processes share: that of the
// backward pass, as far as the order of the parameters tells it.
class GradientSums {
 public:
  static constexpr std::int64_t kPieceBytes = 4 << 20;

  // Hooks the parameters; their gradients must lie in the groups' blocks.
  GradientSums(const std::vector<torch::Tensor>& parameters, const std::vector<FlatGroup>& groups,
               ProcessGroup& processes, std::int64_t piece_bytes = kPieceBytes);
  GradientSums(const GradientSums&) = delete;
  GradientSums& operator=(const GradientSums&) = delete;

  // Before each backward pass.
  void begin();
  // After it: sends what no gradient reached, and waits for everything.
  void finish();
  std::size_t pieces() const { return pieces_.size(); }

 private:
  struct Piece {
    torch::Tensor gradients;  // a part of a group's block
    std::size_t parameters = 0, missing = 0;
    std::size_t first = 0;  // the earliest of its parameters: the last that gets its gradient
  };
  void arrived(std::size_t piece);
  void send_ready(bool all);

  ProcessGroup& processes_;
  std::vector<Piece> pieces_;  // in the order of sending
  std::size_t next_ = 0;
  bool counting_ = false;
  // Hooks live as long as these.
  std::vector<std::shared_ptr<torch::autograd::Node>> accumulators_;
};

}  // namespace terrapin::training
