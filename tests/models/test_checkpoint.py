import json
from dataclasses import asdict, replace

import pytest
import torch
from safetensors.torch import load_file
from surrogate_encoders import FAMILIES, published_folder

from talker.errors import TalkerError
from talker.models.checkpoint import load_checkpoint, load_prior, load_speech, save_checkpoint, save_prior, save_speech
from talker.models.emotion_encoder import EmotionEncoderConfig
from talker.models.motion_prior import MotionPrior, MotionPriorConfig
from talker.models.speech import Speech
from talker.models.speech_encoder import SpeechEncoder, SpeechEncoderConfig
from talker.models.talker import Talker, TalkerConfig
from talker.resources import checkpoints_dir

ENCODER = SpeechEncoderConfig(layers=1, width=32, heads=2, feed_forward=64, attention_reach=6)
TALKER = TalkerConfig(feature_width=32, width=32, dilations=(1, 2))
PHONES = ("silence", "p", "ʃ")


@pytest.fixture
def speech():
    """Not to be trained, like what is loaded: a convolution that is rounds otherwise."""
    torch.manual_seed(0)
    made = Speech(SpeechEncoder.from_config(ENCODER), PHONES).eval().requires_grad_(False)
    torch.nn.init.normal_(made.encoder.nearness)
    return made


@pytest.fixture
def folder(tmp_path, speech):
    save_checkpoint(tmp_path / "mine", speech, Talker(TALKER), half=False)
    return tmp_path / "mine"


def sound(count=4_000):
    return torch.randn(1, count, generator=torch.Generator().manual_seed(1))


def test_weights_come_back(folder, speech):
    loaded, talker = load_checkpoint(folder)
    torch.testing.assert_close(loaded(sound()), speech(sound()), rtol=0, atol=0)
    assert loaded.phones == PHONES and loaded.encoder.config == ENCODER
    torch.testing.assert_close(loaded.encoder.nearness, speech.encoder.nearness)
    assert talker.config == TALKER and not loaded.training and not talker.training
    assert not any(parameter.requires_grad for parameter in loaded.parameters())


def test_the_speech_encoder_is_found_in_and_without_its_talker(folder, speech):
    for name in (folder, str(folder), folder / "speech"):
        torch.testing.assert_close(SpeechEncoder.load(name)(sound()), speech.encoder(sound()), rtol=0, atol=0)
    assert SpeechEncoder.load().width == load_checkpoint("default")[0].encoder.width


def test_everything_about_a_talker_comes_back(tmp_path, speech):
    emotion = EmotionEncoderConfig(width=8, styles=("grid_s1/s1", "javanese/ana"))
    config = replace(TALKER, emotion=emotion, prior=MotionPriorConfig(channels=112, width=16, heads=2), space="flame")
    talker = Talker(config)
    torch.nn.init.normal_(talker.decoder.output.weight)
    save_checkpoint(tmp_path, speech, talker, half=False)
    loaded = load_checkpoint(tmp_path)[1]
    assert loaded.config == config
    for name, tensor in talker.state_dict().items():
        torch.testing.assert_close(loaded.state_dict()[name], tensor, rtol=0, atol=0)


def test_a_motion_prior_comes_back(tmp_path, folder):
    prior = MotionPrior(MotionPriorConfig(width=16, heads=2))
    torch.nn.init.normal_(prior.decoder.output.weight)
    save_prior(tmp_path / "prior", prior, "arkit")
    loaded, space = load_prior(tmp_path / "prior")
    assert (space, loaded.config) == ("arkit", prior.config)
    torch.testing.assert_close(loaded.sample(20, seed=1), prior.sample(20, seed=1), rtol=0, atol=0)
    with pytest.raises(TalkerError, match="holds no motion prior; make one with `talker train prior`"):
        load_prior(folder)


def test_half_precision_halves_the_file_and_is_close(tmp_path, speech):
    save_speech(tmp_path / "half", speech)
    save_speech(tmp_path / "full", speech, half=False)
    half, full = (tmp_path / name / "model.safetensors" for name in ("half", "full"))
    assert half.stat().st_size < 0.6 * full.stat().st_size
    assert all(tensor.dtype == torch.float16 for tensor in load_file(half).values())
    torch.testing.assert_close(load_speech(tmp_path / "half")(sound()), speech(sound()), atol=0.02, rtol=0)


