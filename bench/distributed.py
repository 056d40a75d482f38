"""Training with two one-thread processes against one one-thread process: images/s of the same batches, and the speed-up.

Usage: script/bench distributed [--rounds N] [--steps N] [--crop N] [--batch N]
Whole trainings by `terrapin train` on made scenes, MobileNetV2 + lite; images/s of each run's last epoch, as metrics.jsonl has it, so that loading,
augmentation, the exchange of gradients and waiting for the slower process are all in it. Runs alternate; medians are compared. One core a process:
each run is bound to as many cores as it has processes. libtorch 1.13 computes 1 x 1 convolutions on another path with one thread than with several;
both sides use that path, so this is not the speed-up over one process with two threads, which is shown beside it.
"""

import argparse
import json
import os
import statistics
import tempfile
from pathlib import Path

import support


def rate(data, output, processes, threads, a):
    epoch_steps = a.steps
    crops = max(1, epoch_steps * a.batch // a.photos)
    cores = sorted(os.sched_getaffinity(0))[: processes * threads]
    support.run(
        ["taskset", "-c", ",".join(map(str, cores)), support.PROGRAM, "train", "--data", data, "--output", output, "--weights", "none", "--quiet", "--overwrite",
         "--threads", threads, "--processes", processes, "-H", "epochs=2", "-H", f"crop_size={a.crop}", "-H", f"base_size={a.crop * 2}",
         "-H", f"mini_batch_size={a.batch}", "-H", f"crops_per_photo={crops}", "-H", "validate_every=2"],
        env={**os.environ, "OMP_WAIT_POLICY": "passive"})
    last = json.loads((Path(output) / "metrics.jsonl").read_text().splitlines()[-1])
    return last["train"]["images_per_second"]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=8, help="steps an epoch, about")
    parser.add_argument("--crop", type=int, default=240)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--photos", type=int, default=40)
    a = parser.parse_args()
    runs = {"one": (1, 1), "two": (2, 1), "threads": (1, 2)}
    rates = {name: [] for name in runs}
    with tempfile.TemporaryDirectory() as scratch:
        scenes, data = Path(scratch) / "scenes", Path(scratch) / "data"
        support.run([support.PROGRAM, "scenes", scenes, "--count", a.photos])
        support.run([support.PROGRAM, "transform", next(scenes.glob("*/manifests/output/output.manifest")), "--output", data, "--quiet",
                     "--s3-root", f"scenes={scenes}"])
        for _ in range(a.rounds):
            for name, (processes, threads) in runs.items():
                rates[name].append(rate(data, Path(scratch) / name, processes, threads, a))
    middle = {name: statistics.median(values) for name, values in rates.items()}
    support.table(f"training together, images/s, MobileNetV2 + lite, crop {a.crop}, batch {a.batch}, median of {a.rounds} rounds",
                  ["", "images/s", "x one process"],
                  [["one process of one thread", middle["one"], 1.0], ["two processes of one thread each", middle["two"], middle["two"] / middle["one"]],
                   ["one process of two threads", middle["threads"], middle["threads"] / middle["one"]]])
    support.finish({"one_process_images_per_s": middle["one"], "two_processes_images_per_s": middle["two"], "speed_up": middle["two"] / middle["one"],
                    "two_threads_images_per_s": middle["threads"], "speed_up_of_threads": middle["threads"] / middle["one"]})


if __name__ == "__main__":
    main()
