"""Malformed Live Link Face files: one line that names file, place and remedy."""

from collections.abc import Callable
from pathlib import Path

import pytest
from livelink_takes import cell, rewritten

from talker.errors import TalkerError
from talker.export.registry import read_animation

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
