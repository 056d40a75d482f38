// SIGTERM and SIGINT as a flag that long loops ask.
#pragma once

namespace terrapin {

// Installs handlers once: the first signal sets the flag, a second SIGINT ends the process at once (130).
void install_interrupt_handlers();
bool interrupted();
// 0, SIGTERM or SIGINT.
int interrupt_signal();
// For tests and for a server that restarts its loop.
void clear_interrupt();

}  // namespace terrapin
