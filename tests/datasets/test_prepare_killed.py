"""A preparation that is killed twice ends in the same bytes as one left alone, on one worker, two, or Ray's."""

import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

SHARED = Path(__file__).parents[2] / "../shared"
LANDMARKER = SHARED / "models/face_landmarker.task"
VIDEOS = SHARED / "data/grid_s1/video"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not VIDEOS.is_dir(), reason="the GRID videos are not beside the repository"),
    pytest.mark.skipif(not LANDMARKER.is_file(), reason="MediaPipe's face_landmarker.task is not there"),
]


@pytest.fixture(scope="module")
def mead(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """MEAD's tree out of GRID's films, two of them broken."""
    root = tmp_path_factory.mktemp("data") / "MEAD"
    films = sorted(VIDEOS.glob("*.mpg"))[:6]
    places = [(subject, emotion) for subject in ("M003", "M005", "W009") for emotion in ("angry", "neutral")]
    for film, (subject, emotion) in zip(films, places, strict=True):
        folder = root / subject / "video/front" / emotion / "level_1"
        folder.mkdir(parents=True)
        shutil.copy(film, folder / "001.mp4")
    (folder / "002.mp4").write_bytes(films[0].read_bytes()[:30_000])
    (folder / "003.mp4").write_bytes(b"no film at all")
    return root


def command(root: Path, output: Path, *more: str) -> list[str]:
    start = [sys.executable, "-m", "talker", "prepare", "mead", str(root), "-o", str(output)]
    return [*start, "--landmarker", str(LANDMARKER), "--clips-per-shard", "2", *more]


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


@pytest.fixture(scope="module")
def undisturbed(mead: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    output = tmp_path_factory.mktemp("undisturbed") / "shards"
    done = subprocess.run(command(mead, output, "--jobs", "2"), capture_output=True, text=True, timeout=500)
    assert done.returncode == 1, done.stderr  # Two films are broken.
    assert "6 of 8 clips" in done.stdout
    assert "no video decoder understands it" in done.stderr
    return contents(output)


def kill_when(process: subprocess.Popen[bytes], ready) -> None:
    """SIGKILL, which nothing can tidy up after, as soon as `ready()`."""
    deadline = time.monotonic() + 300
    while not ready():
        assert process.poll() is None, "it ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()


def test_killed_twice(mead: Path, undisturbed: dict[str, bytes], tmp_path: Path) -> None:
    output = tmp_path / "shards"
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    tracks = output / ".work/tracks"
    kill_when(
        subprocess.Popen(command(mead, output, "--jobs", "2"), **quiet),
        lambda: len(list(tracks.rglob("*.npz"))) >= 2,
    )
    assert not list(output.glob("*.tar"))
    kept = {path: path.stat().st_mtime_ns for path in tracks.rglob("*.npz")}
    kill_when(subprocess.Popen(command(mead, output), **quiet), lambda: bool(list(output.glob("*.tar"))))
    assert kept.items() <= {path: path.stat().st_mtime_ns for path in tracks.rglob("*.npz")}.items()
    done = subprocess.run(command(mead, output), capture_output=True, text=True, timeout=500)
    assert done.returncode == 1, done.stderr
    assert same(contents(output), undisturbed)


def test_again_changes_nothing_and_other_options_are_refused(
    mead: Path, undisturbed: dict[str, bytes], tmp_path: Path
) -> None:
    output = tmp_path / "shards"
    for name, data in undisturbed.items():
        (output / name).parent.mkdir(parents=True, exist_ok=True)
        (output / name).write_bytes(data)
    assert subprocess.run(command(mead, output), capture_output=True, timeout=300).returncode == 1
    assert same(contents(output), undisturbed)
    refused = subprocess.run(command(mead, output, "--sound", "opus"), capture_output=True, text=True, timeout=300)
    assert refused.returncode == 2 and "other clips or other options" in refused.stderr


@pytest.mark.ray
def test_ray_makes_the_same_shards(mead: Path, undisturbed: dict[str, bytes], tmp_path: Path) -> None:
    pytest.importorskip("ray", reason="Ray is not installed")
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    try:
        cluster.add_node(num_cpus=1)
        output = tmp_path / "shards"
        done = subprocess.run(
            command(mead, output, "--ray", cluster.address), capture_output=True, text=True, timeout=500
        )
        assert done.returncode == 1, done.stderr
        assert same(contents(output), undisturbed)
    finally:
        cluster.shutdown()


def same(found: dict[str, bytes], wanted: dict[str, bytes]) -> bool:
    """Compared here, so that a failure names files instead of printing them."""
    differing = [name for name in {*found, *wanted} if found.get(name) != wanted.get(name)]
    if differing:
        print("differing:", sorted(differing))
    return not differing
