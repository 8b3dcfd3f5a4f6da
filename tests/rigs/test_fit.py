"""Fitting a model of another person: where our landmarks lie on it, and how well it then moves as we do."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from surrogate_models import Surrogate, _Bend, flame_surrogate, write_pickle

from talker.animation import FaceAnimation
from talker.errors import TalkerError
from talker.rigs import arkit, fit
from talker.rigs.fitting.correspondence import match_landmarks
from talker.rigs.fitting.face_points import FacePoints
from talker.rigs.fitting.retarget import (
    EXPRESSION_LIMIT,
    LOOK_SHAPES,
    RigFit,
    bounded_solution,
)
from talker.rigs.fitting.surface import StretchySkin, Surface, SurfacePoints, similarity, vertex_normals
from talker.rigs.flame import FLAME, load_flame
from talker.rigs.head_mesh import HeadMesh
from talker.rigs.landmark_numbers import INNER_LIPS_LOWER, INNER_LIPS_UPPER, LIPS
from talker.rigs.skinning import SkinnedModel
from talker.rigs.smplx import SMPLX, load_smplx

TAKES = Path(__file__).parents[3] / "shared/data/livelink_takes"
LANDMARKER = Path(__file__).parents[3] / "shared/models/face_landmarker.task"
SPEECH = ("jawOpen", "mouthClose", "mouthFunnel", "mouthPucker", "mouthSmileLeft", "mouthSmileRight", "mouthRollLower")


@pytest.fixture(scope="module")
def flame(flame_file: Path) -> SkinnedModel:
    return load_flame(flame_file)


def shape_weights(**named: float) -> np.ndarray:
    weights = np.zeros((1, arkit.SHAPE_COUNT), np.float32)
    for name, value in named.items():
        weights[0, arkit.INDEX[name]] = value
    return weights


def speech(frames: int) -> np.ndarray:
    """Weights (T, 52) of a mouth that babbles, smiles and shuts now and then; the eyes blink."""
    random = np.random.default_rng(5)
    weights = np.zeros((frames, arkit.SHAPE_COUNT), np.float32)
    for name in SPEECH:
        weights[:, arkit.INDEX[name]] = np.clip(random.normal(0.1, 0.25, frames), 0, 0.8)
    weights[:, arkit.INDEX["eyeBlinkLeft"]] = random.random(frames) < 0.1
    shut = random.random(frames) < 0.3
    weights[shut] *= 0.3
    weights[shut, arkit.INDEX["mouthClose"]] = weights[shut, arkit.INDEX["jawOpen"]]
    return weights


def lip_errors(rig_fit: RigFit, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Millimetres: (T, 40) of the lip landmarks, (T, 9) of the gap between facing points of the lips."""
    wanted = rig_fit.wanted(torch.from_numpy(weights))
    expression, jaw = rig_fit.poses(weights)
    found = rig_fit.points(torch.from_numpy(expression), torch.from_numpy(jaw))
    miss = found - wanted
    gap = miss[:, list(INNER_LIPS_UPPER)] - miss[:, list(INNER_LIPS_LOWER)]
    return 1000 * miss[:, list(LIPS)].norm(dim=-1).numpy(), 1000 * gap.norm(dim=-1).numpy()


def posed(model: SkinnedModel, expression: np.ndarray, jaw: np.ndarray) -> np.ndarray:
    pose = torch.zeros(len(jaw), model.kind.joint_count, 3)
    pose[:, model.kind.jaw] = torch.as_tensor(jaw, dtype=torch.float32)
    return model.vertices(pose, torch.as_tensor(expression, dtype=torch.float32)).double().numpy()


def exact_vertices(head: HeadMesh, truth: Surrogate, weights: np.ndarray) -> np.ndarray:
    """(T, V, 3) what the surrogate would do if it moved exactly as our head does: its shape is our head, bent."""
    bend = _Bend(1.0)
    deltas, neutral = head.deltas.double().numpy(), head.neutral.double().numpy()
    return np.stack([bend(truth.resample @ (neutral + np.einsum("k,kvc->vc", row, deltas))) for row in weights])


def lip_vertices(head: HeadMesh, truth: Surrogate) -> np.ndarray:
    mask = np.zeros(head.vertex_count)
    mask[head.regions["lips"].numpy()] = 1
    return np.flatnonzero(truth.resample @ mask > 0.99)


