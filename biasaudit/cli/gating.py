"""Gates of ``evaluate``: read from its options, held against its results, told in one line each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast, get_args

from biasaudit.errors import ConfigError, near_names
from biasaudit.evaluation.gates import (
    Gate,
    GateOn,
    GateResult,
    check_gate,
    check_max_gap,
    junit_xml,
    parse_gate,
    parse_max_gap,
)
from biasaudit.results import Results, Run, Split, write_atomic


@dataclass(frozen=True)
class Gates:
    """The limits that a user set.

    Attributes:
        least: Smallest values of figures.
        most_gap: Largest gap between matched and conflicting images; None for no limit.
        on: What is held against the limits.
        junit: Where to write a JUnit file; None for nowhere.
    """

    least: tuple[Gate, ...]
    most_gap: float | None
    on: GateOn
    junit: Path | None


def parse_gates(
    fail_under: Sequence[str], max_gap: str | None, gate_on: str, junit: Path | None
) -> Gates:
    """Read the gates' options, before anything is computed.

    Raises:
        ConfigError: One is written wrongly.
    """
    if gate_on not in get_args(GateOn):
        raise ConfigError(f"--gate-on {gate_on}", near_names(gate_on, get_args(GateOn)))
    gates = Gates(
        tuple(parse_gate(text) for text in fail_under),
        None if max_gap is None else parse_max_gap(max_gap),
        cast(GateOn, gate_on),
        junit,
    )
    if junit is not None and not gates.least and gates.most_gap is None:
        raise ConfigError(f"--junit {junit}: there is no gate", "add --fail-under or --max-gap")
    return gates


def check_gates(gates: Gates, results: Results) -> list[GateResult]:
    """Hold every gate against every run, and write the JUnit file where one is asked for.

    A cell is looked for in all splits; ``overall`` is that of the first split with cells, and a
    split's name (``val``) stands for that split's overall figures.

    Raises:
        ConfigError: There is no such cell or metric.
    """
    found: list[GateResult] = []
    for run in results.runs:
        told = [_check(gate, run, gates.on) for gate in gates.least]
        if gates.most_gap is not None:
            told.append(_check_gap(gates.most_gap, run, gates.on))
        found += told if len(results.runs) == 1 else [_of_run(one, run) for one in told]
    if gates.junit is not None:
        suite = results.runs[0].name if len(results.runs) == 1 else "biasaudit"
        try:
            gates.junit.parent.mkdir(parents=True, exist_ok=True)
            write_atomic(gates.junit, junit_xml(found, suite).encode())
        except OSError as error:
            raise ConfigError(
                f"--junit {gates.junit}: cannot be written ({error.strerror})"
            ) from None
    return found


def _check(gate: Gate, run: Run, on: GateOn) -> GateResult:
    if gate.cell in run.splits:
        whole = replace(gate, cell="overall")
        told = check_gate(whole, run.splits[gate.cell], on)
        return replace(told, name=gate.name, line=told.line.replace(whole.name, gate.name, 1))
    holding = [split for split in run.splits.values() if gate.cell in split.cells]
    if not holding and gate.cell != "overall":
        known = ["overall", *run.splits, *(c for s in run.splits.values() for c in s.cells)]
        raise ConfigError(
            f"--fail-under {gate.name}: no cell '{gate.cell}'", near_names(gate.cell, known)
        )
    return check_gate(gate, holding[0] if holding else _biased(run), on)


def _check_gap(most: float, run: Run, on: GateOn) -> GateResult:
    told = (_biased(run).model_extra or {}).get("verdict", {})
    return check_max_gap(told.get("gap"), told.get("gap_ci"), most, on)


def _biased(run: Run) -> Split:
    """Return the first split that has cells, or the first one."""
    splits = list(run.splits.values())
    return next((split for split in splits if split.cells), splits[0])


def _of_run(result: GateResult, run: Run) -> GateResult:
    return replace(result, name=f"{run.name}: {result.name}", line=f"{result.line}  {run.name}")
