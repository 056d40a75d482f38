#include "contract/versity_gateway.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <vector>

#include "base/descriptor.h"

namespace terrapin::test {
namespace {

namespace fs = std::filesystem;

sockaddr_in local(int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

// Free at this moment; 0 if none is.
int free_port() {
  const Descriptor probe(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address = local(0);
  socklen_t size = sizeof address;
  if (::bind(probe.get(), reinterpret_cast<sockaddr*>(&address), size) != 0 ||
      ::getsockname(probe.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0)
    return 0;
  return ntohs(address.sin_port);
}

bool answers(int port) {
  const Descriptor connection(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const sockaddr_in address = local(port);
  return ::connect(connection.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
}

}  // namespace

fs::path VersityGateway::program() {
  if (const char* named = ::getenv("TERRAPIN_VERSITYGW"); named != nullptr && *named != '\0') return named;
  const fs::path built = fs::path(TERRAPIN_SOURCE_DIR) / ".tools" / "versitygw";
  std::error_code none;
  return fs::exists(built, none) ? built : fs::path();
}

VersityGateway::VersityGateway() {
  fs::create_directories(folder_ / "objects");
  // Another program may take the port between the probe and the server's own bind.
  for (int attempt = 0; attempt < 5; ++attempt)
    if (start(free_port())) return;
  std::ostringstream words;
  words << std::ifstream(folder_ / "log").rdbuf();
  throw std::runtime_error("versitygw did not start: " + words.str());
}

bool VersityGateway::start(int port) {
  port_ = port;
  const std::vector<std::string> command = {program(),
                                            "--access",
                                            kAccessKey,
                                            "--secret",
                                            kSecretKey,
                                            "--port",
                                            "127.0.0.1:" + std::to_string(port),
                                            "--quiet",
                                            "--keep-alive",
                                            "posix",
                                            folder_ / "objects"};
  const std::string log = folder_ / "log", home = folder_.path();
  const pid_t parent = ::getpid();
  server_ = ::fork();
  if (server_ < 0) throw std::runtime_error("fork failed");
  if (server_ == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) ::_exit(126);
    const int output = ::open(log.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    ::dup2(output, 1);
    ::dup2(output, 2);
    ::dup2(::open("/dev/null", O_RDONLY), 0);
    ::close_range(3, ~0U, 0);
    ::setenv("HOME", home.c_str(), 1);
    std::vector<char*> arguments;
    for (const std::string& word : command) arguments.push_back(const_cast<char*>(word.c_str()));
    arguments.push_back(nullptr);
    ::execv(arguments[0], arguments.data());
    ::_exit(127);
  }
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (std::chrono::steady_clock::now() < deadline) {
    if (::waitpid(server_, nullptr, WNOHANG) == server_) {
      server_ = -1;
      return false;
    }
    if (answers(port)) return true;
    ::poll(nullptr, 0, 10);
  }
  return false;
}

VersityGateway::~VersityGateway() {
  if (server_ < 0) return;
  ::kill(server_, SIGKILL);
  ::waitpid(server_, nullptr, 0);
}

std::string VersityGateway::url() const {
  return "http://127.0.0.1:" + std::to_string(port_);
}

}  // namespace terrapin::test