class TestSurface:
    def test_nearest_points_agree_with_trying_every_face(self) -> None:
        import trimesh

        ball = trimesh.creation.icosphere(subdivisions=3)
        surface = Surface(np.array(ball.vertices), np.array(ball.faces))
        points = np.random.default_rng(0).normal(size=(200, 3))
        found, positions = surface.nearest(points)
        np.testing.assert_allclose(found.on(surface.vertices, surface.triangles), positions)
        for point, position in zip(points, positions, strict=True):
            near = trimesh.triangles.closest_point(surface.corners, np.tile(point, (len(surface.corners), 1)))
            assert abs(np.linalg.norm(near - point, axis=1).min() - np.linalg.norm(position - point)) < 1e-9
        assert not surface.on_border(found).any()

    def test_an_edge_of_the_surface_is_noticed(self) -> None:
        square = np.array([[0.0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]])
        surface = Surface(square, np.array([[0, 1, 2], [0, 2, 3]]))
        found, _ = surface.nearest(np.array([[2.0, 0.5, 0], [0.7, 0.2, 1], [0.5, 0.5, 1]]))
        assert surface.on_border(found).tolist() == [True, False, False]

    def test_similarity_is_recovered(self) -> None:
        points = np.random.default_rng(1).normal(size=(50, 3))
        turn = np.linalg.qr(np.random.default_rng(2).normal(size=(3, 3)))[0]
        turn *= np.sign(np.linalg.det(turn))
        scale, found, shift = similarity(points, 1.3 * points @ turn.T + [1, 2, 3], np.ones(50))
        assert abs(scale - 1.3) < 1e-9
        np.testing.assert_allclose(found, turn, atol=1e-9)
        np.testing.assert_allclose(shift, [1, 2, 3], atol=1e-9)

    def test_a_stretchy_skin_follows_growth_from_a_few_points(self) -> None:
        """It resists bending, not stretching: a fifth of the points carries the rest to twice the size."""
        side = np.linspace(0, 1, 11)
        grid = np.stack([*np.meshgrid(side, side, indexing="ij"), np.zeros((11, 11))], -1).reshape(-1, 3)
        cell = np.array([r * 11 + c for r in range(10) for c in range(10)])
        faces = np.concatenate([np.c_[cell, cell + 11, cell + 1], np.c_[cell + 1, cell + 11, cell + 12]])
        held = np.zeros(121)
        held[::5] = 1
        moved = StretchySkin(grid, faces).pulled(2 * grid, held, stiffness=1e-3, pins=None)
        assert np.abs(moved - 2 * grid).mean() < 0.02  # At the open edges, where neighbours are few, it lags more.
        assert np.abs(vertex_normals(moved, faces)[:, 2]).min() > 0.99


def test_points_of_a_model_move_exactly_as_its_vertices(flame: SkinnedModel) -> None:
    random = np.random.default_rng(0)
    on_head = np.flatnonzero((flame.weights[:, [0, 3, 4]] == 0).all(1)[flame.faces].all(1).numpy())
    places = SurfacePoints(random.choice(on_head, 50), random.dirichlet(np.ones(3), 50))
    points = FacePoints.of(flame, places)
    expression, jaw = random.normal(size=(5, 100)), 0.3 * random.normal(size=(5, 3))
    expected = places.on(posed(flame, expression, jaw), flame.faces.numpy())
    found = points(torch.from_numpy(expression).float(), torch.from_numpy(jaw).float())
    assert np.abs(found.numpy() - expected).max() < 1e-6
    slope = points.expression_slope(torch.from_numpy(jaw[0]).float())
    step = points(torch.from_numpy(expression[:1]).float(), torch.from_numpy(jaw[:1]).float())
    zero = points(torch.zeros(1, 100), torch.from_numpy(jaw[:1]).float())
    assert np.abs((step - zero).flatten().numpy() - slope @ expression[0]).max() < 1e-5


def test_landmarks_are_found_on_another_person(flame: SkinnedModel, flame_fit: RigFit, default_head: HeadMesh) -> None:
    """Two geometries that differ by centimetres in places: landmarks come within a couple of millimetres."""
    truth = _Bend(1.0)(default_head.landmarks(torch.zeros(61))[:468].double().numpy())
    error = 1000 * np.linalg.norm(flame_fit.points.rest.numpy() - truth, axis=1)
    print(f"landmarks: mean {error.mean():.2f} mm, 95 % {np.quantile(error, 0.95):.2f} mm")
    assert error.mean() < 1.5
    assert np.quantile(error, 0.95) < 4.0


def test_the_report_is_below_a_millimetre(flame_fit: RigFit) -> None:
    rows = {str(row["shape"]): row for row in flame_fit.report()}
    assert set(rows) == {*arkit.SHAPES, "all"}
    assert max(float(row["lips mm"]) for row in rows.values()) < 1.0
    assert float(rows["all"]["mean mm"]) < 0.3
    assert 0 < float(rows["jawOpen"]["mean mm"]) <= float(rows["jawOpen"]["95 % mm"])


