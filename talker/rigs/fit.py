"""Fit a user's FLAME or SMPL-X model to our head, once; the result is kept and found again by the file's content.

Every landmark of our head is found on the model (`correspondence`), then the expression and jaw of each ARKit shape
are those that move the model's landmarks as the shape moves ours (`retarget` holds the result and applies it).
"""

import hashlib
import os
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from talker.errors import TalkerError
from talker.files import atomic_output, read_bytes
from talker.resources import rigs_dir
from talker.rigs import arkit
from talker.rigs.fitting.correspondence import CHIN, SKIN_LANDMARKS, Progress, match_landmarks
from talker.rigs.fitting.face_points import FacePoints
from talker.rigs.fitting.retarget import EXPRESSION_LIMIT, JAW_LIMIT, VERSION, RigFit, bounded_solution, landmark_metric
from talker.rigs.flame import FLAME
from talker.rigs.head_mesh import HeadMesh
from talker.rigs.skinning import ModelKind, SkinnedModel, load_model
from talker.rigs.smplx import SMPLX

if TYPE_CHECKING:
    from rich.progress import TaskID

# What the joint can do of each jaw shape. It cannot slide forward: turned instead, it would shut the mouth.
_JAW_AXES = {"jawOpen": [0], "jawLeft": [1], "jawRight": [1]}
_JAW_STEPS = 6

_recent: dict[tuple[object, ...], RigFit] = {}
"""The fit used last, so that a batch of files reads and measures the model once."""

KINDS: dict[str, ModelKind] = {"flame": FLAME, "smplx": SMPLX}


def cache_dir() -> Path:
    """Where fits are kept: $TALKER_CACHE, else talker's folder in the user's cache."""
    if "TALKER_CACHE" in os.environ:
        return Path(os.environ["TALKER_CACHE"])
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "talker"


def fit_for(path: Path, kind: ModelKind, progress: Progress = lambda *_: None) -> RigFit:
    """The fit of a model file: the one kept from before, or a new one that is kept. `path` may be a saved fit, too."""
    read_bytes(path, count=1)  # Names the file and the reason when it cannot be read at all.
    status = path.stat()
    key = (path.resolve(), status.st_mtime_ns, status.st_size, kind.name, cache_dir())
    if key not in _recent:
        _recent.clear()
        _recent[key] = _found_fit(path, kind, progress)
    return _recent[key]


def _found_fit(path: Path, kind: ModelKind, progress: Progress) -> RigFit:
    if _is_fit(path):
        return _of_kind(path, RigFit.load(path), kind)
    kept = kept_path(path, kind)
    if kept.is_file():
        try:
            return RigFit.load(kept)
        except TalkerError:
            kept.unlink()  # Damaged: it can be made again.
    return fit_file(path, kind, progress=progress)


def fit_file(
    path: Path, kind: ModelKind, landmarker: Path | None = None, progress: Progress = lambda *_: None
) -> RigFit:
    """Fit a model file anew and keep the result for every later conversion."""
    fit = fit_model(load_model(path, kind), HeadMesh.load(), landmarker, progress)
    with atomic_output(kept_path(path, kind)) as temporary:
        fit.save(temporary)
    return fit


def kept_path(path: Path, kind: ModelKind) -> Path:
    """Where the fit of this very model to this very head is kept: both go by their content."""
    parts = [read_bytes(path), read_bytes(rigs_dir() / "arkit" / "head.npz"), VERSION.encode()]
    digests = b"".join(hashlib.sha256(part).digest() for part in parts)
    return cache_dir() / f"{kind.name}-fit-{hashlib.sha256(digests).hexdigest()[:24]}.npz"


def fit_model(
    model: SkinnedModel, head: HeadMesh, landmarker: Path | None = None, progress: Progress = lambda *_: None
) -> RigFit:
    """Find our landmarks on the model, then the expression and jaw of every shape.

    `landmarker` is MediaPipe's face_landmarker.task, to look at the model as well as measure it.
    """
    sighted = None
    if landmarker is not None:
        from talker.rigs.fitting.sighting import sighted_landmarks

        progress("looking at the model", 0.0)
        sighted = sighted_landmarks(model, landmarker, SKIN_LANDMARKS)
    match = match_landmarks(head, model, sighted, progress)
    points = FacePoints.of(model, match.points)
    motions = _landmark_motions(head)
    wanted = match.scale * motions @ match.rotation.T
    jaw = np.stack([_jaw_of(name, points, motion) for name, motion in zip(arkit.SHAPES, wanted, strict=True)])
    solved = [_expression_of(points, pose, motion) for pose, motion in zip(jaw, wanted, strict=True)]
    expression, error = (np.stack(parts) for parts in zip(*solved, strict=True))
    return RigFit(
        kind=model.kind.name,
        basis=basis_name(model),
        scale=match.scale,
        rotation=match.rotation,
        motions=motions,
        expression=expression,
        jaw=jaw,
        points=points,
        error=error,
    )


