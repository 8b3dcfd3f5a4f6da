"""How well tracked curves follow the face they were tracked from: `python -m talker.evaluation.tracking --data DIR`.

The landmarks are aligned rigidly on the skull by themselves (a three-dimensional Procrustes fit, which knows nothing of
the solver), the solved head is measured from straight ahead; lengths are in outer eye distances of each. Only the chin,
far from all that is rigid, needs a better measure, see `chin_drop`.
"""

import re
import sys
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from talker.cli.program import run_program
from talker.evaluation.metrics import jitter
from talker.rigs import arkit
from talker.rigs.head_mesh import HeadMesh
from talker.rigs.landmark_numbers import CHIN, GAP_LOWER, GAP_UPPER, MOUTH, NOSE_BRIDGE, OUTER_EYE_CORNERS
from talker.tracking.face_model import RIGID
from talker.tracking.landmarks import LandmarkTrack, read_track_set
from talker.tracking.person import closed_gap
from talker.tracking.pose import solve_pose
from talker.tracking.rest import silent_frames
from talker.tracking.solve import Solution, solve_person

SETS = ("grid_s1", "javanese", "first_impressions")
TOUCHING_SLACK = 0.01
"""Lips touch when their gap is at most this much wider than a closed mouth's: 0.6 pixels of a GRID video."""

_FROWN = (arkit.INDEX["browDownLeft"], arkit.INDEX["browDownRight"])
FEWEST_FRAMES = 10
ACTED = re.compile(r"\d\d-\d\d-\d\d_\d\d")
"""Names of the acted set's clips: actor, sentence, emotion, take."""
NEUTRAL, ANGRY = "01", "06"

_CHIN_ROUNDS = 3


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
            gap=(up[:, GAP_UPPER] - up[:, GAP_LOWER]).mean(1),
            width=np.linalg.norm((points[:, 61] - points[:, 291])[:, :2], axis=1) / unit,
            chin=up[:, NOSE_BRIDGE] - up[:, CHIN],
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


def chin_drop(points: np.ndarray) -> np.ndarray:
    """(T, 478, 3) pixels, y up -> (T,) how far the chin is below the bridge of the nose, in eye distances.

    The landmarker's depth tilts a face whose mouth opens, and a Procrustes fit follows it. So the head is turned by
    what the picture shows of the clip's own mean face, depth next to nothing, and the eye distance is the mean face's.
    On drawn heads that move like real ones this has r 0.95 with the true chin in the clips' median, Procrustes 0.79.
    """
    used = np.array([*RIGID, CHIN])
    weights = np.array([*RIGID.values(), 0.0])
    bridge, right, left = (list(RIGID).index(landmark) for landmark in (NOSE_BRIDGE, *OUTER_EYE_CORNERS))
    mean, points = aligned(points)[:, used].mean(0), points[:, used]
    for _ in range(_CHIN_ROUNDS):
        mean = mean / np.linalg.norm(mean[right] - mean[left])
        pose = solve_pose(points, mean, weights)
        mean = np.median(mean + pose.residual(points, mean, 1.0), 0)
    faces = mean + pose.residual(points, mean, 0.0)
    return (faces[:, bridge, 1] - faces[:, -1, 1]) / np.linalg.norm(mean[right] - mean[left])


def head_landmarks(curves: np.ndarray, head: HeadMesh) -> np.ndarray:
    """(T, 61) -> (T, 478, 3) landmarks of the posed head, looking straight ahead."""
    still = torch.tensor(np.array(curves))
    still[:, arkit.HEAD] = 0
    rest = head.landmarks_of(head.neutral)
    moves = torch.stack([head.landmarks_of(delta) for delta in head.deltas]).flatten(1)
    return (rest + (still[:, : arkit.SHAPE_COUNT] @ moves).unflatten(1, (-1, 3))).double().numpy()


@dataclass(frozen=True)
class ClipFigures:
    """One clip.

    Attributes:
        gap_r, width_r, chin_r, lids_r, brows_r: Pearson correlations of the head's measurements with the landmarks'.
        gap_slope: How much the head's lips open for each unit that the landmarks' lips open.
        touching: Frames in which the lips touch: both, only the landmarks', only the head's.
        silence_jitter: Noise of the mouth's points while nothing is heard: `metrics.jitter`, in eye distances.
        rest_weights: (R, 52) of silent frames with touching lips (acted sets: of neutral takes).
        mean_weights: (52,) means over all frames.
        brow_height: Mean height of the brows over the eyes in the landmarks.
        frames: How many were compared.
    """

    name: str
    gap_r: float
    width_r: float
    chin_r: float
    lids_r: float
    brows_r: float
    touching: tuple[int, int, int]
    gap_slope: float
    silence_jitter: float
    rest_weights: np.ndarray
    mean_weights: np.ndarray
    brow_height: float
    frames: int


