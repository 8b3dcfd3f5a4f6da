"""The HTML preview in headless Chromium, opened from disk."""

import base64
import io
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from chromium import Chromium, find_chromium
from PIL import Image

from talker.animation import FaceAnimation
from talker.audio import Audio
from talker.export.html import write_comparison
from talker.export.registry import ExportOptions, write_animation
from talker.rigs import arkit
from talker.rigs.user_mesh import load_head

pytestmark = [
    pytest.mark.slow,
    pytest.mark.browser,
    pytest.mark.skipif(find_chromium() is None, reason="no Chromium on PATH (apt-get install chromium)"),
]
TAKES = Path(__file__).parents[2] / "../shared/data/livelink_takes"
SECONDS, FPS, RATE = 4, 60, 48_000


def performance() -> FaceAnimation:
    """Four seconds: the jaw opens and closes once a second, everything else moves a little, the head turns."""
    times = np.arange(SECONDS * FPS) / FPS
    generator = np.random.default_rng(1)
    curves = 0.15 + 0.15 * np.sin(times[:, None] * generator.uniform(1, 9, 61) + generator.uniform(0, 6, 61))
    curves[:, 52:] -= 0.15
    curves[:, arkit.INDEX["jawOpen"]] = 0.5 - 0.5 * np.cos(2 * np.pi * times)
    for name in ("mouthClose", "mouthFunnel", "mouthPucker"):
        curves[:, arkit.INDEX[name]] = 0
    samples = generator.normal(0, 0.1, SECONDS * RATE) * np.repeat(generator.random(SECONDS * 20), RATE // 20)
    emotion = [{"time": 0, "weights": {"neutral": 1}}, {"time": 2, "weights": {"happy": 1}}]
    meta = {"title": "</script><b> 你好", "emotion": emotion}
    return FaceAnimation(curves, FPS, Audio(np.clip(samples, -1, 1), RATE), meta)


@pytest.fixture(scope="module")
def take() -> FaceAnimation:
    return performance()


@pytest.fixture(scope="module")
def shared_browser(take, tmp_path_factory) -> Iterator[Chromium]:
    path = tmp_path_factory.mktemp("page") / "Ünïcode 名 <b>.html"
    write_animation(take, path)
    with Chromium() as browser:
        browser.open(path)
        browser.evaluate("talkerReady")
        yield browser


@pytest.fixture
def browser(shared_browser) -> Iterator[Chromium]:
    """The page as it was when opened; afterwards it must not have complained."""
    shared_browser.resize(1280, 800)
    shared_browser.evaluate(
        "talker.pause(), talker.app.still.clear(), talker.app.clock.setSpeed(1), talker.app.clock.loop = false,"
        "talker.setView('front'), talker.seek(0)"
    )
    yield shared_browser
    assert shared_browser.errors == []


def vertices(browser: Chromium, frame: int) -> np.ndarray:
    """(V, 3) as the page computes them."""
    text = browser.evaluate(
        f"(() => {{ const bytes = new Uint8Array(talker.vertices({frame}).buffer); let text = '';"
        "for (let i = 0; i < bytes.length; i += 8192) text += String.fromCharCode(...bytes.subarray(i, i + 8192));"
        "return btoa(text); })()"
    )
    return np.frombuffer(base64.b64decode(text), "<f4").reshape(-1, 3)


def picture(browser: Chromium) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(browser.screenshot())).convert("RGB")).astype(int)


def face(image: np.ndarray) -> np.ndarray:
    """The part of a 1280 x 800 screenshot that shows the middle of the face."""
    return image[100:500, 320:680]


def test_opens_from_disk_without_asking_for_anything(browser):
    assert browser.evaluate("location.protocol") == "file:"
    assert browser.evaluate("talker.app.stage.gl instanceof WebGL2RenderingContext")
    assert all(url.startswith(("file:", "blob:")) for url in browser.requests), browser.requests
    assert browser.evaluate("document.getElementById('message').hidden")


def test_the_name_is_shown_as_it_is(browser):
    assert browser.evaluate("document.title") == "</script><b> 你好"
    assert browser.evaluate("document.getElementById('name').textContent") == "</script><b> 你好"


def test_vertices_equal_those_of_the_head(browser, take):
    head = load_head()
    for frame in (0, 1, 17, 30, 100, SECONDS * FPS - 1):
        expected = head.vertices(torch.tensor(take.curves[frame])).numpy()
        distance = np.linalg.norm(vertices(browser, frame) - expected, axis=1)
        assert distance.max() < 5e-5, f"frame {frame}: {distance.max() * 1000:.3f} mm"


def test_the_face_moves_with_the_clock(browser):
    images = {}
    for second in (0.0, 0.5, 1.25):
        browser.evaluate(f"talker.seek({second})")
        images[second] = face(picture(browser))
    assert np.abs(images[0.0] - images[0.5]).mean() > 2
    assert np.abs(images[0.5] - images[1.25]).mean() > 2
    browser.evaluate("talker.seek(0)")
    np.testing.assert_array_equal(face(picture(browser)), images[0.0])


