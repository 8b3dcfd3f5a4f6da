"""Weights on disk: folders with `config.json` and `model.safetensors`, never a pickle.

A talker's folder holds its speech encoder's in `speech/`: one of talker's own, or one in Hugging Face's format.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from talker.errors import TalkerError
from talker.files import atomic_output, read_text
from talker.models.emotion_encoder import EmotionEncoderConfig
from talker.models.motion_prior import MotionPrior, MotionPriorConfig
from talker.models.speech import Speech
from talker.models.speech_encoder import SpeechEncoder, SpeechEncoderConfig
from talker.models.talker import Talker, TalkerConfig
from talker.resources import checkpoints_dir

TALKER_FORMAT = "talker 3"
PRIOR_FORMAT = "talker prior 1"
SPEECH_FORMAT = "talker speech 2"

_Weights = Mapping[str, Tensor]


def checkpoint_folder(name: str | Path) -> Path:
    """The folder meant by "default" or by a path."""
    return checkpoints_dir() / "default" if str(name) == "default" else Path(name)


def save_checkpoint(
    folder: Path, speech: Speech, talker: Talker, weights: _Weights | None = None, half: bool = True
) -> None:
    """Write a talker and the speech encoder that it hears with.

    Args:
        folder: Gets `config.json`, `model.safetensors` and `speech/`.
        speech: The encoder that the talker was trained on.
        talker: The talker.
        weights: Stored instead of the modules' own, such as a moving average: "encoder.*", "talker.*", "phone_head.*".
        half: Store half precision.
    """
    save_speech(folder / "speech", speech, weights, half)
    modules = nn.ModuleDict({"talker": talker})
    write_weights(folder / "model.safetensors", modules, weights, half)
    write_json(folder / "config.json", {"format": TALKER_FORMAT, "talker": asdict(talker.config)})


def load_checkpoint(name: str | Path) -> tuple[Speech, Talker]:
    """A talker and what it hears with, on the CPU in float32, ready for inference."""
    folder = checkpoint_folder(name)
    config = read_config(folder / "config.json")
    if config.get("format") != TALKER_FORMAT:
        found = config.get("format")
        raise TalkerError(f"{folder / 'config.json'}: the format is {found!r} instead of {TALKER_FORMAT!r}")
    try:
        talker = Talker(_talker_config(config["talker"]))
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise _damaged(folder / "config.json", error) from error
    modules = nn.ModuleDict({"talker": talker})
    modules.load_state_dict(read_weights(folder / "model.safetensors", modules))
    speech = load_speech(folder)
    if speech.encoder.width != talker.config.feature_width:
        raise TalkerError(
            f"{folder}: speech/ makes {speech.encoder.width} features where this talker takes "
            f"{talker.config.feature_width}; copy the folder that it was trained with"
        )
    return speech, talker.eval().requires_grad_(False)


def save_prior(folder: Path, prior: MotionPrior, space: str, weights: _Weights | None = None) -> None:
    """Write a motion prior in single precision: `config.json` and `model.safetensors`.

    Args:
        folder: Gets them.
        prior: What to write.
        space: The motion space whose channels it speaks.
        weights: Stored instead of its own, such as a moving average.
    """
    write_weights(folder / "model.safetensors", prior, weights, half=False)
    write_json(folder / "config.json", {"format": PRIOR_FORMAT, "space": space, "prior": asdict(prior.config)})


def load_prior(folder: Path) -> tuple[MotionPrior, str]:
    """A motion prior on the CPU, ready for inference, and the name of its motion space."""
    config = read_config(folder / "config.json")
    if config.get("format") != PRIOR_FORMAT:
        raise TalkerError(f"{folder} holds no motion prior; make one with `talker train prior`")
    try:
        prior, space = MotionPrior(MotionPriorConfig(**tuples(config["prior"]))), str(config["space"])
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise _damaged(folder / "config.json", error) from error
    prior.load_state_dict(read_weights(folder / "model.safetensors", prior))
    return prior.eval().requires_grad_(False), space


def save_speech(folder: Path, speech: Speech, weights: _Weights | None = None, half: bool = True) -> None:
    """Write an encoder, and its phones where it has any; a published network in Hugging Face's format.

    Args:
        folder: Gets `config.json` and `model.safetensors`.
        speech: What to write.
        weights: Stored instead of its own, such as a moving average: "encoder.*" and "phone_head.*".
        half: Store half precision.
    """
    encoder = speech.encoder
    if encoder.config is None:
        _save_published(folder, speech, weights, half)
        return
    write_weights(folder / "model.safetensors", speech, weights, half)
    config = {"format": SPEECH_FORMAT, "encoder": asdict(encoder.config), "phones": speech.phones}
    write_json(folder / "config.json", config)


def load_speech(name: str | Path = "default", download: bool = False) -> Speech:
    """What `SpeechEncoder.load` loads, with the phones that it has learned."""
    folder = checkpoint_folder(name)
    if _format_of(folder) == TALKER_FORMAT:
        name = folder = folder / "speech"
    return _load_own(folder) if _format_of(folder) == SPEECH_FORMAT else _load_published(name, download)


def read_config(path: Path) -> dict[str, Any]:
    """A checkpoint's `config.json`."""
    if not path.is_file():
        raise TalkerError(f"no model at {path.parent}: it has no config.json; give a folder made by `talker train`")
    try:
        config = json.loads(read_text(path))
    except (ValueError, RecursionError) as error:
        raise TalkerError(f"{path}: not JSON ({error}); copy it again") from error
    return config if isinstance(config, dict) else {}


