"""Whisper encoders with random weights, in the four file formats and the packages in which the real ones come."""

import hashlib
import io
import struct
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import torch
from transformers import WhisperConfig
from transformers.models.whisper.modeling_whisper import WhisperEncoder

from talker.training.teachers import Teacher


def little_encoder(width: int, layers: int, seed: int) -> WhisperEncoder:
    """Random in every parameter: norms and biases as they start would hide that they are swapped or left out."""
    config = WhisperConfig(
        d_model=width, encoder_layers=layers, encoder_attention_heads=2, encoder_ffn_dim=4 * width, num_mel_bins=80
    )
    torch.manual_seed(seed)
    encoder = WhisperEncoder(config).eval().requires_grad_(False)
    for name, parameter in encoder.named_parameters():
        if parameter.ndim == 1:
            parameter.add_(0.1 * torch.randn_like(parameter))
        else:
            parameter.mul_(0.05 if "embed_positions" in name else 3.0)  # More of what is said than of when.
    return encoder


def openai_state(encoder: WhisperEncoder) -> dict[str, torch.Tensor]:
    """Under the names of OpenAI's code, with something of a decoder as well."""
    state = {"decoder.token_embedding.weight": torch.ones(3, 2)}
    state["encoder.positional_embedding"] = encoder.embed_positions.weight

    def put(name: str, module: torch.nn.Module) -> None:
        state[f"encoder.{name}.weight"] = module.weight
        if module.bias is not None:
            state[f"encoder.{name}.bias"] = module.bias

    for name, module in (("conv1", encoder.conv1), ("conv2", encoder.conv2), ("ln_post", encoder.layer_norm)):
        put(name, module)
    for i, layer in enumerate(encoder.layers):
        parts = {"query": layer.self_attn.q_proj, "key": layer.self_attn.k_proj, "value": layer.self_attn.v_proj}
        for name, module in (parts | {"out": layer.self_attn.out_proj}).items():
            put(f"blocks.{i}.attn.{name}", module)
        put(f"blocks.{i}.attn_ln", layer.self_attn_layer_norm)
        put(f"blocks.{i}.mlp.0", layer.fc1)
        put(f"blocks.{i}.mlp.2", layer.fc2)
        put(f"blocks.{i}.mlp_ln", layer.final_layer_norm)
    return {name: tensor.detach() for name, tensor in state.items()}


def torch_file(encoder: WhisperEncoder) -> bytes:
    """As OpenAI publishes it."""
    file = io.BytesIO()
    torch.save({"dims": {"n_mels": 80}, "model_state_dict": openai_state(encoder)}, file)
    return file.getvalue()


def ggml_file(encoder: WhisperEncoder) -> bytes:
    """As whisper.cpp reads it: matrices in half precision, sizes in reverse, convolutions' biases as columns."""
    data = struct.pack("<12i", 0x67676D6C, *range(11))
    data += struct.pack("<2i", 4, 3) + bytes(4 * 4 * 3)
    words = (b"a", b"word")
    data += struct.pack("<i", len(words)) + b"".join(struct.pack("<i", len(word)) + word for word in words)
    for name, tensor in openai_state(encoder).items():
        array = tensor.numpy()
        array = array[:, None] if name.endswith(("conv1.bias", "conv2.bias")) else array
        half = array.ndim > 1 and array.shape[1] > 1 and "positional" not in name
        data += struct.pack("<3i", array.ndim, len(name), int(half)) + struct.pack(
            f"<{array.ndim}i", *array.shape[::-1]
        )
        data += name.encode() + array.astype(np.float16 if half else np.float32).tobytes()
    return data


