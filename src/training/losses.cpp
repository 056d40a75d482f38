#include "training/losses.h"

#include <torch/torch.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <stdexcept>
#include <vector>

namespace terrapin::training {
namespace {

constexpr std::int64_t kBlock = 128;  // pixels worked on together: their logits stay in the first cache
constexpr std::int64_t kBlocksPerTask = 64;  // partial sums are kept per task and added in order
constexpr double kDiceSmooth = 1.0;

// exp of x <= 0 with a relative error below 2e-7, in a form that compilers turn into vector code (Cephes'
// expf).
inline float exp_of(float x) {
  x = std::max(x, -87.0f);
  const float shifted = x * 1.44269504088896341f + 12582912.0f;  // 1.5 * 2^23: rounds to the nearest integer
  const float whole = shifted - 12582912.0f;
  const float r = (x - whole * 0.693359375f) + whole * 2.12194440e-4f;
  float p = 1.9875691500e-4f;
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  const float value = p * r * r + r + 1.0f;
  const std::int32_t exponent =
      std::bit_cast<std::int32_t>(shifted) - std::bit_cast<std::int32_t>(12582912.0f);
  return value * std::bit_cast<float>((exponent + 127) << 23);
}
inline double exp_of(double x) {
  return std::exp(x);
}

// Logits seen as [image][pixel][class] with a stride for each.
template <class T>
struct View {
  T* data;
  std::int64_t image_stride, pixel_stride, class_stride;
};

template <class T>
View<T> view_of(const torch::Tensor& tensor) {
  const std::int64_t height = tensor.size(2), width = tensor.size(3);
  // Rows must follow each other without gaps, which both memory formats promise.
  TORCH_CHECK(height == 1 || tensor.stride(2) == width * tensor.stride(3) || width == 1,
              "logits with gaps between rows");
  const std::int64_t pixel = width == 1 ? tensor.stride(2) : tensor.stride(3);
  return {tensor.data_ptr<T>(), tensor.stride(0), pixel, tensor.stride(1)};
}

torch::Tensor with_plain_rows(const torch::Tensor& logits) {
  if (logits.is_contiguous() || logits.is_contiguous(torch::MemoryFormat::ChannelsLast)) return logits;
  return logits.contiguous();
}

// The block's logits as [class][pixel].
template <class T>
void load_block(const View<T>& view, std::int64_t image, std::int64_t first, std::int64_t count,
                std::int64_t classes, T* block) {
  const T* source = view.data + image * view.image_stride + first * view.pixel_stride;
  if (view.pixel_stride == 1) {
    for (std::int64_t c = 0; c < classes; ++c)
      std::copy_n(source + c * view.class_stride, count, block + c * kBlock);
    return;
  }
  for (std::int64_t c = 0; c < classes; ++c) {
    for (std::int64_t i = 0; i < count; ++i)
      block[c * kBlock + i] = source[i * view.pixel_stride + c * view.class_stride];
  }
}

template <class T>
void store_block(const View<T>& view, std::int64_t image, std::int64_t first, std::int64_t count,
                 std::int64_t classes, const T* block) {
  T* target = view.data + image * view.image_stride + first * view.pixel_stride;
  for (std::int64_t c = 0; c < classes; ++c) {
    for (std::int64_t i = 0; i < count; ++i)
      target[i * view.pixel_stride + c * view.class_stride] = block[c * kBlock + i];
  }
}

// block (logits) -> block (probabilities); log_sum[i] = log sum exp of pixel i.
template <class T>
void softmax_block(T* block, std::int64_t count, std::int64_t classes, T* log_sum) {
  T largest[kBlock], sum[kBlock];
  std::copy_n(block, count, largest);
  for (std::int64_t c = 1; c < classes; ++c) {
    for (std::int64_t i = 0; i < count; ++i) largest[i] = std::max(largest[i], block[c * kBlock + i]);
  }
  std::fill_n(sum, count, T(0));
  for (std::int64_t c = 0; c < classes; ++c) {
    T* values = block + c * kBlock;
    for (std::int64_t i = 0; i < count; ++i) {
      values[i] = exp_of(values[i] - largest[i]);
      sum[i] += values[i];
    }
  }
  for (std::int64_t i = 0; i < count; ++i) {
    log_sum[i] = largest[i] + std::log(sum[i]);
    sum[i] = T(1) / sum[i];
  }
  for (std::int64_t c = 0; c < classes; ++c) {
    for (std::int64_t i = 0; i < count; ++i) block[c * kBlock + i] *= sum[i];
  }
}

struct Sums {
  explicit Sums(std::int64_t classes)
      : overlap(static_cast<std::size_t>(classes)), predicted(overlap.size()), labelled(overlap.size()) {}
  void add(const Sums& other) {
    loss += other.loss;
    weight += other.weight;
    for (std::size_t c = 0; c < overlap.size(); ++c) {
      overlap[c] += other.overlap[c];
      predicted[c] += other.predicted[c];
      labelled[c] += other.labelled[c];
    }
  }
  // Of all processes' pixels instead.
  void add_over(const networks::SumOverProcesses& processes) {
    if (!processes) return;
    std::vector<double> all{loss, weight};
    for (const auto* part : {&overlap, &predicted, &labelled})
      all.insert(all.end(), part->begin(), part->end());
    torch::Tensor tensor =
        torch::from_blob(all.data(), {static_cast<std::int64_t>(all.size())}, torch::kDouble);
    processes(tensor);
    loss = all[0], weight = all[1];
    auto next = all.begin() + 2;
    for (auto* part : {&overlap, &predicted, &labelled}) {
      for (double& value : *part) value = *next++;
    }
  }
  double loss = 0, weight = 0;
  std::vector<double> overlap, predicted, labelled;  // sum p g, sum p, sum g
};

std::vector<double> weights_of(const LossSpec& spec, std::int64_t classes) {
  if (spec.class_weights.empty()) return std::vector<double>(static_cast<std::size_t>(classes), 1.0);
  if (static_cast<std::int64_t>(spec.class_weights.size()) != classes) {
    throw std::invalid_argument("class_weights must have one entry per class");
  }
  return spec.class_weights;
}

// Calls body(task, image, first pixel, pixels) over all blocks, in parallel over tasks.
template <class Body>
void for_each_block(std::int64_t images, std::int64_t pixels, const Body& body) {
  const std::int64_t blocks = (pixels + kBlock - 1) / kBlock;
  const std::int64_t tasks_per_image = (blocks + kBlocksPerTask - 1) / kBlocksPerTask;
  at::parallel_for(0, images * tasks_per_image, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t task = begin; task < end; ++task) {
      const std::int64_t image = task / tasks_per_image, part = task % tasks_per_image;
      const std::int64_t last = std::min(blocks, (part + 1) * kBlocksPerTask);
      for (std::int64_t block = part * kBlocksPerTask; block < last; ++block) {
        const std::int64_t first = block * kBlock;
        body(task, image, first, std::min(kBlock, pixels - first));
      }
    }
  });
}