def measure(track: LandmarkTrack, solution: Solution, head: HeadMesh, touching: float) -> ClipFigures:
    """Compare one solved clip with its landmarks; `touching` is the person's gap of a closed mouth."""
    use = track.found & solution.valid
    points = track.points()[use].astype(np.float64)
    lead = replace(Face.of(aligned(points)), chin=chin_drop(points))
    posed = head_landmarks(solution.animation.curves, head)
    follow = Face.of(posed[use])
    closed = Face.of(head.landmarks_of(head.neutral).double().numpy()[None]).gap[0]
    wanted, got = lead.gap < touching + TOUCHING_SLACK, follow.gap < closed + TOUCHING_SLACK
    shapes = solution.animation.shapes
    quiet = silent_frames(track.audio, track.fps, track.frame_count)
    resting = resting_frames(track)[use] & wanted
    return ClipFigures(
        track.name,
        gap_r=_correlation(lead.gap, follow.gap),
        width_r=_correlation(lead.width, follow.width),
        chin_r=_correlation(lead.chin, follow.chin),
        lids_r=_correlation(lead.lids, follow.lids),
        brows_r=_correlation(lead.brows, follow.brows),
        touching=(int((wanted & got).sum()), int((wanted & ~got).sum()), int((~wanted & got).sum())),
        gap_slope=float(np.polyfit(lead.gap, follow.gap, 1)[0]),
        silence_jitter=jitter(_mouth(posed), quiet & solution.valid),
        rest_weights=shapes[use][resting],
        mean_weights=shapes[use].mean(0),
        brow_height=float(lead.brows.mean()),
        frames=int(use.sum()),
    )


def _mouth(posed: np.ndarray) -> np.ndarray:
    """(T, 478, 3) -> (T, N, 2) points of the mouth in eye distances."""
    return posed[:, MOUTH, :2] / np.linalg.norm(posed[0, 33] - posed[0, 263])


def _correlation(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.corrcoef(a, b)[0, 1]) if a.std() > 1e-6 and b.std() > 1e-6 else np.nan


def _closed_gap(tracks: Sequence[LandmarkTrack], resting: Sequence[np.ndarray]) -> float:
    """A person's lip gap when the lips touch."""
    gaps = [Face.of(aligned(t.points()[t.found].astype(np.float64))).gap for t in tracks]
    rest = np.concatenate([r[t.found] for r, t in zip(resting, tracks, strict=True)])
    return closed_gap(np.concatenate(gaps), rest)


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
        if track.found.sum() >= FEWEST_FRAMES:
            people[speaker_of(folder.name, track.name)].append(track)
    return people


def resting_frames(track: LandmarkTrack) -> np.ndarray:
    """(T,) bool: where nothing is heard; none in the acted takes of an acted set. `talker prepare` sees it so too."""
    silent = silent_frames(track.audio, track.fps, track.frame_count)
    return silent & (not ACTED.match(track.name) or track.name[6:8] == NEUTRAL)


def summary(figures: Sequence[ClipFigures]) -> dict[str, float]:
    """Medians over clips; precision, recall and F1 of touching lips over all frames."""
    both, missed, extra = np.sum([f.touching for f in figures], axis=0)
    medians = {
        name: float(np.nanmedian([getattr(f, name) for f in figures]))
        for name in ("gap_r", "width_r", "chin_r", "lids_r", "brows_r", "gap_slope")
    }
    noise = [f.silence_jitter for f in figures if np.isfinite(f.silence_jitter)]
    return {
        "clips": len(figures),
        **medians,
        "gap_r_10th": float(np.nanpercentile([f.gap_r for f in figures], 10)),
        "touching_f1": float(2 * both / max(2 * both + missed + extra, 1)),
        "touching_share": float((both + missed) / max(sum(f.frames for f in figures), 1)),
        "silence_jitter": float(np.median(noise)) if noise else float("nan"),
    }


