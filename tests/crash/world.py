"""What the actors of the crash test share: the server that is killed, failures, and outcomes that nobody heard of."""

import hashlib
import http.client
import os
import random
import signal
import sys
import tempfile
import threading
import time
import traceback
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from support.signed_http import AwsClient, BrokenConnection, Key  # noqa: E402
from support.terrapin_server import TerrapinServer, program  # noqa: E402


# Seconds for an answer: a machine that others keep busy is slow, and says nothing against the server.
PATIENCE = 300


class Wrong(AssertionError):
    """The server did something that it must not do."""


def require(condition, message):
    if not condition:
        raise Wrong(message)


def content(seed, size):
    return random.Random(seed).randbytes(size)


def md5(data):
    return hashlib.md5(data).hexdigest()


class World:
    """The server under test. Its address changes with every start."""

    def __init__(self, folder, state, seed):
        self.seed, self.program = seed, program()
        tempfile.tempdir = str(folder)
        self.server = TerrapinServer(["--log-level", "warn", "--quiet"] + (["--state", state] if state else []))
        self.data = self.server.data_dir
        self.key = None
        self.killed = threading.Event()
        self.stop = threading.Event()  # the actors' round is over
        self.failures = []
        self.lock = threading.Lock()
        self.counts = {}

    def count(self, what, by=1):
        with self.lock:
            self.counts[what] = self.counts.get(what, 0) + by

    # ---- the program ----

    @property
    def address(self):
        return self.server.address

    def command(self, *arguments):
        result = self.server.run(*arguments, check=False)
        require(result.returncode == 0, f"terrapin {' '.join(arguments)}: {result.returncode}: {result.stderr}")
        return result.stdout

    def start(self):
        self.killed.clear()
        self.stop.clear()
        try:
            self.server.start()
        except (RuntimeError, OSError, http.client.HTTPException) as error:
            raise Wrong(f"the server did not start: {error}") from error

    def start_and_kill(self, after):
        """kill -9 `after` seconds from the start of the process, ready or not."""
        self.killed.set()
        self.stop.clear()
        done = threading.Event()

        def end():
            while self.server._process is None and not done.wait(0.001):
                pass
            done.wait(after)
            if self.server._process is not None:
                os.kill(self.server._process.pid, signal.SIGKILL)

        watch = threading.Thread(target=end)
        watch.start()
        try:
            self.server.start()
        except (RuntimeError, OSError, http.client.HTTPException):
            pass
        watch.join()
        done.set()
        self.server.kill()

    def kill(self):
        self.killed.set()
        self.server.kill()

    def log_end(self):
        return self.server.log.read_text(errors="replace")[-3000:] if self.server.log.exists() else ""

    def aws(self):
        client = AwsClient(self.address, Key(self.key.id, self.key.secret))
        client.connection.timeout = PATIENCE
        return client

    # ---- failures ----

    def report(self, actor, error):
        text = str(error) if isinstance(error, Wrong) else traceback.format_exc()
        with self.lock:
            self.failures.append(f"{actor.name}: {text}")
        self.stop.set()


class Actor:
    """Does random things until the server dies under it, then finds out what became of the last one.

    A request that was answered is acknowledged: it must have happened, once. One that was not is uncertain: the model
    holds both outcomes until settle() asks."""

    def __init__(self, world, name):
        self.world, self.name = world, name
        self.random = random.Random(f"{world.seed}/{name}")

    def round(self):
        try:
            self.connect()
            self.settle()
            while not self.world.stop.is_set():
                self.step()
        except BrokenConnection as error:
            if not self.world.killed.wait(20):
                self.world.report(self, Wrong(f"a connection broke while the server was alive: {error}"))
        except Exception as error:  # noqa: BLE001
            if self.world.killed.is_set() and isinstance(error, (ConnectionError, TimeoutError)):
                return
            self.world.report(self, error)

    def connect(self):
        """After a start: connections anew."""

    def settle(self):
        """Asks what became of the uncertain, and holds a part of the certain against the model."""

    def step(self):
        raise NotImplementedError

    def verify(self):
        """Holds everything against the model."""
        self.settle()


def wait_for(condition, seconds, what):
    deadline = time.monotonic() + seconds
    while True:
        if condition():
            return
        require(time.monotonic() < deadline, f"{what}: not within {seconds} s")
        time.sleep(0.05)


def is_memory(folder):
    """Whether the folder lies on tmpfs, where a kill proves nothing about a disk."""
    best, kind = "", ""
    for line in Path("/proc/self/mounts").read_text().splitlines():
        _, point, fstype = line.split()[:3]
        if (str(folder) + "/").startswith(point.rstrip("/") + "/") and len(point) >= len(best):
            best, kind = point, fstype
    return kind in ("tmpfs", "ramfs")
