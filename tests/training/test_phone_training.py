"""`python -m talker.training.phones` on a language of three sounds, with an encoder of random weights."""

import json

import numpy as np
import pytest
import torch
from little_speech import LITTLE, write_speech

from talker.errors import TalkerError
from talker.models.checkpoint import load_speech, save_speech
from talker.models.speech import Speech
from talker.models.speech_encoder import SpeechEncoder
from talker.phones import PHONES, index
from talker.training import augment, speech_batches
from talker.training.phones import LearnPhones, phone_loss
from talker.training.speech_corpus import UNKNOWN, read_synthesised


@pytest.fixture
def told(tmp_path, monkeypatch):
    """Speech whose phones are known, and an encoder that never learnt any."""
    monkeypatch.setattr(speech_batches, "BATCH", 4)
    monkeypatch.setattr(speech_batches, "CROP_SECONDS", 1.0)
    monkeypatch.setattr(speech_batches, "_WITHOUT_SPEECH", 0.0)
    for name in ("change_voice", "add_room", "add_noise", "limit_band", "encode", "set_loudness"):
        monkeypatch.setattr(augment, name, lambda samples, random: samples)
    data, synthesised = write_speech(tmp_path)
    torch.manual_seed(0)
    save_speech(tmp_path / "encoder", Speech(SpeechEncoder.from_config(LITTLE)))
    return data, synthesised


def test_an_encoder_that_stays_as_it_is_learns_phones(told, tmp_path):
    data, synthesised = told
    LearnPhones(str(tmp_path / "encoder"), data, tmp_path / "named", synthesised, steps=120).run()
    before, named = load_speech(tmp_path / "encoder"), load_speech(tmp_path / "named")
    assert named.phones == PHONES
    for name, tensor in before.encoder.state_dict().items():
        torch.testing.assert_close(named.encoder.state_dict()[name], tensor, msg=name)
    unheard = list(read_synthesised(synthesised, ("test",)))
    said = np.concatenate([named.phone_probabilities(item.sound()).argmax(axis=1) for item in unheard])
    # Who always says silence is right in a third.
    assert (said == np.concatenate([item.labels for item in unheard])).mean() > 0.6


def test_speech_without_times_teaches_no_phones(told, tmp_path):
    data, synthesised = told
    with pytest.raises(TalkerError, match="holds none of emodb"):
        LearnPhones(str(tmp_path / "encoder"), data, tmp_path / "named").run()
    lines = [json.loads(line) | {"phones": []} for line in (synthesised / "manifest.jsonl").read_text().splitlines()]
    (synthesised / "manifest.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    with pytest.raises(TalkerError, match="nothing here tells phones"):
        LearnPhones(str(tmp_path / "encoder"), data, tmp_path / "named", synthesised).run()


def test_lips_cost_more_and_unknown_frames_nothing():
    scores = torch.zeros(1, 2, len(PHONES), requires_grad=True)
    labels = torch.tensor([[index("m"), index("s")]])
    phone_loss(scores, labels).backward()
    assert scores.grad[0, 0, index("m")] < 1.3 * scores.grad[0, 1, index("s")] < 0
    known = phone_loss(torch.randn(1, 2, len(PHONES)), torch.tensor([[index("a"), UNKNOWN]]))
    assert torch.isfinite(known)
