"""HTTP overhead: POST /invocations against decode + forward + PNG encode called directly (limit 1.10)."""

import argparse
import subprocess
import sys

from support import ROOT


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", help="model.tar.gz, or its unpacked folder")
    parser.add_argument("--photo", default="-", help="a JPEG (default: a generated one of 480 x 480)")
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--threads", type=int, default=0, help="0: all cores")
    options = parser.parse_args()
    program = ROOT / "build" / "bench" / "http_overhead"
    if not program.exists():
        sys.exit(f"{program} is missing: build with -DTERRAPIN_BUILD_BENCH=ON (the default) and Boost installed")
    command = [program, options.model, options.photo, options.rounds]
    if options.threads > 0:
        command.append(options.threads)
    sys.exit(subprocess.run([str(part) for part in command]).returncode)


if __name__ == "__main__":
    main()
