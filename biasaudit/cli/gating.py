"""Gates of ``evaluate``: read from its options, held against its results, told in one line each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast, get_args

from biasaudit.analysis.gates import (
    Gate,
    GateOn,
    GateResult,
    check_gate,
    check_max_gap,
    junit_xml,
    parse_gate,
    parse_max_gap,
)
from biasaudit.cli.writing import check_target, write_text
from biasaudit.errors import ConfigError, near_names
from biasaudit.results import Audit, GateRecord, Results, Run, Split


@dataclass(frozen=True)
class Gates:
    """The limits that a user set.

    Attributes:
        least: Smallest values of figures.
        most_gap: Largest effect of the context on the share of yes answers; None for no limit.
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
    if junit is not None:
        check_target(junit, "--junit")
    if junit is not None and not gates.least and gates.most_gap is None:
        raise ConfigError(f"--junit {junit}: there is no gate", "add --fail-under or --max-gap")
    return gates


def check_gates(gates: Gates, results: Results) -> list[GateResult]:
    """Hold every gate against every run, and write the JUnit file where one is asked for.

    A group, ``overall`` and the effect are held in every split that has them; a split's name
    (``val``) stands for that split's overall figures.

    Raises:
        ConfigError: There is no such group or metric.
        RunError: The JUnit file cannot be written.
    """
    found: list[GateResult] = []
    for run in results.runs:
        told = _checked(gates, run)
        found += told if len(results.runs) == 1 else [_named(one, run.name) for one in told]
    if gates.junit is not None:
        suite = results.runs[0].name if len(results.runs) == 1 else "biasaudit"
        write_text(gates.junit, junit_xml(found, suite), "--junit")
    return found


def with_gates(gates: Gates, audit: Audit) -> Audit:
    """Return an audit with the gates and what became of them, for its results.json.

    One that cannot be checked is left to :func:`check_gates`, which says why.
    """
    try:
        told = _checked(gates, audit.run)
    except ConfigError:
        return audit
    records = [GateRecord(name=one.name, passed=one.passed, line=one.line) for one in told]
    return replace(audit, run=audit.run.model_copy(update={"gates": records}))


def _checked(gates: Gates, run: Run) -> list[GateResult]:
    told = [one for gate in gates.least for one in _check(gate, run, gates.on)]
    return told + ([] if gates.most_gap is None else _check_gap(gates.most_gap, run, gates.on))


def _check(gate: Gate, run: Run, on: GateOn) -> list[GateResult]:
    """Hold a gate against every split that it speaks of."""
    if gate.group in run.splits:
        whole = replace(gate, group="overall")
        told = check_gate(whole, run.splits[gate.group], on)
        return [replace(told, name=gate.name, line=told.line.replace(whole.name, gate.name, 1))]
    holding = {
        name: split
        for name, split in _with_groups(run).items()
        if gate.group == "overall" or gate.group in split.groups
    }
    if not holding:
        known = ["overall", *run.splits, *(c for s in run.splits.values() for c in s.groups)]
        raise ConfigError(
            f"--fail-under {gate.name}: no group '{gate.group}'", near_names(gate.group, known)
        )
    results = {name: check_gate(gate, split, on) for name, split in holding.items()}
    return _of_splits(results)


def _check_gap(most: float, run: Run, on: GateOn) -> list[GateResult]:
    told = {
        name: check_max_gap(split.verdict, most, on)
        for name, split in run.splits.items()
        if split.verdict is not None
    }
    if not told:
        raise ConfigError(
            f"--max-gap {most:g}: no split with a context was audited",
            f"add --split biased-{run.object}"
            if run.context
            else "name one (--context); where nobody annotated any, 'biasaudit data contexts' "
            "makes a sheet of the images and a table to tag",
        )
    return _of_splits(told)


def _with_groups(run: Run) -> dict[str, Split]:
    """Return the splits that have groups; all but ``val`` where none has."""
    found = {name: split for name, split in run.splits.items() if split.groups}
    return found or {n: s for n, s in run.splits.items() if n != "val"} or run.splits


def _of_splits(told: dict[str, GateResult]) -> list[GateResult]:
    """Name the split of each result where there are several."""
    if len(told) == 1:
        return list(told.values())
    return [_named(result, name) for name, result in told.items()]


def _named(result: GateResult, name: str) -> GateResult:
    return replace(result, name=f"{name}: {result.name}", line=f"{result.line}  {name}")
