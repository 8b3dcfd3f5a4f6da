"""Tracked talking video: `tracks.npz` (face landmarks and scores of many clips) beside a folder `audio/`.

Arrays: `ids`, `fps`, `frame_size` (width, height) and `start` per clip (clip i owns frames start[i]..start[i + 1]);
`landmark_steps` int16, the frame-to-frame differences of landmark coordinates in 1/16384 of the frame width (x, z) or
height (y); `landmark_index`, which of MediaPipe's 478 points; `blendshapes` uint16 in 1/4080 with `blendshape_names`;
`found`, whether there was a face. Differences instead of positions compress to a third.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from talker.audio import NETWORK_RATE, read_audio
from talker.errors import TalkerError
from talker.files import read_arrays

_LANDMARKS_PER_FRAME_SIZE = 16384
_SCORES_PER_ONE = 4080
_AUDIO_EXTENSIONS = (".opus", ".flac", ".wav")
_ARRAYS = (
    *("ids", "fps", "frame_size", "start", "landmark_steps", "landmark_index"),
    *("blendshapes", "blendshape_names", "found"),
)


@dataclass(frozen=True)
class TrackedClip:
    """One talking clip.

    Attributes:
        id: Its name within the set.
        fps: Video frames per second; the sound starts with frame 0.
        points: (T, 478, 2) float32 pixels, x right and y down; points that were not kept are not-a-number. A frame
            without a face repeats the nearest one that has one.
        scores: MediaPipe's blend-shape scores by ARKit name, each (T,) float32 in [0, 1].
        found: (T,) bool, whether a face was found in the frame.
        audio_path: The sound file.
    """

    id: str
    fps: float
    points: np.ndarray
    scores: dict[str, np.ndarray]
    found: np.ndarray
    audio_path: Path

    def samples(self) -> np.ndarray:
        """The sound, float32 at 16 kHz."""
        return read_audio(self.audio_path).resample(NETWORK_RATE).samples


def read_tracks(folder: Path) -> Iterator[TrackedClip]:
    """The clips of a set that show a face, in the order of the file; a clip without a sound file is an error."""
    path = folder / "tracks.npz"
    arrays = read_arrays(path, required=_ARRAYS)
    names = [str(name) for name in arrays["blendshape_names"]]
    for i, clip_id in enumerate(map(str, arrays["ids"])):
        part = slice(arrays["start"][i], arrays["start"][i + 1])
        found = arrays["found"][part].astype(bool)
        if not found.any():
            continue
        steps = arrays["landmark_steps"][part, :, :2].astype(np.int32)
        size = arrays["frame_size"][i].astype(np.float32)
        points = np.full((len(steps), 478, 2), np.nan, np.float32)
        points[:, arrays["landmark_index"]] = np.cumsum(steps, axis=0) * (size / _LANDMARKS_PER_FRAME_SIZE)
        scores = (arrays["blendshapes"][part] / np.float32(_SCORES_PER_ONE)).T
        nearest = _nearest(found)
        yield TrackedClip(
            clip_id,
            float(arrays["fps"][i]),
            points[nearest],
            dict(zip(names, scores[:, nearest], strict=True)),
            found,
            _audio_file(folder / "audio", clip_id),
        )


def _audio_file(folder: Path, clip_id: str) -> Path:
    for extension in _AUDIO_EXTENSIONS:
        path = folder / f"{clip_id}{extension}"
        if path.is_file():
            return path
    raise TalkerError(f"{folder}: no sound for the clip '{clip_id}' (looked for {', '.join(_AUDIO_EXTENSIONS)})")


def _nearest(found: np.ndarray) -> np.ndarray:
    """(T,) for each frame the nearest one with a face."""
    with_face = np.flatnonzero(found)
    return with_face[np.abs(np.arange(len(found))[:, None] - with_face).argmin(axis=1)]
