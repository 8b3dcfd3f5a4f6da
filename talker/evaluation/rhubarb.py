"""Rhubarb Lip Sync, a program that many use, as a system to compare with: its mouth cues as face curves."""

import hashlib
import json
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from talker.audio import NETWORK_RATE, Audio, write_wav
from talker.errors import TalkerError
from talker.files import atomic_output, read_text
from talker.models.speech_encoder import FEATURE_FPS, frame_count
from talker.rigs import visemes

Recogniser = Literal["pocketSphinx", "phonetic"]

SHAPES: dict[str, dict[str, float]] = {
    "A": {"PP": 1.0},  # Closed lips: p b m.
    "B": {"DD": 0.5, "I": 0.5},  # Slightly open with clenched teeth: most consonants, and the vowel of "see".
    "C": {"E": 1.0},  # Open: the vowel of "men".
    "D": {"aa": 1.0},  # Wide open: the vowel of "father".
    "E": {"O": 0.6, "RR": 0.4},  # Slightly rounded: the vowels of "off" and "bird".
    "F": {"U": 1.0},  # Puckered lips: "you", "show", "way".
    "G": {"FF": 1.0},  # Upper teeth on the lower lip: f v.
    "H": {"nn": 0.7, "aa": 0.3},  # A long l: the tongue raised behind open lips.
    "X": {},  # Idle: closed and relaxed.
}
"""What each of Rhubarb's mouth shapes looks like, by its own description, in visemes of `talker.rigs.visemes`."""

_CUE_RATE = 100  # Rhubarb's own resolution.
# Cues are steps from picture to picture; a raised-cosine window this long makes them motion. On strangers a longer one
# costs it closures of the lips, a shorter one correlation.
_BLEND_SECONDS = 0.14
_TIMEOUT_PER_SECOND, _LEAST_TIMEOUT = 60.0, 120.0

Cue = tuple[float, float, str]
"""Start and end in seconds, and the shape."""


@dataclass(frozen=True)
class Rhubarb:
    """The program, and a folder in which its answers are kept."""

    program: Path
    cache: Path

    def curves(self, samples: np.ndarray, recogniser: Recogniser) -> np.ndarray:
        """(N,) at 16 kHz -> (ceil(N / 320), 61) at 50 Hz; "phonetic" is for languages other than English."""
        return curves_of_cues(self.cues(samples, recogniser), frame_count(len(samples)))

    def cues(self, samples: np.ndarray, recogniser: Recogniser) -> list[Cue]:
        """What it says of a recording; said once, it is remembered."""
        sound = hashlib.sha256(np.rint(samples * 32767).astype(np.int16).tobytes()).hexdigest()[:24]
        path = self.cache / f"{sound}-{recogniser}.json"
        if not path.is_file():
            answer = self._ask(samples, recogniser)
            with atomic_output(path) as temporary:
                temporary.write_text(answer, encoding="utf-8")
        return _read_cues(json.loads(read_text(path)), path)

    def _ask(self, samples: np.ndarray, recogniser: Recogniser) -> str:
        with tempfile.TemporaryDirectory() as folder:
            sound = Path(folder) / "sound.wav"
            write_wav(Audio(samples, NETWORK_RATE), sound)
            command = [str(self.program), "-q", "-r", recogniser, "-f", "json", "--threads", "1", str(sound)]
            try:
                limit = max(_LEAST_TIMEOUT, _TIMEOUT_PER_SECOND * len(samples) / NETWORK_RATE)
                done = subprocess.run(command, capture_output=True, text=True, timeout=limit)
            except (OSError, subprocess.TimeoutExpired) as error:
                raise TalkerError(f"--rhubarb {self.program}: it does not run here ({error})") from error
        if done.returncode:
            last = (done.stderr.strip().splitlines() or ["no message"])[-1]
            raise TalkerError(f"--rhubarb {self.program}: it failed ({last[:200]})")
        return done.stdout


def curves_of_cues(cues: Sequence[Cue], count: int) -> np.ndarray:
    """(count, 61) at 50 Hz: each cue's shape, blended where they meet."""
    step = _CUE_RATE // FEATURE_FPS
    weights = np.zeros((count * step, len(visemes.VISEMES)))
    for start, end, shape in cues:
        for viseme, weight in SHAPES[shape].items():
            weights[round(start * _CUE_RATE) : round(end * _CUE_RATE), visemes.VISEMES.index(viseme)] = weight
    window = np.hanning(round(_BLEND_SECONDS * _CUE_RATE) + 1)
    blended = np.apply_along_axis(np.convolve, 0, weights, window / window.sum(), "same")[: len(weights)]
    return visemes.to_curves(blended[::step].astype(np.float32))


def _read_cues(answer: dict[str, Any], path: Path) -> list[Cue]:
    try:
        cues = [(float(cue["start"]), float(cue["end"]), str(cue["value"])) for cue in answer["mouthCues"]]
    except (KeyError, TypeError, ValueError) as error:
        raise TalkerError(f"{path}: these are not mouth cues as Rhubarb writes them; delete the file") from error
    unknown = sorted({shape for _, _, shape in cues} - SHAPES.keys())
    if unknown:
        raise TalkerError(f"{path}: '{unknown[0]}' is none of Rhubarb's shapes {', '.join(SHAPES)}")
    return cues
