"""What the benchmark drivers share: real data, the program, tables, the closing JSON line."""

import importlib.util
import json
import os
import platform
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PROGRAM = ROOT / "build" / "terrapin"


def not_run(reason):
    """Ends the benchmark with the exit code that means: it could not be measured here."""
    print(reason, file=sys.stderr)
    sys.exit(77)


def data_folder(name):
    """The folder `name` of the real test data, or exit (77: not run) with a message that says what it needs."""
    base = os.environ.get("TERRAPIN_TEST_DATA")
    if not base:
        not_run("This benchmark needs real photos: set TERRAPIN_TEST_DATA to the folder that holds " + name + " (docs/formats/test-data.md)")
    folder = Path(base) / name
    if not folder.is_dir():
        not_run(f"TERRAPIN_TEST_DATA has no folder {name}: {folder}")
    return folder


def of_tests(name):
    """The module tests/support/<name>.py. (tests has a package of this module's name, so it cannot just be imported.)"""
    path = ROOT / "tests" / "support" / f"{name}.py"
    specification = importlib.util.spec_from_file_location("support." + name, path)
    module = importlib.util.module_from_spec(specification)
    sys.modules["support." + name] = module
    specification.loader.exec_module(module)
    return module


def run(arguments, **options):
    """Runs a command, its output to standard error so that standard output keeps the table. Returns seconds."""
    begin = time.perf_counter()
    subprocess.run([str(a) for a in arguments], check=True, stdout=sys.stderr, **options)
    return time.perf_counter() - begin


def run_json(arguments, **options):
    """Runs a command and parses its standard output."""
    return json.loads(subprocess.run([str(a) for a in arguments], check=True, stdout=subprocess.PIPE, **options).stdout)


def transform(source, data):
    """`source` as channel folders at `data`, unless they are there already."""
    if not data.exists():
        run([PROGRAM, "transform", source, "--output", data, "--quiet"])


def train(data, output, weights, *options, **hyperparameters):
    """Trains a package at output/model.tar.gz. Returns the seconds of the whole command."""
    values = [text for name, value in hyperparameters.items() for text in ("-H", f"{name}={value}")]
    return run([PROGRAM, "train", "--data", data, "--output", output, "--weights", weights, "--quiet", *options, *values])


def evaluate(model, data, split):
    """Every score of the package on these splits, as `terrapin evaluate --json` prints them."""
    return run_json([PROGRAM, "evaluate", "--model", model, "--data", data, "--split", split, "--json"])


def peer_train(data, weights, tuned=True, **options):
    """The Python/PyTorch loop on the same folders. Returns its line of every epoch."""
    command = [sys.executable, Path(__file__).with_name("peer_train.py"), data, "--weights", weights] + (["--tuned"] if tuned else [])
    for name, value in options.items():
        command += ["--" + name, *(value if isinstance(value, list) else [value])]
    text = subprocess.run([str(c) for c in command], check=True, stdout=subprocess.PIPE, text=True).stdout
    return [json.loads(line) for line in text.splitlines()]


def machine():
    model = platform.processor() or platform.machine()
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
                break
    except OSError:
        pass
    return f"{model}, {len(os.sched_getaffinity(0))} cores"


def table(title, header, rows):
    """An aligned table with a title, the machine and the date."""
    print(f"{title}\n{machine()}, {time.strftime('%Y-%m-%d')}, command: script/bench {' '.join([Path(sys.argv[0]).stem.replace('_', '-')] + sys.argv[1:])}")
    cells = [header] + [[f"{c:.4g}" if isinstance(c, float) else str(c) for c in row] for row in rows]
    widths = [max(len(row[i]) for row in cells) for i in range(len(header))]
    for index, row in enumerate(cells):
        print("  ".join(c.ljust(w) if i == 0 else c.rjust(w) for i, (c, w) in enumerate(zip(row, widths))).rstrip())
        if index == 0:
            print("  ".join("-" * w for w in widths))


def finish(figures, variant=""):
    """The last line: every figure as one JSON object, kept in bench/results/NAME[-VARIANT].json too when TERRAPIN_BENCH_KEEP is set."""
    line = json.dumps({k: (round(v, 6) if isinstance(v, float) else v) for k, v in figures.items()})
    if os.environ.get("TERRAPIN_BENCH_KEEP"):
        folder = ROOT / "bench" / "results"
        folder.mkdir(exist_ok=True)
        name = Path(sys.argv[0]).stem.replace("_", "-")
        record = {"benchmark": name, "date": time.strftime("%Y-%m-%d"), "machine": machine(), "figures": json.loads(line)}
        (folder / f"{name}{'-' + variant if variant else ''}.json").write_text(json.dumps(record, indent=1) + "\n")
    print(line)
