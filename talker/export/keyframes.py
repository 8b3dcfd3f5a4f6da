"""Keys at any times, as scene formats hold them, into frames at a steady rate.

Keys at equal distances are taken as the frames; any others are sampled at the first usual frame rate that hits them
all, or at 60 frames per second.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from talker.animation import MAX_FPS, MAX_FRAMES, MIN_FPS
from talker.errors import TalkerError
from talker.rigs import arkit, turns

TURNED_JOINTS = {"head": arkit.HEAD, "left_eye": arkit.LEFT_EYE, "right_eye": arkit.RIGHT_EYE}
"""Joints that turn, and the channels that turn them."""

_FALLBACK_FPS = 60.0
_USUAL_FPS = (24, 25, 30, 48, 50, 60, 90, 100, 120, 24000 / 1001, 30000 / 1001, 60000 / 1001)
_SLOWEST_FPS = 10.0  # Keys further apart than this are poses that somebody set by hand, not frames.
_MAX_SAMPLED_FRAMES = MAX_FRAMES // 4  # Two distant keys must not become gigabytes of frames.
_BLOCK_FRAMES = 1 << 14
_ON_FRAME = 0.02  # Frames: how far from a whole frame a key of that frame may lie, besides float32's rounding.
_SAME_FPS = 2e-6  # Relative: how well float32 key times tell a rate.


@dataclass(frozen=True)
class Track:
    """The keys of one animation channel.

    Attributes:
        times: (N,) seconds, increasing.
        values: (N, C) float32.
        tangents: (N, 2, C) slopes per second before and after each key, for cubic splines.
        step: Hold each value until the next key.
        turns: The values are quaternions.
    """

    times: np.ndarray
    values: np.ndarray
    tangents: np.ndarray | None = None
    step: bool = False
    turns: bool = False

    def sample(self, times: np.ndarray) -> np.ndarray:
        """Values at other times, held at both ends. (S,) -> (S, C)."""
        low = np.clip(np.searchsorted(self.times, times, side="right") - 1, 0, len(self.times) - 1)
        if self.step:
            return self.values[low]
        high = np.minimum(low + 1, len(self.times) - 1)
        span = self.times[high] - self.times[low]
        past = np.clip(times - self.times[low], 0, span)
        share = np.divide(past, span, out=np.zeros_like(past), where=span > 0).astype(np.float32)[:, None]
        start, end = self.values[low], self.values[high]
        if self.tangents is not None:
            seconds = span.astype(np.float32)[:, None]
            out, into = seconds * self.tangents[low, 1], seconds * self.tangents[high, 0]
            square, cube = share**2, share**3
            return (
                start * (2 * cube - 3 * square + 1)
                + out * (cube - 2 * square + share)
                + end * (3 * square - 2 * cube)
                + into * (cube - square)
            )
        if self.turns:
            return _slerp(start, end, share)
        return start * (1 - share) + end * share


@dataclass(frozen=True)
class Performance:
    """The channels of one animation that talker understands.

    Attributes:
        shapes: Pairs of a track and, for each ARKit shape taken from it, its columns there.
        joints: For "head", "left_eye", "right_eye": a track of quaternions, the rotation from its parent's space to
            the scene's, and its own rotation at rest.
    """

    shapes: list[tuple[Track, dict[str, list[int]]]]
    joints: dict[str, tuple[Track, np.ndarray, np.ndarray]]

    def frames(self, path: Path, claimed_fps: Any) -> tuple[np.ndarray, float]:
        """(T, 61) curves and their rate: the one the file claims, where its keys agree with it."""
        fps, count, on_frames = _clock(path, self.key_times(), claimed_fps)
        steady = self.on_frames(fps) if on_frames else self
        curves = np.empty((count, arkit.CHANNEL_COUNT), np.float32)
        for first in range(0, count, _BLOCK_FRAMES):
            block = curves[first : first + _BLOCK_FRAMES]
            block[:] = steady.curves(np.arange(first, first + len(block)) / fps)
        return curves, fps

    def key_times(self) -> np.ndarray:
        """(N,) all key times in order, each once."""
        tracks = [track for track, _ in self.shapes] + [track for track, _, _ in self.joints.values()]
        return np.unique(np.concatenate([track.times for track in tracks]))

    def on_frames(self, fps: float) -> "Performance":
        """The same with every key moved to the nearest whole frame."""

        def move(track: Track) -> Track:
            return replace(track, times=np.rint(track.times * fps) / fps)

        shapes = [(move(track), columns) for track, columns in self.shapes]
        joints = {part: (move(track), to_scene, rest) for part, (track, to_scene, rest) in self.joints.items()}
        return Performance(shapes, joints)

    def curves(self, times: np.ndarray) -> np.ndarray:
        """The face at some times. (S,) -> (S, 61)."""
        curves = np.zeros((len(times), arkit.CHANNEL_COUNT), np.float32)
        for track, columns in self.shapes:
            with np.errstate(
                over="ignore", invalid="ignore"
            ):  # Absurd keys: cut to the range, or refused as no number.
                values = track.sample(times)
            for name, places in columns.items():
                curves[:, arkit.INDEX[name]] = np.clip(values[:, places].mean(axis=1), 0.0, 1.0)
        for part, (track, to_scene, rest) in self.joints.items():
            local = turns.matrices(track.sample(times)) @ rest.T
            curves[:, TURNED_JOINTS[part]] = turns.angles(to_scene @ local @ to_scene.T)
        return curves if {"left_eye", "right_eye"} & set(self.joints) else arkit.eye_angles_from_looks(curves)


def _clock(path: Path, times: np.ndarray, claimed: Any) -> tuple[float, int, bool]:
    """Frames per second, their number, and whether every key is a frame's."""
    rates: list[float] = []
    if isinstance(claimed, int | float) and not isinstance(claimed, bool) and MIN_FPS <= claimed <= MAX_FPS:
        rates.append(float(claimed))
    fallback = _FALLBACK_FPS
    if len(times) > 1:
        mean = (len(times) - 1) / (times[-1] - times[0])
        if _SLOWEST_FPS <= mean <= MAX_FPS:
            nearest = min((round(mean), *_USUAL_FPS), key=lambda rate: abs(rate - mean))
            fallback = float(nearest) if abs(nearest - mean) <= _SAME_FPS * mean else float(mean)
            rates.append(fallback)
    if len(times) > 1 or times[0] > 0:
        rates += _USUAL_FPS
    fps = next((rate for rate in rates if _all_on_frames(times, rate)), None)
    on_frames = fps is not None
    fps = fps or fallback
    count = int(np.rint(times[-1] * fps) if on_frames else np.floor(times[-1] * fps)) + 1
    if count > (MAX_FRAMES if len(times) > count / 2 else _MAX_SAMPLED_FRAMES):
        raise TalkerError(f"{path}: {len(times)} keys spread over {times[-1]:.0f} s; cut it into shorter takes")
    return fps, count, on_frames


def _all_on_frames(times: np.ndarray, fps: float) -> bool:
    position = times * fps
    rounding = position * np.finfo(np.float32).eps
    return bool((np.abs(position - np.rint(position)) <= _ON_FRAME + rounding).all())


def _slerp(start: np.ndarray, end: np.ndarray, share: np.ndarray) -> np.ndarray:
    """Quaternions a share of the way from one to the other at constant speed. (S, 4), (S, 4), (S, 1) -> (S, 4)."""
    angle = np.arccos(np.clip((start * end).sum(axis=1, keepdims=True), -1, 1))
    sine = np.sin(angle)
    far = sine > 1e-4
    sine = np.where(far, sine, 1)
    first = np.where(far, np.sin((1 - share) * angle) / sine, 1 - share)
    return start * first + end * np.where(far, np.sin(share * angle) / sine, share)
