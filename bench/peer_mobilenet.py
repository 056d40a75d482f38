"""The peer's network: MobileNetV2 with the lite decoder as plain PyTorch modules, written as tutorials write it."""

import json
import struct

import numpy
import torch
import torch.nn.functional as functional
from torch import nn

STAGES = [(1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 1), (6, 320, 1, 1)]
NUMPY_TYPES = {"F16": numpy.float16, "F32": numpy.float32, "F64": numpy.float64}


def read_safetensors(path):
    """name -> float32 tensor."""
    with open(path, "rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(length))
        body = file.read()
    tensors = {}
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        begin, end = entry["data_offsets"]
        values = numpy.frombuffer(body[begin:end], dtype=NUMPY_TYPES[entry["dtype"]]).astype(numpy.float32)
        tensors[name] = torch.from_numpy(values.reshape(entry["shape"]).copy())
    return tensors


class InvertedResidual(nn.Module):
    def __init__(self, channels_in, channels_out, expansion, stride, dilation):
        super().__init__()
        hidden = channels_in * expansion
        layers = [] if expansion == 1 else [nn.Conv2d(channels_in, hidden, 1), nn.ReLU6(inplace=True)]
        layers += [
            nn.Conv2d(hidden, hidden, 3, stride, dilation, dilation, groups=hidden),
            nn.ReLU6(inplace=True),
            nn.Conv2d(hidden, channels_out, 1),
        ]
        self.layers = nn.Sequential(*layers)
        self.residual = stride == 1 and channels_in == channels_out

    def forward(self, x):
        return x + self.layers(x) if self.residual else self.layers(x)


class Separable(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1, groups=channels), nn.ReLU(inplace=True),
            nn.Conv2d(channels, channels, 1), nn.ReLU(inplace=True))

    def forward(self, x):
        return self.layers(x)


def upsample(x, stride, size):
    """Grids aligned at their first pixel."""
    height, width = x.shape[2:]
    x = functional.pad(x, (0, 1, 0, 1), mode="replicate")
    x = functional.interpolate(x, size=(height * stride + 1, width * stride + 1), mode="bilinear", align_corners=True)
    return x[:, :, : size[0], : size[1]]


class MobileNetV2Lite(nn.Module):
    """`skip_channels` = 0: the layout of the public VOC weights."""

    def __init__(self, num_classes, skip_channels=48):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 32, 3, 2, 1), nn.ReLU6(inplace=True))
        blocks, channels = [], 32
        for expansion, out, count, stride in STAGES:
            for index in range(count):
                dilation = 2 if channels == 160 else 1
                blocks.append(InvertedResidual(channels, out, expansion, stride if index == 0 else 1, dilation))
                channels = out
        self.blocks = nn.ModuleList(blocks)
        self.pool = nn.Conv2d(320, 256, 1)
        self.local = nn.Conv2d(320, 256, 1)
        self.fuse = nn.Conv2d(512, 256, 1)
        self.classifier = nn.Conv2d(256, num_classes, 1)
        self.skip_channels = skip_channels
        if skip_channels:
            self.narrow = nn.Conv2d(256, skip_channels, 1)
            self.lateral8 = nn.Conv2d(192, skip_channels, 1)
            self.lateral4 = nn.Conv2d(24, skip_channels, 1)
            self.refine8 = Separable(skip_channels)
            self.refine4 = Separable(skip_channels)
            self.correction = nn.Conv2d(skip_channels, num_classes, 1)
            nn.init.zeros_(self.correction.weight)
            nn.init.zeros_(self.correction.bias)

    def encoder_convolutions(self):
        found = [self.stem[0]]
        for block in self.blocks:
            found += [layer for layer in block.layers if isinstance(layer, nn.Conv2d)]
        return found

    def load_voc(self, path, with_classifier=False):
        """The folded DeepLabV3-MobileNetV2 weights, in the order of their numbered names."""
        tensors = read_safetensors(path)
        names = sorted({name.rsplit(".", 1)[0] for name in tensors})
        targets = self.encoder_convolutions() + [self.local, self.pool, self.fuse]
        if with_classifier:
            targets.append(self.classifier)
        for convolution, name in zip(targets, names):
            assert convolution.weight.shape == tensors[name + ".weight"].shape, name
            convolution.weight.data.copy_(tensors[name + ".weight"])
            convolution.bias.data.copy_(tensors[name + ".bias"])

    def forward(self, x):
        size = x.shape[2:]
        x = self.stem(x)
        for index, block in enumerate(self.blocks):
            if index == 6:  # the last rectified features at stride 8 are inside the block that leaves it
                expand, rectify = block.layers[0], block.layers[1]
                stride8 = rectify(expand(x))
                x = block.layers[2:](stride8)
            else:
                x = block(x)
            if index == 2:
                stride4 = x
        pooled = functional.relu(self.pool(x.mean((2, 3), keepdim=True))).expand(-1, -1, *x.shape[2:])
        fused = functional.relu(self.fuse(torch.cat([pooled, functional.relu(self.local(x))], 1)))
        coarse = self.classifier(fused)
        if not self.skip_channels:
            return upsample(coarse, 16, size)
        z = self.refine8(functional.relu(upsample(self.narrow(fused), 2, stride8.shape[2:]) + self.lateral8(stride8)))
        z = self.refine4(functional.relu(upsample(z, 2, stride4.shape[2:]) + self.lateral4(stride4)))
        return upsample(self.correction(z) + upsample(coarse, 4, stride4.shape[2:]), 4, size)
