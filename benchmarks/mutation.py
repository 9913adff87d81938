"""Would the tests notice? A seeded sample of small changes to the code, each run against the tests.

    python -m benchmarks.mutation --package statistics --sample 60 --seed 0

Cosmic Ray (MIT; ``pip install cosmic-ray coverage``) makes the changes: an operator for another, a
number one higher or lower, a condition turned round, a decorator left out. Every place in a package
where it can change something is as likely as every other, and every module gets its share. What can
change no behaviour is not drawn: annotations, ``frozen=True``, ``==`` for ``is``.

Each change is written into a temporary copy of the repository, and a fresh process runs the tests
that reach the changed statement, the quickest first, until one fails. Tests that fail without any
change, are marked ``slow`` or take longer than ``--slowest`` seconds, are left out. Writes
``benchmarks/results/mutation.csv``, a row a module, and ``mutation_survivors.csv``, where the last
column is written by hand: ``equivalent: ...`` says why no test can notice, and anything else why
none does. A change whose tests ran out of time counts for itself and stands among the survivors: it
may never end, or the machine was busy. ``--survivors`` runs those alone again, after tests were
added; ``--planted`` the changes of ``mutation_planted.toml``, which were made by hand.
About four seconds a change on one core; Linux and macOS (it forks).
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import gc
import importlib
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pandas as pd

ROOT = Path(__file__).parents[1]
RESULTS = Path(__file__).parent / "results"
PLANTED = Path(__file__).parent / "mutation_planted.toml"
COPIED = ("biasaudit", "tests", "reports", "benchmarks", "examples", "docs", "pyproject.toml")
TESTS = {
    "guidance": ("tests/unit/guidance", "tests/unit/training"),
    "training": ("tests/unit/training",),
    "analysis": ("tests/unit/analysis", "tests/unit/cli"),
    "statistics": ("tests/unit/statistics", "tests/unit/analysis"),
}
"""Where the tests of each package lie."""
ARITHMETIC = frozenset(("Add", "Sub", "Mul", "Div", "FloorDiv", "Mod", "Pow"))
IDENTITY = ("_Eq_Is", "_NotEq_IsNot", "_Is_Eq", "_IsNot_NotEq")
LISTED = ["module", "code", "mutated", "line", "end", "why"]
"""Columns of the list of survivors."""


@dataclass(frozen=True)
class Mutant:
    """One change: which operator, at which of its places in a module, and what it makes there."""

    module: str
    operator: str
    occurrence: int
    line: int
    code: str = ""
    mutated: str = ""
    planted: tuple[str, str] | None = None
    """Old and new text of a change made by hand."""

    @property
    def known_by(self) -> tuple[str, str, str]:
        """What names the change whatever stands above it in the module."""
        return self.module, self.code, self.mutated


@dataclass
class Reach:
    """Which tests reach which lines, how long they take, and which fail without any change."""

    lines: dict[str, dict[str, list[int]]] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    failing: list[str] = field(default_factory=list)
    modules: list[str] = field(default_factory=list)
    """What the tests import of other packages: imported once, before the processes part."""


def main() -> None:
    """Draw, run and count the changes of the packages asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--package", choices=TESTS, action="append", help="default: all of them")
    parser.add_argument("--sample", type=int, default=60, help="changes a package")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--slowest", type=float, default=4.0, help="seconds of a test at most")
    parser.add_argument("--timeout", type=float, default=60.0, help="seconds of a change at most")
    parser.add_argument("--survivors", action="store_true", help="run the known survivors again")
    parser.add_argument("--planted", action="store_true", help="those made by hand; writes nothing")
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    for package in options.package or TESTS:
        mutants = sampled(package, options.sample, options.seed)
        if options.planted:
            mutants = planted(package)
        with tempfile.TemporaryDirectory() as folder:
            tree = copied(Path(folder))
            ends = ends_of(package, mutants, tree, options)
        if not options.planted:
            write(package, ends, options.out)


