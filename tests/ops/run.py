#!/usr/bin/env python3
"""Runs the tests of running the service for years. Usage: run.py [NAME...]   (a NAME is a file here without .py, or FILE.CLASS.TEST)

Skipped tests are listed as script/test reads them; exit code 77 if all were skipped."""

import pathlib
import sys
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent), str(HERE.parent / "crash")]


class Result(unittest.TextTestResult):
    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self.stream.flush()
        print(f"\n{reason}\n[  SKIPPED ] {test.id()} (0 ms)", flush=True)


def main():
    names = sys.argv[1:] or sorted(path.stem for path in HERE.glob("*_test.py"))
    suite = unittest.TestSuite(unittest.defaultTestLoader.loadTestsFromName(name) for name in names)
    result = unittest.TextTestRunner(verbosity=2, resultclass=Result).run(suite)
    if not result.wasSuccessful() or not result.testsRun:
        sys.exit(1)
    sys.exit(0 if result.testsRun > len(result.skipped) else 77)


if __name__ == "__main__":
    main()
