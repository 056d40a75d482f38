#include "training/distributed/gradient_sums.h"

#include <torch/csrc/autograd/function_hook.h>
#include <torch/csrc/autograd/variable.h>

#include <algorithm>
#include <map>

namespace terrapin::training {
namespace {

struct Span {
  std::int64_t begin = 0, size = 0;  // within a group's block
  std::size_t parameter = 0;
};

class Arrival : public torch::autograd::FunctionPostHook {
 public:
  explicit Arrival(std::function<void()> told) : told_(std::move(told)) {}
  torch::autograd::variable_list operator()(const torch::autograd::variable_list& outputs,
                                            const torch::autograd::variable_list& /*inputs*/) override {
    told_();
    return outputs;
  }

 private:
  const std::function<void()> told_;
};

}  // namespace

GradientSums::GradientSums(const std::vector<torch::Tensor>& parameters, const std::vector<FlatGroup>& groups,
                           ProcessGroup& processes, std::int64_t piece_bytes)
    : processes_(processes) {
  std::map<std::size_t, std::size_t> piece_of;  // parameter -> place in `made`
  std::vector<Piece> made;
  std::vector<std::vector<std::size_t>> members;
  for (const FlatGroup& group : groups) {
    const torch::Tensor& block = group.flat.gradients;
    std::vector<Span> places;
    for (std::size_t i = 0; i < parameters.size(); ++i) {
      const torch::Tensor& gradient = parameters[i].grad();
      if (!parameters[i].requires_grad() || !gradient.defined()) continue;
      if (!gradient.storage().is_alias_of(block.storage())) continue;
      places.push_back({gradient.storage_offset() - block.storage_offset(), gradient.numel(), i});
    }
    std::sort(places.begin(), places.end(), [](const Span& a, const Span& b) { return a.begin < b.begin; });
    for (std::size_t i = 0; i < places.size();) {
      const std::int64_t begin = places[i].begin;
      std::int64_t end = begin;
      Piece piece;
      piece.first = places[i].parameter;
      std::vector<std::size_t> own;
      for (; i < places.size() && (end == begin || (end - begin) * 4 < piece_bytes); ++i) {
        end = places[i].begin + places[i].size;
        piece.first = std::min(piece.first, places[i].parameter);
        own.push_back(places[i].parameter);
      }
      piece.parameters = own.size();
      piece.gradients = block.narrow(0, begin, end - begin);
      made.push_back(std::move(piece));
      members.push_back(std::move(own));
    }
  }
  std::vector<std::size_t> order(made.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::sort(order.begin(), order.end(),
            [&](std::size_t a, std::size_t b) { return made[a].first > made[b].first; });
  for (const std::size_t index : order) {
    for (const std::size_t parameter : members[index]) piece_of[parameter] = pieces_.size();
    pieces_.push_back(std::move(made[index]));
  }
  for (const auto& [parameter, piece] : piece_of) {
    auto accumulator = torch::autograd::impl::grad_accumulator(parameters[parameter]);
    accumulator->add_post_hook(std::make_unique<Arrival>([this, at = piece] { arrived(at); }));
    accumulators_.push_back(std::move(accumulator));
  }
}

void GradientSums::begin() {
  for (Piece& piece : pieces_) piece.missing = piece.parameters;
  next_ = 0;
  counting_ = true;
}

void GradientSums::arrived(std::size_t piece) {
  if (!counting_) return;
  --pieces_[piece].missing;
  send_ready(false);
}

void GradientSums::send_ready(bool all) {
  for (; next_ < pieces_.size() && (all || pieces_[next_].missing == 0); ++next_)
    processes_.begin_sum(pieces_[next_].gradients);
}

void GradientSums::finish() {
  send_ready(true);
  counting_ = false;
  processes_.finish_sums();
}

}  // namespace terrapin::training
