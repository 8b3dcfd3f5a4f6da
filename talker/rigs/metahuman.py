"""The MetaHuman face rig: 174 board controls, 251 raw curves, and the ways between them and ARKit's channels.

The board is what an animator moves in Sequencer: controls like `CTRL_L_eye.tx`, each 0..1 or -1..1. Every control
drives one or more raw curves `CTRL_expressions_*` in 0..1, which RigLogic turns into the face: `eyeBlinkL` rises with
`CTRL_L_eye_blink.ty` above 0, `eyeWidenL` below. Left and right are the subject's own, as in ARKit.

Three things differ from a plain weighted sum of ARKit's shapes:

- Gaze. A `eyeLook*` curve turns the eyeball and takes the lids along, so it follows the eye angles, not ARKit's
  `eyeLook*` weights (which describe the lids alone).
- Closed lips. ARKit's `mouthClose` undoes `jawOpen` by an equal amount; `mouthLipsTogether*` closes the lips at any
  jaw opening when it is 1. See `lips_together`.
- Opposite shapes, `jawLeft` and `jawRight` for one, are two curves but one control: the board shows their difference.

The tables lie in `rigs/metahuman/`; the README there gives the reason for each weight.
"""

import csv
from dataclasses import dataclass
from functools import cache

import numpy as np

from talker.resources import rigs_dir
from talker.rigs import arkit

LIPS_TOGETHER_FADE = 0.02
"""Weight of jawOpen from which `lips_together` has its full say: 0.8 mm between the lips of the default head."""

_SWEEPS = 16  # Of the least squares in `curves_to_arkit`; each divides the error by 4 or more.
_CUT = np.float32(0.9999)  # A curve this high may have been cut to 1.
_TINY = np.float32(1e-6)
_BLOCK_FRAMES = 1 << 15  # Keeps the temporary arrays of an hour-long take small.


@dataclass(frozen=True)
class Control:
    """One axis of a control on the face board: `name` is `<control>.tx` or `<control>.ty`."""

    name: str
    low: float
    high: float
    default: float

    @property
    def node(self) -> str:
        """The control without its axis: its name in Unreal's Control Rig."""
        return self.name[:-3]

    @property
    def axis(self) -> str:
        """`x` or `y`."""
        return self.name[-1]


@dataclass(frozen=True)
class Curve:
    """One raw curve and the control that drives it.

    It is 0 up to the control value `start`, rises linearly to 1 at `peak` and falls back to 0 at `end`; an infinite end
    means that it stays at 1, a `peak` below `start` that it rises while the control falls.
    """

    name: str
    control: str
    start: float
    peak: float
    end: float

    @property
    def is_plain(self) -> bool:
        """Whether the curve simply is the positive or the negative part of its control."""
        return self.start == 0 and abs(self.peak) == 1 and self.end == np.inf


