"""How well faces talk: predictions scored clip by clip, and what that says of a set.

What a figure means is said in `talker.evaluation.metrics` and once more, in a line, in `FIGURES`.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import TYPE_CHECKING

import numpy as np

from talker.audio import NETWORK_RATE, Audio
from talker.datasets.mouth import MOUTH_MEASURES
from talker.evaluation import metrics
from talker.evaluation.clips import Clip, mouth_of
from talker.evaluation.metrics import Closures
from talker.models.speech_encoder import FEATURE_FPS
from talker.rigs import arkit
from talker.rigs.landmark_numbers import MOUTH

if TYPE_CHECKING:
    from talker.inference import Model
    from talker.models.voice_emotion import VoiceEmotion

System = Callable[[Clip], np.ndarray]
"""What is judged: a clip's sound -> (T, 61) curves at 50 Hz."""

Judge = Callable[[Clip, np.ndarray], dict[str, float]]
"""Figures, by names of `FIGURES`, of one clip's (T, 61) curves. Those that take networks are made by
`talker.evaluation.looking`."""

FIGURES: dict[str, str] = {
    **{f"{name} r": f"correlation of the {name} with the landmarks'" for name in MOUTH_MEASURES},
    **{
        f"{name} best r": f"the same at the best lag within ±{metrics.LAG_REACH * 1000:g} ms" for name in MOUTH_MEASURES
    },
    **{f"{name} lag": "that lag, ms; above 0: the face is late" for name in MOUTH_MEASURES},
    **{f"{name} amplitude": "spread (10th to 90th percentile) over the landmarks'" for name in MOUTH_MEASURES},
    "closure precision": "share of the lips' closures that the landmarks have, too",
    "closure recall": "share of the landmarks' closures that the lips have, too",
    "closure f1": "harmonic mean of the two",
    "closure f1 by chance": "the same of the prediction half a clip late",
    "closure gap": "median of the smallest lip gap at the landmarks' closures, % of the eye distance",
    "closure dips": "share of the landmarks' closures at which the lips come together by "
    f"{100 * (metrics.PARTED - metrics.CLOSED):g} % of the eye distance, wherever they stop",
    "silence gap": "95th percentile of the lip gap in silence, % of the eye distance",
    "silence gap, landmarks": "the same of the landmarks",
    "silence jitter": "noise of the mouth's points in silence, % of the eye distance",
    "upper face": "mean weight of brows, lids (no blinks), cheeks and nose, %",
    "effort": "vocal effort, 0 to 1",
    "lip shapes misread": "edits per mouth shape between what is read from the lips and from the tracked face's",
    "emotion seen": "share of clips in which the emotion asked for is the one seen",
    "emotion strength": "how strong the emotion looks, 0 to 1",
    "upper face per effort": "slope of the upper face over vocal effort, % for the whole range, one point per clip",
}
"""Every figure of the tables, and what it is."""

_SHARES = ("emotion seen",)  # Yes or no in each clip: the mean tells, the median does not.

_UPPER = [
    i
    for i, name in enumerate(arkit.SHAPES)
    if name.startswith(("brow", "eyeSquint", "eyeWide", "cheekSquint", "noseSneer"))
]


@dataclass(frozen=True, eq=False)
class Score:
    """One clip by one system.

    Attributes:
        system: Its name.
        clip: What it was given.
        mouth: (T, 3) what its curves do to the mouth.
        figures: By name, those that are told clip by clip.
        closures, chance: Counted, to be summed up over clips.
        approaches: (N, 2) of the landmarks' closures: `metrics.approaches`.
    """

    system: str
    clip: Clip
    mouth: np.ndarray
    figures: dict[str, float]
    closures: Closures
    chance: Closures
    approaches: np.ndarray


@dataclass(frozen=True)
class Summary:
    """One figure of one system on one set.

    `low` and `high` bound the median's 95 % interval. Of shares, and of figures over all clips together, median and
    mean are the same.
    """

    set: str
    system: str
    figure: str
    clips: int
    median: float
    mean: float
    low: float
    high: float


