import copy
import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from surrogate_encoders import FAMILIES, published_folder
from transformers import WhisperFeatureExtractor

from talker.errors import TalkerError
from talker.models.log_mel import LogMelStem
from talker.models.speech_encoder import SpeechEncoder, SpeechEncoderConfig, frame_count, in_pieces

TINY = SpeechEncoderConfig(layers=2, width=32, heads=2, feed_forward=64, attention_reach=6)


@pytest.fixture(scope="module")
def encoder():
    """Random in everything: what starts at zero would hide what it does."""
    torch.manual_seed(0)
    made = SpeechEncoder.from_config(TINY).eval()
    torch.nn.init.normal_(made.nearness, std=0.5)
    torch.nn.init.normal_(made.network.feature_extractor.place, std=0.1)
    return made


def noise(seconds, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).normal(0, 0.1, round(seconds * 16_000)).astype(np.float32))


@pytest.mark.parametrize(("samples", "frames"), [(0, 0), (1, 1), (320, 1), (321, 2), (16_000, 50), (16_001, 51)])
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
    """A click at frame 50 changes what the stem makes of the frames around 50, and as many before as after."""
    silence, click = torch.zeros(1, 32_000), torch.zeros(1, 32_000)
    click[0, 50 * 320] = 1.0

    def frames(samples):
        return encoder.network.feature_extractor(encoder._framed(samples))[0]

    with torch.inference_mode():
        changed = (frames(click) - frames(silence)).abs().sum(0) > 1e-5
    assert changed.nonzero().flatten().tolist() == [49, 50, 51]


def speechlike(seconds):
    """Noise that swells and fades, and pauses in which nothing at all is heard."""
    times = torch.arange(round(seconds * 16_000)) / 16_000
    return noise(seconds) * torch.sin(2 * np.pi * 0.7 * times).clamp(min=0)


def test_the_spectrogram_is_whispers():
    """Away from the edges, and above the floor of either: Whisper's lies 80 dB below its loudest, ours is fixed."""
    sound = speechlike(3.0)
    theirs = WhisperFeatureExtractor()(sound.numpy(), sampling_rate=16_000, padding="do_not_pad").input_features[0]
    ours = LogMelStem(8).log_mel(torch.nn.functional.pad(sound, (200, 200))[None])[0, :, :300]
    audible = torch.from_numpy(theirs) > max(theirs.min(), (-7.0 + 4.0) / 4.0) + 0.01
    audible[:, [0, 1, -2, -1]] = False  # Whisper mirrors the sound at its ends; here it is silent there.
    assert 0.3 < audible.float().mean() < 0.9
    torch.testing.assert_close(ours[audible], torch.from_numpy(theirs)[audible], atol=2e-4, rtol=0)
    assert ours.min() == pytest.approx(-0.75) and ours[:, 110:130].max() == pytest.approx(-0.75)


def test_the_spectrogram_is_never_in_half_precision():
    stem, sound = LogMelStem(8), speechlike(1.0)[None]
    exact = stem.log_mel(sound)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(stem.log_mel(sound), exact) and torch.equal(stem.log_mel(sound.double()), exact)


def test_nothing_beyond_the_reach_changes_a_frame(encoder):
    sound = noise(4.0)
    changed = sound.clone()
    changed[:16_000] = noise(1.0, seed=9)  # frames 0..49
    difference = (encoder(sound[None]) - encoder(changed[None])).abs().amax(dim=-1)[0]
    assert difference[50].item() > 1e-4
    assert difference[50 + encoder.reach :].max().item() < 1e-5


def test_a_piece_that_is_told_its_place_gives_what_the_whole_gives():
    torch.manual_seed(0)
    encoder = SpeechEncoder.from_config(replace(TINY, places=60)).eval()
    sound, begin, margin = noise(4.0)[None], 70, encoder.reach
    whole = encoder(sound)[:, begin + margin :]
    torch.testing.assert_close(
        encoder(sound[:, begin * 320 :], first_frame=begin)[:, margin:], whole, atol=2e-5, rtol=0
    )
    both = encoder(sound[:, begin * 320 :].repeat(2, 1), first_frame=torch.tensor([begin, begin + 60]))
    torch.testing.assert_close(both[0], both[1])  # The places begin anew every 60 frames.
    elsewhere = encoder(sound[:, begin * 320 :], first_frame=0)[:, margin:]
    assert (elsewhere - whole).abs().max() > 1e-3


