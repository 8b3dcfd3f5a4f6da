import base64
import io
import json
import re
import zlib
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import av
import numpy as np
import pytest
import torch

from talker.animation import FaceAnimation
from talker.audio import Audio
from talker.errors import TalkerError
from talker.export.html import page
from talker.export.registry import write_animation
from talker.rigs import arkit
from talker.rigs.head_mesh import PARTS, HeadMesh

TYPES = {"uint8": "<u1", "uint16": "<u2", "uint32": "<u4", "int16": "<i2"}


class Parser(HTMLParser):
    """Collects what a browser would see: elements, their attributes, the text of title and scripts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, str] = {}
        self._open: str | None = None
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        self._open = (dict(attrs).get("id") or tag) if tag in ("script", "title", "style") else None

    def handle_endtag(self, tag):
        self._open = None

    def handle_data(self, data):
        if self._open:
            self.texts[self._open] = self.texts.get(self._open, "") + data


class Payload:
    def __init__(self, text: str) -> None:
        self.parser = Parser(text)
        self.manifest = json.loads(self.parser.texts["manifest"])
        self.block = zlib.decompress(base64.b64decode(self.parser.texts["block"]))

    def array(self, name: str) -> np.ndarray:
        entry = self.manifest["arrays"][name]
        return np.frombuffer(self.block, TYPES[entry["type"]], entry["length"], entry["offset"])

    def undo(self, name: str) -> np.ndarray:
        return np.cumsum(unfold(self.array(name).astype(np.int64)))

    def curves(self, number: int = 0) -> np.ndarray:
        rules, take = self.manifest["quantisation"], self.manifest["takes"][number]
        low, high = self.array(take["curves"]).reshape(2, arkit.CHANNEL_COUNT, take["frameCount"]).astype(np.int64)
        values = np.cumsum(unfold(low | high << 8), axis=1).astype(np.int16).T.astype(float)
        values[:, :52] /= rules["shapeSteps"]
        values[:, 52:] *= np.pi / rules["angleSteps"]
        return values


def unfold(values: np.ndarray) -> np.ndarray:
    return (values >> 1) ^ -(values & 1)


@pytest.fixture(scope="module")
def head() -> HeadMesh:
    return HeadMesh.load()


def smooth_take(seconds: float, fps: float, seed: int = 0, **rest) -> FaceAnimation:
    generator = np.random.default_rng(seed)
    times = np.arange(round(seconds * fps)) / fps
    phase, speed = generator.uniform(0, 6, 61), generator.uniform(1, 20, 61)
    curves = 0.5 + 0.5 * np.sin(times[:, None] * speed + phase) + generator.normal(0, 0.003, (len(times), 61))
    curves[:, 52:] -= 0.5
    return FaceAnimation(np.clip(curves, -1 * (np.arange(61) >= 52), 1), fps, **rest)


def noise(seconds: float, rate: int = 48_000, seed: int = 0) -> Audio:
    samples = np.random.default_rng(seed).normal(0, 0.2, round(seconds * rate))
    envelope = np.repeat(np.random.default_rng(seed + 1).random(round(seconds * 20) + 1), rate // 20)[: len(samples)]
    return Audio(np.clip(samples * envelope, -1, 1), rate)


@pytest.fixture(scope="module")
def ten_seconds() -> FaceAnimation:
    emotion = [{"time": 0, "weights": {"neutral": 1}}, {"time": 2.5, "weights": {"happy": 0.8, "neutral": 0.2}}]
    return smooth_take(10, 60, audio=noise(10), meta={"source": "takes/line one.csv", "emotion": emotion})


@pytest.fixture(scope="module")
def ten_seconds_page(ten_seconds, head) -> str:
    return page([ten_seconds], head)


def test_ten_seconds_fit_in_three_megabytes(ten_seconds_page):
    assert len(ten_seconds_page.encode()) < 3_000_000


def test_the_page_asks_for_nothing_from_outside(ten_seconds_page):
    assert not re.search(r"https?://|@import|url\(|importScripts|\bfetch\(|XMLHttpRequest|WebSocket", ten_seconds_page)
    for tag, attributes in Parser(ten_seconds_page).elements:
        assert tag not in ("link", "iframe", "img", "object", "embed", "base")
        assert not {"src", "href", "srcset", "data"} & attributes.keys()
    policy = next(a["content"] for _, a in Parser(ten_seconds_page).elements if "http-equiv" in a)
    assert policy.startswith("default-src 'none'")


def test_every_placeholder_is_filled(ten_seconds_page):
    assert "{{" not in ten_seconds_page
    assert "}}" not in re.sub(r'<script type="application/json".*?</script>', "", ten_seconds_page)


def test_same_take_same_bytes(ten_seconds, ten_seconds_page, head):
    assert page([ten_seconds], head) == ten_seconds_page


def test_curves_come_back_within_half_a_step(ten_seconds, ten_seconds_page):
    error = np.abs(Payload(ten_seconds_page).curves() - ten_seconds.curves)
    assert error[:, :52].max() < 0.51 / 8191
    assert error[:, 52:].max() < 0.51 * np.pi / 32767


def test_extreme_curves_come_back():
    from talker.export.html_payload import Block, pack_curves

    curves = np.zeros((7, 61), np.float32)
    curves[1::2, :52], curves[1::2, 52:], curves[2::2, 52:] = 1.0, np.pi, -np.pi
    block = Block()
    pack_curves(FaceAnimation(curves, 30), "curves", block)
    data = np.frombuffer(zlib.decompress(base64.b64decode(block.base64())), np.uint8)
    low, high = data[: 2 * 61 * 7].reshape(2, 61, 7).astype(np.int64)
    values = np.cumsum(unfold(low | high << 8), axis=1).astype(np.int16).T
    np.testing.assert_array_equal(values[:, 0], [0, 8191, 0, 8191, 0, 8191, 0])
    np.testing.assert_array_equal(values[:, 60], [0, 32767, -32767, 32767, -32767, 32767, -32767])


def test_the_head_comes_back(ten_seconds_page, head):
    payload = Payload(ten_seconds_page)
    description = payload.manifest["head"]
    neutral = payload.array("neutral").reshape(-1, 3) * description["step"] + np.array(description["origin"])
    np.testing.assert_allclose(neutral, head.neutral.numpy(), atol=5e-6)
    counts, vertices = payload.array("deltaCounts"), payload.undo("deltaVertices")
    values = payload.array("deltaValues").reshape(3, -1).T
    deltas = np.zeros((52, len(neutral), 3))
    shapes = np.repeat(np.arange(52), counts)
    deltas[shapes, vertices] = values * np.array(description["deltaSteps"])[shapes, None]
    np.testing.assert_allclose(deltas, head.deltas.numpy(), atol=2e-6)
    faces = payload.undo("faces").reshape(-1, 3)
    assert sorted(map(tuple, faces)) == sorted(map(tuple, head.faces.numpy()))
    part_of_face = payload.array("part")[faces[:, 0]]
    assert (np.diff(part_of_face.astype(int)) >= 0).all(), "the page draws each part as one range of faces"
    assert [PARTS[i] for i in np.unique(part_of_face)] == [name for name in PARTS if len(head.parts[name])]


def sound_of(text: str) -> np.ndarray:
    data = base64.b64decode(Payload(text).parser.texts["sound0"])
    with av.open(io.BytesIO(data)) as container:
        assert container.streams.audio[0].codec.canonical_name == "opus"
        return np.concatenate([frame.to_ndarray()[0] for frame in container.decode(audio=0)])


def test_the_sound_keeps_its_place_in_time(ten_seconds, ten_seconds_page):
    heard, meant = sound_of(ten_seconds_page), ten_seconds.audio.resample(48_000).samples
    size = 1 << 20
    match = np.fft.irfft(np.fft.rfft(heard, size) * np.conj(np.fft.rfft(meant, size)), size)
    lag = int(match.argmax())
    assert min(lag, size - lag) <= 48, "more than a millisecond off"


def test_the_sound_lasts_as_long_as_the_face(head):
    take = smooth_take(3, 30, audio=noise(1))
    text = page([take], head)
    assert Payload(text).manifest["takes"][0]["duration"] == pytest.approx(3)
    assert len(sound_of(text)) / 48_000 == pytest.approx(3, abs=0.05)
    longer = page([smooth_take(1, 30, audio=noise(2))], head)
    assert Payload(longer).manifest["takes"][0]["duration"] == pytest.approx(2)


@pytest.mark.parametrize("audio", [None, Audio(np.zeros(0, np.float32), 16_000)])
def test_a_take_without_sound(audio, head):
    payload = Payload(page([smooth_take(1, 25, audio=audio)], head))
    take = payload.manifest["takes"][0]
    assert take["sound"] is None
    assert take["peaks"] is None
    assert "sound0" not in payload.parser.texts


def test_waveform_peaks(ten_seconds, ten_seconds_page):
    peaks = Payload(ten_seconds_page).array("peaks0")
    assert len(peaks) == 2000
    loudest = np.abs(ten_seconds.audio.samples).argmax() / 48_000
    assert peaks.max() == 255
    assert peaks.argmax() == int(loudest * 200)


@pytest.mark.parametrize(
    "name",
    [
        "</script><b>",
        "<!--<script>",
        "&lt;\"quotes' & ampersands",
        "naïve 你好 🙂",
        "a\u2028b",
        "{{block}}",
        "\\u003c$&",
    ],
)
def test_any_name_is_only_a_name(name, head):
    take = smooth_take(0.2, 10, meta={"title": name, "source": f"{name}.csv"})
    plain = Parser(page([replace(take, meta={"title": "plain"})], head))
    text = page([take], head)
    parser = Parser(text)
    assert [tag for tag, _ in parser.elements] == [tag for tag, _ in plain.elements]
    assert parser.texts["title"] == name
    assert Payload(text).manifest["takes"][0]["name"] == name


def test_the_name_is_the_stem_of_the_source(ten_seconds_page):
    assert Payload(ten_seconds_page).manifest["takes"][0]["name"] == "line one"


def test_emotion_is_kept(ten_seconds, ten_seconds_page):
    assert Payload(ten_seconds_page).manifest["takes"][0]["emotion"] == ten_seconds.meta["emotion"]


def test_channels_are_grouped_and_switchable(ten_seconds_page):
    channels = Payload(ten_seconds_page).manifest["channels"]
    assert [channel["name"] for channel in channels] == list(arkit.CHANNELS)
    toggles = {channel["name"]: channel["toggle"] for channel in channels}
    assert toggles["jawOpen"] == toggles["mouthSmileLeft"] == toggles["tongueOut"] == "mouth"
    assert (toggles["browInnerUp"], toggles["leftEyeYaw"], toggles["headRoll"]) == ("brows", "eyes", "head")
    assert sum(channel["isAngle"] for channel in channels) == 9


def test_a_head_with_nothing_but_skin(head):
    skin = torch.arange(head.vertex_count)
    none = torch.zeros(0, dtype=torch.int64)
    bare = replace(
        head,
        parts={name: skin if name == "skin" else none for name in PARTS},
        regions={},
        landmark_faces=torch.zeros(478, dtype=torch.int64),
        landmark_weights=torch.full((478, 3), 1 / 3),
        eye_centres=torch.zeros(2, 3),
        iris_radius=0.0,
    )
    payload = Payload(page([smooth_take(0.5, 10)], bare))
    assert payload.manifest["head"]["frame"]["height"] == pytest.approx(float(np.ptp(head.neutral[:, 1].numpy())))
    assert payload.array("paint").reshape(7, -1)[0].max() > 200


def test_write_goes_through_the_registry(tmp_path):
    path = tmp_path / "Ünïcode 名.html"
    written = write_animation(smooth_take(0.5, 10), path)
    assert written.format.name == "html"
    assert path.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_an_output_that_cannot_be_written(tmp_path):
    blocked = Path(tmp_path / "folder.html")
    blocked.mkdir()
    with pytest.raises(TalkerError, match="folder"):
        write_animation(smooth_take(0.5, 10), blocked)