std::int64_t task_count(std::int64_t images, std::int64_t pixels) {
  const std::int64_t blocks = (pixels + kBlock - 1) / kBlock;
  return images * ((blocks + kBlocksPerTask - 1) / kBlocksPerTask);
}

template <class T>
Sums forward_sums(const torch::Tensor& logits, const torch::Tensor& labels,
                  const std::vector<double>& weights) {
  const std::int64_t images = logits.size(0), classes = logits.size(1),
                     pixels = logits.size(2) * logits.size(3);
  const View<T> view = view_of<T>(logits);
  const std::uint8_t* label_data = labels.data_ptr<std::uint8_t>();
  std::vector<Sums> partial(static_cast<std::size_t>(task_count(images, pixels)), Sums(classes));
  for_each_block(images, pixels,
                 [&](std::int64_t task, std::int64_t image, std::int64_t first, std::int64_t count) {
                   thread_local std::vector<T> storage;
                   storage.resize(static_cast<std::size_t>(classes * kBlock));
                   T* block = storage.data();
                   T log_sum[kBlock];
                   T counted[kBlock];  // 1 where the pixel counts
                   Sums& sums = partial[static_cast<std::size_t>(task)];
                   const std::uint8_t* block_labels = label_data + image * pixels + first;
                   const T* source = view.data + image * view.image_stride + first * view.pixel_stride;
                   load_block(view, image, first, count, classes, block);
                   softmax_block(block, count, classes, log_sum);
                   for (std::int64_t i = 0; i < count; ++i) {
                     const std::int64_t label = block_labels[i];
                     counted[i] = label < classes ? T(1) : T(0);
                     if (label >= classes) continue;
                     const auto c = static_cast<std::size_t>(label);
                     const T logit = source[i * view.pixel_stride + label * view.class_stride];
                     sums.loss += weights[c] * static_cast<double>(log_sum[i] - logit);
                     sums.weight += weights[c];
                     sums.overlap[c] += static_cast<double>(block[label * kBlock + i]);
                     sums.labelled[c] += 1;
                   }
                   for (std::int64_t c = 0; c < classes; ++c) {
                     T sum = 0;
                     for (std::int64_t i = 0; i < count; ++i) sum += block[c * kBlock + i] * counted[i];
                     sums.predicted[static_cast<std::size_t>(c)] += static_cast<double>(sum);
                   }
                 });
  Sums total(classes);
  for (const Sums& part : partial) total.add(part);
  return total;
}

