"""Damage to files: deterministic, by container, nasty where parsers are known to trip."""

import io
import random
import re
import struct
import zipfile

_NUMBER = re.compile(rb"-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?")
_TEXT_NUMBERS = (
    *(b"1e999", b"-1e999", b"-1", b"0", b"-0", b"1000000000", b"4294967295", b"9223372036854775808", b"1e-320"),
    *(b"NaN", b"nan", b"Infinity", b"-inf", b"0x7f", b"1_0", b"9" * 400, b"9" * 5000, b"1.5", b"2", b"61"),
    *(b"", b"null", b"true", b'"x"', b"[]", b"{}", b"[[]]", b"[" * 3000, b"1,2", b"\xff", b"\x00", b"\xc3\xa9"),
)
_BINARY_NUMBERS = (
    *(struct.pack("<I", value) for value in (0, 1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 10**9)),
    *(struct.pack("<f", value) for value in (float("nan"), float("inf"), 3e38, -1.0, 1e9)),
    *(struct.pack("<d", value) for value in (float("nan"), float("-inf"), 1e300, -5.0)),
    struct.pack("<q", -1),
    struct.pack("<q", 10**18),
)
_DEEP = (b"[" * 100_000, b'{"a":' * 100_000, b"[" * 100_000 + b"]" * 100_000)


def mutate(data: bytes, seed: str) -> bytes:
    """One damaged copy of a file; the same seed gives the same bytes."""
    rng = random.Random(seed)
    if data[:2] == b"PK" and rng.random() < 0.7:
        return _inside_zip(data, rng)
    if data[:4] == b"glTF" and rng.random() < 0.7:
        return _inside_glb(data, rng)
    return _damage(data, rng)


def _damage(data: bytes, rng: random.Random) -> bytes:
    """One to four blows."""
    text = b"\x00" not in data[:4096]
    blows = (_flip, _truncate, _delete, _duplicate, _splice, _binary_number, _move)
    text_blows = (_number, _number, _number, _number, _swap_lines, _drop_line, _deep, _flip, _truncate, _delete)
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        if data:
            data = rng.choice(text_blows + blows if text else blows)(data, rng)
    return data


def _span(data: bytes, rng: random.Random) -> tuple[int, int]:
    start = rng.randrange(len(data))
    return start, min(len(data), start + rng.choice((1, 2, 4, 16, 100, 1000)))


def _flip(data: bytes, rng: random.Random) -> bytes:
    out = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 8, 64))):
        # Headers decide more than contents: half of the flips go to the first kilobyte.
        reach = min(len(out), 1024) if rng.random() < 0.5 else len(out)
        out[rng.randrange(reach)] ^= 1 << rng.randrange(8)
    return bytes(out)


def _truncate(data: bytes, rng: random.Random) -> bytes:
    return data[: rng.randrange(len(data))]


def _delete(data: bytes, rng: random.Random) -> bytes:
    start, end = _span(data, rng)
    return data[:start] + data[end:]


def _duplicate(data: bytes, rng: random.Random) -> bytes:
    start, end = _span(data, rng)
    return data[:end] + data[start:end] * rng.choice((1, 2, 50)) + data[end:]


def _splice(data: bytes, rng: random.Random) -> bytes:
    start, end = _span(data, rng)
    piece = rng.choice((*_TEXT_NUMBERS, *_BINARY_NUMBERS, rng.randbytes(16)))
    return data[:start] + piece + data[rng.choice((start, end)) :]


def _binary_number(data: bytes, rng: random.Random) -> bytes:
    piece = rng.choice(_BINARY_NUMBERS)
    start = rng.randrange(min(len(data), rng.choice((64, 4096, len(data))))) // 4 * 4
    return data[:start] + piece + data[start + len(piece) :]


def _move(data: bytes, rng: random.Random) -> bytes:
    start, end = _span(data, rng)
    target = rng.randrange(len(data))
    return data[:target] + data[start:end] + data[target + end - start :]


def _number(data: bytes, rng: random.Random) -> bytes:
    """Replace one number of a text, anywhere or among the first ones."""
    chosen = _NUMBER.search(data, rng.randrange(min(len(data), rng.choice((500, 2000, len(data))))))
    if chosen is None:
        return _splice(data, rng)
    return data[: chosen.start()] + rng.choice(_TEXT_NUMBERS) + data[chosen.end() :]


def _swap_lines(data: bytes, rng: random.Random) -> bytes:
    lines = data.split(b"\n")
    a, b = rng.randrange(len(lines)), rng.randrange(len(lines))
    lines[a], lines[b] = lines[b], lines[a]
    return b"\n".join(lines)


def _drop_line(data: bytes, rng: random.Random) -> bytes:
    lines = data.split(b"\n")
    del lines[rng.randrange(len(lines))]
    return b"\n".join(lines)


def _deep(data: bytes, rng: random.Random) -> bytes:
    start, end = _span(data, rng)
    return data[:start] + rng.choice(_DEEP) + data[end:]


def _inside_zip(data: bytes, rng: random.Random) -> bytes:
    """Damage one member and pack it again, so that the checksums hold; now and then drop or rename one."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    name = rng.choice(list(members))
    blow = rng.random()
    if blow < 0.1:
        del members[name]
    elif blow < 0.2:
        members[rng.choice(("../x.npy", "x", "\u00e9.npy", name[::-1]))] = members.pop(name)
    elif blow < 0.3:
        members[name] = members[rng.choice(list(members))]
    elif blow < 0.55:
        # The header of an array: its shape and type, kept at their length where possible.
        head, body = members[name][:128], members[name][128:]
        new = _number(head, rng) if rng.random() < 0.6 else _flip(head, rng)
        members[name] = (new[:127].ljust(127) + b"\n" if rng.random() < 0.7 else new) + body
    else:
        members[name] = _damage(members[name], rng)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for member, content in members.items():
            archive.writestr(member, content)
    return out.getvalue()


def _inside_glb(data: bytes, rng: random.Random) -> bytes:
    """Damage the JSON chunk or the buffer of a GLB and mend the lengths around it."""
    (json_bytes,) = struct.unpack_from("<I", data, 12)
    document, rest = data[20 : 20 + json_bytes], data[20 + json_bytes :]
    if rng.random() < 0.8:
        document = _damage(document, rng)
    else:
        rest = rest[:8] + _damage(rest[8:], rng)
        rest = struct.pack("<I", max(len(rest) - 8, 0)) + rest[4:]
    document = document.ljust((len(document) + 3) // 4 * 4)
    total = 20 + len(document) + len(rest)
    return struct.pack("<4sIII4s", b"glTF", 2, total, len(document), b"JSON") + document + rest
