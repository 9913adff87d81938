"""Images behind URLs: a server on this machine, and fsspec's files in memory."""

import functools
import http.server
import io
import re
import socket
import tarfile
import threading
from pathlib import Path

import fsspec
import numpy as np
import PIL.Image
import pytest
import torch
from torch.utils.data import DataLoader

from biasaudit.data import catalogue  # noqa: F401 (it registers the formats)
from biasaudit.data.checks.check import check_dataset
from biasaudit.data.formats.toml_file import read_dataset_file
from biasaudit.data.loading.batches import SampleTensors, collate
from biasaudit.errors import ConfigError, DataError
from biasaudit.inputs import places
from biasaudit.inputs.places import Member, Remote, place_of

HEADER = 'format = "manifest"\nmanifest = "t.csv"\nobject = "boat"\n'


def png(value, shape=(6, 8, 3)):
    stream = io.BytesIO()
    PIL.Image.fromarray(np.full(shape, value, np.uint8)).save(stream, "PNG")
    return stream.getvalue()


def read(folder, rows, header=HEADER):
    (folder / "t.csv").write_text("image,labels,subset,mask\n" + "\n".join(rows) + "\n")
    (folder / "dataset.toml").write_text(header)
    return read_dataset_file(folder / "dataset.toml")


class Handler(http.server.SimpleHTTPRequestHandler):
    def refused(self):
        if self.server.failures > 0:
            self.server.failures -= 1
            self.send_error(self.server.status)
            return True
        return False

    def do_HEAD(self):
        if not self.refused():
            super().do_HEAD()

    def do_GET(self):
        self.server.asked.append(self.path)
        if self.refused():
            return
        part = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if part is None or not self.server.gives_parts:
            super().do_GET()
            return
        content = Path(self.translate_path(self.path)).read_bytes()
        start, end = int(part[1]), min(int(part[2] or len(content) - 1), len(content) - 1)
        self.send_response(206)
        self.send_header("Content-Range", f"bytes {start}-{end}/{len(content)}")
        self.send_header("Content-Length", str(end + 1 - start))
        self.end_headers()
        self.server.sent.append(end + 1 - start)  # noted before whoever asks can have it
        self.wfile.write(content[start : end + 1])

    def log_message(self, *told):
        pass