def test_jaw_and_lips_are_told_apart(flame_fit: RigFit, flame_truth: Surrogate) -> None:
    for name in arkit.SHAPES:
        found, true = flame_fit.jaw[arkit.INDEX[name]], flame_truth.jaw_pose[arkit.INDEX[name]]
        assert np.abs(found - true).max() < 0.05, name
    moving = [name for name in arkit.SHAPES if flame_fit.jaw[arkit.INDEX[name]].any()]
    assert moving == ["jawLeft", "jawRight", "jawOpen"]


def test_known_jaw_and_expression_motion_is_recovered(
    flame: SkinnedModel, flame_fit: RigFit, flame_truth: Surrogate, default_head: HeadMesh
) -> None:
    """Motion made with the surrogate's own jaw and expression, to ARKit and back: the lips return within 1 mm."""
    weights = speech(40)
    expression, jaw = weights @ flame_truth.expression, weights @ flame_truth.jaw_pose
    arkit_weights = flame_fit.weights(expression, jaw, np.zeros((40, len(LOOK_SHAPES)), np.float32))
    again = flame_fit.poses(arkit_weights.astype(np.float32))
    lips = lip_vertices(default_head, flame_truth)
    error = 1000 * np.linalg.norm(posed(flame, *again) - posed(flame, expression, jaw), axis=-1)[:, lips]
    print(
        f"known motion: lips mean {error.mean():.3f} mm, 95 % {np.quantile(error, 0.95):.3f} mm, max {error.max():.2f}"
    )
    assert np.abs(again[1] - jaw).max() < 0.05
    assert error.mean() < 0.5
    assert np.quantile(error, 0.95) < 1.0


def test_the_model_moves_as_our_head_does(
    flame: SkinnedModel, flame_fit: RigFit, flame_truth: Surrogate, default_head: HeadMesh
) -> None:
    """Judged by the surrogate's own vertices, whose true motion is known, not by the landmarks that were fitted."""
    weights = speech(40)
    lips = lip_vertices(default_head, flame_truth)
    moved = posed(flame, *flame_fit.poses(weights)) - flame.template.double().numpy()
    true = exact_vertices(default_head, flame_truth, weights)
    true = true - exact_vertices(default_head, flame_truth, np.zeros((1, arkit.SHAPE_COUNT)))
    error = 1000 * np.linalg.norm(moved - true, axis=-1)[:, lips]
    print(f"truth: lips mean {error.mean():.3f} mm, 95 % {np.quantile(error, 0.95):.3f} mm, max {error.max():.2f} mm")
    assert len(lips) > 100
    assert error.mean() < 0.5
    assert np.quantile(error, 0.95) < 1.2


@pytest.mark.parametrize("which", ["flame_fit", "smplx_fit"])
def test_lips_follow_and_close(which: str, request: pytest.FixtureRequest) -> None:
    lips, gap = lip_errors(request.getfixturevalue(which), speech(200))
    print(f"{which}: lips mean {lips.mean():.3f} mm, 95 % {np.quantile(lips, 0.95):.3f}; gap max {gap.max():.3f} mm")
    assert np.quantile(lips, 0.95) < 1.0
    shut = lip_errors(request.getfixturevalue(which), shape_weights(jawOpen=0.5, mouthClose=0.5))[1]
    assert shut.max() < 0.3
    assert np.quantile(gap, 0.99) < 0.3


@pytest.mark.skipif(not TAKES.is_dir(), reason="no real takes beside the checkout (../shared/data/livelink_takes)")
@pytest.mark.parametrize("name", ["apfel.csv", "S07-001.csv", "alex_rom_3.csv"])
def test_lips_follow_a_real_take(name: str, flame_fit: RigFit) -> None:
    weights = FaceAnimation.load(TAKES / name).shapes[::4].copy()
    lips, gap = lip_errors(flame_fit, weights)
    shut = arkit.lip_aperture(weights) < 0.05
    print(
        f"{name}: lips mean {lips.mean():.3f} mm, 95 % {np.quantile(lips, 0.95):.3f} mm; "
        f"gap in {shut.sum()} frames with shut lips: max {gap[shut].max():.3f} mm"
    )
    assert lips.mean() < 0.3
    assert np.quantile(lips, 0.95) < 1.0
    assert shut.any()
    assert gap[shut].max() < 0.3


