"""Reading and handling sound: every container, every rate, every kind of damage."""

import random
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import soundfile

from talker.audio import Audio, read_audio, write_wav
from talker.errors import TalkerError


def tone(seconds: float = 0.5, rate: int = 16000, hertz: float = 440.0) -> np.ndarray:
    return (0.5 * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)).astype(np.float32)


def loudest_hertz(audio: Audio) -> float:
    spectrum = np.abs(np.fft.rfft(audio.samples * np.hanning(len(audio.samples))))
    return float(np.argmax(spectrum) * audio.sample_rate / len(audio.samples))


def encode(path: Path, codec: str, samples: np.ndarray, rate: int, video: bool = False, late: float = 0.0) -> Path:
    """A file as a phone or an editor would make it; the sound starts `late` seconds after the picture."""
    import av

    with av.open(str(path), "w") as container:
        picture = None
        if video:
            picture = container.add_stream("libx264", rate=25)
            picture.width = picture.height = 64
            picture.pix_fmt = "yuv420p"
        stream = container.add_stream(codec, rate=rate, layout="mono")
        stream.bit_rate = 96_000
        if picture is not None:
            for number in range(25):
                frame = av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8))
                frame.pts, frame.time_base = number + round(25 * max(-late, 0)), Fraction(1, 25)
                container.mux(picture.encode(frame))
            container.mux(picture.encode(None))
        if codec.startswith("pcm"):
            block = av.AudioFrame.from_ndarray(np.int16(32767 * samples)[None], format="s16", layout="mono")
        else:
            block = av.AudioFrame.from_ndarray(samples[None], format="fltp", layout="mono")
        block.sample_rate = rate
        block.pts, block.time_base = round(rate * max(late, 0)), Fraction(1, rate)
        container.mux(stream.encode(block))
        container.mux(stream.encode(None))
    return path


@pytest.mark.parametrize("rate", [8000, 11025, 16000, 44100, 48000, 96000, 192000])
@pytest.mark.parametrize("suffix", [".wav", ".flac", ".aiff"])
def test_any_rate(tmp_path: Path, rate: int, suffix: str) -> None:
    path = tmp_path / f"tone{suffix}"
    soundfile.write(path, tone(rate=rate), rate)
    audio = read_audio(path)
    assert audio.sample_rate == rate
    np.testing.assert_allclose(audio.samples, tone(rate=rate), atol=1e-4)
    assert audio.duration == pytest.approx(0.5, abs=1e-4)


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ULAW", "IMA_ADPCM"])
def test_any_sample_type(tmp_path: Path, subtype: str) -> None:
    path = tmp_path / "tone.wav"
    soundfile.write(path, tone(), 16000, subtype=subtype)
    assert loudest_hertz(read_audio(path)) == pytest.approx(440, abs=5)


def test_channels_are_mixed(tmp_path: Path) -> None:
    left, right = tone(hertz=440), tone(hertz=880)
    soundfile.write(tmp_path / "stereo.wav", np.stack([left, right], axis=1), 16000, subtype="FLOAT")
    np.testing.assert_allclose(read_audio(tmp_path / "stereo.wav").samples, (left + right) / 2, atol=1e-6)
    soundfile.write(tmp_path / "six.wav", np.stack([left] * 6, axis=1), 16000, subtype="FLOAT")
    np.testing.assert_allclose(read_audio(tmp_path / "six.wav").samples, left, atol=1e-6)


@pytest.mark.parametrize(
    ("name", "codec", "rate"),
    [
        *(("a.m4a", "aac", 44100), ("a.mp4", "aac", 48000), ("a.mov", "aac", 44100), ("a.mkv", "aac", 48000)),
        *(("a.mp3", "libmp3lame", 44100), ("a.webm", "libopus", 48000), ("a.ogg", "libopus", 48000)),
        ("a.wma", "wmav2", 44100),
    ],
)
def test_compressed_containers(tmp_path: Path, name: str, codec: str, rate: int) -> None:
    audio = read_audio(encode(tmp_path / name, codec, tone(1.0, rate), rate))
    assert audio.sample_rate == rate
    assert audio.duration == pytest.approx(1.0, abs=0.1)
    assert loudest_hertz(audio) == pytest.approx(440, abs=5)


def test_sound_of_a_video(tmp_path: Path) -> None:
    audio = read_audio(encode(tmp_path / "talk.mp4", "aac", tone(1.0, 48000), 48000, video=True))
    assert loudest_hertz(audio) == pytest.approx(440, abs=5)


