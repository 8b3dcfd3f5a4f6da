"""The arrays of a model file (.pkl or .npz) that a user got elsewhere, without ever running what it holds.

Body models are commonly distributed as pickles, and a pickle is a program. Here every object in it, of whichever
allowed class, becomes an inert record of its arguments and its state; afterwards the arrays that were asked for are
rebuilt from such records. A class that no body model needs is an error that names it.
"""

import io
import pickle
import struct
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from talker.errors import TalkerError
from talker.files import read_arrays, read_bytes

_ARRAY, _CHUMPY, _OTHER = "array", "chumpy", "other"

# What body models pickled by Python 2 and 3, numpy 1 and 2, scipy old and new refer to.
_NUMPY_MODULES = (
    "numpy",
    *(f"numpy.{core}.{module}" for core in ("core", "_core") for module in ("multiarray", "numeric")),
)
_NUMPY_KINDS = {"_reconstruct": _ARRAY, "_frombuffer": "buffer", "ndarray": _OTHER, "dtype": "dtype", "scalar": _OTHER}
_SPARSE_KINDS = {"csc_matrix": "csc", "csc_array": "csc", "csr_matrix": "csr", "csr_array": "csr"}
_PLAIN_KINDS = {
    **{("copy_reg", "_reconstructor"): "rebuilt", ("copyreg", "_reconstructor"): "rebuilt"},
    ("_codecs", "encode"): "encoded",
    **{("builtins", "bytes"): "encoded", ("__builtin__", "bytes"): "encoded"},
    ("collections", "OrderedDict"): _OTHER,
    **{
        (module, name): _OTHER
        for module in ("builtins", "__builtin__")
        for name in ("object", "set", "frozenset", "list", "dict", "tuple")
    },
}

_PICKLE_ERRORS = (
    *(pickle.UnpicklingError, EOFError, ValueError, TypeError, AttributeError, LookupError, ImportError),
    *(MemoryError, OverflowError, RecursionError, NotImplementedError, AssertionError, struct.error),
)
_MAX_DENSE_ENTRIES = 20_000_000  # Of one sparse matrix made dense; SMPL-X's joint regressor has 0.6 million.


def read_model_arrays(path: Path, names: tuple[str, ...]) -> dict[str, np.ndarray]:
    """Those of the named arrays that the file holds, as float64 or int64.

    Sparse matrices come back dense, chumpy arrays as their values.
    """
    data = read_bytes(path)
    if data.startswith(b"PK\x03\x04"):
        found = read_arrays(path, required=(), only=names)
    else:
        found = _arrays_of_pickle(path, data, names)
    return {name: _plain_numbers(path, name, values) for name, values in found.items()}


class _Inert:
    """Any object of a pickle: it keeps what it was given and does nothing."""

    kind = _OTHER

    def __new__(cls, *arguments: Any, **_: Any) -> "_Inert":
        made = super().__new__(cls)
        made.arguments, made.state = arguments, None
        return made

    arguments: tuple[Any, ...]
    state: Any

    def __setstate__(self, state: Any) -> None:
        self.state = state

    def __setitem__(self, key: Any, value: Any) -> None:
        """Members of containers that nobody will ask for are dropped."""

    def append(self, value: Any) -> None:
        """Dropped, like `__setitem__`."""

    @property
    def settled_kind(self) -> str:
        """The kind of the class that Python 2's `_reconstructor(class, base, state)` was asked for."""
        if self.kind == "rebuilt" and self.arguments and isinstance(self.arguments[0], type):
            return getattr(self.arguments[0], "kind", _OTHER)
        return self.kind


def _load_byte_array(unpickler: Any) -> None:
    """What the file holds of a byte array; Python's own would first clear as much memory as the file claims."""
    (length,) = struct.unpack("<Q", unpickler.read(8))
    unpickler.append(unpickler.read(length))


class _InertUnpickler(pickle._Unpickler):
    """Looks up no class: allowed names give fresh subclasses of `_Inert`, others an error.

    This is Python's own unpickler in Python: the one in C allocates a table as large as any object number it meets,
    so that five bytes of a damaged file can fill the memory.
    """

    dispatch: ClassVar[dict[int, Any]] = {**pickle._Unpickler.dispatch, pickle.BYTEARRAY8[0]: _load_byte_array}

    def __init__(self, path: Path, data: bytes) -> None:
        # Python 2 wrote array bytes as text; latin1 maps each character back to its byte.
        super().__init__(io.BytesIO(data), encoding="latin1", fix_imports=False)
        self._path = path

    def find_class(self, module: str, name: str) -> Any:
        kind = _kind_of(module, name)
        if kind is None:
            raise TalkerError(
                f"{self._path}: refused: this pickle would run '{module}.{name}', which no body model needs; "
                "get the file from its official source"
            )
        return type(name, (_Inert,), {"kind": kind})


