"""Takes as pictures: layout, curve strip, stills."""

import numpy as np
import pytest
from PIL import Image

from talker.animation import FaceAnimation
from talker.errors import TalkerError
from talker.export.registry import ExportOptions
from talker.render.curve_strip import CurveStrip, strongest
from talker.render.film import Film
from talker.render.portrait import Portrait, portrait_of
from talker.render.stills import sheet, write_still


@pytest.fixture(scope="module")
def portrait() -> Portrait:
    return portrait_of(None)


@pytest.fixture(scope="module")
def take() -> FaceAnimation:
    swing = 0.5 - 0.5 * np.cos(np.arange(20) / 20 * 2 * np.pi)
    return FaceAnimation.from_channels(
        {"jawOpen": swing, "browInnerUp": 0.2 * swing, "mouthSmileLeft": 0.6 * swing}, 25
    )


def test_strongest_curves_come_first_and_pairs_once(take: FaceAnimation) -> None:
    assert strongest(take) == ["jawOpen", "mouthSmileLeft", "browInnerUp"]
    smile = FaceAnimation.from_channels({"mouthSmileLeft": [0, 1], "mouthSmileRight": [0, 0.9]}, 25)
    assert strongest(smile) == ["mouthSmileLeft"]
    assert strongest(FaceAnimation.from_channels({}, 25)) == []


def test_playhead_sweeps_the_strip(take: FaceAnimation) -> None:
    strip = CurveStrip(take, 200, 64)
    white = [np.flatnonzero((strip.draw(index) == 255).all(axis=(0, 2))) for index in (0, 10, 19)]
    assert white[0].max() <= 1 < white[1].min() < white[2].min()
    assert white[2].max() >= 198


def test_long_take_turns_pages() -> None:
    curves = np.zeros((700, 61), np.float32)
    curves[:300, 17] = 1.0  # Only the first ten seconds hold a jaw.
    strip = CurveStrip(FaceAnimation(curves, 30), 200, 64)
    assert strip.draw(299).shape == (64, 200, 3)
    assert not np.array_equal(strip.draw(10), strip.draw(310))


def test_layout_and_order(portrait: Portrait, take: FaceAnimation) -> None:
    film = Film(take, portrait, 97, side_view=True, curve_strip=True)
    assert (film.width, film.height) == (196, 98 + 24)
    pictures = list(film.frames())
    assert len(pictures) == 20 and {picture.shape for picture in pictures} == {(122, 196, 3)}
    for index in (0, 7, 19):
        difference = np.abs(pictures[index].astype(int) - film.frame(index))
        assert difference.mean() < 0.05  # Posed in a batch or alone, vertices differ in the last bit.


def test_frames_can_be_left_early(portrait: Portrait, take: FaceAnimation) -> None:
    frames = Film(take, portrait, 64).frames()
    assert next(frames).shape == (64, 64, 3)
    frames.close()


def test_absurd_size_is_refused(portrait: Portrait, take: FaceAnimation) -> None:
    with pytest.raises(TalkerError, match="choose a size from 64 to 4096"):
        Film(take, portrait, 10)


def test_still_and_contact_sheet(take: FaceAnimation, tmp_path) -> None:
    options = ExportOptions(size=96)
    assert write_still(take, tmp_path / "one.png", 0.4, options) == 1
    assert write_still(take, tmp_path / "all.png", None, options) == 12
    assert Image.open(tmp_path / "one.png").size == (96, 96)
    assert Image.open(tmp_path / "all.png").size == (4 * 96, 3 * 96)
    with pytest.raises(TalkerError, match=r"no time 9 s in a take of 0\.800 s"):
        write_still(take, tmp_path / "late.png", 9.0, options)
    assert not (tmp_path / "late.png").exists()


def test_sheet_places_pictures_row_by_row() -> None:
    pictures = [np.full((40, 40, 3), value, np.uint8) for value in (10, 60, 110)]
    laid = sheet(pictures, ["", "", ""], columns=2)
    assert laid.shape == (80, 80, 3)
    assert laid[10, 10, 0] == 10 and laid[10, 50, 0] == 60 and laid[50, 10, 0] == 110
    assert laid[50, 50, 0] not in (10, 60, 110)
