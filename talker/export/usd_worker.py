"""USD files from strangers are read in a process of their own.

A damaged binary USD file makes the USD library ask for gigabytes, run for minutes, or abort the process it runs in:
all of that has been seen in fuzzing. So one worker process per program reads them, with limits on memory and time, and
is started anew when a file has killed it.
"""

import json
import os
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import talker
from talker.animation import FaceAnimation
from talker.errors import TalkerError
from talker.export import npz
from talker.export.registry import ExportOptions
from talker.files import read_bytes

_SECONDS, _BYTES_PER_SECOND = 8.0, 2_000_000
_MEMORY, _MEMORY_PER_BYTE = 400_000_000, 4


class UsdWorker:
    """The process, started when it is first needed."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None
        self._lock = threading.Lock()

    def read(self, path: Path, options: ExportOptions) -> FaceAnimation:
        """The performance in a USD file."""
        read_bytes(path, count=1)  # Names the file and the reason when it cannot be read at all.
        with tempfile.TemporaryDirectory() as folder:
            result = Path(folder) / "take.npz"
            self._ask(path, result)
            return npz.read(result, options)

    def _ask(self, path: Path, result: Path) -> None:
        """Have `path` read into `result`, or raise what is wrong with it."""
        size = path.stat().st_size
        request = {"path": str(path), "result": str(result), "memory": _MEMORY + _MEMORY_PER_BYTE * size}
        with self._lock:
            process = self._running()
            killer = threading.Timer(_SECONDS + size / _BYTES_PER_SECOND, process.kill)
            killer.start()
            try:
                process.stdin.write(json.dumps(request) + "\n")  # type: ignore[union-attr]
                process.stdin.flush()  # type: ignore[union-attr]
                answer = process.stdout.readline()  # type: ignore[union-attr]
            except OSError:
                answer = ""
            finally:
                killer.cancel()
            if not answer:
                self._stop()
                raise TalkerError(f"{path}: damaged beyond what the USD library can read; export it again")
        error = json.loads(answer)["error"]
        if error is not None:
            raise TalkerError(error)

    def _running(self) -> "subprocess.Popen[str]":
        if self._process is None or self._process.poll() is not None:
            search = os.pathsep.join([str(Path(talker.__file__).parents[1]), os.environ.get("PYTHONPATH", "")])
            self._process = subprocess.Popen(
                [sys.executable, "-m", "talker.export.usd_animation"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,  # USD's own warnings.
                env={**os.environ, "PYTHONPATH": search.rstrip(os.pathsep), "PXR_WORK_THREAD_LIMIT": "1"},
                encoding="utf-8",
            )
        return self._process

    def _stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None
