"""Public datasets, downloaded once: resumed where a download broke off, and held to their sums."""

from __future__ import annotations

import http.client
import os
import tarfile
import urllib.error
import urllib.request
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from biasaudit.errors import DataError, RunFailedError
from biasaudit.inputs.files import is_file, is_folder

Tell = Callable[[int, int | None], None]
"""Told of bytes done and of bytes in all, None where the server does not say."""
_CHUNK = 1 << 20
_SECONDS = 60


@dataclass(frozen=True)
class Download:
    """A dataset that can be fetched.

    Attributes:
        url: Of the archive, a tar file.
        filename: What the archive is called on disk.
        md5: Its sum.
        tree: A folder that the archive brings, relative to where it is unpacked.
        description: The ``dataset.toml`` that is written beside it.
    """

    url: str
    filename: str
    md5: str
    tree: str
    description: str


_VOC2012 = """\
format = "voc"
name = "voc2012"
root = "VOCdevkit/VOC2012"
object = "boat"

[subsets]
train = "Main/train"
val = "Main/val"
"""
FETCHABLE = ("voc2012",)


def download_of(name: str) -> Download:
    """Return where a dataset comes from; VOC's address and sum are torchvision's."""
    from torchvision.datasets.voc import DATASET_YEAR_DICT

    year = DATASET_YEAR_DICT[name.removeprefix("voc")]
    return Download(year["url"], year["filename"], year["md5"], year["base_dir"], _VOC2012)


def default_folder(name: str) -> Path:
    """Return where a fetched dataset lies: in ``$BIASAUDIT_DATA``, or the user's cache."""
    given = os.environ.get("BIASAUDIT_DATA")
    return (Path(given) if given else Path.home() / ".cache" / "biasaudit") / name


def fetch(download: Download, folder: Path, tell: Tell = lambda done, total: None) -> Path:
    """Download, check and unpack a dataset; what is there already is not done again.

    An archive that lies in the folder, however it came there, is used, and left there. Nothing
    that was in the folder before is changed or removed.

    Args:
        download: What to fetch.
        folder: Where to; made if it is not there.
        tell: Told how far the download is.

    Returns:
        The path of the ``dataset.toml``.

    Raises:
        RunFailedError: No connection, or it broke off; the next call goes on from there.
        DataError: The archive is not what it should be, something stands where the dataset is to
            be, or the folder cannot be written.
    """
    description = folder / "dataset.toml"
    if is_file(description) and is_folder(folder / download.tree):
        return description
    _refuse_what_is_there(folder, download)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        archive = folder / download.filename
        own = not archive.exists()
        if own:
            partial = archive.with_name(archive.name + ".partial")
            _download(download.url, partial, tell)
            if not _sum_fits(partial, download):
                partial.unlink()
                raise DataError(
                    f"{partial}: not the archive that was published (MD5 differs); it was deleted",
                    "fetch it again",
                )
            partial.replace(archive)
        _unpack(archive, folder, download)
        description.write_text(download.description, encoding="utf-8")
        if own:
            archive.unlink()
    except OSError as error:
        raise DataError(f"{folder}: cannot be written ({error.strerror or error})") from None
    return description


def _refuse_what_is_there(folder: Path, download: Download) -> None:
    """Refuse to replace or to delete what somebody else put into the folder.

    Raises:
        DataError: The tree or the description is there without the other, the archive is not the
            one that was published, or a link stands where something is to be written.
    """
    tree, archive = folder / download.tree, folder / download.filename
    for path in (tree, folder / "dataset.toml"):
        if path.is_symlink() or path.exists():
            raise DataError(
                f"{path}: is there already, and not as a whole dataset",
                "move it away, or fetch into another folder",
            )
    partial = archive.with_name(archive.name + ".partial")
    if partial.is_symlink() or (partial.exists() and not is_file(partial)):
        raise DataError(f"{partial}: is no download of ours", "move it away")
    if archive.exists() and not (is_file(archive) and _sum_fits(archive, download)):
        raise DataError(
            f"{archive}: not the archive that was published (MD5 differs); it was left there",
            "move it away, and fetch again",
        )


def _download(url: str, partial: Path, tell: Tell) -> None:
    """Download to a file, from where it ends on if the server can."""
    done = partial.stat().st_size if partial.exists() else 0
    total: int | None = None
    request = urllib.request.Request(url, headers={"Range": f"bytes={done}-"} if done else {})
    try:
        with urllib.request.urlopen(request, timeout=_SECONDS) as answer:
            if answer.status != http.HTTPStatus.PARTIAL_CONTENT:
                done = 0
            length = answer.headers.get("Content-Length")
            total = done + int(length) if length else None
            with partial.open("ab" if done else "wb") as file:
                while chunk := answer.read(_CHUNK):
                    file.write(chunk)
                    done += len(chunk)
                    tell(done, total)
    except urllib.error.HTTPError as error:
        # Nothing is left to send: the file is whole, and its sum will tell.
        if error.code != http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            raise _no_answer(url, partial, f"HTTP {error.code}") from None
    except (urllib.error.URLError, http.client.HTTPException, TimeoutError) as error:
        raise _no_answer(url, partial, str(getattr(error, "reason", error))) from None
    if total is not None and done < total:
        raise _no_answer(url, partial, f"broke off after {done} of {total} bytes")


def _no_answer(url: str, partial: Path, reason: str) -> RunFailedError:
    archive = partial.with_suffix("")
    return RunFailedError(
        f"{url}: cannot be downloaded ({reason})",
        f"call again to go on; offline, put the archive there by hand as {archive}",
    )


def _sum_fits(archive: Path, download: Download) -> bool:
    from torchvision.datasets.utils import check_md5

    return bool(check_md5(archive, download.md5))


def _unpack(archive: Path, folder: Path, download: Download) -> None:
    """Unpack beside the place and move the tree there, so that it is whole or not at all."""
    from torchvision.datasets.utils import extract_archive

    with TemporaryDirectory(prefix="unpacking-", dir=folder) as place:
        beside = Path(place)
        try:
            extract_archive(archive, beside)
        except (tarfile.TarError, EOFError, ValueError, zlib.error) as error:
            raise DataError(f"{archive}: cannot be unpacked ({error})", "fetch it again") from None
        if not is_folder(beside / download.tree):
            raise DataError(f"{archive}: holds no {download.tree}")
        target = folder / download.tree
        target.parent.mkdir(parents=True, exist_ok=True)
        (beside / download.tree).rename(target)
