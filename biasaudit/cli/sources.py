"""Settings as the source code declares them: key, default, meaning.

The classes of settings say each setting once: its name, its type, its default, and in the
docstring its meaning. From there come ``biasaudit list settings``, docs/settings.md and the help of
the command line. The files are read, not imported: help and lists wait for no heavy package.
"""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

PACKAGE = Path(__file__).resolve().parents[1]
SECTIONS = {"data": "DataSettings", "model": "ModelSettings", "training": "TrainingSettings"}
_OF_VERBS = {"repair": "RepairSettings", "segment": "SegmentSettings"}
"""Settings of one verb."""
DRAWN = {"harbour": "HarbourSettings", "camera": "CameraSettings"}
"""Built-in datasets that take settings of their own, each with the class of these."""
_WHERE_NONE = re.compile(r"[;,] ([^;,.]+) where None\b")
_KINDS = {"int": "whole number", "float": "number", "str": "text", "bool": "true or false"}
_KINDS |= {"dict": "table", "list": "list", "tuple": "list"}


@dataclass(frozen=True)
class Setting:
    """One setting.

    Attributes:
        key: Dotted name, as a configuration file and an assignment have it.
        default: As a user reads it.
        kind: What its value may be.
        meaning: What it does, one or more sentences.
    """

    key: str
    default: str
    kind: str
    meaning: str


def settings() -> dict[str, list[Setting]]:
    """Return every setting, by what it is of; the options of built-in loss terms come last."""
    found = {section: _fields("config.py", name, section) for section, name in SECTIONS.items()}
    whole = [one for one in _fields("config.py", "Settings") if one.key not in SECTIONS]
    found["whole run"] = whole
    found |= {name: _fields("config.py", kind, name) for name, kind in _OF_VERBS.items()}
    for dataset, name in DRAWN.items():
        file = f"data/synthetic/{dataset}/settings.py"
        found[f"dataset {dataset}"] = _fields(file, name, "data.options")
    for term, (file, options, _) in _terms().items():
        found[f"term {term}"] = _fields(file, options, f"terms.{term}")
    return found


def setting(key: str) -> Setting:
    """Return the setting called ``key``, such as ``training.seed`` or ``repair.folds``."""
    section, _, _ = key.rpartition(".")
    kind = {**_OF_VERBS, **SECTIONS}.get(section, "Settings")
    return next(one for one in _fields("config.py", kind, section) if one.key == key)


def told(key: str, *more: str) -> str:
    """Return the help of an option that is a setting: meaning, what else to say, default."""
    one = setting(key)
    return " ".join([one.meaning, *more, f"Default: {one.default}."])


def terms() -> list[tuple[str, str]]:
    """Return the built-in loss terms: name, and the first line of the docstring."""
    return [(name, summary) for name, (_, _, summary) in _terms().items()]


@cache
def _tree(file: str) -> ast.Module:
    return ast.parse((PACKAGE / file).read_text(encoding="utf-8"))


@cache
def _terms() -> dict[str, tuple[str, str, str]]:
    """Return by term the file, the class of its options, and its summary, in order of import."""
    order = next(
        [alias.name for alias in node.names]
        for node in ast.walk(_tree("guidance/built_in.py"))
        if isinstance(node, ast.ImportFrom) and node.module == "biasaudit.guidance"
    )
    found = {}
    for module in order:
        file = f"guidance/{module}.py"
        for node in ast.walk(_tree(file)):
            for call in getattr(node, "decorator_list", []):
                if isinstance(call, ast.Call) and getattr(call.func, "id", "") == "term":
                    name, options = ast.literal_eval(call.args[0]), ast.unparse(call.args[1])
                    found[name] = (file, options, _docstring(node).partition("\n")[0])
    return found