def sampled(package: str, count: int, seed: int) -> list[Mutant]:
    """Draw ``count`` changes: places of a module in proportion to what it has, one change each."""
    chance = random.Random(f"{package}-{seed}")
    places: dict[str, list[list[Mutant]]] = {}
    for path in sorted((ROOT / "biasaudit" / package).rglob("*.py")):
        found = list(_places(path))
        if found:
            places[path.relative_to(ROOT).as_posix()] = found
    total = sum(map(len, places.values()))
    drawn: list[Mutant] = []
    for found in places.values():
        share = min(len(found), max(1, round(count * len(found) / total)))
        drawn += [_made(chance.choice(place)) for place in chance.sample(found, share)]
    return drawn


def planted(package: str) -> list[Mutant]:
    """Return the changes of a package that were written down by hand."""
    changes = tomllib.loads(PLANTED.read_text(encoding="utf-8"))["change"]
    made = []
    for number, change in enumerate(changes):
        module, old = change["module"], change["old"]
        if _of(package, module):
            code = (ROOT / module).read_text(encoding="utf-8")
            if code.count(old) != 1:
                raise ValueError(f"{PLANTED.name}: {change['what']}: not one place to change")
            line = code[: code.index(old)].count("\n") + 1
            both = (old, change["new"])
            made.append(Mutant(module, "planted", number, line, change["what"], *both[1:], both))
    return made


def _places(path: Path) -> Iterator[list[Mutant]]:
    """Yield for each place of a module the changes that can be made there."""
    from cosmic_ray.ast import ast_nodes, get_ast
    from cosmic_ray.plugins import get_operator, operator_names

    code = path.read_text(encoding="utf-8")
    silent = _annotations(code)
    at: dict[tuple[int, int], list[Mutant]] = {}
    nodes = list(ast_nodes(get_ast(code)))
    for name in operator_names():
        if not _telling(name):
            continue
        operator = get_operator(name)()
        spans = [span for node in nodes for span in operator.mutation_positions(node)]
        for occurrence, (start, _) in enumerate(spans):
            if any(low <= start < high for low, high in silent):
                continue
            mutant = Mutant(path.relative_to(ROOT).as_posix(), name, occurrence, start[0])
            at.setdefault(start, []).append(mutant)
    yield from (at[start] for start in sorted(at))


def _telling(operator: str) -> bool:
    """Tell whether an operator makes changes that could matter and are no mere type errors."""
    if operator.endswith(IDENTITY) or "/Variable" in operator:
        return False
    if "BinaryOperator" in operator:
        _, old, new = operator.split("_")
        return (old in ARITHMETIC) == (new in ARITHMETIC)
    return True


def _annotations(code: str) -> list[tuple[tuple[int, int], tuple[int, int]]]:
    """Return the spans of annotations, and of ``frozen=True``, which change no behaviour."""
    silent: list[ast.expr] = []
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.arg | ast.AnnAssign) and node.annotation:
            silent.append(node.annotation)
        elif isinstance(node, ast.FunctionDef) and node.returns:
            silent.append(node.returns)
        elif isinstance(node, ast.keyword) and node.arg == "frozen":
            silent.append(node.value)
    return [
        ((node.lineno, node.col_offset), (node.end_lineno or 0, node.end_col_offset or 0))
        for node in silent
    ]


def _made(mutant: Mutant) -> Mutant:
    """Say what the change makes of the line."""
    old = (ROOT / mutant.module).read_text(encoding="utf-8").splitlines()
    new = _changed(mutant).splitlines()
    at = mutant.line - 1
    made = new[at].strip() if len(new) == len(old) else ""
    return replace(mutant, code=old[at].strip(), mutated=made)


