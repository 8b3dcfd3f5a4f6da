"""What is done to one clip on its way into a shard: track it, learn whose face it is, solve it, score it.

Every function is a pure one of its arguments and the files they name, and leaves a whole file or none, so that any
machine may do any piece of the work, twice if need be.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from talker.animation import FaceAnimation
from talker.audio import NETWORK_RATE, Audio
from talker.datasets import quality, samples, sync
from talker.datasets.motion_file import read_motion
from talker.datasets.mouth import MOUTH_MEASURES, measure_mouth
from talker.datasets.samples import SoundCodec
from talker.datasets.source import REST_LABELS, ClipSource
from talker.datasets.sync import lip_opening
from talker.errors import TalkerError
from talker.export.registry import DEFAULT_OPTIONS, ExportOptions
from talker.files import atomic_output, read_arrays, read_bytes, read_text
from talker.rigs.head_mesh import HeadMesh
from talker.tracking.face_model import FaceModel
from talker.tracking.landmarks import LandmarkTrack, TrackSet
from talker.tracking.person import Person, estimate_person
from talker.tracking.rest import silent_frames
from talker.tracking.solve import solve_track

_FRAMES_PER_PERSON = 6000  # Of all clips together: enough to know a face by, and an hour of film is no heavier.
_PICTURE_DIGITS = 3
_FAULT = ".fault"

Face = tuple[FaceAnimation, quality.Seen | None, LandmarkTrack | None, np.ndarray | None]
"""The curves; of a face that was tracked also what the tracker saw, its landmarks, and the mouth's measures."""


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


@dataclass(frozen=True, eq=False)
class Done:
    """A clip's members of the shard by extension (none when it was rejected), and its row of the table."""

    members: dict[str, bytes]
    row: dict[str, Any]


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
            track = _landmarks(clip, settings)
            audio = _sound(clip) if clip.emotion in REST_LABELS or not calm else None
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
    model = _face_model(tuple(sorted(index)))
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
            audio = _sound(clip)
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
    track = _landmarks(clip, settings)
    return lip_opening(track), track.fps, track.found


def finish_clip(clip: ClipSource, settings: Settings) -> Done:
    """Solve, score and encode one clip; whatever is wrong with it becomes its row."""
    row: dict[str, Any] = {
        **{"id": clip.id, "set": clip.set, "speaker": clip.speaker, "view": clip.view},
        **{"emotion": clip.emotion, "level": clip.level},
        **{"licence": clip.licence.name, "may_ship": clip.licence.may_ship},
    }
    try:
        return _finish(clip, settings, row)
    except TalkerError as error:
        fault = str(error)
    except Exception as error:  # One clip that crashes a decoder must not end a week of work
        fault = f"{clip.file}: {type(error).__name__}: {str(error)[:200]}"
    return Done({}, {**row, "verdict": "failed", "reason": fault})


def _finish(clip: ClipSource, settings: Settings, row: dict[str, Any]) -> Done:
    face = None if clip.video is None and clip.track is None and clip.motion is None else _face(clip, settings)
    audio = _sound(clip)
    if audio is None or not len(audio.samples):
        raise TalkerError(f"{clip.file}: it has no sound")
    audio = audio.resample(NETWORK_RATE)
    description = {
        **row,
        "transcript": clip.transcript,
        "sample_rate": NETWORK_RATE,
    }
    if face is None:
        seconds = {"seconds": round(audio.duration, 3)}
        members: dict[str, bytes] = {settings.sound: samples.encode_sound(audio, settings.sound)}
        return Done(
            members | {"json": samples.encode_json(description | seconds)}, row | {"verdict": "sound only"} | seconds
        )
    take, seen, track, mouth = face
    delay, corrected = _delay(clip, take, audio, seen, settings)
    audio = sync.shifted(audio, delay.seconds) if corrected else audio
    audio = audio.slice(0, take.duration)
    neutral = clip.emotion in REST_LABELS and clip.motion is None
    scores = quality.measure(take, audio, seen, delay, corrected, neutral)
    faults = scores.faults()
    pictures = [_picture(take, frame) for frame in quality.telling_frames(take, audio)]
    row |= scores.row() | {"badness": round(scores.badness, 4), "pictures": pictures}
    if faults:
        return Done({}, {**row, "verdict": "rejected", "reason": "; ".join(faults)})
    valid = np.ones(take.frame_count, bool) if seen is None else seen.valid
    confidence = np.ones(take.frame_count, np.float32) if seen is None else seen.confidence
    mouth = np.full((take.frame_count, len(MOUTH_MEASURES)), np.nan) if mouth is None else mouth
    members = {
        settings.sound: samples.encode_sound(audio, settings.sound),
        "curves.npz": samples.Curves(take.curves, take.fps, valid, confidence, mouth).encode(),
        "json": samples.encode_json(
            description | {"fps": take.fps, "frames": take.frame_count, "quality": scores.row()}
        ),
    }
    if track is not None and settings.landmarks:
        members["landmarks.npz"] = samples.encode_landmarks(track)
    return Done(members, {**row, "verdict": "kept"})


