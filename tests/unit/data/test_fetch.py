"""Fetching, from a server on this machine that can be made to break off."""

import hashlib
import http.server
import tarfile
import threading

import pytest
import torchvision.datasets.voc
from four_formats import write_voc

from biasaudit.cli import main
from biasaudit.data.catalogue import load_dataset
from biasaudit.data.download import Download, default_folder, download_of, fetch
from biasaudit.errors import ConfigError, DataError, RunFailedError

TREE = "VOCdevkit/VOC2012"


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves one file; sends half of it and hangs up while ``server.breaks`` lasts."""

    def do_GET(self):
        content = self.server.content
        asked = self.headers.get("Range")
        self.server.asked.append(asked)
        if self.path != "/voc.tar":
            self.send_error(404)
            return
        start = int(asked[6:-1]) if asked and self.server.ranges else 0
        if start >= len(content):
            self.send_error(416)
            return
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        end = len(content)
        if self.server.breaks:
            self.server.breaks -= 1
            end = start + (end - start) // 2
        self.wfile.write(content[start:end])

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def content(tmp_path_factory):
    root = write_voc(tmp_path_factory.mktemp("voc"))
    sets = root / TREE / "ImageSets"
    (sets / "Main").mkdir()
    for name in ("train", "val"):
        (sets / "Main" / f"{name}.txt").write_text((sets / f"Segmentation/{name}.txt").read_text())
    archive = root / "archive.tar"
    with tarfile.open(archive, "w") as tar:
        tar.add(root / "VOCdevkit", "VOCdevkit")
    return archive.read_bytes()


@pytest.fixture
def server(content):
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as made:
        made.content, made.breaks, made.ranges, made.asked = content, 0, True, []
        thread = threading.Thread(target=made.serve_forever)
        thread.start()
        yield made
        made.shutdown()
        thread.join()


@pytest.fixture
def download(server, content):
    url = f"http://127.0.0.1:{server.server_port}/voc.tar"
    text = download_of("voc2012").description
    return Download(url, "voc.tar", hashlib.md5(content).hexdigest(), TREE, text)


def test_it_arrives_and_can_be_read(download, server, content, tmp_path):
    told = []
    file = fetch(download, tmp_path / "a" / "b", lambda done, total: told.append((done, total)))
    assert told[-1] == (len(content), len(content))
    assert sorted(p.name for p in file.parent.iterdir()) == ["VOCdevkit", "dataset.toml"]
    dataset = load_dataset("voc2012", {"folder": str(file.parent)})
    assert (dataset.name, dataset.object) == ("voc2012", "boat")
    assert {name: len(s) for name, s in dataset.subsets.items()} == {"train": 6, "val": 4}
    assert dataset.subset("train")[0].regions["boat"].form == "mask"
    assert fetch(download, file.parent) == file
    assert len(server.asked) == 1


def test_other_lists_take_the_place_of_the_file_s(download, tmp_path):
    place = {"folder": str(fetch(download, tmp_path).parent)}
    (tmp_path / TREE / "ImageSets" / "Segmentation" / "few.txt").write_text("plain\nvoid\n")
    dataset = load_dataset("voc2012", {**place, "train": "Segmentation/few", "test": "test"})
    sizes = {name: len(samples) for name, samples in dataset.subsets.items()}
    assert sizes == {"train": 2, "val": 4, "test": 2}
    assert dataset.options == {**place, "train": "Segmentation/few", "test": "test"}
    with pytest.raises(DataError, match=r"subsets\.train: no such image list: Segmentation/fwe"):
        load_dataset("voc2012", {**place, "train": "Segmentation/fwe"})


@pytest.mark.parametrize("ranges", [True, False])
def test_a_download_that_broke_off_goes_on(download, server, content, tmp_path, ranges):
    server.breaks, server.ranges = 1, ranges
    with pytest.raises(RunFailedError, match="call again to go on; offline, put the archive there"):
        fetch(download, tmp_path)
    half = len(content) // 2
    assert (tmp_path / "voc.tar.partial").stat().st_size == half
    assert fetch(download, tmp_path).is_file()
    assert server.asked == [None, f"bytes={half}-"]
    assert load_dataset(str(tmp_path)).subset("val")[0].load_image().shape == (20, 30, 3)


def test_a_whole_partial_file_is_used(download, content, tmp_path):
    (tmp_path / "voc.tar.partial").write_bytes(content)
    assert fetch(download, tmp_path).is_file()


def test_an_archive_put_there_by_hand_is_used(download, server, content, tmp_path):
    (tmp_path / "voc.tar").write_bytes(content)
    assert fetch(download, tmp_path).is_file()
    assert server.asked == []


def test_a_wrong_sum(download, server, tmp_path):
    server.content = server.content[:-1] + b"x"
    with pytest.raises(DataError, match="not the archive that was published"):
        fetch(download, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_an_archive_of_something_else(server, tmp_path):
    url = f"http://127.0.0.1:{server.server_port}/voc.tar"
    server.content = b"no archive"
    other = Download(url, "voc.tar", hashlib.md5(server.content).hexdigest(), TREE, "")
    with pytest.raises(DataError, match=r"voc\.tar: cannot be unpacked"):
        fetch(other, tmp_path)


def test_a_page_that_is_not_there(download, tmp_path):
    gone = Download(download.url + "x", "voc.tar", download.md5, TREE, "")
    with pytest.raises(RunFailedError, match="HTTP 404"):
        fetch(gone, tmp_path)


def test_no_connection(download, tmp_path):
    nowhere = Download("http://127.0.0.1:9/voc.tar", "voc.tar", download.md5, TREE, "")
    with pytest.raises(RunFailedError, match="cannot be downloaded") as caught:
        fetch(nowhere, tmp_path)
    assert str(tmp_path / "voc.tar") in str(caught.value)


def test_a_folder_that_cannot_be_made(download, tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(DataError, match="cannot be written"):
        fetch(download, tmp_path / "file" / "x")


def test_address_and_sum_are_torchvision_s():
    found = download_of("voc2012")
    assert found.md5 == "6cd6e144f989b92b3379bac3b3de84fd"
    assert found.tree.replace("\\", "/") == TREE


def test_not_fetched_yet(monkeypatch, tmp_path):
    monkeypatch.setenv("BIASAUDIT_DATA", str(tmp_path))
    assert default_folder("voc2012") == tmp_path / "voc2012"
    with pytest.raises(DataError, match="biasaudit data fetch voc2012"):
        load_dataset("voc2012")
    with pytest.raises(ConfigError, match=r"data\.options\.foldr: .* did you mean 'folder'"):
        load_dataset("voc2012", {"foldr": "x"})


def test_the_command(monkeypatch, tmp_path, capsys, download, server):
    monkeypatch.setenv("BIASAUDIT_DATA", str(tmp_path))
    year = {
        "url": download.url,
        "filename": "voc.tar",
        "md5": download.md5,
        "base_dir": download.tree,
    }
    monkeypatch.setitem(torchvision.datasets.voc.DATASET_YEAR_DICT, "2012", year)
    for words, code, said in (
        (["fetch", "voc2012"], 0, "dataset.toml"),
        (["check", "--data", "voc2012"], 0, "no faults"),
        (["fetch", "voc2021"], 2, "did you mean 'voc2012'"),
    ):
        with pytest.raises(SystemExit) as end:
            main(["data", *words])
        captured = capsys.readouterr()
        assert (end.value.code or 0) == code, captured.err
        assert said in captured.out + captured.err


def files_in(folder):
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.mark.parametrize("place", [f"{TREE}/JPEGImages/mine.jpg", "dataset.toml", "voc.tar"])
def test_what_somebody_put_there_is_neither_replaced_nor_removed(tmp_path, download, place):
    file = tmp_path / "out" / place
    file.parent.mkdir(parents=True)
    file.write_bytes(b"mine")
    with pytest.raises(DataError, match="move it away"):
        fetch(download, tmp_path / "out")
    assert files_in(tmp_path / "out") == {place: b"mine"}


def test_an_archive_placed_by_hand_is_used_and_stays(tmp_path, download, content, server):
    (tmp_path / "voc.tar").write_bytes(content)
    fetch(download, tmp_path)
    assert server.asked == []
    assert (tmp_path / "voc.tar").read_bytes() == content


@pytest.mark.parametrize("name", ["voc.tar.partial", "dataset.toml", "VOCdevkit/VOC2012"])
def test_links_are_not_written_through(tmp_path, download, name):
    other = tmp_path / "other"
    other.write_bytes(b"precious")
    link = tmp_path / "out" / name
    link.parent.mkdir(parents=True)
    link.symlink_to(other)
    with pytest.raises(DataError, match="move it away"):
        fetch(download, tmp_path / "out")
    assert other.read_bytes() == b"precious"
    assert link.is_symlink()
