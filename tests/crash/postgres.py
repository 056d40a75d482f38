"""A PostgreSQL server of its own: a cluster in a temporary folder, run by an ordinary user (it refuses to run as root)."""

import os
import pwd
import shutil
import subprocess
import tempfile
import time
from pathlib import Path


def programs():
    """The folder of the newest installed server's programs, or None."""
    found = [path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/postgres")]
    return max(found, key=lambda path: int(path.parent.name), default=None)


class Postgres:
    def __init__(self):
        self.user = None
        if os.geteuid() == 0:
            names = {each.pw_name for each in pwd.getpwall()}
            self.user = pwd.getpwnam("postgres" if "postgres" in names else "nobody")
        # A socket's path holds 107 bytes: not below the test's own folder.
        self.folder = Path(tempfile.mkdtemp(prefix="terrapin-pg-", dir="/tmp"))
        if self.user:
            os.chown(self.folder, self.user.pw_uid, self.user.pw_gid)
        self.server = None
        self.run("initdb", "-D", "data", "-U", "terrapin", "-A", "trust", "-E", "UTF8", "--no-sync", "--locale=C.UTF-8")
        self.start()

    @property
    def url(self):
        return f"postgresql://terrapin@/postgres?host={self.folder}"

    def options(self):
        environment = {"PATH": os.environ.get("PATH", ""), "HOME": str(self.folder), "LC_ALL": "C"}
        options = {"cwd": self.folder, "env": environment, "stdin": subprocess.DEVNULL}
        if self.user:
            options.update(user=self.user.pw_uid, group=self.user.pw_gid, extra_groups=[])
        return options

    def run(self, name, *arguments):
        result = subprocess.run([programs() / name, *arguments], capture_output=True, text=True, **self.options())
        if result.returncode != 0:
            raise RuntimeError(f"{name}: {result.stdout}{result.stderr}")

    def start(self):
        log = open(self.folder / "server.log", "ab")
        command = [programs() / "postgres", "-D", "data", "-k", str(self.folder), "-c", "listen_addresses=", "-c", "shared_buffers=32MB"]
        self.server = subprocess.Popen(command, stdout=log, stderr=log, **self.options())
        log.close()
        deadline = time.monotonic() + 60
        state = self.folder / "data" / "postmaster.pid"
        while not (state.exists() and "\nready" in state.read_text()):
            if self.server.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("PostgreSQL did not start: " + (self.folder / "server.log").read_text()[-2000:])
            time.sleep(0.02)

    def crash(self):
        """Ends at once, as after a loss of power; the next start recovers from the log."""
        self.server.send_signal(3)
        self.server.wait()
        self.start()

    def close(self):
        self.server.send_signal(3)
        self.server.wait()
        shutil.rmtree(self.folder, ignore_errors=True)
