// Our side of script/bench autosegment: latency on a photo of 12 megapixels, and memory over many calls.
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <atomic>
#include <chrono>
#include <fstream>
#include <thread>

#include "assist/assistant.h"
#include "base/parallel.h"
#include "base/random.h"
#include "imaging/codecs.h"
#include "imaging/resize.h"

namespace {

using namespace terrapin;
using Clock = std::chrono::steady_clock;

double ms_since(Clock::time_point start) {
  return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

double resident_mib() {
  std::ifstream file("/proc/self/statm");
  long long whole = 0, resident = 0;
  file >> whole >> resident;
  return static_cast<double>(resident) * static_cast<double>(::sysconf(_SC_PAGESIZE)) / (1 << 20);
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

// The four outermost points of an ellipse somewhere on the photo.
assist::Prompt random_prompt(imaging::Size size, Random& random, assist::Method method) {
  const auto half = [&](std::int64_t length) { return length / 20 + random.below(length / 4); };
  const std::int64_t across = half(size.width), down = half(size.height);
  const std::int64_t x = across + random.below(size.width - 2 * across),
                     y = down + random.below(size.height - 2 * down);
  assist::Prompt prompt;
  prompt.method = method;
  prompt.extremes = {{x, y - down}, {x - across, y}, {x, y + down}, {x + across - 1, y}};
  return prompt;
}

int run(const std::string& photo_path, assist::AssistantOptions options, const std::string& method_text,
        int calls, int soak, int callers) {
  const auto method = method_text == "classical" ? assist::Method::kClassical : assist::Method::kNetwork;
  options.use_model = method == assist::Method::kNetwork;
  const auto fail_with = [](const Error& error) {
    fmt::print(stderr, "{}\n", error.message);
    return 1;
  };
  auto assistant = assist::Assistant::load(options);
  if (!assistant) return fail_with(assistant.error());
  auto source = imaging::read_photo(photo_path);
  if (!source) return fail_with(source.error());
  const imaging::Size size{4000, 3000};
  const auto bytes = imaging::encode_jpeg(imaging::resize(*source, size));
  Random random(7);

  // The network's first run prepares its plan: once for the life of the server, not once a photo.
  const auto small = (*assistant)->open(*source);
  (void)(*assistant)->segment(**small, random_prompt((*small)->size(), random, method));
  std::vector<double> decode, first, warm;
  std::shared_ptr<const assist::OpenPhoto> photo;
  for (int i = 0; i < 5; ++i) {
    auto start = Clock::now();
    auto image = imaging::decode_photo(*bytes);
    decode.push_back(ms_since(start));
    start = Clock::now();
    photo = *(*assistant)->open(std::move(*image));
    if (const auto answer = (*assistant)->segment(*photo, random_prompt(size, random, method)); !answer) {
      return fail_with(answer.error());
    }
    first.push_back(ms_since(start));
  }
  for (int i = 0; i < calls; ++i) {
    const assist::Prompt prompt = random_prompt(size, random, method);
    const auto start = Clock::now();
    if (const auto answer = (*assistant)->segment(*photo, prompt); !answer) return fail_with(answer.error());
    warm.push_back(ms_since(start));
  }

  // Many callers on one photo.
  std::atomic<int> left = soak, failed = 0;
  // From when a fifth is done: every caller's thread has its own by then.
  std::atomic<double> before = resident_mib();
  std::atomic<double> worst = 0;
  const auto start = Clock::now();
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < callers; ++i) {
      threads.emplace_back([&, i] {
        Random own(static_cast<std::uint64_t>(100 + i));
        for (int still = left.fetch_sub(1); still > 0; still = left.fetch_sub(1)) {
          if (still == soak - soak / 5) before = resident_mib();
          const auto asked = Clock::now();
          if (!(*assistant)->segment(*photo, random_prompt(size, own, method))) ++failed;
          const double took = ms_since(asked);
          for (double known = worst; took > known && !worst.compare_exchange_weak(known, took);) {
          }
        }
      });
    }
  }
  const double seconds = ms_since(start) / 1000;
  if (failed > 0) {
    fmt::print(stderr, "{} of {} questions failed\n", failed.load(), soak);
    return 1;
  }
  fmt::print(
      "{{\"decode_ms\": {:.1f}, \"first_ms\": {:.1f}, \"warm_ms\": {:.1f}, \"warm_worst_ms\": {:.1f}, "
      "\"soak_calls\": {}, "
      "\"soak_callers\": {}, \"soak_calls_per_second\": {:.2f}, \"soak_worst_ms\": {:.1f}, "
      "\"rss_before_mib\": {:.1f}, "
      "\"rss_after_mib\": {:.1f}}}\n",
      median(decode), median(first), median(warm), *std::max_element(warm.begin(), warm.end()), soak, callers,
      soak > 0 ? soak / seconds : 0, worst.load(), before.load(), resident_mib());
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"Latency and memory of assistance"};
  std::string photo, method = "network";
  terrapin::assist::AssistantOptions options;
  int calls = 20, soak = 0, callers = 20;
  app.add_option("--photo", photo)->required();
  app.add_option("--model", options.model);
  app.add_option("--method", method)->check(CLI::IsMember({"network", "classical"}));
  app.add_option("--threads", options.threads);
  app.add_option("--calls", calls);
  app.add_option("--soak", soak);
  app.add_option("--callers", callers);
  CLI11_PARSE(app, argc, argv);
  return run(photo, options, method, calls, soak, callers);
}