def _face(clip: ClipSource, settings: Settings) -> Face:
    if clip.motion is not None:
        return read_motion(clip.motion, settings.options), None, None, None
    track = _landmarks(clip, settings)
    path = person_path(clip.person, settings)
    if not track.found.any() or not path.is_file():
        raise TalkerError(f"{clip.file}: no face was found in any of its {track.frame_count} frames")
    arrays = read_arrays(path, required=("index", *(field.name for field in fields(Person))))
    model = _face_model(tuple(arrays["index"]))
    known: dict[str, Any] = {field.name: arrays[field.name] for field in fields(Person)}
    known = {name: value if value.ndim > 1 else tuple(value.tolist()) for name, value in known.items()}
    person = Person(**known)
    points = _seen(track, model)
    solution = solve_track(track, points, person, model)
    seen = quality.Seen(solution.valid, solution.confidence, track.face_count, track.covered)
    return solution.animation, seen, track, measure_mouth(points, person, model)


def _delay(
    clip: ClipSource, take: FaceAnimation, audio: Audio, seen: quality.Seen | None, settings: Settings
) -> tuple[sync.Delay, bool]:
    """How late the picture is, and whether that is sure enough to move the sound.

    What is known beats what the whole recording tells, and that beats what one clip tells.
    """
    known = np.ones(take.frame_count, bool) if seen is None else seen.valid
    match = sync.match_clip(audio, quality.opening_of(take), take.fps, known)
    heard = sync.UNKNOWN if match is None else sync.delay_of([match])
    shared = None if clip.recording is None else delay_path(clip, settings)
    if clip.mouth_after_audio is not None:
        return replace(heard, seconds=clip.mouth_after_audio, uncertainty=0.0), True
    if shared is not None and shared.is_file():
        delay = sync.Delay(**json.loads(read_text(shared)))
        return delay if match is None else match.at(delay), delay.sure
    return heard, heard.sure


def _landmarks(clip: ClipSource, settings: Settings) -> LandmarkTrack:
    """On a steady clock, without sound, exactly as they are stored."""
    if clip.track is not None:
        track = _track_set(clip.track.folder).track(clip.track.index, sound=False)
        return samples.decode_landmarks(samples.encode_landmarks(track.uniform()), clip.id)
    track_clip(clip, settings)
    path = track_path(clip, settings)
    if not path.is_file():
        raise TalkerError(path.with_suffix(_FAULT).read_text(encoding="utf-8"))
    return samples.decode_landmarks(read_bytes(path), clip.id)


def _sound(clip: ClipSource) -> Audio | None:
    if clip.audio is not None or clip.video is None:
        return clip.sound()
    from talker.tracking.video import read_sound

    return read_sound(clip.video)


def _seen(track: LandmarkTrack, model: FaceModel) -> np.ndarray:
    return track.points()[:, model.index].astype(np.float64)


@lru_cache(maxsize=4)
def _face_model(index: tuple[int, ...]) -> FaceModel:
    return FaceModel.of(HeadMesh.load(), np.array(index))


@lru_cache(maxsize=1)
def _track_set(folder: Path) -> TrackSet:
    return TrackSet(folder)


def _picture(take: FaceAnimation, frame: int) -> dict[str, Any]:
    """What it takes to draw one frame."""
    curves = [round(float(value), _PICTURE_DIGITS) for value in take.curves[frame]]
    return {"seconds": round(frame / take.fps, 2), "curves": curves}


def _hash(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:24]
