import json

import numpy as np
import pytest
import torch

from talker.errors import TalkerError
from talker.models.speech_encoder import SpeechEncoder, SpeechEncoderConfig, frame_count

TINY = SpeechEncoderConfig(conv_width=24, layers=2, width=32, heads=2, feed_forward=64, attention_reach=6)


@pytest.fixture(scope="module")
def encoder():
    torch.manual_seed(0)
    return SpeechEncoder.from_config(TINY).eval()


def noise(seconds, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).normal(0, 0.1, round(seconds * 16_000)).astype(np.float32))


@pytest.mark.parametrize(("samples", "frames"), [(1, 1), (320, 1), (321, 2), (16_000, 50), (16_001, 51)])
def test_one_frame_per_320_samples(encoder, samples, frames):
    assert frame_count(samples) == frames
    assert encoder(noise(2)[None, :samples]).shape == (1, frames, TINY.width)


def test_padding_and_company_never_change_a_result(encoder):
    short, long = noise(0.73, 1), noise(2.0, 2)
    batch = torch.full((2, len(long)), 7.7)  # Rubbish beyond the short item's length.
    batch[0, : len(short)] = short
    batch[1] = long
    together = encoder(batch, torch.tensor([len(short), len(long)]))
    alone = encoder(short[None])[0]
    torch.testing.assert_close(together[0, : len(alone)], alone, atol=2e-5, rtol=0)
    torch.testing.assert_close(together[1], encoder(long[None])[0], atol=2e-5, rtol=0)
    assert not together[0, len(alone) :].any()


def test_a_frame_is_centred_on_its_time(encoder):
    """A click at frame 50 changes the convolutions' frames around 50 symmetrically."""
    silence, click = torch.zeros(1, 32_000), torch.zeros(1, 32_000)
    click[0, 50 * 320] = 1.0

    def frames(samples):
        return encoder.network.feature_extractor(encoder._framed(samples))[0]

    changed = (frames(click) - frames(silence)).abs().sum(0) > 1e-6
    assert changed.nonzero().float().mean().item() == pytest.approx(50, abs=1)


def test_nothing_beyond_the_reach_changes_a_frame(encoder):
    sound = noise(4.0)
    changed = sound.clone()
    changed[:16_000] = noise(1.0, seed=9)  # frames 0..49
    difference = (encoder(sound[None]) - encoder(changed[None])).abs().amax(dim=-1)[0]
    assert difference[50].item() > 1e-4
    assert difference[50 + encoder.reach :].max().item() < 1e-5


def test_hidden_states_end_in_the_features(encoder):
    sound, lengths = torch.stack([noise(1.0, 1), noise(1.0, 2)]), torch.tensor([16_000, 9_000])
    states = encoder.hidden_states(sound, lengths)
    assert len(states) == TINY.layers + 1
    assert all(state.shape == (2, 50, TINY.width) and not state[1, 29:].any() for state in states)
    features = encoder(sound, lengths)
    torch.testing.assert_close(encoder.network.encoder.layer_norm(states[-1][0]), features[0])
    again = encoder.network.encoder.layers[-1](states[-2][:1])  # 50 frames: nearly everything is in reach.
    again = again[0] if isinstance(again, tuple) else again
    assert torch.corrcoef(torch.stack([again.flatten(), states[-1][0].flatten()]))[0, 1] > 0.9


def test_loads_a_published_layout_from_a_folder_without_the_network(tmp_path):
    """Group norm over time, as in wav2vec2-base, and still padding changes nothing."""
    from transformers import Wav2Vec2Config, Wav2Vec2FeatureExtractor, Wav2Vec2Model

    torch.manual_seed(0)
    config = Wav2Vec2Config(
        hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=64, conv_dim=(16,) * 7
    )
    Wav2Vec2Model(config).save_pretrained(tmp_path)
    Wav2Vec2FeatureExtractor(do_normalize=True).save_pretrained(tmp_path)
    encoder = SpeechEncoder.load(tmp_path).eval()
    assert encoder.normalise and encoder.reach is None
    short = noise(1.0)
    padded = torch.nn.functional.pad(short, (0, 16_000))[None]
    features = encoder(padded, torch.tensor([16_000]))
    assert features.shape == (1, 100, 32)
    torch.testing.assert_close(features[0, :50], encoder(short[None])[0])


def test_an_unknown_name_is_not_downloaded(tmp_path):
    with pytest.raises(TalkerError, match="download=True"):
        SpeechEncoder.load("nobody/no-such-encoder")
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "bert"}))
    with pytest.raises(TalkerError):
        SpeechEncoder.load(tmp_path)


def test_a_configuration_that_cannot_work_is_refused():
    with pytest.raises(TalkerError, match="multiply to 320"):
        SpeechEncoderConfig(conv_stride=(80, 2, 3))
    with pytest.raises(TalkerError, match="odd"):
        SpeechEncoderConfig(position_kernel=30)