struct DiceTerms {
  double loss = 0;
  std::vector<double> on_label,
      everywhere;  // d loss / d p of a counted pixel: everywhere[c] + on_label[c] where g = c
};

DiceTerms dice_terms(const Sums& sums) {
  DiceTerms terms;
  terms.on_label.resize(sums.overlap.size());
  terms.everywhere.resize(sums.overlap.size());
  const auto present = static_cast<double>(
      std::count_if(sums.labelled.begin(), sums.labelled.end(), [](double count) { return count > 0; }));
  if (present == 0) return terms;
  double mean = 0;
  for (std::size_t c = 0; c < sums.overlap.size(); ++c) {
    if (sums.labelled[c] <= 0) continue;
    const double top = 2 * sums.overlap[c] + kDiceSmooth,
                 bottom = sums.predicted[c] + sums.labelled[c] + kDiceSmooth;
    mean += top / bottom / present;
    terms.on_label[c] = -2 / bottom / present;
    terms.everywhere[c] = top / (bottom * bottom) / present;
  }
  terms.loss = 1 - mean;
  return terms;
}

template <class T>
void backward_blocks(const torch::Tensor& logits, const torch::Tensor& labels,
                     const std::vector<double>& weights, const DiceTerms& dice, double cross_entropy_factor,
                     double dice_factor, const torch::Tensor& gradient) {
  const std::int64_t images = logits.size(0), classes = logits.size(1),
                     pixels = logits.size(2) * logits.size(3);
  const View<T> view = view_of<T>(logits), target = view_of<T>(gradient);
  const std::uint8_t* label_data = labels.data_ptr<std::uint8_t>();
  const auto n = static_cast<std::size_t>(classes);
  std::vector<T> weight(n), on_label(n), everywhere(n);
  for (std::size_t c = 0; c < n; ++c) {
    weight[c] = static_cast<T>(weights[c] * cross_entropy_factor);
    on_label[c] = static_cast<T>(dice.on_label[c] * dice_factor);
    everywhere[c] = static_cast<T>(dice.everywhere[c] * dice_factor);
  }
  for_each_block(
      images, pixels, [&](std::int64_t, std::int64_t image, std::int64_t first, std::int64_t count) {
        thread_local std::vector<T> storage;
        storage.resize(static_cast<std::size_t>(classes * kBlock));
        T* block = storage.data();
        T log_sum[kBlock], pull[kBlock], push[kBlock];
        const std::uint8_t* block_labels = label_data + image * pixels + first;
        load_block(view, image, first, count, classes, block);
        softmax_block(block, count, classes, log_sum);
        // Through the softmax: d/dz_c = p_c (g_c - sum_k g_k p_k); cross-entropy: w (p_c - [c = label]).
        std::fill_n(pull, count, T(0));
        for (std::int64_t c = 0; c < classes; ++c) {
          const T factor = everywhere[static_cast<std::size_t>(c)];
          for (std::int64_t i = 0; i < count; ++i) pull[i] += factor * block[c * kBlock + i];
        }
        for (std::int64_t i = 0; i < count; ++i) {
          const std::int64_t label = block_labels[i];
          push[i] = 0;
          if (label >= classes) continue;
          const auto c = static_cast<std::size_t>(label);
          const T probability = block[label * kBlock + i];
          push[i] = on_label[c] * probability - weight[c];  // what only the label's own logit receives
          pull[i] = weight[c] - (pull[i] + on_label[c] * probability);
        }
        for (std::int64_t c = 0; c < classes; ++c) {
          T* values = block + c * kBlock;
          const T factor = everywhere[static_cast<std::size_t>(c)];
          for (std::int64_t i = 0; i < count; ++i) values[i] *= factor + pull[i];
        }
        for (std::int64_t i = 0; i < count; ++i) {
          const std::int64_t label = block_labels[i];
          if (label < classes) {
            block[label * kBlock + i] += push[i];
          } else {
            for (std::int64_t c = 0; c < classes; ++c) block[c * kBlock + i] = 0;
          }
        }
        store_block(target, image, first, count, classes, block);
      });
}