def read_weights(path: Path, modules: nn.Module) -> dict[str, Tensor]:
    """The weights of `modules` in float32, checked against what they need."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    if not path.is_file():
        raise TalkerError(f"no weights at {path}; copy the whole folder, or train some with `talker train`")
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


def tuples(values: dict[str, Any]) -> dict[str, Any]:
    """What a dataclass was before it became JSON."""
    return {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}


def _talker_config(values: dict[str, Any]) -> TalkerConfig:
    values = tuples(values)
    emotion = EmotionEncoderConfig(**tuples(dict(values.pop("emotion"))))
    prior = values.pop("prior")
    return TalkerConfig(
        **values, emotion=emotion, prior=None if prior is None else MotionPriorConfig(**tuples(dict(prior)))
    )


def _load_own(folder: Path) -> Speech:
    config = read_config(folder / "config.json")
    try:
        encoder = SpeechEncoder.from_config(SpeechEncoderConfig(**tuples(config["encoder"])))
        speech = Speech(encoder, tuple(config["phones"]))
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise _damaged(folder / "config.json", error) from error
    speech.load_state_dict(read_weights(folder / "model.safetensors", speech))
    return speech.eval().requires_grad_(False)


def _load_published(name: str | Path, download: bool) -> Speech:
    from safetensors import SafetensorError
    from transformers import AutoFeatureExtractor, AutoModel

    try:
        network = AutoModel.from_pretrained(name, local_files_only=not download).float()
        extractor = AutoFeatureExtractor.from_pretrained(name, local_files_only=not download)
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        if Path(name).is_dir():
            reason = " ".join(str(error).split())[:200]
            raise TalkerError(f"{name} is not a speech encoder in Hugging Face's format: {reason}") from error
        remedy = "" if download else "; pass download=True to fetch it by name"
        raise TalkerError(f"no speech encoder '{name}' on this machine{remedy}") from error
    if not hasattr(network.config, "conv_stride"):
        raise TalkerError(f"'{name}' is a {network.config.model_type}, not a wav2vec 2.0, HuBERT or WavLM encoder")
    # Training on talker's data brings its own augmentation, and needs every layer's result.
    network.config.apply_spec_augment, network.config.layerdrop = False, 0.0
    encoder = SpeechEncoder(network, normalise=bool(getattr(extractor, "do_normalize", True)))
    return Speech(encoder).eval().requires_grad_(False)


def _save_published(folder: Path, speech: Speech, weights: _Weights | None, half: bool) -> None:
    from transformers import Wav2Vec2FeatureExtractor

    if speech.phones:
        raise TalkerError("phones are stored with talker's own speech encoder only, not with a published network")
    encoder = speech.encoder
    if weights is not None:
        weights = {name.removeprefix("encoder.network."): tensor for name, tensor in weights.items()}
    write_weights(folder / "model.safetensors", encoder.network, weights, half)
    write_json(folder / "config.json", encoder.network.config.to_dict())
    extractor = Wav2Vec2FeatureExtractor(do_normalize=encoder.normalise)
    write_json(folder / "preprocessor_config.json", extractor.to_dict())


def _format_of(folder: Path) -> str | None:
    return read_config(folder / "config.json").get("format") if (folder / "config.json").is_file() else None


def write_weights(path: Path, modules: nn.Module, weights: _Weights | None, half: bool) -> None:
    """A module's weights, or those of the same names in `weights`, as safetensors."""
    from safetensors.torch import save

    dtype = torch.float16 if half else torch.float32
    source = modules.state_dict() if weights is None else weights
    tensors = {name: source[name].to("cpu", dtype).contiguous() for name in modules.state_dict()}
    with atomic_output(path) as temporary:
        temporary.write_bytes(save(tensors, metadata={"format": "pt"}))  # Transformers refuses files without it.


def write_json(path: Path, config: dict[str, Any]) -> None:
    """A checkpoint's `config.json`."""
    with atomic_output(path) as temporary:
        temporary.write_text(json.dumps(config, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _damaged(path: Path, error: Exception) -> TalkerError:
    reason = str(error).partition("\n")[0][:200]
    return TalkerError(f"{path}: damaged configuration ({reason}); copy it again")
