"""CamVid, 11 classes: test mIoU with per-class table, against a Python/PyTorch run of the same network and epochs.

Usage: script/bench camvid [--epochs N] [--no-peer]
"""

import argparse
import tempfile
from pathlib import Path

import support

BASE, CROP, BATCH, CLASSES = 480, 320, 8, 11


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--epochs", type=int, default=16)
    parser.add_argument("--no-peer", action="store_true")
    parser.add_argument("--keep", help="keep dataset and training output in this folder")
    a = parser.parse_args()
    source = support.data_folder("camvid")
    voc = support.data_folder("weights") / "deeplabv3_mnv2_pascal_quant.safetensors"
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(a.keep) if a.keep else Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        data, output = folder / "dataset", folder / "training"
        support.transform(source, data)
        seconds = support.train(data, output, voc, epochs=a.epochs, base_size=BASE, crop_size=CROP, mini_batch_size=BATCH, num_classes=CLASSES)
        ours = support.evaluate(output / "model.tar.gz", data, "test")
        peer_iou, figures = [None] * CLASSES, {"miou": ours["mean_iou"], "seconds": seconds, "pixel_accuracy": ours["pixel_accuracy"], "epochs": a.epochs}
        if not a.no_peer:
            last = support.peer_train(data, voc, classes=CLASSES, crop=CROP, base=BASE, batch=BATCH, epochs=a.epochs, score=["test"])[-1]
            peer_iou = last["iou"]
            figures |= {"peer_miou": last["miou"], "peer_seconds": last["elapsed_seconds"], "ratio": ours["mean_iou"] / last["miou"]}
        names = "sky building pole road pavement tree sign fence car pedestrian bicyclist".split()
        rows = [[names[k], entry["iou"] if entry["iou"] is not None else "-", peer_iou[k] if peer_iou[k] is not None else "-"] for k, entry in enumerate(ours["classes"])]
        rows.append(["mean", ours["mean_iou"], figures.get("peer_miou", "-")])
        support.table(f"camvid test split, {a.epochs} epochs, crop {CROP}, base {BASE}, batch {BATCH}, IoU per class", ["class", "Terrapin", "Python/PyTorch"], rows)
        support.finish(figures)


if __name__ == "__main__":
    main()
