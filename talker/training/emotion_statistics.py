"""What actors' faces do in each emotion, blended with the poses built from action units: `rigs/emotions/acting.json`.

    python -m talker.training.emotion_statistics --shards shards -o rigs/emotions/acting.json

Every number says where it is from: "learnt" from solved clips, "built" by hand, or "both", the mean of the two.
"""

import json
import re
import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import tyro

from talker.cli.program import run_program
from talker.datasets.report import MANIFEST_FILE
from talker.datasets.samples import Curves
from talker.datasets.shards import read_samples, shard_path
from talker.direction.acting import parted
from talker.emotion import EMOTIONS, emotion_pose
from talker.errors import TalkerError
from talker.files import atomic_output, read_text
from talker.rigs import arkit
from talker.rigs.lips import Lips

# Built: how soon a face has changed when its owner's mood does, and numbers for emotions that nobody acted.
_ONSET_SECONDS = {"surprised": 0.12, "fear": 0.18, "angry": 0.25, "sad": 0.5}
_USUAL_ONSET_SECONDS = 0.3
_BUILT_AMPLITUDE = {"disgusted": 0.95, "contempt": 0.85}
_BUILT_WOBBLE = 0.25

# Tracking shows too little of brows, cheeks and nose, and cannot tell an emotion's squint from another's eyes.
_LEARNT_FROM = ("mouth", "jaw", "eyeWide")
_NOT_EXPRESSION = ("jawLeft", "jawRight", "mouthLeft", "mouthRight", "mouthClose", "mouthShrugUpper")
_ROUNDING = ("mouthPucker", "mouthFunnel")  # Vowels need it, smiling or not.
_CLEAR, _FEW_ACTORS = 2.0, 4  # In standard errors of the mean over actors.
_LEAST_CHANGE = 0.05
_WOBBLE_IN = ("brow", "eyeWide")
_WOBBLE_SMOOTH_SECONDS = 0.3
_REAL_SHARE = 0.5  # Of the unsteadiness; the rest is blinks and the tracker.
_LEAST_POSE = 0.12
_RARENESS = np.linspace(2, 98, 49)  # Percent.

Take = tuple[np.ndarray, np.ndarray, float]
"""Curves (T, 52) of the frames with a face, lip gap (T,) of the landmarks, frames per second."""


@dataclass(frozen=True)
class EmotionStatistics:
    """Measure acted clips and write the table that `talker.direction.acting` performs by."""

    shards: Annotated[Path, tyro.conf.arg(metavar="DIR")]
    """Folder made by `talker prepare` that holds a set in which each actor acts several emotions and a neutral one."""
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"], metavar="FILE.json")]
    """The table."""
    set: str = "javanese"
    """Which set of the shards; only its training split is read."""

    def run(self) -> None:
        """Measure and write."""
        table = acting_table(_takes(self.shards, self.set))
        with atomic_output(self.output) as temporary:
            temporary.write_text(_json_with_short_rows(table), encoding="utf-8")


def acting_table(takes: dict[tuple[str, str], list[Take]]) -> dict[str, Any]:
    """(actor, emotion) -> takes becomes emotion -> numbers, each with its source."""
    actors = sorted({actor for actor, label in takes if label == "neutral"})
    if len(actors) < _FEW_ACTORS:
        raise TalkerError(f"{len(actors)} actors are too few to learn from; at least {_FEW_ACTORS} are needed")
    table: dict[str, Any] = {}
    for label in EMOTIONS[1:]:
        pairs = [(takes[actor, "neutral"], takes[actor, label]) for actor in actors if (actor, label) in takes]
        shapes, damped = _shapes_of(label, pairs)
        parting = _parting_of_pose(label)
        table[label] = {
            "onset_seconds": [_ONSET_SECONDS.get(label, _USUAL_ONSET_SECONDS), "built"],
            "mouth_amplitude": [_BUILT_AMPLITUDE.get(label, 1.0), "built"],
            "parting": [round(parting, 3), "built"],
            "wobble": [_BUILT_WOBBLE, "built"],
            "shapes": shapes,
            "damped": damped,
        }
        if len(pairs) >= _FEW_ACTORS:
            amplitude, opened = np.median([_gaps_compared(*pair) for pair in pairs], axis=0)
            table[label]["mouth_amplitude"] = [round(float(amplitude), 2), "learnt"]
            table[label]["parting"] = [round(float(opened + parting) / 2, 3), "both"]
            table[label]["wobble"] = [round(_wobble(pairs), 2), "learnt"]
    return table


def _takes(folder: Path, name: str) -> dict[tuple[str, str], list[Take]]:
    takes: dict[tuple[str, str], list[Take]] = defaultdict(list)
    for about, curves in _clips(folder, name):
        seen = curves.valid & np.isfinite(curves.mouth).all(1)
        if seen.any() and about["emotion"]:
            shapes = curves.curves[seen, : arkit.SHAPE_COUNT]
            takes[about["speaker"], about["emotion"]].append((shapes, curves.mouth[seen, 0], curves.fps))
    if not takes:
        raise TalkerError(f"{folder} holds no training clip of '{name}' with an emotion and curves")
    return takes


