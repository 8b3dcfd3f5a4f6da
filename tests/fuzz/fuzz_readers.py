"""Feed damaged files to one reader, in a process of its own, and report as JSON.

    python tests/fuzz/fuzz_readers.py FORMAT SAMPLE [--count 10000] [--first 0] [--rig-model FILE] [--keep FOLDER]

SAMPLE is a valid file. Whatever a mutation of it does, the reader must return a valid `FaceAnimation` or raise
`TalkerError` with one line, within a few seconds and 500 MB. Input N is the same on every machine.
"""

import argparse
import json
import resource
import signal
import sys
import tempfile
import time
import traceback
import warnings
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
from mutations import mutate

from talker.animation import FaceAnimation
from talker.errors import TalkerError
from talker.export.registry import ExportOptions, format_for, read_animation

MEMORY_LIMIT_MB = 500
SECONDS_PER_INPUT = 10
_MOST_FAILURES = 20


class TooSlow(BaseException):
    """Not an Exception, so that no reader can swallow it."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("format")
    parser.add_argument("sample", type=Path)
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--rig-model", type=Path)
    parser.add_argument("--keep", type=Path, help="folder for the inputs that failed")
    arguments = parser.parse_args()
    print(json.dumps(fuzz(arguments)))


def fuzz(arguments: argparse.Namespace) -> dict[str, Any]:
    chosen = format_for(arguments.sample, arguments.format)
    options = ExportOptions(rig_model=arguments.rig_model)
    sample = arguments.sample.read_bytes()
    check(chosen.read(arguments.sample, options))  # Imports what the reader needs before memory is measured.
    signal.signal(signal.SIGALRM, _too_slow)
    warnings.simplefilter("error")  # A warning on the screen is not the one clear line that was promised.
    warnings.simplefilter("ignore", ResourceWarning)  # Helper processes live until the end.
    reset_peak()
    baseline = peak_mb()
    report: dict[str, Any] = {"accepted": 0, "refused": 0, "peak_mb": 0.0, "slowest": 0.0, "failures": []}
    with tempfile.TemporaryDirectory() as folder:
        for index in range(arguments.first, arguments.first + arguments.count):
            path = Path(folder) / f"input{arguments.sample.suffix}"
            path.write_bytes(mutate(sample, f"{chosen.name} {index}"))
            reset_peak()
            started = time.perf_counter()
            outcome, failure = attempt(path, chosen.name if index % 4 else None, options)
            report[outcome] = report.get(outcome, 0) + 1
            report["slowest"] = max(report["slowest"], time.perf_counter() - started)
            used = peak_mb() - baseline
            report["peak_mb"] = max(report["peak_mb"], used)
            if used > MEMORY_LIMIT_MB:
                failure = failure or f"{used:.0f} MB"
            if failure:
                report["failures"].append({"input": index, "failure": failure})
                if arguments.keep:
                    arguments.keep.mkdir(parents=True, exist_ok=True)
                    path.rename(arguments.keep / f"{chosen.name}-{index}{path.suffix}")
                if len(report["failures"]) >= _MOST_FAILURES:
                    break
    return report


def attempt(path: Path, name: str | None, options: ExportOptions) -> tuple[str, str | None]:
    """Read one input; every fourth by its content rather than by its format's name."""
    signal.alarm(SECONDS_PER_INPUT)
    try:
        check(read_animation(path, name, options))
        return "accepted", None
    except TalkerError as error:
        text = str(error)
        if "\n" in text or str(path) not in text:
            return "refused", f"an error of several lines, or without the file's name: {text[:200]!r}"
        return "refused", None
    except TooSlow:
        return "slow", f"longer than {SECONDS_PER_INPUT} s"
    except BaseException:  # The whole point is to find the exceptions nobody expected.
        return "crashed", "".join(traceback.format_exc().splitlines(keepends=True)[-6:])
    finally:
        signal.alarm(0)


def check(animation: FaceAnimation) -> None:
    assert isinstance(animation, FaceAnimation)
    assert np.isfinite(animation.curves).all()
    json.dumps(dict(animation.meta))


def _too_slow(*_: Any) -> None:
    raise TooSlow


def peak_mb() -> float:
    """Peak resident memory since `reset_peak`."""
    try:
        with open("/proc/self/status") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) / 1024
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def reset_peak() -> None:
    try:
        with open("/proc/self/clear_refs", "w") as file:
            file.write("5")
    except OSError:  # Not Linux: peaks then accumulate over inputs, which only makes the test stricter.
        pass


if __name__ == "__main__":
    main()