def talked(model: "Model", clip: Clip, emotion: str = "neutral", intensity: float = 1.0) -> np.ndarray:
    """(T, 61) at 50 Hz: what `talker animate` makes of a clip's sound."""
    from talker.direction.animate import animate

    sound = Audio(clip.samples, NETWORK_RATE)
    return animate(sound, emotion=emotion, intensity=intensity, fps=FEATURE_FPS, model=model).curves


def judge_mouth(clip: Clip, curves: np.ndarray) -> dict[str, float]:
    """How the mouth's measures go with the landmarks'."""
    out: dict[str, float] = {}
    for name, guess, truth in zip(MOUTH_MEASURES, mouth_of(curves).T, clip.mouth.T, strict=True):
        found = metrics.agreement(guess, truth, clip.seen, FEATURE_FPS)
        out |= {f"{name} r": found.r, f"{name} best r": found.best_r}
        out |= {f"{name} lag": 1000 * found.lag, f"{name} amplitude": found.amplitude}
    return out


def judge_silence(clip: Clip, curves: np.ndarray) -> dict[str, float]:
    """What the mouth does while nothing is said."""
    resting = metrics.settled(clip.silent, FEATURE_FPS)
    return {
        "silence gap": metrics.silence_gap(mouth_of(curves)[:, 0], clip.silent, FEATURE_FPS),
        "silence gap, landmarks": metrics.silence_gap(clip.mouth[:, 0], clip.silent & clip.seen, FEATURE_FPS),
        "silence jitter": 100 * metrics.jitter(_mouth_points(curves), resting),
    }


def judge_upper_face(clip: Clip, curves: np.ndarray) -> dict[str, float]:
    """How much the upper face does, and how hard the voice works."""
    return {"upper face": 100 * float(np.abs(curves[:, _UPPER]).mean()), "effort": vocal_effort(clip.samples)}


JUDGES: tuple[Judge, ...] = (judge_mouth, judge_silence, judge_upper_face)


def score(name: str, system: System, clips: Iterable[Clip], judges: Sequence[Judge] = JUDGES) -> Iterator[Score]:
    """Let a system talk, and judge it."""
    for clip in clips:
        yield score_curves(name, clip, system(clip), judges)


def score_curves(name: str, clip: Clip, curves: np.ndarray, judges: Sequence[Judge] = JUDGES) -> Score:
    """Judge (T, 61) curves at 50 Hz; a prediction that ends early holds its last frame."""
    curves = curves[np.minimum(np.arange(clip.frames), len(curves) - 1)]
    mouth = mouth_of(curves)
    gaps = mouth[:, 0], clip.mouth[:, 0], clip.seen, FEATURE_FPS
    figures = {figure: value for judge in judges for figure, value in judge(clip, curves).items()}
    closures, chance = metrics.count_closures(*gaps), metrics.chance_closures(*gaps)
    return Score(name, clip, mouth, figures, closures, chance, metrics.approaches(*gaps))


def summarise(scores: Sequence[Score]) -> list[Summary]:
    """Every figure of every system on every set."""
    groups: dict[tuple[str, str], list[Score]] = {}
    for set_name in dict.fromkeys(one.clip.set for one in scores):
        for one in scores:
            if one.clip.set == set_name:
                groups.setdefault((set_name, one.system), []).append(one)
    return [one for group in groups.values() for part in (_by_clip(group), _together(group)) for one in part]


def _by_clip(scores: Sequence[Score]) -> Iterator[Summary]:
    for figure in dict.fromkeys(name for one in scores for name in one.figures):
        known = [one for one in scores if np.isfinite(one.figures.get(figure, np.nan))]
        values = np.array([one.figures[figure] for one in known])
        if known:
            middle = np.mean if figure in _SHARES else np.median
            yield _summary(known, figure, float(values.mean()), partial(_middle_of, middle, values))


