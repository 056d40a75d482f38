"""AWS's JavaScript SDK from npm: js/clients.test.mjs against a service of our own. TERRAPIN_NODE names another Node.js (18 or newer)."""

import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

from support.aws_case import SageMakerCase

FOLDER = pathlib.Path(__file__).resolve().parent / "js"


class JavaScript(SageMakerCase):
    @classmethod
    def setUpClass(cls):
        cls.node = os.environ.get("TERRAPIN_NODE") or shutil.which("node")
        if not cls.node:
            raise unittest.SkipTest("node is not installed: script/setup installs nodejs")
        if not (FOLDER / "node_modules" / "@aws-sdk" / "client-s3").is_dir():
            raise unittest.SkipTest("tests/api/js/node_modules lacks @aws-sdk/client-s3: script/setup installs it from npm")
        super().setUpClass()

    def test_the_sdk(self):
        with tempfile.NamedTemporaryFile("w", suffix=".json") as request:
            json.dump(self.job_request(), request)
            request.flush()
            done = subprocess.run([self.node, "--test", "clients.test.mjs"], cwd=FOLDER, env=dict(self.server.environment(), JOB_REQUEST=request.name),
                                  capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
