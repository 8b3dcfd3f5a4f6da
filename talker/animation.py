"""`FaceAnimation`: the one type that everything in talker produces or consumes."""

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from talker.audio import Audio
from talker.errors import TalkerError, no_such
from talker.rigs import arkit

MAX_FRAMES = 1_000_000  # 4.6 hours at 60 frames/s; whatever claims more is a corrupt file.
MIN_FPS, MAX_FPS = 1.0, 1000.0

_ROUNDING = 1e-5  # A weight this far outside its range is rounding noise, not a mistake.
_CLOSED = 0.12  # Lips this little apart (units of jawOpen) belong to a closure that resampling must keep ...
_CLOSURE_RISE = 0.05  # ... if they open by this much more on at least one side of it (noise at rest does not) ...
_CLOSURE_REACH = 0.15  # ... within so many seconds.
_LOST = 0.01  # A closure left open by more than this after resampling is lost.
_SAME_TIME = 1e-6  # Frames: closer than this, two times are the same.


@dataclass(frozen=True, eq=False)
class FaceAnimation:
    """A face over time.

    Attributes:
        curves: (T, 61) float32, read-only, channels in the order of `arkit.CHANNELS`: 52 weights in [0, 1],
            then head and eye angles in radians. Frame i is the face at i / fps seconds.
        fps: Frames per second.
        audio: The sound that belongs to it, starting with frame 0.
        meta: JSON-able facts about the take. Known keys: `source` (where it came from), `emotion` (a list of
            `{"time": seconds, "weights": {label: 0..1}}` in time order, linear in between), `direction` (how it was
            played, see `talker.direction`).
        layers: What the take was made from and may be made from again, arrays by name. `.npz` keeps them; they
            go where curves are made from other curves.
    """

    curves: np.ndarray
    fps: float
    audio: Audio | None = None
    meta: Mapping[str, Any] = field(default_factory=dict)
    layers: Mapping[str, np.ndarray] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not (np.isfinite(self.fps) and MIN_FPS <= self.fps <= MAX_FPS):
            raise TalkerError(f"{self.fps} frames per second is outside {MIN_FPS:g}..{MAX_FPS:g}")
        with np.errstate(over="ignore"):  # What float32 cannot hold becomes infinite, which is refused below.
            curves = np.array(self.curves, np.float32)
        if curves.ndim != 2 or curves.shape[1] != arkit.CHANNEL_COUNT:
            raise TalkerError(f"curves must have shape (frames, {arkit.CHANNEL_COUNT}), not {curves.shape}")
        if not 1 <= len(curves) <= MAX_FRAMES:
            raise TalkerError(f"an animation has 1 to {MAX_FRAMES} frames, not {len(curves)}")
        _check_values(curves)
        np.clip(curves[:, : arkit.SHAPE_COUNT], 0.0, 1.0, out=curves[:, : arkit.SHAPE_COUNT])
        curves.setflags(write=False)
        object.__setattr__(self, "curves", curves)
        object.__setattr__(self, "fps", float(self.fps))
        object.__setattr__(self, "meta", MappingProxyType(dict(self.meta)))
        object.__setattr__(self, "layers", MappingProxyType(dict(self.layers)))
        if not isinstance(self.audio, Audio | None):
            raise TalkerError(
                f"audio must be an Audio (`talker.audio.read_audio` reads one), not {type(self.audio).__name__}"
            )
        _check_emotion(self.meta.get("emotion", []))

    def __reduce__(self) -> tuple[Any, ...]:
        return FaceAnimation, (self.curves, self.fps, self.audio, dict(self.meta), dict(self.layers))

    @classmethod
    def from_channels(cls, channels: Mapping[str, Any], fps: float, **rest: Any) -> "FaceAnimation":
        """Build from named curves (numbers or (T,) arrays); what is not named stays 0.

        >>> FaceAnimation.from_channels({"jawOpen": [0.0, 0.5, 0.0], "headYaw": 0.1}, fps=30).curves.shape
        (3, 61)
        """
        length = max((np.size(values) for values in channels.values()), default=1)
        curves = np.zeros((length, arkit.CHANNEL_COUNT), np.float32)
        for name, values in channels.items():
            if np.size(values) not in (1, length):
                raise TalkerError(f"channel {name} has {np.size(values)} frames where the longest has {length}")
            curves[:, channel_index(name)] = values
        return cls(curves, fps, **rest)

    @property
    def frame_count(self) -> int:
        """Number of frames."""
        return len(self.curves)

    @property
    def duration(self) -> float:
        """Seconds, counting the last frame in full."""
        return self.frame_count / self.fps

    @property
    def times(self) -> np.ndarray:
        """(T,) float64 seconds."""
        return np.arange(self.frame_count) / self.fps

    @property
    def shapes(self) -> np.ndarray:
        """(T, 52) blend-shape weights: a view."""
        return self.curves[:, : arkit.SHAPE_COUNT]

    def channel(self, name: str) -> np.ndarray:
        """(T,) values of one named channel: a view."""
        return self.curves[:, channel_index(name)]

    def resample(self, fps: float) -> "FaceAnimation":
        """The same performance at another rate.

        Frames in between are mixed linearly, so nothing overshoots or rings.

        Where the new rate is a multiple or a divisor of the old one, the shared instants keep their values exactly.
        When dividing (60 to 30), frames in between are dropped, so a closure of the lips that is shorter than one new
        frame can be lost; one that lasts at least a new frame is kept.

        At any other ratio a closure can fall between two new frames and be half lost. Where that happens, and only
        there, the channels that close the lips are moved to the nearest new frame.
        """
        if not (np.isfinite(fps) and MIN_FPS <= fps <= MAX_FPS):
            raise TalkerError(f"cannot resample to {fps:g} frames per second: the range is {MIN_FPS:g}..{MAX_FPS:g}")
        if fps == self.fps:
            return self
        count = max(1, int(np.ceil(self.frame_count * fps / self.fps - _SAME_TIME)))
        if count > MAX_FRAMES:
            raise TalkerError(f"{self.duration:.0f} s at {fps:g} frames per second is more than {MAX_FRAMES} frames")
        position = np.arange(count) * (self.fps / fps)
        curves = _lerp(self.curves, position)
        ratio = max(fps, self.fps) / min(fps, self.fps)
        if abs(ratio - round(ratio)) > _SAME_TIME:
            _restore_closures(curves, fps, self.curves, self.fps)
        return replace(self, curves=curves, fps=fps)

    def slice(self, start: float = 0.0, end: float | None = None) -> "FaceAnimation":
        """The part from `start` to `end` seconds (to the last frame when None), with its sound and emotion."""
        end = self.duration if end is None else end
        inside = 0 <= start < self.duration and end > start  # False for NaN.
        first, last = (round(start * self.fps), round(min(end, self.duration) * self.fps)) if inside else (0, 0)
        if first >= last:
            raise TalkerError(f"cannot slice {start:g}..{end:g} s out of {self.duration:.3f} s: no frame lies inside")
        begin = first / self.fps
        meta = dict(self.meta)
        if "emotion" in meta:
            meta["emotion"] = _keys_from(meta["emotion"], begin)
        audio = None if self.audio is None else self.audio.slice(begin, last / self.fps)
        return FaceAnimation(self.curves[first:last], self.fps, audio, meta)

    def concat(self, *others: "FaceAnimation") -> "FaceAnimation":
        """The take followed by `others`, at this take's frame rate; a take without sound is silent."""
        takes = [self, *(other.resample(self.fps) for other in others)]
        meta = dict(self.meta)
        keys: list[dict[str, Any]] = []
        starts = np.cumsum([0.0, *(take.duration for take in takes)])
        for take, start in zip(takes, starts, strict=False):
            keys += [{**key, "time": key["time"] + float(start)} for key in take.meta.get("emotion", [])]
        if keys:
            meta["emotion"] = keys
        rate = next((take.audio.sample_rate for take in takes if take.audio is not None), None)
        audio = None
        if rate is not None:
            # Cut at frame times counted from the start, so that rounding never adds up over many takes.
            edges = np.rint(starts * rate).astype(int)
            samples = np.zeros(edges[-1], np.float32)
            for take, low, high in zip(takes, edges, edges[1:], strict=False):
                if take.audio is not None:
                    part = take.audio.resample(rate).samples[: high - low]
                    samples[low : low + len(part)] = part
            audio = Audio(samples, rate)
        return FaceAnimation(np.concatenate([take.curves for take in takes]), self.fps, audio, meta)

    def blend(self, other: "FaceAnimation", weight: float | np.ndarray) -> "FaceAnimation":
        """`(1 - weight) * self + weight * other`, weight in [0, 1], one number or one per frame of this take.

        The other take is brought to this one's rate and length (its last frame is held).
        """
        share = np.asarray(weight, np.float32)
        if share.shape not in ((), (self.frame_count,)):
            raise TalkerError(f"blend weights must be one number or {self.frame_count} of them, not {share.shape}")
        if not (np.isfinite(share).all() and (share >= 0).all() and (share <= 1).all()):
            raise TalkerError("blend weights must lie in 0..1")
        end = other.resample(self.fps).curves
        end = end[np.minimum(np.arange(self.frame_count), len(end) - 1)]
        share = np.broadcast_to(share, (self.frame_count,))[:, None]
        return replace(self, curves=self.curves * (1 - share) + end * share, layers={})

    def mirrored(self) -> "FaceAnimation":
        """Left and right exchanged."""
        return replace(self, curves=self.curves[:, arkit.MIRROR] * arkit.MIRROR_SIGN, layers={})

    def save(self, path: Path | str) -> None:
        """Write to any format talker knows, by extension; `.npz` keeps everything."""
        from talker.export.registry import write_animation

        write_animation(self, Path(path))

    @classmethod
    def load(cls, path: Path | str) -> "FaceAnimation":
        """Read any format talker can read, by extension and content."""
        from talker.export.registry import read_animation

        return read_animation(Path(path))

    def __repr__(self) -> str:
        sound = (
            "no sound" if self.audio is None else f"sound {self.audio.duration:.2f} s at {self.audio.sample_rate} Hz"
        )
        return f"FaceAnimation({self.frame_count} frames at {self.fps:g} fps = {self.duration:.2f} s, {sound})"


