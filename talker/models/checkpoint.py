"""Weights on disk: a folder with `config.json` and `model.safetensors`, never a pickle."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import nn

from talker.errors import TalkerError
from talker.files import atomic_output, read_text
from talker.models.speech_encoder import SpeechEncoder, SpeechEncoderConfig
from talker.models.talker import Talker, TalkerConfig
from talker.resources import checkpoints_dir

FORMAT = "talker 1"


def checkpoint_folder(name: str | Path) -> Path:
    """The folder meant by "default" or by a path."""
    return checkpoints_dir() / "default" if str(name) == "default" else Path(name)


def is_talker_checkpoint(name: str | Path) -> bool:
    """Whether `name` means weights in talker's own layout, rather than a published speech encoder."""
    config = checkpoint_folder(name) / "config.json"
    return str(name) == "default" or (config.is_file() and _read_config(config).get("format") == FORMAT)


def save_checkpoint(
    folder: Path,
    encoder_config: SpeechEncoderConfig,
    talker_config: TalkerConfig,
    weights: dict[str, torch.Tensor],
    half: bool = True,
) -> None:
    """Write `weights` ("encoder.*" and "talker.*") and what is needed to rebuild the modules around them."""
    from safetensors.torch import save

    dtype = torch.float16 if half else torch.float32
    with atomic_output(folder / "model.safetensors") as temporary:
        temporary.write_bytes(save({name: tensor.to(dtype).contiguous() for name, tensor in weights.items()}))
    config = {"format": FORMAT, "encoder": asdict(encoder_config), "talker": asdict(talker_config)}
    with atomic_output(folder / "config.json") as temporary:
        temporary.write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")


def load_checkpoint(name: str | Path) -> tuple[SpeechEncoder, Talker]:
    """The two modules of a checkpoint, on the CPU in float32, ready for inference."""
    folder = checkpoint_folder(name)
    config = _read_config(folder / "config.json")
    if config.get("format") != FORMAT:
        raise TalkerError(f"{folder / 'config.json'}: the format is {config.get('format')!r} instead of {FORMAT!r}")
    try:
        encoder = SpeechEncoder.from_config(SpeechEncoderConfig(**_tuples(config["encoder"])))
        modules = nn.ModuleDict({"encoder": encoder, "talker": Talker(TalkerConfig(**_tuples(config["talker"])))})
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        reason = str(error).partition("\n")[0][:200]
        raise TalkerError(f"{folder / 'config.json'}: damaged configuration ({reason}); copy it again") from error
    modules.load_state_dict(_read_weights(folder / "model.safetensors", modules))
    modules.eval().requires_grad_(False)
    return modules["encoder"], modules["talker"]  # type: ignore[return-value]


def _read_weights(path: Path, modules: nn.Module) -> dict[str, torch.Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    if not path.is_file():
        raise TalkerError(f"no weights at {path}; train some with `talker train talker -o {path.parent}`")
    try:
        weights = load_file(path)
    except (SafetensorError, OSError) as error:
        raise TalkerError(f"{path}: damaged weights ({str(error)[:100]}); copy the file again") from error
    expected = modules.state_dict()
    for name, tensor in expected.items():
        if name not in weights or weights[name].shape != tensor.shape:
            found = list(weights[name].shape) if name in weights else "missing"
            raise TalkerError(f"{path}: {name} is {found} where config.json asks for {list(tensor.shape)}")
    return {name: weights[name].float() for name in expected}


def _read_config(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise TalkerError(f"no model at {path.parent}: it has no config.json; give a folder made by `talker train`")
    try:
        config = json.loads(read_text(path))
    except (ValueError, RecursionError) as error:
        raise TalkerError(f"{path}: not JSON ({error}); copy it again") from error
    return config if isinstance(config, dict) else {}


def _tuples(values: dict[str, Any]) -> dict[str, Any]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}
