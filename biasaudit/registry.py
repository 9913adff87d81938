"""A table of named things: modes, loss terms, backbones, readers, attention methods."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

from biasaudit.errors import ConfigError, near_names

T = TypeVar("T")


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
            ConfigError: There is none; the hint names the nearest one.
        """
        try:
            return self._items[name]
        except KeyError:
            raise ConfigError(
                f"unknown {self.kind} '{name}'", near_names(name, self._items)
            ) from None

    def __contains__(self, name: object) -> bool:
        return name in self._items

    def __iter__(self) -> Iterator[str]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)
