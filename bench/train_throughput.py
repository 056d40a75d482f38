"""Training throughput, decode and augmentation included: Terrapin against a Python/PyTorch loop, plain and tuned.

Usage: script/bench train-throughput [--rounds N] [--steps N]
Same network (MobileNetV2 + lite), crop, batch, optimizer, loss and kinds of augmentation. Rounds alternate; medians are compared. The loading
overhead is a whole epoch's time against the same number of steps on one batch kept in memory (bench_train_throughput measures both).
"""

import argparse
import statistics
import tempfile
from pathlib import Path

import support

BASE, CROP, BATCH = 720, 320, 8


def peer(data, weights, steps, tuned):
    lines = support.peer_train(data, weights, tuned, crop=CROP, base=BASE, batch=BATCH, epochs=2, steps=steps)
    return lines[-1]["images_per_s"]  # the second epoch: warmed up


def ours(data, weights, steps):
    program = support.ROOT / "build" / "bench" / "bench_train_throughput"
    return support.run_json([program, "--data", data, "--weights", weights, "--crop", CROP, "--base", BASE, "--batch", BATCH, "--steps", steps])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=30)
    a = parser.parse_args()
    source = support.data_folder("turtle_heads")
    voc = support.data_folder("weights") / "deeplabv3_mnv2_pascal_quant.safetensors"
    rates = {"ours": [], "first": [], "bare": [], "plain": [], "tuned": [], "overhead": []}
    with tempfile.TemporaryDirectory() as scratch:
        data = Path(scratch) / "dataset"
        support.transform(source, data)
        for _ in range(a.rounds):
            result = ours(data, voc, a.steps)
            rates["ours"].append(result["images_per_s"])
            rates["first"].append(result["first_epoch_images_per_s"])
            rates["bare"].append(result["bare_images_per_s"])
            rates["overhead"].append(result["bare_images_per_s"] / result["images_per_s"])
            rates["plain"].append(peer(data, voc, a.steps, False))
            rates["tuned"].append(peer(data, voc, a.steps, True))
    middle = {name: statistics.median(values) for name, values in rates.items()}
    support.table(f"training throughput, images/s, crop {CROP}, base {BASE}, batch {BATCH}, median of {a.rounds} rounds of {a.steps} steps",
                  ["", "images/s", "ours / this"],
                  [["Terrapin", middle["ours"], 1.0], ["Terrapin, first epoch (photos not yet cached)", middle["first"], middle["ours"] / middle["first"]],
                   ["Terrapin, steps alone", middle["bare"], middle["ours"] / middle["bare"]],
                   ["Python/PyTorch, plain", middle["plain"], middle["ours"] / middle["plain"]],
                   ["Python/PyTorch, tuned", middle["tuned"], middle["ours"] / middle["tuned"]]])
    support.finish({"ours_images_per_s": middle["ours"], "first_epoch_images_per_s": middle["first"], "peer_images_per_s": middle["plain"],
                    "tuned_images_per_s": middle["tuned"], "ratio": middle["ours"] / middle["plain"], "ratio_vs_tuned": middle["ours"] / middle["tuned"],
                    "ratio_first_epoch": middle["first"] / middle["plain"], "loading_overhead": middle["overhead"]})


if __name__ == "__main__":
    main()
