"""Attention to what is near: layers whose cost is linear in the length of the sound."""

from typing import Any

import torch
from torch import Tensor, nn

_BLOCK = 64  # Frames that share their keys: of 25 to 128, what 10 s of speech take least time with.
_NEVER = -1e4  # Added to a score that must not count: as good as minus infinity, without its not-a-numbers.


def attention_bias(kept: Tensor, reach: int, asking: slice) -> Tensor:
    """(B, T) booleans -> (B * blocks, 1, block, window): zero where a frame that asks may look, else hopeless."""
    keys = _windows(kept[..., None], reach, asking)
    times = torch.arange(keys.shape[-1], device=kept.device)
    near = (times - reach - times[:_BLOCK, None]).abs() <= reach
    return torch.zeros((), device=kept.device).where(near & keys[:, None], _NEVER)


def spread(nearness: Tensor, reach: int) -> Tensor:
    """(heads, 2 * reach + 1) by distance -> (heads, block, window), for every frame of a block and all it sees."""
    keys = torch.arange(_BLOCK + 2 * reach, device=nearness.device)
    return nearness[:, (keys - keys[:_BLOCK, None]).clamp(0, 2 * reach)]


def local_layer(layer: Any, hidden: Tensor, bias: Tensor, asking: slice) -> Tensor:
    """A layer's output for the frames `asking` alone; its input holds these and what they may look at."""
    hidden = hidden[:, asking] + _local_attention(layer.attention, layer.layer_norm(hidden), bias, asking)
    return hidden + layer.feed_forward(layer.final_layer_norm(hidden))


def _local_attention(attention: Any, hidden: Tensor, bias: Tensor, asking: slice) -> Tensor:
    """`Wav2Vec2Attention` in blocks: a block's frames share the keys around them, so time is linear in the length."""
    batch, _, width = hidden.shape
    length, reach = asking.stop - asking.start, (bias.shape[-1] - _BLOCK) // 2

    def heads(values: Tensor) -> Tensor:
        return values.unflatten(-1, (attention.num_heads, -1))

    padding = -length % _BLOCK
    query = nn.functional.pad(attention.q_proj(hidden[:, asking]), (0, 0, 0, padding))
    query = heads(query.view(-1, _BLOCK, width)).transpose(1, 2)
    key, value = (
        _windows(project(hidden), reach, asking).unflatten(1, (attention.num_heads, -1)).transpose(2, 3)
        for project in (attention.k_proj, attention.v_proj)
    )
    mixed = nn.functional.scaled_dot_product_attention(query, key, value, attn_mask=bias.to(query))
    return attention.out_proj(mixed.transpose(1, 2).reshape(batch, -1, width)[:, :length])


def _windows(values: Tensor, reach: int, asking: slice) -> Tensor:
    """(B, T, C) -> (B * blocks, C, block + 2 * reach): what lies in reach of each block of `asking`, zero outside."""
    first, last = asking.start - reach, asking.stop + reach + (asking.start - asking.stop) % _BLOCK
    inside = values[:, max(0, first) : last]
    around = nn.functional.pad(inside, (0, 0, max(0, -first), last - max(0, first) - inside.shape[1]))
    return around.unfold(1, _BLOCK + 2 * reach, _BLOCK).flatten(0, 1)