class FusedLoss : public torch::autograd::Function<FusedLoss> {
 public:
  static torch::autograd::variable_list forward(torch::autograd::AutogradContext* context,
                                                const torch::Tensor& logits, const torch::Tensor& labels,
                                                double cross_entropy_weight, double dice_weight,
                                                std::vector<double> weights,
                                                const networks::SumOverProcesses& processes) {
    Sums sums = logits.scalar_type() == torch::kDouble ? forward_sums<double>(logits, labels, weights)
                                                       : forward_sums<float>(logits, labels, weights);
    sums.add_over(processes);
    const DiceTerms dice = dice_terms(sums);
    const double cross_entropy = sums.weight > 0 ? sums.loss / sums.weight : 0;
    context->save_for_backward({logits, labels});
    context->saved_data["weights"] = weights;
    context->saved_data["on_label"] = dice.on_label;
    context->saved_data["everywhere"] = dice.everywhere;
    context->saved_data["cross_entropy_factor"] = sums.weight > 0 ? cross_entropy_weight / sums.weight : 0.0;
    context->saved_data["dice_factor"] = dice_weight;
    const auto scalar = [&](double value) { return torch::full({}, value, logits.options()); };
    torch::Tensor total = scalar(cross_entropy_weight * cross_entropy + dice_weight * dice.loss);
    torch::Tensor first = scalar(cross_entropy), second = scalar(dice.loss);
    context->mark_non_differentiable({first, second});
    return {total, first, second};
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 torch::autograd::variable_list upstream) {
    const auto saved = context->get_saved_variables();
    const torch::Tensor &logits = saved[0], &labels = saved[1];
    DiceTerms dice;
    dice.on_label = context->saved_data["on_label"].toDoubleVector();
    dice.everywhere = context->saved_data["everywhere"].toDoubleVector();
    const auto weights = context->saved_data["weights"].toDoubleVector();
    const double factor = upstream[0].item<double>();
    const double cross_entropy_factor = context->saved_data["cross_entropy_factor"].toDouble() * factor;
    const double dice_factor = context->saved_data["dice_factor"].toDouble() * factor;
    torch::Tensor gradient = torch::empty_like(logits);
    if (logits.scalar_type() == torch::kDouble) {
      backward_blocks<double>(logits, labels, weights, dice, cross_entropy_factor, dice_factor, gradient);
    } else {
      backward_blocks<float>(logits, labels, weights, dice, cross_entropy_factor, dice_factor, gradient);
    }
    return {gradient, torch::Tensor(), torch::Tensor(), torch::Tensor(), torch::Tensor(), torch::Tensor()};
  }
};

}  // namespace

