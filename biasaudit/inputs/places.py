"""Files that are no file of their own here: behind a URL, or within a tar archive.

Pictures and small texts are read whole, and bounded; each error names the URL, or the archive and
the member. What a URL names is read through fsspec, which brings the protocols.
"""

from __future__ import annotations

import re
import tarfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Self, TypeVar

from biasaudit.errors import BiasAuditError, ConfigError, DataError
from biasaudit.inputs.files import MEGA, Source, check_regular, reading

PROTOCOLS = ("abfs", "az", "gcs", "gs", "http", "https", "memory", "s3")
"""What a URL may begin with, beside ``file``, which is a path."""
MOST_BYTES = 256 * MEGA
"""Of one picture that is read whole."""
TEXT_BYTES = MEGA
"""Of one text within an archive."""
ATTEMPTS, PAUSE = 3, 0.5
"""Of a read over a network, and the seconds before the second one."""
_GONE = (404, 410)
_PACKAGES = {
    "s3": "'biasaudit[s3]'", "gs": "'biasaudit[gs]'", "gcs": "'biasaudit[gs]'", "az": "adlfs",
    "abfs": "adlfs", "http": "'biasaudit[remote]'", "https": "'biasaudit[remote]'",
}  # fmt: skip
_URL = re.compile(r"((?:[a-z][a-z0-9+.-]*::)*)([a-z][a-z0-9+.-]*)://", re.IGNORECASE)
_USER = re.compile(r"(?<=://)[^/@]*@")
_SECRET = re.compile(r"([?&][^=&]*(?:sig|token|key|credential|secret|password)[^=&]*=)[^&]*", re.I)


@dataclass(frozen=True)
class Remote:
    """A file behind a URL.

    Attributes:
        url: Of one of :data:`PROTOCOLS`.
    """

    url: str

    def __str__(self) -> str:
        """Return the URL without what lets somebody in: a user, a password, a signature."""
        return _SECRET.sub(r"\1...", _USER.sub("", self.url))

    @property
    def suffix(self) -> str:
        """The suffix of the file's name, with its dot."""
        return Path(re.split(r"[?#]", self.url)[0]).suffix

    def read(self, missing: str = "no such file") -> bytes:
        """Return the content.

        Raises:
            DataError: There is none, it has more than :data:`MOST_BYTES`, or it cannot be read.
            ConfigError: The package that knows the protocol is not installed.
        """

        def whole() -> bytes:
            with self.opened(missing) as stream:
                content: bytes = stream.read(MOST_BYTES + 1)
            if len(content) > MOST_BYTES:
                raise _too_large(str(self))
            return content

        return _patiently(whole)

    def part(self, start: int, size: int, called: str = "") -> bytes:
        """Return ``size`` bytes from ``start`` on, asked for at once.

        Args:
            start: In bytes.
            size: Likewise.
            called: What errors name, which are those of :meth:`read`; the URL unless given.
        """
        import fsspec

        def asked() -> bytes:
            with self._told("no such archive", called):
                system, path = fsspec.core.url_to_fs(self.url)
                content: bytes = system.cat_file(path, start=start, end=start + size)
            if len(content) > size:
                raise DataError(
                    f"{called or self}: the server gives no part of a file, but the whole",
                    "put the archive where parts can be read, or take a copy",
                )
            return content

        return _patiently(asked)

    @contextmanager
    def opened(self, missing: str = "no such file") -> Iterator[IO[bytes]]:
        """Open it for reading at any place; errors as of :meth:`read`."""
        import fsspec

        with self._told(missing), fsspec.open(self.url, "rb") as stream:
            yield stream

    @contextmanager
    def _told(self, missing: str, called: str = "") -> Iterator[None]:
        """Turn what a protocol's package raises into an error that names the URL."""
        where = called or str(self)
        try:
            yield
        except BiasAuditError:
            raise
        except ImportError as error:
            package = _PACKAGES.get(self.url.partition(":")[0], "fsspec")
            raise ConfigError(
                f"{where}: the package that reads such URLs is not installed ({_told(error)})",
                f"pip install {package}",
            ) from error
        except tarfile.TarError:
            raise
        except Exception as error:  # each protocol's package has errors of its own
            cause = self._cause(error)
            if isinstance(cause, FileNotFoundError) or getattr(cause, "status", 0) in _GONE:
                raise DataError(f"{where}: {missing}", "correct the URL") from None
            raise _UnreadableError(
                f"{where}: cannot be read ({_told(cause)})",
                "see whether it can be reached from here, and with which credentials",
            ) from error

    def _cause(self, error: Exception) -> BaseException:
        """Return why a read failed: by http, fsspec calls every failure a missing file."""
        if isinstance(error, FileNotFoundError) and self.url.startswith(("http:", "https:")):
            return error.__cause__ or error
        return error

    def state(self) -> str:
        """Return a text that is another once the content is, as far as the protocol tells.

        Raises:
            OSError: It cannot be asked.
        """
        import fsspec

        try:
            system, path = fsspec.core.url_to_fs(self.url)
            return f"{self} {system.ukey(path)}"
        except Exception as error:
            raise OSError(_told(error)) from error


