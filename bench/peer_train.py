"""The peer: a Python/PyTorch training loop as tutorials write it, on the channel folders that `terrapin transform` makes.

--plain: contiguous tensors, the loader in the main process. --tuned: channels-last, worker processes.
Prints one JSON line per epoch on standard output.
"""

import argparse
import json
import math
import os
import random
import time
from pathlib import Path

import numpy
import torch
import torch.nn.functional as functional
from PIL import Image, ImageEnhance
from torch.utils.data import DataLoader, Dataset

from peer_mobilenet import MobileNetV2Lite


def pairs(folder, channel):
    photos = sorted((Path(folder) / channel).iterdir())
    masks = {p.stem: p for p in (Path(folder) / (channel + "_annotation")).iterdir()}
    return [(photo, masks[photo.stem]) for photo in photos]


class Crops(Dataset):
    """Random scale, foreground-aware crop, mirror, colour; image and mask together."""

    def __init__(self, folder, base, crop, foreground):
        self.pairs, self.base, self.crop, self.foreground = pairs(folder, "train"), base, crop, foreground

    def __len__(self):
        return len(self.pairs)

    def __getitem__(self, index):
        photo, mask = Image.open(self.pairs[index][0]).convert("RGB"), Image.open(self.pairs[index][1])
        scale = self.base * random.uniform(0.5, 2.0) / max(photo.size)
        size = (max(1, round(photo.width * scale)), max(1, round(photo.height * scale)))
        photo, mask = photo.resize(size, Image.BILINEAR), mask.resize(size, Image.NEAREST)
        labels = numpy.array(mask)
        c = self.crop
        x, y = random.randint(0, max(0, size[0] - c)), random.randint(0, max(0, size[1] - c))
        if random.random() < self.foreground:
            present = [k for k in numpy.unique(labels) if k not in (0, 255)]
            if present:
                ys, xs = numpy.nonzero(labels == random.choice(present))
                k = random.randrange(len(ys))
                x = min(max(0, int(xs[k] - random.random() * c)), max(0, size[0] - c))
                y = min(max(0, int(ys[k] - random.random() * c)), max(0, size[1] - c))
        photo = photo.crop((x, y, min(x + c, size[0]), min(y + c, size[1])))
        labels = labels[y : y + c, x : x + c]
        if random.random() < 0.8:
            photo = ImageEnhance.Brightness(photo).enhance(random.uniform(0.75, 1.25))
            photo = ImageEnhance.Contrast(photo).enhance(random.uniform(0.75, 1.25))
            photo = ImageEnhance.Color(photo).enhance(random.uniform(0.75, 1.25))
        image = torch.from_numpy(numpy.array(photo)).permute(2, 0, 1).float() / 127.5 - 1
        target = torch.from_numpy(labels.astype(numpy.int64))
        right, below = c - image.shape[2], c - image.shape[1]
        image, target = functional.pad(image, (0, right, 0, below)), functional.pad(target, (0, right, 0, below), value=255)
        if random.random() < 0.5:
            image, target = image.flip(2), target.flip(1)
        return image, target


def loss_function(logits, target, classes):
    entropy = functional.cross_entropy(logits, target, ignore_index=255)
    valid = (target != 255).unsqueeze(1)
    probabilities = logits.softmax(1) * valid
    truth = functional.one_hot(target.clamp(max=classes - 1), classes).permute(0, 3, 1, 2) * valid
    overlap = (probabilities * truth).sum((0, 2, 3))
    total = probabilities.sum((0, 2, 3)) + truth.sum((0, 2, 3))
    present = truth.sum((0, 2, 3)) > 0
    return entropy + (1 - (2 * overlap + 1) / (total + 1))[present].mean()


