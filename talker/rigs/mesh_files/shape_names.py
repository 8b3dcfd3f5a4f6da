"""Whose shape is this? ARKit's 52 shapes under the names that other programs give them.

Case, underscores and prefixes do not matter (`JawOpen`, `Face.jaw_open`), sides may be letters (`eyeBlink_L`, as in
ICT-FaceKit), and a central shape may come in two halves (`browInnerUp_L` and `browInnerUp_R`).
"""

import re
from collections.abc import Iterable, Sequence

from talker.rigs import arkit

_SEPARATORS = re.compile(r"[\s._:|\-]+")


def _table() -> dict[str, tuple[str, str]]:
    """Lower-case name without separators -> (shape, which half of it: "" for the whole)."""
    table = {}
    for shape in arkit.SHAPES:
        table[shape.lower()] = (shape, "")
        if arkit.partner(shape) == shape:
            for side in ("left", "right"):
                table[shape.lower() + side] = table[shape.lower() + side[0]] = (shape, side)
        else:
            stem, side = re.fullmatch("(.*)(Left|Right)", shape).groups()  # type: ignore[union-attr]
            table[(stem + side[0]).lower()] = (shape, "")
    return table


_SHAPE_OF_KEY = _table()


def find_shapes(names: Sequence[str]) -> dict[str, list[int]]:
    """Where each ARKit shape stands in a list of names.

    Returns shape -> its one position, or the positions of its two halves; shapes that are not there are left out. A
    whole shape beats its halves, and the first of two equal names beats the second.
    """
    whole: dict[str, int] = {}
    halves: dict[str, dict[str, int]] = {}
    for position, name in enumerate(names):
        found = _lookup(name)
        if found is None:
            continue
        shape, half = found
        (halves.setdefault(shape, {}) if half else whole).setdefault(half or shape, position)
    return {
        shape: [whole[shape]] if shape in whole else list(halves[shape].values())
        for shape in arkit.SHAPES
        if shape in whole or shape in halves
    }


def missing_shapes(found: Iterable[str]) -> list[str]:
    """The ARKit shapes that are not in `found`, in ARKit's order."""
    present = set(found)
    return [shape for shape in arkit.SHAPES if shape not in present]


def part_of_name(name: str) -> str | None:
    """The part of a head that a mesh, material, group or joint is named for; None when the name does not say.

    One of "eye", "left_eye", "right_eye", "teeth", "teeth_upper", "teeth_lower", "tongue", "lashes", "head".
    """
    words = [word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+", name)]  # leftEye, Eye_L, EYE.L, eye left
    text = "".join(words)
    if "lash" in text:
        return "lashes"
    if "tongue" in text:
        return "tongue"
    if "teeth" in text or "tooth" in text:
        return next((f"teeth_{row}" for row in ("upper", "lower") if row in text), "teeth")
    eye = next(
        (word for word in words if re.fullmatch("(left|right|[lr])?(eye|eyes|eyeballs?|iris|pupil|sclera)", word)), ""
    )
    if eye and not set(words) & _NOT_AN_EYEBALL:
        sides = [
            side
            for side in ("left", "right")
            if {side, side[0]} & set(words) or eye.startswith((side, side[0] + "eye"))
        ]
        return f"{sides[0]}_eye" if len(sides) == 1 else "eye"
    return "head" if words and words[-1] == "head" else None


# Words that turn an eye into skin, bones of the lids, or a film over the eyeball.
_NOT_AN_EYEBALL = {
    *("lid", "lids", "brow", "brows", "socket", "shadow", "occlusion", "ao", "wet", "blend", "tear", "line", "look"),
    *("upper", "lower", "corner", "bag", "target", "aim", "inner", "outer"),
}


def _lookup(name: str) -> tuple[str, str] | None:
    words = [word for word in _SEPARATORS.split(name.lower()) if word]
    for first in range(len(words)):
        found = _SHAPE_OF_KEY.get("".join(words[first:]))
        if found is not None:
            return found
    return None