@dataclass(frozen=True)
class Member:
    """A file within a tar archive that is not compressed.

    Attributes:
        archive: The archive.
        name: The member's name.
        start: Where its content begins, in bytes.
        size: Of its content, in bytes.
    """

    archive: Path | Remote
    name: str
    start: int
    size: int

    def __str__(self) -> str:
        """Return the archive, and the member after a colon."""
        return f"{self.archive}:{self.name}"

    @property
    def suffix(self) -> str:
        """The suffix of the member's name, with its dot."""
        return Path(self.name).suffix

    def read(self, missing: str = "no such file") -> bytes:
        """Return the content; errors as of :meth:`Remote.read`."""
        if self.size > MOST_BYTES:
            raise _too_large(str(self))
        if isinstance(self.archive, Remote):
            content = self.archive.part(self.start, self.size, str(self))
        else:
            with opened_archive(self.archive) as stream:
                stream.seek(self.start)
                content = stream.read(self.size)
        if len(content) < self.size:
            raise DataError(f"{self}: the archive ends within it", "write the archive again")
        return content

    def state(self) -> str:
        """Return a text that is another once the archive is."""
        if isinstance(self.archive, Remote):
            told = self.archive.state()
        else:
            found = self.archive.stat()
            told = f"{self.archive.absolute()} {found.st_size} {found.st_mtime_ns}"
        return f"{told} {self.start} {self.size}"


Read = TypeVar("Read")
Place = Path | Remote | Member
"""Where a picture lies."""


class _UnreadableError(DataError):
    """What a second attempt may mend."""


def place_of(text: str) -> Path | Remote | None:
    """Return what a text names, if it is a URL; None where it is none.

    Args:
        text: A URL of one of :data:`PROTOCOLS`, or ``file:///a/path``.

    Raises:
        ConfigError: A protocol that is not known, URLs within URLs, no host, or a file's URL that
            names another machine.
    """
    found = _URL.match(text)
    if found is None:
        return None
    within, protocol, rest = found[1], found[2].lower(), text[found.end() :]
    if protocol == "file" and not within:
        return _local(text, rest)
    # an IPv6 host has colons of its own, between brackets
    if protocol not in PROTOCOLS or "::" in re.sub(r"\[[^]]*]", "", text) or "\0" in text:
        raise ConfigError(
            f"{Remote(text)}: not a URL that is read", f"known: {', '.join(['file', *PROTOCOLS])}"
        )
    host = re.split(r"[/?#]", rest)[0].rpartition("@")[2].partition(":")[0]
    if not host and protocol != "memory":
        raise ConfigError(
            f"{Remote(text)}: not a URL (it names no host or bucket)", "write it in full"
        )
    return Remote(f"{protocol}://{rest}")


def _local(text: str, rest: str) -> Path:
    host, slash, path = rest.partition("/")
    if not slash or host.lower() not in ("", "localhost"):
        raise ConfigError(f"{Remote(text)}: names no file of this machine", "write file:///a/path")
    return Path("/" + path)


def _patiently(read: Callable[[], Read]) -> Read:
    """Read, and again where a network fails."""
    for attempt in range(1, ATTEMPTS):
        try:
            return read()
        except _UnreadableError:
            time.sleep(PAUSE * attempt)
    return read()


def is_relative(text: str) -> bool:
    """Whether a text is no URL but a name below a folder."""
    return _URL.match(text) is None


def below(root: Path | Remote, name: str) -> Path | Remote:
    """Return what a relative name means below a folder or a URL."""
    if isinstance(root, Path):
        return root / name
    path, mark, query = root.url.partition("?")
    return Remote(f"{path.rstrip('/')}/{name}{mark}{query}")


