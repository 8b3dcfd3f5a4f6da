"""Live Link Face CSV against real takes and against an independent reading of Epic's importer rules."""

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from talker.animation import FaceAnimation
from talker.errors import TalkerError
from talker.export import livelink
from talker.export.registry import DEFAULT_OPTIONS, ExportOptions, read_animation
from talker.export.timing import frame_rate
from talker.rigs import arkit

SAMPLE = Path(__file__).parents[1] / "data/livelink_iphone_30fps.csv"
TAKES = Path(__file__).parents[3] / "shared/data/livelink_takes"
TAKE_NAMES = ("S07-001", "S88-001", "alex_rom_3", "alex_rom_4", "apfel", "facial")
DEGREES = ExportOptions(angle_unit="degrees")


def take(frames: int = 90, fps: float = 60.0) -> FaceAnimation:
    """Every channel differs from every other, left from right above all."""
    random = np.random.default_rng(7)
    curves = random.uniform(0, 1, (frames, arkit.CHANNEL_COUNT)).astype(np.float32)
    curves[:, arkit.SHAPE_COUNT :] -= 0.5
    return FaceAnimation(curves, fps)


def written(animation: FaceAnimation, path: Path, options: ExportOptions = DEFAULT_OPTIONS) -> list[str]:
    livelink.write(animation, path, options)
    return path.read_text().splitlines()


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


def rewritten(tmp_path: Path, change: Callable[[list[str]], None], animation: FaceAnimation | None = None) -> Path:
    """A written take whose lines `change` has edited in place."""
    path = tmp_path / "take.csv"
    lines = written(take() if animation is None else animation, path)
    change(lines)
    path.write_text("\n".join(lines) + "\n")
    return path


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


# Malformed files: one line that names file, place and remedy.


def cell(lines: list[str], line: int, column: str, value: str) -> None:
    """Overwrite one cell; `line` counts from 1 with the header."""
    cells = lines[line - 1].split(",")
    cells[lines[0].split(",").index(column)] = value
    lines[line - 1] = ",".join(cells)


MALFORMED: dict[str, tuple[Callable[[list[str]], object], str]] = {
    "truncated row": (
        lambda lines: lines.__setitem__(-1, lines[-1][:200]),
        "line 91 has 16 cells where the header has 63; the row is cut off: delete it",
    ),
    "row too long": (
        lambda lines: lines.__setitem__(4, lines[4] + ",1"),
        "line 5 has 64 cells where the header has 63; delete what is too many",
    ),
    "not a number": (
        lambda lines: cell(lines, 7, "JawOpen", "wide"),
        "line 7: JawOpen 'wide' is not a finite number; repair the cell or delete the row",
    ),
    "NaN": (
        lambda lines: cell(lines, 7, "TongueOut", "nan"),
        "line 7: TongueOut 'nan' is not a finite number; repair the cell or delete the row",
    ),
    "beyond floating point": (
        lambda lines: cell(lines, 7, "HeadYaw", "1e999"),
        "line 7: HeadYaw '1e999' is not a finite number; repair the cell or delete the row",
    ),
    "empty cell": (
        lambda lines: cell(lines, 7, "HeadRoll", ""),
        "line 7: HeadRoll is empty; repair the cell or delete the row",
    ),
    "percent": (
        lambda lines: cell(lines, 9, "JawOpen", "37"),
        "line 9: JawOpen is 37; weights lie in 0..1; divide percentages by 100",
    ),
    "negative weight": (
        lambda lines: cell(lines, 9, "JawOpen", "-0.4"),
        "line 9: JawOpen is -0.4; weights lie in 0..1; divide percentages by 100",
    ),
    "degrees": (
        lambda lines: cell(lines, 9, "HeadPitch", "-30"),
        "line 9: HeadPitch is -30; angles are in radians; for degrees add --input-angle-unit degrees",
    ),
    "negative time": (
        lambda lines: cell(lines, 3, "Timecode", "-1:00:00:01.000"),
        "line 3: -1:0:0:1 is no time of day as HH:MM:SS:FF.mmm, FF below 60",
    ),
    "backwards": (
        lambda lines: cell(lines, 9, "Timecode", "00:00:00:01.000"),
        "line 9: its time does not come after that of line 8; is this one take? cut the file there",
    ),
    "standing still": (
        lambda lines: cell(lines, 9, "Timecode", "00:00:00:06.000"),
        "line 9: its time does not come after that of line 8; is this one take? cut the file there",
    ),
    "an hour's hole": (
        lambda lines: cell(lines, 91, "Timecode", "01:00:00:00.000"),
        "line 91: its time is 3598.5 s after that of line 90; is this one take? cut the file there",
    ),
    "no timecode": (
        lambda lines: cell(lines, 2, "Timecode", "0.0"),
        "line 2: the timecode '0.0' is not HH:MM:SS:FF.mmm",
    ),
    "no shape column": (
        lambda lines: lines.__setitem__(0, lines[0].replace("JawOpen", "Jaw")),
        "the column JawOpen is missing (1 of 52 shapes); "
        "a Live Link Face file is comma-separated and names all of them",
    ),
    "semicolons": (
        lambda lines: lines.__setitem__(0, lines[0].replace(",", ";").replace(";", ",", 2)),
        "the column EyeBlinkLeft is missing (52 of 52 shapes); "
        "a Live Link Face file is comma-separated and names all of them",
    ),
    "column twice": (
        lambda lines: lines.__setitem__(0, lines[0].replace("HeadRoll", "JawOpen")),
        "there are 2 columns named JawOpen; keep one",
    ),
    "no count column": (
        lambda lines: lines.__setitem__(0, lines[0].replace("BlendShapeCount", "Count")),
        "column 2 is 'Count' where Live Link Face has BlendShapeCount",
    ),
    "no rows": (
        lambda lines: lines.__delitem__(slice(1, None)),
        "there is a header but no row below it; record the take again",
    ),
    "never a face": (
        lambda lines: lines.__setitem__(slice(1, None), [line.split(",")[0] + ",0" for line in lines[1:]]),
        "no row holds a face (BlendShapeCount is 0 in all 90 rows)",
    ),
}


@pytest.mark.parametrize("fault", MALFORMED)
def test_malformed_files_are_explained(tmp_path: Path, fault: str) -> None:
    change, message = MALFORMED[fault]
    path = rewritten(tmp_path, lambda lines: change(lines) and None)
    with pytest.raises(TalkerError) as caught:
        read_animation(path)
    assert str(caught.value) == f"{path}: {message}"


def test_empty_and_binary_files(tmp_path: Path) -> None:
    path = tmp_path / "take.csv"
    path.write_bytes(b"")
    with pytest.raises(TalkerError, match="the file is empty"):
        read_animation(path)
    path.write_bytes(b"Timecode,\xff\xfe\x00")
    with pytest.raises(TalkerError, match="line 1 is not UTF-8 text"):
        read_animation(path)