def test_hidden_states_are_what_the_transformer_library_computes():
    """With an attention that reaches everything, no bias and no places, ours is `Wav2Vec2Model` itself."""
    torch.manual_seed(0)
    encoder = SpeechEncoder.from_config(replace(TINY, attention_reach=150, places=0)).eval()
    assert not encoder.nearness.any()
    sound = noise(3.0)[None]  # 150 frames: three blocks of attention, the last one partly filled
    states = encoder.hidden_states(sound)
    reference = encoder.network(encoder._framed(sound), output_hidden_states=True)
    assert len(states) == len(reference.hidden_states) == TINY.layers + 1
    for ours, theirs in zip(states[:-1], reference.hidden_states[:-1], strict=True):
        torch.testing.assert_close(ours, theirs, atol=2e-5, rtol=1e-5)
    torch.testing.assert_close(encoder(sound), reference.last_hidden_state, atol=2e-5, rtol=1e-5)
    torch.testing.assert_close(encoder.network.encoder.layer_norm(states[-1]), encoder(sound))


def test_attention_in_blocks_is_a_band(encoder):
    """The blocks are a way of computing: the same as one big matrix of scores with a band of biases in it."""
    sound = noise(4.1)[None]
    with torch.inference_mode():
        states = encoder.hidden_states(sound)
        times = torch.arange(states[0].shape[1])
        distance = times - times[:, None]
        reach = TINY.attention_reach
        for number, layer in enumerate(encoder.network.encoder.layers):
            bias = encoder.nearness[number][:, distance.clamp(-reach, reach) + reach]  # (heads, T, T)
            expected = layer(states[number], attention_mask=bias.masked_fill(distance.abs() > reach, -1e4)[None])
            expected = expected[0] if isinstance(expected, tuple) else expected
            torch.testing.assert_close(states[number + 1], expected, atol=2e-5, rtol=0)


def test_nearness_says_where_a_head_looks(encoder):
    """With all weight on one distance, what a frame gets from the layer is what lies at that distance."""
    ahead = copy.deepcopy(encoder)
    with torch.no_grad():
        ahead.nearness.fill_(-50.0)
        ahead.nearness[:, :, TINY.attention_reach + 2] = 50.0
    layer = ahead.network.encoder.layers[0]
    with torch.inference_mode():
        first, second, _ = ahead.hidden_states(noise(2.0)[None])
        normed = layer.layer_norm(first)
        two_later = layer.attention.out_proj(layer.attention.v_proj(normed))[:, 2:]
        hidden = first[:, :-2] + two_later
        expected = hidden + layer.feed_forward(layer.final_layer_norm(hidden))
    torch.testing.assert_close(second[:, :-2], expected, atol=2e-5, rtol=0)


def test_whatever_the_padding_holds_is_never_heard(encoder):
    sound = torch.stack([noise(1.0, 1), noise(1.0, 2)])
    sound[1, 9_000:] = torch.nan
    lengths = torch.tensor([16_000, 9_000])
    for state in (*encoder.hidden_states(sound, lengths), encoder(sound, lengths)):
        assert state.shape == (2, 50, TINY.width) and state.isfinite().all() and not state[1, 29:].any()


@pytest.mark.parametrize(("width", "heads", "reach"), [(384, 6, 1), (64, 1, 90)])
def test_other_sizes(width, heads, reach):
    config = SpeechEncoderConfig(layers=1, width=width, heads=heads, feed_forward=4 * width, attention_reach=reach)
    assert SpeechEncoder.from_config(config).eval()(noise(0.5)[None]).shape == (1, 25, width)


def test_training_reaches_every_weight(encoder):
    trained = copy.deepcopy(encoder).train()
    trained(noise(1.0)[None], torch.tensor([12_000])).square().sum().backward()
    still = [name for name, weight in trained.named_parameters() if weight.grad is None or not weight.grad.any()]
    # A key's bias adds the same to all scores of a frame; nothing is masked here.
    assert all(name.endswith(("k_proj.bias", "masked_spec_embed")) for name in still)


@pytest.mark.parametrize("family", FAMILIES)
def test_published_networks_work_from_their_folder(tmp_path, family):
    """Group norm over time, relative positions, pre-norm, normalised sound: and padding changes nothing."""
    encoder = SpeechEncoder.load(published_folder(tmp_path, family))
    assert encoder.reach is None and encoder.width == 32
    short, long = noise(0.5, 1), noise(1.0, 2)
    batch = torch.stack([torch.nn.functional.pad(short, (0, 8_000), value=torch.nan), long])
    together = encoder(batch, torch.tensor([8_000, 16_000]))
    assert together.shape == (2, 50, 32) and not together[0, 25:].any()
    torch.testing.assert_close(together[0, :25], encoder(short[None])[0])
    torch.testing.assert_close(together[1], encoder(long[None])[0])

    sound = (long - long.mean()) / (long.var(unbiased=False) + 1e-7).sqrt() if encoder.normalise else long
    reference = encoder.network(encoder._framed(sound[None]), output_hidden_states=True)
    torch.testing.assert_close(together[1], reference.last_hidden_state[0], atol=1e-5, rtol=1e-5)
    states = encoder.hidden_states(long[None])
    assert len(states) == 3
    for ours, theirs in zip(states[:-1], reference.hidden_states[:-1], strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-5)
    assert len(encoder.features(noise(0.3).numpy())) == 15
    assert encoder(torch.zeros(2, 320), torch.tensor([0, 320])).isfinite().all()


