"""The MetaHuman rig: its tables, and that a face survives the way from ARKit to board or curves and back."""

import numpy as np
import pytest

from talker.rigs import arkit, metahuman

PREFIX = "CTRL_expressions_"


def face(**weights: float) -> np.ndarray:
    """(61,) channels with some weights, the eyes following their eyeLook weights."""
    channels = np.zeros(arkit.CHANNEL_COUNT, np.float32)
    for name, weight in weights.items():
        channels[arkit.INDEX[name]] = weight
    return arkit.eye_angles_from_looks(channels)


def driven_curves(**weights: float) -> dict[str, float]:
    """Raw curves that differ from a face at rest, without their common prefix."""
    change = metahuman.arkit_to_curves(face(**weights)) - metahuman.neutral_curves()
    return {metahuman.CURVES[i].name.removeprefix(PREFIX): round(float(change[i]), 4) for i in change.nonzero()[0]}


def driven_controls(**weights: float) -> dict[str, float]:
    """Board controls that differ from their defaults."""
    change = metahuman.arkit_to_board(face(**weights)) - metahuman.BOARD_DEFAULT
    return {metahuman.BOARD_CONTROLS[i].name: round(float(change[i]), 4) for i in change.nonzero()[0]}


def random_faces(count: int, seed: int = 0) -> np.ndarray:
    """(count, 61) faces without opposite shapes at once and with no more mouthClose than jawOpen."""
    random = np.random.default_rng(seed)
    channels = np.zeros((count, arkit.CHANNEL_COUNT), np.float32)
    channels[:, : arkit.SHAPE_COUNT] = random.random((count, arkit.SHAPE_COUNT)) ** 2
    for one, other in OPPOSITES:
        first = random.random(count) < 0.5
        channels[first, arkit.INDEX[one]] = 0
        channels[~first, arkit.INDEX[other]] = 0
    jaw, close = arkit.INDEX["jawOpen"], arkit.INDEX["mouthClose"]
    channels[:, close] = np.minimum(channels[:, close], channels[:, jaw])
    return arkit.eye_angles_from_looks(channels)


OPPOSITES = [
    *((f"eyeLookIn{side}", f"eyeLookOut{side}") for side in ("Left", "Right")),
    *((f"eyeLookUp{side}", f"eyeLookDown{side}") for side in ("Left", "Right")),
    *((f"eyeBlink{side}", f"eyeWide{side}") for side in ("Left", "Right")),
    ("jawLeft", "jawRight"),
    ("mouthLeft", "mouthRight"),
]


def test_tables_have_the_rigs_size_and_defaults():
    assert len(metahuman.BOARD_CONTROLS) == len(metahuman.CONTROL_INDEX) == 174
    assert len(metahuman.CURVES) == len(metahuman.CURVE_INDEX) == 251
    assert all(curve.name.startswith(PREFIX) for curve in metahuman.CURVES)
    assert sum((control.low, control.high) == (0, 1) for control in metahuman.BOARD_CONTROLS) == 104
    assert sum((control.low, control.high) == (-1, 1) for control in metahuman.BOARD_CONTROLS) == 70
    defaults = {control.name: control.default for control in metahuman.BOARD_CONTROLS if control.default}
    assert defaults == {"CTRL_L_nose_wrinkleUpper.ty": 1, "CTRL_R_nose_wrinkleUpper.ty": 1}
    assert {curve.control for curve in metahuman.CURVES} == set(metahuman.CONTROL_INDEX)


def test_two_axis_controls_are_grouped_x_first():
    nodes = metahuman.nodes()
    assert sum(len(axes) for axes in nodes.values()) == 174
    two_axes = {name for name, axes in nodes.items() if len(axes) == 2}
    assert {"CTRL_C_jaw", "CTRL_L_eye", "CTRL_R_eye", "CTRL_C_mouth", "CTRL_L_nose", "CTRL_L_mouth_corner"} <= two_axes
    assert all([axis.axis for axis in nodes[name]] == ["x", "y"] for name in two_axes)
    assert "CTRL_C_jaw_fwdBack" not in two_axes


