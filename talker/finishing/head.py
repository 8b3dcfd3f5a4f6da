"""The head: nods on stresses, a new poise per phrase, a slow sway, the posture of the mood, and breath."""

import numpy as np

from talker.emotion import EMOTIONS
from talker.finishing.cues import Cues
from talker.finishing.gaze import Gaze
from talker.finishing.motion import bump, followed, random_of, sway, within
from talker.rigs import arkit

LOOK_AHEAD = 1.0
"""Seconds: a nod begins before its stress, a breath before its phrase."""

HEAD: tuple[int, ...] = tuple(range(arkit.HEAD.start, arkit.HEAD.stop))
"""The channels that `move_head` owns."""

BREATH: tuple[int, ...] = tuple(arkit.INDEX[n] for n in ("jawOpen", "noseSneerLeft", "noseSneerRight", "headPitch"))
"""The channels that `breathe` owns."""

_DEGREE = np.pi / 180

# Yaw, pitch and roll in degrees of each mood at full strength, and how much its head moves.
_POSTURE = {
    "neutral": (0.0, 0.0, 0.0),
    "happy": (0.0, -1.5, 2.0),
    "sad": (1.0, 7.0, 2.5),
    "surprised": (0.0, -4.0, 0.0),
    "fear": (2.0, -2.5, 0.5),
    "disgusted": (4.0, -1.5, -2.5),
    "angry": (0.0, 4.5, 0.0),
    "contempt": (3.0, -4.5, 3.0),
}
_LIVELINESS = {
    "neutral": 1.0,
    "happy": 1.25,
    "sad": 0.6,
    "surprised": 1.1,
    "fear": 1.2,
    "disgusted": 0.95,
    "angry": 1.35,
    "contempt": 0.8,
}
_MOOD_SECONDS = 0.35

_SWAY = np.array([2.4, 1.5, 1.4]) * _DEGREE  # Deviation of yaw, pitch and roll, talking.
_SWAY_HERTZ = (0.04, 1.8)
_CALM = 0.4  # How much of it is left in silence.
_POISE = np.array([4.0, 2.2, 2.8]) * _DEGREE  # Deviation from one phrase to the next.
_POISE_SECONDS = 0.18
_POISE_BEFORE = 0.15
_IDLE_POISE = 6.0  # Seconds, about, between changes in silence.
_NOD, _NOD_STRESS = 1.2, 3.4  # Degrees, and more by the strength of the stress.
_NOD_SECONDS = (0.38, 0.55)
_NOD_LATE = 0.03  # Seconds from the stress to the deepest of the nod.
_UPWARD = 0.15
_EFFORT = (0.75, 0.8)  # How much a head moves: when nothing is strained, and more by how much everything is.

_MOST_ADDED = np.array([26.0, 20.0, 16.0]) * _DEGREE
_ANATOMY = np.array([70.0, 50.0, 40.0]) * _DEGREE

_INHALE, _INHALE_ENDS = 0.55, 0.08  # Seconds: how long before a phrase, and how long before it is done.
_SHORTEST_INHALE = 0.2
_QUIET_BREATH, _QUIET_INHALE, _EXHALE = 4.3, 1.5, 2.2  # Seconds.
_LIFT = 0.9 * _DEGREE
_JAW, _NOSE = 0.07, 0.05


def move_head(
    curves: np.ndarray, fps: float, cues: Cues, strengths: np.ndarray, gaze: Gaze | None, amount: float, seed: int
) -> np.ndarray:
    """(T, 61) with the head's movement added to what it did. Owns `HEAD`; looks `LOOK_AHEAD` ahead.

    Args:
        curves: Of the face.
        fps: Frames per second.
        cues: Of its sound.
        strengths: (T, 8) emotions.
        gaze: Which the head follows in part.
        amount: 0 holds the head still but for what the gaze asks; 1 is usual.
        seed: Of the chance in it.
    """
    times = np.arange(len(curves)) / fps
    talking = followed(cues.at(cues.speaking, times), fps, 0.3)
    liveliness = np.array([_LIVELINESS[emotion] for emotion in EMOTIONS])
    lively = followed(strengths @ liveliness, fps, _MOOD_SECONDS) * (
        _EFFORT[0] + _EFFORT[1] * cues.at(cues.effort, times)
    )
    lively *= _CALM + (1 - _CALM) * talking
    posture = np.array([_POSTURE[emotion] for emotion in EMOTIONS]) * _DEGREE
    added = followed(strengths @ posture, fps, _MOOD_SECONDS)
    random = random_of(seed, "sway")
    swaying = np.stack([sway(times, random, *_SWAY_HERTZ) for _ in range(3)], axis=1) * _SWAY
    added += (swaying + _poise(times, fps, cues, seed) + _nods(times, fps, cues, seed)) * lively[:, None]
    added *= amount
    if gaze is not None:
        added[:, :2] += gaze.head_turn(times, fps)
    out = np.array(curves, np.float32)
    head = out[:, arkit.HEAD]
    limit = np.maximum(_ANATOMY, np.abs(head))  # A head that is turned farther already stays where it is.
    out[:, arkit.HEAD] = np.clip(head + within(added, _MOST_ADDED), -limit, limit)
    return out


