"""The browser's canvas: input to paint and dropped frames while painting and panning a 12-megapixel photo, weight of the pages"""

import argparse
import gzip
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import support

WEB = support.ROOT / "web"
TARGETS = {"input_to_paint_ms_median": 16, "dropped_frames_share": 0.05, "page_kib_gzipped": 300}


def build(script, folder):
    support.run(["node", script, "--out", folder], cwd=WEB)


def gzipped_kib(folder):
    """Every script, style and page of the build, compressed one by one as a server would send them."""
    files = [p for p in sorted(folder.rglob("*")) if p.suffix in {".js", ".css", ".html", ".svg"}]
    return sum(len(gzip.compress(p.read_bytes(), 9, mtime=0)) for p in files) / 1024


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megapixels", type=float, default=12)
    parser.add_argument("--seconds", type=float, default=10, help="of painting and of panning together")
    parser.add_argument("--chromium", default=shutil.which("chromium"))
    arguments = parser.parse_args()
    if not arguments.chromium:
        support.not_run("This benchmark needs Chromium (Debian's package chromium, or --chromium PROGRAM)")
    with tempfile.TemporaryDirectory() as temporary:
        shipped = Path(temporary) / "dist"
        harness = Path(temporary) / "harness"
        build("build.mjs", shipped)
        build("harness/build.mjs", harness)
        weight = gzipped_kib(shipped)
        command = ["node", WEB / "harness" / "measure.mjs", harness, arguments.chromium, str(arguments.megapixels), str(arguments.seconds)]
        figures = json.loads(subprocess.run([str(c) for c in command], check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()[-1])
    figures["page_kib_gzipped"] = weight
    rows = [[name, float(value), TARGETS.get(name, "")] for name, value in figures.items()]
    support.table("Canvas in software-rendered Chromium, 1440 x 900", ["figure", "ours", "target at most"], rows)
    support.finish(figures)


if __name__ == "__main__":
    main()
