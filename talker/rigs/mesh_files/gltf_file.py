"""glTF 2.0 files from strangers: the JSON, its buffers, and accessors as arrays; no claim is believed unchecked."""

import base64
import binascii
import json
import struct
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import unquote

import numpy as np

from talker.errors import TalkerError
from talker.files import read_bytes
from talker.rigs import turns

Json = dict[str, Any]

_MAX_FILE_BYTES = 1 << 28
_MAX_ACCESSOR_VALUES = 1 << 24  # An accessor without data may claim any count; 16 million numbers are 64 MB.
_JSON_CHUNK, _BINARY_CHUNK = 0x4E4F534A, 0x004E4942
_COMPONENTS = {5120: "<i1", 5121: "<u1", 5122: "<i2", 5123: "<u2", 5125: "<u4", 5126: "<f4"}
_WIDTHS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT4": 16}
_READABLE_EXTENSIONS = ("KHR_mesh_quantization", "KHR_materials", "KHR_texture", "KHR_lights", "VRM", "EXT_texture")


class GltfFile:
    """A `.glb` or `.gltf` file, checked as it is read: whatever is wrong is a `TalkerError` naming file and place."""

    def __init__(self, path: Path) -> None:
        self.path = path
        data = read_bytes(path, _MAX_FILE_BYTES)
        text, self._binary = self._split(data) if data[:4] == b"glTF" else (data, None)
        self.document = self._parse(text)
        self._buffers: dict[int, bytes] = {}
        version = self.child(self.document, "asset", "the file").get("version")
        if not (isinstance(version, str) and version.startswith("2.")):
            self.fail("the file", f"asset version is {version!r}, not 2.0", "export it as glTF 2.0")
        for name in self.sequence(self.document, "extensionsRequired", "the file"):
            if not str(name).startswith(_READABLE_EXTENSIONS):
                self.fail("the file", f"it needs the extension {str(name)[:40]!r}", "export it without compression")

    def fail(self, place: str, what: str, remedy: str = "export it again") -> NoReturn:
        """Raise the one-line error."""
        raise TalkerError(f"{self.path}: {place}: {what}; {remedy}")

    def objects(self, kind: str) -> list[Json]:
        """All of the document's "nodes", "meshes", ...; [] when there are none."""
        return self.children(self.document, kind, "the file")

    def item(self, kind: str, index: Any, place: str) -> Json:
        """The one that an index found at `place` points to."""
        items = self.sequence(self.document, kind, "the file")
        self._check_integer(index, f"index into {kind}", place, 0, len(items) - 1)
        if not isinstance(items[index], dict):
            self.fail(f"{kind}[{index}]", "not an object")
        return items[index]

    def child(self, owner: Json, key: str, place: str) -> Json:
        """A member that is an object; {} when it is not there."""
        value = owner.get(key, {})
        return value if isinstance(value, dict) else self.fail(place, f"'{key}' is not an object")

    def children(self, owner: Json, key: str, place: str) -> list[Json]:
        """A member that is an array of objects; [] when it is not there."""
        values = self.sequence(owner, key, place)
        return (
            values
            if all(isinstance(value, dict) for value in values)
            else self.fail(place, f"'{key}' holds a non-object")
        )

    def sequence(self, owner: Json, key: str, place: str) -> list[Any]:
        """A member that is an array of anything; [] when it is not there."""
        value = owner.get(key, [])
        return value if isinstance(value, list) else self.fail(place, f"'{key}' is not an array")

    def integer(self, owner: Json, key: str, place: str, low: int, high: int, default: int | None = None) -> int:
        """A member that is an integer in low..high."""
        value = owner.get(key, default)
        self._check_integer(value, f"'{key}'", place, low, high)
        return value  # type: ignore[return-value]

    def numbers(self, owner: Json, key: str, place: str, default: list[float]) -> np.ndarray:
        """A member that is an array of as many finite numbers as the default has. float64."""
        values = owner.get(key, default)
        if not (isinstance(values, list) and len(values) == len(default)):
            self.fail(place, f"'{key}' is not an array of {len(default)} numbers")
        if not all(isinstance(value, int | float) and abs(value) < 1e30 for value in values):  # Also refuses NaN.
            self.fail(place, f"'{key}' holds something that is not a reasonable number")
        return np.array(values, float)

    def accessor(self, index: Any, place: str) -> np.ndarray:
        """(count, width): float32 for numbers that are or stand for fractions, otherwise the stored integers."""
        accessor, here = self.item("accessors", index, place), f"accessors[{index}]"
        kind, component = accessor.get("type"), accessor.get("componentType")
        if not (isinstance(kind, str) and kind in _WIDTHS):
            self.fail(here, f"type {kind!r} is not one that talker reads")
        if not (isinstance(component, int) and component in _COMPONENTS):
            self.fail(here, f"componentType {component!r} is unknown")
        dtype, width = np.dtype(_COMPONENTS[component]), _WIDTHS[kind]
        count = self.integer(accessor, "count", here, 1, _MAX_ACCESSOR_VALUES // width)
        if "bufferView" in accessor:
            offset = self.integer(accessor, "byteOffset", here, 0, _MAX_FILE_BYTES, 0)
            values = self._view(accessor["bufferView"], offset, dtype, (count, width), here)
        else:
            values = np.zeros((count, width), dtype)
        if "sparse" in accessor:
            values = self._with_sparse(values, self.child(accessor, "sparse", here), here)
        if accessor.get("normalized") and dtype.kind in "iu":
            return np.maximum(values / np.float32(np.iinfo(dtype).max), np.float32(-1))
        if dtype.kind == "f" and not np.isfinite(values).all():
            self.fail(here, "it holds numbers that are not finite")
        return values

    def parents(self) -> list[int]:
        """The parent of each node; -1 for a root."""
        nodes = self.objects("nodes")
        parents = [-1] * len(nodes)
        for index, node in enumerate(nodes):
            for child in self.sequence(node, "children", f"nodes[{index}]"):
                self._check_integer(child, "child", f"nodes[{index}]", 0, len(nodes) - 1)
                if parents[child] != -1:
                    self.fail(f"nodes[{child}]", "it has two parents")
                parents[child] = index
        return parents

    def world_matrices(self) -> np.ndarray:
        """(N, 4, 4) float64: from each node's space to the scene's, at rest."""
        nodes, parents = self.objects("nodes"), self.parents()
        children: list[list[int]] = [[] for _ in nodes]
        for index, parent in enumerate(parents):
            if parent >= 0:
                children[parent].append(index)
        world = np.zeros((len(nodes), 4, 4))
        pending = [index for index, parent in enumerate(parents) if parent < 0]
        reached = 0
        while pending:
            index = pending.pop()
            local = self._local_matrix(nodes[index], f"nodes[{index}]")
            with np.errstate(all="ignore"):
                world[index] = local if parents[index] < 0 else world[parents[index]] @ local
            if not np.isfinite(world[index]).all():
                self.fail(f"nodes[{index}]", "its transform overflows")
            reached += 1
            pending += children[index]
        if reached < len(nodes):
            self.fail("the file", "its nodes form a circle")
        return world

    def _local_matrix(self, node: Json, place: str) -> np.ndarray:
        if "matrix" in node:
            return self.numbers(node, "matrix", place, [0.0] * 16).reshape(4, 4).T  # Stored by columns.
        matrix = np.eye(4)
        turn = turns.matrices(self.numbers(node, "rotation", place, [0.0, 0.0, 0.0, 1.0]))
        with np.errstate(all="ignore"):
            matrix[:3, :3] = turn * self.numbers(node, "scale", place, [1.0, 1.0, 1.0])
        matrix[:3, 3] = self.numbers(node, "translation", place, [0.0, 0.0, 0.0])
        return matrix

    def _with_sparse(self, values: np.ndarray, sparse: Json, place: str) -> np.ndarray:
        count = self.integer(sparse, "count", place, 1, len(values))
        indices, entries = self.child(sparse, "indices", place), self.child(sparse, "values", place)
        component = indices.get("componentType")
        if component not in (5121, 5123, 5125):
            self.fail(place, f"sparse index type {component!r} is unknown")
        where = self._sparse_part(indices, np.dtype(_COMPONENTS[component]), (count, 1), place)[:, 0]
        if where.max() >= len(values):
            self.fail(place, f"sparse index {where.max()} is beyond its {len(values)} elements")
        values = values.copy()
        values[where] = self._sparse_part(entries, values.dtype, (count, values.shape[1]), place)
        return values

    def _sparse_part(self, owner: Json, dtype: np.dtype, shape: tuple[int, int], place: str) -> np.ndarray:
        offset = self.integer(owner, "byteOffset", place, 0, _MAX_FILE_BYTES, 0)
        return self._view(owner.get("bufferView"), offset, dtype, shape, place)

    def _view(self, index: Any, offset: int, dtype: np.dtype, shape: tuple[int, int], place: str) -> np.ndarray:
        view, here = self.item("bufferViews", index, place), f"bufferViews[{index}]"
        data = self._buffer(view.get("buffer"), here)
        start = self.integer(view, "byteOffset", here, 0, len(data), 0)
        length = self.integer(view, "byteLength", here, 0, len(data) - start)
        element = dtype.itemsize * shape[1]
        stride = self.integer(view, "byteStride", here, element, 1 << 16, element)
        if offset + stride * (shape[0] - 1) + element > length:
            self.fail(place, f"its {shape[0]} elements do not fit into the {length} bytes of {here}")
        strides = (stride, dtype.itemsize)
        return np.ndarray(shape, dtype, data, start + offset, strides).copy()

    def _buffer(self, index: Any, place: str) -> bytes:
        buffer = self.item("buffers", index, place)
        if index not in self._buffers:
            self._buffers[index] = self._load(buffer, f"buffers[{index}]")
        return self._buffers[index]

    def _load(self, buffer: Json, place: str) -> bytes:
        uri = buffer.get("uri")
        if uri is None:
            return self._binary if self._binary is not None else self.fail(place, "it has no data")
        if not isinstance(uri, str):
            self.fail(place, "its uri is not text")
        if uri.startswith("data:"):
            header, _, payload = uri.partition(",")
            try:
                return base64.b64decode(payload, validate=True) if header.endswith(";base64") else b""
            except (binascii.Error, ValueError):
                self.fail(place, "its base64 data are damaged")
        name = unquote(uri)
        if ":" in name or not name.isprintable():
            self.fail(place, f"the address {uri[:40]!r} is not a file beside it", "export it as one .glb file")
        return read_bytes(self.path.parent / name, _MAX_FILE_BYTES)

    def _split(self, data: bytes) -> tuple[bytes, bytes | None]:
        """The JSON and the binary chunk of a GLB."""
        if len(data) < 20:
            self.fail("the file", "it ends within the header")
        version, length = struct.unpack_from("<II", data, 4)
        if version != 2:
            self.fail("the file", f"GLB version {version}, not 2", "export it as glTF 2.0")
        if length > len(data):
            self.fail("the file", f"it claims {length} bytes but has {len(data)}", "copy or export it again")
        chunks: dict[int, bytes] = {}
        position = 12
        while position + 8 <= length:
            size, kind = struct.unpack_from("<II", data, position)
            if position + 8 + size > length:
                self.fail("the file", f"a chunk of {size} bytes reaches beyond its end")
            chunks.setdefault(kind, data[position + 8 : position + 8 + size])
            position += 8 + size
        if _JSON_CHUNK not in chunks:
            self.fail("the file", "it has no JSON chunk")
        return chunks[_JSON_CHUNK], chunks.get(_BINARY_CHUNK)

    def _parse(self, text: bytes) -> Json:
        try:
            document = json.loads(text.decode("utf-8-sig"))
        except UnicodeDecodeError:
            self.fail("the file", "its JSON is not UTF-8 text")
        except (ValueError, RecursionError) as error:
            reason = "nested too deeply" if isinstance(error, RecursionError) else str(error)[:80]
            self.fail("the file", f"its JSON is damaged ({reason})")
        return document if isinstance(document, dict) else self.fail("the file", "its JSON is not an object")

    def _check_integer(self, value: Any, what: str, place: str, low: int, high: int) -> None:
        if not (isinstance(value, int) and not isinstance(value, bool) and low <= value <= high):
            self.fail(place, f"{what} is {repr(value)[:40]}, not a whole number in {low}..{high}")
