"""Where the eyes look: fixations and saccades around a target, held while the head moves.

Sources of the figures: fixation on a listener's face in conversation, 2.2 s at a time and about 60 % of it (Rogers et
al. 2018); glances away of about 0.9 s, longer looks while listening, sizes and directions of saccades in talk (Lee,
Badler and Badler 2002); duration of saccades, 2.2 ms per degree and 21 ms (Carpenter 1988).
"""

from dataclasses import dataclass

import numpy as np

from talker.emotion import EMOTIONS
from talker.finishing.cues import Cues
from talker.finishing.look_at import Target, target_at
from talker.finishing.motion import eased, followed, random_of, sway, within
from talker.rigs import arkit

LOOK_AHEAD = 1.0
"""Seconds: a coming phrase turns the eyes away or back before it starts or ends."""

EYES: tuple[int, ...] = tuple(
    i
    for i, name in enumerate(arkit.CHANNELS)
    if name.startswith("eyeLook") or name in ("leftEyeYaw", "leftEyePitch", "rightEyeYaw", "rightEyePitch")
)
"""The channels that this step owns."""

_DEGREE = np.pi / 180
_HALF_BETWEEN_EYES = 0.0315  # Metres.
_LARGEST = np.array([0.5, 0.48])  # Radians of yaw and pitch that an eye turns in its socket.

# Where on a listener's face one looks, in degrees of yaw and pitch at arm's length: either eye, the mouth.
_ON_FACE = np.array([[-1.3, -0.5], [1.3, -0.5], [0.0, 2.0]])
_ON_FACE_SHARE = np.cumsum([0.42, 0.42, 0.16])
_FACE_FIXATION, _AWAY_FIXATION = (0.62, 0.55), (0.45, 0.5)  # Seconds: median and deviation of the logarithm.
_SHORTEST = 0.15

# Eight directions of a glance from the subject's left, anticlockwise in a picture of the face: how often (percent).
_DIRECTION_SHARE = np.cumsum([15.5, 6.5, 17.7, 7.4, 16.8, 7.9, 20.4, 7.8]) / 100
_NEAREST, _MEAN_BEYOND, _FARTHEST = 4.0, 6.9, 24.0  # Degrees.
_FLATTER = 0.6  # Up and down the eyes go less far than sideways.

# How likely the next fixation is elsewhere.
_LEAVES_TALKING, _LEAVES_IDLE, _LEAVES_BEFORE_PHRASE = 0.2, 0.07, 0.5
_RETURNS, _RETURNS_AT_END = 0.42, 0.95
_THINKING_PAUSE = 0.7  # Seconds of silence before a phrase that was thought about.
_LEAVES_MORE = {
    "sad": 0.2,
    "fear": 0.15,
    "disgusted": 0.08,
    "contempt": 0.04,
    "angry": -0.14,
    "surprised": -0.1,
    "happy": -0.02,
}

# Saccades: seconds, seconds per radian; and no faster up or down than lids and eyes of iPhone takes ever are (rad/s).
_SACCADE, _SACCADE_PER_RADIAN = 0.021, 0.0022 / _DEGREE
_FASTEST_PITCH, _FASTEST_YAW = 4.0, 8.4
_PEAK = np.pi / 2  # Of the mean speed.

_HEAD_SHARE, _HEAD_SHARE_BEYOND, _HEAD_FROM = 0.15, 0.65, 10 * _DEGREE
_HEAD_SHARE_OF_GLANCE = 0.2
_HEAD_SECONDS = 0.13
_JITTER = 0.1 * _DEGREE


