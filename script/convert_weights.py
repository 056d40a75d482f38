#!/usr/bin/env python3
"""Turn a PyTorch checkpoint (.pth, for example torchvision's resnet50-0676ba61.pth) into safetensors.

Usage: script/convert_weights.py FILE.pth OUT.safetensors [--half]

Needs Python 3 and torch, nothing else. A file named NAME-xxxxxxxx.pth promises, by PyTorch's hub convention, that its
SHA-256 begins with those digits: a file that breaks the promise is refused. Loading a .pth runs code that the file
brings along unless torch supports weights_only, so convert files of known origin only.
"""
import argparse
import hashlib
import json
import os
import re
import struct
import sys
import tempfile

NAMES = {
    "torch.float32": "F32", "torch.float16": "F16", "torch.bfloat16": "BF16", "torch.float64": "F64",
    "torch.int64": "I64", "torch.int32": "I32", "torch.int16": "I16", "torch.int8": "I8", "torch.uint8": "U8",
    "torch.bool": "BOOL",
}


def sha256_of(path):
    digest = hashlib.sha256()
    with open(path, "rb") as stream:
        for block in iter(lambda: stream.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()


def load(path):
    import torch

    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except TypeError:  # torch before 1.13 knows no weights_only
        state = torch.load(path, map_location="cpu")
    for key in ("state_dict", "model"):
        if isinstance(state, dict) and isinstance(state.get(key), dict):
            state = state[key]
    if not isinstance(state, dict) or not state or not all(torch.is_tensor(t) for t in state.values()):
        sys.exit(f"{path}: holds no state dict (names with tensors)")
    return {name[7:] if name.startswith("module.") else name: tensor for name, tensor in state.items()}


def tensor_bytes(tensor):
    import torch

    tensor = tensor.detach().contiguous()
    if tensor.dtype == torch.bfloat16:
        return tensor.view(torch.int16).numpy().tobytes()
    return tensor.numpy().tobytes()


def write_safetensors(path, tensors, metadata):
    header, offset, parts = {"__metadata__": metadata}, 0, []
    for name in sorted(tensors):
        data = tensor_bytes(tensors[name])
        header[name] = {
            "dtype": NAMES[str(tensors[name].dtype)],
            "shape": list(tensors[name].shape),
            "data_offsets": [offset, offset + len(data)],
        }
        offset += len(data)
        parts.append(data)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    folder = os.path.dirname(os.path.abspath(path))
    with tempfile.NamedTemporaryFile(dir=folder, delete=False) as stream:
        stream.write(struct.pack("<Q", len(text)))
        stream.write(text)
        for part in parts:
            stream.write(part)
    os.chmod(stream.name, 0o644)
    os.replace(stream.name, path)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", metavar="FILE.pth")
    parser.add_argument("target", metavar="OUT.safetensors")
    parser.add_argument("--half", action="store_true", help="store floats as float16: half the size")
    options = parser.parse_args()
    if not os.path.isfile(options.source):
        sys.exit(f"{options.source}: no such file")
    digest = sha256_of(options.source)
    promised = re.search(r"-([0-9a-f]{8,64})\.pth$", os.path.basename(options.source))
    if promised and not digest.startswith(promised.group(1)):
        sys.exit(f"{options.source}: SHA-256 is {digest}, its name promises {promised.group(1)}...: download it again")
    tensors = load(options.source)
    if options.half:
        tensors = {n: t.half() if t.is_floating_point() else t for n, t in tensors.items()}
    metadata = {"source": os.path.basename(options.source), "source_sha256": digest}
    write_safetensors(options.target, tensors, metadata)
    print(f"{options.target}: {len(tensors)} tensors from {options.source} (SHA-256 {digest})")


if __name__ == "__main__":
    main()