def _rows(name: str) -> list[dict[str, str]]:
    with (rigs_dir() / "metahuman" / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


BOARD_CONTROLS: tuple[Control, ...] = tuple(
    Control(row["control"], float(row["low"]), float(row["high"]), float(row["default"])) for row in _rows("board.csv")
)
CURVES: tuple[Curve, ...] = tuple(
    Curve(row["curve"], row["control"], float(row["start"]), float(row["peak"]), float(row["end"] or "inf"))
    for row in _rows("curves.csv")
)
CONTROL_INDEX: dict[str, int] = {control.name: i for i, control in enumerate(BOARD_CONTROLS)}
CURVE_INDEX: dict[str, int] = {curve.name: i for i, curve in enumerate(CURVES)}

BOARD_LOW = np.array([control.low for control in BOARD_CONTROLS], np.float32)
BOARD_HIGH = np.array([control.high for control in BOARD_CONTROLS], np.float32)
BOARD_DEFAULT = np.array([control.default for control in BOARD_CONTROLS], np.float32)

_DRIVER = np.array([CONTROL_INDEX[curve.control] for curve in CURVES])
_SIGN = np.array([np.sign(curve.peak - curve.start) for curve in CURVES], np.float32)
_PHASED = tuple(i for i, curve in enumerate(CURVES) if not curve.is_plain)


def nodes() -> dict[str, tuple[Control, ...]]:
    """The controls as Unreal sees them: name -> its one axis, or its two, x first."""
    found: dict[str, tuple[Control, ...]] = {}
    for control in sorted(BOARD_CONTROLS, key=lambda control: control.axis):
        found[control.node] = (*found.get(control.node, ()), control)
    return {name: found[name] for name in dict.fromkeys(control.node for control in BOARD_CONTROLS)}


@cache
def arkit_weights() -> np.ndarray:
    """(52, 251) float32, read-only: what each ARKit shape at 1 adds to each raw curve."""
    weights = np.zeros((arkit.SHAPE_COUNT, len(CURVES)), np.float32)
    for row in _rows("arkit_to_curves.csv"):
        weights[arkit.INDEX[row["shape"]], CURVE_INDEX[row["curve"]]] = float(row["weight"])
    weights.setflags(write=False)
    return weights


@cache
def neutral_curves() -> np.ndarray:
    """(251,) float32, read-only: the curves of a face at rest. All 0 but `noseWrinkleUpper*`, which are 1."""
    neutral = board_to_curves(BOARD_DEFAULT)
    neutral.setflags(write=False)
    return neutral


def lips_together(jaw_open: np.ndarray, mouth_close: np.ndarray) -> np.ndarray:
    """Weight of the `mouthLipsTogether*` curves that leaves the lips `jaw_open - mouth_close` apart.

    At weight w the lips are `jaw_open * (1 - w)` apart, so w is the ratio of the two weights, at most 1. Where the jaw
    is all but shut that ratio is noise over noise; it fades in over `LIPS_TOGETHER_FADE`, which leaves the lips at most
    a quarter of that fade (0.2 mm) further apart than asked.
    """
    ratio = mouth_close / np.maximum(jaw_open, _TINY)
    return np.minimum(ratio, np.float32(1.0)) * _fade(jaw_open)


def mouth_close(jaw_open: np.ndarray, together: np.ndarray) -> np.ndarray:
    """ARKit's `mouthClose` from the weight of `mouthLipsTogether*`: the inverse of `lips_together` up to `jaw_open`."""
    return np.minimum(together / np.maximum(_fade(jaw_open), _TINY), np.float32(1.0)) * jaw_open


def _fade(jaw_open: np.ndarray) -> np.ndarray:
    """0 at a shut jaw, 1 from `LIPS_TOGETHER_FADE` on, smooth at both ends."""
    share = np.clip(jaw_open / np.float32(LIPS_TOGETHER_FADE), 0.0, 1.0)
    return share * share * (3 - 2 * share)


def board_to_curves(board: np.ndarray) -> np.ndarray:
    """Raw curves (..., 251) float32 in 0..1 of board controls (..., 174)."""
    board = np.asarray(board, np.float32)
    curves = board[..., _DRIVER] * _SIGN
    for i in _PHASED:
        curve = CURVES[i]
        value = board[..., _DRIVER[i]]
        curves[..., i] = (value - curve.start) / (curve.peak - curve.start)
        if curve.end < np.inf:
            np.minimum(curves[..., i], (curve.end - value) / (curve.end - curve.peak), out=curves[..., i])
    return np.clip(curves, 0.0, 1.0, out=curves)


def curves_to_board(curves: np.ndarray) -> np.ndarray:
    """Board controls (..., 174) float32 of raw curves (..., 251).

    Exact where at most one of two opposite curves is in use. The controls that run through phases, `lipSticky` and
    `neck_swallow`, stay at their defaults.
    """
    curves = np.asarray(curves, np.float32)
    board = np.zeros((*curves.shape[:-1], len(BOARD_CONTROLS)), np.float32)
    for i, driver in enumerate(_DRIVER):
        if i not in _PHASED:
            board[..., driver] += curves[..., i] * _SIGN[i]
    return np.clip(board, BOARD_LOW, BOARD_HIGH, out=board)


def arkit_to_curves(channels: np.ndarray) -> np.ndarray:
    """Raw curves (..., 251) float32 in 0..1 of talker's channels (..., 61); the head angles have no curve here."""
    shapes = arkit.looks_from_eye_angles(channels)[..., : arkit.SHAPE_COUNT]
    jaw, close = arkit.INDEX["jawOpen"], arkit.INDEX["mouthClose"]
    shapes[..., close] = lips_together(shapes[..., jaw], shapes[..., close])
    curves = shapes @ arkit_weights()
    curves += neutral_curves()
    return np.clip(curves, 0.0, 1.0, out=curves)


def arkit_to_board(channels: np.ndarray) -> np.ndarray:
    """Board controls (..., 174) float32 of talker's channels (..., 61)."""
    return curves_to_board(arkit_to_curves(channels))


def curves_to_arkit(curves: np.ndarray) -> np.ndarray:
    """Talker's channels (frames, 61) that come nearest to raw curves (frames, 251); the head looks straight ahead.

    The bounded least-squares solution of `arkit_to_curves`. Curves that no ARKit shape uses are ignored. What ARKit
    made comes back exactly, but for a `mouthClose` beyond `jawOpen`, and a `mouthFunnel` that raised the funnel curves,
    together with `mouthPucker`, over 1.
    """
    channels = np.zeros((len(curves), arkit.CHANNEL_COUNT), np.float32)
    for start in range(0, len(curves), _BLOCK_FRAMES):
        block = slice(start, start + _BLOCK_FRAMES)
        channels[block, : arkit.SHAPE_COUNT] = _bounded_least_squares(curves[block])
    jaw, close = arkit.INDEX["jawOpen"], arkit.INDEX["mouthClose"]
    channels[:, close] = mouth_close(channels[:, jaw], channels[:, close])
    return arkit.eye_angles_from_looks(channels)


def board_to_arkit(board: np.ndarray) -> np.ndarray:
    """Talker's channels (frames, 61) that come nearest to board controls (frames, 174)."""
    return curves_to_arkit(board_to_curves(board))


def _bounded_least_squares(curves: np.ndarray) -> np.ndarray:
    """(frames, 52) shapes in 0..1 that bring `shapes @ weights`, cut to 1, nearest to the curves.

    Nearly all shapes own their curves and are solved at once. The few that share some, `mouthPucker` and `mouthFunnel`
    or `browInnerUp` and `browOuterUp*`, take turns in a coordinate descent from 0 up, those with more curves first. A
    curve at 1 may have been cut, so it does not pull down shapes that would drive it higher.
    """
    weights = arkit_weights()
    excess = np.asarray(curves, np.float32) - neutral_curves()
    shapes = np.clip(excess @ weights.T / (weights**2).sum(axis=1), 0.0, 1.0)
    gram = weights @ weights.T
    sharing = np.flatnonzero((gram > 0).sum(axis=0) > 1)
    sharing = sharing[np.argsort(-(weights[sharing] > 0).sum(axis=1), kind="stable")]
    shapes[:, sharing] = 0.0
    for _ in range(_SWEEPS):
        for i in sharing:
            owned = np.flatnonzero(weights[i])
            partners = np.flatnonzero(gram[i])
            missing = excess[:, owned] - shapes[:, partners] @ weights[np.ix_(partners, owned)]
            told = (missing >= 0) | (excess[:, owned] < _CUT)
            step = (told * missing) @ weights[i, owned] / np.maximum(told @ weights[i, owned] ** 2, _TINY)
            shapes[:, i] = np.clip(shapes[:, i] + step, 0.0, 1.0)
    return shapes
