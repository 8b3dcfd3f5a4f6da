"""Scores of whole clips, their summaries and the report about them."""

import csv
from pathlib import Path

import numpy as np
import pytest

from talker.animation import FaceAnimation
from talker.audio import NETWORK_RATE, Audio
from talker.evaluation.clips import Clip, clip_of_take, mouth_of
from talker.evaluation.report import SWEPT, table, write_report
from talker.evaluation.talking import FIGURES, Score, closure_sweep, score, score_curves, summarise, vocal_effort
from talker.rigs import arkit

FPS = 50
JAW = arkit.INDEX["jawOpen"]
BROWS = [arkit.INDEX["browOuterUpLeft"], arkit.INDEX["browOuterUpRight"]]


def talking(seed: int = 0, closed: float = 0.0) -> np.ndarray:
    """(200, 61) a jaw that opens and closes at odd times, never further than to `closed`; brows that do as much."""
    random = np.random.default_rng(seed)
    curves = np.zeros((200, arkit.CHANNEL_COUNT), np.float32)
    times = np.cumsum(random.uniform(10, 18, 20))
    opening = np.sin(np.interp(np.arange(200), times, np.arange(20) * np.pi)) ** 2
    curves[:, JAW] = np.maximum(0.5 * opening, closed)
    curves[:, BROWS] = 0.2 * opening[:, None]
    return curves


def clip_for(curves: np.ndarray, name: str = "clip") -> Clip:
    """Somebody who did that, with a hum for a voice and the last second silent."""
    hum = 0.2 * np.sin(np.arange(len(curves) * NETWORK_RATE // FPS) * 0.06).astype(np.float32)
    hum[-NETWORK_RATE:] = 0.0
    return clip_of_take(FaceAnimation(curves, FPS, Audio(hum, NETWORK_RATE)), name)


def score_of(curves: np.ndarray, truth: np.ndarray, system: str = "own", name: str = "clip") -> Score:
    return score_curves(system, clip_for(truth, name), curves)


def test_a_face_agrees_with_itself() -> None:
    one = score_of(talking(), talking())
    for measure in ("gap", "chin"):
        assert one.figures[f"{measure} r"] == pytest.approx(1.0) and one.figures[f"{measure} lag"] == 0
        assert one.figures[f"{measure} amplitude"] == pytest.approx(1.0)
    assert one.closures.true > 5 and one.closures.f1 == 1.0 and one.chance.f1 < 0.6
    assert one.figures["upper face"] == pytest.approx(100 * talking()[:, BROWS].mean() * 2 / 13, rel=1e-3)
    assert set(one.figures) < set(FIGURES)


def test_lag_is_told_in_milliseconds_and_its_sign_is_lateness() -> None:
    late = np.roll(talking(), 3, axis=0)
    assert score_of(late, talking()).figures["gap lag"] == 60
    assert score_of(talking(), late).figures["gap lag"] == -60


def test_lips_that_never_quite_meet_show_in_the_sweep_only() -> None:
    near = 0.035 / float(mouth_of(np.eye(1, arkit.CHANNEL_COUNT, JAW, dtype=np.float32))[0, 0])
    one = score_of(talking(closed=near), talking())
    assert one.closures.hit == 0 and one.closures.true > 5
    found = {figure.figure: figure.median for figure in summarise([one])}
    assert found["closure dips"] == 1.0 and found["closure gap"] == pytest.approx(3.5, abs=0.01)
    swept = closure_sweep([one], SWEPT)
    assert swept[0.03].hit == 0 and swept[0.04].f1 == 1.0


def test_silence_is_the_last_second() -> None:
    restless, still = talking(), talking()
    still[-50:] = 0.0
    loud = score_of(restless, still).figures
    assert loud["silence gap"] > 5 and loud["silence gap, landmarks"] == pytest.approx(0.0)
    assert loud["silence jitter"] > 0.1 > score_of(still, still).figures["silence jitter"]


def test_a_prediction_that_ends_early_holds_its_last_frame() -> None:
    one = score_of(talking()[:150], talking())
    assert len(one.mouth) == 200 and np.ptp(one.mouth[150:], axis=0).max() == 0


def test_a_take_at_another_rate_is_compared_at_the_same_times() -> None:
    slow = FaceAnimation(talking(), FPS).resample(60)
    assert clip_of_take(slow, "slow").mouth == pytest.approx(mouth_of(talking()), abs=0.02)


def test_vocal_effort_grows_with_a_voice_that_strains() -> None:
    time = np.arange(2 * NETWORK_RATE) / NETWORK_RATE
    calm, strained = (
        sum(np.sin(2 * np.pi * pitch * n * time) * n**-tilt for n in range(1, 20)).astype(np.float32) * 0.05
        for pitch, tilt in ((110, 2.0), (300, 0.5))
    )
    assert 0 <= vocal_effort(calm) < vocal_effort(strained) <= 1
    assert np.isnan(vocal_effort(np.zeros(0, np.float32)))


@pytest.fixture(scope="module")
def scores() -> list[Score]:
    """Ten people, five told perfectly, five half as wide and late; and a second system that does nothing."""
    clips = [clip_for(talking(seed), f"<clip> {seed}") for seed in range(10)]
    truths = {f"<clip> {seed}": talking(seed) for seed in range(10)}

    def half_right(clip: Clip) -> np.ndarray:
        good = int(clip.name[-1]) < 5
        return truths[clip.name] if good else 0.5 * np.roll(truths[clip.name], 2, axis=0)

    return [*score("half", half_right, clips), *score("nothing", lambda clip: 0 * truths[clip.name], clips)]


def test_summaries_tell_the_middle_and_how_sure_it_is(scores: list[Score]) -> None:
    found = {(one.system, one.figure): one for one in summarise(scores)}
    amplitude = found["half", "gap amplitude"]
    assert amplitude.clips == 10 and amplitude.median == pytest.approx(0.75) == pytest.approx(amplitude.mean)
    assert amplitude.low == pytest.approx(0.5) and amplitude.high == pytest.approx(1.0)
    assert found["half", "closure precision"].median == 1.0 and 0.4 < found["half", "closure recall"].median < 1.0
    assert found["half", "closure f1"].low < found["half", "closure f1"].median < found["half", "closure f1"].high
    assert found["nothing", "gap r"].median == 0 and found["nothing", "closure recall"].median == 0
    assert ("nothing", "closure precision") not in found


def test_the_report_holds_everything(scores: list[Score], tmp_path: Path) -> None:
    summaries = summarise(scores)
    write_report(tmp_path, scores, summaries)
    with (tmp_path / "clips.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 20 and {row["system"] for row in rows} == {"half", "nothing"}
    assert float(rows[0]["gap r"]) == pytest.approx(1.0) and int(rows[0]["closures hit"]) > 0
    with (tmp_path / "figures.csv").open(encoding="utf-8") as file:
        assert {row["figure"] for row in csv.DictReader(file)} == {one.figure for one in summaries} <= set(FIGURES)
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert page.count("<svg") == page.count("<h3>&lt;clip&gt; ") == 6
    assert "<clip>" not in page and "nan" not in page
    assert [row["system"] for row in table(summaries)] == ["half", "nothing"]