def channel_index(name: str) -> int:
    """Position of a channel; an unknown name is an error that suggests the nearest one."""
    if name in arkit.INDEX:
        return arkit.INDEX[name]
    raise no_such("channel", name, arkit.CHANNELS, f"`talker rigs show arkit` lists all {arkit.CHANNEL_COUNT}")


def plain_meta(meta: Mapping[str, Any]) -> dict[str, Any]:
    """The meta data as plain JSON types; what JSON cannot hold is an error."""
    try:
        return json.loads(json.dumps(dict(meta), allow_nan=False))
    except (TypeError, ValueError, RecursionError) as error:
        raise TalkerError(f"meta data must be JSON-able: {error}") from error


def _check_values(curves: np.ndarray) -> None:
    bad = ~np.isfinite(curves)
    if bad.any():
        frame, channel = np.unravel_index(np.argmax(bad), bad.shape)
        raise TalkerError(
            f"channel {arkit.CHANNELS[channel]} is {curves[frame, channel]} in frame {frame} "
            f"({bad.sum()} values are not finite numbers)"
        )
    low = np.where(np.arange(arkit.CHANNEL_COUNT) < arkit.SHAPE_COUNT, 0.0, -np.pi).astype(np.float32)
    high = np.where(np.arange(arkit.CHANNEL_COUNT) < arkit.SHAPE_COUNT, 1.0, np.pi).astype(np.float32)
    bad = (curves < low - _ROUNDING) | (curves > high + _ROUNDING)
    if bad.any():
        frame, channel = np.unravel_index(np.argmax(bad), bad.shape)
        raise TalkerError(
            f"channel {arkit.CHANNELS[channel]} is {curves[frame, channel]:g} in frame {frame}, "
            f"outside {low[channel]:.4g}..{high[channel]:.4g} ({bad.sum()} values in all)"
        )


