"""Training on generated talking: a tone whose loudness and brightness open a made-up mouth."""

import json

import numpy as np
import pytest
import torch

from talker.audio import Audio, write_wav
from talker.datasets.tracks import read_tracks
from talker.errors import TalkerError
from talker.inference import animate
from talker.models.speech_encoder import SpeechEncoderConfig
from talker.models.talker import TalkerConfig
from talker.rigs import arkit
from talker.training import augment
from talker.training import clips as data_clips
from talker.training import talker as stage
from talker.training.clips import load_clips, make_batch
from talker.training.loop import LoopOptions, TrainingLoop
from talker.training.targets import TARGET_CHANNELS, lip_gap, measure_speaker, target_curves

TINY = (
    SpeechEncoderConfig(conv_width=24, layers=1, width=32, heads=2, feed_forward=64, attention_reach=6),
    TalkerConfig(feature_width=32, width=32, dilations=(1, 2)),
)
FPS, SECONDS = 25, 2
_FRAMES = FPS * SECONDS
_SCALE = 16_384
_POINTS = (13, 14, 82, 87, 312, 317, 61, 291, 33, 263)


def write_set(folder, clips, touching=0.01):
    """A set in the layout of `TrackSet`, and the true opening of each clip in eye distances."""
    random = np.random.default_rng(0)
    (folder / "audio").mkdir(parents=True)
    openings, landmarks = {}, []
    for clip in range(clips):
        syllable = np.clip(
            np.sin(2 * np.pi * (random.uniform(1.5, 3) * np.arange(_FRAMES) / FPS + random.random())), 0, 1
        )
        opening = 0.3 * syllable
        envelope = np.interp(np.arange(SECONDS * 16_000) / 16_000, np.arange(_FRAMES) / FPS, syllable)
        tone = envelope * np.sign(np.sin(2 * np.pi * random.uniform(100, 200) * np.arange(len(envelope)) / 16_000))
        write_wav(Audio(0.3 * tone.astype(np.float32), 16_000), folder / "audio" / f"c{clip}.wav")
        openings[f"c{clip}"] = opening
        gap = 0.2 * (touching + opening)  # the eyes are 0.2 of the frame's width apart
        y = 0.6 + np.stack([s * gap / 2 for s in (-1, 1) * 3] + [np.zeros(_FRAMES)] * 4, axis=1)
        y[:, 8:] = 0.3
        x = np.broadcast_to([0.5] * 6 + [0.44, 0.56, 0.4, 0.6], y.shape)
        landmarks.append(np.round(np.stack([x, y, 0 * x], axis=-1) * _SCALE))
    names = np.array(arkit.SHAPES[:-1])
    steps = np.concatenate([np.diff(points, axis=0, prepend=0) for points in landmarks])
    np.savez(
        folder / "tracks.npz",
        ids=np.array(list(openings)),
        fps=np.full(clips, float(FPS)),
        frame_size=np.full((clips, 2), 400),
        start=np.arange(clips + 1) * _FRAMES,
        landmark_steps=steps.astype(np.int16),
        landmark_index=np.array(_POINTS),
        blendshapes=np.full((clips * _FRAMES, len(names)), 400, np.uint16),
        blendshape_names=names,
        found=np.ones(clips * _FRAMES, bool),
    )
    return openings


@pytest.fixture
def data(tmp_path):
    write_set(tmp_path / "data" / "grid_s1", 12)
    return tmp_path / "data"


@pytest.fixture(autouse=True)
def few_held_out(monkeypatch):
    monkeypatch.setattr(data_clips, "HELD_OUT_GRID_CLIPS", 2)


def test_targets_follow_the_lips(tmp_path):
    openings = write_set(tmp_path / "grid_s1", 3)
    clips = list(read_tracks(tmp_path / "grid_s1"))
    assert [clip.id for clip in clips] == list(openings)
    silent = [opening == 0 for opening in openings.values()]
    speaker = measure_speaker(clips, silent)
    assert speaker.touching == pytest.approx(0.01, abs=0.002)
    assert speaker.wide == pytest.approx(0.31, abs=0.01)
    for clip, opening in zip(clips, openings.values(), strict=True):
        np.testing.assert_allclose(lip_gap(clip), 0.01 + opening, atol=0.002)
        curves = target_curves(clip, speaker)
        aperture = arkit.lip_aperture(curves)
        np.testing.assert_allclose(aperture, 0.45 * opening / 0.3, atol=0.02)
        assert aperture[opening == 0].max() < 0.01  # shut lips are shut
        unused = [i for i, name in enumerate(arkit.SHAPES) if name not in TARGET_CHANNELS]
        assert not curves[:, unused].any()
        # Constant scores are the speaker's face, not expression.
        assert not curves[:, arkit.INDEX["browInnerUp"]].any()