def test_weights_come_back(flame_fit: RigFit) -> None:
    weights = speech(60)
    looks = weights[:, [arkit.INDEX[name] for name in LOOK_SHAPES]]
    back = flame_fit.weights(*flame_fit.poses(weights), looks)
    assert back.min() >= 0 and back.max() <= 1
    assert np.abs(back - weights).mean() < 0.02
    moved = flame_fit.wanted(torch.from_numpy(back).float()) - flame_fit.wanted(torch.from_numpy(weights))
    assert 1000 * moved.norm(dim=-1).mean() < 0.15
    jaw = arkit.INDEX["jawOpen"]
    assert np.abs(back[:, jaw] - weights[:, jaw]).max() < 0.05


def test_the_rest_stays_at_rest_and_extremes_stay_bounded(flame_fit: RigFit) -> None:
    expression, jaw = flame_fit.poses(np.zeros((3, arkit.SHAPE_COUNT), np.float32))
    assert np.abs(expression).max() < 1e-3 and np.abs(jaw).max() == 0
    assert np.abs(flame_fit.weights(expression, jaw, np.zeros((3, 8)))).max() < 1e-3
    expression, jaw = flame_fit.poses(np.ones((2, arkit.SHAPE_COUNT), np.float32))
    assert np.abs(expression).max() <= EXPRESSION_LIMIT
    wild = flame_fit.weights(np.full((2, 100), 500.0), np.full((2, 3), 3.0), np.zeros((2, 8)))
    assert np.isfinite(wild).all() and wild.min() >= 0 and wild.max() <= 1


def test_long_takes_are_converted_in_pieces_alike(flame_fit: RigFit, monkeypatch: pytest.MonkeyPatch) -> None:
    weights = speech(50)
    whole = flame_fit.poses(weights)
    monkeypatch.setattr("talker.rigs.fitting.retarget._CHUNK_FRAMES", 7)
    for part, piece in zip(whole, flame_fit.poses(weights), strict=True):
        np.testing.assert_allclose(part, piece, atol=1e-4)


def test_bounded_solution_meets_its_optimality_conditions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("talker.rigs.fitting.retarget._SETTLED", 1e-12)
    random = np.random.default_rng(3)
    basis = random.normal(size=(30, 12))
    system, right = basis.T @ basis + 0.1 * np.eye(12), 20 * random.normal(size=(50, 12))
    low, high = np.zeros((50, 12)), np.ones((50, 12))
    found = bounded_solution(system, right, low, high)
    slope = found @ system - right
    inside = (found > 1e-9) & (found < 1 - 1e-9)
    assert inside.any() and (~inside).any()
    assert np.abs(slope[inside]).max() < 1e-6
    assert slope[found <= 1e-9].min() > -1e-6
    assert slope[found >= 1 - 1e-9].max() < 1e-6


