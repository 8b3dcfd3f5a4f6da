"""`LandmarkTrack`: MediaPipe's face landmarks over time, whoever measured them."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from talker.audio import Audio, read_audio
from talker.errors import TalkerError
from talker.files import read_arrays

LANDMARK_COUNT = 478

_STEPS_PER_FRAME_SIZE = 16384
_SCORES_PER_ONE = 4080
_SOUND_EXTENSIONS = (".opus", ".flac", ".wav")
_SET_ARRAYS = (
    *("ids", "fps", "frame_size", "start", "landmark_steps", "landmark_index"),
    *("blendshapes", "blendshape_names", "found"),
)


@dataclass(frozen=True, eq=False)
class LandmarkTrack:
    """One face over T frames.

    Attributes:
        name: The clip's name.
        fps: Nominal frames per second.
        frame_size: Width and height of the picture in pixels.
        landmarks: (T, N, 3) float32 pixels: x right, y down, z away from the viewer (the landmarker's guess).
            Frames without a face hold anything finite.
        index: (N,) which of MediaPipe's 478 points they are.
        found: (T,) bool, a face was found, and its mouth could be seen.
        timestamps: (T,) float64 seconds; the sound starts at 0.
        face_count: (T,) how many faces were seen.
        cuts: (T,) bool, the picture changed to another shot at this frame.
        scores: MediaPipe's own blend-shape scores by ARKit name, each (T,) in [0, 1]; empty when unknown.
        audio: The sound.
    """

    name: str
    fps: float
    frame_size: tuple[int, int]
    landmarks: np.ndarray
    index: np.ndarray
    found: np.ndarray
    timestamps: np.ndarray
    face_count: np.ndarray
    cuts: np.ndarray
    scores: dict[str, np.ndarray] = field(default_factory=dict)
    audio: Audio | None = None

    @property
    def frame_count(self) -> int:
        """T."""
        return len(self.found)

    @property
    def covered(self) -> np.ndarray:
        """(T,) bool: there was a face, but something was in front of its mouth."""
        return (self.face_count > 0) & ~self.found

    def points(self, wanted: np.ndarray | None = None) -> np.ndarray:
        """(T, K, 3) pixels of the wanted landmarks, all 478 by default: x right, y up, z towards the viewer.

        These are the head's own axes. NaN where nothing was measured.
        """
        wanted = np.arange(LANDMARK_COUNT) if wanted is None else wanted
        place = np.full(LANDMARK_COUNT, -1)
        place[self.index] = np.arange(len(self.index))
        out = self.landmarks[:, place[wanted]] * np.array([1, -1, -1], np.float32)
        out[:, place[wanted] < 0] = np.nan
        out[~self.found] = np.nan
        return out

    def uniform(self) -> "LandmarkTrack":
        """The same track with frame i at exactly i / fps seconds, whatever the camera's clock did.

        Positions in between are mixed linearly; a new frame has a face when both its neighbours have one.
        """
        grid = np.arange(max(1, round((self.timestamps[-1] - self.timestamps[0]) * self.fps) + 1)) / self.fps
        start = self.timestamps[0]
        if len(grid) == self.frame_count and np.abs(self.timestamps - start - grid).max() < 0.1 / self.fps:
            return replace(self, timestamps=grid + start)
        high = np.clip(np.searchsorted(self.timestamps, grid + start), 1, self.frame_count - 1)
        low = high - 1
        share = (grid + start - self.timestamps[low]) / np.maximum(self.timestamps[high] - self.timestamps[low], 1e-9)
        share = np.clip(share, 0, 1)
        nearest = np.where(share < 0.5, low, high)
        share = np.where(self.cuts[high], nearest - low, share)
        mixed = self.landmarks[low] * (1 - share)[:, None, None] + self.landmarks[high] * share[:, None, None]
        found = np.where(share < 1e-3, self.found[low], np.where(share > 1 - 1e-3, self.found[high], False))
        cut_times = self.timestamps[self.cuts] - start
        cuts = np.zeros(len(grid), bool)
        cuts[np.minimum(np.ceil(cut_times * self.fps - 1e-6).astype(int), len(grid) - 1)] = True
        return replace(
            self,
            landmarks=mixed.astype(np.float32),
            found=found.astype(bool) | (self.found[low] & self.found[high]),
            timestamps=grid + start,
            face_count=self.face_count[nearest],
            cuts=cuts,
            scores={name: values[nearest] for name, values in self.scores.items()},
        )


class TrackSet:
    """The clips of a folder with `tracks.npz` and `audio/`, by number.

    Arrays: `ids`, `fps`, `frame_size` (width, height) and `start` per clip (clip i owns frames start[i]..start[i + 1]);
    `landmark_steps` int16, the frame-to-frame differences of landmark coordinates in 1/16384 of the frame width (x, z)
    or height (y); `landmark_index`, which of MediaPipe's 478 points; `blendshapes` uint16 in 1/4080 with
    `blendshape_names`; `found`, whether there was a face. Differences instead of positions compress to a third.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._arrays = read_arrays(folder / "tracks.npz", required=_SET_ARRAYS, only=_SET_ARRAYS)
        self._score_names = [str(name) for name in self._arrays["blendshape_names"]]
        self.names = [str(name) for name in self._arrays["ids"]]

    def track(self, number: int, sound: bool = True) -> LandmarkTrack:
        """One clip."""
        arrays, fps = self._arrays, float(self._arrays["fps"][number])
        part = slice(arrays["start"][number], arrays["start"][number + 1])
        width, height = (int(size) for size in arrays["frame_size"][number])
        steps = np.cumsum(arrays["landmark_steps"][part].astype(np.int32), axis=0)
        scale = np.array([width, height, width], np.float32) / _STEPS_PER_FRAME_SIZE
        found = arrays["found"][part].astype(bool)
        scores = (arrays["blendshapes"][part] / np.float32(_SCORES_PER_ONE)).T
        return LandmarkTrack(
            name=self.names[number],
            fps=fps,
            frame_size=(width, height),
            landmarks=steps * scale,
            index=arrays["landmark_index"].astype(np.int64),
            found=found,
            timestamps=np.arange(len(found)) / fps,
            face_count=found.astype(np.int64),
            cuts=np.zeros(len(found), bool),
            scores=dict(zip(self._score_names, scores, strict=True)),
            audio=read_audio(self.sound_path(number)) if sound else None,
        )

    def sound_path(self, number: int) -> Path:
        """The sound file of one clip."""
        folder, name = self.folder / "audio", self.names[number]
        for extension in _SOUND_EXTENSIONS:
            path = folder / f"{name}{extension}"
            if path.is_file():
                return path
        raise TalkerError(f"{folder}: no sound for the clip '{name}' (looked for {', '.join(_SOUND_EXTENSIONS)})")


def read_track_set(folder: Path, sound: bool = True) -> Iterator[LandmarkTrack]:
    """The clips of such a folder, one after the other."""
    tracks = TrackSet(folder)
    for number in range(len(tracks.names)):
        yield tracks.track(number, sound)
