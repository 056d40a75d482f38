"""Four clicks while a model trains on the same cores: waiting threads that sleep (as the program has them) against ones that spin (OpenMP's own default).

Usage: script/bench beside-training [--questions N]
What is timed is the network's part of an answer, as `terrapin autosegment --json` says it. Spinning: GOMP_SPINCOUNT=300000, which is what GNU's OpenMP does where nothing is set
(docs/decisions/0016). `sleep_over_spin` is how many times as fast an answer comes.
"""

import argparse
import os
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

import support

SETTINGS = {"sleep": {}, "spin": {"GOMP_SPINCOUNT": "300000"}}


def environment(more):
    kept = {key: value for key, value in os.environ.items() if key not in ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT")}
    return {**kept, **more}


def answers(photo, more, count, folder):
    """Milliseconds of each of `count` answers, each of a new process."""
    command = [support.PROGRAM, "autosegment", "--image", photo, "--points", "400,100 100,400 500,600 600,420", "--output", folder / "mask.png", "--json"]
    return [support.run_json(command, env=environment(more))["milliseconds"]["compute"] for _ in range(count)]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--questions", type=int, default=9)
    a = parser.parse_args()
    cats = support.data_folder("feral_cats")
    photo = cats / "images" / "group0002_jpeg.jpg"
    result, rows = {}, []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for place in ("idle", "beside"):
            training = None
            if place == "beside":
                command = [support.PROGRAM, "train-assist", "--data", cats, "--output", folder / "run", "--steps", "100000", "--quiet"]
                training = subprocess.Popen([str(c) for c in command], env=environment({}), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                time.sleep(15)  # it has begun to compute
            try:
                medians = {}
                for setting, more in SETTINGS.items():
                    medians[setting] = statistics.median(answers(photo, more, a.questions, folder))
                    result[f"{setting}_ms_{place}"] = medians[setting]
                assert training is None or training.poll() is None, "the training ended before the questions did"
            finally:
                if training:
                    training.kill()
                    training.wait()
            result[f"sleep_over_spin_{place}"] = medians["spin"] / medians["sleep"]
            rows.append([place, medians["sleep"], medians["spin"], medians["spin"] / medians["sleep"]])
    support.table("milliseconds of an answer", ["the machine", "threads sleep", "threads spin", "ratio"], rows)
    support.finish(result)


if __name__ == "__main__":
    main()
