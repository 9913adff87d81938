"""Files that a user asks for by an option."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from biasaudit.errors import ConfigError, RunError
from biasaudit.inputs.files import is_folder


def write_text(file: Path, text: str, option: str) -> None:
    """Write what a user asked for by ``option`` as UTF-8; see :func:`write_bytes`."""
    write_bytes(file, text.encode(), option)


def write_bytes(file: Path, content: bytes, option: str) -> None:
    """Write what a user asked for by ``option``, whole or not at all, and the folders above it.

    Raises:
        RunError: The file cannot be written.
    """
    from biasaudit.results import write_atomic

    check_target(file, option)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(file, content)
    except OSError as error:
        raise RunError(f"{option} {file}: cannot be written ({error.strerror})") from None


def check_target(file: Path, option: str) -> None:
    """Refuse a target that can be no file, before anything is computed for it.

    Args:
        file: Where a file is to be written.
        option: Who asked for it.

    Raises:
        ConfigError: It is a folder, or no name of a file.
    """
    if is_folder(file) or not file.name:
        raise ConfigError(f"{option} {file}: is a folder", "name a file")
    if "\0" in str(file):
        raise ConfigError(f"{option} {file}: not a path (it holds a NUL)")


def plain(value: Any) -> Any:
    """Return a value as JSON takes it.

    Args:
        value: Numbers, texts, and dictionaries, lists and tuples of them.

    Returns:
        NaN is None, and so is a tuple (an interval) that holds one.
    """
    if isinstance(value, dict):
        return {key: plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        parts = [plain(one) for one in value]
        return None if isinstance(value, tuple) and None in parts else parts
    return None if isinstance(value, float) and math.isnan(value) else value
