"""Model files from strangers: every honest way to store an array is read, nothing is ever run."""

import io
import os
import pickle
import pickletools
import random
import struct
import sys
import tracemalloc
import types
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import sparse

from talker.errors import TalkerError
from talker.rigs.model_file import read_model_arrays

VALUES = np.arange(24, dtype=np.float64).reshape(4, 3, 2)


def read(data: bytes, folder: Path, *names: str) -> dict[str, np.ndarray]:
    path = folder / "model.pkl"
    path.write_bytes(data)
    return read_model_arrays(path, names)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize(
    "array",
    [
        VALUES,
        np.asfortranarray(VALUES[0]),
        VALUES.astype(">f4"),
        VALUES.astype(np.uint32),
        VALUES.astype(np.int16),
        np.array([[2**32 - 1, 0]], np.uint32),
        VALUES[:0],
    ],
    ids=["f8", "fortran", "big-endian", "u4", "i2", "root", "empty"],
)
def test_arrays_of_every_protocol(array: np.ndarray, protocol: int, tmp_path: Path) -> None:
    found = read(pickle.dumps({"a": array, "junk": {"x": [1, "two", None]}}, protocol), tmp_path, "a", "absent")
    assert list(found) == ["a"]
    np.testing.assert_array_equal(found["a"], array)
    assert found["a"].dtype == (np.float64 if array.dtype.kind == "f" else np.int64)


@pytest.mark.parametrize("make", [sparse.csc_matrix, sparse.csr_matrix, sparse.csc_array, sparse.csr_array])
@pytest.mark.parametrize("shape", [(5, 40), (7, 7)])
def test_sparse_matrices_come_back_dense(make: Any, shape: tuple[int, int], tmp_path: Path) -> None:
    dense = np.random.default_rng(0).normal(size=shape) * (np.random.default_rng(1).random(shape) < 0.2)
    found = read(pickle.dumps({"J": make(dense)}, protocol=2), tmp_path, "J")
    np.testing.assert_array_equal(found["J"], dense)


def test_chumpy_objects_give_their_values(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = types.ModuleType("chumpy.ch")

    class Ch:
        def __init__(self, x: np.ndarray) -> None:
            self.x = x

    Ch.__module__, Ch.__qualname__ = "chumpy.ch", "Ch"
    module.Ch = Ch  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "chumpy", types.ModuleType("chumpy"))
    monkeypatch.setitem(sys.modules, "chumpy.ch", module)
    data = [pickle.dumps({"v": Ch(VALUES), "w": Ch(Ch(VALUES))}, protocol) for protocol in (0, 2, 4)]  # type: ignore[arg-type]
    monkeypatch.delitem(sys.modules, "chumpy.ch")
    for pickled in data:
        found = read(pickled, tmp_path, "v", "w")
        np.testing.assert_array_equal(found["v"], VALUES)
        np.testing.assert_array_equal(found["w"], VALUES)


