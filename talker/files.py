"""Files from strangers and for strangers: checked when read, whole or absent when written."""

import contextlib
import os
import shutil
import tempfile
import tokenize
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from talker.errors import TalkerError

MAX_ARRAY_BYTES = 400_000_000
_BYTES_PER_FILE_BYTE = 8  # A large file may hold more: hours of real sound do not compress.

# What zipfile and numpy raise on damaged archives, as found by fuzzing them.
ARCHIVE_ERRORS = (
    *(zipfile.BadZipFile, zlib.error, OSError, EOFError, NotImplementedError, RuntimeError, MemoryError),
    *(ValueError, TypeError, KeyError, SyntaxError, OverflowError, tokenize.TokenError),
)


@contextmanager
def atomic_output(path: Path) -> Iterator[Path]:
    """Yield a temporary path near `path`; it becomes `path` on success and vanishes on any failure.

    It has the same file name, in a folder of its own, because some formats hold their own name or go by its extension.
    """
    path = path.resolve() if path.is_symlink() else path  # A link stays a link, to the new file.
    if path.is_dir():
        raise TalkerError(f"cannot write {path}: it is a folder; give a file name")
    if path.exists() and not path.is_file():
        raise TalkerError(f"cannot write {path}: it is a device or a pipe; give a file name")
    made = [parent for parent in path.parents if not parent.exists()]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=".talker-", dir=path.parent))
    except OSError as error:
        raise TalkerError(f"cannot write {path}: {_reason(error)}; choose a folder you may write to") from error
    temporary = folder / path.name
    try:
        yield temporary
        os.replace(temporary, path)
    except OSError as error:
        if error.filename is not None and Path(error.filename) != temporary:
            raise
        raise TalkerError(f"cannot write {path}: {_reason(error)}") from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        if not path.exists():
            _remove_empty(made)


def read_bytes(path: Path, limit: int = 1 << 30, count: int = -1) -> bytes:
    """The whole file, or its first `count` bytes, or a one-line error that names it."""
    try:
        size = path.stat().st_size
        if path.is_dir():
            raise TalkerError(f"cannot read {path}: it is a folder, not a file")
        if size > limit:
            raise TalkerError(f"cannot read {path}: {size / 1e6:.0f} MB is more than the {limit / 1e6:.0f} MB allowed")
        with path.open("rb") as file:
            data = file.read(count)
    except OSError as error:
        raise TalkerError(f"cannot read {path}: {_reason(error)}") from error
    if not data:
        raise TalkerError(f"cannot read {path}: the file is empty")
    return data


def read_text(path: Path) -> str:
    """The whole file as UTF-8 text (a byte-order mark is dropped), or a one-line error that names it."""
    try:
        return read_bytes(path).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise TalkerError(
            f"{path}: byte {error.start} is not UTF-8 text; is this really a {path.suffix} file?"
        ) from error


def read_arrays(path: Path, required: tuple[str, ...], only: tuple[str, ...] | None = None) -> dict[str, np.ndarray]:
    """The arrays of an `.npz` (those named in `only`), after checking from their headers that they are harmless."""
    read_bytes(path, count=1)  # Names the file and the reason when it cannot be read at all.
    try:
        with zipfile.ZipFile(path) as archive:
            names = [name.removesuffix(".npy") for name in archive.namelist() if name.endswith(".npy")]
            missing = [name for name in required if name not in names]
            if missing:
                raise TalkerError(f"{path}: the array '{missing[0]}' is missing; it holds {', '.join(names) or 'none'}")
            if only is not None:
                names = [name for name in names if name in only]
            _refuse_large_or_pickled(path, archive, names)
        with np.load(path, allow_pickle=False) as arrays:
            return {name: arrays[name] for name in names}
    except TalkerError:
        raise
    except ARCHIVE_ERRORS as error:
        raise TalkerError(f"{path}: not a readable .npz file ({_short(error)}); export it again") from error


def _refuse_large_or_pickled(path: Path, archive: zipfile.ZipFile, names: list[str]) -> None:
    total = 0
    limit = MAX_ARRAY_BYTES + _BYTES_PER_FILE_BYTE * path.stat().st_size
    for name in names:
        with archive.open(f"{name}.npy") as member:
            version = np.lib.format.read_magic(member)
            read_header = (
                np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
            )
            shape, _, dtype = read_header(member)
        if dtype.hasobject:
            raise TalkerError(f"{path}: the array '{name}' holds pickled objects, which talker never loads")
        count = 1
        for length in shape:  # Python integers: a claimed 10**9 frames must not overflow into a small number.
            count *= int(length)
        total += count * dtype.itemsize
        if total > limit:
            raise TalkerError(
                f"{path}: the array '{name}' claims shape {shape}, over {limit // 10**6} MB in so small a file"
            )


def _short(error: Exception) -> str:
    text = (str(error).splitlines() or [type(error).__name__])[0]
    return text[:120]


def _remove_empty(folders: list[Path]) -> None:
    """Take back the folders that were made for an output that failed, innermost first."""
    with contextlib.suppress(OSError):  # Somebody else may use one by now.
        for folder in folders:
            folder.rmdir()


def _reason(error: OSError) -> str:
    return (error.strerror or str(error)).lower()
