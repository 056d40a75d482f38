// How the threads that compute wait for each other.
#pragma once

#include <string_view>

namespace terrapin {

// Has the threads of OpenMP (libtorch, oneDNN) sleep where they wait for each other, unless the environment
// says otherwise (OMP_WAIT_POLICY, GOMP_SPINCOUNT). GNU's OpenMP has them spin, and each spins away the core
// that the others need as soon as two programs compute: a mask of 45 ms took 1,200 ms beside a training. It
// reads its setting when it is loaded, so this becomes the same program again, once, with the same process
// id. To be called first in main; returns where there is nothing to do or it cannot be done. Linux; elsewhere
// nothing.
void let_waiting_threads_sleep(char** arguments);

// Whether the environment's variable "NAME=value" is there because of it: not meant for other programs.
bool is_of_waiting_threads(std::string_view variable);

}  // namespace terrapin
