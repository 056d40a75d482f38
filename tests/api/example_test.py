"""examples/labeling.py as its header says to run it."""

import json
import os
import pathlib
import subprocess
import sys
import tempfile

import numpy
import PIL.Image

from support import labeling_material
from support.aws_case import AwsCase

EXAMPLE = pathlib.Path(__file__).resolve().parents[2] / "examples" / "labeling.py"


class Example(AwsCase):
    def test_photos_become_masks(self):
        with tempfile.TemporaryDirectory(prefix="terrapin-example-") as folder:
            photos = []
            for index in range(2):
                photos.append(os.path.join(folder, f"photo{index}.png"))
                pathlib.Path(photos[-1]).write_bytes(labeling_material.photo(seed=index, kind="PNG"))
            link = json.loads(self.server.run("people", "invite", "--group", "painters", "--url", self.server.url, "--json").stdout)["link"]
            done = subprocess.run([sys.executable, str(EXAMPLE), link, *photos], env=self.server.environment(), capture_output=True, text=True, check=False)
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
            counters, *lines = done.stdout.splitlines()
            self.assertEqual(json.loads(counters)["HumanLabeled"], 2)
            self.assertEqual(len(lines), 2)
            for path, line in zip(photos, lines):
                bucket, _, key = json.loads(line)["bright-ref"][5:].partition("/")
                mask = numpy.asarray(PIL.Image.open(self.s3.get_object(Bucket=bucket, Key=key)["Body"]))
                numpy.testing.assert_array_equal(mask, numpy.asarray(PIL.Image.open(path).convert("L")) > 128)