@pytest.fixture
def server(tmp_path):
    folder = tmp_path / "served"
    folder.mkdir()
    handler = functools.partial(Handler, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        running.asked, running.failures, running.folder = [], 0, folder
        running.status = 503
        running.gives_parts, running.sent = True, []
        running.url = f"http://127.0.0.1:{running.server_port}"
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield running
        running.shutdown()
        thread.join()


@pytest.fixture
def memory():
    files = fsspec.filesystem("memory")
    yield files
    files.rm("/biasaudit-test", recursive=True)


def test_images_and_masks_by_http(server, tmp_path, monkeypatch):
    monkeypatch.setattr(places, "PAUSE", 0)
    (server.folder / "a.png").write_bytes(png(7))
    (server.folder / "m.png").write_bytes(png(1, (6, 8)))
    rows = [f"{server.url}/a.png,boat,test,boat:{server.url}/m.png", f"{server.url}/no.png,,test,"]
    data = read(tmp_path, rows)
    first, second = data.subset("test")
    assert first.id == f"{server.url}/a.png"
    assert not any("a.png" in path for path in server.asked)  # not before it is needed
    assert (first.load_image() == 7).all()
    assert first.regions["boat"].area_fraction == 1.0
    with pytest.raises(DataError, match=rf"{server.url}/no\.png: no such image file; correct the"):
        second.load_image()


@pytest.mark.parametrize(
    ("status", "told"),
    [
        (503, "HTTP 503 Service Unavailable"),
        (429, "HTTP 429 Too Many"),
        (403, "HTTP 403 Forbidden"),
    ],
)
def test_a_server_that_refuses_for_a_while_is_asked_again(
    server, tmp_path, monkeypatch, status, told
):
    waits = []
    monkeypatch.setattr(places.time, "sleep", waits.append)
    (server.folder / "a.png").write_bytes(png(7))
    (sample,) = read(tmp_path, [f"{server.url}/a.png,boat,test,"]).subset("test")
    server.status = status
    server.failures = 2 * (places.ATTEMPTS - 1)  # the size is asked for twice, by HEAD and GET
    assert (sample.load_image() == 7).all()
    assert waits == [places.PAUSE, 2 * places.PAUSE]
    server.failures = 100
    with pytest.raises(DataError, match=rf"/a\.png: cannot be read \({told}.*; see whether it can"):
        sample.load_image()


@pytest.mark.parametrize("status", [404, 410])
def test_what_is_not_there_is_not_asked_for_again(server, monkeypatch, status):
    monkeypatch.setattr(places.time, "sleep", lambda seconds: pytest.fail("it waited"))
    server.failures, server.status = 100, status
    with pytest.raises(DataError, match=r"/a\.png: no such file; correct the URL"):
        Remote(f"{server.url}/a.png").read()
    with pytest.raises(DataError, match=r"/a\.tar: no such archive; correct the URL"):
        Remote(f"{server.url}/a.tar").part(0, 10)


def test_a_server_that_does_not_run_is_no_missing_file(monkeypatch):
    waits = []
    monkeypatch.setattr(places.time, "sleep", waits.append)
    with socket.create_server(("127.0.0.1", 0)) as unheard:
        port = unheard.getsockname()[1]
    with pytest.raises(
        DataError, match=rf":{port}/a\.png: cannot be read \(Cannot connect to host"
    ):
        Remote(f"http://127.0.0.1:{port}/a.png").read()
    assert len(waits) == places.ATTEMPTS - 1


def test_a_base_url_and_a_cache(memory, tmp_path):
    memory.pipe("/biasaudit-test/one/a.png", png(9))
    rows = ["one/a.png,boat,test,"]
    header = HEADER + 'images = "memory://biasaudit-test"\n'
    (sample,) = read(tmp_path, rows, header).subset("test")
    assert sample.id == "one/a.png"
    cache = tmp_path / "cache"
    for value in (9, 30):
        memory.pipe("/biasaudit-test/one/a.png", png(value))
        for _ in range(2):
            images = SampleTensors([sample], ["boat"], 4, keep=False, cache=cache)
            assert torch.equal(images[0].image, torch.full((3, 4, 4), value, dtype=torch.uint8))
    assert len(list((cache / "images").glob("*/*"))) == 2  # what changed is kept anew


def test_names_below_a_base_url_stay_below_it(tmp_path):
    for name in ("../a.png", "/etc/a.png"):
        with pytest.raises(DataError, match="leaves the images folder"):
            read(tmp_path, [f"{name},boat,test,"], HEADER + 'images = "memory://biasaudit-test"\n')


def test_a_file_url_is_a_path_and_stays_in_the_folder(tmp_path):
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "a.png").write_bytes(png(5))
    (tmp_path / "b.png").write_bytes(png(5))
    header = HEADER + 'images = "images"\n'
    (sample,) = read(tmp_path, [f"file://{tmp_path}/images/a.png,boat,test,"], header).subset(
        "test"
    )
    assert sample.id == "a.png"
    assert (sample.load_image() == 5).all()
    with pytest.raises(DataError, match="leaves the images folder"):
        read(tmp_path, [f"file://{tmp_path}/b.png,boat,test,"], header)
    rows = ["a.png,boat,test,"]
    (sample,) = read(tmp_path, rows, HEADER + f'images = "file://{tmp_path}/images"\n').subset(
        "test"
    )
    assert (sample.load_image() == 5).all()