@dataclass(frozen=True)
class Gaze:
    """Saccades in order; the first has happened before the take. Angles in radians, in the body's frame.

    Attributes:
        start: (K,) seconds.
        duration: (K,) seconds.
        goal: (K, 2) yaw and pitch that it lands on.
        head: (K, 2) yaw and pitch of it that the head takes over.
        distance: (K,) metres to what is looked at.
    """

    start: np.ndarray
    duration: np.ndarray
    goal: np.ndarray
    head: np.ndarray
    distance: np.ndarray

    @property
    def size(self) -> np.ndarray:
        """(K,) radians of each saccade, 0 for the first."""
        return np.r_[0.0, np.linalg.norm(np.diff(self.goal, axis=0), axis=1)]

    def direction(self, times: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(T, 2) yaw and pitch, and (T,) distance, at any times."""
        at = np.maximum(np.searchsorted(self.start, times, "right") - 1, 0)
        before = np.maximum(at - 1, 0)
        share = eased((times - self.start[at]) / self.duration[at])[:, None]
        # What fuses at one distance fuses at another by its inverse: vergence is proportional to it.
        near = (1 - share[:, 0]) / self.distance[before] + share[:, 0] / self.distance[at]
        return self.goal[before] * (1 - share) + self.goal[at] * share, 1.0 / near

    def head_turn(self, times: np.ndarray, fps: float) -> np.ndarray:
        """(T, 2) yaw and pitch by which the head follows. No look-ahead."""
        at = np.maximum(np.searchsorted(self.start, times, "right") - 1, 0)
        return followed(self.head[at], fps, _HEAD_SECONDS)


def plan_gaze(
    cues: Cues, strengths: np.ndarray, fps: float, look_at: tuple[Target, ...], amount: float, seed: int
) -> Gaze:
    """Decide where to look when. Looks `LOOK_AHEAD` ahead in the cues.

    Args:
        cues: Of the take.
        strengths: (T, 8) emotions.
        fps: Of the strengths.
        look_at: What the face is turned to over time.
        amount: 0 never leaves the target; 1 is usual; 2 goes twice as far.
        seed: Of the chance in it.
    """
    random = random_of(seed, "gaze")
    duration = len(strengths) / fps
    restless = np.array([_LEAVES_MORE.get(emotion, 0.0) for emotion in EMOTIONS])
    changes = [target.time for target in look_at if target.time > 0]
    time, away, offset = 0.0, False, np.zeros(2)
    target = target_at(look_at, 0.0)
    events = [(-1.0, *_aim(target, offset))]
    while True:
        draws = random.random(6)
        mood = strengths[min(int(time * fps), len(strengths) - 1)]
        median, deviation = _AWAY_FIXATION if away else _FACE_FIXATION
        pause = median * np.exp(deviation * _normal(draws[0])) * (1 - 0.4 * mood[EMOTIONS.index("fear")])
        # The first fixation had begun before the take did.
        time_after = time + max(_SHORTEST, pause * (draws[5] if time == 0 else 1.0))
        told = next((change for change in changes if time < change <= time_after), None)
        time = told if told is not None else time_after
        if time >= duration:
            break
        away = told is None and draws[1] < _leaving(cues, time, away, float(mood @ restless))
        offset = amount * (_glance(draws[2:5], cues, time, mood) if away else _on_face(draws[2:5]))
        events.append((time, *_aim(target_at(look_at, time), offset)))
    start = np.array([event[0] for event in events])
    goal, head = (np.array([event[i] for event in events]) for i in (1, 2))
    distance = np.array([event[3] for event in events])
    return Gaze(start, _durations(goal), goal, head, distance)


def look(curves: np.ndarray, fps: float, gaze: Gaze, amount: float, seed: int) -> np.ndarray:
    """(T, 61) with the eyes on what the gaze is on, whatever the head does, and the lids with them. No look-ahead.

    It owns `EYES`: what they did before is replaced.
    """
    times = np.arange(len(curves)) / fps
    direction, distance = gaze.direction(times)
    random = random_of(seed, "jitter")
    drift = np.stack([sway(times, random, 0.3, 4.0) for _ in range(2)], axis=1) * (_JITTER * min(amount, 1.0))
    # The head's own turn is taken out: the eyes stay on their goal while it nods.
    inside = within(direction + drift - curves[:, arkit.HEAD.start : arkit.HEAD.start + 2], _LARGEST)
    crossed = np.arctan2(_HALF_BETWEEN_EYES, distance)
    out = np.array(curves, np.float32)
    for eye, inward in ((arkit.LEFT_EYE, 1.0), (arkit.RIGHT_EYE, -1.0)):
        out[:, eye.start] = np.clip(inside[:, 0] + inward * crossed, -arkit.EYE_YAW_PER_LOOK, arkit.EYE_YAW_PER_LOOK)
        out[:, eye.start + 1] = inside[:, 1]
    return arkit.looks_from_eye_angles(out)


def _aim(target: Target, offset: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """Direction, the head's part of it, and distance."""
    base = np.array([target.yaw, target.pitch])
    beyond = np.sign(base) * np.maximum(np.abs(base) - _HEAD_FROM, 0.0)
    head = _HEAD_SHARE * base + _HEAD_SHARE_BEYOND * beyond + _HEAD_SHARE_OF_GLANCE * offset
    return base + offset, head, target.distance


def _leaving(cues: Cues, time: float, away: bool, restless: float) -> float:
    """How likely the next fixation is away from the target."""
    phrases = cues.phrases
    ending = bool(np.any((phrases[:, 1] > time - 0.3) & (phrases[:, 1] < time + 0.6)))
    if away:
        return 1.0 - (_RETURNS_AT_END if ending else _RETURNS - restless / 2)
    if ending:
        return 0.02
    if _pause_before_coming_phrase(phrases, time) > _THINKING_PAUSE / 2:
        return _LEAVES_BEFORE_PHRASE + restless
    talking = bool(np.any((phrases[:, 0] <= time) & (phrases[:, 1] > time)))
    return max((_LEAVES_TALKING if talking else _LEAVES_IDLE) + restless, 0.02)


def _pause_before_coming_phrase(phrases: np.ndarray, time: float) -> float:
    """Seconds of silence before the phrase that starts about now; 0 when none does."""
    coming = int(np.searchsorted(phrases[:, 0], time - 0.3))
    if coming == len(phrases) or phrases[coming, 0] > time + 0.8:
        return 0.0
    return float(phrases[coming, 0] - (phrases[coming - 1, 1] if coming else 0.0))


def _on_face(draws: np.ndarray) -> np.ndarray:
    """Offset of a fixation on the listener's face."""
    part = _ON_FACE[min(int(np.searchsorted(_ON_FACE_SHARE, draws[0])), 2)]
    return (part + 1.8 * (draws[1:] - 0.5)) * _DEGREE


def _glance(draws: np.ndarray, cues: Cues, time: float, mood: np.ndarray) -> np.ndarray:
    """Offset of a glance away: aside or up when thinking, down when sad."""
    number = min(int(np.searchsorted(_DIRECTION_SHARE, draws[0])), 7)
    angle = number * np.pi / 4
    size = min(_NEAREST - _MEAN_BEYOND * np.log(1 - draws[1] * 0.999), _FARTHEST)
    yaw, pitch = -size * np.cos(angle), -size * np.sin(angle) * _FLATTER
    sad = mood[EMOTIONS.index("sad")] + 0.5 * mood[EMOTIONS.index("disgusted")]
    if draws[2] < sad:
        pitch = abs(pitch) + 0.4 * size
    elif _pause_before_coming_phrase(cues.phrases, time) > _THINKING_PAUSE:
        pitch = -abs(pitch)
    return np.array([yaw, pitch]) * _DEGREE


def _durations(goal: np.ndarray) -> np.ndarray:
    """Seconds of each saccade, by the main sequence and by how fast lids can follow."""
    step = np.abs(np.diff(goal, axis=0, prepend=goal[:1]))
    main_sequence = _SACCADE + _SACCADE_PER_RADIAN * np.linalg.norm(step, axis=1)
    return np.maximum(main_sequence, _PEAK * np.maximum(step[:, 0] / _FASTEST_YAW, step[:, 1] / _FASTEST_PITCH))


def _normal(uniform: float) -> float:
    """A number of the normal distribution, from one of the uniform, cut at 2.5 deviations."""
    from statistics import NormalDist

    return NormalDist().inv_cdf(min(max(uniform, 0.0062), 0.9938))
