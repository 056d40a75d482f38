// A Gaussian process with a Matern 5/2 kernel (Rasmussen and Williams, Gaussian Processes for Machine
// Learning, 2006, chapters 2 and 5), for some hundred points.
#pragma once

#include <cstddef>
#include <vector>

namespace terrapin::control::tuning {

struct KernelOptions {
  std::vector<double> lengths;  // one a group of coordinates
  double noise = 1e-3;          // variance of an observation's error, where the values' variance is about 1
};

struct Belief {
  double mean = 0, variance = 0;
};

// Signal variance 1: standardise the values first.
class GaussianProcess {
 public:
  // `group_of`: for each coordinate of a point the index of its length. `points` and `values` are as many,
  // at least one.
  GaussianProcess(std::vector<std::vector<double>> points, std::vector<double> values,
                  std::vector<std::size_t> group_of, KernelOptions kernel);

  // Of the function without noise.
  Belief at(const std::vector<double>& point) const;
  // Of the values under the kernel; larger is likelier.
  double log_likelihood() const { return log_likelihood_; }

 private:
  double covariance(const std::vector<double>& a, const std::vector<double>& b) const;

  std::vector<std::vector<double>> points_;
  std::vector<double> values_;
  std::vector<std::size_t> group_of_;
  KernelOptions kernel_;
  std::vector<double> factor_;   // lower triangle of the Cholesky factor, row by row
  std::vector<double> weights_;  // covariance^-1 values
  double log_likelihood_ = 0;
};

// The kernel under which the values are likeliest, with a broad prior on lengths around half the cube's side;
// found by going through a grid, one length after another. Depends on nothing but its arguments.
KernelOptions fit_kernel(const std::vector<std::vector<double>>& points, const std::vector<double>& values,
                         const std::vector<std::size_t>& group_of);

}  // namespace terrapin::control::tuning