def test_too_large_is_refused(memory, tmp_path, monkeypatch):
    memory.pipe("/biasaudit-test/a.png", png(9))
    monkeypatch.setattr(places, "MOST_BYTES", 20)
    with pytest.raises(DataError, match=r"memory://biasaudit-test/a.png: has more than 20 bytes"):
        Remote("memory://biasaudit-test/a.png").read()


@pytest.mark.parametrize(
    "url",
    [
        "ftp://h/a.png",
        "ssh://h/a",
        "github://a:b@c/d",
        "zip://a.png::https://h/b.zip",
        "simplecache::http://h/a.png",
        "filecache::zip://a.png::file:///b.zip",
        "simplecache::file:///a.png",
    ],
)
def test_other_protocols_are_refused(tmp_path, url):
    with pytest.raises(ConfigError, match="not a URL that is read; known: file, abfs"):
        place_of(url)
    with pytest.raises(DataError, match=r"row 2: image: .*not a URL that is read"):
        read(tmp_path, [f"{url},boat,test,"])
    with pytest.raises(DataError, match=r"images: .*not a URL that is read"):
        read(tmp_path, ["a.png,boat,test,"], HEADER + f'images = "{url}"\n')


def test_an_ipv6_host_is_no_url_within_a_url():
    assert place_of("http://[::1]:8000/a.png") == Remote("http://[::1]:8000/a.png")
    with pytest.raises(ConfigError, match="not a URL that is read"):
        place_of("zip://a.png::http://[::1]/b.zip")


@pytest.mark.parametrize(
    "url", ["http://", "https:///a.png", "http://u:p@/a.png", "http://:80/a.png", "s3://?a=b"]
)
def test_a_url_without_a_host_is_none(tmp_path, url):
    with pytest.raises(ConfigError, match=r"not a URL \(it names no host or bucket\)"):
        place_of(url)
    (tmp_path / "a.png").write_bytes(png(1))
    with pytest.raises(DataError, match=r"row 2: mask: .*not a URL \("):
        read(tmp_path, [f"a.png,boat,test,boat:{url}"])


def test_a_protocol_may_be_written_in_capitals(memory):
    memory.pipe("/biasaudit-test/A.png", b"content")
    place = place_of("MEMORY://biasaudit-test/A.png")
    assert place == Remote("memory://biasaudit-test/A.png")
    assert place.read() == b"content"
    assert place_of("HTTPS://H/A.png") == Remote("https://H/A.png")


def test_a_file_url_names_this_machine_or_none():
    for url in ("file:///a/b::c.png", "file://localhost/a/b::c.png", "FILE://LocalHost/a/b::c.png"):
        assert place_of(url) == Path("/a/b::c.png")
    for url in ("file://h/a.png", "file://a.png", "file://", "file://localhost"):
        with pytest.raises(ConfigError, match=r"no file of this machine; write file:///a/path"):
            place_of(url)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://u:p@h/a.png", "https://h/a.png"),
        ("https://h/a.png?X-Amz-Signature=ab&w=3", "https://h/a.png?X-Amz-Signature=...&w=3"),
        ("https://h/a?id=3&access_token=xyz", "https://h/a?id=3&access_token=..."),
    ],
)
def test_what_lets_somebody_in_is_not_shown(url, shown):
    assert str(Remote(url)) == shown


def test_a_package_that_is_missing_is_named(monkeypatch):
    def missing(*given, **named):
        raise ImportError("Install s3fs to access S3")

    monkeypatch.setattr(fsspec, "open", missing)
    with pytest.raises(ConfigError, match=r"Install s3fs.*pip install 'biasaudit\[s3\]'"):
        Remote("s3://bucket/a.png").read()