@contextmanager
def opened_archive(archive: Path | Remote) -> Iterator[IO[bytes]]:
    """Open a tar archive's bytes.

    Raises:
        DataError: It is missing, no regular file, or cannot be read.
    """
    if isinstance(archive, Remote):
        with archive.opened("no such archive") as stream:
            yield stream
        return
    source = Source(archive, missing="no such archive")
    check_regular(source)
    with reading(source), archive.open("rb") as stream:
        yield stream


def members(
    archive: Path | Remote, is_text: Callable[[str], bool], most: int = 5_000_000
) -> list[tuple[Member, bytes]]:
    """List the files of a tar archive that is not compressed.

    Args:
        archive: The archive.
        is_text: Says of a name whether the file is small and to be read at once.
        most: How many it may hold.

    Returns:
        Each file in order, and its content where that was to be read.

    Raises:
        DataError: It is none, is damaged, lacks the mark of its end, or holds too many; a text is
            larger than :data:`TEXT_BYTES`; the server of its URL gives no part of a file.
    """
    if isinstance(archive, Path):
        return _members(archive, is_text, most)
    archive.part(0, tarfile.BLOCKSIZE)  # else each file would be refused, when it is read
    return _patiently(lambda: _members(archive, is_text, most))


def _members(
    archive: Path | Remote, is_text: Callable[[str], bool], most: int
) -> list[tuple[Member, bytes]]:
    found: list[tuple[Member, bytes]] = []
    try:
        with (
            opened_archive(archive) as stream,
            tarfile.open(fileobj=stream, mode="r:", tarinfo=_Header) as opened,
        ):
            for entry in opened:
                if entry.isreg() and not entry.issparse():
                    member = Member(archive, entry.name, entry.offset_data, entry.size)
                    found.append((member, _text(opened, entry, member, is_text)))
                if len(found) > most:
                    raise DataError(f"{archive}: holds more than {most} files", "split it")
                opened.members = []  # type: ignore[attr-defined]  # else all headers stay
            _check_end(archive, stream, len(found))
    except (tarfile.TarError, ValueError, OverflowError, EOFError) as error:
        raise _broken(archive, len(found), error) from None
    return found


class _NoMarkError(tarfile.ReadError):
    """The bytes end where a header or the mark of the end should be."""


class _Header(tarfile.TarInfo):
    """A header that is refused where it is damaged or cut off.

    ``tarfile`` takes either, behind the first header, for the archive's end. Its mark is a block
    of zeros, two as most programs write it.
    """

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        """Return the header that a block holds."""
        try:
            return super().frombuf(buf, encoding, errors)
        except tarfile.HeaderError as error:
            if bytes(buf) == bytes(tarfile.BLOCKSIZE):
                raise
            raise (tarfile.ReadError if buf else _NoMarkError)(str(error)) from None


def _check_end(archive: Path | Remote, stream: IO[bytes], count: int) -> None:
    """Refuse an archive in which anything but zeros follows the mark of the end."""
    while rest := stream.read(MEGA):
        if rest.count(0) < len(rest):
            raise DataError(
                f"{archive}: more follows the mark of its end, after file {count}",
                "unpack it by a tar that passes over such marks, and write it again",
            )


def _broken(archive: Path | Remote, count: int, error: Exception) -> DataError:
    if not count:
        return DataError(
            f"{archive}: not a tar archive that can be read ({_told(error)})",
            "give a whole one that is not compressed: its files are read one by one",
        )
    if isinstance(error, _NoMarkError):
        return DataError(
            f"{archive}: ends after file {count} without the mark of an archive's end, so files "
            "may be missing",
            "copy or write it again; if it is known to be whole, append 1024 zero bytes to it",
        )
    return DataError(
        f"{archive}: is damaged after file {count} ({_told(error)})", "copy or write it again"
    )


def _text(
    archive: tarfile.TarFile,
    entry: tarfile.TarInfo,
    member: Member,
    is_text: Callable[[str], bool],
) -> bytes:
    if not is_text(entry.name):
        return b""
    if entry.size > TEXT_BYTES:
        raise DataError(f"{member}: has more than {TEXT_BYTES} bytes", "write labels alone into it")
    stream = archive.extractfile(entry)
    return b"" if stream is None else stream.read()


def _too_large(where: str) -> DataError:
    return DataError(
        f"{where}: has more than {MOST_BYTES} bytes, and a picture may have as many",
        "give a smaller file",
    )


def _told(error: BaseException) -> str:
    told = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
    if isinstance(status := getattr(error, "status", None), int):
        told = f"HTTP {status} {getattr(error, 'message', '')}".rstrip()
    return _SECRET.sub(r"\1...", _USER.sub("", told))
