import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch

import talker
from talker.animation import FaceAnimation
from talker.audio import Audio, read_audio, write_wav
from talker.errors import TalkerError
from talker.finishing import FinishingOptions
from talker.inference import Model, load_model, neutral
from talker.models.motion_prior import MotionPriorConfig
from talker.models.speech_encoder import SpeechEncoder, SpeechEncoderConfig
from talker.models.talker import Talker, TalkerConfig
from talker.phones import PHONES
from talker.resources import checkpoints_dir
from talker.rigs import arkit

EXAMPLES = checkpoints_dir().parent / "examples"


@pytest.fixture(scope="module")
def model():
    return load_model("default")


PRIOR = MotionPriorConfig(width=16, latent=8, heads=2, attention_reach=2)


def moving(config):
    """Random weights that move every channel."""
    torch.manual_seed(3)
    made = Talker(config)
    for part in (made.output, made.emotion.output, made.output if made.decoder is None else made.decoder.output):
        torch.nn.init.normal_(part.weight, std=0.1)
    torch.nn.init.constant_((made.decoder or made).output.bias, 0.3)
    return made.eval()


@pytest.fixture(scope="module")
def lively():
    """A small model with random weights that moves every channel: for what must hold for any weights."""
    torch.manual_seed(3)
    encoder = SpeechEncoder.from_config(
        SpeechEncoderConfig(layers=2, width=32, heads=2, feed_forward=64, attention_reach=10)
    )
    return Model(encoder.eval(), moving(TalkerConfig(feature_width=32, width=32)), torch.device("cpu"))


def feelings(frames):
    """Emotions that come and go."""
    share = 0.5 + 0.5 * np.sin(np.arange(frames) / 40, dtype=np.float32)[:, None]
    return share * np.eye(8, dtype=np.float32)[1] + (1 - share) * np.eye(8, dtype=np.float32)[4]


def noise(seconds, rate=16_000, seed=0):
    return np.random.default_rng(seed).normal(0, 0.1, round(seconds * rate)).astype(np.float32)


def aperture(curves):
    return arkit.lip_aperture(curves)