LossResult composed_loss(const torch::Tensor& logits, const torch::Tensor& labels, const LossSpec& spec) {
  const std::int64_t classes = logits.size(1);
  const torch::Tensor counted = labels.lt(classes);
  const torch::Tensor target = torch::where(counted, labels, torch::zeros_like(labels)).to(torch::kLong);
  const torch::Tensor logp = torch::log_softmax(logits, 1);
  const torch::Tensor weights = torch::tensor(weights_of(spec, classes), torch::kDouble).to(logits.options());
  const torch::Tensor pixel_weight = weights.index({target}) * counted.to(logits.scalar_type());
  const torch::Tensor picked = logp.gather(1, target.unsqueeze(1)).squeeze(1);
  torch::Tensor weight_sum = pixel_weight.sum();
  torch::Tensor loss_sum = -(picked * pixel_weight).sum();

  const torch::Tensor hot =
      (torch::one_hot(target, classes).permute({0, 3, 1, 2}) * counted.unsqueeze(1)).to(logits.scalar_type());
  const torch::Tensor p = logp.exp() * counted.unsqueeze(1).to(logits.scalar_type());
  torch::Tensor overlap = (p * hot).sum({0, 2, 3}), labelled = hot.sum({0, 2, 3}),
                predicted = p.sum({0, 2, 3});
  if (spec.sum) {
    const torch::Tensor own =
        torch::cat({loss_sum.view({1}), weight_sum.view({1}), overlap, predicted, labelled});
    torch::Tensor all = own.detach().to(torch::kDouble);
    spec.sum(all);
    // The values of all processes with the gradient of this one's.
    const torch::Tensor joined = own + (all.to(own.scalar_type()) - own).detach();
    loss_sum = joined[0], weight_sum = joined[1];
    overlap = joined.narrow(0, 2, classes), predicted = joined.narrow(0, 2 + classes, classes);
    labelled = joined.narrow(0, 2 + 2 * classes, classes);
  }
  const torch::Tensor cross_entropy = loss_sum / weight_sum.clamp_min(1e-12);
  const torch::Tensor present = labelled.gt(0).to(logits.scalar_type());
  const torch::Tensor score = (2 * overlap + kDiceSmooth) / (predicted + labelled + kDiceSmooth);
  const torch::Tensor classes_present = present.sum();
  const torch::Tensor dice =
      (classes_present.clamp_max(1) - (score * present).sum() / classes_present.clamp_min(1));

  LossResult result;
  result.total = spec.cross_entropy_weight * cross_entropy + spec.dice_weight * dice;
  result.cross_entropy = cross_entropy.detach();
  result.dice = dice.detach();
  return result;
}

LossResult segmentation_loss(const torch::Tensor& logits, const torch::Tensor& labels, const LossSpec& spec) {
  TORCH_CHECK(logits.dim() == 4 && labels.dim() == 3 && labels.scalar_type() == torch::kByte &&
                  labels.size(0) == logits.size(0) && labels.size(1) == logits.size(2) &&
                  labels.size(2) == logits.size(3),
              "logits N x C x H x W and uint8 labels N x H x W must agree: ", logits.sizes(), " and ",
              labels.sizes());
  const bool fused = logits.device().is_cpu() && labels.device().is_cpu() &&
                     (logits.scalar_type() == torch::kFloat || logits.scalar_type() == torch::kDouble);
  if (!fused) return composed_loss(logits, labels, spec);
  const auto results =
      FusedLoss::apply(with_plain_rows(logits), labels.contiguous(), spec.cross_entropy_weight,
                       spec.dice_weight, weights_of(spec, logits.size(1)), spec.sum);
  return {results[0], results[1].detach(), results[2].detach()};
}

}  // namespace terrapin::training
