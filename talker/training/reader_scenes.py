"""What is drawn for readers of faces: takes as they were filmed, and neutral ones played with every emotion."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from talker.direction.acting import perform
from talker.emotion import EMOTIONS, emotion_pose
from talker.models.emotion_net import FACE_FPS
from talker.models.lip_reader import LIP_FPS
from talker.models.speech_encoder import FEATURE_FPS
from talker.rigs import arkit
from talker.training.reader_takes import SYNTHESISED, FaceTake

UNKNOWN_EMOTION = -1
PLAYED = "played"
PLAYED_SECONDS = 2.0

_ACTED_COPIES = 2  # How often each acted clip is drawn, each time under another light.
_SPEAKING = ("jaw", "mouth")
_LEAST_INTENSITY = 0.25
_POSED = 0.3  # Share of what is played that takes the pose alone instead of a performance.
_SPREAD, _MISSING = 0.25, 0.08  # How unlike the table a channel of a played emotion is; share of channels left out.
_EFFORT = (0.2, 0.9)
_BLINK_SECONDS, _BLINK_EVERY = 0.24, 3.5
_GLANCE_SECONDS, _GLANCE = (0.4, 2.5), 0.1  # How long eyes stay where they look; radians from straight ahead.
_SHAPES = slice(0, arkit.SHAPE_COUNT)


@dataclass(frozen=True)
class Variation:
    """How much pictures differ.

    Attributes:
        seed: Decides everything random.
        turn: Radians that heads are turned by at most.
        light: How far the light comes from elsewhere, 0 to 1.
        amplitude: Factors of how much the mouth moves at the least and at the most.
    """

    seed: int = 0
    turn: float = 0.12
    light: float = 0.35
    amplitude: tuple[float, float] = (0.8, 1.2)


FOR_TRAINING = Variation()
# Hardly turned: a smile seen from the side is as lopsided as contempt, and takes to be judged look straight ahead.
FOR_EVALUATION = Variation(seed=1000, turn=0.08, light=0.5, amplitude=(0.7, 1.3))
PLAIN = Variation(turn=0.0, light=0.0, amplitude=(1.0, 1.0))


@dataclass(frozen=True, eq=False)
class Scene:
    """What is drawn: curves (T, 61) and phones (T,) at the pictures' rate, and what is known of them.

    `emotion` is a number in `EMOTIONS` or `UNKNOWN_EMOTION`, `intensity` 0 to 1 or NaN.
    """

    curves: np.ndarray
    phones: np.ndarray
    set: str
    emotion: int = UNKNOWN_EMOTION
    intensity: float = float("nan")


def lip_scenes(takes: Sequence[FaceTake], variation: Variation) -> Iterator[Scene]:
    """All takes, their mouths moving more or less."""
    random = np.random.default_rng((variation.seed, 1))
    speaking = [i for i, name in enumerate(arkit.SHAPES) if name.startswith(_SPEAKING)]
    for take in takes:
        curves, phones = take.at_rate(LIP_FPS)
        curves[:, speaking] = (curves[:, speaking] * random.uniform(*variation.amplitude)).clip(0.0, 1.0)
        yield Scene(_lively(curves, LIP_FPS, variation, random), phones, take.set)


def face_scenes(takes: Sequence[FaceTake], played: int, variation: Variation) -> Iterator[Scene]:
    """The takes in which an emotion is acted, several times, and `played` neutral ones made to show any emotion.

    Every set is played equally often: one man's lopsided face must not pass for contempt.
    """
    random = np.random.default_rng((variation.seed, 2))
    for take in takes:
        if take.emotion not in (None, "neutral"):
            curves, phones = take.at_rate(FACE_FPS)
            for _ in range(_ACTED_COPIES):
                moving = _lively(curves, FACE_FPS, variation, random)
                yield Scene(moving, phones, take.set, EMOTIONS.index(take.emotion or ""))
    of_set: dict[str, list[FaceTake]] = defaultdict(list)
    for take in _neutral(takes):
        of_set[take.set].append(take)
    sets = list(of_set.values())
    for number in range(played if sets else 0):
        chosen = sets[number // len(EMOTIONS) % len(sets)]
        take = _some_seconds(chosen[int(random.integers(len(chosen)))], random)
        yield _played_somehow(take, number % len(EMOTIONS), variation, random)


def acted_scenes(takes: Sequence[FaceTake]) -> Iterator[Scene]:
    """All takes whose emotion is known, neutral ones too, plainly."""
    for take in takes:
        if take.emotion is not None:
            curves, phones = take.at_rate(FACE_FPS)
            yield Scene(curves, phones, take.set, EMOTIONS.index(take.emotion))


def performed_scenes(takes: Sequence[FaceTake], intensity: float) -> Iterator[Scene]:
    """Neutral takes that perform the emotions in turn, all at one intensity: what a talker is asked for."""
    random = np.random.default_rng(7)
    for number, take in enumerate(_neutral(takes)):
        part, emotion = _some_seconds(take, random), number % len(EMOTIONS)
        played = perform(part.curves, _strengths(len(part.curves), emotion, intensity), seed=number)
        yield _scene(part, played, emotion, intensity if emotion else 0.0)


def _played_somehow(take: FaceTake, emotion: int, variation: Variation, random: np.random.Generator) -> Scene:
    """A neutral take that shows an emotion in somebody's own way: no channel is quite as in the table."""
    intensity = float(random.uniform(_LEAST_INTENSITY, 1.0)) if emotion else 0.0
    frames = len(take.curves)
    if random.random() < _POSED:
        played = np.array(take.curves)
        played[:, _SHAPES] += intensity * emotion_pose(EMOTIONS[emotion]) * (1.0 - played[:, _SHAPES])
    else:
        effort = np.full(frames, random.uniform(*_EFFORT), np.float32)
        played = perform(take.curves, _strengths(frames, emotion, intensity), effort, int(random.integers(1 << 20)))
    factor = np.exp(random.normal(0.0, _SPREAD, arkit.SHAPE_COUNT)) * (random.random(arkit.SHAPE_COUNT) > _MISSING)
    shapes = take.curves[:, _SHAPES] + (played[:, _SHAPES] - take.curves[:, _SHAPES]) * factor
    played[:, _SHAPES] = shapes.clip(0.0, 1.0)
    scene = _scene(take, played, emotion, intensity)
    return Scene(_lively(scene.curves, FACE_FPS, variation, random), scene.phones, PLAYED, emotion, intensity)


