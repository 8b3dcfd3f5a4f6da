"""The files that Whisper's encoders come in: PyTorch's, whisper.cpp's, CTranslate2's and ONNX's."""

import io
import struct
from collections.abc import Sequence
from typing import Any, BinaryIO

import numpy as np
import torch
from torch import Tensor

from talker.errors import TalkerError


def read_weights(data: bytes) -> dict[str, Tensor]:
    """The encoder's weights in float32 under the names of transformers, whichever of the formats the file has."""
    if data.startswith(b"lmgg"):
        return _read_ggml(data)
    if data.startswith(b"PK\x03\x04"):
        return _read_torch(data)
    return _read_onnx(data) if b"MatMulInteger" in data else _read_ctranslate2(data)


def _read_torch(data: bytes) -> dict[str, Tensor]:
    """OpenAI's own checkpoint."""
    return _from_openai(torch.load(io.BytesIO(data), "cpu", weights_only=True)["model_state_dict"])


def _read_ggml(data: bytes) -> dict[str, Tensor]:
    """A whisper.cpp file: header, mel filters, vocabulary, then one tensor after another."""
    file = io.BytesIO(data)
    _integers(file, 1 + 11)  # Magic number, sizes.
    rows, columns = _integers(file, 2)
    file.seek(4 * rows * columns, io.SEEK_CUR)
    for _ in range(_integers(file, 1)[0]):
        file.seek(_integers(file, 1)[0], io.SEEK_CUR)
    state = {}
    while len(header := file.read(12)) == 12:
        rank, name_length, kind = struct.unpack("<3i", header)
        shape = _integers(file, rank)[::-1]
        name = file.read(name_length).decode()
        state[name] = _tensor(file, shape, np.dtype((np.float32, np.float16)[kind]))
    return _from_openai(state)


def _from_openai(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """OpenAI's names to those of transformers; the decoder is left out."""
    renames = (
        ("blocks.", "layers."),
        ("attn_ln.", "self_attn_layer_norm."),
        ("attn.query.", "self_attn.q_proj."),
        ("attn.key.", "self_attn.k_proj."),
        ("attn.value.", "self_attn.v_proj."),
        ("attn.out.", "self_attn.out_proj."),
        ("mlp_ln.", "final_layer_norm."),
        ("mlp.0.", "fc1."),
        ("mlp.2.", "fc2."),
        ("ln_post.", "layer_norm."),
        ("positional_embedding", "embed_positions.weight"),
    )
    out = {}
    for name, tensor in state.items():
        if not name.startswith("encoder."):
            continue
        name = name.removeprefix("encoder.")
        for old, new in renames:
            name = name.replace(old, new)
        out[name] = tensor.flatten() if name.endswith("conv1.bias") or name.endswith("conv2.bias") else tensor
    return {name: tensor.float() for name, tensor in out.items()}


def _read_ctranslate2(data: bytes) -> dict[str, Tensor]:
    """A CTranslate2 model: named arrays; query, key and value lie in one matrix."""
    file = io.BytesIO(data)
    _integers(file, 1)  # Version.
    _name(file)  # What it is.
    _integers(file, 1)  # Revision.
    kinds = {0: np.float32, 1: np.int8, 2: np.int16, 3: np.int32, 4: np.float16}
    arrays: dict[str, Tensor] = {}
    for _ in range(_integers(file, 1)[0]):
        name, rank = _name(file), file.read(1)[0]
        shape = _integers(file, rank)
        code, size = file.read(1)[0], _integers(file, 1)[0]
        if name.startswith("encoder/"):
            arrays[name.removeprefix("encoder/")] = _tensor(file, shape, np.dtype(kinds[code]))
        else:
            file.seek(size, io.SEEK_CUR)

    out = {"embed_positions.weight": arrays["position_encodings/encodings"]}
    for conv in ("conv1", "conv2"):
        out |= {f"{conv}.{kind}": arrays[f"{conv}/{kind}"] for kind in ("weight", "bias")}
    out |= _norm(arrays, "layer_norm", "layer_norm")
    for i in range(sum(name.endswith("ffn/linear_0/weight") for name in arrays)):
        here, there = f"layer_{i}", f"layers.{i}"
        out |= _norm(arrays, f"{here}/self_attention/layer_norm", f"{there}.self_attn_layer_norm")
        out |= _norm(arrays, f"{here}/ffn/layer_norm", f"{there}.final_layer_norm")
        for kind in ("weight", "bias"):
            parts = arrays[f"{here}/self_attention/linear_0/{kind}"].chunk(3)
            for letter, part in zip("qkv", parts, strict=True):
                out[f"{there}.self_attn.{letter}_proj.{kind}"] = part
            out[f"{there}.self_attn.out_proj.{kind}"] = arrays[f"{here}/self_attention/linear_1/{kind}"]
            out[f"{there}.fc1.{kind}"] = arrays[f"{here}/ffn/linear_0/{kind}"]
            out[f"{there}.fc2.{kind}"] = arrays[f"{here}/ffn/linear_1/{kind}"]
        del out[f"{there}.self_attn.k_proj.bias"]  # Whisper's keys have none; the file holds zeros.
    return out


def _read_onnx(data: bytes) -> dict[str, Tensor]:
    """A network whose matrices are bytes with a step size; those are named by the operation that they are part of."""
    try:
        import onnx
    except ImportError:
        raise TalkerError("this teacher needs onnx, which is missing; run: pip install onnx") from None
    graph = onnx.load_from_string(data).graph
    arrays: dict[str, Any] = {array.name: onnx.numpy_helper.to_array(array) for array in graph.initializer}
    out = {name: array for name, array in arrays.items() if name.endswith((".bias", ".weight"))}
    for node in graph.node:
        if node.op_type in ("MatMulInteger", "ConvInteger") and node.input[1] in arrays:
            steps, zero = (arrays[node.input[1].removesuffix("quantized") + end] for end in ("scale", "zero_point"))
            matrix = (arrays[node.input[1]].astype(np.float32) - zero) * steps
            name = node.name.strip("/").rpartition("/")[0].replace("/", ".")
            out[f"{name}.weight"] = matrix.T if node.op_type == "MatMulInteger" else matrix
    return {name: torch.from_numpy(np.array(array, np.float32)) for name, array in out.items()}


def _norm(arrays: dict[str, Tensor], old: str, new: str) -> dict[str, Tensor]:
    return {f"{new}.weight": arrays[f"{old}/gamma"], f"{new}.bias": arrays[f"{old}/beta"]}


def _integers(file: BinaryIO, count: int) -> tuple[int, ...]:
    return struct.unpack(f"<{count}i", file.read(4 * count))


def _name(file: BinaryIO) -> str:
    length = struct.unpack("<H", file.read(2))[0]
    return file.read(length).rstrip(b"\0").decode()


def _tensor(file: BinaryIO, shape: Sequence[int], kind: np.dtype) -> Tensor:
    array = np.frombuffer(file.read(int(np.prod(shape)) * kind.itemsize), kind).reshape(shape)
    return torch.from_numpy(array.astype(np.float32))