@pytest.mark.parametrize("samples", [1, 319, 320, 321, 16_000, 16_001])
def test_curves_cover_the_sound(lively, samples):
    curves = lively.curves(noise(2)[:samples])
    assert curves.shape == (-(-samples // 320), arkit.CHANNEL_COUNT)
    assert curves.dtype == np.float32
    assert curves[:, : arkit.SHAPE_COUNT].min() >= 0 and curves[:, : arkit.SHAPE_COUNT].max() <= 1
    assert not curves[:, arkit.SHAPE_COUNT :].any()


@pytest.mark.parametrize("prior", [None, PRIOR], ids=["straight", "prior"])
def test_pieces_of_a_long_recording_equal_the_whole(lively, prior, monkeypatch):
    """45 s are worked through in three pieces; pushed through the networks at once they give the same curves."""
    monkeypatch.setattr("talker.models.speech_encoder._PIECE_FRAMES", 1000)
    sound, felt = noise(45), feelings(45 * 50)
    talker = lively.talker if prior is None else moving(replace(lively.talker.config, prior=prior))
    with torch.inference_mode():  # a second of silence on either side, as `curves` hears it
        features = lively.encoder(torch.from_numpy(np.pad(sound, 16_000))[None])
        around = np.pad(felt, ((50, 50), (0, 0)), "edge")
        whole = talker.motion(features, torch.from_numpy(around)[None])[0].numpy()
    assert whole.min() == 0 and whole.std() > 0.1
    pieced = replace(lively, talker=talker).curves(sound, felt)[:, : arkit.SHAPE_COUNT]
    np.testing.assert_allclose(pieced, whole[50:-50], atol=2e-5)


@pytest.mark.parametrize("frames", [899, 920, 940, 960])
def test_a_last_piece_may_hold_nothing_but_the_silence_around(lively, frames, monkeypatch):
    """A second of silence precedes and follows the sound."""
    monkeypatch.setattr("talker.models.speech_encoder._PIECE_FRAMES", 1000)
    sound = noise(20)[: frames * 320]
    assert np.isfinite(lively.curves(sound)).all() and len(lively.curves(sound)) == frames


def test_emotion_changes_the_face_where_it_is_felt(lively):
    felt = neutral(200)
    felt[100:] = np.eye(8)[6]
    sound = noise(4)
    moved = np.abs(lively.curves(sound, felt) - lively.curves(sound)).max(axis=1)
    assert moved[: 100 - lively.talker.reach].max() == 0 and moved[100 + lively.talker.reach :].min() > 0.01
    np.testing.assert_array_equal(lively.curves(sound, neutral(200)), lively.curves(sound))


def test_strengths_that_are_none_are_refused(lively):
    with pytest.raises(TalkerError, match=r"strengths must be \(50, 8\) at 50 Hz, not \(49, 8\)"):
        lively.curves(noise(1), neutral(49))
    with pytest.raises(TalkerError, match="0 or more and sum to 1"):
        lively.curves(noise(1), 2 * neutral(50))


def test_time_is_linear_in_the_length(lively):
    """Every piece sees a bounded context, so a shifted recording gives shifted curves."""
    sound = noise(30)
    later = np.concatenate([np.zeros(30 * 16_000, np.float32), sound])
    np.testing.assert_allclose(lively.curves(later)[30 * 50 + 60 :], lively.curves(sound)[60:], atol=2e-5)


def test_one_hearing_gives_every_mood_and_the_phones(lively, model):
    sound, felt = noise(2.5), feelings(125)
    (calm, moved), phones = lively.speak(sound, (None, felt))
    np.testing.assert_allclose(calm, lively.curves(sound), atol=1e-5)
    np.testing.assert_allclose(moved, lively.curves(sound, felt), atol=1e-5)
    assert phones is None and np.abs(moved - calm).max() > 0.01
    heard = model.speak(sound, (None,))[1]
    assert heard.shape == (125, len(PHONES)) and heard.sum(axis=1) == pytest.approx(1, abs=1e-4)


def test_animate_attaches_the_sound_and_keeps_time(lively):
    animation = talker.animate(noise(1.5, 44_100), 44_100, model=lively)
    assert isinstance(animation, FaceAnimation)
    assert (animation.fps, animation.frame_count) == (60, 90)
    assert animation.audio.sample_rate == 44_100 and animation.audio.duration == pytest.approx(1.5)
    assert talker.animate(noise(1.5), 16_000, fps=25, model=lively).frame_count == 38  # the last frame starts inside
    np.testing.assert_allclose(animation.curves, arkit.eye_angles_from_looks(animation.curves), atol=1e-6)


def test_the_same_sound_gives_the_same_bytes(lively, tmp_path):
    for name in ("a.npz", "b.npz"):
        talker.animate(noise(1), 16_000, model=lively).save(tmp_path / name)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


@pytest.mark.parametrize("rate", [8_000, 22_050, 96_000])
def test_any_rate_and_stereo(lively, rate):
    mono = noise(1, rate)
    animation = talker.animate(np.stack([mono, mono], axis=1), rate, model=lively)
    assert animation.frame_count == 60
    np.testing.assert_allclose(animation.curves, talker.animate(mono, rate, model=lively).curves, atol=1e-5)


def test_integer_samples_are_scaled(lively):
    sound = np.round(noise(1) * 32768).clip(-32768, 32767)
    from_integers = talker.animate(sound.astype(np.int16), 16_000, model=lively)
    from_floats = talker.animate(sound / 32768, 16_000, model=lively)
    np.testing.assert_allclose(from_integers.curves, from_floats.curves, atol=1e-6)


def test_what_cannot_be_animated_says_why(lively, tmp_path):
    with pytest.raises(TalkerError, match="empty"):
        talker.animate(np.zeros(0, np.float32), 16_000, model=lively)
    with pytest.raises(TalkerError, match="not finite"):
        talker.animate(np.array([0.0, np.nan]), 16_000, model=lively)
    with pytest.raises(TalkerError, match="sample_rate=16000"):
        talker.animate(noise(1), model=lively)
    with pytest.raises(TalkerError, match="no such file"):
        talker.animate(tmp_path / "missing.wav", model=lively)
    with pytest.raises(TalkerError, match="too long"):
        talker.animate(Audio(np.zeros(1_000 * 1_200, np.float32), 1_000), fps=1000, model=lively)


def test_a_model_that_is_not_there_says_so(tmp_path):
    with pytest.raises(TalkerError, match=r"config\.json"):
        load_model(tmp_path)
    (tmp_path / "config.json").write_text('{"format": "talker 3"}')
    with pytest.raises(TalkerError, match="damaged configuration"):
        load_model(tmp_path)
    with pytest.raises(TalkerError, match="no such device 'abacus'"):
        load_model("default", device="abacus")


def test_importing_the_package_stays_light():
    assert "talker.inference" in sys.modules  # imported above; the public names are the same objects
    assert talker.load_model is load_model


# From here on: the weights that talker ships.


def test_one_sample_is_one_frame(model):
    assert talker.animate(np.ones(1, np.float32), 16_000, model=model).frame_count == 1


@pytest.mark.parametrize("level", [0.0, 1e-4])
def test_silence_closes_the_mouth(model, level):
    curves = model.curves(level * noise(4) / 0.1)
    assert curves[:, arkit.INDEX["jawOpen"]].max() < 0.05
    assert aperture(curves).max() < 0.03


def test_speech_opens_the_mouth_and_pauses_shut_it(model):
    """Two seconds of silence, "hello ...", two seconds of silence; the lips part a little ahead of the voice."""
    hello = read_audio(EXAMPLES / "hello.wav").resample(16_000).samples
    silence = np.zeros(2 * 16_000, np.float32)
    opening = aperture(model.curves(np.concatenate([silence, hello, silence])))
    assert opening[:75].max() < 0.03 and opening[-75:].max() < 0.03
    assert opening[100:-100].max() > 0.25
    assert (opening[100:-100] < 0.1).mean() > 0.05


def test_a_take_starts_at_rest(model):
    """The example begins with a quarter of a second of silence."""
    unfinished = FinishingOptions(blinks=0, gaze=0, head=0, breath=0)  # One breathes in before one speaks.
    opening = aperture(talker.animate(EXAMPLES / "hello.wav", fps=50, model=model, finishing=unfinished).curves)
    assert opening[:10].max() < 0.05


def test_loudness_is_not_opening(model):
    """The same sentence ten times as loud must not open the mouth much more."""
    sound = read_audio(EXAMPLES / "grid.wav").samples
    quiet, loud = aperture(model.curves(0.1 * sound)), aperture(model.curves(sound))
    assert np.corrcoef(quiet, loud)[0, 1] > 0.9
    assert abs(quiet.mean() - loud.mean()) < 0.05


def test_a_wav_on_disk_is_animated(model, tmp_path):
    write_wav(Audio(noise(1, 48_000), 48_000), tmp_path / "übung.wav")
    take = talker.animate(tmp_path / "übung.wav", model=model)
    assert take.meta["source"] == "übung.wav"


@pytest.mark.slow
def test_ten_minutes_more_take_a_sixth_of_what_an_hour_may():
    """In a process of its own. An hour may take 1.5 GB; PyTorch, the networks and a piece of sound take 0.7 of them."""
    script = (
        "import resource, numpy as np, talker; from talker.inference import load_model; model = load_model();"
        "sound = np.random.default_rng(0).normal(0, 0.1, 11 * 60 * 16000).astype(np.float32);"
        "most = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6;"
        "talker.animate(sound[: 60 * 16000], 16000, model=model); before = most();"
        "take = talker.animate(sound, 16000, model=model); print(most() - before, take.frame_count)"
    )
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    growth, frames = result.stdout.split()
    assert int(frames) == 11 * 60 * 60
    assert float(growth) < 800 / 6
