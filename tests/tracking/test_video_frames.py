from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from talker.errors import TalkerError
from talker.tracking.video import nominal_rate, read_pictures, read_sound

UPRIGHT = bytes.fromhex("00010000 00000000 00000000 00000000 00010000 00000000 00000000 00000000 40000000")
QUARTER = bytes.fromhex("00000000 00010000 00000000 FFFF0000 00000000 00000000 00000000 00000000 40000000")
"""The matrix of an MP4's picture track, and the one a phone held upright writes: turn a quarter clockwise."""


def write_video(path: Path, pictures: np.ndarray, seconds: np.ndarray | None = None, fps: int = 25) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=fps)
        stream.width, stream.height, stream.pix_fmt = pictures.shape[2], pictures.shape[1], "yuv420p"
        stream.time_base = stream.codec_context.time_base = Fraction(1, 1000)
        stream.options = {"bf": "0"}
        for index, picture in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            when = index / fps if seconds is None else float(seconds[index])
            frame.pts, frame.time_base = round(1000 * when), Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


def gradient(count: int, width: int = 96, height: int = 64) -> np.ndarray:
    """Bright at the left, dark at the right."""
    row = np.linspace(250, 5, width).astype(np.uint8)
    return np.broadcast_to(row[None, None, :, None], (count, height, width, 3)).copy()


def test_frames_and_their_times(tmp_path: Path) -> None:
    times = np.array([0, 0.04, 0.08, 0.2, 0.24, 0.28])
    write_video(tmp_path / "a.mp4", gradient(6), times)
    pictures = list(read_pictures(tmp_path / "a.mp4", 1000))
    assert np.allclose([p.seconds for p in pictures], times, atol=2e-3)
    assert pictures[0].pixels.shape == (64, 96, 3) and pictures[0].size == (96, 64)
    assert read_sound(tmp_path / "a.mp4") is None


def test_sound_that_cannot_be_read_is_none(tmp_path: Path) -> None:
    (tmp_path / "text.mp4").write_bytes(b"this is no video at all" * 100)
    assert read_sound(tmp_path / "text.mp4") is None


def test_large_pictures_are_reduced(tmp_path: Path) -> None:
    write_video(tmp_path / "a.mp4", gradient(2, 960, 540))
    picture = next(read_pictures(tmp_path / "a.mp4", 240))
    assert picture.pixels.shape == (135, 240, 3) and picture.size == (960, 540)


def test_a_phone_held_upright(tmp_path: Path) -> None:
    path = tmp_path / "phone.mp4"
    write_video(path, gradient(3))
    data = path.read_bytes()
    place = data.index(b"tkhd")
    matrix = data.index(UPRIGHT, place)
    path.write_bytes(data[:matrix] + QUARTER + data[matrix + len(QUARTER) :])
    picture = next(read_pictures(path, 1000))
    assert picture.size == (64, 96) and picture.pixels.shape == (96, 64, 3)
    assert picture.pixels[:20].mean() > 200 and picture.pixels[-20:].mean() < 60  # The left edge is on top now.


def test_a_broken_off_video_gives_its_beginning(tmp_path: Path) -> None:
    path = tmp_path / "cut.ts"
    write_video(path, np.random.default_rng(0).integers(0, 255, (50, 64, 96, 3), np.uint8))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert 5 < len(list(read_pictures(path, 1000))) < 50


def test_messages(tmp_path: Path) -> None:
    (tmp_path / "empty.mp4").write_bytes(b"")
    (tmp_path / "text.mp4").write_bytes(b"this is no video at all" * 100)
    import soundfile

    soundfile.write(tmp_path / "sound.wav", np.zeros(800, np.float32), 8000)
    for name, message in (
        ("missing.mp4", "no such file"),
        ("empty.mp4", "the file is empty"),
        ("text.mp4", "no video decoder understands it"),
        ("sound.wav", "holds no video track"),
    ):
        with pytest.raises(TalkerError, match=message) as error:
            list(read_pictures(tmp_path / name, 1000))
        assert name in str(error.value)


@pytest.mark.parametrize(
    ("steps", "fps"),
    [
        ([1 / 25] * 20, 25),
        ([0.033, 0.034, 0.033] * 10, 30),
        ([1001 / 30000] * 30, 30000 / 1001),
        ([0.07] * 9, 1 / 0.07),
    ],
)
def test_nominal_rate(steps: list[float], fps: float) -> None:
    assert nominal_rate(np.cumsum([0.0, *steps])) == pytest.approx(fps, rel=1e-3)