def _check_emotion(keys: Any) -> None:
    if not isinstance(keys, (list, tuple)):
        raise TalkerError(f"the emotion track must be a list of keys, not {type(keys).__name__}")
    before = -np.inf
    for place, key in enumerate(keys):
        if not (isinstance(key, Mapping) and _is_number(key.get("time")) and isinstance(key.get("weights"), Mapping)):
            raise TalkerError(f'emotion key {place} must be {{"time": seconds, "weights": {{label: 0..1}}}}')
        if key["time"] < before:
            raise TalkerError(f"emotion key {place} at {key['time']:g} s comes after one at {before:g} s; sort them")
        before = key["time"]
        for label, weight in key["weights"].items():
            if not (_is_number(weight) and 0 <= weight <= 1):
                raise TalkerError(f"emotion key {place}: the weight of {label!s:.40} must lie in 0..1")


def _is_number(value: Any) -> bool:
    # The comparison refuses infinities, NaN and integers that no float can hold.
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) <= sys.float_info.max


def _lerp(values: np.ndarray, position: np.ndarray) -> np.ndarray:
    """Rows of `values` at fractional row numbers, held at the ends. (T, C), (S,) -> (S, C)."""
    position = np.clip(position, 0, len(values) - 1)
    nearest = np.rint(position)
    position = np.where(np.abs(position - nearest) < _SAME_TIME, nearest, position)
    low = position.astype(int)
    high = np.minimum(low + 1, len(values) - 1)
    share = (position - low).astype(np.float32)[:, None]
    return values[low] * (1 - share) + values[high] * share


