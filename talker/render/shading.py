"""Light, skin, eyes and lashes: from visible faces to colours. Compiled like `raster`.

Colours are linear light until `to_pixels`. Directions are the camera's: x right, y up, z towards the viewer.
"""

import numpy as np

from talker.render.raster import (
    EYE,
    NORMAL,
    NOTHING,
    OCCLUSION,
    PAINTED,
    REST,
    SKIN,
    TEETH,
    TONGUE,
    compiled,
    interpolate,
)

SAMPLES = 2
"""Samples per pixel, across and down."""

FILM_RANGE = 4.0
"""Light that is displayed as white."""

# Unit direction to each light, and its colour: a warm key, a cool fill from the other side, a rim from behind.
_KEY, _KEY_COLOUR = (0.419, 0.524, 0.742), (1.72, 1.60, 1.46)
_FILL, _FILL_COLOUR = (-0.772, 0.143, 0.620), (0.34, 0.39, 0.47)
_RIM, _RIM_COLOUR = (-0.639, 0.487, -0.596), (0.75, 0.82, 0.95)
_SKY, _GROUND = (0.44, 0.46, 0.50), (0.25, 0.20, 0.175)

# Light wraps around skin because it travels inside it, red the furthest.
_SKIN_WRAP = (0.42, 0.26, 0.20)
_HARD_WRAP = (0.12, 0.12, 0.12)

_SCLERA, _SCLERA_EDGE = (0.70, 0.67, 0.645), (0.55, 0.38, 0.33)
_IRIS_INNER, _IRIS_OUTER, _LIMBUS = (0.30, 0.20, 0.10), (0.13, 0.19, 0.20), (0.02, 0.03, 0.035)
_PUPIL_SHARE = 0.40  # Of the iris' radius.
_MOUTH = (0.30, 0.085, 0.080)
_LID_SHADOW = 0.0055  # Metres below a lid that it shades.
_TEETH, _TONGUE, _LASH = (0.76, 0.71, 0.62), (0.44, 0.13, 0.12), (0.010, 0.008, 0.007)


@compiled
def shade(
    nearest: np.ndarray,
    screen: np.ndarray,
    faces: np.ndarray,
    attributes: np.ndarray,
    material: np.ndarray,
    paint: np.ndarray,
    paint_frame: np.ndarray,
    eyes: np.ndarray,
    samples_per_metre: float,
    colours: np.ndarray,
) -> None:
    """Write the colour of every sample that shows a face into `colours` (height, width, 3).

    attributes: (V, 8) see `raster`; material: (F,); paint: (h, w, 3) uint8 albedo of the skin seen from the front;
    paint_frame: (4,) left, top, texels per metre across and down; eyes: (2, 4) centre and iris radius over radius.
    """
    at = np.zeros(attributes.shape[1], np.float32)
    albedo = np.zeros(3, np.float32)  # Becomes the colour.
    reach = _LID_SHADOW * samples_per_metre
    for y in range(0, nearest.shape[0], SAMPLES):
        for x in range(0, nearest.shape[1], SAMPLES):
            shaded = NOTHING
            from_y = from_x = 0
            for sample in range(SAMPLES * SAMPLES):
                row, column = y + sample // SAMPLES, x + sample % SAMPLES
                f = nearest[row, column]
                if f == NOTHING:
                    continue
                kind = material[f]
                if f == shaded and kind != EYE:  # Within a pixel a face has one colour; eyes have finer detail.
                    for k in range(3):
                        colours[row, column, k] = colours[from_y, from_x, k]
                    continue
                interpolate(screen, faces, f, attributes, column, row, at)
                if kind == SKIN:
                    _paint_at(paint, paint_frame, at[REST], at[REST + 1], at[PAINTED], albedo)
                elif kind == EYE:
                    at[OCCLUSION] = _below_lid(nearest, material, column, row, reach)
                    _eye_at(at[REST], at[REST + 1], at[REST + 2], eyes, albedo)
                else:
                    for k in range(3):
                        albedo[k] = _TEETH[k] if kind == TEETH else (_TONGUE[k] if kind == TONGUE else _MOUTH[k])
                _light(at, kind, albedo)
                for k in range(3):
                    colours[row, column, k] = albedo[k]
                shaded, from_y, from_x = f, row, column


@compiled
def _below_lid(nearest: np.ndarray, material: np.ndarray, x: int, y: int, reach: float) -> float:
    """How open the sky is above a sample of an eye: lids and brow shade what lies close beneath them."""
    step = max(reach / 16.0, 1.0)
    distance = 0.0
    while distance < reach:
        distance += step
        row, column = max(int(y - distance), 0), min(int(x + 0.45 * distance), nearest.shape[1] - 1)
        f = nearest[row, column]
        if f != NOTHING and material[f] != EYE:
            return 0.45 + 0.55 * _step(0.0, reach, distance - 0.5 * step)
    return 1.0


