"""MP4 previews, decoded again."""

import time
from pathlib import Path

import av
import numpy as np
import pytest
import torch

from talker.animation import FaceAnimation
from talker.audio import Audio
from talker.cli import main
from talker.export.registry import ExportOptions, write_animation
from talker.render.portrait import Camera, portrait_of
from talker.rigs.head_mesh import HeadMesh

FPS, SECONDS, SIZE, RATE = 25, 1.6, 128, 16_000


def take(fps: float = FPS, sound_seconds: float = SECONDS) -> FaceAnimation:
    """The mouth opens in the second half; a click marks that moment in the sound."""
    count = round(SECONDS * fps)
    jaw = np.where(np.arange(count) < count // 2, 0.0, 0.8)
    samples = np.zeros(round(sound_seconds * RATE), np.float32)
    click = round(count // 2 / fps * RATE)
    samples[click : click + 400] = 0.8 * np.sin(np.arange(len(samples[click : click + 400])))
    return FaceAnimation.from_channels({"jawOpen": jaw}, fps, audio=Audio(samples, RATE))


def decode(path: Path) -> tuple[list[float], np.ndarray, np.ndarray, int]:
    """Picture times, pictures (T, h, w, 3), sound (N,) from time 0 on, its rate."""
    with av.open(str(path)) as container:
        frames = list(container.decode(video=0))
    times = [float(frame.pts * frame.time_base) for frame in frames]
    pictures = np.stack([frame.to_ndarray(format="rgb24") for frame in frames])
    with av.open(str(path)) as container:
        if not container.streams.audio:
            return times, pictures, np.zeros(0), 0
        rate = container.streams.audio[0].rate
        blocks = [(frame.pts, frame.to_ndarray()[0]) for frame in container.decode(audio=0)]
    sound = np.concatenate([block for _, block in blocks])
    return times, pictures, sound[-blocks[0][0] :] if blocks[0][0] < 0 else sound, rate


@pytest.fixture(scope="module")
def decoded(tmp_path_factory) -> tuple[list[float], np.ndarray, np.ndarray, int]:
    path = tmp_path_factory.mktemp("video") / "línea.mp4"
    write_animation(take(), path, options=ExportOptions(size=SIZE))
    return decode(path)


def test_every_frame_is_shown_at_its_time(decoded) -> None:
    times, pictures, _, _ = decoded
    assert pictures.shape == (40, SIZE, SIZE, 3)
    np.testing.assert_allclose(times, np.arange(40) / FPS, atol=1e-6)


def test_mouth_opens_on_the_right_frame(decoded) -> None:
    _, pictures, _, _ = decoded
    head = HeadMesh.load()
    mouth = Camera.for_head(head).project(head.landmarks_of(head.neutral).numpy(), SIZE, SIZE)[[13, 14]].mean(0)
    column, row = mouth[:2].astype(int)
    lips = pictures[:, row : row + 8, column - 8 : column + 8].astype(float).mean((1, 2, 3))
    assert int(np.argmax(np.abs(np.diff(lips)))) == 19  # Between frames 19 and 20.
    assert lips[20:].mean() < 0.75 * lips[:20].mean()
    assert np.ptp(lips[:20]) < 4 and np.ptp(lips[20:]) < 4


def test_sound_lasts_as_long_and_stays_in_step(decoded) -> None:
    _, _, sound, rate = decoded
    assert rate == RATE
    assert abs(len(sound) / rate - SECONDS) < 0.07  # AAC comes in blocks of 1024 samples.
    click = np.flatnonzero(np.abs(sound) > 0.2)[0] / rate
    assert click == pytest.approx(20 / FPS, abs=0.005)


@pytest.mark.parametrize("sound_seconds", [0.5, 5.0])
def test_sound_is_padded_or_cut(tmp_path, sound_seconds: float) -> None:
    write_animation(take(sound_seconds=sound_seconds), tmp_path / "a.mp4", options=ExportOptions(size=64))
    _, _, sound, rate = decode(tmp_path / "a.mp4")
    assert abs(len(sound) / rate - SECONDS) < 0.07


@pytest.mark.parametrize(("fps", "exact"), [(60, 60), (29.97, 30000 / 1001), (59.94, 60000 / 1001)])
def test_frame_rates(tmp_path, fps: float, exact: float) -> None:
    animation = FaceAnimation.from_channels({"jawOpen": np.linspace(0, 1, 30)}, fps)
    write_animation(animation, tmp_path / "a.mp4", options=ExportOptions(size=64))
    times, _, sound, _ = decode(tmp_path / "a.mp4")
    np.testing.assert_allclose(times, np.arange(30) / exact, atol=1e-4)
    assert len(sound) == 0


def test_file_can_start_before_it_is_loaded(tmp_path) -> None:
    """The index lies in front of the data, as streaming players want it."""
    write_animation(take(), tmp_path / "a.mp4", options=ExportOptions(size=64))
    data = (tmp_path / "a.mp4").read_bytes()
    assert 0 < data.index(b"moov") < data.index(b"mdat")


def test_same_take_same_bytes(tmp_path) -> None:
    for name in ("a.mp4", "b.mp4"):
        write_animation(take(), tmp_path / name, options=ExportOptions(size=64))
    assert (tmp_path / "a.mp4").read_bytes() == (tmp_path / "b.mp4").read_bytes()


def test_preview_command(tmp_path, capsys) -> None:
    take().save(tmp_path / "take.npz")
    source = str(tmp_path / "take.npz")
    arguments = ["preview", source, "-o", str(tmp_path / "a.mp4"), "--size", "64", "--side-view", "--curve-strip"]
    assert main(arguments) == 0
    assert decode(tmp_path / "a.mp4")[1].shape == (40, 80, 128, 3)
    assert main(["preview", source, "-o", str(tmp_path / "a.png"), "--size", "64", "--time", "1"]) == 0
    capsys.readouterr()
    assert main(["preview", source, "-o", str(tmp_path / "a.csv")]) == 2
    assert "a preview is an .mp4, .html or .png file" in capsys.readouterr().err
    assert main(["preview", source, "-o", str(tmp_path / "b.mp4"), "--time", "1"]) == 2
    assert "--time chooses the moment of a .png" in capsys.readouterr().err
    assert not (tmp_path / "b.mp4").exists()


def test_memory_does_not_grow_with_the_take(tmp_path) -> None:
    """Frames are drawn when they are asked for, a bounded number ahead."""
    from talker.render.film import _WAITING, Film

    curves = np.zeros((5_000, 61), np.float32)
    film = Film(FaceAnimation(curves, 30), portrait_of(None), 64)
    drawn = []
    original = film._draw
    film._draw = lambda index, vertices: drawn.append(index) or original(index, vertices)  # type: ignore[method-assign]
    frames = film.frames()
    for _ in range(10):
        next(frames)
    frames.close()
    import os

    assert max(drawn) <= 10 + (os.cpu_count() or 1) * _WAITING


@pytest.mark.slow
def test_twenty_five_frames_a_second(tmp_path) -> None:
    """At 512 x 512 on two cores, drawing, encoding and all; processor time, because the tests share the machine."""
    animation = FaceAnimation.from_channels({"jawOpen": 0.3 + 0.3 * np.sin(np.arange(150))}, 25)
    write_animation(animation.slice(0, 0.2), tmp_path / "warm.mp4")
    torch.set_num_threads(1)
    start = time.process_time()
    write_animation(animation, tmp_path / "a.mp4")
    cores = 2
    assert 150 / ((time.process_time() - start) / cores) >= 25