def basis_name(model: SkinnedModel) -> str:
    """A digest of the expression basis: codes of one basis mean nothing in another (FLAME 2020 and 2023 differ)."""
    digest = hashlib.sha256(model.expression_basis.numpy().tobytes())
    return f"{model.kind.name}-{digest.hexdigest()[:16]}"


@contextmanager
def progress_bar() -> Iterator[Progress]:
    """A bar on the error stream; it appears with the first report, so a fit kept from before shows none."""
    from rich.console import Console
    from rich.progress import Progress as Bar

    console = Console(stderr=True)
    bar = Bar(console=console, transient=True, disable=not console.is_terminal)  # Nothing into logs.
    tasks: list[TaskID] = []

    def report(doing: str, share: float) -> None:
        if not tasks:
            bar.start()
            tasks.append(bar.add_task(doing, total=1.0))
        bar.update(tasks[0], description=doing, completed=share)

    try:
        yield report
    finally:
        if tasks:  # A bar that never started would still print an empty line.
            bar.stop()


def _landmark_motions(head: HeadMesh) -> np.ndarray:
    """(52, N, 3) what each shape does to our landmarks at weight 1."""
    weights = torch.zeros(arkit.SHAPE_COUNT, arkit.CHANNEL_COUNT)
    weights[:, : arkit.SHAPE_COUNT] = torch.eye(arkit.SHAPE_COUNT)
    rest = head.landmarks(torch.zeros(arkit.CHANNEL_COUNT))
    return (head.landmarks(weights) - rest)[:, :SKIN_LANDMARKS].double().numpy()


def _jaw_of(name: str, points: FacePoints, motion: np.ndarray) -> np.ndarray:
    """(3,) the jaw that brings the chin to where a shape puts ours: (N, 3) motion of the landmarks, model metres."""
    jaw = np.zeros(3)
    axes = _JAW_AXES.get(name)
    if axes is None:
        return jaw
    chin = points.at(CHIN)
    at_rest = torch.zeros(points.expression_count)
    wanted = chin.rest.double().numpy() + motion[list(CHIN)]
    for _ in range(_JAW_STEPS):
        pose = torch.from_numpy(jaw).float()
        missing = (wanted - chin(at_rest, pose).double().numpy()).ravel()
        jaw[axes] += np.linalg.lstsq(chin.jaw_slope(pose)[:, axes], missing, rcond=None)[0]
        jaw = np.clip(jaw, -JAW_LIMIT, JAW_LIMIT)
    return jaw


def _expression_of(points: FacePoints, jaw: np.ndarray, motion: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(E,) the expression that, with the jaw, moves the landmarks by (N, 3); and (N,) what is missing, metres."""
    pose = torch.from_numpy(jaw).float()
    count = points.expression_count
    slope, metric = points.expression_slope(pose), landmark_metric()
    left = (points.rest - points(torch.zeros(count), pose)).double().numpy() + motion
    system = slope.T @ (metric @ slope) + np.eye(count)
    bound = np.full((1, count), EXPRESSION_LIMIT)
    expression = bounded_solution(system, (left.ravel() @ (metric @ slope))[None], -bound, bound)[0]
    return expression, np.linalg.norm(left - (slope @ expression).reshape(-1, 3), axis=1)


def _is_fit(path: Path) -> bool:
    """Whether the file is an archive that lists the arrays of a fit; what it cannot tell, the reader will."""
    try:
        with zipfile.ZipFile(path) as archive:
            return "fit.npy" in archive.namelist()
    except (OSError, zipfile.BadZipFile):
        return False


def _of_kind(path: Path, fit: RigFit, kind: ModelKind) -> RigFit:
    if fit.kind != kind.name:
        raise TalkerError(f"{path}: is a fit of {KINDS[fit.kind].title}; a {kind.title} model or fit is needed")
    return fit