def confusion(network, items, base, classes, memory_format):
    network.eval()
    counts = numpy.zeros((classes, classes), numpy.int64)
    with torch.inference_mode():
        for photo_path, mask_path in items:
            photo, truth = Image.open(photo_path).convert("RGB"), numpy.array(Image.open(mask_path))
            scale = base / max(photo.size)
            size = [max(1, round((side * scale - 1) / 16)) * 16 + 1 for side in photo.size]
            image = torch.from_numpy(numpy.array(photo.resize(size, Image.BILINEAR))).permute(2, 0, 1)[None].float() / 127.5 - 1
            logits = network(image.contiguous(memory_format=memory_format))
            answer = functional.interpolate(logits, size=truth.shape, mode="bilinear").argmax(1)[0].numpy()
            keep = truth < classes
            counts += numpy.bincount(truth[keep].astype(numpy.int64) * classes + answer[keep], minlength=classes**2).reshape(classes, classes)
    network.train()
    return counts


def scores(counts):
    hits = numpy.diag(counts)
    union = counts.sum(0) + counts.sum(1) - hits
    iou = [float(h / u) if u else None for h, u in zip(hits, union)]
    present = [v for v in iou if v is not None]
    return sum(present) / len(present), iou


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("data")
    parser.add_argument("--weights", required=True)
    parser.add_argument("--classes", type=int, default=2)
    parser.add_argument("--crop", type=int, default=320)
    parser.add_argument("--base", type=int, default=720)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--steps", type=int, default=0, help="stop each epoch after this many steps")
    parser.add_argument("--rate", type=float, default=1e-3)
    parser.add_argument("--encoder-factor", type=float, default=0.2)
    parser.add_argument("--foreground", type=float, default=0.5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--score", nargs="*", default=[], help="channels scored after each epoch")
    parser.add_argument("--tuned", action="store_true")
    parser.add_argument("--seed", type=int, default=0)
    a = parser.parse_args()

    torch.set_num_threads(a.threads)
    random.seed(a.seed), numpy.random.seed(a.seed), torch.manual_seed(a.seed)
    memory_format = torch.channels_last if a.tuned else torch.contiguous_format
    network = MobileNetV2Lite(a.classes)
    network.load_voc(a.weights)
    network = network.to(memory_format=memory_format)
    workers = {"num_workers": a.threads, "persistent_workers": True} if a.tuned else {}
    loader = DataLoader(Crops(a.data, a.base, a.crop, a.foreground), a.batch, shuffle=True, drop_last=True, **workers)
    encoder = [p for c in network.encoder_convolutions() for p in c.parameters()]
    known = {id(p) for p in encoder}
    rest = [p for p in network.parameters() if id(p) not in known]
    optimizer = torch.optim.AdamW([{"params": encoder, "lr": a.rate * a.encoder_factor}, {"params": rest, "lr": a.rate}])
    per_epoch = min(len(loader), a.steps or len(loader))
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: min(1, (step + 1) / 30) * 0.5 * (1 + math.cos(math.pi * min(1, step / (per_epoch * a.epochs)))))
    begin = time.perf_counter()
    for epoch in range(a.epochs):
        start, images, total = time.perf_counter(), 0, 0.0
        for step, (image, target) in enumerate(loader):
            if step == per_epoch:
                break
            loss = loss_function(network(image.contiguous(memory_format=memory_format)), target, a.classes)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            images += len(image)
            total += loss.item()
        seconds = time.perf_counter() - start
        report = {"epoch": epoch + 1, "loss": total / per_epoch, "train_seconds": seconds, "images_per_s": images / seconds}
        sums = None
        for channel in a.score:
            counts = confusion(network, pairs(a.data, channel), a.base, a.classes, memory_format)
            sums = counts if sums is None else sums + counts
            report["miou_" + channel] = scores(counts)[0]
        if sums is not None:
            report["miou"], report["iou"] = scores(sums)
        report["elapsed_seconds"] = time.perf_counter() - begin
        print(json.dumps(report), flush=True)
    os._exit(0)  # worker processes need no farewell


if __name__ == "__main__":
    main()
