"""Who may know whom: each room imports only what stands to its left."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[2] / "biasaudit"
BASE = {"errors", "registry", "inputs"}
PLAIN = BASE | {"config", "results", "statistics"}
ALLOWED = {
    "errors": set(),
    "registry": {"errors"},
    "exhaustion": {"errors"},
    "processes": {"errors"},
    "inputs": {"errors"},
    "memory": set(),
    "config": BASE,
    "results": BASE | {"statistics"},
    "statistics": BASE,
    "analysis": BASE | {"config", "results", "statistics"},
    "data": PLAIN | {"analysis"},
    "models": PLAIN | {"data"},
    "attention": PLAIN | {"data", "models"},
    "guidance": PLAIN | {"data", "models", "attention"},
    "segmentation": PLAIN | {"attention", "data", "evaluation", "exhaustion", "models", "training"},
    "localization": PLAIN
    | {"data", "evaluation", "exhaustion", "models", "attention", "segmentation", "training"},
    "training": PLAIN | {"data", "models", "attention", "guidance", "memory"},
    "evaluation": BASE | {"results", "statistics", "analysis", "data", "models", "attention"},
    "plugins": BASE | {"attention", "data", "evaluation", "guidance", "models"},
    "report": BASE | {"results", "statistics", "analysis"},
    "cases": PLAIN | {"data", "models", "evaluation", "training"},
    "reproduce": PLAIN
    | {"analysis", "cases", "data", "evaluation", "exhaustion", "processes", "segmentation"}
    | {"training"},
    "api": PLAIN
    | {"analysis", "cases", "data", "evaluation", "exhaustion", "models", "report"}
    | {"segmentation", "training"},
}
WITHOUT_TORCH = PLAIN | {"analysis", "report"}
PRINTERS = {"cli"}


def modules():
    return sorted(path.relative_to(PACKAGE) for path in PACKAGE.rglob("*.py"))


def room(path):
    return path.parts[0].removesuffix(".py")


def imported(path):
    for node in ast.walk(ast.parse((PACKAGE / path).read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


@pytest.mark.parametrize("path", modules(), ids=str)
def test_imports_point_left(path):
    here = room(path)
    if here in ("__init__", "__main__", "cli"):
        return
    known = {name.split(".")[1] for name in imported(path) if name.startswith("biasaudit.")}
    assert here in ALLOWED, f"{path}: a room that the design does not know"
    assert known <= ALLOWED[here] | {here}


@pytest.mark.parametrize("path", modules(), ids=str)
def test_modules_and_functions_are_short(path):
    text = (PACKAGE / path).read_text(encoding="utf-8")
    tree = ast.parse(text)
    assert len(code_lines(tree, text)) < 300
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and room(path) != "cli":
            body = [n for n in code_lines(node, text) if n >= node.body[0].lineno]
            assert len(body) < 50, f"{path}: {node.name}"


def code_lines(tree, text):
    """Return the numbers of the lines that hold code: no blank one, no docstring, no comment."""
    lines = text.splitlines()
    first, last = getattr(tree, "lineno", 1), getattr(tree, "end_lineno", len(lines))
    told = {
        number
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        for number in range(node.lineno, node.end_lineno + 1)
    }
    return [
        number
        for number in range(first, last + 1)
        if number not in told
        and lines[number - 1].strip()
        and not lines[number - 1].strip().startswith("#")
    ]


@pytest.mark.parametrize("path", modules(), ids=str)
def test_functions_take_seven_parameters_at_most(path):
    """Verbs of the command line have an option each; the public API has keywords."""
    for node in ast.walk(ast.parse((PACKAGE / path).read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and not is_verb(path, node):
            assert len(parameters(path, node)) <= 7, f"{path}: {node.name}"


def is_verb(path, function):
    """Whether a function of cli/ declares options: its annotations name typer's."""
    given = [argument.annotation for argument in function.args.args if argument.annotation]
    text = " ".join(ast.unparse(annotation) for annotation in given)
    return room(path) == "cli" and ("typer.Option" in text or "opt." in text)


def parameters(path, function):
    given = function.args
    named = [*given.posonlyargs, *given.args, given.vararg, given.kwarg]
    if path.name != "api.py" or function.name.startswith("_"):
        named += given.kwonlyargs
    return [each.arg for each in named if each and each.arg not in ("self", "cls")]


@pytest.mark.parametrize("path", modules(), ids=str)
def test_torch_and_printing_stay_in_their_rooms(path):
    top = {name.split(".")[0] for name in imported(path)}
    if room(path) in WITHOUT_TORCH:
        assert not top & {"torch", "torchvision", "accelerate", "safetensors"}
    if room(path) not in PRINTERS:
        assert not top & {"rich", "typer"}


def test_no_circle():
    """Not even through an import inside a function, or one for type checkers alone."""
    known = {dotted(path): path for path in modules() if path.name != "__init__.py"}
    knows = {name: named(path) & set(known) for name, path in known.items()}
    while knows:
        free = [name for name, others in knows.items() if not others & set(knows)]
        assert free, f"a circle among: {', '.join(sorted(knows))}"
        for name in free:
            del knows[name]


def dotted(path):
    return ".".join(("biasaudit", *path.with_suffix("").parts))


def named(path):
    """Return what a module imports, ``from room import module`` as room.module too."""
    found = set(imported(path))
    for node in ast.walk(ast.parse((PACKAGE / path).read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found
