"""Plug-ins: found once, refused in one line, recorded, forgotten by nobody."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from biasaudit import registry
from biasaudit.cli.flags import complaint
from biasaudit.config import Settings, load_settings, setting_named
from biasaudit.errors import ConfigError
from biasaudit.registry import Registry, load_plugins

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def fresh(monkeypatch, tmp_path):
    """A folder of modules, and a program that has looked for no plug-in yet."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(registry, "_INSTALLED", registry._Installed())
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        if name.startswith("plugged"):
            del sys.modules[name]


def install(folder, module, text):
    (folder / f"{module}.py").write_text(text)
    info = folder / f"{module}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}-package\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[biasaudit.plugins]\n{module} = {module}\n")


def test_every_way_to_ask_a_table_finds_the_installed_ones(fresh):
    install(fresh, "plugged_one", "import builtins\nbuiltins.plugged_table.add('mauve', 1)\n")
    asks = (len, list, lambda table: "mauve" in table, lambda table: table["mauve"])
    for ask, answer in zip(asks, (1, ["mauve"], True, 1), strict=True):
        sys.modules.pop("plugged_one", None)
        registry._INSTALLED = registry._Installed()
        import builtins

        builtins.plugged_table = Registry("colour")
        try:
            assert ask(builtins.plugged_table) == answer
        finally:
            del builtins.plugged_table


def test_registering_looks_for_no_plugin(fresh):
    install(fresh, "plugged_broken", "1 / 0\n")
    table = Registry("colour")
    table.add("red", 1)
    with pytest.raises(
        ConfigError,
        match=r"plug-in 'plugged_broken' of the package plugged_broken-package: cannot be imported "
        r"\(ZeroDivisionError: division by zero\); mend plugged_broken-package or uninstall it",
    ):
        table["red"]
    with pytest.raises(ConfigError, match="plugged_broken"):  # nor is it passed over later
        list(table)


def test_a_plugin_may_ask_a_table_while_it_is_imported(fresh):
    install(
        fresh,
        "plugged_asking",
        "from biasaudit.registry import Registry\n"
        "table = Registry('x')\ntable.add('a', 1)\nassert 'a' in table\n",
    )
    assert len(Registry("colour")) == 0
    assert "plugged_asking" in sys.modules


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (None, "ModuleNotFoundError: No module named 'plugged_bad'"),
        ("import nothing_of_this_name", "ModuleNotFoundError: No module named 'nothing_of"),
        ("def broken(:", "SyntaxError: "),
        (
            "from biasaudit.config import Settings\n"
            "from biasaudit.registry import Registry\n"
            "t = Registry('mode')\nt.add('gain', 1)\nt.add('gain', 2)",
            "ValueError: mode 'gain' is registered already",
        ),
    ],
)
def test_a_named_module_that_cannot_be_imported(fresh, text, reason):
    if text is not None:
        (fresh / "plugged_bad.py").write_text(text)
    with pytest.raises(ConfigError) as raised:
        load_settings(None, ["plugins=plugged_bad"])
    assert raised.value.field == "plugins"
    assert str(raised.value).startswith(f"plugins=plugged_bad: cannot be imported ({reason}")
    line = complaint(raised.value)
    assert line.startswith("--set plugins=plugged_bad: cannot be imported (")
    assert "\n" not in line


def test_modules_are_found_in_the_current_folder(fresh, monkeypatch):
    monkeypatch.setattr(sys, "path", [p for p in sys.path if p != str(fresh)])
    (fresh / "plugged_here.py").write_text("")
    load_plugins(["plugged_here"])
    assert "plugged_here" in sys.modules


@pytest.mark.parametrize("given", ["a,b", " a , b ", ["a", "b"]])
def test_one_or_several(given):
    assert Settings(plugins=given).plugins == ["a", "b"]


def test_tables_are_named_like_settings():
    assert setting_named("plugins") == "plugins"
    assert setting_named("epochs") == "training.epochs"
    with pytest.raises(ConfigError, match="did you mean 'plugins'"):
        setting_named("plugin")


def test_importing_biasaudit_looks_for_no_plugin(tmp_path):
    install(tmp_path, "plugged_broken", "1 / 0\n")
    done = subprocess.run(
        [sys.executable, "-c", "import biasaudit, biasaudit.plugins, biasaudit.cli"],
        env=os.environ | {"PYTHONPATH": os.pathsep.join((str(ROOT), str(tmp_path)))},
        check=False,
    )
    assert done.returncode == 0