@compiled
def _light(at: np.ndarray, kind: int, colour: np.ndarray) -> None:
    """Turn the albedo in `colour` (3,) into the light it sends to the viewer."""
    nx, ny, nz = at[NORMAL], at[NORMAL + 1], at[NORMAL + 2]
    scale = 1.0 / max(np.sqrt(nx * nx + ny * ny + nz * nz), 1e-9)
    nx, ny, nz = nx * scale, ny * scale, nz * scale
    open_sky = min(max(at[OCCLUSION], 0.0), 1.0)
    key = nx * _KEY[0] + ny * _KEY[1] + nz * _KEY[2]
    fill = nx * _FILL[0] + ny * _FILL[1] + nz * _FILL[2]
    grazing = 1.0 - max(nz, 0.0)
    rim = max(nx * _RIM[0] + ny * _RIM[1] + nz * _RIM[2], 0.0)
    rim *= 1.6 * rim * grazing * grazing
    fresnel = 0.04 + 0.6 * grazing * grazing * grazing * grazing
    if kind == EYE:
        gloss = 2.2 * _highlight(nx, ny, nz, _KEY, 9) + 0.12 * _highlight(nx, ny, nz, _FILL, 7)
    elif kind == SKIN:
        gloss = 0.16 * (0.5 + fresnel) * _highlight(nx, ny, nz, _KEY, 4) + 0.05 * _highlight(nx, ny, nz, _KEY, 6)
    else:
        gloss = 0.25 * _highlight(nx, ny, nz, _KEY, 6)
    up = 0.5 + 0.5 * ny
    shadow = open_sky * open_sky
    for k in range(3):
        wrap = _SKIN_WRAP[k] if kind == SKIN else _HARD_WRAP[k]
        wrapped = max((key + wrap) / (1.0 + wrap), 0.0)
        ambient = _GROUND[k] + (_SKY[k] - _GROUND[k]) * up
        direct = _KEY_COLOUR[k] * wrapped + _FILL_COLOUR[k] * max((fill + wrap) / (1.0 + wrap), 0.0)
        colour[k] *= ambient * open_sky + direct * shadow
        colour[k] += (gloss * _KEY_COLOUR[k] + 0.5 * rim * _RIM_COLOUR[k]) * shadow


@compiled
def _highlight(nx: float, ny: float, nz: float, light: tuple[float, float, float], doublings: int) -> float:
    """Blinn's highlight for a viewer straight ahead, with the exponent 2 ** doublings."""
    hx, hy, hz = light[0], light[1], light[2] + 1.0
    along = max((nx * hx + ny * hy + nz * hz) / np.sqrt(hx * hx + hy * hy + hz * hz), 0.0)
    for _ in range(doublings):
        along *= along
    return along


@compiled
def _paint_at(paint: np.ndarray, frame: np.ndarray, x: float, y: float, share: float, out: np.ndarray) -> None:
    """The painted skin at a point of the resting face; `share` fades to the plain skin of the texture's corner."""
    u = min(max((x - frame[0]) * frame[2], 0.0), paint.shape[1] - 1.001)
    v = min(max((frame[1] - y) * frame[3], 0.0), paint.shape[0] - 1.001)
    i, j = int(v), int(u)
    fy, fx = v - i, u - j
    for k in range(3):
        upper = paint[i, j, k] * (1.0 - fx) + paint[i, j + 1, k] * fx
        lower = paint[i + 1, j, k] * (1.0 - fx) + paint[i + 1, j + 1, k] * fx
        value = (upper * (1.0 - fy) + lower * fy) * share + paint[0, 0, k] * (1.0 - share)
        out[k] = (value / 255.0) * (value / 255.0)  # Stored with a gamma of 2.