def test_an_average_is_stored_instead_of_the_weights(tmp_path, speech):
    average = {name: torch.full_like(tensor, 0.25) for name, tensor in speech.state_dict().items()}
    save_speech(tmp_path, speech, average | {"teacher.weight": torch.zeros(3)})
    assert all((tensor == 0.25).all() for tensor in load_speech(tmp_path).state_dict().values())


def test_an_encoder_without_phones(tmp_path, speech):
    save_speech(tmp_path, Speech(speech.encoder))
    loaded = load_speech(tmp_path)
    assert loaded.phones == ()
    with pytest.raises(TalkerError, match="has not learned phones"):
        loaded(sound())


@pytest.mark.parametrize("family", FAMILIES)
def test_a_talker_on_a_published_network_comes_back(tmp_path, family):
    encoder = SpeechEncoder.load(published_folder(tmp_path / "published", family))
    save_checkpoint(tmp_path / "mine", Speech(encoder), Talker(TALKER), half=False)
    loaded, _ = load_checkpoint(tmp_path / "mine")
    torch.testing.assert_close(loaded.encoder(sound()), encoder(sound()), rtol=0, atol=0)
    assert loaded.encoder.normalise == encoder.normalise
    type(encoder.network).from_pretrained(tmp_path / "mine" / "speech")  # Others can read it, too.


def test_phones_on_a_published_network_are_refused(tmp_path):
    encoder = SpeechEncoder.load(published_folder(tmp_path / "published", "wav2vec2"))
    with pytest.raises(TalkerError, match="own speech encoder only"):
        save_speech(tmp_path / "mine", Speech(encoder, PHONES))


@pytest.mark.parametrize("part", [".", "speech"])
def test_damage_is_one_line(folder, part):
    path = folder / part / "model.safetensors"
    weights = path.read_bytes()
    for damaged in (weights[:1000], b"", b"\xff" * 100):
        path.write_bytes(damaged)
        with pytest.raises(TalkerError, match=r"model\.safetensors: damaged weights") as error:
            load_checkpoint(folder)
        assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("part", "change", "message"),
    [
        ("speech", {"encoder": asdict(ENCODER) | {"feed_forward": 128}}, "where config.json asks for"),
        ("speech", {"encoder": asdict(ENCODER) | {"heads": 5}}, "damaged configuration"),
        ("speech", {"encoder": asdict(ENCODER) | {"eyes": 2}}, "damaged configuration"),
        ("speech", {"phones": ["a", "b"]}, "where config.json asks for"),
        ("speech", {"phones": None}, "damaged configuration"),
        ("speech", {"format": "talker speech 9"}, "not a speech encoder"),
        (".", {"talker": asdict(TALKER) | {"kernel": 4}}, "kernel must be odd"),
        (".", {"talker": asdict(TALKER) | {"prior": {"heads": 3}}}, "cannot be shared by 3 heads"),
        (".", {"talker": asdict(TALKER) | {"emotion": None}}, "damaged configuration"),
        (".", {"format": "talker 9"}, "'talker 9' instead of 'talker 3'"),
    ],
)
def test_a_configuration_that_does_not_fit_says_what(folder, part, change, message):
    path = folder / part / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(TalkerError, match=message):
        load_checkpoint(folder)


def test_a_stranger_s_speech_folder_is_refused(folder, tmp_path):
    torch.manual_seed(0)
    wide = SpeechEncoderConfig(layers=1, width=48, heads=2, feed_forward=64)
    save_speech(folder / "speech", Speech(SpeechEncoder.from_config(wide)))
    with pytest.raises(TalkerError, match="makes 48 features where this talker takes 32"):
        load_checkpoint(folder)


@pytest.mark.parametrize("part", [".", "speech"])
def test_a_missing_file_says_how_to_get_one(folder, part):
    (folder / part / "model.safetensors").unlink()
    with pytest.raises(TalkerError, match="talker train"):
        load_checkpoint(folder)


def test_the_shipped_weights_are_small():
    folder = checkpoints_dir() / "default"
    assert (folder / "speech" / "model.safetensors").stat().st_size <= 25e6
    assert sum(path.stat().st_size for path in folder.rglob("*.safetensors")) <= 60e6
    assert sum(parameter.numel() for parameter in SpeechEncoder.load().parameters()) <= 12e6
