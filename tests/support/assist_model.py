"""An assistance model to start a service with, where none ships.

TERRAPIN_ASSIST_MODEL_MAKER names the program that makes it (default: the one of this checkout's build).
"""

import os
import pathlib
import subprocess

_ROOT = pathlib.Path(__file__).resolve().parents[2]


def random_assist_model(folder):
    """A model with random weights in that folder; its path."""
    maker = os.environ.get("TERRAPIN_ASSIST_MODEL_MAKER") or str(_ROOT / "build" / "tests" / "api" / "random_assist_model")
    if not os.access(maker, os.X_OK):
        raise RuntimeError(f"{maker}: is no program; build it with script/build or name it in TERRAPIN_ASSIST_MODEL_MAKER")
    path = pathlib.Path(folder) / "assist.safetensors"
    subprocess.run([maker, str(path)], check=True)
    return path
