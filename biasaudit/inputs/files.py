"""Files from outside: regular ones alone, no larger than their kind may be, named in each error."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from biasaudit.errors import BiasAuditError, ConfigError, DataError

KILO, MEGA, GIGA = 1 << 10, 1 << 20, 1 << 30


@dataclass(frozen=True)
class Source:
    """A file from outside, and how errors speak of it.

    Attributes:
        file: Its path.
        error: What a fault in it raises.
        called: How a message names it; its path where empty.
        hint: The way out, where a reader names no better one.
        missing: What is said where there is no file.
    """

    file: Path
    error: type[BiasAuditError] = DataError
    called: str = ""
    hint: str = ""
    missing: str = "no such file"

    def refusal(self, what: str, hint: str = "") -> BiasAuditError:
        """Return the error that says what is wrong with the file."""
        return self.error(f"{self.called or self.file}: {what}", hint or self.hint)


def is_file(path: Path | str) -> bool:
    """Whether a path leads to a regular file; False for one that the system cannot even look up."""
    try:
        return Path(path).is_file()
    except (OSError, ValueError):
        return False


def lies_there(path: Path | str) -> bool:
    """Whether anything bears this name; False for a name that the system cannot even look up."""
    try:
        return Path(path).exists()
    except (OSError, ValueError):
        return False


def is_folder(path: Path | str) -> bool:
    """Whether a path leads to a folder; False for one that the system cannot even look up."""
    try:
        return Path(path).is_dir()
    except (OSError, ValueError):
        return False


def is_dangling(path: Path) -> bool:
    """Whether a path is a link that leads nowhere."""
    try:
        return path.is_symlink() and not path.exists()
    except (OSError, ValueError):
        return False


def leads_out(path: Path, folder: Path) -> bool:
    """Whether a file below a folder is, by a link, one that lies elsewhere.

    ``BIASAUDIT_FOLLOW_LINKS=1`` allows that: some collections are folders of links.

    Args:
        path: The file, at or below ``folder``.
        folder: A folder that the user gave; a link itself or not.
    """
    if os.environ.get(LINKS_VARIABLE) == "1":
        return False
    real = _real_folder(str(path.parent))
    if path.is_symlink():
        real = os.path.realpath(path)
    root = _real_folder(str(folder))
    return os.path.commonpath([real, root]) != root


LINKS_VARIABLE = "BIASAUDIT_FOLLOW_LINKS"


@lru_cache(maxsize=4096)
def _real_folder(folder: str) -> str:
    return os.path.realpath(folder)


def expanded(path: Path | str) -> Path:
    """Return a path with a leading ``~`` or ``~user`` spelled out.

    Raises:
        ConfigError: There is no such user, or the path holds a NUL.
    """
    if "\0" in str(path):
        raise ConfigError(f"{path}: not a path (it holds a NUL)")
    try:
        return Path(path).expanduser()
    except RuntimeError:
        raise ConfigError(
            f"{path}: the home folder is not known", "write the path in full"
        ) from None


def entries(folder: Path, error: type[BiasAuditError] = DataError) -> list[Path]:
    """Return what a folder holds, by name.

    Raises:
        BiasAuditError: It cannot be listed; of the kind ``error``.
    """
    try:
        return sorted(folder.iterdir())
    except (OSError, ValueError) as fault:
        raise error(f"{folder}: cannot be listed ({reason(fault)})") from None


def reason(error: BaseException) -> str:
    """Return why an operation failed, in one line."""
    told = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return str(told).splitlines()[0]


def check_regular(source: Source, most: int | None = None) -> int:
    """Return the size in bytes of a regular file; devices and pipes may never end.

    Args:
        source: The file.
        most: How large it may be, in bytes.

    Raises:
        BiasAuditError: It is missing, cannot be looked up, is no regular file or is too large.
    """
    try:
        found = source.file.stat()
    except FileNotFoundError:
        raise source.refusal(source.missing) from None
    except (OSError, ValueError) as error:
        raise source.refusal(f"cannot be read ({reason(error)})") from None
    if not stat.S_ISREG(found.st_mode):
        what = "a folder" if stat.S_ISDIR(found.st_mode) else "a device or a pipe"
        raise source.refusal(f"is {what}, not a file")
    if most is not None and found.st_size > most:
        raise source.refusal(
            f"has {found.st_size} bytes, and such a file may have {most}", "give a smaller file"
        )
    return found.st_size


@contextmanager
def reading(source: Source) -> Iterator[None]:
    """Turn an error of the file system into one that names the file."""
    try:
        yield
    except (OSError, MemoryError) as error:
        raise source.refusal(f"cannot be read ({reason(error)})") from None


def read_bytes(source: Source, most: int) -> bytes:
    """Read a regular file of at most ``most`` bytes.

    Raises:
        BiasAuditError: As :func:`check_regular`, or it cannot be read.
    """
    check_regular(source, most)
    with reading(source), source.file.open("rb") as stream:
        content = stream.read(most + 1)
    if len(content) > most:
        raise source.refusal(f"has more than {most} bytes", "give a smaller file")
    return content


def read_text(source: Source, most: int) -> str:
    """Read a regular file as UTF-8, with or without a byte order mark; see :func:`read_bytes`."""
    try:
        return read_bytes(source, most).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise source.refusal(f"is not UTF-8 ({error.reason} at byte {error.start})") from None


def digest_of_file(source: Source) -> str:
    """Return the SHA-256 of a regular file's content, in hexadecimal.

    Raises:
        BiasAuditError: As :func:`check_regular`, or it cannot be read.
    """
    check_regular(source)
    with reading(source), source.file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def utf8(name: str) -> bool:
    """Whether a name can be written as UTF-8; file names on some systems cannot."""
    try:
        os.fsdecode(name).encode()
    except UnicodeEncodeError:
        return False
    return True
