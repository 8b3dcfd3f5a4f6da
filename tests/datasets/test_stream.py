"""Crops out of shards: aligned, mixed as wanted, and never the same clip for two readers."""

import io
import json
import tarfile
import time
from collections import Counter
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch
from little_set import etf_reader, write_etf_clip
from torch.utils.data import DataLoader

from talker.audio import Audio
from talker.datasets.clip_work import Settings
from talker.datasets.prepare import PrepareOptions, prepare
from talker.datasets.samples import Curves, encode_sound
from talker.datasets.shards import read_samples
from talker.datasets.source import Licence
from talker.datasets.stream import ShardStream, StreamOptions
from talker.errors import TalkerError
from talker.rigs import arkit
from talker.training.augment import SPEEDS, augment


def keys(stream: ShardStream, workers: int = 0) -> list[str]:
    return [crop["key"] for crop in DataLoader(stream, batch_size=None, num_workers=workers)]


def test_an_epoch_gives_every_clip_once(shards: Path) -> None:
    stream = ShardStream([shards], StreamOptions())
    wanted = sorted(key for path in shards.glob("train-*.tar") for key, _ in read_samples(path))
    assert stream.clips == len(wanted) == 6
    assert sorted(keys(stream)) == wanted
    assert sorted(keys(stream, workers=2)) == wanted


@pytest.mark.parametrize("workers", [0, 2])
def test_ranks_see_disjoint_clips(shards: Path, workers: int) -> None:
    seen = [keys(ShardStream([shards], StreamOptions(), rank=rank, world_size=2), workers) for rank in range(2)]
    assert not set(seen[0]) & set(seen[1])
    assert len(set(seen[0]) | set(seen[1])) == 6


def hear_as_rank(rank: int, folder: Path, found: Path) -> None:
    torch.distributed.init_process_group("gloo", init_method=f"file://{found}/meet", rank=rank, world_size=2)
    (found / f"{rank}.json").write_text(json.dumps(keys(ShardStream([folder], StreamOptions()), workers=2)))
    torch.distributed.destroy_process_group()


def test_order_is_new_every_epoch_and_the_same_for_one_seed(shards: Path) -> None:
    orders = []
    for epoch in (0, 1, 0):
        stream = ShardStream([shards], StreamOptions())
        stream.set_epoch(epoch)
        orders.append(keys(stream))
    assert orders[0] == orders[2] != orders[1]


def test_crops_have_one_shape(shards: Path) -> None:
    stream = ShardStream([shards], StreamOptions(seconds=2.5))
    for crop in stream:
        assert (
            crop["samples"].shape == (40_000,) and crop["curves"].shape == (125, 61) and crop["weight"].shape == (125,)
        )
        assert crop["samples"].dtype == crop["curves"].dtype == torch.float32
        padding = crop["length"] // 320 + 1
        assert not crop["weight"][padding:].any() and crop["weight"][: padding - 2].all()
        assert crop["emotion"] >= 0 and crop["speaker"] in ("01", "02", "03", "04")


def test_curves_stay_with_their_sound(tmp_path: Path) -> None:
    """Clicks at known times: the jaw opens with each of them, whatever part is cut out."""
    root = tmp_path / "tree"
    for speaker in range(1, 4):
        samples, opening = np.zeros(16_000 * 12, np.float32), np.zeros(360)
        for second in np.arange(0.5, 11.5, 0.7):
            samples[round(second * 16_000) :][:800] = 0.5
            opening[round(second * 30) : round(second * 30) + 2] = 1
        write_etf_clip(root, f"s{speaker}_1", Audio(samples, 16_000), opening)
    licence = Licence("MIT", may_ship=True)
    out = tmp_path / "shards"
    prepare(lambda: etf_reader(root, licence), out, Settings(), PrepareOptions(validation=0, test=0))
    options = StreamOptions(seconds=3, shippable=True)
    streams = (ShardStream([out], options), ShardStream([out], replace(options, speeds=(0.85, 1.2))))
    for crop in (crop for stream in streams for crop in stream):
        jaw = crop["curves"][:, arkit.INDEX["jawOpen"]].numpy()
        loud = np.abs(crop["samples"].numpy()).reshape(-1, 320).max(1)
        best = max(range(-10, 11), key=lambda lag: float((np.roll(loud, lag) * jaw).sum()))
        assert abs(best) <= 1


def test_augmented_crops_have_the_same_shape(shards: Path) -> None:
    stream = ShardStream([shards], StreamOptions(speeds=(0.8, 1.3)), augment)
    for epoch in range(5):
        stream.set_epoch(epoch)
        for crop in stream:
            assert crop["samples"].shape == (48_000,) and crop["curves"].shape == (150, 61)
            assert crop["weight"].shape == (150,) and crop["weight"].max() <= 1


def test_licences_that_forbid_shipping(shards: Path) -> None:
    with pytest.raises(TalkerError, match="no train clip"):
        ShardStream([shards], StreamOptions(shippable=True))