class TestKeeping:
    def test_a_saved_fit_is_the_fit(self, flame_fit: RigFit, tmp_path: Path) -> None:
        path = tmp_path / "fit.npz"
        flame_fit.save(path)
        loaded = fit.fit_for(path, FLAME)
        weights = speech(5)
        for saved, fresh in zip(loaded.poses(weights), flame_fit.poses(weights), strict=True):
            np.testing.assert_array_equal(saved, fresh)
        with pytest.raises(TalkerError, match="a SMPL-X model or fit is needed"):
            fit.fit_for(path, SMPLX)

    def test_the_second_time_nothing_is_fitted(
        self, flame_file: Path, flame_fit: RigFit, fits_kept: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        def refuse(*_: object) -> None:
            raise AssertionError("fitted again")

        monkeypatch.setenv("TALKER_CACHE", str(fits_kept))
        monkeypatch.setattr(fit, "fit_model", refuse)
        fit._recent.clear()
        assert fit.fit_for(flame_file, FLAME).basis == flame_fit.basis
        # The same file elsewhere is the same model; another cache knows nothing of it.
        fit._recent.clear()
        copy = tmp_path / "copy.pkl"
        os.link(flame_file, copy)
        assert fit.fit_for(copy, FLAME).basis == flame_fit.basis
        monkeypatch.setenv("TALKER_CACHE", str(tmp_path / "empty"))
        with pytest.raises(AssertionError, match="fitted again"):
            fit.fit_for(flame_file, FLAME)

    def test_a_damaged_fit_is_made_again(
        self, flame_file: Path, flame_fit: RigFit, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        monkeypatch.setenv("TALKER_CACHE", str(tmp_path))
        monkeypatch.setattr(fit, "fit_model", lambda *_: flame_fit)
        fit._recent.clear()
        kept = fit.kept_path(flame_file, FLAME)
        kept.write_bytes(b"PK\x03\x04 damaged")
        assert fit.fit_for(flame_file, FLAME).basis == flame_fit.basis
        assert RigFit.load(kept).basis == flame_fit.basis

    def test_where_fits_are_kept(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.setenv("TALKER_CACHE", str(tmp_path))
        assert fit.cache_dir() == tmp_path
        monkeypatch.delenv("TALKER_CACHE")
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
        assert fit.cache_dir() == tmp_path / "xdg/talker"
        monkeypatch.delenv("XDG_CACHE_HOME")
        assert fit.cache_dir() == Path.home() / ".cache/talker"

    def test_a_fit_of_another_version_is_refused(self, flame_fit: RigFit, tmp_path: Path) -> None:
        path = tmp_path / "fit.npz"
        flame_fit.save(path)
        with np.load(path) as file:
            arrays = dict(file)
        np.savez(path, **{**arrays, "fit": np.array("talker fit 0")})
        with pytest.raises(TalkerError, match="another version"):
            RigFit.load(path)


def test_what_is_no_head_is_refused(flame_truth: Surrogate, default_head: HeadMesh, tmp_path: Path) -> None:
    arrays = dict(flame_truth.arrays)
    arrays["v_template"] = np.random.default_rng(0).normal(size=(5023, 3)) * 0.1
    path = write_pickle(
        Surrogate(arrays, flame_truth.resample, flame_truth.jaw_pose, flame_truth.expression), tmp_path / "x"
    )
    with pytest.raises(TalkerError, match="does not resemble a head"):
        match_landmarks(default_head, load_flame(path))


def test_a_jaw_that_moves_nothing_is_noticed(flame_truth: Surrogate, default_head: HeadMesh, tmp_path: Path) -> None:
    arrays = dict(flame_truth.arrays)
    weights = arrays["weights"].copy()
    weights[:, 1] += weights[:, 2]
    weights[:, 2] = 0
    arrays["weights"] = weights
    path = write_pickle(
        Surrogate(arrays, flame_truth.resample, flame_truth.jaw_pose, flame_truth.expression), tmp_path / "x"
    )
    with pytest.raises(TalkerError, match="does not follow its jaw"):
        match_landmarks(default_head, load_flame(path))


def test_the_body_does_not_disturb(smplx_fit: RigFit, flame_fit: RigFit, smplx_file: Path) -> None:
    """The same face on a body: the same fit, though the model is centred elsewhere and holds twice the vertices."""
    assert abs(smplx_fit.scale - flame_fit.scale) < 0.01
    assert np.abs(smplx_fit.jaw - flame_fit.jaw).max() < 0.02
    shift = smplx_fit.points.rest - flame_fit.points.rest
    assert 1000 * (shift - shift.mean(0)).norm(dim=1).mean() < 1.0
    assert load_smplx(smplx_file).expression_basis.shape[2] == smplx_fit.expression.shape[1]


@pytest.mark.slow
@pytest.mark.skipif(not LANDMARKER.is_file(), reason="no face_landmarker.task beside the checkout (../shared/models)")
def test_looking_helps_to_find_the_lips(flame: SkinnedModel, default_head: HeadMesh) -> None:
    pytest.importorskip("mediapipe", reason="the tracking extra is not installed")
    from talker.rigs.fitting.sighting import sighted_landmarks

    truth = _Bend(1.0)(default_head.landmarks(torch.zeros(61))[:468].double().numpy())
    errors = {}
    for name, sighted in (("measured", None), ("seen", sighted_landmarks(flame, LANDMARKER, 468))):
        places = match_landmarks(default_head, flame, sighted).points
        found = places.on(flame.template.double().numpy(), flame.faces.numpy())
        errors[name] = 1000 * np.linalg.norm(found - truth, axis=1)
        print(f"{name}: all {errors[name].mean():.2f} mm, lips {errors[name][list(LIPS)].mean():.2f} mm")
    assert errors["seen"][list(LIPS)].mean() < errors["measured"][list(LIPS)].mean()
    assert errors["seen"].mean() < 1.5


@pytest.mark.slow
def test_other_people(default_head: HeadMesh, tmp_path: Path) -> None:
    """Our own shape, and someone bent the other way."""
    for bend in (0.0, -1.0):
        truth = flame_surrogate(default_head, seed=7, bend=bend)
        model = load_flame(write_pickle(truth, tmp_path / "model.pkl"))
        lips, gap = lip_errors(fit.fit_model(model, default_head), speech(100))
        print(f"bend {bend}: lips 95 % {np.quantile(lips, 0.95):.3f} mm, gap 99 % {np.quantile(gap, 0.99):.3f} mm")
        assert np.quantile(lips, 0.95) < 1.0
        assert np.quantile(gap, 0.99) < 0.3
