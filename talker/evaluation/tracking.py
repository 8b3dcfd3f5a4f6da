"""How well tracked curves follow the face they were tracked from: `python -m talker.evaluation.tracking --data DIR`.

The landmarks are aligned rigidly on the skull by themselves (a three-dimensional Procrustes fit, which knows nothing of
the solver), the solved head is measured from straight ahead; lengths are in outer eye distances of each.
"""

import json
import sys
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from talker.audio import NETWORK_RATE
from talker.rigs import arkit
from talker.rigs.head_mesh import HeadMesh
from talker.tracking.face_model import RIGID
from talker.tracking.landmarks import LandmarkTrack, read_track_set
from talker.tracking.person import lips_touch
from talker.tracking.rest import silent_frames
from talker.tracking.solve import Solution, solve_person

SETS = ("grid_s1", "javanese", "first_impressions")
TOUCHING_SLACK = 0.01
"""Lips touch when their gap is at most this much wider than a closed mouth's: 0.6 pixels of a GRID video."""

_MOUTH = (61, 291, 0, 17, 13, 14, 82, 87, 312, 317, 152)


@dataclass(frozen=True)
class Face:
    """Measurements (T,) of one face over time, in eye distances."""

    gap: np.ndarray
    width: np.ndarray
    chin: np.ndarray
    lids: np.ndarray
    brows: np.ndarray

    @classmethod
    def of(cls, points: np.ndarray) -> "Face":
        """(T, 478, 3) aligned points, y up."""
        unit = np.linalg.norm(points[:, 33] - points[:, 263], axis=1)
        up = points[..., 1] / unit[:, None]
        return cls(
            gap=(up[:, [82, 13, 312]] - up[:, [87, 14, 317]]).mean(1),
            width=np.linalg.norm((points[:, 61] - points[:, 291])[:, :2], axis=1) / unit,
            chin=up[:, 168] - up[:, 152],
            lids=(up[:, [159, 386]] - up[:, [145, 374]]).mean(1),
            brows=(up[:, [105, 66, 334, 296]] - up[:, [33, 133, 263, 362]]).mean(1),
        )


def aligned(points: np.ndarray) -> np.ndarray:
    """(T, 478, 3) -> the same, every frame turned, moved and scaled onto the mean of all on the skull."""
    rigid = np.array(list(RIGID))
    weights = np.array([RIGID[k] for k in rigid])[:, None]
    weights = weights / weights.sum()
    points = points - (weights * points[:, rigid]).sum(1, keepdims=True)
    mean = points[0, rigid]
    for _ in range(3):
        u, _, vt = np.linalg.svd(np.einsum("nk,tnl->tkl", weights * mean, points[:, rigid]))
        sign = np.ones((len(points), 3))
        sign[:, 2] = np.sign(np.linalg.det(u @ vt))
        out = points @ ((u * sign[:, None]) @ vt).transpose(0, 2, 1)
        size = np.sqrt((weights * out[:, rigid] ** 2).sum((1, 2)))
        out = out / size[:, None, None]
        mean = out[:, rigid].mean(0)
    return out


def head_landmarks(curves: np.ndarray, head: HeadMesh) -> np.ndarray:
    """(T, 61) -> (T, 478, 3) landmarks of the posed head, looking straight ahead."""
    still = torch.tensor(np.array(curves))
    still[:, arkit.HEAD] = 0
    rest = head.landmarks_of(head.neutral)
    moves = torch.stack([head.landmarks_of(delta) for delta in head.deltas]).flatten(1)
    return (rest + (still[:, : arkit.SHAPE_COUNT] @ moves).unflatten(1, (-1, 3))).double().numpy()


@dataclass(frozen=True)
class ClipFigures:
    """Per clip: correlations, counts of touching frames (both, landmarks only, head only), jitter, weights."""

    name: str
    gap_r: float
    width_r: float
    chin_r: float
    lids_r: float
    brows_r: float
    touching: tuple[int, int, int]
    silence_jitter: float
    silence_weights: np.ndarray
    mean_weights: np.ndarray