def test_every_arkit_shape_has_curves():
    weights = metahuman.arkit_weights()
    assert (weights.max(axis=1) > 0).all()
    assert weights.min() == 0
    assert weights.max() == 1


def test_mirrored_shapes_drive_mirrored_curves():
    """Exchanging left and right before or after the mapping is the same."""

    def mirror_curve(name: str) -> str:
        swapped = name
        if name.endswith(("L", "R")) and name[:-1] + ("R" if name[-1] == "L" else "L") in metahuman.CURVE_INDEX:
            swapped = name[:-1] + ("R" if name[-1] == "L" else "L")
        for side, other in (("Left", "Right"), ("Right", "Left")):
            if side in name:
                return swapped.replace(side, other)
        return swapped

    partners = [metahuman.CURVE_INDEX[mirror_curve(curve.name)] for curve in metahuman.CURVES]
    assert sorted(partners) == list(range(251))
    faces = random_faces(50)
    mirrored = faces[:, arkit.MIRROR] * arkit.MIRROR_SIGN
    np.testing.assert_allclose(
        metahuman.arkit_to_curves(mirrored), metahuman.arkit_to_curves(faces)[:, partners], atol=1e-6
    )


@pytest.mark.parametrize(
    ("shape", "curve", "control", "value"),
    [
        ("mouthSmileLeft", "mouthCornerPullL", "CTRL_L_mouth_cornerPull.ty", 1),
        ("mouthSmileRight", "mouthCornerPullR", "CTRL_R_mouth_cornerPull.ty", 1),
        ("jawOpen", "jawOpen", "CTRL_C_jaw.ty", 1),
        ("jawRight", "jawRight", "CTRL_C_jaw.tx", 1),
        ("jawLeft", "jawLeft", "CTRL_C_jaw.tx", -1),
        ("jawForward", "jawFwd", "CTRL_C_jaw_fwdBack.ty", -1),
        ("mouthLeft", "mouthLeft", "CTRL_C_mouth.tx", 1),
        ("mouthRight", "mouthRight", "CTRL_C_mouth.tx", -1),
        ("eyeLookInLeft", "eyeLookRightL", "CTRL_L_eye.tx", -1),
        ("eyeLookOutLeft", "eyeLookLeftL", "CTRL_L_eye.tx", 1),
        ("eyeLookInRight", "eyeLookLeftR", "CTRL_R_eye.tx", 1),
        ("eyeLookOutRight", "eyeLookRightR", "CTRL_R_eye.tx", -1),
        ("eyeLookUpLeft", "eyeLookUpL", "CTRL_L_eye.ty", 1),
        ("eyeLookDownRight", "eyeLookDownR", "CTRL_R_eye.ty", -1),
        ("eyeBlinkLeft", "eyeBlinkL", "CTRL_L_eye_blink.ty", 1),
        ("eyeWideRight", "eyeWidenR", "CTRL_R_eye_blink.ty", -1),
        ("noseSneerLeft", "noseWrinkleL", "CTRL_L_nose.ty", 1),
        ("cheekSquintRight", "eyeCheekRaiseR", "CTRL_R_eye_cheekRaise.ty", 1),
        ("browDownLeft", "browDownL", "CTRL_L_brow_down.ty", 1),
    ],
)
def test_shapes_with_one_curve(shape: str, curve: str, control: str, value: float):
    assert driven_curves(**{shape: 1.0}) == {curve: 1.0}
    assert driven_controls(**{shape: 1.0}) == {control: value}
    assert driven_controls(**{shape: 0.25}) == {control: value / 4}


