// Writes an assistance model with random weights: what a service answers with it is told by nothing but the
// way there. Usage: random_assist_model FILE
#include <cstdio>

#include "unit/assist/model_maker.h"

int main(int count, char** arguments) {
  if (count != 2) {
    std::fputs("usage: random_assist_model FILE\n", stderr);
    return 2;
  }
  const auto written = terrapin::networks::write_assist_model(arguments[1], terrapin::test::random_model(3));
  if (written) return 0;
  std::fprintf(stderr, "%s\n", written.error().message.c_str());
  return 1;
}
