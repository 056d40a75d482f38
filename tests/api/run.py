#!/usr/bin/python3
"""Runs API tests in one process against one service. Usage: run.py [--interpreter PYTHON] NAME...  (a NAME is a file here without .py)

Exit code 77: what the tests need is not installed; the message says what. Skipped tests are listed as script/test reads them.
"""

import importlib
import os
import pathlib
import sys
import time
import unittest

HERE = pathlib.Path(__file__).resolve().parent
SKIPPED = 77


def skip(reason, names):
    print(f"{reason}\n[  SKIPPED ] api.{names[0]} (0 ms)")
    sys.exit(SKIPPED)


class Result(unittest.TextTestResult):
    """Tells slow tests, and skips in GoogleTest's form."""

    def startTest(self, test):
        self.began = time.monotonic()
        super().startTest(test)

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self.stream.flush()
        print(f"\n{reason}\n[  SKIPPED ] {test.id()} (0 ms)", flush=True)

    def stopTest(self, test):
        super().stopTest(test)
        spent = time.monotonic() - self.began
        if spent > 5:
            print(f"{test.id()}: {spent:.1f} s", flush=True)


def main():
    names = sys.argv[1:]
    if names[:1] == ["--interpreter"]:
        interpreter, names = names[1], names[2:]
        if not os.access(interpreter, os.X_OK):
            skip(f"{interpreter} is not there: script/setup makes it with the newest boto3 from PyPI", names)
        os.execv(interpreter, [interpreter, __file__, *names])
    for module in ("boto3", "numpy", "PIL"):
        try:
            importlib.import_module(module)
        except ImportError as problem:
            skip(f"{sys.executable} lacks {module} ({problem}): script/setup installs it", names)
    import boto3
    import botocore
    print(f"boto3 {boto3.__version__}, botocore {botocore.__version__}, Python {sys.version.split()[0]}", flush=True)
    suite = unittest.TestSuite(unittest.defaultTestLoader.loadTestsFromName(name) for name in names)
    result = unittest.TextTestRunner(verbosity=1, resultclass=Result).run(suite)
    ran = result.testsRun - len(result.skipped)
    if not result.wasSuccessful():
        sys.exit(1)
    sys.exit(0 if ran > 0 else SKIPPED)


sys.path[:0] = [str(HERE), str(HERE.parent)]
if __name__ == "__main__":
    main()
