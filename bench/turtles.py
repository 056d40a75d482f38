"""Time to mIoU on 276 real turtle photos: Terrapin's training against a Python/PyTorch loop of the same network.

Usage: script/bench turtles [--weights voc|starter] [--epochs N] [--no-peer] [--keep FOLDER]
Scores are of valid + test (37 photos) at photo size; the packaged epoch is the best on valid. Seconds are wall time of the whole
`terrapin train` command, validation included; "s to 0.846" is that of the shortest training whose package passes the seed's score.
"""

import argparse
import tempfile
from pathlib import Path

import support

SEED_MIOU = 0.846  # the published SageMaker run: FCN-ResNet50 on a V100, 8 minutes
BASE, CROP, BATCH = 720, 320, 8


def first_passing(lines):
    for line in lines:
        if line.get("miou", 0) >= SEED_MIOU:
            return line["elapsed_seconds"]
    return None


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--weights", choices=["voc", "starter"], default="voc")
    parser.add_argument("--epochs", type=int, default=22)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--no-peer", action="store_true")
    parser.add_argument("--peer-epochs", type=int, default=10)
    parser.add_argument("--keep", help="keep dataset and training output in this new folder")
    a = parser.parse_args()
    source = support.data_folder("turtle_heads")
    voc = support.data_folder("weights") / "deeplabv3_mnv2_pascal_quant.safetensors"
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(a.keep) if a.keep else Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        data, output = folder / "dataset", folder / f"training-{a.weights}"
        support.transform(source, data)
        weights = voc if a.weights == "voc" else "starter"
        sizes = {"base_size": BASE, "crop_size": CROP, "mini_batch_size": BATCH}
        seconds = support.train(data, output, weights, "--seed", a.seed, epochs=a.epochs, **sizes)
        model = output / "model.tar.gz"
        both, valid, test = (support.evaluate(model, data, split) for split in ("validation+test", "validation", "test"))
        # The seed's score: the shortest whole training, schedule and all, whose package passes it on valid + test.
        passed = None
        for epochs in (1, 2, 3, 5, 8):
            short = folder / f"short-{a.weights}-{epochs}"
            took = support.train(data, short, weights, "--seed", a.seed, epochs=epochs, **sizes)
            if support.evaluate(short / "model.tar.gz", data, "validation+test")["mean_iou"] >= SEED_MIOU:
                passed = took
                break
        rows = [["Terrapin", both["mean_iou"], both["classes"][1]["iou"], valid["mean_iou"], test["mean_iou"], round(seconds), passed and round(passed)]]
        figures = {"miou": both["mean_iou"], "iou_foreground": both["classes"][1]["iou"], "miou_valid": valid["mean_iou"],
                   "miou_test": test["mean_iou"], "pixel_accuracy": both["pixel_accuracy"], "seconds": seconds, "seconds_to_0.846": passed,
                   "weights": a.weights, "epochs": a.epochs}
        if not a.no_peer:
            lines = support.peer_train(data, voc, crop=CROP, base=BASE, batch=BATCH, epochs=a.peer_epochs, score=["validation", "test"])
            best = max(lines, key=lambda line: line["miou_validation"])
            peer_passed = first_passing(lines)
            rows.append(["Python/PyTorch, tuned", best["miou"], best["iou"][1], best["miou_validation"], best["miou_test"],
                         round(lines[-1]["elapsed_seconds"]), peer_passed and round(peer_passed)])
            figures |= {"peer_miou": best["miou"], "peer_iou_foreground": best["iou"][1], "peer_seconds": lines[-1]["elapsed_seconds"],
                        "peer_seconds_to_0.846": peer_passed, "peer_epochs": a.peer_epochs}
            if passed and peer_passed:
                figures["ratio_seconds_to_0.846"] = peer_passed / passed
        rows.append(["SageMaker FCN-ResNet50, V100 (published)", "-", "-", 0.846, "-", 480, "-"])
        support.table(f"turtle_heads, 276 training photos, crop {CROP}, base {BASE}, batch {BATCH}, initial weights: {a.weights}",
                      ["", "mIoU valid+test", "head IoU", "valid", "test", "seconds", "s to 0.846"], rows)
        support.finish(figures, a.weights)


if __name__ == "__main__":
    main()
