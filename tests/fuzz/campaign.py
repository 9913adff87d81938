"""One campaign in a process of its own: ``python -m fuzz.campaign TARGETS SEED COUNT``.

Each mutated input has five seconds and the process a bounded memory; a crash of the interpreter
ends the process. Prints a line of JSON: how many were tried, refused and taken, and every failure.
"""

from __future__ import annotations

import json
import os
import random
import resource
import signal
import sys
import tempfile
import time
import traceback
import warnings
from pathlib import Path

from fuzz.targets import NO_FILE_NAMED, FindingError, targets

SECONDS = 5
MEMORY = 1 << 30
"""Bytes that the peak of resident memory may grow by while inputs are read."""


class HangError(BaseException):
    """An input that took longer than it may."""


def _late(*_: object) -> None:
    raise HangError


def run(names: list[str], seed: int, count: int) -> dict[str, object]:
    """Try ``count`` mutated inputs of each target."""
    place = Path(tempfile.mkdtemp())
    os.chdir(place)
    # Scenes, a trained run and drawn results are made before anything is measured.
    known = targets(place, names)
    signal.signal(signal.SIGALRM, _late)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    tally = {"tried": 0, "refused": 0, "taken": 0}
    failures = []
    slowest = 0.0
    for name in known:
        for number in range(count):
            chance = random.Random(f"{name} {seed} {number}")
            began = time.monotonic()
            signal.alarm(SECONDS)
            try:
                file, said = known[name].once(chance)
                tally["refused" if said else "taken"] += 1
                if said and name not in NO_FILE_NAMED and file not in said:
                    folder = str(place)
                    named = folder in said or file.partition(".")[0] in said
                    if not named and "the two runs" not in said:
                        raise FindingError(f"no file in: {said[:300]}")
                if "\n" in said:
                    raise FindingError(f"more than a line: {said[:300]}")
            except (Exception, HangError):  # noqa: BLE001 -- each is a finding
                told = traceback.format_exc().splitlines()
                failures.append([name, seed, number, *told[-6:]])
            finally:
                signal.alarm(0)
            slowest = max(slowest, time.monotonic() - began)
            tally["tried"] += 1
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {**tally, "failures": failures, "grown": (after - before) * 1024, "slowest": slowest}


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    asked, chosen, number = sys.argv[1:]
    found = run([n for n in asked.split(",") if n], int(chosen), int(number))
    sys.stdout.write(json.dumps(found) + "\n")
