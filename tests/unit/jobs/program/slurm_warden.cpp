#include "slurm_warden.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <fstream>
#include <functional>
#include <iostream>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "base/descriptor.h"
#include "base/files.h"
#include "jobs/process_id.h"

namespace {

using namespace terrapin;
namespace fs = std::filesystem;
using Steady = std::chrono::steady_clock;

class Warden {
 public:
  explicit Warden(fs::path folder) : folder_(std::move(folder)) {}

  // "" or why not.
  std::string begin() {
    for (const char* const name : {"state", "spool"}) fs::create_directories(folder_ / name);
    std::random_device random;
    std::string key(128, '\0');
    for (char& byte : key) byte = static_cast<char>(random());
    if (!write_file_atomically(folder_ / "munge.key", key)) return "the key cannot be written";
    fs::permissions(folder_ / "munge.key", fs::perms::owner_read | fs::perms::owner_write);
    const auto in = [&](const char* name) { return (folder_ / name).string(); };
    start("munged", {"--foreground", "--force", "--num-threads=2", "--socket=" + in("munge.socket"),
                     "--key-file=" + in("munge.key"), "--pid-file=" + in("munged.pid"),
                     "--log-file=" + in("munged.log"), "--seed-file=" + in("munged.seed")});
    if (!wait_until([&] { return fs::exists(folder_ / "munge.socket") || !lives("munged"); }) ||
        !lives("munged"))
      return "munged did not start: " + said_by("munged");
    if (!write_configuration()) return "no free port, or the configuration cannot be written";
    if (!start_controller()) return "slurmctld did not start: " + said_by("slurmctld");
    start("slurmd", {"-D"});
    const bool idle = wait_until([&] {
      if (!lives("slurmd") || !lives("slurmctld")) return true;
      start("sinfo", {"--noheader", "--format=%T"});
      const int code = collect("sinfo");
      return code == 0 && said_by("sinfo").find("idle") != std::string::npos;
    });
    if (!idle || !lives("slurmd") || !lives("slurmctld"))
      return "the node did not become idle; slurmd said: " + said_by("slurmd") +
             " slurmctld said: " + said_by("slurmctld");
    return "";
  }

  void obey(const std::string& verb, const std::string& name) {
    if (verb == "start" && name == "slurmctld") {
      (void)start_controller();
    } else if (verb == "start") {
      start(name, {"-D"});
    } else if (lives(name)) {
      ::kill(pids_[name], verb == "kill" ? SIGKILL : SIGTERM);
      (void)collect(name);
    }
  }

  void end() {
    const auto give_up = Steady::now() + std::chrono::seconds(20);
    for (;;) {
      jobs::kill_descendants(::getpid());
      while (::waitpid(-1, nullptr, WNOHANG) > 0) {
      }
      if ((::waitpid(-1, nullptr, WNOHANG) < 0 && errno == ECHILD) || Steady::now() > give_up) break;
      ::poll(nullptr, 0, 5);
    }
    std::error_code ignored;
    fs::remove_all(folder_, ignored);
  }

 private:
  static bool wait_until(const std::function<bool()>& is_so) {
    const auto give_up = Steady::now() + std::chrono::seconds(30);
    while (!is_so()) {
      if (Steady::now() > give_up) return false;
      ::poll(nullptr, 0, 20);
    }
    return true;
  }

  bool lives(const std::string& name) { return jobs::process_id(pids_[name]).has_value(); }
  int collect(const std::string& name) {
    int status = 0;
    while (::waitpid(pids_[name], &status, 0) < 0 && errno == EINTR) {
    }
    pids_[name] = 0;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }
  std::string said_by(const std::string& name) {
    const auto text = read_text_file(folder_ / (name + ".out"), 1 << 20);
    std::string words = text ? *text : "";
    for (char& c : words)
      if (c == '\n') c = ' ';
    return words;
  }

