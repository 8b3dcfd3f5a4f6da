"""What the figures of an evaluation mean: every formula and unit, said once.

Lengths are distances between the outer corners of the eyes, measured from the person's own resting face: a lip gap of 0
is lips that just touch. Series are (T,) at `fps`; `seen` (T,) bool tells where the truth is known. A figure that cannot
be told is not-a-number.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

LAG_REACH = 0.2
"""Seconds by which one series may be shifted against the other."""

CLOSED = 0.02
"""Lips no farther apart count as closed: two millimetres, and twice the landmarks' noise on strangers."""

PARTED = 0.04
"""Lips farther apart are open, as for the "oo" of blue. What lies between neither makes a closure nor ends one."""

LONGEST_CLOSURE = 0.3
"""Seconds: lips that stay together for longer are at rest."""

TOLERANCE = 0.05
"""Seconds by which the middle of a closure may be off: what video at 25 frames a second leaves open (0.02), its place
in the sound (0.02), and frames at 50 Hz (0.01)."""

FEWEST_PEOPLE = 8
"""With fewer, intervals say how sure a figure is for these people, not for people."""

_FEWEST_SECONDS = 0.5  # Of seen frames: less tells no correlation.
_STILL = 1e-6
_SETTLING = 0.2  # Seconds that a mouth may take to close after speech, and to open before it.


def correlation(predicted: np.ndarray, measured: np.ndarray) -> float:
    """Pearson's r; 0 for a prediction that never moves, not-a-number for a truth that never does."""
    if len(measured) < 2 or measured.std() < _STILL:
        return float("nan")
    return float(np.corrcoef(predicted, measured)[0, 1]) if predicted.std() > _STILL else 0.0


def lagged_correlation(predicted: np.ndarray, measured: np.ndarray, seen: np.ndarray, lag: int) -> float:
    """`correlation` of predicted[t + lag] with measured[t] where that was seen."""
    early, late = max(0, -lag), max(0, lag)
    count = min(len(measured) - early, len(predicted) - late)
    here = seen[early : early + max(count, 0)]
    return correlation(predicted[late : late + count][here], measured[early : early + count][here])


@dataclass(frozen=True)
class Agreement:
    """How far a prediction goes together with what was measured.

    Attributes:
        r: `correlation` as they are.
        best_r: The highest that shifting by up to `LAG_REACH` reaches.
        lag: The shift that does, in seconds: positive when the prediction comes too late.
        amplitude: Spread of the prediction over that of the truth; spread is from the 10th to the 90th percentile.
    """

    r: float
    best_r: float
    lag: float
    amplitude: float


def agreement(predicted: np.ndarray, measured: np.ndarray, seen: np.ndarray, fps: float) -> Agreement:
    """Compare two series of the same length."""
    if seen.sum() < _FEWEST_SECONDS * fps:
        return Agreement(*4 * (float("nan"),))
    reach = round(LAG_REACH * fps)
    by_lag = {lag: lagged_correlation(predicted, measured, seen, lag) for lag in range(-reach, reach + 1)}
    best = max(by_lag, key=lambda lag: (np.nan_to_num(by_lag[lag], nan=-1.0), -abs(lag)))
    return Agreement(by_lag[0], by_lag[best], best / fps, amplitude_ratio(predicted[seen], measured[seen]))


def amplitude_ratio(predicted: np.ndarray, measured: np.ndarray) -> float:
    """See `Agreement.amplitude`."""
    spread = [float(np.subtract(*np.percentile(series, [90, 10]))) for series in (predicted, measured)]
    return spread[0] / spread[1] if spread[1] > _STILL else float("nan")


def closures(gap: np.ndarray, seen: np.ndarray, fps: float, closed: float = CLOSED) -> np.ndarray:
    """(N, 2) first and last frame of each closure of the lips within speech, as p, b and m make them.

    The lips are parted, come within `closed`, and part again; they part to `PARTED`, or as far above `closed` as that
    is above `CLOSED`. A mouth at rest before, between and after sentences has no parted lips on both sides within
    `LONGEST_CLOSURE`, so silence earns nothing.
    """
    parted = np.flatnonzero(gap > closed + (PARTED - CLOSED))
    found = []
    for before, after in pairwise(parted):
        inside = before + 1 + np.flatnonzero(gap[before + 1 : after] <= closed)
        if len(inside) and seen[before : after + 1].all() and inside[-1] - inside[0] < LONGEST_CLOSURE * fps:
            found.append((inside[0], inside[-1]))
    return np.array(found, int).reshape(-1, 2)


@dataclass(frozen=True)
class Closures:
    """Closures of the lips counted: in truth, in the prediction, and those that are the same."""

    true: int = 0
    predicted: int = 0
    hit: int = 0

    @property
    def precision(self) -> float:
        """Share of the predicted closures that were there."""
        return self.hit / self.predicted if self.predicted else float("nan")

    @property
    def recall(self) -> float:
        """Share of the true closures that were predicted."""
        return self.hit / self.true if self.true else float("nan")

    @property
    def f1(self) -> float:
        """Harmonic mean of both."""
        return 2 * self.hit / (self.true + self.predicted) if self.true + self.predicted else float("nan")

    @classmethod
    def total(cls, parts: "Iterable[Closures]") -> "Closures":
        """All of them together."""
        counts = [(part.true, part.predicted, part.hit) for part in parts]
        return cls(*map(int, np.sum(counts, axis=0))) if counts else cls()


