"""Scripts with the real SageMaker Python SDK, under `terrapin run`, as a user starts them."""

import os
import pathlib
import subprocess
import unittest

from support.terrapin_server import program

ROOT = pathlib.Path(__file__).resolve().parents[2]
PYTHON = ROOT / ".venv-sagemaker" / "bin" / "python"
QUICK = pathlib.Path(__file__).resolve().parent / "quick_sdk"


def require_sdk():
    if not os.access(PYTHON, os.X_OK):
        raise unittest.SkipTest(f"{PYTHON} is not there: script/setup makes it with the SageMaker Python SDK from PyPI")


def run_script(server, script, *arguments, folder, paths=(), **variables):
    """`script` with its arguments, in `folder`, against that service; ended, with both outputs as text. `paths`: for PYTHONPATH."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_") and "proxy" not in name.lower()}
    environment.update(PYTHONPATH=os.pathsep.join(map(str, paths)), HOME=str(folder), TERRAPIN_SHARE=str(ROOT / "models"),
                       PATH=f"{PYTHON.parent}:{os.environ['PATH']}")
    environment.update({name: str(value) for name, value in variables.items()})
    return subprocess.run([program(), "run", "--data-dir", str(server.data_dir), "--", str(PYTHON), "-u", str(script), *map(str, arguments)],
                          cwd=folder, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=1500)