def evaluate_set(
    folder: Path, head: HeadMesh, clips: int | None = None
) -> tuple[list[ClipFigures], list[tuple[LandmarkTrack, Solution]], float]:
    """Solve a set person by person: figures, solved clips, and frames solved per second of processor time."""
    figures, solved, seconds, frames = [], [], 0.0, 0
    for tracks in load_people(folder, clips).values():
        resting = [resting_frames(track) for track in tracks]
        begin = time.process_time()
        solutions = solve_person(tracks, head, resting)
        seconds += time.process_time() - begin
        frames += sum(track.frame_count for track in tracks)
        touching = _closed_gap(tracks, resting)
        for track, solution in zip(tracks, solutions, strict=True):
            solved.append((track, solution))
            if (track.found & solution.valid).sum() >= FEWEST_FRAMES:
                figures.append(measure(track, solution, head, touching))
    return figures, solved, frames / seconds


def report(name: str, figures: Sequence[ClipFigures], speed: float) -> str:
    """The figures of a set as text."""
    lines = [f"{name}: " + "  ".join(f"{key} {value:.4g}" for key, value in summary(figures).items())]
    lines[0] += f"  {speed:.0f} frames/s"
    lines += _at_rest(name, figures)
    lines.append("  mean:    " + _named(np.mean([f.mean_weights for f in figures], 0), 0.03))
    if name == "javanese":
        lines += _emotions(figures)
    return "\n".join(lines)


def _at_rest(name: str, figures: Sequence[ClipFigures]) -> list[str]:
    """What is left of expression in faces at rest: each person's median weights, gaze aside; and their spread."""
    people: dict[str, list[np.ndarray]] = defaultdict(list)
    for f in figures:
        people[speaker_of(name, f.name)].append(f.rest_weights)
    frames = {person: np.concatenate(parts) for person, parts in people.items()}
    resting = {person: np.median(part, 0) for person, part in frames.items() if len(part) >= FEWEST_FRAMES}
    if not resting:
        return ["  at rest: nobody was seen at rest"]
    looks = [i for i, shape in enumerate(arkit.SHAPES) if shape.startswith("eyeLook")]
    for weights in resting.values():
        weights[looks] = 0
    everybody = np.array(list(resting.values()))
    return [
        f"  at rest, median of {len(resting)} people: {_named(np.median(everybody, 0), 0.03) or 'nothing above 0.03'}",
        f"  at rest, mean of {len(resting)} people: {_named(everybody.mean(0), 0.03) or 'nothing above 0.03'}",
        *(
            f"  {person} at rest ({len(frames[person])} frames): {_named(weights, 0.08) or 'nothing above 0.08'}"
            for person, weights in resting.items()
        ),
    ]


def _emotions(figures: Sequence[ClipFigures]) -> list[str]:
    """Per actor of the acted set: browDown, and brow height in landmarks, neutral and angry."""
    lines = []
    for actor in sorted({f.name[:2] for f in figures}):
        neutral, angry = (
            [f for f in figures if f.name.startswith(actor) and f.name[6:8] == code] for code in (NEUTRAL, ANGRY)
        )
        if neutral and angry:
            down = [np.mean([f.mean_weights[list(_FROWN)].mean() for f in clips]) for clips in (neutral, angry)]
            height = [np.mean([f.brow_height for f in clips]) for clips in (neutral, angry)]
            lines.append(
                f"  actor {actor}: browDown neutral {down[0]:.2f} angry {down[1]:.2f}; "
                f"brow landmarks {100 * (height[1] - height[0]):+.1f} % of eye distance"
            )
    return lines


def _named(weights: np.ndarray, least: float) -> str:
    return ", ".join(f"{n} {v:.2f}" for n, v in zip(arkit.SHAPES, weights, strict=True) if v > least)


@dataclass(frozen=True)
class EvaluateTracking:
    """Measure the tracker on landmark tracks."""

    data: Path
    """Folder that holds the sets."""
    sets: tuple[str, ...] = SETS
    """Which of them."""
    clips: int | None = None
    """Only so many clips of each set."""
    sheets: Path | None = None
    """Folder for a contact sheet of every set: landmarks beside the solved head."""

    def run(self) -> None:
        """Print the figures of every set."""
        head = HeadMesh.load()
        for name in self.sets:
            figures, solved, speed = evaluate_set(self.data / name, head, self.clips)
            print(report(name, figures, speed), flush=True)  # noqa: T201
            if self.sheets is not None:
                from talker.evaluation.contact_sheet import write_contact_sheet

                write_contact_sheet(solved, head, self.sheets / f"{name}.png")


if __name__ == "__main__":
    sys.exit(run_program(EvaluateTracking))
