"""The AWS CLI of Debian against the service of a test. TERRAPIN_AWS_CLI names another one."""

import os
import pathlib
import subprocess
import tempfile
import unittest

AWS = os.environ.get("TERRAPIN_AWS_CLI", "/usr/bin/aws")


class AwsCli:
    """`aws` with the service's address and an admin's key, in `folder`; stands before a case that has `server`. Without the CLI all is skipped."""

    @classmethod
    def setUpClass(cls):
        if not os.access(AWS, os.X_OK):
            raise unittest.SkipTest(f"{AWS} is not installed: script/setup installs awscli")
        super().setUpClass()
        folder = tempfile.TemporaryDirectory(prefix="terrapin-cli-")
        cls.addClassCleanup(folder.cleanup)
        cls.folder = pathlib.Path(folder.name)

    def run_cli(self, *arguments):
        return subprocess.run([AWS, "--endpoint-url", self.server.url, *arguments], env=self.server.environment(), cwd=self.folder,
                              capture_output=True, text=True, check=False)

    def aws(self, *arguments):
        """Standard output of a command that must succeed."""
        done = self.run_cli(*arguments)
        self.assertEqual(done.returncode, 0, f"aws {' '.join(arguments)}: {done.stderr}\n{done.stdout[-1000:]}")
        return done.stdout
