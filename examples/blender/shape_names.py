# SPDX-License-Identifier: GPL-3.0-or-later
"""Which curve drives which shape key, however either is spelt; the parts of the face; left and right.

`eyeBlinkLeft`, `EyeBlinkLeft`, `eyeBlink_L`, `Face_eyeBlinkLeft` and `blendShapes.EyeBlinkLeft` are one name.
"""

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache

import numpy as np

REGIONS = ("eyes", "brows", "cheeks", "nose", "mouth", "jaw", "tongue", "other")
REGION_OF_PREFIX = {"eye": "eyes", "brow": "brows", "cheek": "cheeks"} | {name: name for name in REGIONS[3:7]}
SHORTEST_SUFFIX = 6  # "Mesh_jawOpen" ends with "jawopen"; the short names of visemes must match in full.


@lru_cache(maxsize=4096)
def plain(name: str) -> str:
    """A name without prefixes, case and separators, its side spelt out."""
    name = re.split(r"[.:|](?=[A-Za-z]{3})", name.strip())[-1]
    name = re.sub(r"(?<=[a-z])[_.\- ]?L$|[_.\- ]l$", "Left", name)
    name = re.sub(r"(?<=[a-z])[_.\- ]?R$|[_.\- ]r$", "Right", name)
    name = re.sub(r"[^a-z0-9]", "", name.lower())
    return re.sub(r"^(ctrlexpressions|viseme)(?=.)", "", name)


def match(keys: Iterable[str], curves: Iterable[str]) -> dict[str, str]:
    """Shape key -> curve that drives it. One curve may drive several keys (cheekPuff: a left and a right one)."""
    by_plain_name: dict[str, str] = {}
    for curve in curves:
        by_plain_name.setdefault(plain(curve), curve)
    found = {}
    for key in keys:
        for wanted in (plain(key), re.sub("(left|right)$", "", plain(key))):
            endings = [name for name in by_plain_name if len(name) >= SHORTEST_SUFFIX and wanted.endswith(name)]
            name = wanted if wanted in by_plain_name else max(endings, key=len, default=None)
            if name:
                found[key] = by_plain_name[name]
                break
    return found


def region(curve: str) -> str:
    """One of `REGIONS`."""
    return next((part for prefix, part in REGION_OF_PREFIX.items() if plain(curve).startswith(prefix)), "other")


def is_angle(curve: str) -> bool:
    """Whether a curve is a head or eye angle rather than the weight of a shape."""
    return re.fullmatch("(head|lefteye|righteye)(yaw|pitch|roll)", plain(curve)) is not None


def mirrored(curves: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The curves of the mirror image: left and right exchanged, sideways angles reversed."""
    by_plain_name = {plain(name): name for name in curves}
    out = {}
    for name in curves:
        swapped = re.sub("left|right", lambda side: "right" if side[0] == "left" else "left", plain(name))
        values = curves[by_plain_name.get(swapped, name)]
        out[name] = -values if is_angle(name) and not plain(name).endswith("pitch") else values
    return out