  void start(const std::string& name, const std::vector<std::string>& arguments) {
    const pid_t child = ::fork();
    pids_[name] = child;
    if (child != 0) return;
    ::setpgid(0, 0);  // a key at the terminal that ends the test is the warden's business
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    const int output = ::open((folder_ / (name + ".out")).c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    ::dup2(::open("/dev/null", O_RDONLY), 0);
    ::dup2(output, 1);
    ::dup2(output, 2);
    ::close_range(3, ~0U, 0);
    ::setenv("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", 1);
    ::setenv("SLURM_CONF", (folder_ / "slurm.conf").c_str(), 1);
    std::vector<std::string> words = {name};
    words.insert(words.end(), arguments.begin(), arguments.end());
    std::vector<char*> argv;
    for (std::string& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    ::execvp(argv[0], argv.data());
    ::_exit(127);
  }

  bool start_controller() {
    start("slurmctld", {"-D"});
    return wait_until([&] {
             if (!lives("slurmctld")) return true;
             start("scontrol", {"ping"});
             return collect("scontrol") == 0;
           }) &&
           lives("slurmctld");
  }

  // The kernel names a port that is free, and gives the same number again only after many others.
  static int free_port() {
    const Descriptor socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    if (::bind(socket.get(), reinterpret_cast<sockaddr*>(&address), size) != 0 ||
        ::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0)
      return 0;
    return ntohs(address.sin_port);
  }

  bool write_configuration() {
    char host[256] = "";
    ::gethostname(host, sizeof host - 1);
    const passwd* const user = ::getpwuid(::geteuid());
    const int controller_port = free_port(), node_port = free_port();
    if (user == nullptr || controller_port == 0 || node_port == 0 || controller_port == node_port)
      return false;
    // Two GPUs that are none: what matters is that Slurm lends and names them.
    const std::string gpus = "NodeName=node Name=gpu File=/dev/null\nNodeName=node Name=gpu File=/dev/zero\n";
    const std::string text = fmt::format(
        "ClusterName=terrapin\n"
        "SlurmctldHost=localhost(127.0.0.1)\n"
        "SlurmctldPort={1}\nSlurmdPort={2}\n"
        "SlurmUser={3}\nSlurmdUser={3}\n"
        "AuthType=auth/munge\nCredType=cred/munge\nAuthInfo=socket={0}/munge.socket\n"
        "StateSaveLocation={0}/state\nSlurmdSpoolDir={0}/spool\n"
        "SlurmctldPidFile={0}/slurmctld.pid\nSlurmdPidFile={0}/slurmd.pid\n"
        "SlurmctldLogFile={0}/slurmctld.log\nSlurmdLogFile={0}/slurmd.log\n"
        // No control groups: neither a container nor an ordinary user has them.
        "ProctrackType=proctrack/linuxproc\nTaskPlugin=task/none\nJobAcctGatherType=jobacct_gather/none\n"
        "MpiDefault=none\nReturnToService=2\n"
        // More cores than there may be: the jobs of these tests wait more than they compute.
        "SlurmdParameters=config_overrides\nSelectType=select/cons_tres\nSelectTypeParameters=CR_Core\n"
        "SchedulerParameters=sched_interval=1,bf_interval=1\nKillWait=2\nSlurmdTimeout=30\n"
        "PreemptType=preempt/partition_prio\nPreemptMode=CANCEL\nGresTypes=gpu\n"
        "NodeName=node NodeHostname={4} NodeAddr=127.0.0.1 CPUs=32 RealMemory=4000 Gres=gpu:2\n"
        "PartitionName=main Nodes=node Default=YES MaxTime=INFINITE State=UP PriorityTier=1 GraceTime=10\n"
        "PartitionName=urgent Nodes=node MaxTime=INFINITE State=UP PriorityTier=9\n",
        folder_.string(), controller_port, node_port, user->pw_name, host);
    return write_file_atomically(folder_ / "gres.conf", gpus) &&
           write_file_atomically(folder_ / "slurm.conf", text);
  }

  const fs::path folder_;
  std::map<std::string, pid_t> pids_;
};

}  // namespace

int run_slurm_warden(const fs::path& folder) {
  ::setsid();
  ::prctl(PR_SET_CHILD_SUBREAPER, 1);
  for (const int number : {SIGINT, SIGHUP, SIGTERM, SIGPIPE}) ::signal(number, SIG_IGN);
  Warden warden(folder);
  const std::string problem = warden.begin();
  std::cout << (problem.empty() ? "ready" : "failed: " + problem) << std::endl;
  std::string line;
  while (problem.empty() && std::getline(std::cin, line)) {
    const std::size_t space = line.find(' ');
    warden.obey(line.substr(0, space), space == std::string::npos ? "" : line.substr(space + 1));
    std::cout << "done" << std::endl;
  }
  warden.end();
  return 0;
}
