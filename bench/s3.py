"""S3 throughput: GET and PUT through the service against versitygw (posix backend) on the same disk."""

import argparse
import json
import math
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from support import PROGRAM, ROOT, finish, of_tests, table

http = of_tests("signed_http")
service = of_tests("terrapin_server")

LOAD = Path(os.environ.get("TERRAPIN_HTTP_LOAD", ROOT / "build" / "bench" / "http_load"))
PEER = "github.com/versity/versitygw/cmd/versitygw"
VERSION = "v1.8.0"
SIZES = {"16 KiB": (16 << 10, 3000), "1 MiB": (1 << 20, 300), "64 MiB": (64 << 20, 10)}


def peer_program(folder):
    """versitygw, built by Go from its module proxy into a folder of its own; None where that cannot be."""
    named = os.environ.get("TERRAPIN_VERSITYGW")
    if named:
        return Path(named)
    if os.access(ROOT / ".tools" / "versitygw", os.X_OK):
        return ROOT / ".tools" / "versitygw"  # of script/setup
    go = shutil.which("go")
    if not go:
        print("bench s3: SKIPPED: no go to build versitygw with (or name the program in TERRAPIN_VERSITYGW)", file=sys.stderr)
        return None
    print(f"building {PEER}@{VERSION} ...", file=sys.stderr, flush=True)
    environment = dict(os.environ, GOPATH=str(folder / "go"), GOBIN=str(folder), GOFLAGS="-modcacherw -buildvcs=false")
    result = subprocess.run([go, "install", f"{PEER}@{VERSION}"], env=environment, capture_output=True, text=True)
    if result.returncode != 0:
        print(f"bench s3: SKIPPED: versitygw cannot be built here: {result.stderr[-1000:]}", file=sys.stderr)
        return None
    return folder / "versitygw"


class Peer:
    def __init__(self, program, folder):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.address = ("127.0.0.1", port)
        self.key = http.Key("peeraccess", "peersecretpeersecret")
        (folder / "peer").mkdir()
        command = [program, "--access", self.key.id, "--secret", self.key.secret, "--port", f"127.0.0.1:{port}", "--quiet", "--keep-alive", "posix", folder / "peer"]
        self.log = open(folder / "peer.log", "wb")
        self.process = subprocess.Popen([str(part) for part in command], stdout=self.log, stderr=self.log)
        deadline = time.monotonic() + 30
        while True:
            try:
                socket.create_connection(self.address, 1).close()
                return
            except OSError:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    sys.exit("bench s3: versitygw does not start: " + (folder / "peer.log").read_text())
                time.sleep(0.05)

    def close(self):
        self.process.terminate()
        self.process.wait()
        self.log.close()


def load(address, key, method, size, count, connections, folder):
    """MB/s of so many requests. All are signed before the clock starts."""
    authority = f"{address[0]}:{address[1]}"
    requests = folder / "requests"
    requests.write_text(
        "".join(f"{method} {http.presigned(key, method, f'/load/{size}/{i}', authority, 3600)} {size if method == 'PUT' else 0}\n" for i in range(count))
    )
    result = subprocess.run([str(part) for part in (LOAD, "replay", *address, requests, connections)], stdout=subprocess.PIPE, text=True)
    if result.returncode != 0:
        sys.exit(f"bench s3: {method} failed")
    figures = json.loads(result.stdout)
    moved = figures["bytes_out"] if method == "PUT" else figures["bytes_in"]
    if moved < size * count:
        sys.exit(f"bench s3: {moved} bytes moved, {size * count} were asked for")
    return size * count / figures["seconds"] / 1e6


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="ours and the peer's take turns; the median counts")
    parser.add_argument("--connections", type=int, default=8)
    parser.add_argument("--share", type=float, default=1.0, help="of the usual number of requests")
    options = parser.parse_args()
    if not LOAD.exists():
        sys.exit(f"{LOAD} is missing: build with -DTERRAPIN_BUILD_BENCH=ON (the default)")
    os.environ.setdefault("TERRAPIN", str(PROGRAM))
    with tempfile.TemporaryDirectory() as name, service.TerrapinServer(["--quiet", "--log-level", "warn"]) as server:
        folder = Path(name)
        sides = {"terrapin": (server.address, http.Key(server.key.id, server.key.secret))}
        program = peer_program(folder)
        peer = Peer(program, folder) if program else None
        if peer:
            sides["versitygw"] = (peer.address, peer.key)
        try:
            for address, key in sides.values():
                reply = http.AwsClient(address, key).s3("PUT", "/load")
                if reply.status != 200:
                    sys.exit(f"bench s3: cannot make a bucket: {reply}")
            measured = {}
            for size_name, (size, count) in SIZES.items():
                count = max(1, int(count * options.share))
                for _ in range(options.rounds):
                    for method in ("PUT", "GET"):
                        for side, (address, key) in sides.items():
                            rate = load(address, key, method, size, count, options.connections, folder)
                            measured.setdefault((method, size_name, side), []).append(rate)
        finally:
            if peer:
                peer.close()
    figures, rows = {"peer": f"versitygw {VERSION}" if peer else "none", "rounds": options.rounds, "connections": options.connections}, []
    for method in ("GET", "PUT"):
        ratios = []
        for size_name in SIZES:
            ours = statistics.median(measured[(method, size_name, "terrapin")])
            theirs = statistics.median(measured[(method, size_name, "versitygw")]) if peer else math.nan
            ratios.append(ours / theirs)
            rows.append([f"{method} {size_name}", ours, theirs, ours / theirs])
            plain = size_name.replace(" ", "").lower()
            figures[f"{method.lower()}_{plain}_mb_per_s"] = ours
            if peer:
                figures[f"peer_{method.lower()}_{plain}_mb_per_s"] = theirs
        if peer:
            figures[f"ratio_{method.lower()}"] = math.exp(statistics.fmean(math.log(ratio) for ratio in ratios))
    table(
        "S3 over loopback, MB/s; ours writes every object through to the disk before it answers, versitygw's posix backend does not",
        ["", "terrapin", "versitygw", "ratio"],
        rows,
    )
    if peer:
        print(f"ratio (geometric mean over sizes): GET {figures['ratio_get']:.2f}, PUT {figures['ratio_put']:.2f}")
    finish(figures)


if __name__ == "__main__":
    main()
