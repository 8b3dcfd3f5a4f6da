"""A clip becomes members of a shard: its face solved, its sound brought into step, and both judged."""

import json
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from talker.animation import FaceAnimation
from talker.audio import NETWORK_RATE, Audio
from talker.datasets import quality, samples, sync
from talker.datasets.clip_work import Settings, delay_path, face_model, landmarks_of, person_path, sound_of
from talker.datasets.motion_file import read_motion
from talker.datasets.mouth import MOUTH_MEASURES, measure_mouth
from talker.datasets.source import REST_LABELS, ClipSource
from talker.errors import TalkerError
from talker.files import read_arrays, read_text
from talker.tracking.landmarks import LandmarkTrack
from talker.tracking.person import Person
from talker.tracking.solve import solve_track

_PICTURE_DIGITS = 3


@dataclass(frozen=True, eq=False)
class Done:
    """A clip's members of the shard by extension (none when it was rejected), and its row of the table."""

    members: dict[str, bytes]
    row: dict[str, Any]


@dataclass(frozen=True, eq=False)
class _Face:
    """The curves; of a face that was tracked also what the tracker saw, its landmarks, and the mouth's measures."""

    take: FaceAnimation
    seen: quality.Seen | None = None
    track: LandmarkTrack | None = None
    mouth: np.ndarray | None = None

    @property
    def valid(self) -> np.ndarray:
        """(T,) bool: where the face was seen."""
        return np.ones(self.take.frame_count, bool) if self.seen is None else self.seen.valid

    def encoded(self) -> bytes:
        """The curves as a shard holds them."""
        frames = self.take.frame_count
        confidence = np.ones(frames, np.float32) if self.seen is None else self.seen.confidence
        mouth = np.full((frames, len(MOUTH_MEASURES)), np.nan) if self.mouth is None else self.mouth
        return samples.Curves(self.take.curves, self.take.fps, self.valid, confidence, mouth).encode()


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
    audio = sound_of(clip)
    if audio is None or not len(audio.samples):
        raise TalkerError(f"{clip.file}: it has no sound")
    audio = audio.resample(NETWORK_RATE)
    description = row | {"transcript": clip.transcript, "sample_rate": NETWORK_RATE}
    if face is None:
        seconds = {"seconds": round(audio.duration, 3)}
        members: dict[str, bytes] = {
            settings.sound: samples.encode_sound(audio, settings.sound),
            "json": samples.encode_json(description | seconds),
        }
        return Done(members, row | {"verdict": "sound only"} | seconds)
    return _finish_face(clip, settings, row, description, face, audio)


def _finish_face(
    clip: ClipSource, settings: Settings, row: dict[str, Any], description: dict[str, Any], face: _Face, audio: Audio
) -> Done:
    take = face.take
    delay, corrected = _delay(clip, face, audio, settings)
    audio = sync.shifted(audio, delay.seconds) if corrected else audio
    audio = audio.slice(0, take.duration)
    neutral = clip.emotion in REST_LABELS and clip.motion is None
    scores = quality.measure(take, audio, face.seen, delay, corrected, neutral)
    pictures = [_picture(take, frame) for frame in quality.telling_frames(take, audio)]
    row = row | scores.row() | {"badness": round(scores.badness, 4), "pictures": pictures}
    if faults := scores.faults():
        return Done({}, row | {"verdict": "rejected", "reason": "; ".join(faults)})
    facts = {"fps": take.fps, "frames": take.frame_count, "quality": scores.row()}
    members: dict[str, bytes] = {
        settings.sound: samples.encode_sound(audio, settings.sound),
        "curves.npz": face.encoded(),
        "json": samples.encode_json(description | facts),
    }
    if face.track is not None and settings.landmarks:
        members["landmarks.npz"] = samples.encode_landmarks(face.track)
    return Done(members, row | {"verdict": "kept"})


def _face(clip: ClipSource, settings: Settings) -> _Face:
    if clip.motion is not None:
        return _Face(read_motion(clip.motion, settings.options))
    track = landmarks_of(clip, settings)
    path = person_path(clip.person, settings)
    if not track.found.any() or not path.is_file():
        raise TalkerError(f"{clip.file}: no face was found in any of its {track.frame_count} frames")
    arrays = read_arrays(path, required=("index", *(field.name for field in fields(Person))))
    model = face_model(tuple(arrays["index"]))
    known: dict[str, Any] = {field.name: arrays[field.name] for field in fields(Person)}
    known = {name: value if value.ndim > 1 else tuple(value.tolist()) for name, value in known.items()}
    person = Person(**known)
    points = track.points()[:, model.index].astype(np.float64)
    solution = solve_track(track, points, person, model)
    seen = quality.Seen(solution.valid, solution.confidence, track.face_count, track.covered)
    return _Face(solution.animation, seen, track, measure_mouth(points, person, model))


def _delay(clip: ClipSource, face: _Face, audio: Audio, settings: Settings) -> tuple[sync.Delay, bool]:
    """How late the picture is, and whether that is sure enough to move the sound.

    What is known beats what the whole recording tells, and that beats what one clip tells.
    """
    match = sync.match_clip(audio, quality.opening_of(face.take), face.take.fps, face.valid)
    heard = sync.UNKNOWN if match is None else sync.delay_of([match])
    shared = None if clip.recording is None else delay_path(clip, settings)
    if clip.mouth_after_audio is not None:
        return replace(heard, seconds=clip.mouth_after_audio, uncertainty=0.0), True
    if shared is not None and shared.is_file():
        delay = sync.Delay(**json.loads(read_text(shared)))
        return delay if match is None else match.at(delay), delay.sure
    return heard, heard.sure


def _picture(take: FaceAnimation, frame: int) -> dict[str, Any]:
    """What it takes to draw one frame."""
    curves = [round(float(value), _PICTURE_DIGITS) for value in take.curves[frame]]
    return {"seconds": round(frame / take.fps, 2), "curves": curves}
