"""Blinks, gaze and head of generated faces against those of people, over an hour.

`python -m talker.evaluation.liveliness SOUNDS -o liveliness.png` lets the default model speak half an hour of the
sounds of a folder and keep quiet for another half, measures what comes out, not what was planned, and draws it.

People's figures: blinks of 150 people (Bentivoglio et al. 1997) and how long one takes (Stern, Walrath and Goldstein
1984); looks at a face in conversation (Rogers et al. 2018) and in talk and listening (Lee, Badler and Badler 2002);
sizes of saccades (Bahill, Adler and Stark 1975); durations (Carpenter 1988) and speeds (Baloh et al. 1975) of sideways
ones, eyes and lids being slower up and down. Heads
of 42 people talking to a camera for 15 seconds each and of eight actors are our own tracking of film.
"""

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import tyro
from PIL import Image

from talker.animation import FaceAnimation
from talker.audio import NETWORK_RATE, Audio, read_audio
from talker.cli.program import run_program
from talker.errors import TalkerError
from talker.files import atomic_output
from talker.finishing import finish
from talker.finishing.look_at import CAMERA
from talker.finishing.speed import human_speed
from talker.render.line_chart import line_chart, stacked
from talker.rigs import arkit

_FPS = 240.0  # Enough to time a saccade of 25 ms.
_PIECE_MINUTES = 5.0
_SACCADE_SPEED = np.radians(30.0)  # Per second: beyond this the gaze jumps.
_SMALLEST_SACCADE = np.radians(0.5)
_ON_FACE = np.radians(4.0)
_LIDS_MOVE = 0.1
_WINDOW_SECONDS = 15.0
_PAUSES = (0.3, 1.5)
_CHART_SIZE = (1100, 260)


@dataclass
class Observed:
    """What is seen in a face for a while; angles in degrees, times in seconds."""

    minutes: float
    blink_starts: list[np.ndarray]
    blink_lengths: np.ndarray
    fixations: np.ndarray
    saccades: np.ndarray  # (N, 4): size, duration, highest speed, and how far sideways.
    looks: np.ndarray
    share_on_face: float
    head_deviations: np.ndarray  # (windows, 3): yaw, pitch, roll.
    head_speeds: np.ndarray  # (3,): root mean square.
    fastest: np.ndarray  # (61,) per second.

    @property
    def blink_intervals(self) -> np.ndarray:
        """Seconds from one blink to the next."""
        return np.concatenate([np.diff(starts) for starts in self.blink_starts])

    @property
    def sideways(self) -> np.ndarray:
        """The saccades that go aside at most."""
        return self.saccades[self.saccades[:, 3] > 0.9 * self.saccades[:, 0]]

    @property
    def blinks_per_minute(self) -> float:
        """Over the whole time."""
        return sum(map(len, self.blink_starts)) / self.minutes


def observe(takes: list[FaceAnimation]) -> Observed:
    """Measure takes that look into the camera."""
    blinks = [_runs(take.channel("eyeBlinkLeft") > _LIDS_MOVE, take.fps) for take in takes]
    gazes = [_gaze(take) for take in takes]
    jumps = [np.linalg.norm(np.diff(gaze, axis=0), axis=1) * take.fps for gaze, take in zip(gazes, takes, strict=True)]
    moving = [_runs(speed > _SACCADE_SPEED, take.fps) for speed, take in zip(jumps, takes, strict=True)]
    saccades, fixations = [], []
    for take, gaze, speed, runs in zip(takes, gazes, jumps, moving, strict=True):
        frames = np.rint(runs * take.fps).astype(int)
        step = gaze[frames[:, 1]] - gaze[frames[:, 0]]
        size, aside = np.linalg.norm(step, axis=1), np.abs(step[:, 0])
        large = size > _SMALLEST_SACCADE
        peak = np.array([speed[first:last].max() for first, last in frames])
        measured = np.degrees(size), runs[:, 1] - runs[:, 0], np.degrees(peak), np.degrees(aside)
        saccades.append(np.stack(measured, axis=1)[large])
        fixations.append(runs[large][1:, 0] - runs[large][:-1, 1])
    on_face = [np.linalg.norm(gaze, axis=1) < _ON_FACE for gaze in gazes]
    heads = [np.degrees(take.curves[:, arkit.HEAD]) for take in takes]
    speeds = [np.abs(np.diff(take.curves, axis=0)).max(axis=0) * take.fps for take in takes]
    return Observed(
        minutes=sum(take.duration for take in takes) / 60,
        blink_starts=[runs[:, 0] for runs in blinks],
        blink_lengths=np.concatenate([runs[:, 1] - runs[:, 0] for runs in blinks]),
        fixations=np.concatenate(fixations),
        saccades=np.concatenate(saccades),
        looks=np.concatenate(
            [np.diff(_runs(here, take.fps), axis=1)[:, 0] for here, take in zip(on_face, takes, strict=True)]
        ),
        share_on_face=float(np.mean(np.concatenate(on_face))),
        head_deviations=np.concatenate([_windows(head).std(axis=1) for head in heads]),
        head_speeds=np.sqrt(np.mean([np.mean((np.diff(head, axis=0) * _FPS) ** 2, axis=0) for head in heads], axis=0)),
        fastest=np.max(speeds, axis=0),
    )