def count_closures(
    predicted: np.ndarray, measured: np.ndarray, seen: np.ndarray, fps: float, closed: float = CLOSED
) -> Closures:
    """Find the closures in both lip gaps and match them one to one.

    A predicted closure is right when its middle lies within `TOLERANCE` of the true one's middle, or anywhere inside a
    true one that lasts longer. Where the true lips are closed though that is no closure (a pause, somebody who hardly
    parts the lips) a predicted one is neither right nor wrong: it is not counted. `closed` is that of the prediction
    only; for the truth it is `CLOSED`.
    """
    true, guessed = closures(measured, seen, fps), closures(predicted, seen, fps, closed)
    left = list(guessed.mean(axis=1))
    hits = _take_matches(true, left, fps)
    shut = np.flatnonzero(measured <= CLOSED)
    excused = sum(bool(np.any(np.abs(shut - guess) <= TOLERANCE * fps)) for guess in left)
    return Closures(len(true), len(guessed) - excused, hits)


def approaches(predicted: np.ndarray, measured: np.ndarray, seen: np.ndarray, fps: float) -> np.ndarray:
    """(N, 2) what the predicted lips do at each of the N true closures: how near they come, and how far they came.

    The first is their smallest gap within `TOLERANCE` of the closure; the second, by how much that is less than their
    largest gaps within `LONGEST_CLOSURE` before and after. It tells lips that miss a closure from lips that stop short.
    """
    near, far = round(TOLERANCE * fps), round(LONGEST_CLOSURE * fps)
    rows = []
    for first, last in closures(measured, seen, fps):
        lowest = predicted[max(first - near, 0) : last + near + 1].min()
        before, after = predicted[max(first - far, 0) : last + 1].max(), predicted[first : last + far + 1].max()
        rows.append((lowest, min(before, after) - lowest))
    return np.array(rows, float).reshape(-1, 2)


def chance_closures(predicted: np.ndarray, measured: np.ndarray, seen: np.ndarray, fps: float) -> Closures:
    """`count_closures` of a prediction at the wrong time: shifted by half the clip, around its end."""
    return count_closures(np.roll(predicted, len(predicted) // 2), measured, seen, fps)


def _take_matches(true: np.ndarray, middles: list[float], fps: float) -> int:
    """The most pairs that can be made: whichever truth ends first takes the first prediction left that it allows.

    Those taken are removed from `middles`.
    """
    slack = np.maximum(TOLERANCE * fps, (true[:, 1] - true[:, 0]) / 2) + 1e-9
    hits = 0
    for middle, reach in sorted(zip(true.mean(axis=1), slack, strict=True), key=sum):
        fitting = next((guess for guess in middles if abs(guess - middle) <= reach), None)
        if fitting is not None:
            middles.remove(fitting)
            hits += 1
    return hits


def settled(silent: np.ndarray, fps: float) -> np.ndarray:
    """(T,) bool silent frames -> those where a mouth has had time to close and is not about to open."""
    width = 2 * round(_SETTLING * fps) + 1
    padded = np.pad(silent, width // 2, mode="edge")
    return np.asarray(np.lib.stride_tricks.sliding_window_view(padded, width).all(axis=1))


def silence_gap(gap: np.ndarray, silent: np.ndarray, fps: float) -> float:
    """How far the mouth opens while nothing is said: 95th percentile of the gap in `settled` silence, in percent."""
    resting = settled(silent, fps)
    return 100.0 * float(np.percentile(gap[resting], 95)) if resting.any() else float("nan")


def jitter(points: np.ndarray, still: np.ndarray) -> float:
    """Deviation of the white noise that would make the second differences seen in still frames.

    Args:
        points: (T, N, 2), in eye distances, as is the result.
        still: (T,) bool frames in which nothing should move.
    """
    steps = np.diff(points, n=2, axis=0) / np.sqrt(6)
    steps = steps[still[:-2] & still[1:-1] & still[2:]]
    return float(np.sqrt((steps**2).sum(-1).mean())) if len(steps) else float("nan")


@dataclass(frozen=True)
class DoseResponse:
    """What follows from what: a line through (dose, response) pairs by least squares, and its correlation."""

    slope: float
    r: float


def dose_response(dose: np.ndarray, response: np.ndarray) -> DoseResponse:
    """Of the upper face to vocal effort, say: one pair per clip."""
    known = np.isfinite(dose) & np.isfinite(response)
    if known.sum() < 3 or dose[known].std() < _STILL:
        return DoseResponse(float("nan"), float("nan"))
    return DoseResponse(
        float(np.polyfit(dose[known], response[known], 1)[0]), correlation(response[known], dose[known])
    )


def interval(
    statistic: Callable[[np.ndarray], float], people: Sequence[str], draws: int = 500, seed: int = 0
) -> tuple[float, float]:
    """95 % bootstrap interval of a statistic of clips.

    Args:
        statistic: Of the clips whose indices it gets, some of them more than once.
        people: Who speaks in each clip. Whole people are drawn when there are `FEWEST_PEOPLE`, else single clips.
        draws: How many times.
        seed: Decides what is drawn.
    """
    random = np.random.default_rng(seed)
    names = sorted(set(people))
    of_person = [np.flatnonzero(np.asarray(people) == name) for name in names]
    groups = of_person if len(names) >= FEWEST_PEOPLE else [np.array([clip]) for clip in range(len(people))]
    if len(groups) < 2:
        return float("nan"), float("nan")
    lots = random.integers(len(groups), size=(draws, len(groups)))
    values = [statistic(np.concatenate([groups[i] for i in lot])) for lot in lots]
    values = [value for value in values if np.isfinite(value)]
    low, high = np.percentile(values, [2.5, 97.5]) if values else (np.nan, np.nan)
    return float(low), float(high)
