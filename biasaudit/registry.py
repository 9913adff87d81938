"""Tables of named things: modes, loss terms, backbones, formats, metrics, attention methods.

Built-in things register themselves where they are defined. A package of the user's own adds more
by being imported: as an entry point of the group ``biasaudit.plugins``, which every table imports
before it is first asked, or by the setting ``plugins`` (docs/extending.md).
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterable, Iterator
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType
from typing import Generic, TypeVar

from biasaudit.errors import ConfigError, named_field, near_names

T = TypeVar("T")

ENTRY_POINTS = "biasaudit.plugins"
"""Group of the entry points that name a plug-in's module."""


class Registry(Generic[T]):
    """Named things of one kind, in the order in which they were registered.

    Args:
        kind: What is registered, as it reads in a message ("backbone").
    """

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._items: dict[str, T] = {}

    def register(self, name: str) -> Callable[[T], T]:
        """Return a decorator that registers a thing under ``name``.

        Raises:
            ValueError: The name is taken (a defect of the program, not of its user).
        """

        def add(item: T) -> T:
            self.add(name, item)
            return item

        return add

    def add(self, name: str, item: T) -> None:
        """Register ``item`` under ``name``; a name is given once."""
        if name in self._items:
            raise ValueError(f"{self.kind} '{name}' is registered already")
        self._items[name] = item

    def __getitem__(self, name: str) -> T:
        """Return the thing called ``name``.

        Raises:
            ConfigError: There is none; the hint names the nearest one. Or an installed plug-in
                cannot be imported.
        """
        _INSTALLED.load()
        try:
            return self._items[name]
        except KeyError:
            raise ConfigError(
                f"unknown {self.kind} '{name}'", near_names(name, self._items)
            ) from None

    def __contains__(self, name: object) -> bool:
        _INSTALLED.load()
        return name in self._items

    def __iter__(self) -> Iterator[str]:
        _INSTALLED.load()
        return iter(self._items)

    def __len__(self) -> int:
        _INSTALLED.load()
        return len(self._items)


class _Installed:
    """The plug-ins of the environment, imported once."""

    def __init__(self) -> None:
        self._begun = False
        self._failure: ConfigError | None = None

    def load(self) -> None:
        """Import every entry point of the group, unless that was done.

        Raises:
            ConfigError: One of them cannot be imported; again at every later call.
        """
        if self._failure is not None:
            raise self._failure
        if self._begun:
            return
        self._begun = True  # at once: a plug-in may ask a table while it is imported
        try:
            for point in sorted(entry_points(group=ENTRY_POINTS)):
                self._load(point)
        except ConfigError as failure:
            self._failure = failure
            raise

    @staticmethod
    def _load(point: EntryPoint) -> None:
        package = point.dist.name if point.dist else point.module
        try:
            point.load()
        except Exception as error:
            raise ConfigError(
                f"plug-in '{point.name}' of the package {package}: cannot be imported "
                f"({first_line(error)})",
                f"mend {package} or uninstall it",
            ) from error


_INSTALLED = _Installed()


def has_plugins() -> bool:
    """Whether the environment has plug-ins, which may add to any table; none is imported."""
    return bool(entry_points(group=ENTRY_POINTS))


def load_plugins(names: Iterable[str], source: str | None = None) -> None:
    """Import the plug-ins that a configuration names; this runs their code.

    Args:
        names: Modules, found among the installed packages and in the current folder.
        source: The file that names them, where that is no setting of the user's.

    Raises:
        ConfigError: One cannot be imported, or registers a name that is taken.
    """
    for name in names:
        try:
            import_from_here(name)
        except Exception as error:
            given = named_field("plugins", name) if source is None else f"{source}: plugins: {name}"
            raise ConfigError(
                f"{given}: cannot be imported ({first_line(error)})",
                "install the package, or start from the folder that holds it",
                field="plugins",
            ) from error


def import_from_here(module: str) -> ModuleType:
    """Import a module by name, from the installed packages or the current folder."""
    if str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    return importlib.import_module(module)


def first_line(error: BaseException) -> str:
    """Return an error's kind and the first line of its text."""
    text = str(error).strip()
    return f"{type(error).__name__}: {text.splitlines()[0]}" if text else type(error).__name__