def write_set(root: Path, name: str, clips: int, may_ship: bool) -> Path:
    """Shards of another set: those of `root`'s train split under another name."""
    source = [sample for path in sorted(root.glob("train-*.tar")) for sample in read_samples(path)]
    folder = root.parent / name
    folder.mkdir()
    rows = []
    with tarfile.open(folder / "train-000000.tar", "w") as archive:
        for number in range(clips):
            _, members = source[number % len(source)]
            about = json.loads(members["json"]) | {"set": name, "may_ship": may_ship}
            key = f"{name}/{number}"
            rows.append({"key": key, "shard": "train-000000", "set": name, "may_ship": may_ship})
            for extension, data in (members | {"json": json.dumps(about).encode()}).items():
                member = tarfile.TarInfo(f"{key}.{extension}")
                member.size = len(data)
                archive.addfile(member, io.BytesIO(data))
    (folder / "manifest.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


@pytest.fixture(scope="module")
def two_sets(shards: Path) -> list[Path]:
    return [write_set(shards, "many", 90, True), write_set(shards, "few", 10, False)]


def test_sets_are_mixed_by_weight(two_sets: list[Path]) -> None:
    stream = ShardStream(two_sets, StreamOptions(weights={"many": 1, "few": 3}, seconds=0.5))
    counts = Counter(crop["set"] for crop in islice(stream, 400))
    assert counts["few"] == pytest.approx(300, abs=40)


def test_only_what_may_ship(two_sets: list[Path]) -> None:
    assert {key.split("/")[0] for key in keys(ShardStream(two_sets, StreamOptions(shippable=True)))} == {"many"}
    with pytest.raises(TalkerError, match="no clip of the set 'few'; there are many"):
        ShardStream(two_sets, StreamOptions(shippable=True, weights={"many": 1, "few": 1}))


def test_a_set_too_small_for_its_readers_says_so(two_sets: list[Path]) -> None:
    options = StreamOptions(weights={"few": 1}, seconds=0.5)
    stream = ShardStream(two_sets, options, rank=11, world_size=12)
    with pytest.raises(TalkerError, match="too few clips for 12 readers"):
        next(iter(stream))


def test_folders_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(TalkerError, match=r"holds no manifest\.jsonl"):
        ShardStream([tmp_path], StreamOptions())


def test_a_shard_cut_off_is_named(two_sets: list[Path], tmp_path: Path) -> None:
    for path in two_sets[0].iterdir():
        data = path.read_bytes()
        (tmp_path / path.name).write_bytes(data[: len(data) // 2] if path.suffix == ".tar" else data)
    with pytest.raises(TalkerError, match=r"train-000000\.tar: not a readable shard"):
        keys(ShardStream([tmp_path], StreamOptions()))


@pytest.mark.slow
def test_an_epoch_of_a_thousand_clips_is_fed_fast(shards: Path) -> None:
    """Fifty seconds of speech in every second, cropped, sped up and augmented by two workers."""
    thousand = write_set(shards, "thousand", 1000, True)
    stream = ShardStream([thousand], StreamOptions(speeds=SPEEDS), augment)
    heard, seen = 0.0, set()
    begin = time.perf_counter()
    for crop in DataLoader(stream, batch_size=None, num_workers=2):
        heard += crop["length"] / 16_000
        seen.add(crop["key"])
    assert heard / (time.perf_counter() - begin) > 50
    assert len(seen) == stream.clips == 1000


@pytest.mark.slow
def test_distributed_processes_see_disjoint_clips(two_sets: list[Path], tmp_path: Path) -> None:
    torch.multiprocessing.spawn(hear_as_rank, (two_sets[0], tmp_path), nprocs=2)
    first, second = (set(json.loads((tmp_path / f"{rank}.json").read_text())) for rank in range(2))
    assert not first & second and len(first | second) == 90 and min(len(first), len(second)) > 40


def test_measured_mouths_come_with_a_weight_of_their_own(tmp_path: Path) -> None:
    """Half a second without landmarks in a clip of 25 frames per second; what is muted rests in both."""
    mouth = np.stack([np.linspace(0, 0.5, 100), np.full(100, 0.1), np.full(100, -0.1)], axis=1)
    mouth[50:62] = np.nan
    curves = np.zeros((100, arkit.CHANNEL_COUNT), np.float32)
    curves[:, arkit.INDEX["jawOpen"]] = mouth[:, 0] / 0.5
    curves[50:62] = 0
    stored = Curves(curves, 25.0, np.ones(100, bool), np.ones(100, np.float32), mouth)
    about = {"set": "s", "speaker": "x", "emotion": None, "level": None, "may_ship": True}
    sound = encode_sound(Audio(np.zeros(64_000, np.float32), 16_000), "flac")
    members = {"flac": sound, "curves.npz": stored.encode(), "json": json.dumps(about).encode()}
    with tarfile.open(tmp_path / "train-000000.tar", "w") as archive:
        for extension, data in members.items():
            member = tarfile.TarInfo(f"s/a.{extension}")
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    row = {"key": "s/a", "shard": "train-000000", "set": "s", "may_ship": True}
    (tmp_path / "manifest.jsonl").write_text(json.dumps(row) + "\n")
    (crop,) = ShardStream([tmp_path], StreamOptions(seconds=4.0))
    unknown = crop["mouth_weight"].numpy() == 0
    assert unknown[100:123].all() and not unknown[:98].any() and not unknown[125:].any()
    assert crop["weight"].min() == 1
    assert np.abs(crop["mouth"][:98, 0].numpy() - np.linspace(0, 0.5, 199)[:98]).max() < 2e-3
    stream = ShardStream([tmp_path], StreamOptions(seconds=2.0, speeds=(1.2, 1.2)), rest_after_a_second)
    (crop,) = stream
    assert not crop["mouth"][50:].any() and not crop["curves"][50:].any() and crop["curves"][:40, 17].any()


def rest_after_a_second(
    samples: np.ndarray, curves: np.ndarray, fps: float, random: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    return samples, curves * (np.arange(len(curves)) < fps)[:, None]
