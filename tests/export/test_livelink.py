"""Live Link Face CSV against real takes and against an independent reading of Epic's importer rules."""

import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from livelink_takes import DEGREES, SAMPLE, TAKE_NAMES, TAKES, take, written

from talker.animation import FaceAnimation
from talker.export import livelink
from talker.export.registry import DEFAULT_OPTIONS, ExportOptions, read_animation
from talker.export.timing import frame_rate
from talker.rigs import arkit


def epic_import(path: Path) -> tuple[list[str], list[float], list[list[float]]]:
    """What the LiveLinkFaceImporter plugin does: property names, seconds, values; it stops at a bad row."""
    lines = path.read_bytes().decode("utf-8").split("\n")
    header = [cell for cell in lines[0].split(",") if cell]
    assert header[0].lower() == "timecode"
    assert header[1].lower() == "blendshapecount"
    assert len(header) >= 3
    seconds, rows = [], []
    for line in lines[1:]:
        if not line:
            continue
        cells = [cell for cell in line.split(",") if cell]
        if len(cells) != len(header):
            break
        hours, minutes, whole, frame = cells[0].split(":")
        seconds.append(int(hours) * 3600 + int(minutes) * 60 + int(whole) + float(frame) / 60.0)
        rows.append([float(cell) for cell in cells[2:]])
    assert rows
    return header[2:], seconds, rows


@pytest.mark.parametrize("fps", [24, 25, 29.97, 30, 50, 59.94, 60, 120])
def test_epics_importer_sees_the_same_take(tmp_path: Path, fps: float) -> None:
    animation = take(400, fps)
    livelink.write(animation, tmp_path / "take.csv", DEFAULT_OPTIONS)
    names, seconds, rows = epic_import(tmp_path / "take.csv")
    np.testing.assert_allclose(seconds, animation.times, atol=0.6e-3 / 60)
    for name, column in zip(names, np.array(rows).T, strict=True):
        channel = name[:1].lower() + name[1:]
        np.testing.assert_allclose(column, animation.channel(channel), atol=1e-7, err_msg=name)


def test_file_is_laid_out_exactly_like_the_apps_own(tmp_path: Path) -> None:
    livelink.write(take(3, 30), tmp_path / "take.csv", DEFAULT_OPTIONS)
    ours, theirs = (tmp_path / "take.csv").read_bytes(), SAMPLE.read_bytes()
    assert ours.split(b"\n")[0] == theirs.split(b"\n")[0]
    assert ours.endswith(b"\n")
    assert b"\r" not in ours and not ours.startswith(b"\xef\xbb\xbf")
    cells = ours.split(b"\n")[2].split(b",")
    assert cells[0] == b"00:00:00:02.000"
    assert cells[1] == b"61"
    assert [len(cell.split(b".")[1]) for cell in cells[2:]] == [10] * 61


def test_right_comes_before_left_for_the_sideways_shapes(tmp_path: Path) -> None:
    animation = FaceAnimation.from_channels({"jawLeft": 0.1, "jawRight": 0.2, "mouthLeft": 0.3, "mouthRight": 0.4}, 30)
    header, row = (line.split(",") for line in written(animation, tmp_path / "take.csv"))
    assert [(header[i], round(float(row[i]), 6)) for i in (17, 18, 23, 24)] == [
        ("JawRight", 0.2),
        ("JawLeft", 0.1),
        ("MouthRight", 0.4),
        ("MouthLeft", 0.3),
    ]


@pytest.mark.parametrize(
    ("frame", "fps", "expected"),
    [
        (0, 60, "00:00:00:00.000"),
        (7, 60, "00:00:00:07.000"),
        (7, 30, "00:00:00:14.000"),
        (1, 25, "00:00:00:02.400"),
        (1, 24, "00:00:00:02.500"),
        (1, 29.97, "00:00:00:02.002"),
        (60, 60, "00:00:01:00.000"),
        (60 * 3600 * 23 + 1, 60, "23:00:00:01.000"),
        (60 * 3600 * 24, 60, "00:00:00:00.000"),
        (1999, 1000, "00:00:01:59.940"),
        (59_999_999, 30_000_000, "00:00:02:00.000"),  # 119.999998 sixtieths: .9995 and up carry.
    ],
)
def test_timecode_counts_sixtieths_at_every_rate(frame: int, fps: float, expected: str) -> None:
    assert livelink.timecode(frame, fps) == expected


@given(st.floats(1, 1000), st.integers(0, 1_000_000))
def test_timecodes_are_never_malformed_or_off(fps: float, frame: int) -> None:
    hours, minutes, seconds, sixtieths = livelink.timecode(frame, fps).split(":")
    assert int(minutes) < 60 and int(seconds) < 60 and float(sixtieths) < 60
    total = int(hours) * 3600 + int(minutes) * 60 + int(seconds) + float(sixtieths) / 60
    assert abs(total - frame / fps % 86400) < 0.51e-3 / 60 + 1e-9


