"""How good a prepared clip is, in numbers, and whether it is good enough to learn from."""

from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from talker.animation import FaceAnimation
from talker.audio import Audio
from talker.datasets.sync import Delay
from talker.rigs import arkit
from talker.rigs.head_mesh import HeadMesh
from talker.rigs.landmark_numbers import BROWS, MOUTH
from talker.tracking.face_model import FaceModel
from talker.tracking.person import lip_gap
from talker.tracking.rest import silent_frames

_FEWEST_SILENT = 5

# Limits beyond which a clip teaches the wrong thing.
SMALLEST_FACE_SHARE = 0.8
LARGEST_CROWD_SHARE = 0.2
LARGEST_JITTER = 0.012
LARGEST_REST = 0.1
STILLEST_MOUTH = 0.003
LARGEST_DELAY = 0.3
SHORTEST_SECONDS = 0.4
_TELLING_SECONDS = 8.0  # So much speech proves whether the mouth speaks it.
_LEAST_EVIDENCE = 2.0


@dataclass(frozen=True)
class Quality:
    """Scores of one clip; lengths in outer eye distances, None where the clip does not tell.

    Attributes:
        seconds: Length of the clip.
        face_share: Share of frames with a face, or a short gap between two of them.
        covered_share: Share of frames in which something is in front of the mouth.
        crowd_share: Share of frames with more than one face.
        confidence: Mean of the tracker's confidence in [0, 1].
        silent_share: Share of frames in which nothing is heard.
        jitter: Noise of the mouth's landmarks in silence.
        rest: How far brows and mouth are from the resting face in silence; of clips that ought to be neutral.
        opening: Standard deviation of the lip gap.
        sync: Correlation of the lip gap with what the sound predicts.
        sync_evidence: How much likelier that match is than none (natural logarithm).
        delay_ms: By how much the picture was late before it was corrected.
        delay_uncertainty_ms: Its standard deviation.
        corrected: The sound was moved by that delay.
    """

    seconds: float
    face_share: float | None = None
    covered_share: float | None = None
    crowd_share: float | None = None
    confidence: float | None = None
    silent_share: float | None = None
    jitter: float | None = None
    rest: float | None = None
    opening: float | None = None
    sync: float | None = None
    sync_evidence: float | None = None
    delay_ms: float | None = None
    delay_uncertainty_ms: float | None = None
    corrected: bool = False

    def row(self) -> dict[str, Any]:
        """The scores by name, rounded to what they mean."""
        return {name: round(value, 4) if isinstance(value, float) else value for name, value in asdict(self).items()}

    def faults(self) -> list[str]:
        """What makes the clip unfit to learn from; empty for a good one."""
        checks = (
            (self.seconds < SHORTEST_SECONDS, f"only {self.seconds:.2f} s long"),
            (_below(self.face_share, SMALLEST_FACE_SHARE), self._unseen()),
            (_above(self.crowd_share, LARGEST_CROWD_SHARE), f"several faces in {_percent(self.crowd_share)}"),
            (_below(self.opening, STILLEST_MOUTH), "the mouth hardly moves"),
            (_above(self.jitter, LARGEST_JITTER), f"the face trembles ({_percent(self.jitter)} of the eye distance)"),
            (_above(self.rest, LARGEST_REST), f"the silent face is not at rest ({_percent(self.rest)})"),
            (
                self.delay_ms is not None and abs(self.delay_ms) > 1000 * LARGEST_DELAY and self.corrected,
                f"sound and picture are {abs(self.delay_ms or 0):.0f} ms apart",
            ),
            (
                _below(self.sync_evidence, _LEAST_EVIDENCE) and self._speech_seconds > _TELLING_SECONDS,
                f"the mouth does not speak this sound (r {self.sync or 0:.2f})",
            ),
        )
        return [fault for wrong, fault in checks if wrong]

    def _unseen(self) -> str:
        covered = f", and a covered mouth in {_percent(self.covered_share)}" if self.covered_share else ""
        return f"a face in only {_percent(self.face_share)} of the frames{covered}"

    @property
    def badness(self) -> float:
        """Higher is worse; 1 is where the first score reaches its limit."""
        scores = (
            (1 - self.face_share) / (1 - SMALLEST_FACE_SHARE) if self.face_share is not None else 0.0,
            (self.crowd_share or 0.0) / LARGEST_CROWD_SHARE,
            (self.jitter or 0.0) / LARGEST_JITTER,
            (self.rest or 0.0) / LARGEST_REST,
            abs(self.delay_ms or 0.0) / (1000 * LARGEST_DELAY),
            0.9 * (1 - self.sync) if self.sync is not None else 0.0,
            0.8 * (1 - self.confidence) if self.confidence is not None else 0.0,
        )
        return max(scores)

    @property
    def _speech_seconds(self) -> float:
        return self.seconds * (1 - (self.silent_share or 0.0))


