"""Hands before the mouth and cuts between shots, drawn into real films."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest
from drawn_tracks import LANDMARKER, SHARED
from test_video_frames import write_video

from talker.rigs.head_mesh import HeadMesh
from talker.tracking.covering import POINT_COUNT, colours_of, covered_frames
from talker.tracking.landmarks import LandmarkTrack
from talker.tracking.shots import change_between, cut_frames, thumbnail
from talker.tracking.solve import solve_person
from talker.tracking.take import describe, find_face, takes_of

FILMS = SHARED / "data/grid_s1/video"
needs_films = pytest.mark.skipif(
    not (FILMS.is_dir() and LANDMARKER.is_file()), reason="no GRID videos or no landmarker in ../shared"
)
SHORT, LONG = slice(12, 16), slice(30, 50)  # 160 ms and 800 ms.

Place = tuple[float, float, float]
"""Of the mouth's middle in pixels, and the distance of the eyes."""


def film(number: int) -> np.ndarray:
    """(75, 288, 360, 3)."""
    with av.open(str(sorted(FILMS.glob("*.mpg"))[number])) as container:
        return np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])


def track(path: Path, pictures: np.ndarray) -> LandmarkTrack:
    pytest.importorskip("mediapipe")
    write_video(path, pictures)
    return find_face(path, LANDMARKER)


def places(seen: LandmarkTrack) -> list[Place]:
    points = seen.points()[..., :2] * [1, -1]
    middle = points[:, [13, 14]].mean(1)
    return [(*map(float, at), float(unit)) for at, unit in zip(middle, _unit(points), strict=True)]


def _unit(points: np.ndarray) -> np.ndarray:
    return np.linalg.norm(points[:, 33] - points[:, 263], axis=1)


def inside(picture: np.ndarray, place: Place, half_width: float, half_height: float, down: float) -> np.ndarray:
    """(h, w) bool, an ellipse at the mouth in eye distances."""
    x, y, unit = place
    rows, columns = np.mgrid[: picture.shape[0], : picture.shape[1]]
    return ((columns - x) / half_width / unit) ** 2 + ((rows - y - down * unit) / half_height / unit) ** 2 < 1


def box(picture: np.ndarray, place: Place) -> np.ndarray:
    x, y, unit = place
    out = picture.copy()
    out[int(y - 0.35 * unit) : int(y + 0.45 * unit), int(x - 0.55 * unit) : int(x + 0.55 * unit)] = 120
    return out


def hand(picture: np.ndarray, place: Place) -> np.ndarray:
    """Of the same skin as the cheek, with four fingers."""
    x, y, unit = place
    cheek = picture[int(y - 0.4 * unit) :][:8, int(x + 0.4 * unit) :][:, :8]
    skin = np.median(cheek.reshape(-1, 3), axis=0)
    rows = np.arange(picture.shape[0])[:, None, None]
    fingers = 0.85 + 0.15 * np.abs(np.sin((rows - y) / (0.25 * unit) * np.pi))
    return np.where(inside(picture, place, 0.55, 0.5, 0.1)[..., None], skin * fingers, picture).astype(np.uint8)


def microphone(picture: np.ndarray, place: Place) -> np.ndarray:
    return np.where(inside(picture, place, 0.25, 0.3, 0.25)[..., None], 25, picture).astype(np.uint8)


@needs_films
@pytest.mark.slow
@pytest.mark.parametrize("cover", [box, hand, microphone])
def test_a_covered_mouth(tmp_path: Path, cover: Callable[[np.ndarray, Place], np.ndarray]) -> None:
    pictures = film(0)
    where = places(track(tmp_path / "bare.mp4", pictures))
    covered = np.zeros(75, bool)
    covered[SHORT] = covered[LONG] = True
    hidden = np.stack([cover(p, at) if c else p for p, at, c in zip(pictures, where, covered, strict=True)])
    seen = track(tmp_path / "covered.mp4", hidden)
    assert (seen.covered == covered).all() and (seen.found == ~covered).all() and not seen.cuts.any()
    take = takes_of([seen], HeadMesh.load())[0]
    told = take.meta["tracking"]
    confidence, valid = np.array(told["confidence"]), np.array(told["valid"])
    assert valid[SHORT].all() and confidence[SHORT].max() <= 0.5
    assert not valid[LONG].any() and not confidence[LONG].any()
    assert valid[~covered].all() and confidence[~covered].min() > 0.8
    assert told["covered"] == pytest.approx(24 / 75, abs=1e-3) and "mouth covered in 32%" in describe(take)