def _changed(mutant: Mutant) -> str:
    from cosmic_ray.mutating import mutate_code
    from cosmic_ray.plugins import get_operator

    code = (ROOT / mutant.module).read_text(encoding="utf-8")
    if mutant.planted is not None:
        return code.replace(*mutant.planted)
    changed = mutate_code(code, get_operator(mutant.operator)(), mutant.occurrence)
    if changed is None:
        raise RuntimeError(f"{mutant}: there is nothing to change")
    return str(changed)


def copied(folder: Path) -> Path:
    """Copy what the tests need, and return where it lies."""
    tree = folder / "repository"
    tree.mkdir()
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, tree / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(source, tree / name)
    return tree


def ends_of(
    package: str, mutants: list[Mutant], tree: Path, options: argparse.Namespace
) -> dict[Mutant, str]:
    """Run each change against the tests that reach it; return how each ended.

    With ``--survivors`` what is no known survivor does not run, and counts as killed.
    """
    ends = dict.fromkeys(mutants, "killed")
    if options.survivors:
        known = set(_known(options.out))
        mutants = [mutant for mutant in mutants if mutant.known_by in known]
    reach = reached(tree, TESTS[package], options.slowest)
    if (code := _tests(tree, reach, set(reach.seconds), options.timeout * 10)) != 0:
        raise RuntimeError(f"{package}: the tests fail without any change (pytest ended in {code})")
    for number, mutant in enumerate(mutants, start=1):
        start = time.monotonic()
        end = ends[mutant] = _run(mutant, tree, reach, options)
        print(
            f"{package} {number}/{len(mutants)} {end} in {time.monotonic() - start:.0f} s: "
            f"{mutant.module}:{mutant.line}: {mutant.code}  ->  {mutant.mutated or 'left out'}",
            flush=True,
        )
    return ends


def reached(tree: Path, tests: Iterable[str], slowest: float) -> Reach:
    """Run the tests once under coverage; say which reach which lines of the package."""
    kept = tree.parent / "reach.json"

    def run() -> int:
        import coverage
        import pytest

        tool = coverage.Coverage(source=[str(tree / "biasaudit")], data_file=None)
        watch = _Watch(tool)
        tool.start()
        quick = ["-q", "-p", "no:cacheprovider", "-m", "not slow and not fuzz", "--timeout=120"]
        pytest.main([*quick, *tests], plugins=[watch])
        tool.stop()
        watch.write(kept, tree)
        return 0

    _forked(run, tree, timeout=3600.0)
    reach = Reach(**json.loads(kept.read_text(encoding="utf-8")))
    for name in reach.modules:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    gc.freeze()
    slow = [node for node, seconds in reach.seconds.items() if seconds > slowest]
    print(f"{len(reach.seconds)} tests; left out: {sorted({*reach.failing, *slow})}", flush=True)
    reach.failing += slow
    return reach


class _Watch:
    """A pytest plug-in that notes for each test the lines it reaches, its time and its end."""

    def __init__(self, tool: Any) -> None:
        self.tool = tool
        self.reach = Reach()

    def pytest_collectstart(self, collector: Any) -> None:
        # what a test file computes when it is imported counts for all its tests
        self.tool.switch_context(f"{collector.nodeid}::")

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        self.tool.switch_context(nodeid)

    def pytest_runtest_logreport(self, report: Any) -> None:
        spent = self.reach.seconds.get(report.nodeid, 0.0) + report.duration
        self.reach.seconds[report.nodeid] = spent
        if report.failed:
            self.reach.failing.append(report.nodeid)

    def write(self, path: Path, tree: Path) -> None:
        data = self.tool.get_data()
        for file in data.measured_files():
            contexts = data.contexts_by_lineno(file)
            name = Path(file).relative_to(tree).as_posix()
            by_line = {str(line): sorted(filter(None, names)) for line, names in contexts.items()}
            self.reach.lines[name] = by_line
        own = ("biasaudit", "tests", "conftest", "benchmarks", "__main__")
        self.reach.modules = [
            name
            for name, module in list(sys.modules.items())
            if name.partition(".")[0] not in own and "site-packages" in str(_file(module))
        ]
        path.write_text(json.dumps(self.reach.__dict__), encoding="utf-8")