def _kind_of(module: str, name: str) -> str | None:
    if module in _NUMPY_MODULES and name in _NUMPY_KINDS:
        return _NUMPY_KINDS[name]
    if module.startswith("scipy.sparse") and name in _SPARSE_KINDS:
        return _SPARSE_KINDS[name]
    if module == "chumpy" or module.startswith("chumpy."):
        return _CHUMPY
    return _PLAIN_KINDS.get((module, name))


def _arrays_of_pickle(path: Path, data: bytes, names: tuple[str, ...]) -> dict[str, np.ndarray]:
    try:
        content = _InertUnpickler(path, data).load()
    except TalkerError:
        raise
    except _PICKLE_ERRORS as error:
        raise TalkerError(
            f"{path}: neither a pickle nor an .npz, or cut short ({_first_line(error)}); download it again"
        ) from error
    if not isinstance(content, dict):
        raise TalkerError(f"{path}: holds no table of arrays but a single object; is this a model file?")
    arrays = {}
    for name in names:
        if name in content:
            try:
                arrays[name] = _array_of(content[name])
            except (*_PICKLE_ERRORS, RecursionError) as error:
                raise TalkerError(f"{path}: the array '{name}' is damaged ({_first_line(error)})") from error
    return arrays


def _array_of(value: Any) -> np.ndarray:
    """Rebuild the array that an inert record describes."""
    kind = value.settled_kind if isinstance(value, _Inert) else _OTHER
    if kind == _CHUMPY:
        return _array_of(value.state["x"])
    if kind in ("csc", "csr"):
        return _dense(value.state, by_column=kind == "csc")
    if kind == _ARRAY:
        _, shape, dtype, fortran, content = value.state
        return _from_bytes(content, dtype, shape, "F" if fortran else "C")
    if kind == "buffer":
        content, dtype, shape, order = value.arguments
        return _from_bytes(content, dtype, shape, order)
    raise TypeError("it is not an array of numbers")


def _from_bytes(content: Any, dtype: Any, shape: Any, order: Any) -> np.ndarray:
    if order not in ("C", "F"):
        raise ValueError(f"unknown memory order {order!r}")
    if isinstance(content, _Inert) and content.kind == "encoded":
        content = content.arguments[0] if content.arguments else b""
    if isinstance(content, str):
        content = content.encode("latin1")
    # A mismatch between the claimed shape and the bytes present is refused by reshape.
    flat = np.frombuffer(content, _dtype_of(dtype))
    return flat.reshape(tuple(int(length) for length in shape), order=order)


def _dtype_of(record: Any) -> np.dtype:
    code = record.arguments[0]
    if not (isinstance(code, str) and code[:1] in "fiub" and code[1:] in ("1", "2", "4", "8")):
        raise TypeError(f"its elements are not numbers but {str(code)[:20]!r}")
    order = record.state[1] if record.state else "<"
    return np.dtype(("<" if order not in ("<", ">") else order) + code)


def _dense(state: dict[str, Any], by_column: bool) -> np.ndarray:
    """The dense array of a pickled scipy matrix, compressed by columns (csc) or rows (csr)."""
    data, indices, pointers = (_array_of(state[name]).ravel() for name in ("data", "indices", "indptr"))
    rows, columns = (int(length) for length in state["_shape" if "_shape" in state else "shape"])
    major_count, minor_count = (columns, rows) if by_column else (rows, columns)
    if rows < 0 or columns < 0 or rows * columns > _MAX_DENSE_ENTRIES:
        raise ValueError(f"it claims {rows} x {columns} entries")
    lengths = np.diff(pointers)
    if len(pointers) != major_count + 1 or (lengths < 0).any() or not len(data) == len(indices) == lengths.sum():
        raise ValueError("its row and column tables do not fit together")
    if len(indices) and not 0 <= indices.min() <= indices.max() < minor_count:
        raise ValueError("an index lies outside the matrix")
    dense = np.zeros((major_count, minor_count))
    np.add.at(dense, (np.repeat(np.arange(major_count), lengths), indices), data)
    return dense.T if by_column else dense


def _plain_numbers(path: Path, name: str, values: np.ndarray) -> np.ndarray:
    if values.dtype.kind == "f":
        if not np.isfinite(values).all():
            raise TalkerError(f"{path}: the array '{name}' holds values that are not finite numbers; download it again")
        return values.astype(np.float64)
    if values.dtype.kind in "iu":
        return values.astype(np.int64)
    raise TalkerError(f"{path}: the array '{name}' holds {values.dtype} where numbers are expected")


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:100]
