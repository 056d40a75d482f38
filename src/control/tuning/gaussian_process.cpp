#include "control/tuning/gaussian_process.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <utility>

namespace terrapin::control::tuning {
namespace {

constexpr double kJitter = 1e-9;  // keeps a point that is there twice from making the matrix singular
constexpr double kUsualLength = 0.5, kLengthSpread = 1.0;  // of the prior on log(length)
constexpr double kLengths[] = {0.05, 0.1, 0.2, 0.35, 0.6, 1.0, 2.0, 4.0};
constexpr double kNoises[] = {1e-4, 1e-3, 1e-2, 1e-1};
constexpr int kRounds = 3;

double dot(const double* a, const double* b, std::size_t count) {
  double sum = 0;
  for (std::size_t i = 0; i < count; ++i) sum += a[i] * b[i];
  return sum;
}

// In place: the symmetric matrix's lower triangle becomes its factor.
void factorise(std::vector<double>& matrix, std::size_t n) {
  for (std::size_t row = 0; row < n; ++row) {
    for (std::size_t column = 0; column <= row; ++column) {
      const double rest = matrix[row * n + column] - dot(&matrix[row * n], &matrix[column * n], column);
      matrix[row * n + column] =
          row == column ? std::sqrt(std::max(rest, kJitter)) : rest / matrix[column * n + column];
    }
  }
}

// L x = b.
void solve_forward(const std::vector<double>& factor, std::vector<double>& b) {
  const std::size_t n = b.size();
  for (std::size_t row = 0; row < n; ++row)
    b[row] = (b[row] - dot(&factor[row * n], b.data(), row)) / factor[row * n + row];
}

// L' x = b.
void solve_backward(const std::vector<double>& factor, std::vector<double>& b) {
  const std::size_t n = b.size();
  for (std::size_t row = n; row-- > 0;) {
    for (std::size_t below = row + 1; below < n; ++below) b[row] -= factor[below * n + row] * b[below];
    b[row] /= factor[row * n + row];
  }
}

}  // namespace

GaussianProcess::GaussianProcess(std::vector<std::vector<double>> points, std::vector<double> values,
                                 std::vector<std::size_t> group_of, KernelOptions kernel)
    : points_(std::move(points)),
      values_(std::move(values)),
      group_of_(std::move(group_of)),
      kernel_(std::move(kernel)) {
  const std::size_t n = points_.size();
  factor_.assign(n * n, 0);
  for (std::size_t row = 0; row < n; ++row) {
    for (std::size_t column = 0; column < row; ++column)
      factor_[row * n + column] = covariance(points_[row], points_[column]);
    factor_[row * n + row] = 1 + kernel_.noise + kJitter;
  }
  factorise(factor_, n);
  weights_ = values_;
  solve_forward(factor_, weights_);
  log_likelihood_ = -0.5 * dot(weights_.data(), weights_.data(), n) -
                    0.5 * static_cast<double>(n) * std::log(2 * std::numbers::pi);
  for (std::size_t i = 0; i < n; ++i) log_likelihood_ -= std::log(factor_[i * n + i]);
  solve_backward(factor_, weights_);
}

double GaussianProcess::covariance(const std::vector<double>& a, const std::vector<double>& b) const {
  double squared = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double step = (a[i] - b[i]) / kernel_.lengths[group_of_[i]];
    squared += step * step;
  }
  const double root = std::sqrt(5 * squared);
  return (1 + root + 5 * squared / 3) * std::exp(-root);
}

Belief GaussianProcess::at(const std::vector<double>& point) const {
  std::vector<double> towards(points_.size());
  for (std::size_t i = 0; i < points_.size(); ++i) towards[i] = covariance(point, points_[i]);
  Belief belief;
  belief.mean = dot(towards.data(), weights_.data(), towards.size());
  solve_forward(factor_, towards);
  belief.variance = std::max(0.0, 1 - dot(towards.data(), towards.data(), towards.size()));
  return belief;
}

KernelOptions fit_kernel(const std::vector<std::vector<double>>& points, const std::vector<double>& values,
                         const std::vector<std::size_t>& group_of) {
  KernelOptions best;
  const std::size_t groups = group_of.empty() ? 0 : *std::max_element(group_of.begin(), group_of.end()) + 1;
  best.lengths.assign(groups, kUsualLength);
  const auto score = [&](const KernelOptions& kernel) {
    double prior = 0;
    for (const double length : kernel.lengths) {
      const double away = std::log(length / kUsualLength) / kLengthSpread;
      prior -= 0.5 * away * away;
    }
    return prior + GaussianProcess(points, values, group_of, kernel).log_likelihood();
  };
  double best_score = score(best);
  const auto consider = [&](const KernelOptions& kernel) {
    const double here = score(kernel);
    if (!(here > best_score)) return;
    best_score = here;
    best = kernel;
  };
  for (int round = 0; round < kRounds; ++round) {
    const double before = best_score;
    for (const double noise : kNoises) {
      KernelOptions kernel = best;
      kernel.noise = noise;
      consider(kernel);
    }
    for (std::size_t group = 0; group < groups; ++group) {
      for (const double length : kLengths) {
        KernelOptions kernel = best;
        kernel.lengths[group] = length;
        consider(kernel);
      }
    }
    if (!(best_score > before)) break;
  }
  return best;
}

}  // namespace terrapin::control::tuning