def figures(talking: Observed, idle: Observed) -> list[tuple[str, float, float, float]]:
    """Name, value, and the least and most of people."""
    sizes, durations, speeds, _ = talking.sideways.T
    slope, offset = np.polyfit(sizes, durations * 1000, 1)
    yaw, pitch, roll = np.median(talking.head_deviations, axis=0)
    return [
        ("blinks a minute, talking", talking.blinks_per_minute, 15, 26),
        ("blinks a minute, silent", idle.blinks_per_minute, 8, 22),
        ("median length of a blink, ms", 1000 * float(np.median(talking.blink_lengths)), 150, 400),
        ("longest blink, ms", 1000 * float(talking.blink_lengths.max()), 200, 500),
        ("median fixation, ms", 1000 * float(np.median(talking.fixations)), 200, 700),
        ("saccades of 15 degrees or less, %", 100 * float(np.mean(talking.saccades[:, 0] <= 15)), 86, 100),
        ("saccade, ms per degree", slope, 1.8, 2.8),
        ("saccade, ms at 0 degrees", offset, 15, 37),
        ("fastest of a 10-degree saccade, degrees/s", float(np.median(speeds[np.abs(sizes - 10) < 2])), 260, 420),
        ("mean look at the face, s, talking", float(talking.looks.mean()), 1.5, 4.0),
        ("time on the face, %, talking", 100 * talking.share_on_face, 50, 85),
        ("time on the face, %, silent", 100 * idle.share_on_face, 70, 97),
        ("head yaw in 15 s, degrees, talking", yaw, 1.5, 9.0),
        ("head pitch in 15 s, degrees, talking", pitch, 1.5, 5.8),
        ("head roll in 15 s, degrees, talking", roll, 1.1, 6.4),
        ("head yaw, degrees/s, talking", talking.head_speeds[0], 2, 22.6),
        ("head pitch, degrees/s, talking", talking.head_speeds[1], 4.9, 18.1),
        ("head roll, degrees/s, talking", talking.head_speeds[2], 1.1, 13.9),
        ("head yaw in 15 s, degrees, silent", float(np.median(idle.head_deviations[:, 0])), 0.4, 6.0),
        ("fastest eyes and head, share of people's fastest", _eyes_and_head(talking), 0, 1),
    ]


def charts(talking: Observed, idle: Observed) -> Image.Image:
    """Distributions beside people's."""
    return stacked([*_eye_charts(talking, idle), *_saccade_charts(talking), *_head_charts(talking, idle)])


def _eye_charts(talking: Observed, idle: Observed) -> list[Image.Image]:
    both = {"talking": talking, "silent": idle}
    seconds, degrees = np.arange(0, 15.01, 0.5), np.arange(0, 30.1, 1.0)
    rest, talk = (_log_normal(_middles(seconds), 60 / rate, 0.6) for rate in (17, 26))
    sizes = np.exp(-_middles(degrees) / 6.9) / 6.9
    return [
        _density(
            "seconds between blinks (people: 17 a minute at rest, 26 talking)",
            seconds,
            {name: seen.blink_intervals for name, seen in both.items()},
            {"people at rest": rest, "people talking": talk},
        ),
        _density(
            "length of a blink, s", np.arange(0, 0.61, 0.02), {name: seen.blink_lengths for name, seen in both.items()}
        ),
        _density(
            "length of a fixation, s", np.arange(0, 3.01, 0.1), {name: seen.fixations for name, seen in both.items()}
        ),
        _density(
            "size of a saccade, degrees",
            degrees,
            {name: seen.saccades[:, 0] for name, seen in both.items()},
            {"people talking": sizes},
        ),
    ]


def _saccade_charts(talking: Observed) -> list[Image.Image]:
    at = np.arange(1.0, 26.0)
    near = [np.abs(talking.sideways[:, 0] - degree) < 0.5 for degree in at]
    lengths, speeds = (
        [scale * float(np.median(talking.sideways[k, column])) if k.any() else np.nan for k in near]
        for column, scale in ((1, 1000), (2, 1))
    )
    return [
        line_chart(
            "length of a sideways saccade, ms, by its size in degrees",
            at.tolist(),
            {"talker": lengths, "Carpenter": list(2.2 * at + 21), "Baloh": list(2.7 * at + 37)},
            _CHART_SIZE,
        ),
        line_chart(
            "highest speed of a sideways saccade, degrees/s, by its size in degrees",
            at.tolist(),
            {"talker": speeds, "Baloh": list(551 * (1 - np.exp(-at / 14)))},
            _CHART_SIZE,
        ),
    ]