def test_a_frame_without_a_face_repeats_its_neighbour(tmp_path):
    write_set(tmp_path / "grid_s1", 1)
    path = tmp_path / "grid_s1" / "tracks.npz"
    arrays = dict(np.load(path))
    arrays["found"][10:12] = False
    np.savez(path, **arrays)
    (clip,) = read_tracks(tmp_path / "grid_s1")
    np.testing.assert_array_equal(clip.points[10], clip.points[9])
    np.testing.assert_array_equal(clip.points[11], clip.points[12])
    assert not clip.found[10]


def test_batches_depend_on_seed_and_step_only(data):
    clips = load_clips(data)
    first, again, other = (make_batch(clips, np.random.default_rng((0, step))) for step in (5, 5, 6))
    assert torch.equal(first.samples, again.samples) and torch.equal(first.curves, again.curves)
    assert not torch.equal(first.samples, other.samples)
    assert first.samples.abs().max() <= 1 and first.curves.min() >= 0
    assert first.curves.shape[1] == -(-first.samples.shape[1] // 320)


def test_muted_speech_rests():
    random = np.random.default_rng(1)
    curves = np.ones((150, 2), np.float32)
    for _ in range(50):
        sound, eased = augment.mute(np.ones(48_000), curves, 50, random)
        silent = np.abs(sound[::320]) < 0.01
        assert (eased[silent] < 1).all()
        rest = np.convolve(silent, np.ones(13), "same") == 13  # more than 0.1 s from any sound
        assert not eased[rest].any()
        if not silent.any():
            assert (eased == 1).mean() > 0.8


@pytest.mark.train
@pytest.mark.slow
def test_training_learns_resumes_and_animates(data, tmp_path):
    said = []
    whole, split = tmp_path / "whole", tmp_path / "split"
    losses = stage.train_talker(data, whole, LoopOptions(60, 3e-3, average=0.9), *TINY, say=said.append)
    assert np.mean(losses[-5:]) < 0.5 * np.mean(losses[:5])
    assert said[0] == "10 clips to train on, 2 held out" and said[-1].startswith("step 60: grid_s1 ")
    correlation = json.loads((whole / "validation.json").read_text())["lip_gap_correlation"]["grid_s1"]
    assert correlation > 0.5
    take = animate(data / "grid_s1/audio/c11.wav", model=whole)
    assert take.frame_count == SECONDS * 60
    assert arkit.lip_aperture(take.curves).max() > 0.2

    first_half = stage.train_talker(data, split, LoopOptions(4, 3e-3), *TINY, say=said.append)
    resumed = stage.train_talker(data, split, LoopOptions(6, 3e-3), *TINY, resume=True, say=said.append)
    assert len(first_half) == 4 and len(resumed) == 2


@pytest.mark.train
def test_a_resumed_run_repeats_an_uninterrupted_one(tmp_path):
    def train(folder, stops):
        for i, stop in enumerate(stops):
            torch.manual_seed(0)
            modules = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Dropout(0.5), torch.nn.Linear(4, 1))
            loop = TrainingLoop(modules, folder, LoopOptions(10))
            if i:
                loop.resume()

            def loss_at(step, loop=loop, modules=modules):
                inputs = torch.from_numpy(np.random.default_rng((0, step)).normal(size=(8, 3))).float()
                return modules(inputs).square().mean()

            while loop.step < stop:
                loop._take_step(loss_at)
            loop.save()
        return loop

    once, twice = train(tmp_path / "a", [10]), train(tmp_path / "b", [4, 10])
    for name, value in once.averaged.items():
        torch.testing.assert_close(twice.averaged[name], value, rtol=0, atol=0)


def test_a_folder_without_data_says_what_is_missing(tmp_path):
    with pytest.raises(TalkerError, match="grid_s1, javanese"):
        load_clips(tmp_path)