@cache
def _fields(file: str, name: str, prefix: str = "") -> list[Setting]:
    """Return the settings of one class, those of the class that it extends first."""
    found = {one.key: one for base in _bases(file, name) for one in _fields(*base, prefix)}
    node = _class(file, name)
    meanings = _meanings(_docstring(node)) if node else {}
    for line in node.body if node else ():
        if isinstance(line, ast.AnnAssign) and isinstance(line.target, ast.Name) and line.value:
            leaf = line.target.id
            key = f"{prefix}.{leaf}" if prefix else leaf
            if leaf not in meanings and key not in found:
                continue
            meaning = meanings.get(leaf) or found[key].meaning
            found[key] = _setting(key, line, meaning)
    return list(found.values())


def _class(file: str, name: str) -> ast.ClassDef | None:
    nodes = ast.walk(_tree(file))
    return next((n for n in nodes if isinstance(n, ast.ClassDef) and n.name == name), None)


def _bases(file: str, name: str) -> Iterator[tuple[str, str]]:
    """Return where the classes lie that this one extends, as far as they are the package's own."""
    node = _class(file, name)
    for base in (ast.unparse(one) for one in (node.bases if node else ())):
        if _class(file, base) is not None:
            yield file, base
        for one in ast.walk(_tree(file)):
            if isinstance(one, ast.ImportFrom) and base in [alias.name for alias in one.names]:
                module = one.module or ""
                if module.startswith("biasaudit."):
                    yield "/".join(module.split(".")[1:]) + ".py", base


def _setting(key: str, line: ast.AnnAssign, meaning: str) -> Setting:
    usual = _WHERE_NONE.search(meaning)
    default = _default(line.value)
    shown = "none" if default is None else _as_text(default)
    if usual and default is None:
        shown, meaning = usual[1], meaning.replace(usual[0], "")
    return Setting(key, shown, _kind(line.annotation, line.value), meaning)


def _default(value: ast.expr | None) -> Any:
    if isinstance(value, ast.Call):
        named = {word.arg: word.value for word in value.keywords}
        if "default_factory" in named:
            return {"dict": {}, "list": []}.get(ast.unparse(named["default_factory"]), {})
        value = value.args[0] if value.args else named.get("default")
    return None if value is None else ast.literal_eval(value)


def _as_text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if value not in ("", {}, [], ()) else "empty"


def _kind(annotation: ast.expr, value: ast.expr | None) -> str:
    """Say what a value may be: its type in words, and its range."""
    names = [ast.unparse(part) for part in _parts(annotation)]
    words = []
    for name in names:
        if name.startswith("Literal["):
            choices = ast.literal_eval(name.removeprefix("Literal"))
            chosen = [choices] if isinstance(choices, list) else choices
            words += [str(one) for part in chosen for one in (part if _many(part) else [part])]
        elif name != "None":
            words.append(_KINDS.get(name.partition("[")[0], name))
    limits = _limits(value)
    return " or ".join(words) + (f" {limits}" if limits else "")


def _many(part: object) -> bool:
    return isinstance(part, list | tuple)


def _parts(annotation: ast.expr) -> Iterator[ast.expr]:
    if isinstance(annotation, ast.BinOp):
        yield from _parts(annotation.left)
        yield from _parts(annotation.right)
    else:
        yield annotation


def _limits(value: ast.expr | None) -> str:
    if not isinstance(value, ast.Call):
        return ""
    signs = {"ge": "≥", "gt": ">", "le": "≤", "lt": "<"}
    return ", ".join(
        f"{signs[word.arg]} {ast.unparse(word.value).replace('2 ** 31', '2^31')}"
        for word in value.keywords
        if word.arg in signs
    )


def _docstring(node: ast.AST) -> str:
    if not isinstance(node, ast.ClassDef | ast.FunctionDef):
        return ""
    return inspect.cleandoc(ast.get_docstring(node) or "")


def _meanings(docstring: str) -> dict[str, str]:
    """Return what a docstring's section Attributes says, by name, as plain text."""
    section = docstring.partition("Attributes:\n")[2].partition("\n\n")[0]
    found: dict[str, str] = {}
    name = ""
    for line in section.splitlines():
        start = re.match(r" {4}(\w+): (.*)", line)
        if start:
            name, text = start[1], start[2]
            found[name] = text
        elif name:
            found[name] += " " + line.strip()
    return {key: text.replace("``", "") for key, text in found.items()}
