"""OVR visemes and VRM expressions: from a face and back."""

import itertools
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from talker.animation import FaceAnimation
from talker.export import livelink
from talker.export.registry import DEFAULT_OPTIONS
from talker.rigs import arkit, visemes, vrm
from talker.rigs.pose_mix import _nearest_on_simplex

TAKES = Path(__file__).parents[3] / "shared/data/livelink_takes"
RIGS = pytest.mark.parametrize(
    ("rig", "names"), [(visemes, visemes.VISEMES), (vrm, vrm.EXPRESSIONS)], ids=["visemes", "vrm"]
)
FACES = arrays(np.float32, (3, arkit.CHANNEL_COUNT), elements=st.floats(0, 1, width=32))


def one_of_each(names: tuple[str, ...]) -> np.ndarray:
    return np.eye(len(names), dtype=np.float32)


def aperture(curves: np.ndarray) -> np.ndarray:
    return arkit.lip_aperture(curves)


@RIGS
def test_every_pose_maps_back_to_itself(rig: object, names: tuple[str, ...]) -> None:
    weights = rig.from_curves(rig.to_curves(one_of_each(names)))
    for name, row in zip(names, weights, strict=True):
        found = dict(zip(names, row, strict=True))
        assert found.pop(name) > 0.9, name
        assert max(found.values()) < 0.05, (name, found)


@RIGS
def test_half_a_pose_is_half_the_weight(rig: object, names: tuple[str, ...]) -> None:
    weights = rig.from_curves(0.5 * rig.to_curves(one_of_each(names)))
    strength = np.diag(weights)
    silence = np.array([name == "sil" for name in names])
    np.testing.assert_allclose(strength[~silence], 0.5, atol=0.06)


@RIGS
@settings(max_examples=40, deadline=None)
@given(FACES)
def test_weights_are_bounded_for_any_face(rig: object, names: tuple[str, ...], curves: np.ndarray) -> None:
    weights = rig.from_curves(curves)
    assert weights.shape == (3, len(names))
    assert weights.dtype == np.float32
    assert (weights >= 0).all() and (weights <= 1 + 1e-6).all()
    spoken = 15 if rig is visemes else len(vrm.VOWELS)
    assert (weights[:, :spoken].sum(axis=1) <= 1 + 1e-5).all()
    FaceAnimation(rig.to_curves(weights), 30)  # Valid curves again.


def test_a_resting_face_is_silence() -> None:
    weights = visemes.from_curves(np.zeros((1, arkit.CHANNEL_COUNT), np.float32))[0]
    assert weights[0] == 1 and (weights[1:] == 0).all()
    assert (visemes.to_curves(weights[None]) == 0).all()


def test_a_closed_mouth_over_an_open_jaw_is_closed() -> None:
    face = FaceAnimation.from_channels({"jawOpen": 0.5, "mouthClose": 0.5}, 30)
    assert visemes.from_curves(face.curves)[0, 0] > 0.95


def test_mouth_openings_are_ordered_as_in_speech() -> None:
    opening = dict(zip(visemes.VISEMES, aperture(visemes.to_curves(one_of_each(visemes.VISEMES))), strict=True))
    assert opening["sil"] == opening["PP"] == 0
    for narrow, wide in itertools.pairwise(["PP", "FF", "DD", "kk", "E", "O", "aa"]):
        assert opening[narrow] < opening[wide], (narrow, wide)
    for closed in ("CH", "SS", "U", "FF"):
        assert opening[closed] < 0.1


def test_emotion_above_the_mouth_says_nothing() -> None:
    brows = FaceAnimation.from_channels(
        {"browDownLeft": 1, "browDownRight": 1, "eyeBlinkLeft": 1, "noseSneerLeft": 1}, 30
    )
    assert visemes.from_curves(brows.curves)[0, 0] == 1


def test_blinks_and_looks_go_to_the_right_side() -> None:
    face = FaceAnimation.from_channels(
        {"eyeBlinkLeft": 1.0, "eyeBlinkRight": 0.25, "leftEyeYaw": 0.26, "rightEyeYaw": 0.26, "leftEyePitch": -0.5}, 30
    )
    found = dict(zip(vrm.EXPRESSIONS, vrm.from_curves(face.curves)[0], strict=True))
    assert found["blink"] == pytest.approx(0.25) and found["blinkLeft"] == pytest.approx(0.75)
    assert found["blinkRight"] == 0
    assert found["lookRight"] > 0.4 and found["lookLeft"] == 0  # Yaw above 0 is the subject's right.
    assert found["lookUp"] > 0.4 and found["lookDown"] == 0
    back = vrm.to_curves(vrm.from_curves(face.curves))[0]
    assert back[arkit.INDEX["leftEyeYaw"]] == pytest.approx(0.26, abs=1e-6)
    assert back[arkit.INDEX["eyeLookInLeft"]] > 0.4 and back[arkit.INDEX["eyeLookOutRight"]] > 0.4


def test_a_mirrored_face_says_the_same() -> None:
    random = np.random.default_rng(3).uniform(0, 0.6, (20, arkit.CHANNEL_COUNT)).astype(np.float32)
    face = FaceAnimation(random, 30)
    np.testing.assert_allclose(visemes.from_curves(face.curves), visemes.from_curves(face.mirrored().curves), atol=1e-5)


def test_solution_is_optimal_on_real_speech() -> None:
    path = TAKES / "apfel.csv"
    if not path.exists():
        pytest.skip(f"needs the real takes in {TAKES}")
    from scipy.optimize import minimize

    curves = livelink.read(path, DEFAULT_OPTIONS).curves[::400]
    mix = visemes.poses()
    basis = mix._features(mix.poses)
    for face, weights in zip(mix._features(curves[:, :52]), visemes.from_curves(curves)[:, 1:], strict=True):
        cost = lambda w, face=face: ((w @ basis - face) ** 2).sum() + 1e-3 * (w @ w)  # noqa: E731
        best = minimize(
            cost,
            np.full(14, 1 / 28),
            bounds=[(0, 1)] * 14,
            constraints={"type": "ineq", "fun": lambda w: 1 - w.sum()},
            options={"maxiter": 500, "ftol": 1e-12},
        )
        assert cost(weights) <= best.fun + 1e-4


@given(arrays(np.float64, (4, 6), elements=st.floats(-3, 3)))
def test_nearest_point_on_the_simplex(rows: np.ndarray) -> None:
    nearest = _nearest_on_simplex(rows)
    assert (nearest >= 0).all()
    np.testing.assert_allclose(nearest.sum(axis=1), 1)
    corner_products = ((rows - nearest)[:, None, :] * (np.eye(6)[None] - nearest[:, None, :])).sum(axis=2)
    assert (corner_products <= 1e-9).all()  # No direction inside the simplex comes nearer.


@pytest.mark.slow
def test_an_hour_of_frames() -> None:
    curves = np.random.default_rng(0).uniform(0, 0.5, (216_000, arkit.CHANNEL_COUNT)).astype(np.float32)
    start = time.perf_counter()
    assert len(visemes.from_curves(curves)) == 216_000
    assert time.perf_counter() - start < 120
