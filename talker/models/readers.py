"""The networks that look at talking faces, on disk: a folder with `config.json` and `model.safetensors`."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from torch import Tensor, nn

from talker.errors import TalkerError
from talker.models.checkpoint import read_config, read_weights, tuples, write_json, write_weights
from talker.models.emotion_net import EmotionNet, EmotionNetConfig
from talker.models.lip_reader import LipReader, LipReaderConfig
from talker.resources import checkpoints_dir

READERS_FORMAT = "talker readers 1"

READERS, EVALUATION_READERS = "readers", "readers_evaluation"
"""Those that talkers are trained by, and those that only judge them: from another seed and other pictures."""


class Readers(nn.Module):
    """A lip reader and an emotion network."""

    def __init__(self, lips: LipReader, emotion: EmotionNet) -> None:
        super().__init__()
        self.lips, self.emotion = lips, emotion


def save_readers(folder: Path, readers: Readers, weights: Mapping[str, Tensor] | None = None) -> None:
    """Write both in half precision; `weights` instead of their own, such as a moving average: "lips.*", "emotion.*"."""
    write_weights(folder / "model.safetensors", readers, weights, half=True)
    config = {"lips": asdict(readers.lips.config), "emotion": asdict(readers.emotion.config)}
    write_json(folder / "config.json", {"format": READERS_FORMAT, **config})


def load_readers(name: str | Path = READERS) -> Readers:
    """Those shipped with talker, `READERS` or `EVALUATION_READERS`, or a folder's: frozen, on the CPU, in float32."""
    folder = checkpoints_dir() / name if str(name) in (READERS, EVALUATION_READERS) else Path(name)
    config = read_config(folder / "config.json")
    if config.get("format") != READERS_FORMAT:
        raise TalkerError(f"{folder} holds no readers of faces; make some with `talker train readers`")
    try:
        lips = LipReader(LipReaderConfig(**tuples(config["lips"])))
        readers = Readers(lips, EmotionNet(EmotionNetConfig(**tuples(config["emotion"]))))
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise TalkerError(f"{folder / 'config.json'}: damaged configuration ({error}); copy it again") from error
    readers.load_state_dict(read_weights(folder / "model.safetensors", readers))
    return readers.eval().requires_grad_(False)