def _clips(folder: Path, name: str) -> Iterator[tuple[dict[str, Any], Curves]]:
    rows = [json.loads(line) for line in read_text(folder / MANIFEST_FILE).splitlines()]
    wanted = [row["shard"] for row in rows if row["set"] == name and row["shard"].startswith("train-")]
    for shard in dict.fromkeys(wanted):
        for key, members in read_samples(shard_path(folder, shard)):
            if key.startswith(f"{name}/") and "curves.npz" in members:
                yield json.loads(members["json"]), Curves.decode(members["curves.npz"])


_Pair = tuple[list[Take], list[Take]]


def _shapes_of(label: str, pairs: Sequence[_Pair]) -> tuple[dict[str, Any], dict[str, Any]]:
    """What the emotion adds to each shape at full intensity, and the share of the shape's own motion it takes away."""
    built = emotion_pose(label)
    usual = np.array([_mean(neutral) for neutral, _ in pairs])
    change = np.array([_mean(acted) for _, acted in pairs]) - usual if len(pairs) else np.zeros((0, arkit.SHAPE_COUNT))
    shapes: dict[str, Any] = {}
    damped: dict[str, Any] = {}
    for name in arkit.SHAPES:
        stem, columns = _stem(name), [arkit.INDEX[name], arkit.INDEX[arkit.partner(name)]]
        value, own = float(built[columns[0]]), float(built[columns].max())
        if np.ptp(built[columns]):  # Only one side: nobody acted that.
            if value:
                shapes[name] = [round(value, 3), "built"]
            continue
        changes = change[:, columns].mean(1)
        if _learnable(name) and _is_clear(changes):
            mean = float(changes.mean())
            # Actors hold back; full intensity is what one of six exceeds.
            vivid = mean + float(np.sign(mean) * changes.std(ddof=1))
            if mean > 0:
                shapes[stem] = [round((vivid + own) / 2 if own else vivid, 3), "both" if own else "learnt"]
                continue
            if not name.startswith(_ROUNDING):
                damped[stem] = [round(min(-mean / max(float(usual[:, columns].mean()), 0.05), 0.9), 3), "learnt"]
        if own and not name.startswith("eyeLook"):  # Gaze is not speech's, and comes later.
            shapes[stem] = [round(own, 3), "built"]
    return shapes, damped


def _learnable(name: str) -> bool:
    return name.startswith(_LEARNT_FROM) and not name.startswith(_NOT_EXPRESSION)


def _is_clear(changes: np.ndarray) -> bool:
    if len(changes) < _FEW_ACTORS or abs(changes.mean()) < _LEAST_CHANGE:
        return False
    return bool(abs(changes.mean()) > _CLEAR * changes.std(ddof=1) / np.sqrt(len(changes)))


def _mean(takes: Sequence[Take]) -> np.ndarray:
    return np.concatenate([shapes for shapes, _, _ in takes]).mean(0)


def _gaps_compared(neutral: Sequence[Take], acted: Sequence[Take]) -> np.ndarray:
    """(2,) by which factor the lips open wider than in the same actor's neutral speech, and what is added when open.

    Other takes have other timing, so equally rare gaps are compared, not equally late ones.
    """
    usual, shown = (
        np.percentile(np.concatenate([gap for _, gap, _ in takes]), _RARENESS) for takes in (neutral, acted)
    )
    return np.linalg.lstsq(np.stack([usual, parted(usual)], axis=1), shown, rcond=None)[0]


def _parting_of_pose(label: str) -> float:
    """How far the built pose holds the lips apart, in eye distances."""
    return max(0.0, float(emotion_pose(label) @ Lips.of_default_head().rows[:, 0].numpy()))


def _wobble(pairs: Sequence[_Pair]) -> float:
    """Slow unsteadiness of the upper face within a clip, as a share of what the emotion does to it."""
    columns = [i for i, name in enumerate(arkit.SHAPES) if name.startswith(_WOBBLE_IN)]
    values = []
    for neutral, acted in pairs:
        rest = _mean(neutral)[columns]
        direction = _mean(acted)[columns] - rest
        if np.linalg.norm(direction) < _LEAST_POSE:
            continue
        for shapes, _, fps in acted:
            shown = (shapes[:, columns] - rest) @ direction / np.square(direction).sum()
            window = np.hanning(2 * round(_WOBBLE_SMOOTH_SECONDS * fps) + 1)
            values.append(np.convolve(shown, window / window.sum(), "valid").std())
    return _REAL_SHARE * float(np.median(values)) if values else _BUILT_WOBBLE


def _stem(name: str) -> str:
    if arkit.partner(name) == name or name.startswith(("jaw", "mouthLeft", "mouthRight")):
        return name
    return name.removesuffix("Left").removesuffix("Right")


def _json_with_short_rows(table: dict[str, Any]) -> str:
    """One number per line."""
    text = json.dumps(table, indent=1)
    return re.sub(r"\[\s+(-?[\d.]+),\s+(\"\w+\")\s+\]", r"[\1, \2]", text) + "\n"


if __name__ == "__main__":
    sys.exit(run_program(EmotionStatistics))
