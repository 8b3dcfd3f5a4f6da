"""Live Link Face CSV as other programs and real phones write it: other clocks, gaps, lost faces, other columns."""

import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st
from livelink_takes import cell, rewritten, take, written

from talker.animation import FaceAnimation
from talker.export import livelink
from talker.export.registry import DEFAULT_OPTIONS, read_animation
from talker.rigs import arkit


def test_header_spelling_order_and_further_columns_do_not_matter(tmp_path: Path) -> None:
    def change(lines: list[str]) -> None:
        for i, line in enumerate(lines):
            cells = line.split(",")
            lines[i] = ",".join([*cells[:2], *reversed(cells[2:]), "Mood" if i == 0 else "3.5"])
        lines[0] = lines[0].replace("BlendShapeCount", "BlendshapeCount").replace("JawOpen", "jawopen")

    np.testing.assert_allclose(read_animation(rewritten(tmp_path, change)).curves, take().curves, atol=1e-7)


@pytest.mark.parametrize("ending", ["\r\n", "\n", "\r\n\r\n"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"], ids=["plain", "bom"])
def test_line_ends_marks_and_a_missing_last_newline(tmp_path: Path, ending: str, mark: bytes) -> None:
    lines = written(take(), tmp_path / "take.csv")
    (tmp_path / "take.csv").write_bytes(mark + ending.join(lines).encode())
    np.testing.assert_allclose(read_animation(tmp_path / "take.csv").curves, take().curves, atol=1e-7)


def test_missing_angle_columns_come_from_the_looks(tmp_path: Path) -> None:
    def change(lines: list[str]) -> None:
        lines[:] = [",".join(line.split(",")[:54]) for line in lines]

    back = read_animation(rewritten(tmp_path, change))
    assert (back.curves[:, arkit.HEAD] == 0).all()
    np.testing.assert_allclose(back.curves, arkit.eye_angles_from_looks(back.curves))
    assert np.abs(back.channel("leftEyeYaw")).max() > 0.1


def test_rows_without_a_face_are_filled_in_between_and_held_at_the_ends(tmp_path: Path) -> None:
    animation = FaceAnimation.from_channels({"jawOpen": np.linspace(0, 0.9, 10)}, 60)

    def change(lines: list[str]) -> None:
        for row in (1, 4, 5, 10):
            lines[row] = lines[row].split(",")[0] + ",0"

    back, measured = livelink.read_take(rewritten(tmp_path, change, animation), DEFAULT_OPTIONS)
    np.testing.assert_allclose(back.channel("jawOpen"), [0.1, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.8], atol=1e-6)
    assert list(np.flatnonzero(~measured)) == [0, 3, 4, 9]
    assert back.meta["face_lost_frames"] == 4


def test_dropped_frames_are_filled_in_between(tmp_path: Path) -> None:
    animation = FaceAnimation.from_channels({"jawOpen": np.linspace(0, 0.9, 10)}, 30)

    def change(lines: list[str]) -> None:
        del lines[4:6]

    back = read_animation(rewritten(tmp_path, change, animation))
    assert (back.frame_count, back.fps, back.meta["dropped_frames"]) == (10, 30, 2)
    np.testing.assert_allclose(back.channel("jawOpen"), animation.channel("jawOpen"), atol=1e-6)


def test_midnight(tmp_path: Path) -> None:
    def change(lines: list[str]) -> None:
        for i in range(1, len(lines)):
            clock = "23:59:59" if i <= 40 else "00:00:00"
            lines[i] = f"{clock}:{(i + 19) % 60:02d}.000," + lines[i].split(",", 1)[1]

    back = read_animation(rewritten(tmp_path, change))
    assert (back.fps, back.frame_count) == (60, 90)
    np.testing.assert_allclose(back.curves, take().curves, atol=1e-7)


def test_weights_a_little_out_of_range_are_clipped(tmp_path: Path) -> None:
    def change(lines: list[str]) -> None:
        lines[1] = lines[1].replace(",61,", ",61,1.0758537054,").rsplit(",", 1)[0]

    assert read_animation(rewritten(tmp_path, change)).channel("eyeBlinkLeft")[0] == 1


def test_a_drifting_clock_keeps_a_long_take_in_step_with_its_sound(tmp_path: Path) -> None:
    animation = FaceAnimation.from_channels({"jawOpen": np.linspace(0, 1, 20_000)}, 30)

    def change(lines: list[str]) -> None:
        for i in range(1, len(lines)):
            lines[i] = livelink.timecode(i - 1, 30.004) + "," + lines[i].split(",", 1)[1]

    back = read_animation(rewritten(tmp_path, change, animation))
    assert back.fps == 30
    assert back.duration == pytest.approx(20_000 / 30.004, abs=1 / 30)


def neurosync(lines: list[str]) -> None:
    """NeuroSync's layout: milliseconds within the second after the dot, seven emotions at the end."""
    emotions = ["Angry", "Disgusted", "Fearful", "Happy", "Neutral", "Sad", "Surprised"]
    lines[0] = ",".join([lines[0], *emotions])
    for i in range(1, len(lines)):
        second, milliseconds = divmod(int((i - 1) / 60 * 1000), 1000)
        happy = 0.75 if i > 48 else 0.25
        rest = lines[i].split(",", 2)[2]
        clock = f"00:00:{second:02d}:{(i - 1) % 60:02d}.{milliseconds:03d}"
        lines[i] = f"{clock},68,{rest},0,0,0,{happy},{1 - happy},0,0"


def test_neurosync_timecodes_and_emotions(tmp_path: Path) -> None:
    back = read_animation(rewritten(tmp_path, neurosync))
    assert (back.fps, back.frame_count) == (60, 90)
    np.testing.assert_allclose(back.curves, take().curves, atol=1e-7)
    first, second = back.meta["emotion"]
    assert first["time"] == 0 and first["weights"]["happy"] == 0.25 and first["weights"]["neutral"] == 0.75
    assert second["time"] == pytest.approx(0.8) and second["weights"]["happy"] == 0.75
    assert set(first["weights"]) == {"angry", "disgusted", "fear", "happy", "neutral", "sad", "surprised"}


@pytest.mark.parametrize("fps", [24, 25, 30, 50, 60])
def test_timecodes_that_count_frames(tmp_path: Path, fps: int) -> None:
    back = read_animation(rewritten(tmp_path, lambda lines: count_frames(lines, fps, first=7)))
    assert (back.fps, back.frame_count) == (fps, 90)
    np.testing.assert_allclose(back.curves, take().curves, atol=1e-7)


def count_frames(lines: list[str], fps: int, first: int) -> None:
    """Rewrite the timecodes so that FF counts frames, as some other programs do."""
    for i in range(1, len(lines)):
        second, frame = divmod(i - 1 + first, fps)
        lines[i] = f"00:00:{second:02d}:{frame:02d}.000," + lines[i].split(",", 1)[1]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from([24, 25, 30, 48, 50]), st.integers(0, 23), st.sets(st.integers(1, 158), min_size=1, max_size=12))
@example(30, 0, {47})
@example(30, 0, {59})
def test_timecodes_that_count_frames_may_have_gaps(tmp_path: Path, fps: int, first: int, gaps: set[int]) -> None:
    # Two wraps or more; the seam of at least half of them is recorded.
    wraps = range(fps - first, 160, fps)
    assume(sum(frame in gaps or frame - 1 in gaps for frame in wraps) <= len(wraps) / 2)
    animation = FaceAnimation.from_channels({"jawOpen": np.linspace(0, 1, 160)}, fps)

    def change(lines: list[str]) -> None:
        count_frames(lines, fps, first)
        for row in sorted(gaps, reverse=True):
            del lines[row + 1]

    back = read_animation(rewritten(tmp_path, change, animation))
    assert (back.fps, back.frame_count, back.meta["dropped_frames"]) == (fps, 160, len(gaps))
    np.testing.assert_allclose(back.curves, animation.curves, atol=1e-6)


@pytest.mark.parametrize("fps", [20, 30, 60])
@pytest.mark.parametrize("gap", [(), (30,), (57, 58, 59), tuple(range(20, 40))])
def test_sixtieths_with_gaps_stay_sixtieths(tmp_path: Path, fps: int, gap: tuple[int, ...]) -> None:
    animation = FaceAnimation.from_channels({"jawOpen": np.linspace(0, 1, 200)}, fps)

    def change(lines: list[str]) -> None:
        for row in sorted(gap, reverse=True):
            del lines[row + 1]

    back = read_animation(rewritten(tmp_path, change, animation))
    assert (back.fps, back.frame_count, back.meta.get("dropped_frames", 0)) == (fps, 200, len(gap))


def test_calibrated_takes(tmp_path: Path) -> None:
    lines = written(take(), tmp_path / "raw.csv")
    lines[0] = lines[0].replace("BlendShapeCount", "BlendshapeCount")
    cell(lines, 2, "JawOpen", "1.0432561636")
    cell(lines, 3, "MouthSmileLeft", "-0.0021374226")
    path = tmp_path / "20240312_MySlate_4_iPhone_cal.csv"
    path.write_text("\n".join(lines) + "\n")
    back = read_animation(path)
    assert (back.fps, back.frame_count) == (60, 90)
    expected = take().curves.copy()
    expected[0, arkit.INDEX["jawOpen"]], expected[1, arkit.INDEX["mouthSmileLeft"]] = 1, 0
    np.testing.assert_allclose(back.curves, expected, atol=1e-7)


def test_a_lone_row(tmp_path: Path) -> None:
    back = read_animation(rewritten(tmp_path, lambda lines: lines.__delitem__(slice(2, None))))
    assert (back.frame_count, back.fps) == (1, 60)


@pytest.mark.slow
def test_an_hour_at_60_frames_per_second(tmp_path: Path) -> None:
    curves = np.random.default_rng(1).uniform(0, 1, (216_000, arkit.CHANNEL_COUNT)).astype(np.float32)
    livelink.write(FaceAnimation(curves, 60), tmp_path / "hour.csv", DEFAULT_OPTIONS)
    start = time.perf_counter()
    back = livelink.read(tmp_path / "hour.csv", DEFAULT_OPTIONS)
    assert time.perf_counter() - start < 30
    np.testing.assert_allclose(back.curves, curves, atol=1e-7)
