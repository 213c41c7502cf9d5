"""Fuzz for so many minutes: rounds of every fuzz test, each round with another seed. Run by `scripts/fuzz`."""

import argparse
import os
import random
import subprocess
import sys
import time
from collections.abc import Sequence

TESTS = (
    "tests/fuzz", "tests/ingest/test_decode_anything.py", "tests/api/test_every_route.py", "tests/api/test_schema.py",
)  # fmt: skip
FOUND = 1
"""What pytest says when a test failed; more than that: it could not be run."""


def fuzz(minutes: float, effort: int, tests: Sequence[str]) -> int:
    """Rounds until the time is over, one at least. Returns how many found something, or raises SystemExit(2)."""
    until, rounds, found = time.monotonic() + minutes * 60, 0, 0
    while rounds == 0 or time.monotonic() < until:
        rounds += 1
        seed = random.SystemRandom().randrange(1 << 31)
        print(f"round {rounds}, seed {seed}", flush=True)
        wanted = [sys.executable, "-m", "pytest", "-q", "--no-header", f"--hypothesis-seed={seed}", *tests]
        began = time.monotonic()
        code = subprocess.call(wanted, env=os.environ | {"CITYWARDEN_FUZZ": str(effort)})
        took_s = time.monotonic() - began
        print(f"round {rounds}: {'nothing' if code == 0 else 'see above'}, {took_s:.0f} s", flush=True)
        if code > FOUND:
            raise SystemExit(2)
        found += code == FOUND
    print(f"{rounds} rounds, {found} of them found something")
    return found


def main(given: Sequence[str]) -> int:
    parser = argparse.ArgumentParser("scripts/fuzz", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10, metavar="N", help="for how long (10)")
    parser.add_argument("--effort", type=int, default=5, metavar="N", help="times as many examples as in the suite (5)")
    parser.add_argument("tests", nargs="*", default=TESTS, help="which tests (all that fuzz)")
    asked = parser.parse_args(given)
    return min(1, fuzz(asked.minutes, asked.effort, asked.tests))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