@compiled
def _eye_at(x: float, y: float, z: float, eyes: np.ndarray, out: np.ndarray) -> None:
    """Sclera, iris and pupil from the resting position on the eyeball."""
    eye = 0 if x > 0.5 * (eyes[0, 0] + eyes[1, 0]) else 1
    dx, dy, dz = x - eyes[eye, 0], y - eyes[eye, 1], z - eyes[eye, 2]
    across = np.sqrt(dx * dx + dy * dy)
    off_axis = across / np.sqrt(across * across + dz * dz) if dz > 0.0 else 1.0
    r = off_axis / eyes[eye, 3]  # 1 at the edge of the iris.
    edge = _step(0.94, 1.06, r)
    vein = _step(1.3, 2.4, r)
    around = np.arctan2(dy, dx)
    fibre = 0.5 + 0.25 * np.sin(23.0 * around + 5.0 * r) + 0.25 * np.sin(41.0 * around - 9.0 * r)
    collar = _step(0.45, 0.95, r)
    limbus = _step(0.72, 1.0, r)
    pupil = _step(_PUPIL_SHARE - 0.05, _PUPIL_SHARE + 0.03, r)
    for k in range(3):
        white = _SCLERA[k] + (_SCLERA_EDGE[k] - _SCLERA[k]) * vein
        iris = (_IRIS_INNER[k] + (_IRIS_OUTER[k] - _IRIS_INNER[k]) * collar) * (0.65 + 0.7 * fibre)
        iris = (iris + (_LIMBUS[k] - iris) * limbus) * pupil + 0.004
        out[k] = iris + (white - iris) * edge


@compiled
def _step(low: float, high: float, x: float) -> float:
    """0 below `low`, 1 above `high`, smooth in between."""
    t = min(max((x - low) / (high - low), 0.0), 1.0)
    return t * t * (3.0 - 2.0 * t)


@compiled
def draw_lashes(
    screen: np.ndarray, faces: np.ndarray, lashes: np.ndarray, depth: np.ndarray, colours: np.ndarray
) -> None:
    """Lay lashes over what is drawn. lashes: (V, 2) 0 at the roots to 1 at the tips; the number of the hair."""
    height, width = depth.shape
    for f in range(len(faces)):
        ax, ay, az = screen[faces[f, 0]]
        bx, by, bz = screen[faces[f, 1]]
        cx, cy, cz = screen[faces[f, 2]]
        area = (bx - ax) * (cy - ay) - (cx - ax) * (by - ay)
        if abs(area) < 1e-6:
            continue
        for y in range(max(int(min(ay, by, cy)), 0), min(int(max(ay, by, cy)) + 1, height)):
            for x in range(max(int(min(ax, bx, cx)), 0), min(int(max(ax, bx, cx)) + 1, width)):
                w0 = ((cx - bx) * (y + 0.5 - by) - (x + 0.5 - bx) * (cy - by)) / area
                w1 = ((ax - cx) * (y + 0.5 - cy) - (x + 0.5 - cx) * (ay - cy)) / area
                w2 = 1.0 - w0 - w1
                if w0 < 0.0 or w1 < 0.0 or w2 < 0.0 or w0 * az + w1 * bz + w2 * cz > depth[y, x] + 0.0005:
                    continue
                tip = w0 * lashes[faces[f, 0], 0] + w1 * lashes[faces[f, 1], 0] + w2 * lashes[faces[f, 2], 0]
                hair = w0 * lashes[faces[f, 0], 1] + w1 * lashes[faces[f, 1], 1] + w2 * lashes[faces[f, 2], 1]
                ridge = 1.0 - 2.0 * abs(hair - np.floor(hair) - 0.5)  # 1 in the middle of a hair.
                cover = 0.93 * _step(0.85 * tip - 0.25, 0.85 * tip + 0.15, ridge) * (1.0 - _step(0.6, 1.05, tip))
                for k in range(3):
                    colours[y, x, k] += (_LASH[k] - colours[y, x, k]) * cover


@compiled
def to_pixels(colours: np.ndarray, film: np.ndarray, out: np.ndarray) -> None:
    """Average the samples of each pixel as displayed by `film` into `out` (h, w, 3) uint8."""
    steps = (len(film) - 1) / FILM_RANGE
    for y in range(out.shape[0]):
        for x in range(out.shape[1]):
            for k in range(3):
                total = 0.0
                for j in range(SAMPLES):
                    for i in range(SAMPLES):
                        light = colours[y * SAMPLES + j, x * SAMPLES + i, k]
                        total += film[int(min(max(light, 0.0), FILM_RANGE) * steps)]
                out[y, x, k] = int(total / (SAMPLES * SAMPLES) + 0.5)


def film_curve() -> np.ndarray:
    """(4096,) float32 display values 0..255 of light from 0 to `FILM_RANGE`: a soft shoulder, then a gamma of 2.2."""
    light = np.linspace(0, FILM_RANGE, 4096)
    soft = np.where(light > 0.6, 0.6 + 0.4 * (1 - np.exp(-(light - 0.6) / 0.4)), light)
    return (255 * soft ** (1 / 2.2)).astype(np.float32)
