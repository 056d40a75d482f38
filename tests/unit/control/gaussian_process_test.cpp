#include "control/tuning/gaussian_process.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/random.h"

namespace terrapin::control::tuning {
namespace {

using Points = std::vector<std::vector<double>>;

double matern(const std::vector<double>& a, const std::vector<double>& b, const KernelOptions& kernel,
              const std::vector<std::size_t>& group_of) {
  double squared = 0;
  for (std::size_t i = 0; i < a.size(); ++i)
    squared += std::pow((a[i] - b[i]) / kernel.lengths[group_of[i]], 2);
  const double r = std::sqrt(squared);
  return (1 + std::sqrt(5.0) * r + 5.0 / 3 * r * r) * std::exp(-std::sqrt(5.0) * r);
}

// Gauss and Jordan, with the determinant on the way.
struct Inverse {
  Points matrix;
  double log_determinant = 0;
};
Inverse invert(Points matrix) {
  const std::size_t n = matrix.size();
  Inverse result{Points(n, std::vector<double>(n)), 0};
  for (std::size_t i = 0; i < n; ++i) result.matrix[i][i] = 1;
  for (std::size_t i = 0; i < n; ++i) {
    const double pivot = matrix[i][i];
    result.log_determinant += std::log(pivot);
    for (std::size_t k = 0; k < n; ++k) {
      matrix[i][k] /= pivot;
      result.matrix[i][k] /= pivot;
    }
    for (std::size_t j = 0; j < n; ++j) {
      if (j == i) continue;
      const double factor = matrix[j][i];
      for (std::size_t k = 0; k < n; ++k) {
        matrix[j][k] -= factor * matrix[i][k];
        result.matrix[j][k] -= factor * result.matrix[i][k];
      }
    }
  }
  return result;
}

TEST(GaussianProcess, AgreesWithTheInverseOfTheMatrix) {
  Random random(11);
  for (std::size_t n = 1; n <= 12; ++n) {
    const std::vector<std::size_t> group_of{0, 1, 1};
    const KernelOptions kernel{{random.uniform(0.1, 1), random.uniform(0.1, 1)}, random.uniform(1e-3, 0.1)};
    Points points;
    std::vector<double> values;
    for (std::size_t i = 0; i < n; ++i) {
      points.push_back({random.uniform(), random.uniform(), random.uniform()});
      values.push_back(random.normal());
    }
    Points matrix(n, std::vector<double>(n));
    for (std::size_t i = 0; i < n; ++i)
      for (std::size_t j = 0; j < n; ++j)
        matrix[i][j] = matern(points[i], points[j], kernel, group_of) + (i == j ? kernel.noise : 0);
    const Inverse inverse = invert(matrix);

    const GaussianProcess process(points, values, group_of, kernel);
    double quadratic = 0;
    for (std::size_t i = 0; i < n; ++i)
      for (std::size_t j = 0; j < n; ++j) quadratic += values[i] * inverse.matrix[i][j] * values[j];
    EXPECT_NEAR(process.log_likelihood(),
                -0.5 * (quadratic + inverse.log_determinant + static_cast<double>(n) * std::log(2 * M_PI)),
                1e-4);
    for (int query = 0; query < 5; ++query) {
      const std::vector<double> point{random.uniform(), random.uniform(), random.uniform()};
      double mean = 0, explained = 0;
      for (std::size_t i = 0; i < n; ++i) {
        for (std::size_t j = 0; j < n; ++j) {
          const double towards = matern(point, points[i], kernel, group_of) * inverse.matrix[i][j];
          mean += towards * values[j];
          explained += towards * matern(point, points[j], kernel, group_of);
        }
      }
      const Belief belief = process.at(point);
      EXPECT_NEAR(belief.mean, mean, 1e-5);
      EXPECT_NEAR(belief.variance, 1 - explained, 1e-5);
    }
  }
}

TEST(GaussianProcess, APointThatIsThereTwiceIsNoTrouble) {
  const GaussianProcess process({{0.5}, {0.5}, {0.9}}, {1, 1, -1}, {0}, {{0.3}, 0});
  EXPECT_NEAR(process.at({0.5}).mean, 1, 1e-3);
  EXPECT_TRUE(std::isfinite(process.log_likelihood()));
}

TEST(GaussianProcess, TheFitSeesWhichParameterMatters) {
  Random random(5);
  Points points;
  std::vector<double> values;
  for (int i = 0; i < 40; ++i) {
    points.push_back({random.uniform(), random.uniform()});
    values.push_back(1.4 * std::sin(9 * points.back()[0]));
  }
  const KernelOptions kernel = fit_kernel(points, values, {0, 1});
  EXPECT_LT(4 * kernel.lengths[0], kernel.lengths[1]);
  EXPECT_LE(kernel.noise, 1e-2);
}

}  // namespace
}  // namespace terrapin::control::tuning