@settings(max_examples=60, deadline=None)
@given(st.sampled_from([10, 12.5, 15, 23.976, 24, 25, 29.97, 30, 48, 50, 59.94, 60, 72, 90, 100, 120]), st.data())
def test_rate_is_read_exactly(fps: float, data: st.DataObject) -> None:
    count = data.draw(st.integers(3, 4000))
    seconds = np.rint(np.arange(count) * 60_000 / fps) / 60_000
    found = frame_rate(seconds, 1 / 60_000)
    # A millionth apart: 59.94 and 60000/1001 give the same timecodes for the first seconds.
    assert found == fps or (seconds[-1] < 9 and found == pytest.approx(fps, rel=1.1e-6))


@pytest.mark.parametrize("frames", [3, 60, 2000])
@pytest.mark.parametrize("fps", [24000 / 1001, 30000 / 1001, 60000 / 1001])
def test_rates_of_1001_are_read_exactly(tmp_path: Path, fps: float, frames: int) -> None:
    livelink.write(take(frames, fps), tmp_path / "take.csv", DEFAULT_OPTIONS)
    assert livelink.read(tmp_path / "take.csv", DEFAULT_OPTIONS).fps == fps


@pytest.mark.parametrize("options", [DEFAULT_OPTIONS, DEGREES], ids=["radians", "degrees"])
def test_round_trip(tmp_path: Path, options: ExportOptions) -> None:
    animation = take()
    livelink.write(animation, tmp_path / "take.csv", options)
    back = livelink.read(tmp_path / "take.csv", options)
    assert back.fps == animation.fps
    np.testing.assert_allclose(back.curves, animation.curves, atol=1e-7)


def test_degrees_are_degrees(tmp_path: Path) -> None:
    animation = FaceAnimation.from_channels({"headYaw": np.pi / 2}, 30)
    header, row = (line.split(",") for line in written(animation, tmp_path / "take.csv", DEGREES))
    assert float(row[header.index("HeadYaw")]) == pytest.approx(90)


def test_the_same_take_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        livelink.write(take(), tmp_path / f"{name}.csv", DEFAULT_OPTIONS)
    assert (tmp_path / "a.csv").read_bytes() == (tmp_path / "b.csv").read_bytes()


# What real files hold.


def test_real_sample_rows() -> None:
    animation = read_animation(SAMPLE)
    assert (animation.fps, animation.frame_count) == (30, 3)
    assert animation.meta["timecode"] == "13:13:04:31.652"
    assert animation.channel("eyeBlinkLeft")[0] == pytest.approx(0.1236470118)
    assert animation.channel("jawRight")[0] == pytest.approx(0.0185036063)
    assert animation.channel("jawLeft")[0] == 0
    assert animation.channel("rightEyeYaw")[2] == pytest.approx(0.0340296663)


@pytest.mark.parametrize("name", TAKE_NAMES)
def test_real_takes_round_trip(tmp_path: Path, name: str) -> None:
    path = TAKES / f"{name}.csv"
    if not path.exists():
        pytest.skip(f"needs the real takes in {TAKES}")
    start = time.perf_counter()
    animation, measured = livelink.read_take(path, DEFAULT_OPTIONS)
    assert time.perf_counter() - start < 1.0
    assert animation.fps == 30
    names, seconds, _ = epic_import(path)
    assert len(names) == 61
    assert animation.duration == pytest.approx(len(measured) / 30)
    assert measured.mean() > 0.8
    # Every complete row before the first hole sits in its frame, unchanged but for the clipping.
    intact = int(np.argmin(measured)) if not measured.all() else len(measured)
    _, seconds, rows = epic_import(path)
    intact = min(intact, len(rows))
    columns = [arkit.INDEX[name[:1].lower() + name[1:]] for name in names]
    truth = np.array(rows[:intact], np.float32)
    truth[:, :52] = truth[:, :52].clip(0, 1)
    np.testing.assert_array_equal(animation.curves[:intact, columns], truth)
    assert np.abs(np.array(seconds[:intact]) - seconds[0] - animation.times[:intact]).max() < 0.5 / 30
    livelink.write(animation, tmp_path / "back.csv", DEFAULT_OPTIONS)
    back = livelink.read(tmp_path / "back.csv", DEFAULT_OPTIONS)
    assert np.abs(back.curves - animation.curves).max() < 1e-6
    assert back.fps == animation.fps


def test_lost_faces_of_a_real_take_are_filled_and_reported() -> None:
    path = TAKES / "apfel.csv"
    if not path.exists():
        pytest.skip(f"needs the real takes in {TAKES}")
    animation, measured = livelink.read_take(path, DEFAULT_OPTIONS)
    assert animation.meta["face_lost_frames"] == 35
    assert animation.meta["dropped_frames"] == 2
    assert (~measured).sum() == 37