def _scene(take: FaceTake, curves: np.ndarray, emotion: int, intensity: float) -> Scene:
    return Scene(*FaceTake(take.set, take.speaker, curves, take.phones).at_rate(FACE_FPS), PLAYED, emotion, intensity)


def _neutral(takes: Sequence[FaceTake]) -> list[FaceTake]:
    """Those of people who feel nothing, and of a talker, which was not asked to feel anything."""
    return [take for take in takes if take.emotion == "neutral" or take.set == SYNTHESISED]


def _strengths(frames: int, emotion: int, intensity: float) -> np.ndarray:
    strengths = np.zeros((frames, len(EMOTIONS)), np.float32)
    strengths[:, 0] = 1.0 - intensity
    strengths[:, emotion] += intensity
    return strengths


def _some_seconds(take: FaceTake, random: np.random.Generator) -> FaceTake:
    count = min(round(PLAYED_SECONDS * FEATURE_FPS), len(take.curves))
    return take.part(int(random.integers(len(take.curves) - count + 1)), count)


def _lively(curves: np.ndarray, fps: float, variation: Variation, random: np.random.Generator) -> np.ndarray:
    """The head turned, eyes that look somewhere, and lids that blink now and then."""
    out = _glancing(curves, fps, random)
    out[:, arkit.HEAD] += variation.turn * random.uniform(-1.0, 1.0, 3).astype(np.float32)
    blinks = [arkit.INDEX["eyeBlinkLeft"], arkit.INDEX["eyeBlinkRight"]]
    times = np.arange(len(out)) / fps
    for _ in range(random.poisson(len(out) / fps / _BLINK_EVERY)):
        away = np.abs(times - random.uniform(0.0, len(out) / fps)) / (_BLINK_SECONDS / 2)
        out[:, blinks] = np.maximum(out[:, blinks], np.clip(1.3 - away, 0.0, 1.0)[:, None])
    return out


def _glancing(curves: np.ndarray, fps: float, random: np.random.Generator) -> np.ndarray:
    """A copy whose eyes look ahead, more or less, and elsewhere after a while."""
    out, start = curves.copy(), 0
    while start < len(out):
        end = start + max(1, round(fps * random.uniform(*_GLANCE_SECONDS)))
        yaw, pitch = random.normal(0.0, _GLANCE, 2)
        for eye in (arkit.LEFT_EYE, arkit.RIGHT_EYE):
            out[start:end, eye] = yaw, pitch, 0.0
        start = end
    return arkit.looks_from_eye_angles(out)
