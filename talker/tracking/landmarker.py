"""MediaPipe's Face Landmarker on videos: the model file, and from a video to a `LandmarkTrack`."""

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from talker.errors import TalkerError
from talker.files import atomic_output, read_bytes
from talker.rigs.fit import cache_dir
from talker.tracking.landmarks import LANDMARK_COUNT, LandmarkTrack
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
_THUMBNAIL = 16
_CUT = 0.10  # Mean change of a thumbnail between two frames, of full white ...
_CUT_RATIO = 5.0  # ... and of the usual change around it, that make another shot.
_JUMP = 0.6  # Eye distances between two frames that no head moves.
_EYES_OF_FACE = 0.6  # Eye distances in a face's width.


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


def track_video(path: Path, landmarker: Path, landmarks: Sequence[int] = range(LANDMARK_COUNT)) -> LandmarkTrack:
    """Find the given landmarks of the face in every frame.

    Of several faces the one that was there before is followed, first the largest. Memory holds one picture at a time,
    and 12 bytes per landmark and frame.
    """
    index = np.array(landmarks)
    points: list[np.ndarray] = []
    scores: list[list[float]] = []
    seconds: list[float] = []
    counts: list[int] = []
    changes: list[float] = []
    found: list[bool] = []
    names: list[str] = []
    last: np.ndarray | None = None
    thumbnail: np.ndarray | None = None
    size = (0, 0)
    with open_landmarker(landmarker) as detect:
        for picture in read_pictures(path, _LONGEST_SIDE):
            size = picture.size
            small = _thumbnail(picture.pixels)
            changes.append(0.0 if thumbnail is None else float(np.abs(small - thumbnail).mean()))
            thumbnail = small
            result = detect(picture.pixels, len(seconds))
            scale = np.array([size[0], size[1], size[0]])
            faces = [np.array([(p.x, p.y, p.z) for p in face]) * scale for face in result.face_landmarks]
            chosen = _choose(faces, last)
            found.append(chosen is not None)
            counts.append(len(faces))
            seconds.append(picture.seconds)
            last = last if chosen is None else faces[chosen]
            points.append(
                (np.zeros((LANDMARK_COUNT, 3)) if chosen is None else faces[chosen])[index].astype(np.float32)
            )
            if chosen is not None:
                names = [score.category_name for score in result.face_blendshapes[chosen]]
            scores.append([0.0] * 52 if chosen is None else [s.score for s in result.face_blendshapes[chosen]])
    measured, times = np.stack(points), _increasing(np.array(seconds))
    table = np.array(scores, np.float32).T
    return LandmarkTrack(
        name=path.stem,
        fps=nominal_rate(times),
        frame_size=size,
        landmarks=measured,
        index=index,
        found=np.array(found),
        timestamps=times,
        face_count=np.array(counts),
        cuts=_cuts(np.array(changes), measured, np.array(found)),
        scores={name: table[row] for row, name in enumerate(names) if name != "_neutral"},
        audio=read_sound(path),
    )


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


def _thumbnail(pixels: np.ndarray) -> np.ndarray:
    """(16, 16) brightness in [0, 1]: means over blocks."""
    height, width = (side // _THUMBNAIL for side in pixels.shape[:2])
    if not height or not width:
        return np.full((_THUMBNAIL, _THUMBNAIL), pixels.mean() / 255)
    grey = pixels[: height * _THUMBNAIL : max(height // 8, 1), : width * _THUMBNAIL : max(width // 8, 1)].mean(2) / 255
    rows, columns = (np.array_split(np.arange(n), _THUMBNAIL) for n in grey.shape)
    return np.array([[grey[r[0] : r[-1] + 1, c[0] : c[-1] + 1].mean() for c in columns] for r in rows])


def _cuts(changes: np.ndarray, landmarks: np.ndarray, found: np.ndarray) -> np.ndarray:
    """(T,) bool: the picture as a whole changed at once, or the face jumped."""
    padded = np.pad(changes, 12, mode="reflect" if len(changes) > 12 else "edge")
    usual = np.median(np.lib.stride_tricks.sliding_window_view(padded, 25), axis=1)[: len(changes)]
    cuts = (changes > _CUT) & (changes > _CUT_RATIO * usual)
    low, high = landmarks[..., :2].min(1), landmarks[..., :2].max(1)
    centre, width = (low + high) / 2, _EYES_OF_FACE * (high - low)[:, 0]
    step = np.linalg.norm(np.diff(centre, axis=0), axis=1) / np.maximum(width[1:], 1.0)
    cuts[1:] |= (step > _JUMP) & found[1:] & found[:-1]
    return cuts


def _increasing(seconds: np.ndarray) -> np.ndarray:
    """Times that never run backwards: broken containers repeat or swap some."""
    return np.maximum.accumulate(seconds + np.arange(len(seconds)) * 1e-9)
