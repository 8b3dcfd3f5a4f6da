"""Networks that look at faces: shapes, what they ignore, gradients, files."""

from pathlib import Path

import pytest
import torch

from talker.errors import TalkerError
from talker.models.emotion_net import EmotionNet, EmotionNetConfig
from talker.models.lip_reader import LipReader, LipReaderConfig
from talker.models.readers import Readers, load_readers, save_readers
from talker.phones import PHONES

LITTLE_LIPS = LipReaderConfig(size=24, channels=(4, 8), width=16, dilations=(1,))
LITTLE_FACES = EmotionNetConfig(size=24, channels=(4, 8), width=16, dilations=(1,))


@pytest.fixture
def readers() -> Readers:
    torch.manual_seed(0)
    return Readers(LipReader(LITTLE_LIPS), EmotionNet(LITTLE_FACES)).eval()


def pictures(frames: int, clips: int = 2) -> torch.Tensor:
    return torch.rand(clips, frames, 24, 24, generator=torch.Generator().manual_seed(1))


def test_every_frame_gets_a_phone_and_every_clip_an_emotion(readers: Readers) -> None:
    scores, order = readers.lips(pictures(7))
    assert scores.shape == (2, 7, len(PHONES)) and order.shape == (2, 7, len(PHONES) + 1)
    seen = readers.emotion(pictures(7))
    assert seen.scores.shape == (2, 8) and seen.intensity.shape == (2,) and seen.features.shape == (2, 16)


def test_what_lies_beyond_a_clips_end_changes_nothing(readers: Readers) -> None:
    whole, lengths = pictures(9), torch.tensor([5, 9])
    other = whole.clone()
    other[0, 5:] = 0.9
    for network in (readers.lips.features, lambda *a: readers.emotion(*a).scores):
        one, two = network(whole, lengths), network(other, lengths)
        assert torch.allclose(one[0, :5], two[0, :5], atol=1e-5)
        alone = network(whole[:1, :5])
        assert torch.allclose(one[0, :5], alone[0, :5], atol=1e-4)


def test_brighter_light_and_less_contrast_change_little(readers: Readers) -> None:
    clip = pictures(5)
    assert torch.allclose(readers.emotion(clip).scores, readers.emotion(0.3 + 0.5 * clip).scores, atol=0.01)


def test_gradients_reach_the_pictures(readers: Readers) -> None:
    clip = pictures(5).requires_grad_()
    (readers.lips.features(clip).square().sum() + readers.emotion(clip).features.square().sum()).backward()
    assert clip.grad is not None and (clip.grad.abs().amax((2, 3)) > 0).all()


def test_the_shipped_sizes_are_small() -> None:
    lips, emotion = LipReader(LipReaderConfig()), EmotionNet(EmotionNetConfig())
    assert sum(p.numel() for p in lips.parameters()) < 1_500_000
    assert sum(p.numel() for p in emotion.parameters()) < 1_000_000


def test_what_is_saved_is_loaded_frozen(readers: Readers, tmp_path: Path) -> None:
    save_readers(tmp_path, readers)
    loaded = load_readers(tmp_path)
    assert torch.allclose(loaded.lips(pictures(4))[0], readers.lips(pictures(4))[0], atol=0.02)
    assert loaded.lips.config == LITTLE_LIPS and loaded.emotion.config == LITTLE_FACES
    assert not any(parameter.requires_grad for parameter in loaded.parameters()) and not loaded.training


def test_another_folder_is_refused_with_a_remedy(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"format": "something else"}')
    with pytest.raises(TalkerError, match="holds no readers of faces; make some with `talker train readers`"):
        load_readers(tmp_path)