def measure(track: LandmarkTrack, solution: Solution, head: HeadMesh, touching: float) -> ClipFigures:
    """Compare one solved clip with its landmarks; `touching` is the person's gap of a closed mouth."""
    use = track.found & solution.valid
    if use.sum() < 10:
        raise ValueError(f"{track.name}: hardly any frame shows a face")
    lead = Face.of(aligned(track.points()[use].astype(np.float64)))
    posed = head_landmarks(solution.animation.curves, head)
    follow = Face.of(posed[use])
    rest = Face.of(head.landmarks_of(head.neutral).double().numpy()[None]).gap[0]
    wanted, got = lead.gap < touching + TOUCHING_SLACK, follow.gap < rest + TOUCHING_SLACK
    quiet = silent_frames(track.audio, track.fps, track.frame_count) if track.audio else np.zeros(len(use), bool)
    unit = np.linalg.norm(posed[0, 33] - posed[0, 263])
    steps = np.diff(posed[:, _MOUTH], n=2, axis=0) / np.sqrt(6) / unit  # white noise of this size per axis
    still = quiet[:-2] & quiet[1:-1] & quiet[2:] & solution.valid[2:]
    jitter = np.median(np.sqrt((steps[still] ** 2).sum(-1).mean(1))) if still.any() else np.nan
    shapes = solution.animation.shapes
    return ClipFigures(
        track.name,
        *(_correlation(getattr(lead, k), getattr(follow, k)) for k in ("gap", "width", "chin", "lids", "brows")),
        (int((wanted & got).sum()), int((wanted & ~got).sum()), int((~wanted & got).sum())),
        float(jitter),
        shapes[quiet].mean(0) if quiet.any() else np.full(arkit.SHAPE_COUNT, np.nan),
        shapes[solution.valid].mean(0),
    )


def _correlation(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.corrcoef(a, b)[0, 1]) if a.std() > 1e-6 and b.std() > 1e-6 else np.nan


def closed_gap(tracks: Sequence[LandmarkTrack]) -> float:
    """A person's lip gap when the lips touch."""
    gaps = [Face.of(aligned(t.points()[t.found].astype(np.float64))).gap for t in tracks if t.found.any()]
    gap = np.concatenate(gaps)
    return float(np.median(gap[lips_touch(gap)]))


def speaker_of(set_name: str, clip: str) -> str:
    """GRID's clips are one man's; a Javanese id begins with the actor; a stranger's is the video and the part of it."""
    if set_name == "javanese":
        return clip[:2]
    return clip.rsplit(".", 1)[0] if set_name == "first_impressions" else set_name


def load_people(folder: Path, limit: int | None = None) -> dict[str, list[LandmarkTrack]]:
    """The clips of a set by person."""
    people: dict[str, list[LandmarkTrack]] = defaultdict(list)
    for count, track in enumerate(read_track_set(folder)):
        if limit is not None and count >= limit:
            break
        if track.found.sum() > 10:
            people[speaker_of(folder.name, track.name)].append(track)
    return people


def resting_frames(set_name: str, track: LandmarkTrack) -> np.ndarray:
    """(T,) bool: silent, and in an acted set only in the neutral takes."""
    quiet = silent_frames(track.audio, track.fps, track.frame_count)
    return quiet & track.name.endswith("01_01") if set_name == "javanese" else quiet


def summary(figures: Iterable[ClipFigures]) -> dict[str, float]:
    """Medians over clips, F1 over all frames."""
    figures = list(figures)
    both, missed, extra = np.sum([f.touching for f in figures], axis=0)
    out = {k: float(np.nanmedian([getattr(f, k) for f in figures])) for k in ("gap_r", "width_r", "chin_r", "lids_r", "brows_r", "silence_jitter")}
    return out | {"touching_f1": float(2 * both / (2 * both + missed + extra)), "clips": len(figures), "gap_r_p10": float(np.nanpercentile([f.gap_r for f in figures], 10))}


def main() -> None:
    data = Path(sys.argv[1])
    limit = int(sys.argv[2]) if len(sys.argv) > 2 else None
    head = HeadMesh.load()
    for name in sys.argv[3].split(",") if len(sys.argv) > 3 else SETS:
        people = load_people(data / name, limit)
        figures = []; seconds = 0.0; frames = 0
        for person, tracks in people.items():
            begin = time.process_time()
            solutions = solve_person(tracks, head, [resting_frames(name, t) for t in tracks])
            seconds += time.process_time() - begin; frames += sum(t.frame_count for t in tracks)
            touching = closed_gap(tracks)
            figures += [measure(t, s, head, touching) for t, s in zip(tracks, solutions)]
        print(name, json.dumps({k: round(v, 4) for k, v in summary(figures).items()}), f"{frames / seconds:.0f} frames/s (cpu)")
        sil = np.nanmean([f.silence_weights for f in figures], 0); mean = np.mean([f.mean_weights for f in figures], 0)
        print("   rest: ", {n: round(float(v), 2) for n, v in zip(arkit.SHAPES, sil) if v > 0.03})
        print("   mean: ", {n: round(float(v), 2) for n, v in zip(arkit.SHAPES, mean) if v > 0.02})
        if name == "javanese":
            for emo in range(1, 7):
                sel = [f.mean_weights for f in figures if f.name[6:8] == f"{emo:02}"]
                m = np.mean(sel, 0)
                print("   emo", emo, {n: round(float(v), 2) for n, v in zip(arkit.SHAPES, m) if v > 0.05})


if __name__ == "__main__":
    main()
