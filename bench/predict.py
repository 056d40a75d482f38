"""Prediction latency: Terrapin (oneDNN) against PyTorch eager and ONNX Runtime, same network, weights and input.

Usage: script/bench predict [--size 481] [--threads 2] [--classes 21] [--rounds 7] [--runs 10]
MobileNetV2 + lite, from the normalised input to logits at its size: the ratios. Also to one class per pixel (eager: argmax of its logits; ONNX
Runtime: an ArgMax node in the exported model): the ratios ending in _labels. Rounds alternate; medians over all runs of all rounds.
With TERRAPIN_TEST_DATA the weights are the public VOC ones, else random (the times do not depend on them).
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy

import support
from peer_mobilenet import MobileNetV2Lite, read_safetensors


class Ours:
    def __init__(self, folder, a):
        command = [support.ROOT / "build" / "bench" / "bench_predict", "--size", a.size, "--threads", a.threads, "--classes", a.classes, "--folder", folder]
        data = os.environ.get("TERRAPIN_TEST_DATA")
        if data:
            command += ["--weights", Path(data) / "weights" / "deeplabv3_mnv2_pascal_quant.safetensors"]
        program = os.environ.get("TERRAPIN_BENCH_PREDICT")
        if program:
            command[0] = program
        self.process = subprocess.Popen([str(c) for c in command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.expect("ready")

    def expect(self, word):
        line = self.process.stdout.readline().strip()
        if line != word:
            sys.exit(f"bench_predict answered {line!r}, not {word!r}")

    def run(self, what, count):
        self.process.stdin.write(f"{what} {count}\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def save(self):
        self.process.stdin.write("save\n")
        self.process.stdin.flush()
        self.expect("saved")


def load_peer(folder, classes, skip):
    """The peer's modules with our folded weights, matched by the order of convolutions in the encoder and by name in the decoder."""
    import torch

    tensors = read_safetensors(folder / "folded.safetensors")
    with open(folder / "folded.safetensors", "rb") as file:
        length = int.from_bytes(file.read(8), "little")
        order = json.loads(file.read(length))["__metadata__"]["order"].split()
    net = MobileNetV2Lite(classes, skip).eval()
    encoder = [name for name in order if not name.startswith("decoder.")]
    pairs = list(zip(net.encoder_convolutions(), encoder))
    names = {"pool": net.pool, "local": net.local, "fuse": net.fuse, "classifier": net.classifier, "refine16.narrow": net.narrow,
             "refine8.lateral": net.lateral8, "refine8.depthwise": net.refine8.layers[0], "refine8.project": net.refine8.layers[2],
             "refine4.lateral": net.lateral4, "refine4.depthwise": net.refine4.layers[0], "refine4.project": net.refine4.layers[2],
             "refine4.classifier": net.correction}
    pairs += [(module, "decoder." + name) for name, module in names.items()]
    assert len(pairs) == len(order), (len(pairs), len(order))
    with torch.no_grad():
        for module, name in pairs:
            assert module.weight.shape == tensors[name + ".weight"].shape, name
            module.weight.copy_(tensors[name + ".weight"])
            module.bias.copy_(tensors[name + ".bias"])
    return net


def timed(function, count):
    times = []
    for _ in range(count):
        begin = time.perf_counter()
        function()
        times.append((time.perf_counter() - begin) * 1000)
    return times


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--size", type=int, default=481)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--classes", type=int, default=21)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--skip-http", action="store_true", help="leave out http_overhead")
    a = parser.parse_args()

    import torch

    try:
        import onnxruntime
    except ImportError:
        onnxruntime = None
        print("onnxruntime is not installed (pip install onnxruntime): its column is left out", file=sys.stderr)
    torch.set_num_threads(a.threads)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        ours = Ours(folder, a)
        shape = (1, 3, a.size, a.size)
        data = numpy.fromfile(folder / "input.f32", numpy.float32).reshape(shape)
        net, x = load_peer(folder, a.classes, 48), torch.from_numpy(data)
        sessions = {}
        if onnxruntime:
            options = onnxruntime.SessionOptions()
            options.intra_op_num_threads, options.inter_op_num_threads = a.threads, 1
            # Its threads would otherwise spin into the other runs' time.
            options.add_session_config_entry("session.force_spinning_stop", "1")
            for name in ("model", "labels"):
                sessions[name] = onnxruntime.InferenceSession(folder / f"{name}.onnx", options, providers=["CPUExecutionProvider"])
        tasks = {("ours", "labels"): lambda n: ours.run("labels", n), ("ours", "logits"): lambda n: ours.run("logits", n)}

        def eager(labels):
            with torch.no_grad():
                y = net(x)
                return y.argmax(1) if labels else y

        tasks[("eager", "labels")] = lambda n: timed(lambda: eager(True), n)
        tasks[("eager", "logits")] = lambda n: timed(lambda: eager(False), n)
        if onnxruntime:
            tasks[("onnxruntime", "labels")] = lambda n: timed(lambda: sessions["labels"].run(["labels"], {"image": data}), n)
            tasks[("onnxruntime", "logits")] = lambda n: timed(lambda: sessions["model"].run(["logits"], {"image": data}), n)

        ours.save()
        answer = numpy.fromfile(folder / "ours.f32", numpy.float32).reshape(1, a.classes, a.size, a.size)
        peers = {"eager": eager(False).numpy()}
        if onnxruntime:
            peers["onnxruntime"] = sessions["model"].run(["logits"], {"image": data})[0]
        scale = max(1.0, float(numpy.abs(answer).max()))
        difference = {name: float(numpy.abs(answer - y).max()) / scale for name, y in peers.items()}
        for name, value in difference.items():
            if value > 1e-3:
                sys.exit(f"the answers differ by {value:.2g} of the largest logit from {name}: the comparison would be void")

        for run in tasks.values():
            run(3)  # warm-up
        times = {key: [] for key in tasks}
        for _ in range(a.rounds):
            for key, run in tasks.items():
                times[key] += run(a.runs)
        middle = {key: statistics.median(values) for key, values in times.items()}

        # The host's share, on the same model: prints one JSON object with http_overhead as its last line.
        http, overhead = {}, Path(__file__).with_name("http_overhead.py")
        if overhead.exists() and not a.skip_http:
            command = [sys.executable, str(overhead), str(folder / "model.tar.gz"), "--threads", str(a.threads)]
            text = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
            http = json.loads(text.splitlines()[-1])

    rows, figures = [], {}
    for who in ("ours", "eager", "onnxruntime"):
        if (who, "labels") not in middle:
            continue
        rows.append([who, middle[(who, "labels")], middle[(who, "labels")] / middle[("ours", "labels")], middle[(who, "logits")],
                     middle[(who, "logits")] / middle[("ours", "logits")]])
        for what in ("labels", "logits"):
            figures[f"{who}_{what}_ms"] = middle[(who, what)]
            if who != "ours":
                suffix = "_labels" if what == "labels" else ""
                figures[f"ratio_vs_{who}{suffix}"] = middle[(who, what)] / middle[("ours", what)]
    support.table(f"prediction, MobileNetV2 + lite, {a.classes} classes, {a.size} x {a.size}, {a.threads} threads, median of {a.rounds} x {a.runs} runs",
                  ["", "labels, ms", "this / ours", "logits, ms", "this / ours"], rows)
    for name, value in difference.items():
        figures[f"difference_from_{name}"] = value
    figures.update(http)
    support.finish(figures)


if __name__ == "__main__":
    main()