def test_a_pickle_of_python_2(tmp_path: Path) -> None:
    """Its strings are bytes, its modules have their old names; written here by hand, opcode by opcode."""
    array = (
        b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntS'b'\ntR(I1\n(I2\ntcnumpy\ndtype\n"
        b"(S'f8'\nI0\nI1\ntR(I3\nS'<'\nNNNI-1\nI-1\nI0\ntbI00\nS'\\x00\\x00\\x00\\x00\\x00\\x00\\xf0?"
        b"\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\xc0'\ntb"
    )
    chumpy = b"ccopy_reg\n_reconstructor\n(cchumpy.ch\nCh\nc__builtin__\nobject\nNtR(dS'x'\n" + array + b"sb"
    found = read(b"(dS'a'\n" + array + b"sS'c'\n" + chumpy + b"s.", tmp_path, "a", "c")
    np.testing.assert_array_equal(found["a"], [1.0, -2.0])
    np.testing.assert_array_equal(found["c"], [1.0, -2.0])


def test_npz_with_objects_beside_the_arrays(tmp_path: Path) -> None:
    """The official SMPL-X file holds pickled dictionaries that nobody needs."""
    path = tmp_path / "model.npz"
    np.savez(path, a=VALUES, joint2num=np.array({"pelvis": 0}, dtype=object))
    np.testing.assert_array_equal(read_model_arrays(path, ("a",))["a"], VALUES)
    with pytest.raises(TalkerError, match="pickled objects"):
        read_model_arrays(path, ("a", "joint2num"))


class Attack:
    """Calls something when it is unpickled."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> Any:
        return self.call


@pytest.mark.parametrize("protocol", [0, 2, 4, 5])
@pytest.mark.parametrize(
    ("function", "argument", "name"),
    [
        (os.system, "touch {}", "system"),
        (eval, "open({!r}, 'w')", "eval"),
        (exec, "open({!r}, 'w')", "exec"),
        (__import__, "os", "__import__"),
        (getattr, "x", "getattr"),
        (np.load, "{}", "load"),
        (np.save, "{}", "save"),
        (bytearray, "x", "bytearray"),
        (io.open, "{}", "open"),
        (pickle.loads, b"x", "loads"),
    ],
)
def test_attacks_are_refused_by_name(function: Any, argument: Any, name: str, protocol: int, tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    attack = Attack(function, argument.format(str(trace)) if isinstance(argument, str) else argument)
    for content in (attack, {"a": attack}, {"a": VALUES, "b": [({"c": attack},)]}):
        with pytest.raises(TalkerError, match=name) as error:
            read(pickle.dumps(content, protocol), tmp_path, "a")
        assert "refused" in str(error.value) and "\n" not in str(error.value)
    assert not trace.exists()


@pytest.mark.parametrize(
    "data",
    [
        b"cos\nsystem\n(S'touch {}'\ntR.",
        b"(S'touch {}'\nios\nsystem\n.",
        b"(cos\nsystem\nS'touch {}'\no.",
        b"\x80\x04\x8c\x05posix\x8c\x06system\x93\x8c\x04true\x85R.",
        b"cnumpy\nload\n(S'{}'\ntR.",
        b"cnumpy.core.multiarray\n_reconstruct.__globals__\n.",
        b"\x80\x04\x8c\x05numpy\x8c\x11ndarray.__class__\x93.",
        b"cscipy.sparse._csc\nsys.modules\n.",
        b"cbuiltins\neval\n(S'1'\ntR.",
        b"c__main__\nx\n.",
        b"ctalker.errors\nTalkerError\n.",
    ],
)
def test_handmade_attacks_are_refused(data: bytes, tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    with pytest.raises(TalkerError, match="refused"):
        read(data.replace(b"{}", str(trace).encode()), tmp_path, "a")
    assert not trace.exists()


def test_nothing_learnt_from_one_file_stays_for_the_next(tmp_path: Path) -> None:
    """A pickle may write into the classes it is given; they are made anew for every file."""
    poison = b"cnumpy\nndarray\n(dS'kind'\nS'array'\nsNtb(dS'a'\nI1\ns."
    with pytest.raises(TalkerError):
        read(poison, tmp_path, "a")
    np.testing.assert_array_equal(read(pickle.dumps({"a": VALUES}), tmp_path, "a")["a"], VALUES)


def _claiming(shape: str, protocol_2: bool = False) -> bytes:
    return (
        b"(dS'a'\ncnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntS'b'\ntR(I1\n"
        + shape.encode()
        + b"cnumpy\ndtype\n(S'f8'\nI0\nI1\ntR(I3\nS'<'\nNNNI-1\nI-1\nI0\ntbI00\nS'\\x00\\x00\\x00\\x00'\ntbs."
    )


@pytest.mark.parametrize(
    "shape", ["(I1000000000\nt", "(I-1\nI1000000000\nt", "(L99999999999999999999999L\nt", "(NtI1\n0"]
)
def test_claimed_sizes_are_checked_against_the_bytes(shape: str, tmp_path: Path) -> None:
    with pytest.raises(TalkerError, match=r"damaged|cut short"):
        read(_claiming(shape), tmp_path, "a")


def test_a_sparse_matrix_that_claims_too_much(tmp_path: Path) -> None:
    matrix = sparse.csc_matrix(np.eye(3))
    matrix._shape = (10**9, 3)
    with pytest.raises(TalkerError, match="claims 1000000000 x 3"):
        read(pickle.dumps({"J": matrix}), tmp_path, "J")


def test_a_memo_index_cannot_fill_the_memory(tmp_path: Path) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(TalkerError, match="single object"):
            read(b"\x80\x02N" + b"r" + struct.pack("<I", 2**28) + b".", tmp_path, "a")
        assert tracemalloc.get_traced_memory()[1] < 1e6
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"not a pickle at all",
        b"\x80\x02",
        pickle.dumps({"a": VALUES})[:-40],
        pickle.dumps({"a": VALUES})[:50],
        pickle.dumps(VALUES),
        pickle.dumps([VALUES]),
        pickle.dumps({"a": "text"}),
        pickle.dumps({"a": [1.0, 2.0]}),
        pickle.dumps({"a": None}),
        pickle.dumps({"a": np.array([None, {}], dtype=object)}),
        pickle.dumps({"a": np.array(["x"])}),
        pickle.dumps({"a": np.array([1j])}),
        pickle.dumps({"a": np.array([np.inf])}),
        b"\x80\x04\x95" + struct.pack("<Q", 2**62),
        b"B" + struct.pack("<I", 2**32 - 1),
        b"\x8e" + struct.pack("<Q", 2**63 - 1),
        b"\x96" + struct.pack("<Q", 2**40),
        b"PK\x03\x04 but no archive",
        b"P" + b"1\n",
        b"\x82\x01.",
        b"(" * 100_000 + b"t" * 100_000 + b".",
    ],
)
def test_damage_is_one_clear_line(data: bytes, tmp_path: Path) -> None:
    with pytest.raises(TalkerError) as error:
        read(data, tmp_path, "a")
    assert str(tmp_path) in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize("count", [100, pytest.param(2500, marks=pytest.mark.slow)])
def test_mutated_pickles_never_surprise(count: int, tmp_path: Path) -> None:
    content = {"a": VALUES, "J": sparse.csc_matrix(np.eye(4)), "f": np.arange(6, dtype=np.uint32)}
    refused = 0
    for protocol in (0, 2, 4, 5):
        data = pickle.dumps(content, protocol)
        for seed in range(count):
            generator = random.Random(f"{protocol} {seed}")
            damaged = bytearray(data)
            for _ in range(generator.choice((1, 2, 5))):
                damaged[generator.randrange(len(damaged))] = generator.randrange(256)
            try:
                read(bytes(damaged), tmp_path, "a", "J", "f")
            except TalkerError:
                refused += 1
    assert refused > count


def test_an_npz_that_claims_too_much(tmp_path: Path) -> None:
    header = b"{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000, 3), }".ljust(117) + b"\n"
    path = tmp_path / "model.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.npy", b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header)
    with pytest.raises(TalkerError, match="claims shape"):
        read_model_arrays(path, ("a",))


def test_the_opcodes_above_are_what_they_seem() -> None:
    """The handmade pickles must be valid, or their refusal would prove nothing."""
    names = [opcode.name for opcode, _, _ in pickletools.genops(_claiming("(I4\nt"))]
    assert names.count("REDUCE") == 2 and names.count("BUILD") == 2
