"""What the figures of an evaluation mean, in numbers that can be checked by hand."""

import numpy as np
import pytest

from talker.evaluation import metrics
from talker.evaluation.metrics import Closures

FPS = 50.0


def mouthing(seconds: float = 4.0, seed: int = 0) -> np.ndarray:
    """A lip gap without a period, between 0 and about 0.2."""
    random = np.random.default_rng(seed)
    noise = np.convolve(random.standard_normal(round(seconds * FPS) + 24), np.hanning(25), "valid")
    return 0.2 * (noise - noise.min()) / np.ptp(noise)


def dips(count: int, *places: int, floor: float = 0.0, width: int = 4) -> np.ndarray:
    """Parted lips that come down to `floor` for `width` frames around each of the places."""
    gap = np.full(count, 0.1)
    for place in places:
        gap[place - width // 2 : place - width // 2 + width] = floor
    return gap


def everywhere(series: np.ndarray) -> np.ndarray:
    return np.ones(len(series), bool)


def test_correlation_by_hand() -> None:
    assert metrics.correlation(np.array([1.0, 2, 3]), np.array([1.0, 2, 4])) == pytest.approx(9 / np.sqrt(84))
    assert metrics.correlation(np.zeros(3), np.array([1.0, 2, 4])) == 0
    assert np.isnan(metrics.correlation(np.array([1.0, 2, 4]), np.zeros(3)))


@pytest.mark.parametrize("frames", [-6, -1, 0, 3, 10])
def test_a_shifted_copy_has_that_lag(frames: int) -> None:
    truth = mouthing()
    found = metrics.agreement(np.roll(truth, frames), truth, everywhere(truth), FPS)
    assert found.lag == pytest.approx(frames / FPS)
    assert found.best_r == pytest.approx(1.0) and (found.r < 0.999 or not frames)


@pytest.mark.parametrize("share", [0.3, 1.0, 1.7])
def test_a_scaled_copy_has_that_amplitude_and_agrees(share: float) -> None:
    truth = mouthing()
    found = metrics.agreement(share * truth + 0.05, truth, everywhere(truth), FPS)
    assert found.amplitude == pytest.approx(share) and found.r == pytest.approx(1.0) and found.lag == 0


def test_amplitude_does_not_hear_of_outliers() -> None:
    truth = np.linspace(0, 1, 101)
    assert metrics.amplitude_ratio(np.where(np.arange(101) == 50, 99.0, truth), truth) == pytest.approx(1.0, abs=0.02)
    assert metrics.amplitude_ratio(np.linspace(0, 0.5, 101), truth) == pytest.approx(0.5)


def test_frames_that_were_not_seen_do_not_count() -> None:
    truth, seen = mouthing(), everywhere(mouthing())
    predicted = truth.copy()
    seen[50:80], predicted[50:80] = False, 7.0
    found = metrics.agreement(predicted, truth, seen, FPS)
    assert found.r == pytest.approx(1.0) and found.amplitude == pytest.approx(1.0)
    assert np.isnan(metrics.agreement(truth, truth, ~seen & (np.arange(len(seen)) < 60), FPS).r)


def test_where_closures_are() -> None:
    gap = dips(200, 40, 100)
    assert metrics.closures(gap, everywhere(gap), FPS).tolist() == [[38, 41], [98, 101]]


@pytest.mark.parametrize(
    ("gap", "why"),
    [
        (dips(200, 100, floor=0.03), "the lips stay apart"),
        (dips(200, 100, width=20), "that is a pause"),
        (dips(200, 2, width=4), "the lips were closed before"),
        (np.where(np.arange(200) < 100, 0.1, 0.0), "the lips do not part again"),
        (np.full(200, 0.0), "a face that never moves"),
        (0.025 + 0.012 * np.sin(np.arange(200)), "never parted"),
    ],
)
def test_what_is_no_closure(gap: np.ndarray, why: str) -> None:
    assert len(metrics.closures(gap, everywhere(gap), FPS)) == 0, why


def test_a_closure_that_trembles_is_one() -> None:
    gap = dips(100, 50, width=6)
    gap[50] = 0.035
    assert len(metrics.closures(gap, everywhere(gap), FPS)) == 1


def test_a_closure_in_which_the_face_was_lost_is_none() -> None:
    gap = dips(200, 40, 100)
    seen = everywhere(gap)
    seen[99] = False
    assert metrics.closures(gap, seen, FPS).tolist() == [[38, 41]]


def test_closures_are_matched_one_to_one() -> None:
    truth = dips(300, 40, 100, 160, 220)
    guess = dips(
        300, 42, 106, 130, 160
    )  # One frame of video late is right, three are not; one is missing, one invented.
    counts = metrics.count_closures(guess, truth, everywhere(truth), FPS)
    assert counts == Closures(true=4, predicted=4, hit=2)
    assert counts.precision == 0.5 and counts.recall == 0.5 and counts.f1 == 0.5
    assert (Closures(4, 2, 1).precision, Closures(4, 2, 1).recall, Closures(4, 2, 1).f1) == (0.5, 0.25, 2 / 6)
    assert metrics.count_closures(truth, truth, everywhere(truth), FPS).f1 == 1.0


def test_a_long_closure_may_be_hit_anywhere_inside_but_once() -> None:
    truth = dips(200, 100, width=14)
    assert metrics.count_closures(dips(200, 105), truth, everywhere(truth), FPS).hit == 1
    assert metrics.count_closures(dips(200, 109), truth, everywhere(truth), FPS).hit == 0


def test_where_lips_are_closed_anyhow_a_closure_is_neither_right_nor_wrong() -> None:
    truth = dips(200, 60)
    truth[120:180] = 0.0
    assert metrics.count_closures(dips(200, 60, 150), truth, everywhere(truth), FPS) == Closures(1, 1, 1)
    assert metrics.count_closures(dips(200, 60, 100), truth, everywhere(truth), FPS) == Closures(1, 2, 1)
    assert metrics.count_closures(dips(200, 150), truth, everywhere(truth), FPS) == Closures(1, 0, 0)


def test_lips_that_nearly_close_are_found_with_another_threshold() -> None:
    truth, guess = dips(200, 50, 120), dips(200, 50, 120, floor=0.035)
    assert metrics.count_closures(guess, truth, everywhere(truth), FPS).hit == 0
    assert metrics.count_closures(guess, truth, everywhere(truth), FPS, closed=0.04).f1 == 1.0


def test_lips_that_stop_short_are_told_from_lips_that_stay_open() -> None:
    truth = dips(300, 50, 120, 200)
    guess = np.minimum(dips(300, 50), dips(300, 122, floor=0.04))  # They meet, stop short, stay open.
    found = metrics.approaches(guess, truth, everywhere(truth), FPS)
    assert found == pytest.approx(np.array([[0.0, 0.1], [0.04, 0.06], [0.1, 0.0]]))


def test_closures_at_the_wrong_time_are_chance() -> None:
    truth = dips(200, 30, 60)
    assert metrics.chance_closures(truth, truth, everywhere(truth), FPS) == Closures(2, 2, 0)


def test_totals_and_nothing() -> None:
    assert Closures.total([Closures(3, 2, 1), Closures(1, 4, 1)]) == Closures(4, 6, 2)
    assert Closures.total([]) == Closures()
    assert all(np.isnan(value) for value in (Closures().f1, Closures().precision, Closures().recall))


def test_silence_counts_once_the_mouth_had_time_to_close() -> None:
    silent = np.zeros(200, bool)
    silent[50:150] = True
    gap = np.where(silent, 0.01, 0.2)
    gap[50:60] = gap[140:150] = 0.2  # It closes and opens within 200 ms.
    assert metrics.silence_gap(gap, silent, FPS) == pytest.approx(1.0)
    assert metrics.settled(silent, FPS).sum() == 80
    assert np.isnan(metrics.silence_gap(gap, np.zeros(200, bool), FPS))
    assert metrics.settled(np.ones(30, bool), FPS).all()


def test_jitter_of_white_noise_is_its_deviation() -> None:
    random = np.random.default_rng(1)
    ramp = np.linspace(0, 1, 4000)[:, None, None]
    noisy = ramp + 0.002 * random.standard_normal((4000, 5, 2))
    assert metrics.jitter(noisy, np.ones(4000, bool)) == pytest.approx(0.002 * np.sqrt(2), rel=0.03)
    assert metrics.jitter(np.broadcast_to(ramp, (4000, 5, 2)), np.ones(4000, bool)) < 1e-9
    assert np.isnan(metrics.jitter(noisy, np.zeros(4000, bool)))


def test_dose_response_is_the_slope() -> None:
    dose = np.array([0.1, 0.2, 0.5, np.nan, 0.9])
    assert metrics.dose_response(dose, 3 * dose + 1).slope == pytest.approx(3.0)
    assert metrics.dose_response(dose, 3 * dose + 1).r == pytest.approx(1.0)
    assert np.isnan(metrics.dose_response(np.ones(5), dose).slope)


def test_intervals_hold_the_truth_and_people_count() -> None:
    random = np.random.default_rng(2)
    values = random.normal(5.0, 1.0, 200)
    low, high = metrics.interval(lambda at: float(values[at].mean()), [str(i) for i in range(200)])
    assert low < values.mean() < high and high - low == pytest.approx(4 / np.sqrt(200), rel=0.2)
    people = [str(i // 20) for i in range(200)]
    shared = np.repeat(random.normal(5.0, 1.0, 10), 20)
    by_person = np.subtract(*metrics.interval(lambda at: float(shared[at].mean()), people)[::-1])
    by_clip = np.subtract(*metrics.interval(lambda at: float(shared[at].mean()), [str(i) for i in range(200)])[::-1])
    assert by_person > 3 * by_clip  # Twenty clips of one person tell little more than one.
    assert np.isnan(metrics.interval(lambda at: 1.0, ["one"])[0])
