#!/usr/bin/env python3
"""What torchvision says: random weights (running statistics too), an input and the logits, as one safetensors file.

Usage: torchvision_logits.py MODEL OUT.safetensors [HEIGHT WIDTH]

MODEL is fcn_resnet50, fcn_resnet101, deeplabv3_resnet50, deeplabv3_resnet101 or mobilenet_v2. "model/..." is the state dict, "image" has
values 0..1, "logits" are the model's. mobilenet_v2: "logits" are the 96-channel features at stride 16, the last before the stride that
our encoder replaces by dilation, with the first convolution's padding at grey 0.5 as ours has it. Exits with 77 without torchvision.
"""
import json
import struct
import sys

try:
    import torch
    import torchvision
except ImportError as error:
    print(f"torchvision is missing: {error}")
    sys.exit(77)


def randomise(model):
    for name, module in model.named_modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            # Residual branches speak softly, or their sums would grow beyond what trained networks know.
            low, high = (0.1, 0.3) if name.endswith("bn3") else (0.5, 1.5)
            module.weight.data.uniform_(low, high)
            module.bias.data.normal_(0, 0.1)
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 1.5)


def write(path, tensors):
    header, offset = {}, 0
    for name, tensor in tensors.items():
        size = tensor.numel() * tensor.element_size()
        kind = {torch.float32: "F32", torch.int64: "I64"}[tensor.dtype]
        header[name] = {"dtype": kind, "shape": list(tensor.shape), "data_offsets": [offset, offset + size]}
        offset += size
    text = json.dumps(header).encode()
    with open(path, "wb") as stream:
        stream.write(struct.pack("<Q", len(text)) + text)
        for tensor in tensors.values():
            stream.write(tensor.contiguous().numpy().tobytes())


def main():
    name, path = sys.argv[1], sys.argv[2]
    height, width = (int(v) for v in sys.argv[3:5]) if len(sys.argv) > 3 else (97, 65)
    torch.manual_seed(0)
    torch.set_num_threads(1)
    if "_resnet" in name:
        build = getattr(torchvision.models.segmentation, name)
        model = build(weights=None, weights_backbone=None, num_classes=21, aux_loss=True)
    else:
        model = getattr(torchvision.models, name)(weights=None)
    randomise(model)
    model.eval()
    image = torch.rand(1, 3, height, width)  # 0..1
    mean = torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1)
    std = torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1)
    with torch.no_grad():
        x = (image - mean) / std
        if "_resnet" in name:
            logits = model(x)["out"]
        else:
            grey = ((0.5 - mean) / std).expand(1, 3, height + 2, width + 2).clone()
            grey[:, :, 1:-1, 1:-1] = x
            model.features[0][0].padding = (0, 0)
            logits = model.features[:14](grey)
    tensors = {f"model/{n}": t for n, t in model.state_dict().items()}
    tensors["image"] = image
    tensors["logits"] = logits
    write(path, tensors)


if __name__ == "__main__":
    main()
