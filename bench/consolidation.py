"""Consolidation of several workers' masks: ours against majority vote by simulated annotators, speed on one core, memory at 100 megapixels.

Usage: script/bench consolidation [--seeds 5] [--first-seed 1] [--objects 24] [--rounds 5]
Ratios are of the mean IoU over a job; a setting counts as won only if ours wins with every seed. With equal workers ours must not be worse.
"""

import argparse
import json
import subprocess
import sys

import support


def lines(*arguments):
    program = support.ROOT / "build" / "bench" / "bench_consolidation"
    if not program.exists():
        sys.exit(f"{program} is missing: build with -DTERRAPIN_BUILD_BENCH=ON (the default)")
    text = subprocess.run([str(a) for a in (program, *arguments)], check=True, stdout=subprocess.PIPE, text=True).stdout
    return [json.loads(line) for line in text.splitlines()]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--first-seed", type=int, default=1)
    parser.add_argument("--objects", type=int, default=24)
    parser.add_argument("--rounds", type=int, default=5)
    a = parser.parse_args()

    speeds = lines("speed", "--rounds", a.rounds)
    memory = {row["noise"]: row for row in (lines("memory") + lines("memory", "--noise"))}
    scores = lines("settings", "--seeds", a.seeds, "--first-seed", a.first_seed, "--objects", a.objects)
    support.table(f"consolidation, mean IoU over jobs of {a.objects} photos of 240 x 180, mean of {a.seeds} seeds",
                  ["workers", "majority", "ours", "ratio", "worst seed's ratio"],
                  [[s["setting"], s["majority"], s["ours"], f"{s['ratio']:.4f}", f"{s['worst_ratio']:.4f}"] for s in scores])
    print()
    support.table(f"consolidation, one core, decoded masks to final raster, best of {a.rounds} rounds", ["case", "disputed pixels, %", "megapixel-votes/s"],
                  [[s["case"], 100 * s["disputed"], s["megapixel_votes_per_s"]] for s in speeds])
    print()
    support.table("consolidation, 100 megapixels, 9 workers, all cores", ["masks", "peak, GiB", "seconds"],
                  [["photo-like" if not noise else "noise from 3 of them", m["peak_gib"], m["seconds"]] for noise, m in sorted(memory.items())])

    unequal = [s for s in scores if s["unequal"]]
    equal = [s for s in scores if not s["unequal"]]
    ordinary = [s["megapixel_votes_per_s"] for s in speeds if not s["case"].startswith("noise")]
    noise = [s["megapixel_votes_per_s"] for s in speeds if s["case"].startswith("noise")]
    support.finish({
        "beats_majority_everywhere": all(s["worst_ratio"] > 1 for s in unequal) and all(s["worst_ratio"] >= 1 for s in equal),
        "worst_ratio_unequal": min(s["worst_ratio"] for s in unequal),
        "worst_ratio_equal": min(s["worst_ratio"] for s in equal),
        "megapixel_votes_per_s_per_core": min(ordinary),
        "megapixel_votes_per_s_per_core_noise": min(noise),
        "peak_gib_100mpx_9_workers": memory[False]["peak_gib"],
        "peak_gib_100mpx_9_workers_noise": memory[True]["peak_gib"],
    })


if __name__ == "__main__":
    main()