def _head_charts(talking: Observed, idle: Observed) -> list[Image.Image]:
    people = " (people: yaw 1.5 to 6, pitch 3, roll 1 to 4)"
    return [
        _density(
            f"deviation of the head in 15 s, degrees, {doing}",
            np.arange(0, 12.1, 0.5),
            dict(zip(("yaw", "pitch", "roll"), seen.head_deviations.T, strict=True)),
        )
        for doing, seen in ((f"talking{people}", talking), ("silent", idle))
    ]


def _density(
    title: str, edges: np.ndarray, of: Mapping[str, np.ndarray], people: Mapping[str, np.ndarray] | None = None
) -> Image.Image:
    """How often each size was seen, beside how often it is in people."""
    seen = {name: np.histogram(values, edges, density=True)[0] for name, values in of.items()}
    lines = {name: list(line) for name, line in (seen | dict(people or {})).items()}
    return line_chart(title, _middles(edges).tolist(), lines, _CHART_SIZE)


def _middles(edges: np.ndarray) -> np.ndarray:
    return (edges[1:] + edges[:-1]) / 2


def main(
    sounds: Annotated[Path, tyro.conf.Positional],
    out: Annotated[Path, tyro.conf.arg(aliases=["-o"])] = Path("liveliness.png"),
    minutes: float = 60.0,
    seed: int = 0,
) -> None:
    """Measure an hour of generated face.

    Args:
        sounds: A folder of speech.
        out: The picture to write.
        minutes: How much, half of it talking.
        seed: Of the performances.
    """
    talking = observe(list(_talking(sounds, minutes / 2, seed)))
    pieces = max(1, round(minutes / 2 / _PIECE_MINUTES))
    silent = np.zeros((round(minutes * 30 / pieces * _FPS), arkit.CHANNEL_COUNT), np.float32)
    idle = observe([finish(FaceAnimation(silent, _FPS), seed=seed + piece) for piece in range(pieces)])
    for name, value, low, high in figures(talking, idle):
        verdict = "as people" if low <= value <= high else "NOT AS PEOPLE"
        print(f"{name:50} {value:8.2f}   people {low:g} to {high:g}   {verdict}")  # noqa: T201
    with atomic_output(out) as path:
        charts(talking, idle).save(path)


def _talking(folder: Path, minutes: float, seed: int) -> Iterator[FaceAnimation]:
    """The default model speaking what the folder holds, again and again, with pauses."""
    from talker.inference import load_model

    paths = sorted(path for path in folder.iterdir() if path.suffix in (".wav", ".flac", ".opus", ".mp3"))
    if not paths:
        raise TalkerError(f"{folder} holds no sound")
    model, random = load_model("default"), np.random.default_rng(seed)
    for piece in range(max(1, round(minutes / _PIECE_MINUTES))):
        wanted = round(min(minutes, _PIECE_MINUTES) * 60 * NETWORK_RATE)
        parts: list[np.ndarray] = []
        while sum(map(len, parts)) < wanted:
            parts.append(read_audio(paths[random.integers(len(paths))]).resample(NETWORK_RATE).samples)
            parts.append(np.zeros(round(random.uniform(*_PAUSES) * NETWORK_RATE), np.float32))
        audio = Audio(np.concatenate(parts)[:wanted], NETWORK_RATE)
        yield finish(FaceAnimation(model.curves(audio.samples), 50, audio).resample(_FPS), seed=seed + piece)


def _runs(flags: np.ndarray, fps: float) -> np.ndarray:
    """(N, 2) start and end in seconds of what is true, whole runs only."""
    edges = np.flatnonzero(np.diff(flags.astype(int)))
    edges = edges[1:] if len(edges) and flags[0] else edges
    return (edges[: len(edges) // 2 * 2].reshape(-1, 2) + 1) / fps


def _gaze(take: FaceAnimation) -> np.ndarray:
    """(T, 2) where the eyes look in the room, against the camera."""
    eyes = (take.curves[:, arkit.LEFT_EYE] + take.curves[:, arkit.RIGHT_EYE]) / 2
    return (eyes + take.curves[:, arkit.HEAD])[:, :2] - [CAMERA.yaw, CAMERA.pitch]


def _windows(values: np.ndarray) -> np.ndarray:
    """(T, C) -> (windows, frames, C)."""
    frames = min(round(_WINDOW_SECONDS * _FPS), len(values))
    return values[: len(values) // frames * frames].reshape(-1, frames, values.shape[1])


def _log_normal(values: np.ndarray, median: float, deviation: float) -> np.ndarray:
    apart = np.log(values / median) / deviation
    return np.exp(-0.5 * apart**2) / (values * deviation * np.sqrt(2 * np.pi))


def _eyes_and_head(seen: Observed) -> float:
    """The fastest of what finishing moves, as a share of people's fastest."""
    moved = [i for i, name in enumerate(arkit.CHANNELS) if arkit.region(name) in ("eyes", "head")]
    return float(np.max(seen.fastest[moved] / human_speed()[moved]))


if __name__ == "__main__":
    sys.exit(run_program(main))
