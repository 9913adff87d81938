"""NPZ at the gate: the header is held to the file before memory is given to it."""

import io
import tracemalloc
import zipfile

import numpy as np
import pytest

from biasaudit.errors import RunError
from biasaudit.inputs.arrays import layouts, read_array, read_array_rows, shapes_fit
from biasaudit.inputs.files import Source


def packed(tmp_path, **members):
    """An NPZ file of raw members."""
    file = tmp_path / "given.npz"
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(f"{name}.npy", content)
    return Source(file, RunError)


def npy(array):
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, array, allow_pickle=True)
    return buffer.getvalue()


def header(shape, dtype="|u1", fortran=False):
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        buffer, {"descr": dtype, "fortran_order": fortran, "shape": shape}
    )
    return buffer.getvalue()


@pytest.mark.parametrize("chosen", [[], [0], [4, 0, 2, 2], [5]])
def test_rows_are_those_of_the_array(tmp_path, chosen):
    array = np.arange(6 * 4 * 3, dtype=np.int32).reshape(6, 4, 3)
    source = packed(tmp_path, a=npy(array))
    np.testing.assert_array_equal(read_array_rows(source, "a", chosen), array[chosen])
    np.testing.assert_array_equal(read_array(source, "a"), array)
    assert layouts(source, ["a"])["a"].row_bytes == 48


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x93NUMPY\x09\x00",
        header((10**12,)),
        header((10**12, 10**12, 10**12)),
        header((-1,)),
        header((3,)) + b"ab",
        header((3,)) + b"abcd",
        header((2, 2), fortran=True) + b"abcd",
        header(()) + b"a",
        npy(np.array([{}, []], dtype=object)),
        npy(np.zeros(2, [("a", "u1")])),
        b"\x93NUMPY\x01\x00\x76\x00" + b"(" * 118,
    ],
)
def test_a_header_that_does_not_fit(tmp_path, content):
    source = packed(tmp_path, a=content)
    for read in (
        lambda: layouts(source, ["a"]),
        lambda: read_array(source, "a"),
        lambda: read_array_rows(source, "a", [0]),
    ):
        with pytest.raises(RunError, match=r"given\.npz"):
            read()


def test_an_array_that_inflates_is_not_held(tmp_path):
    size = (1 << 30) + 1
    file = tmp_path / "given.npz"
    with (
        zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("a.npy", "w", force_zip64=True) as stream,
    ):
        stream.write(header((size,)))
        for _ in range(1 << 6):
            stream.write(bytes(1 << 24))
        stream.write(b"\0")
    assert file.stat().st_size < 2 << 20
    source = Source(file, RunError)
    tracemalloc.start()
    with pytest.raises(RunError, match="more than are read"):
        read_array(source, "a")
    assert read_array_rows(source, "a", [7]).tolist() == [0]
    assert tracemalloc.get_traced_memory()[1] < 1 << 26
    tracemalloc.stop()


@pytest.mark.parametrize("rows", [[-1], [6], [10**30]])
def test_no_such_row(tmp_path, rows):
    source = packed(tmp_path, a=npy(np.zeros((6, 2))))
    with pytest.raises(RunError, match="6 rows"):
        read_array_rows(source, "a", rows)


def test_what_is_no_archive(tmp_path):
    file = tmp_path / "given.npz"
    file.write_bytes(npy(np.zeros(3)))
    with pytest.raises(RunError, match="not an npz file"):
        read_array(Source(file, RunError), "a")
    with pytest.raises(RunError, match="no array 'b'"):
        read_array(packed(tmp_path, a=npy(np.zeros(3))), "b")


def test_shapes():
    array = np.zeros
    found = {"a": array((3, 2)), "b": array((3, 5, 5))}
    assert shapes_fit(found, {"a": ("n", 2), "b": ("n", "s", "s")}) == ""
    assert "'b'" in shapes_fit(found, {"a": ("n", 2), "b": ("n", "s", "t", "u")})
    assert "'b'" in shapes_fit(found, {"a": ("n", "m"), "b": ("m", "s", "s")})
    assert "'a'" in shapes_fit(found, {"a": ("n", 3)})
