from dataclasses import replace

import numpy as np
import pytest
from drawn_tracks import FPS, curves_of, track_of

from talker.errors import TalkerError
from talker.evaluation.tracking import Face, head_landmarks
from talker.rigs import arkit
from talker.rigs.head_mesh import HeadMesh
from talker.tracking.landmarks import LandmarkTrack
from talker.tracking.solve import solve_person

FRAMES = 200
TIME = np.arange(FRAMES) / FPS
SPEECH = np.clip(np.sin(2 * np.pi * 1.7 * TIME), 0, 1) * (TIME > 1)


@pytest.fixture(scope="module")
def head() -> HeadMesh:
    return HeadMesh.load()


@pytest.fixture(scope="module")
def performance() -> np.ndarray:
    blink = np.exp(-0.5 * ((TIME[:, None] - [1.5, 4.1, 6.3]) / 0.06) ** 2).sum(1)
    smile = 0.6 * ((TIME > 3) & (TIME < 4.5))
    brow = 0.8 * np.exp(-0.5 * ((TIME - 5.5) / 0.3) ** 2)
    return curves_of(
        FRAMES,
        jawOpen=0.4 * SPEECH,
        eyeBlinkLeft=np.clip(blink, 0, 1),
        eyeBlinkRight=np.clip(blink, 0, 1),
        mouthSmileLeft=smile,
        mouthSmileRight=smile,
        browDownLeft=brow,
        browDownRight=brow,
        headYaw=0.25 * np.sin(TIME),
        headPitch=0.1 * np.cos(1.3 * TIME),
        headRoll=0.1 * np.sin(0.7 * TIME),
        leftEyeYaw=0.2 * np.sin(0.9 * TIME),
        rightEyeYaw=0.2 * np.sin(0.9 * TIME),
    )


def solved(track: LandmarkTrack, head: HeadMesh) -> np.ndarray:
    return solve_person([track], head, [TIME[: track.frame_count] < 1])[0].animation.curves


def together(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.corrcoef(a, b)[0, 1])


def test_a_performance_comes_back(head: HeadMesh, performance: np.ndarray) -> None:
    curves = solved(track_of(performance, head, noise=0.2), head)
    for name, least in (("jawOpen", 0.98), ("mouthSmileLeft", 0.97), ("browDownLeft", 0.97), ("eyeBlinkLeft", 0.95)):
        column = arkit.INDEX[name]
        assert together(curves[:, column], performance[:, column]) > least, name
        assert np.abs(curves[:, column] - performance[:, column]).mean() < 0.08, name
    assert np.abs(curves[:, arkit.HEAD] - performance[:, arkit.HEAD]).mean(0).max() < 0.02
    assert together(curves[:, arkit.INDEX["leftEyeYaw"]], performance[:, arkit.INDEX["leftEyeYaw"]]) > 0.98


def test_identity_never_becomes_expression(head: HeadMesh, performance: np.ndarray) -> None:
    rest = head.landmarks_of(head.neutral).numpy()
    smooth = np.random.default_rng(3).standard_normal((3, 3)) * 0.06
    identity = rest @ smooth  # A face wider here, longer there ...
    identity[[70, 63, 105, 66, 107, 300, 293, 334, 296, 336], 1] -= 0.004  # ... with low brows ...
    identity[[61, 291, 78, 308], 1] -= 0.003  # ... and drooping corners of the mouth.
    stranger = solved(track_of(performance, head, identity), head)
    resting = stranger[TIME < 1, : arkit.SHAPE_COUNT].mean(0)
    looks = [i for i, name in enumerate(arkit.SHAPES) if name.startswith("eyeLook")]
    resting[looks] = 0  # Gaze moves in this performance.
    assert resting.max() < 0.05, arkit.SHAPES[int(resting.argmax())]
    for name in ("jawOpen", "mouthSmileLeft", "browDownLeft"):
        assert together(stranger[:, arkit.INDEX[name]], performance[:, arkit.INDEX[name]]) > 0.95, name