def test_a_recording_in_pieces_equals_the_whole(encoder, monkeypatch):
    """45 s are three pieces of at most 20."""
    monkeypatch.setattr("talker.models.speech_encoder._PIECE_FRAMES", 1000)
    sound = noise(45.0)
    with torch.inference_mode():
        whole = encoder(sound[None])[0].numpy()
    np.testing.assert_allclose(encoder.features(sound.numpy()), whole, atol=2e-5)


def test_silence_around_pieces_is_that_around_the_recording(encoder):
    sound, silence = noise(41.003).numpy(), 50  # Two pieces, of which the second holds little.
    expected = encoder.features(np.pad(sound, silence * 320))

    def heard(piece, first_frame):
        return encoder(piece, first_frame=first_frame)

    with torch.inference_mode():
        pieces = [piece.numpy() for _, piece in in_pieces(heard, sound, encoder.context, silence=silence)]
    np.testing.assert_allclose(np.concatenate(pieces), expected, atol=2e-5)


TIMES = np.arange(24_000) / 16_000
ODD_SOUNDS = {
    "silence": np.zeros(24_000),
    "tone": 0.5 * np.sin(2 * np.pi * 440 * TIMES),
    "chord": sum(0.2 * np.sin(2 * np.pi * hertz * TIMES) for hertz in (261.6, 329.6, 392.0)),
    "clipped": np.clip(20 * np.sin(2 * np.pi * 150 * TIMES), -1, 1),
    "offset": np.full(24_000, 0.7),
    "loudest": np.resize([1e4, -1e4], 24_000),
    "faintest": np.resize([1e-30, -1e-30], 24_000),
    "one sample": np.ones(1),
    "no sample": np.zeros(0),
}


@pytest.mark.parametrize("name", ODD_SOUNDS)
@pytest.mark.parametrize("which", ["random", "default", "published"])
def test_odd_sounds_give_finite_features(encoder, shipped, published, which, name):
    sound = ODD_SOUNDS[name].astype(np.float32)
    features = {"random": encoder, "default": shipped, "published": published}[which].features(sound)
    assert len(features) == -(-len(sound) // 320) and np.isfinite(features).all()


@pytest.fixture(scope="module")
def shipped():
    return SpeechEncoder.load()


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    return SpeechEncoder.load(published_folder(tmp_path_factory.mktemp("published"), "wav2vec2"))


@pytest.mark.parametrize(
    ("samples", "message"),
    [
        (np.array([0, 0.5, np.nan, np.nan], np.float32), r"sample 2 \(at 0\.000 s\) is nan"),
        (np.full(9, np.inf), "is inf"),
        (np.zeros((2, 100)), r"not \(2, 100\) float64"),
        (np.zeros(100, np.int16), "int16"),
    ],
)
def test_what_is_not_speech_says_why(encoder, samples, message):
    with pytest.raises(TalkerError, match=message):
        encoder.features(samples)


@pytest.mark.slow
def test_an_hour_takes_less_than_a_gigabyte():
    """In a process of its own, Python and PyTorch (0.45) and the sound (0.23) included.

    Pages of zeros would not be counted, hence the 0.01. Who wants all features at once holds 0.37 more of them.
    """
    script = (
        "import resource, numpy as np; from talker.models.checkpoint import load_speech;"
        "speech = load_speech(); sound = np.full(3600 * 16000, 0.01, np.float32);"
        "assert speech.phone_probabilities(sound).shape == (180_000, len(speech.phones));"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6)"
    )
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert float(result.stdout) < 1000


def test_an_unknown_name_is_not_downloaded(tmp_path):
    with pytest.raises(TalkerError, match="download=True"):
        SpeechEncoder.load("nobody/no-such-encoder")
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "bert"}))
    with pytest.raises(TalkerError):
        SpeechEncoder.load(tmp_path)


def test_a_configuration_that_cannot_work_is_refused():
    with pytest.raises(TalkerError, match="odd"):
        SpeechEncoderConfig(position_kernel=30)
