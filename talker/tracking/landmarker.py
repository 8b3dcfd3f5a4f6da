"""MediaPipe's Face Landmarker on videos: the model file, and from a video to a `LandmarkTrack`."""

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from talker.errors import TalkerError
from talker.files import atomic_output, read_bytes
from talker.rigs.fit import cache_dir
from talker.tracking.covering import POINT_COUNT, colours_of, covered_frames
from talker.tracking.landmarks import LANDMARK_COUNT, LandmarkTrack
from talker.tracking.shots import change_between, cut_frames, thumbnail
from talker.tracking.video import nominal_rate, read_pictures, read_sound

LANDMARKER_VARIABLE = "TALKER_LANDMARKER"
LANDMARKER_URL = (
    "https://storage.googleapis.com/mediapipe-models/face_landmarker/face_landmarker/float16/1/face_landmarker.task"
)
LANDMARKER_SHA256 = "64184e229b263107bc2b804c6625db1341ff2bb731874b0bcc2fe6544e0bc9ff"

# In its VIDEO mode the landmarker follows the face, which halves the noise of its IMAGE mode, but also smooths: the lip
# gap came 0.38..0.57 frames late on four GRID videos. The smoother goes by the clock it is given. Told that four
# seconds pass between two frames it is 0.07..0.12 frames late and keeps the extremes; smoothing is the solver's work.
_CLOCK_STEP_MS = 4000

_LONGEST_SIDE = 1280  # Pixels; the networks look at 256 x 256 of the face.
_MOST_FACES = 2  # Enough to know that there is more than one.


def find_landmarker(path: Path | None = None, download: bool = False) -> Path:
    """The model file: the given one, $TALKER_LANDMARKER, the one downloaded before, or a download if that is wanted."""
    kept = cache_dir() / "face_landmarker.task"
    named = path or (Path(os.environ[LANDMARKER_VARIABLE]) if os.environ.get(LANDMARKER_VARIABLE) else None)
    if named is not None:
        if not named.is_file():
            raise TalkerError(f"no such file: {named}; give the path of MediaPipe's face_landmarker.task")
        return named
    if not kept.is_file():
        if not download:
            raise TalkerError(
                "tracking needs MediaPipe's face_landmarker.task: give it with --landmarker PATH or "
                f"${LANDMARKER_VARIABLE}, or let --download-landmarker fetch it (3.8 MB, Apache-2.0)"
            )
        _download(kept)
    return kept


def _download(target: Path) -> None:
    from urllib.request import urlopen

    try:
        with urlopen(LANDMARKER_URL, timeout=60) as reply:
            data = reply.read(1 << 26)
    except OSError as error:
        raise TalkerError(f"cannot download {LANDMARKER_URL}: {error}; fetch it and give it by --landmarker") from error
    check_landmarker(data, LANDMARKER_URL)
    with atomic_output(target) as temporary:
        temporary.write_bytes(data)


def check_landmarker(data: bytes, origin: str) -> None:
    """Refuse anything but the one file that was tested."""
    digest = hashlib.sha256(data).hexdigest()
    if digest != LANDMARKER_SHA256:
        raise TalkerError(f"{origin}: sha256 {digest[:16]}… is not the expected {LANDMARKER_SHA256[:16]}…")


def track_video(
    path: Path,
    landmarker: Path,
    landmarks: Sequence[int] = range(LANDMARK_COUNT),
    on_progress: Callable[[float], None] | None = None,
) -> LandmarkTrack:
    """Find the given landmarks of the face in every frame.

    Of several faces the one that was there before is followed, first the largest. A face whose mouth is covered counts
    as not found. Memory holds one picture at a time, and 12 bytes per landmark and frame.

    Args:
        path: The video.
        landmarker: MediaPipe's model.
        landmarks: Which of the 478 to keep.
        on_progress: Hears after every frame how many seconds of the video are done.
    """
    index, frames, size = np.array(landmarks), list[_Frame](), (0, 0)
    names: list[str] = []
    last: np.ndarray | None = None
    before: np.ndarray | None = None
    with open_landmarker(landmarker) as detect:
        for picture in read_pictures(path, _LONGEST_SIDE):
            size, small = picture.size, thumbnail(picture.pixels)
            change = 0.0 if before is None else change_between(small, before)
            before = small
            result = detect(picture.pixels, len(frames))
            scale = np.array([size[0], size[1], size[0]])
            faces = [np.array([(p.x, p.y, p.z) for p in face]) * scale for face in result.face_landmarks]
            chosen = _choose(faces, last)
            if chosen is None:
                frames.append(_Frame(picture.seconds, change))
            else:
                last = faces[chosen]
                scores = result.face_blendshapes[chosen]
                names = [score.category_name for score in scores]
                colours = colours_of(picture.pixels, last[:, :2] * (picture.pixels.shape[1] / size[0]))
                points = last[index].astype(np.float32)
                weights = np.array([score.score for score in scores], np.float32)
                frames.append(_Frame(picture.seconds, change, len(faces), points, weights, colours))
            if on_progress is not None:
                on_progress(picture.seconds)
    return _track(path, frames, index, size, names)


