"""200 cat photos: the VOC weights untouched against the same weights after training on 200 photos.

Usage: script/bench cats [--epochs N]   Scored on the valid split of feral_cats (cat = any instance) at photo size.
"""

import argparse
import tempfile
from pathlib import Path

import numpy
import torch
from PIL import Image

import support
from peer_mobilenet import MobileNetV2Lite

CAT = 8  # the class of the VOC weights


def write_dataset(source, folder):
    rows = [line.split("\t") for line in (source / "splits.tsv").read_text().splitlines()[1:] if line]
    train = [name for split, _, name in rows if split == "train"][:200]
    valid = [name for split, _, name in rows if split == "valid"]
    for channel, names in (("train", train), ("validation", valid)):
        (folder / channel).mkdir(parents=True)
        (folder / f"{channel}_annotation").mkdir()
        for name in names:
            (folder / channel / f"{name}.jpg").symlink_to(source / "images" / f"{name}.jpg")
            mask = numpy.array(Image.open(source / "instances" / f"{name}.png"))
            Image.fromarray((mask > 0).astype(numpy.uint8)).save(folder / f"{channel}_annotation" / f"{name}.png")
    (folder / "classes.json").write_text(
        '{"format": "terrapin-classes", "version": 1, "classes": [{"name": "BACKGROUND", "color": "#ffffff"}, {"name": "cat", "color": "#2ca02c"}]}')
    return valid


def untrained_iou(source, names, weights):
    network = MobileNetV2Lite(21, skip_channels=0)
    network.load_voc(weights, with_classifier=True)
    network.eval()
    hits = union = 0
    with torch.inference_mode():
        for name in names:
            photo = Image.open(source / "images" / f"{name}.jpg").convert("RGB")
            truth = numpy.array(Image.open(source / "instances" / f"{name}.png")) > 0
            image = torch.from_numpy(numpy.array(photo.resize((513, 513), Image.BILINEAR))).permute(2, 0, 1)[None].float() / 127.5 - 1
            logits = torch.nn.functional.interpolate(network(image), size=truth.shape, mode="bilinear")
            answer = (logits.argmax(1)[0] == CAT).numpy()
            hits += int((answer & truth).sum())
            union += int((answer | truth).sum())
    return hits / union


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--epochs", type=int, default=10)
    a = parser.parse_args()
    source = support.data_folder("feral_cats")
    voc = support.data_folder("weights") / "deeplabv3_mnv2_pascal_quant.safetensors"
    with tempfile.TemporaryDirectory() as scratch:
        data, output = Path(scratch) / "dataset", Path(scratch) / "training"
        names = write_dataset(source, data)
        before = untrained_iou(source, names, voc)
        seconds = support.train(data, output, voc, epochs=a.epochs, base_size=512, crop_size=320, mini_batch_size=8, validate_every=5)
        ours = support.evaluate(output / "model.tar.gz", data, "validation")
        after = ours["classes"][1]["iou"]
        support.table(f"feral_cats, {len(names)} valid photos, IoU of cat", ["", "cat IoU", "mIoU", "seconds"],
                      [["VOC weights, untouched", before, "-", 0], [f"Terrapin, 200 photos, {a.epochs} epochs", after, ours["mean_iou"], round(seconds)]])
        support.finish({"iou_cat": after, "iou_cat_untrained": before, "miou": ours["mean_iou"], "seconds": seconds, "epochs": a.epochs})


if __name__ == "__main__":
    main()