def test_lips_touch_when_they_touch(head: HeadMesh, performance: np.ndarray) -> None:
    curves = solved(track_of(performance, head, noise=0.2), head)
    rest = Face.of(head_landmarks(performance[:1], head)).gap[0]
    wanted = Face.of(head_landmarks(performance, head)).gap < rest + 0.01
    got = Face.of(head_landmarks(curves, head)).gap < rest + 0.01
    assert 0.3 < wanted.mean() < 0.8
    assert 2 * (wanted & got).sum() / (wanted.sum() + got.sum()) > 0.97


def test_nothing_is_delayed(head: HeadMesh, performance: np.ndarray) -> None:
    jaw = arkit.INDEX["jawOpen"]
    forward = solved(track_of(performance, head), head)[:, jaw]
    lags = [together(forward[5 + lag : FRAMES - 5 + lag], performance[5 : FRAMES - 5, jaw]) for lag in range(-2, 3)]
    assert int(np.argmax(lags)) == 2
    assert abs(lags[1] - lags[3]) < 0.02


def test_short_gaps_are_bridged_and_long_ones_marked(head: HeadMesh, performance: np.ndarray) -> None:
    track = track_of(performance, head)
    track.found[40:45] = False  # 200 ms
    track.found[100:106] = False  # 240 ms
    track.found[-3:] = False  # nothing follows
    solution = solve_person([track], head)[0]
    assert solution.valid[40:45].all() and solution.confidence[40:45].max() < solution.confidence[39]
    assert not solution.valid[100:106].any() and not solution.valid[-3:].any()
    assert solution.valid[46:100].all() and (solution.confidence[~solution.valid] == 0).all()
    whole = solve_person([track_of(performance, head)], head)[0].animation.curves
    assert np.abs(solution.animation.curves - whole)[46:90].max() < 0.15


def test_long_clips_are_solved_in_stretches(
    head: HeadMesh, performance: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    track = track_of(performance, head, noise=0.2)
    whole = solved(track, head)
    monkeypatch.setattr("talker.tracking.solve._STRETCH", 70)
    monkeypatch.setattr("talker.tracking.solve._OVERLAP", 20)
    assert np.abs(solved(track, head) - whole).max() < 0.01


def test_a_cut_is_not_smoothed_over(head: HeadMesh) -> None:
    raised = np.where(np.arange(FRAMES) < 100, 0.0, 1.0)
    curves = curves_of(FRAMES, browInnerUp=raised, browOuterUpLeft=raised, browOuterUpRight=raised)
    track = track_of(curves, head)
    soft = solved(track, head)[99, arkit.INDEX["browInnerUp"]]
    track.cuts[100] = True
    hard = solved(track, head)[99, arkit.INDEX["browInnerUp"]]
    assert soft > hard + 0.03 and hard < 0.02


def test_the_same_twice_and_a_subset_of_landmarks(head: HeadMesh, performance: np.ndarray) -> None:
    track = track_of(performance, head)
    first = solved(track, head)
    assert np.array_equal(first, solved(track, head))
    assert set(np.flatnonzero(first.max(0))) <= set(range(arkit.CHANNEL_COUNT))
    assert first[:, [arkit.INDEX["tongueOut"], arkit.INDEX["cheekPuff"]]].max() == 0


def test_a_track_without_a_face_is_an_error(head: HeadMesh, performance: np.ndarray) -> None:
    track = track_of(performance[:20], head)
    track.found[:] = False
    with pytest.raises(TalkerError, match="no face was found"):
        solve_person([track], head)


def test_uneven_clocks_become_even(head: HeadMesh, performance: np.ndarray) -> None:
    even = track_of(performance, head)
    times = even.timestamps + 0.4 / FPS * np.sin(np.arange(FRAMES))
    seen = [np.interp(times, even.timestamps, performance[:, k]) for k in range(arkit.CHANNEL_COUNT)]
    uneven = replace(track_of(np.stack(seen, 1).astype(np.float32), head), timestamps=times)
    restored = uneven.uniform()
    assert restored.frame_count == FRAMES and np.ptp(np.diff(restored.timestamps)) < 1e-9
    lip = 14
    wrong, left = (np.abs(t.landmarks[:, lip, 1] - even.landmarks[:, lip, 1]).mean() for t in (uneven, restored))
    assert left < 0.5 * wrong