@dataclass(frozen=True, eq=False)
class _Frame:
    """What is kept of a picture; points (N, 3) pixels, scores (52,) and colours of the face if there is one."""

    seconds: float
    change: float
    face_count: int = 0
    points: np.ndarray | None = None
    scores: np.ndarray | None = None
    colours: np.ndarray | None = None


def _track(
    path: Path, frames: list[_Frame], index: np.ndarray, size: tuple[int, int], names: list[str]
) -> LandmarkTrack:
    times = _increasing(np.array([frame.seconds for frame in frames]))
    fps = nominal_rate(times)
    seen = np.array([frame.points is not None for frame in frames])
    points = _stacked([frame.points for frame in frames], (len(index), 3), np.float32)
    scores = _stacked([frame.scores for frame in frames], (len(names),), np.float32)
    cuts = cut_frames(np.array([frame.change for frame in frames]), points, seen)
    colours = _stacked([frame.colours for frame in frames], (POINT_COUNT, 3), np.uint8)
    return LandmarkTrack(
        name=path.stem,
        fps=fps,
        frame_size=size,
        landmarks=points,
        index=index,
        found=seen & ~covered_frames(colours, seen, cuts, fps),
        timestamps=times,
        face_count=np.array([frame.face_count for frame in frames]),
        cuts=cuts,
        scores={name: scores[:, column] for column, name in enumerate(names) if name != "_neutral"},
        audio=read_sound(path),
    )


def _stacked(rows: list[np.ndarray | None], shape: tuple[int, ...], kind: type) -> np.ndarray:
    """(T, *shape), zeros where there is none."""
    out: np.ndarray = np.zeros((len(rows), *shape), kind)
    for place, row in zip(out, rows, strict=True):
        if row is not None:
            place[...] = row
    return out


@contextmanager
def open_landmarker(path: Path) -> Iterator[Callable[[np.ndarray, int], Any]]:
    """MediaPipe's landmarker as `detect(pixels, frame_number)`; frames must come in order."""
    try:
        import mediapipe
        from mediapipe.tasks.python import BaseOptions, vision
    except ImportError as error:
        raise TalkerError('tracking needs mediapipe: pip install "talker[tracking]"') from error
    options = vision.FaceLandmarkerOptions(
        base_options=BaseOptions(model_asset_buffer=read_bytes(path)),
        running_mode=vision.RunningMode.VIDEO,
        num_faces=_MOST_FACES,
        output_face_blendshapes=True,
    )
    try:
        landmarker = vision.FaceLandmarker.create_from_options(options)
    except (RuntimeError, ValueError) as error:
        raise TalkerError(f"{path}: MediaPipe cannot use it as a face landmarker") from error

    def detect(pixels: np.ndarray, frame: int) -> Any:
        image = mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=pixels)
        return landmarker.detect_for_video(image, frame * _CLOCK_STEP_MS)

    with landmarker:
        yield detect


def _choose(faces: list[np.ndarray], last: np.ndarray | None) -> int | None:
    if not faces:
        return None
    if last is None:
        return int(np.argmax([np.linalg.norm(face[33, :2] - face[263, :2]) for face in faces]))
    return int(np.argmin([np.abs(face[:, :2] - last[:, :2]).mean() for face in faces]))


def _increasing(seconds: np.ndarray) -> np.ndarray:
    """Times that never run backwards: broken containers repeat or swap some."""
    return np.maximum.accumulate(seconds + np.arange(len(seconds)) * 1e-9)