@pytest.mark.parametrize("late", [0.0, 0.52, -0.32])
@pytest.mark.parametrize(
    ("name", "codec"),
    [("a.mp4", "aac"), ("a.mov", "pcm_s16le"), ("a.mkv", "aac"), ("a.ts", "aac"), ("a.mp4", "libmp3lame")],
)
def test_the_sound_of_a_video_starts_with_its_picture(tmp_path: Path, name: str, codec: str, late: float) -> None:
    click = np.zeros(96000, np.float32)
    click[48000:48200] = 0.9
    audio = read_audio(encode(tmp_path / name, codec, click, 48000, video=True, late=late))
    heard = np.flatnonzero(np.abs(audio.samples) > 0.3)[0] / audio.sample_rate
    assert heard == pytest.approx(1 + late, abs=0.003)
    assert audio.duration == pytest.approx(2 + late, abs=0.06)


def test_clocks_that_lie_hours_apart_are_not_believed(tmp_path: Path) -> None:
    audio = read_audio(encode(tmp_path / "a.mp4", "aac", tone(1.0, 48000), 48000, video=True, late=7200.0))
    assert audio.duration == pytest.approx(1.0, abs=0.1)


@pytest.mark.parametrize("name", ["tone.mp3", "tone.mp4", "tone.txt", "tone.raw", "tone.pcm", "tone", "tone.WAV"])
def test_a_wrong_extension_does_not_matter(tmp_path: Path, name: str) -> None:
    soundfile.write(tmp_path / name, tone(), 16000, format="WAV")
    np.testing.assert_allclose(read_audio(tmp_path / name).samples, tone(), atol=1e-4)


def test_names_in_any_script(tmp_path: Path) -> None:
    for name in ("Grüße aus Köln.wav", "こんにちは.wav", "😀 take #1.m4a", "a'b\"c$(x).wav"):
        path = tmp_path / name
        if name.endswith("m4a"):
            encode(path, "aac", tone(1.0, 44100), 44100)
        else:
            soundfile.write(path, tone(), 16000)
        assert loudest_hertz(read_audio(path)) == pytest.approx(440, abs=5)


# Damage.


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: None, "no such file: {path}"),
        (lambda path: path.mkdir(), "{path} is a folder, not a sound file"),
        (lambda path: path.write_bytes(b""), "cannot read {path}: the file is empty"),
        (
            lambda path: path.write_text("these are no sounds"),
            "cannot read {path}: no sound decoder understands it; convert it to WAV",
        ),
        (
            lambda path: path.write_bytes(bytes(range(256)) * 40),
            "cannot read {path}: no sound decoder understands it; convert it to WAV",
        ),
    ],
    ids=["missing", "folder", "empty", "text", "noise"],
)
@pytest.mark.parametrize("suffix", [".wav", ".mp4", ".mp3", ""])
def test_what_is_no_sound_is_explained(tmp_path: Path, make: object, message: str, suffix: str) -> None:
    path = tmp_path / f"x{suffix}"
    make(path)  # type: ignore[operator]
    with pytest.raises(TalkerError) as caught:
        read_audio(path)
    assert str(caught.value) == message.format(path=path)


def test_a_picture_has_no_sound(tmp_path: Path) -> None:
    from PIL import Image

    Image.new("RGB", (8, 8)).save(tmp_path / "face.png")
    with pytest.raises(TalkerError, match=r"face\.png"):
        read_audio(tmp_path / "face.png")


def test_a_video_without_sound(tmp_path: Path) -> None:
    import av

    with av.open(str(tmp_path / "mute.mp4"), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width = stream.height = 64
        container.mux(stream.encode(av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8))))
        container.mux(stream.encode(None))
    with pytest.raises(TalkerError, match=r"mute\.mp4 holds no sound track"):
        read_audio(tmp_path / "mute.mp4")


def test_samples_that_are_not_numbers(tmp_path: Path) -> None:
    samples = tone()
    samples[[800, 900]] = np.nan, np.inf
    soundfile.write(tmp_path / "bad.wav", samples, 16000, subtype="FLOAT")
    with pytest.raises(TalkerError) as caught:
        read_audio(tmp_path / "bad.wav")
    assert str(caught.value) == (
        f"{tmp_path / 'bad.wav'}: audio sample 800 (at 0.050 s) is nan; "
        "2 of 8000 samples are not finite numbers: export the sound again"
    )


def test_no_samples_at_all(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "none.wav", np.zeros(0), 16000)
    assert read_audio(tmp_path / "none.wav").duration == 0
    soundfile.write(tmp_path / "none2.wav", np.zeros((0, 2)), 16000)
    assert read_audio(tmp_path / "none2.wav").duration == 0