def test_lip_rolls_and_tongue_have_the_right_signs():
    assert driven_controls(mouthRollLower=1) == {"CTRL_L_mouth_lipsRollD.ty": 1, "CTRL_R_mouth_lipsRollD.ty": 1}
    assert driven_controls(cheekPuff=1)["CTRL_L_mouth_suckBlow.ty"] == 1
    tongue = driven_controls(tongueOut=1)
    assert tongue["CTRL_C_tongue_inOut.ty"] < 0
    assert tongue["CTRL_C_tongue_move.ty"] < 0
    assert tongue["CTRL_C_tongue_wideNarrow.ty"] > 0


def test_one_sided_shapes_stay_on_their_side():
    for name in arkit.SHAPES:
        if (
            name.endswith(("Left", "Right"))
            and not name.startswith(("jaw", "eyeLook"))
            and name[5:]
            not in (
                "Left",
                "Right",
            )
        ):
            side = "L" if name.endswith("Left") else "R"
            assert all(curve.endswith(side) for curve in driven_curves(**{name: 0.7})), name
            assert all(control.startswith(f"CTRL_{side}_") for control in driven_controls(**{name: 0.7})), name


def test_gaze_follows_the_eye_angles_alone():
    channels = face()
    channels[arkit.INDEX["leftEyeYaw"]] = 0.5 * arkit.EYE_YAW_PER_LOOK  # To the subject's right.
    board = metahuman.arkit_to_board(channels)
    assert board[metahuman.CONTROL_INDEX["CTRL_L_eye.tx"]] == pytest.approx(-0.5, abs=1e-6)
    assert board[metahuman.CONTROL_INDEX["CTRL_R_eye.tx"]] == 0
    lids_only = np.zeros(arkit.CHANNEL_COUNT, np.float32)
    lids_only[arkit.INDEX["eyeLookDownLeft"]] = 1
    np.testing.assert_array_equal(metahuman.arkit_to_curves(lids_only), metahuman.neutral_curves())


@pytest.mark.parametrize("opening", [0.02, 0.05, 0.3, 1.0])
def test_mouth_close_equal_to_jaw_open_shuts_the_lips(opening: float):
    together = {f"mouthLipsTogether{quarter}": 1.0 for quarter in ("UL", "UR", "DL", "DR")}
    assert driven_curves(jawOpen=opening, mouthClose=opening) == {"jawOpen": round(opening, 4), **together}
    assert driven_curves(jawOpen=opening, mouthClose=opening / 2)["mouthLipsTogetherDL"] == 0.5
    controls = driven_controls(jawOpen=opening, mouthClose=opening)
    assert {controls[f"CTRL_{side}_mouth_lipsTogether{lip}.ty"] for side in "LR" for lip in "UD"} == {1.0}


def test_lips_together_is_smooth_and_never_leaves_a_visible_gap():
    jaw = np.linspace(0, 1, 20001, dtype=np.float32)
    for share in (0.0, 0.5, 1.0):
        weight = metahuman.lips_together(jaw, share * jaw)
        assert np.abs(np.diff(weight)).max() < 0.005  # No jump anywhere: 5e-5 of jaw per step.
        gap = jaw * (1 - weight)
        assert np.abs(gap - (1 - share) * jaw).max() < 0.26 * metahuman.LIPS_TOGETHER_FADE
    assert metahuman.lips_together(np.float32(0.1), np.float32(0.4)) == 1
    assert metahuman.lips_together(np.float32(0), np.float32(0)) == 0


def test_board_reaches_every_curve_and_only_its_own():
    board = np.tile(metahuman.BOARD_DEFAULT, (len(metahuman.CURVES), 1))
    for i, curve in enumerate(metahuman.CURVES):
        board[i, metahuman.CONTROL_INDEX[curve.control]] = curve.peak
    curves = metahuman.board_to_curves(board)
    np.testing.assert_allclose(np.diag(curves), 1, atol=1e-6)
    moved = np.abs(curves - metahuman.neutral_curves()) > 1e-6
    wrinkle = [name.startswith(PREFIX + "noseWrinkleUpper") for name in metahuman.CURVE_INDEX]
    np.testing.assert_array_equal(moved, np.eye(251, dtype=bool) & ~np.array(wrinkle))