def _restore_closures(curves: np.ndarray, fps: float, source: np.ndarray, source_fps: float) -> None:
    """Close the lips in `curves` (in place) wherever they close in `source` and interpolation left them open."""
    aperture = arkit.lip_aperture(source)
    closed = _closure_frames(aperture, source_fps)  # The tightest last: it wins where two meet in one frame.
    nearest = np.clip(np.rint(closed * (fps / source_fps)).astype(int), 0, len(curves) - 1)
    lost = arkit.lip_aperture(curves[nearest]) > aperture[closed] + _LOST
    lips = np.array(arkit.LIP_CLOSING_CHANNELS)
    curves[np.ix_(nearest[lost], lips)] = source[np.ix_(closed[lost], lips)]


def _closure_frames(aperture: np.ndarray, fps: float) -> np.ndarray:
    """Frames in which the lips shut: low, no further open than the neighbours, opening nearby. The tightest last."""
    before, after = np.r_[np.inf, aperture[:-1]], np.r_[aperture[1:], np.inf]
    minimum = (aperture <= before) & (aperture <= after) & ((aperture < before) | (aperture < after))
    reach = max(1, round(_CLOSURE_REACH * fps))
    around = np.lib.stride_tricks.sliding_window_view(np.pad(aperture, reach, "edge"), 2 * reach + 1).max(axis=1)
    frames = np.flatnonzero(minimum & (aperture < _CLOSED) & (around - aperture >= _CLOSURE_RISE))
    return frames[np.argsort(-aperture[frames], kind="stable")]


def _keys_from(keys: list[dict[str, Any]], begin: float) -> list[dict[str, Any]]:
    """The emotion keys as seen from `begin`: later ones moved, and one at 0 with the mixture in force there."""
    if not keys:
        return []
    times = [key["time"] for key in keys]
    labels = dict.fromkeys(label for key in keys for label in key["weights"])
    now = {label: float(np.interp(begin, times, [k["weights"].get(label, 0.0) for k in keys])) for label in labels}
    return [{"time": 0.0, "weights": now}] + [{**k, "time": k["time"] - begin} for k in keys if k["time"] > begin]