def ctranslate2_file(encoder: WhisperEncoder) -> bytes:
    """As CTranslate2 writes it: query, key and value in one matrix, a bias for keys, more than the encoder."""
    state = {name: tensor.numpy() for name, tensor in encoder.state_dict().items()}
    arrays: dict[str, np.ndarray] = {"decoder/embeddings/weight": np.ones((2, 2), np.int8)}
    arrays["encoder/position_encodings/encodings"] = state["embed_positions.weight"]
    for conv in ("conv1", "conv2"):
        for kind in ("weight", "bias"):
            arrays[f"encoder/{conv}/{kind}"] = state[f"{conv}.{kind}"].astype(np.float16)

    def put_norm(name: str, source: str) -> None:
        arrays[f"encoder/{name}/gamma"] = state[f"{source}.weight"]
        arrays[f"encoder/{name}/beta"] = state[f"{source}.bias"]

    put_norm("layer_norm", "layer_norm")
    for i in range(len(encoder.layers)):
        here, there = f"layer_{i}", f"layers.{i}"
        put_norm(f"{here}/self_attention/layer_norm", f"{there}.self_attn_layer_norm")
        put_norm(f"{here}/ffn/layer_norm", f"{there}.final_layer_norm")
        biases = [state[f"{there}.self_attn.{letter}_proj.bias"] for letter in "qv"]
        biases.insert(1, np.zeros_like(biases[0]))
        arrays[f"encoder/{here}/self_attention/linear_0/bias"] = np.concatenate(biases)
        weights = [state[f"{there}.self_attn.{letter}_proj.weight"] for letter in "qkv"]
        arrays[f"encoder/{here}/self_attention/linear_0/weight"] = np.concatenate(weights).astype(np.float16)
        for kind in ("weight", "bias"):
            arrays[f"encoder/{here}/self_attention/linear_1/{kind}"] = state[f"{there}.self_attn.out_proj.{kind}"]
            arrays[f"encoder/{here}/ffn/linear_0/{kind}"] = state[f"{there}.fc1.{kind}"]
            arrays[f"encoder/{here}/ffn/linear_1/{kind}"] = state[f"{there}.fc2.{kind}"]

    codes = {np.dtype(np.float32): 0, np.dtype(np.int8): 1, np.dtype(np.float16): 4}
    data = struct.pack("<i", 6) + _text("WhisperSpec") + struct.pack("<2i", 3, len(arrays))
    for name, array in arrays.items():
        data += _text(name) + struct.pack(f"<b{array.ndim}i", array.ndim, *array.shape)
        data += struct.pack("<bi", codes[array.dtype], array.nbytes) + array.tobytes()
    return data + struct.pack("<i", 0)  # No aliases.


def onnx_file(encoder: WhisperEncoder) -> bytes:
    """As an exported network whose matrices were made bytes: they have numbers for names, and lie transposed."""
    from onnx import helper, numpy_helper

    arrays, nodes = [], []
    for number, (name, tensor) in enumerate(encoder.state_dict().items()):
        array = tensor.numpy()
        if array.ndim == 1 or "positions" in name:
            arrays.append(numpy_helper.from_array(array, name))
            continue
        convolution = array.ndim == 3
        module, stored = name.removesuffix(".weight"), f"{name}_" if convolution else f"onnx::MatMul_{number}_"
        step = np.float32((array.max() - array.min()) / 255)
        zero = np.uint8(np.rint(-array.min() / step))
        whole = np.clip(np.rint(array / step) + zero, 0, 255).astype(np.uint8)
        for end, value in (("quantized", whole if convolution else whole.T), ("scale", step), ("zero_point", zero)):
            arrays.append(numpy_helper.from_array(np.array(value), stored + end))
        kind = "Conv" if convolution else "MatMul"
        operands = ["heard", f"{stored}quantized", "heard_zero_point", f"{stored}zero_point"]
        path = "/" + module.replace(".self_attn.", "/self_attn/").replace(".fc", "/fc")
        nodes.append(helper.make_node(f"{kind}Integer", operands, [f"{module}_out"], f"{path}/{kind}_quant"))
    graph = helper.make_graph(nodes, "encoder", [], [], arrays)
    return helper.make_model(graph).SerializeToString()


def _text(text: str) -> bytes:
    return struct.pack("<H", len(text) + 1) + text.encode() + b"\0"


FORMATS = {"torch": torch_file, "ggml": ggml_file, "ctranslate2": ctranslate2_file, "onnx": onnx_file}


def write_package(folder: Path, name: str, encoder: WhisperEncoder, kind: str) -> Teacher:
    """Packages in `folder`, packed like the real one of that format: a wheel, an npm archive, halves in two wheels."""
    data = FORMATS[kind](encoder)
    folder.mkdir(parents=True, exist_ok=True)
    if kind == "ggml":
        parts = [(f"{name}.tgz", "package/model.bin")]
        with tarfile.open(folder / parts[0][0], "w:gz") as tar:
            member = tarfile.TarInfo(parts[0][1])
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    else:
        pieces = [data] if kind == "torch" else [data[: len(data) // 2], data[len(data) // 2 :]]
        parts = [(f"{name}-{i}.whl", f"{name}/model.part{i}") for i in range(len(pieces))]
        for (package, member_name), piece in zip(parts, pieces, strict=True):
            with zipfile.ZipFile(folder / package, "w") as archive:
                archive.writestr(member_name, piece)
    config = encoder.config
    sizes = config.encoder_layers, config.d_model, config.encoder_attention_heads
    return Teacher(f"fetch {name}", tuple(parts), hashlib.sha256(data).hexdigest(), *sizes)