@needs_films
@pytest.mark.slow
def test_a_bare_mouth_in_many_lights(tmp_path: Path) -> None:
    pictures = film(3).astype(np.float32)
    noise = 15 * np.random.default_rng(0).standard_normal(pictures.shape[1:])
    dimmed = pictures * np.linspace(0.4, 1.3, 75)[:, None, None, None]
    from_the_side = pictures * (1 - np.linspace(0, 0.7, 75)[:, None, None, None] * np.linspace(0, 1, 360)[:, None])
    for name, lit in {
        "dimmed": dimmed,
        "side": from_the_side,
        "noise": pictures + noise,
        "dark": 0.12 * pictures,
    }.items():
        seen = track(tmp_path / f"{name}.mp4", np.clip(lit, 0, 255).astype(np.uint8))
        assert not seen.covered.any() and not seen.cuts.any(), name


@needs_films
@pytest.mark.slow
def test_cuts_are_found_and_not_bridged(tmp_path: Path) -> None:
    """The same speaker goes on elsewhere, then somebody else does."""
    one, other = film(0), film(4)
    stranger = np.ascontiguousarray(one[:, ::-1, ::-1, ::-1])[:, ::-1]
    seen = track(tmp_path / "cut.mp4", np.concatenate([one[:30], other[30:55], stranger[:25]]))
    assert list(np.flatnonzero(seen.cuts)) == [30, 55]
    found = seen.found.copy()
    found[[29, 30, 40, 41]] = False
    solution = solve_person([replace(seen, found=found)], HeadMesh.load())[0]
    assert list(np.flatnonzero(~solution.valid)) == [29, 30]


@needs_films
def test_no_cuts_where_there_are_none() -> None:
    """A quiet take, a shaking camera, one that swings away, a flash, and pictures shown twice."""
    quiet = film(2)[::, ::2, ::2]
    roll = partial(np.roll, axis=1)
    shaken = np.stack([roll(picture, int(30 * np.sin(i / 3))) for i, picture in enumerate(quiet)])
    swung = np.stack([roll(picture, 10 * int(np.clip(i - 30, 0, 5))) for i, picture in enumerate(quiet)])
    flashed = quiet.copy()
    flashed[30] = np.minimum(flashed[30].astype(int) + 90, 255)
    for pictures in (quiet, shaken, swung, flashed, quiet[np.arange(75) // 2 * 2]):
        assert not cuts_of(pictures).any()
    assert list(np.flatnonzero(cuts_of(np.concatenate([quiet[:40], quiet[:40, :, ::-1]])))) == [40]


def cuts_of(pictures: np.ndarray) -> np.ndarray:
    small = [thumbnail(picture) for picture in pictures]
    changes = np.array([0.0, *(change_between(a, b) for a, b in pairwise(small))])
    count = len(pictures)
    return cut_frames(changes, np.ones((count, 4, 2)), np.zeros(count, bool))


def test_a_face_that_jumps_is_cut() -> None:
    points = np.random.default_rng(0).uniform(0, 100, (1, 40, 2)).repeat(20, axis=0)
    points[12:] += [60, 0]
    cuts = cut_frames(np.zeros(20), points, np.ones(20, bool))
    assert list(np.flatnonzero(cuts)) == [12]
    found = np.arange(20) != 11
    assert not cut_frames(np.zeros(20), points, found).any()


def test_each_shot_has_colours_of_its_own() -> None:
    """Two people of different colours, the second covered for a while: only that is unusual."""
    random = np.random.default_rng(1)
    shots = [random.uniform(60, 220, (1, POINT_COUNT, 3)).repeat(count, axis=0) for count in (50, 90)]
    colours = np.concatenate(shots) + random.normal(0, 3, (140, POINT_COUNT, 3))
    colours[100:120, :40] = 30
    cuts = np.arange(140) == 50
    covered = covered_frames(colours.clip(0, 255).astype(np.uint8), np.ones(140, bool), cuts, 25.0)
    assert list(np.flatnonzero(covered)) == list(range(100, 120))


def test_colours_are_taken_at_the_face() -> None:
    picture = np.zeros((100, 200, 3), np.uint8)
    picture[:, 100:] = (10, 200, 30)
    left, right = np.full((478, 2), 40.0), np.full((478, 2), 160.0)
    assert not colours_of(picture, left).any()
    assert (colours_of(picture, right) == (10, 200, 30)).all()
    assert colours_of(picture, np.full((478, 2), 1e4)).shape == (POINT_COUNT, 3)  # A face partly outside the picture.
