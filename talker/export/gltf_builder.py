"""Putting a glTF 2.0 file together: arrays into buffers, views and accessors, and the whole into `.glb` or `.gltf`."""

import base64
import json
import struct
import zlib
from typing import Any

import numpy as np

Json = dict[str, Any]

VERTICES, INDICES = 34962, 34963  # What a buffer view is for: ARRAY_BUFFER, ELEMENT_ARRAY_BUFFER.
LINEAR, MIPMAPS, CLAMP = 9729, 9987, 33071
_COMPONENTS = {"|u1": 5121, "<u2": 5123, "<u4": 5125, "<f4": 5126}
_KINDS = {1: "SCALAR", 3: "VEC3", 2: "VEC2", 4: "VEC4", 16: "MAT4"}


class GltfBuilder:
    """The document and its one binary buffer; every `add_` returns the index of what it added."""

    def __init__(self, generator: str) -> None:
        self.document: Json = {"asset": {"version": "2.0", "generator": generator}}
        self._blob = bytearray()
        self._zeros: dict[int, int] = {}

    def add(self, kind: str, item: Json) -> int:
        """Append to "nodes", "meshes", ..."""
        items = self.document.setdefault(kind, [])
        items.append(item)
        return len(items) - 1

    def add_array(self, values: np.ndarray, target: int | None = None, bounds: bool = False, **more: Any) -> int:
        """Add an accessor for (N,) or (N, width) values, stored as they are. `bounds` adds min and max."""
        values = values.reshape(len(values), -1)
        item = {"bufferView": self._add_view(values, target), **_described(values), **more}
        return self.add("accessors", item | (_bounds(values) if bounds else {}))

    def add_changes(self, values: np.ndarray, bounds: bool = False) -> int:
        """Add an accessor for (N, width) values that are mostly zero: only the other rows are stored."""
        changed = np.flatnonzero(values.any(axis=1))
        if len(changed) == 0 and len(values) in self._zeros:
            return self._zeros[len(values)]
        stored = changed if len(changed) else np.zeros(1, int)  # A sparse accessor must have an entry.
        where = stored.astype(index_type(len(values)))
        item = _described(values) | (_bounds(values) if bounds else {})
        item["sparse"] = {
            "count": len(stored),
            "indices": {"bufferView": self._add_view(where), "componentType": _COMPONENTS[where.dtype.str]},
            "values": {"bufferView": self._add_view(values[stored])},
        }
        index = self.add("accessors", item)
        if len(changed) == 0:
            self._zeros[len(values)] = index
        return index

    def add_picture(self, pixels: np.ndarray, name: str) -> int:
        """Add a texture, (H, W, 3) or (H, W, 4) uint8 sRGB, that is not repeated beyond its edges."""
        view = self._append(_png(pixels))
        image = self.add("images", {"name": name, "mimeType": "image/png", "bufferView": view})
        sampler = self.add("samplers", {"magFilter": LINEAR, "minFilter": MIPMAPS, "wrapS": CLAMP, "wrapT": CLAMP})
        return self.add("textures", {"sampler": sampler, "source": image})

    def glb(self) -> bytes:
        """The whole as one binary file."""
        binary = _padded(bytes(self._blob), b"\0")
        text = _padded(self._json({"byteLength": len(self._blob)}), b" ")
        length = 12 + 8 + len(text) + 8 + len(binary)
        header = struct.pack("<4sII", b"glTF", 2, length)
        return b"".join(
            (header, struct.pack("<I4s", len(text), b"JSON"), text, struct.pack("<I4s", len(binary), b"BIN\0"), binary)
        )

    def gltf(self) -> bytes:
        """The whole as one JSON text with the buffer in base64."""
        uri = "data:application/octet-stream;base64," + base64.b64encode(self._blob).decode()
        return self._json({"byteLength": len(self._blob), "uri": uri})

    def _json(self, buffer: Json) -> bytes:
        return json.dumps(self.document | {"buffers": [buffer]}, ensure_ascii=False, separators=(",", ":")).encode()

    def _add_view(self, values: np.ndarray, target: int | None = None) -> int:
        return self._append(np.ascontiguousarray(values).tobytes(), target)

    def _append(self, data: bytes, target: int | None = None) -> int:
        self._blob.extend(b"\0" * (-len(self._blob) % 4))
        item = {"buffer": 0, "byteOffset": len(self._blob), "byteLength": len(data)}
        self._blob.extend(data)
        return self.add("bufferViews", item | ({} if target is None else {"target": target}))


def index_type(count: int) -> str:
    """The smallest integer type that numbers `count` vertices; the highest number of a type is reserved."""
    return "<u2" if count < 65535 else "<u4"


def _described(values: np.ndarray) -> Json:
    return {"componentType": _COMPONENTS[values.dtype.str], "count": len(values), "type": _KINDS[values.shape[1]]}


def _bounds(values: np.ndarray) -> Json:
    return {"min": values.min(axis=0).tolist(), "max": values.max(axis=0).tolist()}


def _padded(data: bytes, filler: bytes) -> bytes:
    return data + filler * (-len(data) % 4)


def _png(pixels: np.ndarray) -> bytes:
    height, width, channels = pixels.shape
    rows = np.concatenate([np.zeros((height, 1), np.uint8), pixels.reshape(height, -1)], axis=1)  # Filter 0: none.
    chunks = (
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 6 if channels == 4 else 2, 0, 0, 0)),
        (b"IDAT", zlib.compress(rows.tobytes(), 9)),
        (b"IEND", b""),
    )
    out = b"\x89PNG\r\n\x1a\n"
    for kind, data in chunks:
        out += struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    return out