def test_the_face_is_there_and_lit(browser):
    image = face(picture(browser))
    red, green, blue = image.reshape(-1, 3).T
    assert ((red > 120) & (red > green) & (green > blue)).mean() > 0.4, "most of the middle should be lit skin"


def test_lips_close_when_the_curves_close(browser):
    head = load_head()

    def gap(frame: int) -> float:
        lips = head.landmarks_of(torch.from_numpy(vertices(browser, frame).copy()))[[13, 14]]
        return float(torch.linalg.norm(lips[0] - lips[1]))

    assert gap(FPS // 2) > 0.015
    assert gap(0) < 0.005
    assert gap(FPS) < 0.005


def test_playing_sound_moves_the_clock_and_the_face(browser):
    browser.evaluate("talker.play()")
    assert browser.evaluate("talker.playing")
    deadline = time.monotonic() + 20
    while browser.evaluate("talker.time") < 0.6:
        assert time.monotonic() < deadline, "the clock stands still"
        time.sleep(0.05)
    sound, clock = browser.evaluate("[talker.app.clock.sound.currentTime, talker.time]")
    assert abs(sound - clock) < 0.06
    browser.evaluate("talker.pause()")
    held = browser.evaluate("talker.time")
    time.sleep(0.3)
    assert browser.evaluate("talker.time") == held
    assert browser.evaluate("document.querySelector('#time b').textContent") != "0:00.00"


def test_it_stops_at_the_end_and_starts_again(browser):
    browser.evaluate(f"talker.seek({SECONDS - 0.2}), talker.play()")
    deadline = time.monotonic() + 20
    while browser.evaluate("talker.playing"):
        assert time.monotonic() < deadline, "it never ends"
        time.sleep(0.05)
    assert browser.evaluate("talker.time") == pytest.approx(SECONDS, abs=0.02)
    browser.evaluate("talker.play()")
    assert browser.evaluate("talker.time") < 1


def test_the_embedded_sound_is_in_step(browser, take):
    """What Chromium decodes matches the samples that went in: the encoder's delay is gone."""
    text = browser.evaluate(
        "(async () => { const packed = document.getElementById('sound0').textContent.trim();"
        "const data = Uint8Array.from(atob(packed), letter => letter.charCodeAt(0));"
        "const sound = await new OfflineAudioContext(1, 48, 48000).decodeAudioData(data.buffer);"
        "const values = Int16Array.from(sound.getChannelData(0), x => 32767 * x), raw = new Uint8Array(values.buffer);"
        "let text = ''; for (let i = 0; i < raw.length; i += 8192)"
        " text += String.fromCharCode(...raw.subarray(i, i + 8192)); return btoa(text); })()"
    )
    heard = np.frombuffer(base64.b64decode(text), "<i2") / 32767
    meant = take.audio.resample(48_000).samples
    size = 1 << 19
    match = np.fft.irfft(np.fft.rfft(heard, size) * np.conj(np.fft.rfft(meant, size)), size)
    lag = int(match.argmax())
    assert min(lag, size - lag) / 48_000 < 0.005


def test_keys(browser):
    browser.press("ArrowRight")
    browser.press("ArrowRight")
    assert browser.evaluate("talker.time") == pytest.approx(2 / FPS)
    browser.press("ArrowLeft")
    assert browser.evaluate("talker.time") == pytest.approx(1 / FPS)
    browser.press("End")
    assert browser.evaluate("talker.time") == pytest.approx(SECONDS)
    browser.press("Home")
    browser.press("l")
    assert browser.evaluate("talker.app.clock.loop")
    browser.press("3")
    assert browser.evaluate("talker.app.stage.camera.yaw") > 1
    browser.press("r")
    assert browser.evaluate("talker.app.stage.camera.yaw") == 0
    browser.press(" ")
    assert browser.evaluate("talker.playing")
    browser.press(" ")
    assert not browser.evaluate("talker.playing")


def test_dragging_turns_the_head_and_scrubs(browser):
    browser.drag((500, 300), (600, 300))
    assert browser.evaluate("talker.app.stage.camera.yaw") == pytest.approx(-0.8)
    left, top, width, height = browser.evaluate(
        "(() => { const box = document.getElementById('timeline').getBoundingClientRect();"
        "return [box.left, box.top, box.width, box.height]; })()"
    )
    middle = (left + width / 2, top + height / 2)
    browser.drag((left + 40, middle[1]), middle)
    assert browser.evaluate("talker.time") == pytest.approx(SECONDS / 2, abs=0.02)


def test_switching_the_mouth_off_closes_it(browser):
    browser.evaluate(f"talker.seek({0.5})")
    before = face(picture(browser))
    browser.evaluate("document.querySelector('[data-part=mouth]').click(), talker.app.draw()")
    jaw = arkit.INDEX["jawOpen"]
    assert browser.evaluate(f"talker.app.values[{jaw}]") == 0
    assert browser.evaluate(f"talker.app.values[{arkit.INDEX['headYaw']}]") != 0
    assert np.abs(face(picture(browser)) - before).mean() > 1


def test_choosing_and_searching_curves(browser):
    assert 1 <= browser.evaluate("talker.app.timeline.shown.length") <= 6
    assert browser.evaluate("talker.app.timeline.shown[0].channel") == arkit.INDEX["jawOpen"]
    browser.evaluate(
        "(() => { const box = document.getElementById('search'); box.value = 'brow inner';"
        "box.dispatchEvent(new Event('input')); })()"
    )
    shown = "[...document.querySelectorAll('#curves button')].filter(b => b.offsetParent).map(b => b.innerText)"
    assert [row.split()[0] for row in browser.evaluate(shown)] == ["browInnerUp"]
    before = browser.evaluate("talker.app.timeline.shown.length")
    browser.evaluate("[...document.querySelectorAll('#curves button')].find(b => b.offsetParent).click()")
    assert abs(browser.evaluate("talker.app.timeline.shown.length") - before) == 1
    browser.evaluate(
        "(() => { const box = document.getElementById('search'); box.value = '';"
        "box.dispatchEvent(new Event('input')); document.getElementById('strongest').click(); })()"
    )


def test_the_emotion_is_named(browser):
    browser.evaluate("talker.seek(2.5)")
    assert browser.evaluate("document.getElementById('emotion').textContent") == "happy 100 %"


def test_a_phone_shows_it_all(browser, tmp_path):
    browser.resize(390, 800, scale=2, mobile=True)
    browser.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
    (tmp_path / "phone.png").write_bytes(browser.screenshot())
    assert browser.evaluate("document.documentElement.scrollWidth") <= 390
    boxes = browser.evaluate(
        "['play', 'timeline', 'face', 'regions', 'views', 'loop'].map(id => {"
        "const box = document.getElementById(id).getBoundingClientRect();"
        "return [box.left, box.top, box.right, box.bottom]; })"
    )
    for left, top, right, bottom in boxes:
        assert left >= 0
        assert top >= 0
        assert right <= 391
        assert bottom <= 801


def test_without_sound_the_wall_clock_drives(tmp_path):
    path = tmp_path / "silent.html"
    write_animation(FaceAnimation.from_channels({"jawOpen": np.linspace(0, 1, 50)}, fps=25), path)
    with Chromium() as browser:
        browser.open(path)
        browser.evaluate("talkerReady")
        browser.evaluate("talker.app.clock.setSpeed(0.5), talker.play()")
        first, start = browser.evaluate("talker.time"), time.monotonic()
        time.sleep(1)
        moved, passed = browser.evaluate("talker.time") - first, time.monotonic() - start
        assert moved == pytest.approx(passed / 2, abs=0.1)
        assert browser.evaluate("document.getElementById('mute').hidden")
        assert browser.errors == []


def test_two_takes_stand_side_by_side(take, tmp_path):
    path = tmp_path / "compare.html"
    calm = FaceAnimation(take.curves * 0.0, take.fps, take.audio, take.meta)
    write_comparison(calm, take, path, ExportOptions())
    with Chromium() as browser:
        browser.open(path)
        browser.evaluate("talkerReady")
        browser.evaluate("talker.seek(0.5)")
        assert browser.evaluate("document.getElementById('captions').innerText").split() == ["Before", "After"]
        assert browser.evaluate("talker.takes.map(take => Boolean(take.sound))") == [False, True]
        # The mouth is shut in the left column and open in the right one.
        image = picture(browser)[60:560, :1000]
        left, right = image[:, :500], image[:, 500:]
        assert np.abs(left - right).max(axis=2).mean() > 3
        browser.evaluate("talker.app.takes[1] = talker.app.takes[0]; talker.app.draw()")
        image = picture(browser)[100:500, :1000]
        assert np.abs(image[:, 60:440] - image[:, 560:940]).mean() < 3
        assert browser.errors == []


@pytest.mark.skipif(not TAKES.is_dir(), reason="the recorded takes are not beside the repository")
@pytest.mark.parametrize("name", ["S07-001", "S88-001", "alex_rom_3", "alex_rom_4", "apfel", "facial"])
def test_every_recorded_take_opens_and_moves(name, tmp_path):
    take = FaceAnimation.load(TAKES / f"{name}.csv")
    path = tmp_path / f"{name}.html"
    write_animation(take, path)
    minutes = take.duration / 60
    assert path.stat().st_size < 500_000 + 500_000 * minutes
    with Chromium() as browser:
        browser.open(path)
        browser.evaluate("talkerReady")
        assert browser.evaluate("talker.takes[0].frameCount") == take.frame_count
        frames = np.linspace(0, take.frame_count - 1, 5).astype(int)
        head = load_head()
        posed = [vertices(browser, int(frame)) for frame in frames]
        for frame, points in zip(frames, posed, strict=True):
            expected = head.vertices(torch.tensor(take.curves[frame])).numpy()
            assert np.abs(points - expected).max() < 5e-5
        assert max(np.abs(points - posed[0]).max() for points in posed) > 1e-3
        browser.evaluate(f"talker.seek({take.duration / 2})")
        (tmp_path / f"{name}.png").write_bytes(browser.screenshot())
        assert browser.errors == []