def _together(scores: Sequence[Score]) -> Iterator[Summary]:
    for figure, statistic in _TOGETHER.items():
        value = statistic(scores)
        if np.isfinite(value):
            yield _summary(scores, figure, value, partial(_statistic_of, scores, statistic))


def _summary(scores: Sequence[Score], figure: str, mean: float, median: Callable[[np.ndarray], float]) -> Summary:
    low, high = metrics.interval(median, [one.clip.speaker for one in scores])
    return Summary(
        scores[0].clip.set, scores[0].system, figure, len(scores), median(np.arange(len(scores))), mean, low, high
    )


def _middle_of(middle: Callable[[np.ndarray], np.floating], values: np.ndarray, clips: np.ndarray) -> float:
    return float(middle(values[clips]))


def _statistic_of(scores: Sequence[Score], statistic: Callable[[Sequence[Score]], float], clips: np.ndarray) -> float:
    return statistic([scores[clip] for clip in clips])


def closure_sweep(scores: Sequence[Score], thresholds: Sequence[float]) -> dict[float, Closures]:
    """All clips' closures if predicted lips counted as closed at other gaps: that tells high dips from missing ones."""
    return {
        closed: Closures.total(
            metrics.count_closures(one.mouth[:, 0], one.clip.mouth[:, 0], one.clip.seen, FEATURE_FPS, closed)
            for one in scores
        )
        for closed in thresholds
    }


def vocal_effort(samples: np.ndarray) -> float:
    """0 to 1, mean over what sounds; not-a-number without sound."""
    from talker.models import prosody
    from talker.models.voice_emotion import active_slots, slots_of

    if not len(samples):
        return float("nan")
    measured = slots_of(prosody.measure(prosody.at_even_level(samples)))
    active = active_slots(measured)
    return float(_effort_network().effort(measured[active]).mean()) if active.any() else float("nan")


@lru_cache(maxsize=1)
def _effort_network() -> "VoiceEmotion":
    from talker.models.checkpoint import checkpoint_folder
    from talker.models.voice_emotion import load_voice_emotion

    return load_voice_emotion(checkpoint_folder("default") / "voice_emotion")


@lru_cache(maxsize=1)
def _mouth_basis() -> np.ndarray:
    from talker.rigs.head_mesh import HeadMesh

    return HeadMesh.load().landmark_basis()[1][:, MOUTH, :2]


def _mouth_points(curves: np.ndarray) -> np.ndarray:
    """(T, 61) -> (T, N, 2) how far points of the mouth and chin moved, in eye distances."""
    return np.tensordot(curves[:, : arkit.SHAPE_COUNT], _mouth_basis(), 1)


def _closure_gap(scores: Sequence[Score]) -> float:
    lowest = np.concatenate([one.approaches[:, 0] for one in scores])
    return 100 * float(np.median(lowest)) if len(lowest) else float("nan")


def _closure_dips(scores: Sequence[Score]) -> float:
    depth = np.concatenate([one.approaches[:, 1] for one in scores])
    return float((depth >= metrics.PARTED - metrics.CLOSED).mean()) if len(depth) else float("nan")


def _dose(scores: Sequence[Score]) -> float:
    dose, response = (np.array([one.figures[name] for one in scores]) for name in ("effort", "upper face"))
    return metrics.dose_response(dose, response).slope


_TOGETHER: dict[str, Callable[[Sequence[Score]], float]] = {
    "closure precision": lambda scores: Closures.total(one.closures for one in scores).precision,
    "closure recall": lambda scores: Closures.total(one.closures for one in scores).recall,
    "closure f1": lambda scores: Closures.total(one.closures for one in scores).f1,
    "closure f1 by chance": lambda scores: Closures.total(one.chance for one in scores).f1,
    "closure gap": _closure_gap,
    "closure dips": _closure_dips,
    "upper face per effort": _dose,
}