def test_phased_curves_rise_and_fall():
    swallow = metahuman.CONTROL_INDEX["CTRL_C_neck_swallow.ty"]
    first, last = (metahuman.CURVE_INDEX[f"{PREFIX}neckSwallowPh{phase}"] for phase in (1, 4))
    board = np.tile(metahuman.BOARD_DEFAULT, (6, 1))
    board[:, swallow] = [0, 0.1, 0.2, 0.3, 0.4, 1]
    curves = metahuman.board_to_curves(board)
    np.testing.assert_allclose(curves[:, first], [0, 0.5, 1, 0.5, 0, 0], atol=1e-5)
    np.testing.assert_allclose(curves[:, last], 0, atol=1e-5)
    sticky = metahuman.BOARD_DEFAULT.copy()
    sticky[metahuman.CONTROL_INDEX["CTRL_L_mouth_lipSticky.ty"]] = 1
    curves = metahuman.board_to_curves(sticky)
    phases = [curves[metahuman.CURVE_INDEX[f"{PREFIX}mouthLipsStickyLPh{phase}"]] for phase in (1, 2, 3)]
    np.testing.assert_allclose(phases, [0, 0, 1], atol=1e-5)


def test_board_and_curves_agree_for_single_shapes_and_mixes():
    singles = np.stack([face(**{name: weight}) for name in arkit.SHAPES for weight in (0.3, 1.0)])
    for faces in (singles, random_faces(2000)):
        through_board = metahuman.board_to_curves(metahuman.arkit_to_board(faces))
        np.testing.assert_allclose(through_board, metahuman.arkit_to_curves(faces), atol=1e-6)


@pytest.mark.parametrize(("one", "other"), [pair for pair in OPPOSITES if not pair[0].startswith("eyeLook")])
def test_of_opposite_shapes_the_board_shows_the_difference(one: str, other: str):
    assert driven_controls(**{one: 0.75, other: 0.25}) == driven_controls(**{one: 0.5})
    assert len(driven_curves(**{one: 0.75, other: 0.25})) == 2


def test_single_shapes_come_back_exactly():
    for name in arkit.SHAPES:
        if name == "mouthClose":  # Nothing to close while the jaw is shut.
            continue
        for weight in (0.05, 0.5, 1.0):
            original = face(**{name: weight})
            back = metahuman.curves_to_arkit(metahuman.arkit_to_curves(original)[None])[0]
            np.testing.assert_allclose(back, original, atol=1e-6, err_msg=name)


def test_mixes_come_back_but_for_cut_funnels():
    faces = random_faces(5000)
    back = metahuman.curves_to_arkit(metahuman.arkit_to_curves(faces))
    funnel, pucker = arkit.INDEX["mouthFunnel"], arkit.INDEX["mouthPucker"]
    cut = faces[:, funnel] + 0.6 * faces[:, pucker] > 1
    assert 0.01 < cut.mean() < 0.3
    np.testing.assert_allclose(back[~cut], faces[~cut], atol=2e-4)
    others = np.arange(arkit.CHANNEL_COUNT) != funnel
    np.testing.assert_allclose(back[:, others], faces[:, others], atol=2e-4)
    assert (back[cut, funnel] <= faces[cut, funnel] + 1e-4).all()


def test_board_comes_back_like_the_curves():
    faces = random_faces(500, seed=3)
    from_board = metahuman.board_to_arkit(metahuman.arkit_to_board(faces))
    np.testing.assert_allclose(from_board, metahuman.curves_to_arkit(metahuman.arkit_to_curves(faces)), atol=1e-4)


def test_foreign_curves_give_legal_faces():
    random = np.random.default_rng(5)
    channels = metahuman.curves_to_arkit(random.random((300, 251), np.float32))
    assert np.isfinite(channels).all()
    assert channels[:, : arkit.SHAPE_COUNT].min() >= 0
    assert channels[:, : arkit.SHAPE_COUNT].max() <= 1
