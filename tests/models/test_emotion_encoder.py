"""Emotions over time as a track for the talker, with random weights."""

import pytest
import torch

from talker.emotion import EMOTIONS
from talker.errors import TalkerError
from talker.models.emotion_encoder import EmotionEncoder, EmotionEncoderConfig

CONFIG = EmotionEncoderConfig(width=8, smoothing=11, styles=("s1", "ana"))


@pytest.fixture
def encoder() -> EmotionEncoder:
    torch.manual_seed(0)
    made = EmotionEncoder(CONFIG, 16).eval()
    torch.nn.init.normal_(made.output.weight)
    torch.nn.init.normal_(made.styles.weight)
    return made


def strengths(*labels: str) -> torch.Tensor:
    """(1, T, 8), a label for every frame."""
    return torch.eye(len(EMOTIONS))[[EMOTIONS.index(label) for label in labels]][None]


def test_nothing_is_felt_without_emotion(encoder):
    assert not encoder(strengths(*["neutral"] * 20), torch.ones(1, 20, 1)).any()
    assert encoder(strengths(*["angry"] * 20), torch.ones(1, 20, 1)).abs().min() > 0


def test_a_sudden_change_is_felt_smoothly(encoder):
    track = encoder(strengths(*["neutral"] * 30, *["happy"] * 30), torch.ones(1, 60, 1))[0]
    steps = (track[1:] - track[:-1]).norm(dim=-1)
    assert steps.max() < 0.4 * (track[-1] - track[0]).norm()
    assert steps[:24].max() == 0 and steps[35:].max() < 1e-5  # Only within the window.


def test_the_ends_of_a_take_are_felt_as_its_middle(encoder):
    track = encoder(strengths(*["sad"] * 40), torch.ones(1, 40, 1))[0]
    torch.testing.assert_close(track, track[20].expand_as(track))


def test_strangers_get_the_pivot_and_speakers_their_style(encoder):
    felt, keep = strengths(*["fear"] * 4), torch.ones(1, 4, 1)
    stranger = encoder(felt, keep)
    torch.testing.assert_close(encoder(felt, keep, torch.tensor([encoder.style_index(None)])), stranger)
    ana = encoder(felt, keep, torch.tensor([encoder.style_index("ana")])) - stranger
    torch.testing.assert_close(ana, encoder.styles.weight[1].expand(1, 4, -1))
    with pytest.raises(TalkerError, match="knows no style 'bob'; it knows s1, ana"):
        encoder.style_index("bob")


def test_a_window_has_a_middle():
    with pytest.raises(TalkerError, match="smoothing must be odd, not 4"):
        EmotionEncoderConfig(smoothing=4)
