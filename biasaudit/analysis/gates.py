"""Gates: limits that a model must keep, checked on results, one line each; for CI systems."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal
from xml.etree import ElementTree

from biasaudit.errors import ConfigError, named_field, near_names
from biasaudit.results import Group, Interval, Localization, Overall, Split, Verdict

GateOn = Literal["estimate", "lower"]
"""What is held against the limit: the estimate, or the interval's less favourable bound."""

METRICS = ("accuracy", "accuracy_at_operating_point", "auroc", "energy_pointing_game", "iou")


@dataclass(frozen=True)
class Gate:
    """A smallest value for one figure, as in ``boat-without-water.accuracy=0.8``."""

    group: str
    metric: str
    least: float

    @property
    def name(self) -> str:
        """The figure's name, such as "boat-without-water.accuracy"."""
        return f"{self.group}.{self.metric}"


@dataclass(frozen=True)
class GateResult:
    """What became of one gate.

    Attributes:
        name: The figure.
        passed: Whether it keeps its limit. A figure that does not exist keeps none.
        line: One line for the user.
    """

    name: str
    passed: bool
    line: str


def parse_gate(text: str) -> Gate:
    """Read ``GROUP.METRIC=X``.

    Args:
        text: The group may be ``overall``; X lies in [0, 1].

    Raises:
        ConfigError: It is written otherwise, or the metric does not exist.
    """
    name, equals, limit = text.partition("=")
    group, dot, metric = name.strip().rpartition(".")
    if not (equals and dot and group):
        raise ConfigError(
            f"{named_field('fail_under', text)}: not of the form GROUP.METRIC=X",
            "write for example boat-without-water.accuracy=0.8",
        )
    if metric not in METRICS:
        raise ConfigError(
            f"{named_field('fail_under', text)}: no metric '{metric}'", near_names(metric, METRICS)
        )
    return Gate(group, metric, _fraction(limit, named_field("fail_under", text)))


def parse_max_gap(text: str) -> float:
    """Read the largest effect of the context that passes, in [0, 1].

    Raises:
        ConfigError: It is no such number.
    """
    return _fraction(text, named_field("max_gap", text))


def check_gate(gate: Gate, split: Split, on: GateOn = "estimate") -> GateResult:
    """Hold one gate against a split's results.

    Args:
        gate: What :func:`parse_gate` read.
        split: The split's figures.
        on: The estimate, or the lower bound of its interval.

    Raises:
        ConfigError: The split has no such group, or the group no such metric.
    """
    groups: dict[str, Overall | Group] = {"overall": split.overall, **split.groups}
    if gate.group not in groups:
        raise ConfigError(
            f"{named_field('fail_under', gate.name)}: no group '{gate.group}'",
            near_names(gate.group, groups),
        )
    found = groups[gate.group]
    holder: Overall | Group | Localization = found
    if not hasattr(found, gate.metric):
        holder = found.attention
    if not hasattr(holder, gate.metric):
        raise ConfigError(
            f"{named_field('fail_under', gate.name)}: a group has no {gate.metric}",
            f"write overall.{gate.metric}={gate.least:g}",
        )
    value = getattr(holder, gate.metric)
    interval = getattr(holder, f"{gate.metric}_ci")
    held = value if on == "estimate" else interval[0] if interval else None
    passed = held is not None and held >= gate.least
    return _result(gate.name, passed, value, interval, on, f"at least {gate.least:g}")


def check_max_gap(verdict: Verdict, most: float, on: GateOn = "estimate") -> GateResult:
    """Hold the effect of the context on the share of yes answers against its limit.

    What is held is the effect of the right answer where it is larger, so that two opposite effects
    do not pass. A model that is not shown to know the object passes no limit: it has no effect
    whatever it has learnt.

    Args:
        verdict: On the split.
        most: The largest effect, of either sign, that is let through, in [0, 1].
        on: The estimate, or the bound of an answer's interval that lies farthest from zero.
    """
    effects = list(verdict.by_answer.values())
    held: float | None = None
    if len(effects) == 2:
        held = max(
            abs(bound)
            for one in effects
            for bound in ((one.effect,) if on == "estimate" else one.effect_ci)
        )
    passed = held is not None and held <= most and verdict.knows_object
    value, interval = verdict.largest_effect or (None, None)
    told = _result("effect", passed, value, interval, on, f"at most {most:g} either way")
    if held is None:
        return replace(told, line=f"{told.line}: {verdict.headline}")
    if not verdict.knows_object:
        return replace(told, line=f"{told.line}: the model is not shown to know the object")
    return told


def junit_xml(results: Sequence[GateResult], suite: str = "biasaudit") -> str:
    """Return the gates as a JUnit file, one test case a gate, for a CI system to show.

    Args:
        results: What the checks gave.
        suite: Name of the test suite, such as the run's and the split's.
    """
    failed = sum(not result.passed for result in results)
    counts = {"tests": str(len(results)), "failures": str(failed), "errors": "0", "skipped": "0"}
    root = ElementTree.Element("testsuites", counts)
    node = ElementTree.SubElement(root, "testsuite", {"name": suite, **counts})
    for result in results:
        case = ElementTree.SubElement(
            node, "testcase", {"classname": suite, "name": result.name, "time": "0"}
        )
        if not result.passed:
            failure = ElementTree.SubElement(case, "failure", {"message": result.line})
            failure.text = result.line
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + (
        ElementTree.tostring(root, encoding="unicode") + "\n"
    )


def _fraction(text: str, source: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0.0 <= value <= 1.0:
        raise ConfigError(f"{source}: '{text.strip()}' is not a number from 0 to 1", "write 0.8")
    return value


def _result(
    name: str,
    passed: bool,
    value: float | None,
    interval: Interval | None,
    on: GateOn,
    limit: str,
) -> GateResult:
    shown = "not measured" if value is None else f"{value:.3f}"
    if interval is not None:
        shown += f" [{interval[0]:.3f}, {interval[1]:.3f}]"
    asked = f"{limit}, held against the {'estimate' if on == 'estimate' else 'interval'}"
    return GateResult(name, passed, f"{'pass' if passed else 'FAIL'}  {name} = {shown} ({asked})")