@pytest.fixture
def archive(server, monkeypatch):
    """Serve an archive of three pictures."""
    monkeypatch.setattr(places, "PAUSE", 0)
    with tarfile.open(server.folder / "a.tar", "w") as archive:
        for number in range(3):
            for suffix, content in (("png", png(number)), ("cls", b"boat")):
                entry = tarfile.TarInfo(f"{number}.{suffix}")
                entry.size = len(content)
                archive.addfile(entry, io.BytesIO(content))
    return Remote(f"{server.url}/a.tar")


def pictures(archive):
    return [m for m, _ in places.members(archive, lambda name: False) if m.suffix == ".png"]


def test_an_archive_behind_a_url_is_read_in_parts(server, archive):
    found = pictures(archive)
    assert [member.name for member in found] == ["0.png", "1.png", "2.png"]
    assert isinstance(found[2], Member)
    server.sent.clear()
    assert found[2].read() == png(2)
    assert server.sent == [len(png(2))]  # and nothing else of the archive
    server.failures = 1
    assert found[1].read() == png(1)
    assert str(found[2]) == f"{server.url}/a.tar:2.png"


def test_a_listing_that_fails_is_tried_again(server, archive, monkeypatch):
    server.failures = 2
    assert len(pictures(archive)) == 3
    monkeypatch.setattr(Remote, "part", lambda *given: b"")
    server.failures = 2 * (places.ATTEMPTS - 1)
    assert len(pictures(archive)) == 3


def test_a_fault_of_a_member_names_it(server, archive):
    *_, last = pictures(archive)
    server.failures = 100
    with pytest.raises(DataError, match=rf"{archive}:2\.png: cannot be read \(HTTP 503"):
        last.read()
    server.failures, server.gives_parts = 0, False
    with pytest.raises(DataError, match=rf"{archive}:2\.png: the server gives no part of a file"):
        last.read()
    (server.folder / "a.tar").unlink()
    with pytest.raises(DataError, match=rf"{archive}:2\.png: no such archive"):
        last.read()


def test_a_server_without_parts_shows_once_for_each_archive(server, archive, tmp_path):
    (server.folder / "b.tar").write_bytes((server.folder / "a.tar").read_bytes())
    server.gives_parts = False
    header = f'format = "webdataset"\n[shards]\ntest = "{server.url}/{{a,b}}.tar"\n'
    (tmp_path / "dataset.toml").write_text(header)
    with pytest.raises(DataError, match=rf"^{archive}: the server gives no part of a file"):
        read_dataset_file(tmp_path / "dataset.toml")
    server.asked.clear()
    faults = check_dataset(str(tmp_path)).faults
    assert [fault.message for fault in faults[:1]] == ["shards: no sample has a class"]
    assert [fault.file for fault in faults[1:]] == [f"{server.url}/{name}.tar" for name in "ab"]
    assert server.asked == ["/a.tar", "/b.tar"]


def test_a_cut_archive_behind_a_url_is_refused(server, archive):
    whole = (server.folder / "a.tar").read_bytes()
    with tarfile.open(server.folder / "a.tar") as opened:
        last = opened.getmembers()[-1]
    for end, told in ((last.offset, "ends after file 5"), (last.offset + 9, "damaged after file 5"),
                      (last.offset_data + 1, "damaged after file 6")):  # fmt: skip
        (server.folder / "a.tar").write_bytes(whole[:end])
        with pytest.raises(DataError, match=rf"{archive}: .*{told}"):
            pictures(archive)


def test_loading_processes_read_urls_too(server, tmp_path):
    rows = []
    for number in range(4):
        (server.folder / f"{number}.png").write_bytes(png(number * 10))
        rows.append(f"{server.url}/{number}.png,boat,test,")
    samples = read(tmp_path, rows).subset("test")
    samples[0].load_image()  # the parent has asked before its children do
    images = SampleTensors(samples, ["boat"], 4)
    batches = list(DataLoader(images, 2, collate_fn=collate, num_workers=2))
    found = [round(float(image.mean()) * 255) for batch in batches for image in batch.images]
    assert found == [0, 10, 20, 30]