@pytest.mark.parametrize("suffix", [".wav", ".flac", ".mp3", ".ogg"])
def test_the_intact_part_of_a_truncated_file_is_kept(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"cut{suffix}"
    hiss = np.random.default_rng(0).normal(0, 0.1, 4 * 44100)  # Pure tones compress to next to nothing.
    soundfile.write(path, tone(4.0, 44100) + hiss, 44100)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    audio = read_audio(path)
    assert 1.0 < audio.duration < 3.0
    assert loudest_hertz(audio) == pytest.approx(440, abs=5)


def test_a_truncated_m4a_is_explained(tmp_path: Path) -> None:
    path = encode(tmp_path / "cut.m4a", "aac", tone(4.0, 44100), 44100)  # Its index lies at the end.
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(TalkerError, match=r"cannot read .*cut\.m4a: no sound decoder understands it"):
        read_audio(path)


@pytest.mark.parametrize("suffix", [".wav", ".flac", ".mp3", ".ogg", ".m4a"])
def test_damaged_files_never_crash(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"good{suffix}"
    if suffix == ".m4a":
        encode(path, "aac", tone(0.3, 44100), 44100)
    else:
        soundfile.write(path, tone(0.3, 44100), 44100)
    good = path.read_bytes()
    rng = random.Random(suffix)
    for _ in range(60):
        bad = bytearray(good)
        for _ in range(rng.choice((1, 4, 30))):
            bad[rng.randrange(min(len(bad), rng.choice((100, len(bad)))))] = rng.randrange(256)
        path.write_bytes(bad[: rng.choice((len(bad), len(bad) // 3))])
        try:
            assert np.isfinite(read_audio(path).samples).all()
        except TalkerError as error:
            assert str(path) in str(error)


# The type.


def test_resampling_keeps_length_and_pitch() -> None:
    audio = Audio(tone(1.0, 44100), 44100)
    for rate in (8000, 16000, 48000, 96000):
        resampled = audio.resample(rate)
        assert abs(len(resampled.samples) - rate) <= 1
        assert loudest_hertz(resampled) == pytest.approx(440, abs=2)
        assert np.abs(resampled.samples).max() == pytest.approx(0.5, abs=0.05)
    assert audio.resample(44100) is audio
    assert Audio(np.zeros(0), 44100).resample(16000).sample_rate == 16000


def test_resampling_does_not_alias() -> None:
    assert np.abs(Audio(tone(1.0, 48000, hertz=9000), 48000).resample(16000).samples[500:-500]).max() < 1e-3


def test_slice_pads_with_silence() -> None:
    audio = Audio(np.ones(1000), 1000)
    part = audio.slice(-0.5, 1.5)
    assert part.duration == 2
    np.testing.assert_array_equal(part.samples, np.r_[np.zeros(500), np.ones(1000), np.zeros(500)])
    assert audio.slice(2, 1).duration == 0
    assert (audio.slice(5, 6).samples == 0).all()


def test_samples_cannot_be_changed_afterwards() -> None:
    source = np.zeros(10, np.float32)
    audio = Audio(source, 8000)
    source[:] = 1
    assert audio.samples.max() == 0
    with pytest.raises(ValueError, match="read-only"):
        audio.samples[0] = 1


@pytest.mark.parametrize("shape", [(100, 2), (2, 100), (100, 1), (1, 100), (0, 2)])
def test_either_channel_order(shape: tuple[int, int]) -> None:
    assert Audio(np.ones(shape), 8000).samples.shape == (max(shape) if min(shape) else 0,)


@pytest.mark.parametrize(
    ("samples", "rate", "message"),
    [
        (np.zeros((2, 3, 4)), 16000, "audio samples must have shape (N,) or (N, channels), not (2, 3, 4)"),
        (np.zeros(5), 0, "a sample rate of 0 Hz is outside 1000..768000 Hz"),
        (np.zeros(5), 10**9, "a sample rate of 1000000000 Hz is outside 1000..768000 Hz"),
    ],
)
def test_what_the_type_refuses(samples: np.ndarray, rate: int, message: str) -> None:
    with pytest.raises(TalkerError) as caught:
        Audio(samples, rate)
    assert str(caught.value) == message


def test_written_sound_is_read_back(tmp_path: Path) -> None:
    write_wav(Audio(tone(), 16000), tmp_path / "out.wav")
    np.testing.assert_allclose(read_audio(tmp_path / "out.wav").samples, tone(), atol=1e-4)
