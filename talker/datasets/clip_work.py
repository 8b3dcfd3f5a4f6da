"""What is done before a clip is finished: track it, learn whose face it is, and how late its picture is.

Every function is a pure one of its arguments and the files they name, and leaves a whole file or none, so that any
machine may do any piece of the work, twice if need be.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from functools import lru_cache
from pathlib import Path

import numpy as np

from talker.audio import Audio
from talker.datasets import quality, samples, sync
from talker.datasets.motion_file import read_motion
from talker.datasets.samples import SoundCodec
from talker.datasets.source import REST_LABELS, ClipSource
from talker.datasets.sync import lip_opening
from talker.errors import TalkerError
from talker.export.registry import DEFAULT_OPTIONS, ExportOptions
from talker.files import atomic_output, read_bytes
from talker.rigs.head_mesh import HeadMesh
from talker.tracking.face_model import FaceModel
from talker.tracking.landmarks import LandmarkTrack, TrackSet
from talker.tracking.person import Person, estimate_person
from talker.tracking.rest import silent_frames

_FRAMES_PER_PERSON = 6000  # Of all clips together: enough to know a face by, and an hour of film is no heavier.
_FAULT = ".fault"


@dataclass(frozen=True)
class Settings:
    """What decides the content of the shards.

    Attributes:
        work: Folder for what is done once per clip, person or recording: landmarks, resting faces, delays.
        sound: How the sound is stored.
        landmarks: Store the landmarks too.
        landmarker: MediaPipe's model; only for videos.
        options: What reading a data set's curves needs (the SMPL-X model for BEAT2).
    """

    work: Path = Path()
    sound: SoundCodec = "flac"
    landmarks: bool = True
    landmarker: Path | None = None
    options: ExportOptions = DEFAULT_OPTIONS


def track_path(clip: ClipSource, settings: Settings) -> Path:
    """Where a video's landmarks are kept while its shard is being made."""
    name = _hash(clip.set, clip.id)
    return settings.work / "tracks" / name[:2] / f"{name}.npz"


def person_path(person: tuple[str, str, str], settings: Settings) -> Path:
    """Where a resting face is kept."""
    name = _hash(*person)
    return settings.work / "people" / name[:2] / f"{name}.npz"


def delay_path(clip: ClipSource, settings: Settings) -> Path:
    """Where it is kept by how much the pictures of the clip's recording are late."""
    name = _hash(clip.set, clip.recording or "")
    return settings.work / "delays" / name[:2] / f"{name}.json"


def is_tracked(clip: ClipSource, settings: Settings) -> bool:
    """Whether there is nothing left to track: it succeeded, or failed for good."""
    path = track_path(clip, settings)
    return clip.video is None or path.is_file() or path.with_suffix(_FAULT).is_file()


def track_clip(clip: ClipSource, settings: Settings) -> None:
    """Find the landmarks of a video, on a steady clock, or note why there are none; done before, nothing is done."""
    if clip.video is None or is_tracked(clip, settings):
        return
    if settings.landmarker is None:
        raise TalkerError(f"{clip.video}: tracking needs MediaPipe's face_landmarker.task (--landmarker)")
    from talker.tracking.take import find_face

    try:
        data = samples.encode_landmarks(find_face(clip.video, settings.landmarker).uniform())
    except TalkerError as error:
        note_fault(clip, settings, str(error))
    except Exception as error:  # One film that upsets a decoder must not end a week of work.
        note_fault(clip, settings, f"{clip.video}: {type(error).__name__}: {str(error)[:200]}")
    else:
        with atomic_output(track_path(clip, settings)) as temporary:
            temporary.write_bytes(data)


def note_fault(clip: ClipSource, settings: Settings, fault: str) -> None:
    """Remember that a video cannot be tracked."""
    with atomic_output(track_path(clip, settings).with_suffix(_FAULT)) as temporary:
        temporary.write_text(fault, encoding="utf-8")


def learn_person(clips: Sequence[ClipSource], settings: Settings) -> None:
    """The resting face behind some clips of one person; clips that cannot be read teach nothing."""
    path = person_path(clips[0].person, settings)
    if path.is_file():
        return
    points, resting, fault = [], [], "no clip"
    index: set[int] | None = None
    calm = any(clip.emotion in REST_LABELS for clip in clips)
    for clip in clips:
        try:
            track = landmarks_of(clip, settings)
            audio = sound_of(clip) if clip.emotion in REST_LABELS or not calm else None
        except TalkerError as error:
            fault = str(error)
            continue
        if track.found.any():
            some = slice(None, None, -(-track.frame_count * len(clips) // _FRAMES_PER_PERSON))
            points.append(track.points()[some])
            resting.append(silent_frames(audio, track.fps, track.frame_count)[some])
            index = set(map(int, track.index)) & (index or set(map(int, track.index)))
    if not index:
        raise TalkerError(f"{'/'.join(clips[0].person)}: no clip shows a face ({fault})")
    model = face_model(tuple(sorted(index)))
    person = estimate_person([part[:, model.index].astype(np.float64) for part in points], resting, model)
    arrays = {field.name: np.asarray(getattr(person, field.name)) for field in fields(Person)}
    with atomic_output(path) as temporary, temporary.open("wb") as file:
        np.savez(file, allow_pickle=False, index=model.index, **arrays)


def learn_delay(clips: Sequence[ClipSource], settings: Settings) -> None:
    """By how much the pictures of one recording are late, from some of its clips; those that cannot be read say no."""
    path = delay_path(clips[0], settings)
    if path.is_file():
        return
    matches = []
    for clip in clips:
        try:
            audio = sound_of(clip)
            if audio is not None and len(audio.samples):
                matches.append(sync.match_clip(audio, *_opening(clip, settings)))
        except TalkerError:
            continue
    told = [match for match in matches if match is not None]
    delay = sync.delay_of(told) if told else sync.UNKNOWN
    with atomic_output(path) as temporary:
        temporary.write_text(json.dumps(asdict(delay)), encoding="utf-8")


def _opening(clip: ClipSource, settings: Settings) -> tuple[np.ndarray, float, np.ndarray]:
    """How open the mouth is (T,), at which rate, and where that is known (T,)."""
    if clip.motion is not None:
        take = read_motion(clip.motion, settings.options)
        return quality.opening_of(take), take.fps, np.ones(take.frame_count, bool)
    track = landmarks_of(clip, settings)
    return lip_opening(track), track.fps, track.found


def landmarks_of(clip: ClipSource, settings: Settings) -> LandmarkTrack:
    """A clip's landmarks on a steady clock, without sound, exactly as they are stored."""
    if clip.track is not None:
        track = _track_set(clip.track.folder).track(clip.track.index, sound=False)
        return samples.decode_landmarks(samples.encode_landmarks(track.uniform()), clip.id)
    track_clip(clip, settings)
    path = track_path(clip, settings)
    if not path.is_file():
        raise TalkerError(path.with_suffix(_FAULT).read_text(encoding="utf-8"))
    return samples.decode_landmarks(read_bytes(path), clip.id)


def sound_of(clip: ClipSource) -> Audio | None:
    """A clip's own sound, or that of its video."""
    if clip.audio is not None or clip.video is None:
        return clip.sound()
    from talker.tracking.video import read_sound

    return read_sound(clip.video)


@lru_cache(maxsize=4)
def face_model(index: tuple[int, ...]) -> FaceModel:
    """The default head's, for the landmarks that were measured."""
    return FaceModel.of(HeadMesh.load(), np.array(index))


@lru_cache(maxsize=1)
def _track_set(folder: Path) -> TrackSet:
    return TrackSet(folder)


def _hash(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:24]