def breathe(curves: np.ndarray, fps: float, cues: Cues, amount: float, seed: int) -> np.ndarray:
    """(T, 61) with breath taken before phrases and quietly in silence. Owns `BREATH`; looks `LOOK_AHEAD` ahead."""
    times = np.arange(len(curves)) / fps
    lift, flow = np.zeros(len(times)), np.zeros(len(times))
    for start, length, depth, audible in _breaths(cues, len(curves) / fps, seed):
        first, last = max(int(start * fps), 0), int((start + length + _EXHALE) * fps) + 2
        since = times[first:last] - start
        lift[first:last] += depth * _rise_and_fall(since, length)
        flow[first:last] += depth * audible * bump(since, 0.0, length + 0.1)
    out = np.array(curves, np.float32)
    out[:, arkit.INDEX["headPitch"]] -= amount * _LIFT * within(lift, 1.5)
    for channel, most in (("jawOpen", _JAW), ("noseSneerLeft", _NOSE), ("noseSneerRight", _NOSE)):
        column = out[:, arkit.INDEX[channel]]
        column += np.clip(amount * most * flow, 0.0, 1.0) * (1.0 - column)
    return out


def _poise(times: np.ndarray, fps: float, cues: Cues, seed: int) -> np.ndarray:
    """(T, 3) how the head is held, anew for each phrase and now and then in silence."""
    random = random_of(seed, "posture")
    of_phrases = random.spawn(1)[0].standard_normal((len(cues.phrases), 3))
    idle: list[float] = [0.0]
    of_idle: list[np.ndarray] = []
    while idle[-1] <= times[-1]:
        of_idle.append(np.clip(random.standard_normal(3), -2, 2))
        idle.append(idle[-1] + _IDLE_POISE * (0.5 + random.random()))
    quiet = [at == 0 or not np.any((cues.phrases[:, 0] - 1 < at) & (cues.phrases[:, 1] + 1 > at)) for at in idle[:-1]]
    when = np.concatenate([np.array(idle[:-1])[quiet], cues.phrases[:, 0] - _POISE_BEFORE])
    held = np.concatenate([np.array(of_idle)[quiet], np.clip(of_phrases, -2, 2)])
    order = np.argsort(when, kind="stable")
    at = np.maximum(np.searchsorted(when[order], times, "right") - 1, 0)
    return followed(held[order][at] * _POISE, fps, _POISE_SECONDS)


def _nods(times: np.ndarray, fps: float, cues: Cues, seed: int) -> np.ndarray:
    """(T, 3): down, now and then up, with a little turn and tilt."""
    random = random_of(seed, "nods")
    out = np.zeros((len(times), 3))
    for time, strength in cues.stresses:
        draws, aside = random.random(4), random.standard_normal(2)
        if draws[0] > 0.35 + 0.6 * strength:
            continue
        length = _NOD_SECONDS[0] + (_NOD_SECONDS[1] - _NOD_SECONDS[0]) * draws[1]
        start = time + _NOD_LATE - length / 2
        size = (_NOD + _NOD_STRESS * strength) * (0.6 + 0.8 * draws[2]) * _DEGREE
        turn = np.array([0.35 * aside[0], -0.6 if draws[3] < _UPWARD else 1.0, 0.25 * aside[1]])
        first, last = max(int(start * fps), 0), int((start + length) * fps) + 2
        out[first:last] += size * bump(times[first:last], start, length)[:, None] * np.clip(turn, -1, 1)
    return out


def _breaths(cues: Cues, duration: float, seed: int) -> list[tuple[float, float, float, float]]:
    """Start, seconds of breathing in, depth, and how much of it passes the mouth."""
    breaths = []
    ends = np.r_[-1.0, cues.phrases[:, 1]]
    for (start, _), before in zip(cues.phrases, ends, strict=False):
        length = min(_INHALE, 0.9 * (start - before - _INHALE_ENDS))
        if length >= _SHORTEST_INHALE:
            depth = min(0.5 + (start - before) / 3, 1.0)
            breaths.append((start - _INHALE_ENDS - length, length, depth, 1.0))
    random = random_of(seed, "breath")
    time = _QUIET_BREATH * random.random()
    while time < duration:
        busy = (cues.phrases[:, 0] - _QUIET_INHALE - 1.0 < time) & (cues.phrases[:, 1] + 0.5 > time)
        if not busy.any():
            breaths.append((time, _QUIET_INHALE, 0.45, 0.12))
        time += _QUIET_BREATH * np.exp(0.12 * np.clip(random.standard_normal(), -2, 2))
    return breaths


def _rise_and_fall(since: np.ndarray, length: float) -> np.ndarray:
    """Up in `length` seconds, down more slowly."""
    up = 0.5 - 0.5 * np.cos(np.pi * np.clip(since / length, 0, 1))
    return up * (0.5 + 0.5 * np.cos(np.pi * np.clip((since - length) / _EXHALE, 0, 1)))
