#!/usr/bin/env python3
"""Runs the attacks against a service of their own. Usage: run.py [--list] [NAME...]   (a NAME is a file here without .py)

--list prints every attack with what an attacker would gain. Skipped attacks are listed as script/test reads them."""

import pathlib
import sys
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]
FEWEST = 30


class Result(unittest.TextTestResult):
    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self.stream.flush()
        print(f"\n{reason}\n[  SKIPPED ] {test.id()} (0 ms)", flush=True)


def attacks_of(suite):
    for each in suite:
        if isinstance(each, unittest.TestSuite):
            yield from attacks_of(each)
        else:
            yield each


def main():
    arguments = [name for name in sys.argv[1:] if name != "--list"]
    names = arguments or sorted(path.stem for path in HERE.glob("*_attacks.py"))
    suite = unittest.TestSuite(unittest.defaultTestLoader.loadTestsFromName(name) for name in names)
    attacks = list(attacks_of(suite))
    told = {attack.id(): " ".join((getattr(attack, attack._testMethodName).__doc__ or "").split()) for attack in attacks}
    untold = [name for name, text in told.items() if not text.startswith("An attacker ") or " would " not in text]
    if "--list" in sys.argv:
        for number, (name, text) in enumerate(told.items(), start=1):
            print(f"{number:3}. {name}: {text}")
    if untold:
        sys.exit(f"these do not say what an attacker would gain: {untold}")
    if not arguments and len(attacks) < FEWEST:
        sys.exit(f"{len(attacks)} attacks; at least {FEWEST} are expected")
    if "--list" in sys.argv:
        return
    result = unittest.TextTestRunner(verbosity=2, resultclass=Result).run(suite)
    sys.exit(0 if result.wasSuccessful() and result.testsRun else 1)


if __name__ == "__main__":
    main()