@dataclass(frozen=True, eq=False)
class Seen:
    """What the tracker saw: per frame (T,) valid, confidence, how many faces, and whether the mouth was covered."""

    valid: np.ndarray
    confidence: np.ndarray
    face_count: np.ndarray
    covered: np.ndarray


def measure(
    take: FaceAnimation, audio: Audio, seen: Seen | None, delay: Delay, corrected: bool, neutral: bool
) -> Quality:
    """Score a clip whose sound is in place; `neutral` says that its silences ought to show the resting face."""
    silent = silent_frames(audio, take.fps, take.frame_count)
    faces = posed_landmarks(take)
    model = probe()
    used = silent if seen is None else silent & seen.valid
    still = used[:-2] & used[1:-1] & used[2:]
    return Quality(
        seconds=take.duration,
        face_share=None if seen is None else float(seen.valid.mean()),
        covered_share=None if seen is None else float(seen.covered.mean()),
        crowd_share=None if seen is None else float((seen.face_count > 1).mean()),
        confidence=None if seen is None else float(seen.confidence.mean()),
        silent_share=float(silent.mean()),
        jitter=_jitter(faces[:, model.at(*MOUTH)], still) if still.sum() >= _FEWEST_SILENT else None,
        rest=_unrest(faces, used) if neutral and used.sum() >= _FEWEST_SILENT else None,
        opening=float(lip_gap(faces, model).std()),
        sync=delay.correlation,
        sync_evidence=delay.evidence,
        delay_ms=1000 * delay.seconds,
        delay_uncertainty_ms=1000 * delay.uncertainty,
        corrected=corrected,
    )


def opening_of(take: FaceAnimation) -> np.ndarray:
    """(T,) lip gap of the default head, in eye distances."""
    return lip_gap(posed_landmarks(take), probe())


@lru_cache(maxsize=1)
def probe() -> FaceModel:
    """The few landmarks of the default head that are looked at, and what the shapes do to them."""
    return FaceModel.of(HeadMesh.load(), np.array(sorted({*MOUTH, *BROWS["Left"], *BROWS["Right"]})))


def posed_landmarks(take: FaceAnimation) -> np.ndarray:
    """(T, N, 3) landmarks of the default head that looks straight ahead, in eye distances."""
    model = probe()
    return model.neutral + np.tensordot(take.shapes.astype(np.float64), model.basis, 1)


def _jitter(points: np.ndarray, still: np.ndarray) -> float:
    """White noise this large per axis has such second differences. points (T, N, 3), still (T - 2,)."""
    steps = np.diff(points, n=2, axis=0) / np.sqrt(6)
    return float(np.median(np.sqrt((steps[still] ** 2).sum(-1).mean(1))))


def _unrest(faces: np.ndarray, silent: np.ndarray) -> float:
    model = probe()
    at = model.at(*MOUTH, *BROWS["Left"], *BROWS["Right"])
    moved = np.median(faces[silent][:, at], axis=0) - model.neutral[at]
    return float(np.sqrt((moved**2).sum(-1).mean()))


def telling_frames(take: FaceAnimation, audio: Audio) -> list[int]:
    """Two frames to show: the face at its quietest in silence (or least open), and with the lips widest apart."""
    gap = opening_of(take)
    silent = silent_frames(audio, take.fps, take.frame_count)
    moved = np.abs(take.shapes).sum(1) + np.where(silent, 0.0, arkit.SHAPE_COUNT)
    return [
        int(np.argmin(np.abs(moved - np.median(moved[silent])))) if silent.any() else int(np.argmin(gap)),
        int(np.argmax(gap)),
    ]


def _below(value: float | None, limit: float) -> bool:
    return value is not None and value < limit


def _above(value: float | None, limit: float) -> bool:
    return value is not None and value > limit


def _percent(value: float | None) -> str:
    return f"{value or 0:.1%}"
