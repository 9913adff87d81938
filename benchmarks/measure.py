"""What the benchmarks of speed share: timings side by side, peak memory, and their table.

Two programs are compared inside one run: they take turns, and a ratio is the median over the turns
of what both took in the same turn. Other work on the machine then slows both.
"""

from __future__ import annotations

import argparse
import gc
import platform
import time
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median

import pandas as pd
import torch

RESULTS = Path(__file__).parent / "results"
Run = Callable[[], object]
Seconds = dict[str, list[float]]


def options(parser: argparse.ArgumentParser, name: str, turns: int) -> None:
    """Add the options that every benchmark of speed has."""
    parser.add_argument("--out", type=Path, default=RESULTS / f"{name}.csv", help="the CSV")
    parser.add_argument("--turns", type=int, default=turns, help="timings of each program")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--threads", type=int, help="of torch on the CPU; its own choice if absent")


def device_of(arguments: argparse.Namespace) -> torch.device:
    """Return the device that was asked for, and set the number of threads."""
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    return torch.device(arguments.device)


def in_turn(programs: Mapping[str, Run], turns: int, device: torch.device) -> Seconds:
    """Run all programs once to warm up, then in turn; return the seconds of each turn.

    On a GPU this is the time by the clock, until the device is done. On the CPU it is that of the
    processor, all threads together, for the clock would also count who else computes there.

    Args:
        programs: What to time, by name.
        turns: Timings of each.
        device: Where they compute.
    """
    seconds: Seconds = {name: [] for name in programs}
    for turn in range(turns + 1):
        for name, run in programs.items():
            gc.collect()
            started = _now(device)
            run()
            if turn:
                seconds[name].append(_now(device) - started)
    return seconds


def _now(device: torch.device) -> float:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
        return time.perf_counter()
    return time.process_time()


def ratio(seconds: Seconds, name: str, to: str) -> float:
    """Return the median over the turns of one program's time divided by the other's."""
    return median(a / b for a, b in zip(seconds[name], seconds[to], strict=True))


def machine(device: torch.device) -> dict[str, object]:
    """Return the columns that say where the figures come from."""
    return {
        "device": _device_name(device),
        "threads": torch.get_num_threads(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "biasaudit": installed("biasaudit"),
    }


def installed(package: str) -> str:
    """Return the version of an installed package, or an empty string."""
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def _device_name(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def write(rows: Sequence[Mapping[str, object]], device: torch.device, out: Path) -> None:
    """Write the table; every row says where it was measured."""
    table = pd.DataFrame(list(rows)).assign(**machine(device))
    out.parent.mkdir(parents=True, exist_ok=True)
    table.to_csv(out, index=False, float_format="%.4g")