def _file(module: Any) -> str | None:
    return module.__dict__.get("__file__") if hasattr(module, "__dict__") else None


class _Chosen:
    """A pytest plug-in that runs some tests alone, the quickest first."""

    def __init__(self, nodes: set[str], seconds: dict[str, float]) -> None:
        self.nodes, self.seconds = nodes, seconds

    def pytest_collection_modifyitems(self, items: list[Any]) -> None:
        items[:] = [item for item in items if item.nodeid in self.nodes]
        items.sort(key=lambda item: self.seconds[item.nodeid])


def _run(mutant: Mutant, tree: Path, reach: Reach, options: argparse.Namespace) -> str:
    """Return ``killed``, ``timed out`` or ``survived``."""
    nodes = _nodes(mutant, reach, tree)
    if not nodes:
        return "survived"
    path = tree / mutant.module
    kept, stat = path.read_bytes(), path.stat()
    path.write_text(_changed(mutant), encoding="utf-8")
    # a time of its own, so that no process takes the bytecode of another change
    age = random.Random(str(mutant)).randint(10_000, 10_000_000)
    os.utime(path, (stat.st_atime, stat.st_mtime - age))
    try:
        code = _tests(tree, reach, nodes, options.timeout)
    finally:
        path.write_bytes(kept)
        os.utime(path, (stat.st_atime, stat.st_mtime))
    return {None: "timed out", 0: "survived", 5: "survived"}.get(code, "killed")


def _tests(tree: Path, reach: Reach, nodes: set[str], timeout: float) -> int | None:
    """Run some tests until one fails; return how pytest ended, None where it took too long."""
    nodes = nodes - set(reach.failing)
    files = sorted({node.partition("::")[0] for node in nodes})

    def run() -> int:
        import pytest

        # the plug-ins' modules are imported already, and nobody reads why a test fails
        quick = ["--assert=plain", "-W", "ignore::pytest.PytestAssertRewriteWarning"]
        arguments = ["-x", "-q", "-p", "no:cacheprovider", *quick, *files]
        return int(pytest.main(arguments, plugins=[_Chosen(nodes, reach.seconds)]))

    return _forked(run, tree, timeout)


def _nodes(mutant: Mutant, reach: Reach, tree: Path) -> set[str]:
    """Return the tests that reach the changed statement; of one run at import, the module's.

    Where the tests of a file share what one of them, or its import, made, all of them count; and
    of what a module does when it is imported, for one of them may read a constant and no more.
    """
    lines = reach.lines.get(mutant.module, {})
    span, at_import = _statement(mutant)
    chosen = lines if at_import else [str(line) for line in span]
    found = {node for line in chosen for node in lines.get(str(line), [])}
    whole = {node.partition("::")[0] for node in found if at_import or _shared(node, tree)}
    return {node for node in reach.seconds if node in found or node.partition("::")[0] in whole}


def _shared(node: str, tree: Path) -> bool:
    file, _, test = node.partition("::")
    if not file.endswith(".py"):
        return False
    text = (tree / file).read_text(encoding="utf-8")
    return not test or 'scope="' in text or "cache" in text


def _statement(mutant: Mutant) -> tuple[range, bool]:
    """Return the lines of the statement that a change lies in, and whether import runs it.

    The head of a function (its defaults, its decorators) counts as its whole body.
    """
    span, in_function = range(mutant.line, mutant.line + 1), False
    blocks: list[ast.AST] = [ast.parse((ROOT / mutant.module).read_text(encoding="utf-8"))]
    while blocks:
        for node in ast.iter_child_nodes(blocks.pop()):
            lines = _lines(node)
            if mutant.line not in lines:
                continue
            blocks.append(node)
            body = getattr(node, "body", None)
            if isinstance(node, ast.FunctionDef):
                span, in_function = lines, True
            elif isinstance(node, ast.stmt) and not isinstance(body, list):
                span = lines
            elif isinstance(body, list) and mutant.line < body[0].lineno:
                span = range(lines.start, body[0].lineno)
    return span, not in_function


