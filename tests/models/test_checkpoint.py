import json
from dataclasses import asdict

import pytest
import torch

from talker.errors import TalkerError
from talker.models.checkpoint import is_talker_checkpoint, load_checkpoint, save_checkpoint
from talker.models.speech_encoder import SpeechEncoder, SpeechEncoderConfig
from talker.models.talker import Talker, TalkerConfig

ENCODER = SpeechEncoderConfig(conv_width=24, layers=1, width=32, heads=2, feed_forward=64, attention_reach=6)
TALKER = TalkerConfig(feature_width=32, width=32, dilations=(1, 2))


@pytest.fixture
def folder(tmp_path):
    torch.manual_seed(0)
    modules = torch.nn.ModuleDict({"encoder": SpeechEncoder.from_config(ENCODER), "talker": Talker(TALKER)})
    save_checkpoint(tmp_path / "mine", ENCODER, TALKER, modules.state_dict(), half=False)
    return tmp_path / "mine"


def test_weights_come_back(folder):
    encoder, talker = load_checkpoint(folder)
    torch.manual_seed(0)
    original = SpeechEncoder.from_config(ENCODER).eval()
    sound = torch.randn(1, 4_000)
    torch.testing.assert_close(encoder(sound), original(sound), rtol=0, atol=0)
    assert talker.config == TALKER and not encoder.training
    assert is_talker_checkpoint(folder) and not is_talker_checkpoint(folder.parent)


def test_damage_is_one_line(folder):
    weights = (folder / "model.safetensors").read_bytes()
    for damaged in (weights[:1000], b"", b"\xff" * 100):
        (folder / "model.safetensors").write_bytes(damaged)
        with pytest.raises(TalkerError, match=r"model\.safetensors: damaged weights") as error:
            load_checkpoint(folder)
        assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"encoder": asdict(ENCODER) | {"feed_forward": 128}}, "where config.json asks for"),
        ({"encoder": asdict(ENCODER) | {"heads": 5}}, "damaged configuration"),
        ({"encoder": asdict(ENCODER) | {"eyes": 2}}, "damaged configuration"),
        ({"talker": {"kernel": 4}}, "kernel must be odd"),
        ({"format": "talker 9"}, "'talker 9' instead of 'talker 1'"),
    ],
)
def test_a_configuration_that_does_not_fit_says_what(folder, change, message):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | change))
    with pytest.raises(TalkerError, match=message):
        load_checkpoint(folder)


def test_a_missing_file_says_how_to_get_one(folder):
    (folder / "model.safetensors").unlink()
    with pytest.raises(TalkerError, match="talker train talker"):
        load_checkpoint(folder)