def _lines(node: ast.AST) -> range:
    """Return the lines of a node, its decorators among them."""
    if not hasattr(node, "lineno"):
        return range(0)
    starts = [node.lineno, *(one.lineno for one in getattr(node, "decorator_list", []))]
    return range(min(starts), node.end_lineno + 1)


def _forked(run: Callable[[], int], tree: Path, timeout: float) -> int | None:
    """Run a function in a process of its own within the tree; None where it takes too long."""
    child = os.fork()
    if child == 0:
        code = 3
        try:
            os.setsid()
            os.chdir(tree)
            sys.path[0] = str(tree)
            sys.modules.pop("benchmarks", None)
            os.environ["PYTHONPATH"] = str(tree)
            silence = os.open(os.devnull, os.O_WRONLY)
            os.dup2(silence, 1)
            os.dup2(silence, 2)
            code = run()
        finally:
            os._exit(code)
    return _waited(child, time.monotonic() + timeout)


def _waited(child: int, until: float) -> int | None:
    while time.monotonic() < until:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.02)
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return None


def write(package: str, ends: Mapping[Mutant, str], out: Path) -> None:
    """Replace the package's rows in both tables; what was said of a survivor is kept."""
    known = _known(out)
    listed = [
        {
            "module": mutant.module,
            "code": mutant.code,
            "mutated": mutant.mutated,
            "line": mutant.line,
            "end": end,
            "why": known.get(mutant.known_by, {}).get("why", ""),
        }
        for mutant, end in ends.items()
        if end != "killed"
    ]
    others = [row for row in known.values() if not _of(package, row["module"])]
    pd.DataFrame([*others, *listed], columns=LISTED).to_csv(_list(out), index=False)
    table = pd.DataFrame([{"package": package, **row} for row in _counted(ends, listed)])
    file = out / "mutation.csv"
    if file.exists():
        before = pd.read_csv(file)
        kept = before[before["package"] != package].reindex(columns=table.columns)
        # tables from before counted what ran out of time among the killed
        table = pd.concat([kept.astype({"timed_out": "Int64"}), table])
    table.to_csv(file, index=False)
    sums = table[table["package"] == package][list(table.columns[2:])].sum()
    print(f"{package}: " + ", ".join(f"{name} {count}" for name, count in sums.items()))


def _counted(ends: Mapping[Mutant, str], listed: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield for each module how many of its changes ended in which way."""
    for module in sorted({mutant.module for mutant in ends}):
        own = [end for mutant, end in ends.items() if mutant.module == module]
        same = sum(
            row["module"] == module
            and row["end"] == "survived"
            and row["why"].startswith("equivalent")
            for row in listed
        )
        yield {
            "module": module,
            "mutants": len(own),
            "killed": own.count("killed"),
            "timed_out": own.count("timed out"),
            "survived": own.count("survived") - same,
            "equivalent": same,
        }


def _of(package: str, module: str) -> bool:
    return module.startswith(f"biasaudit/{package}/")


def _known(out: Path) -> dict[tuple[str, str, str], dict[str, Any]]:
    """Return the rows of the known survivors, by what names each."""
    if not _list(out).exists():
        return {}
    rows = pd.read_csv(_list(out), keep_default_na=False).to_dict("records")
    return {
        (row["module"], row["code"], row["mutated"]): {"end": "survived", **row} for row in rows
    }


def _list(out: Path) -> Path:
    return out / "mutation_survivors.csv"


if __name__ == "__main__":
    main()
