"""From clips to shards: what is in them, who is in which split, what is said about clips that are left out."""

import csv
import json
import tarfile
import tracemalloc
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from little_set import CLIPS_EACH, SPEAKERS, etf_reader, speech, write_etf_clip

from talker.animation import FaceAnimation
from talker.audio import Audio
from talker.cli import main
from talker.datasets import sync
from talker.datasets.clip_work import Settings, learn_delay
from talker.datasets.finish_clip import finish_clip
from talker.datasets.plan import make_plan, recordings, shard_tasks
from talker.datasets.prepare import PrepareOptions, prepare
from talker.datasets.quality import Seen, measure
from talker.datasets.runner import LocalPool
from talker.datasets.samples import Curves, decode_sound, encode_sound
from talker.datasets.shards import key_of, read_rows, read_samples, write_shard
from talker.datasets.source import SPLITS, UNKNOWN_LICENCE, ClipSource, Licence, Motion
from talker.errors import TalkerError
from talker.rigs import arkit


def manifest(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "manifest.jsonl").read_text(encoding="utf-8").splitlines()]


def test_every_good_clip_is_in_one_shard(shards: Path) -> None:
    rows = manifest(shards)
    assert len(rows) == len(SPEAKERS) * CLIPS_EACH
    inside = [key for path in shards.glob("*.tar") for key, _ in read_samples(path)]
    assert sorted(inside) == sorted(row["key"] for row in rows)
    assert {row["licence"] for row in rows} == {"3D-ETF, non-commercial research"}


def test_speakers_keep_to_their_split(shards: Path) -> None:
    splits: dict[str, set[str]] = {}
    for row in manifest(shards):
        splits.setdefault(row["speaker"], set()).add(row["shard"].rpartition("-")[0])
    assert all(len(found) == 1 for found in splits.values())
    assert {next(iter(found)) for found in splits.values()} == {"train", "validation", "test"}


def test_members_are_webdataset_members(shards: Path) -> None:
    webdataset = pytest.importorskip("webdataset", reason="WebDataset is not installed")
    path = next(iter(sorted(shards.glob("train-*.tar"))))
    found = {sample["__key__"]: sample for sample in webdataset.WebDataset(str(path), shardshuffle=False)}
    assert found.keys() == dict(read_samples(path)).keys()
    sample = next(iter(found.values()))
    assert {"flac", "curves.npz", "json"} <= sample.keys()
    about = json.loads(sample["json"])
    curves = Curves.decode(sample["curves.npz"])
    assert about["frames"] == len(curves.curves) and about["fps"] == curves.fps == 30
    assert len(decode_sound(sample["flac"])) == pytest.approx(16_000 * about["frames"] / 30, abs=2)


def test_nothing_of_this_machine_is_in_the_archives(shards: Path) -> None:
    for path in shards.glob("*.tar"):
        with tarfile.open(path) as archive:
            for member in archive:
                assert (member.mtime, member.uid, member.gid, member.uname, member.mode) == (0, 0, 0, "", 0o644)


def test_the_table_says_what_was_wrong(shards: Path) -> None:
    with (shards / "quality.csv").open(encoding="utf-8", newline="") as file:
        rows = {row["key"]: row for row in csv.DictReader(file)}
    broken = rows["3d_etf/npy/03-01-08-01-01-02-01"]
    assert broken["verdict"] == "failed" and "not a readable .npy file" in broken["reason"]
    good = rows["3d_etf/npy/03-01-05-01-01-01-01"]
    assert good["verdict"] == "kept" and float(good["sync"]) > 0.5 and abs(float(good["delay_ms"])) < 60


def test_the_page_shows_the_worst_first_and_needs_nothing_else(shards: Path) -> None:
    page = (shards / "quality.html").read_text(encoding="utf-8")
    assert page.index("03-01-08-01-01-02-01") < page.index("03-01-05-01-01-01-01")
    assert page.count('src="data:image/jpeg;base64,') == 2 * len(SPEAKERS) * CLIPS_EACH
    assert "http" not in page


def test_no_work_is_left_lying_about(shards: Path) -> None:
    assert not list(shards.rglob(".talker-*")) and not (shards / ".work").exists()


def test_writing_a_shard_again_gives_the_same_bytes(etf: Path, shards: Path, tmp_path: Path) -> None:
    plan = make_plan(lambda: etf_reader(etf), (0.1, 0.1), 4, "")
    task = next(shard_tasks(lambda: etf_reader(etf), plan, 4))
    write_shard(task, tmp_path, Settings())
    assert (tmp_path / f"{task.name}.tar").read_bytes() == (shards / f"{task.name}.tar").read_bytes()
    rows = list(read_rows(tmp_path, [task.name]))
    assert [row["key"] for row in rows] == [key_of(clip.set, clip.id) for clip in task.clips]


def test_another_plan_is_refused(etf: Path, shards: Path) -> None:
    with pytest.raises(TalkerError, match="other clips or other options"):
        prepare(lambda: etf_reader(etf), shards, Settings(sound="opus"), PrepareOptions(per_shard=4))
    with pytest.raises(TalkerError, match="other clips or other options"):
        prepare(lambda: etf_reader(etf, Licence("MIT", True)), shards, Settings(), PrepareOptions(per_shard=4))


def test_keys_have_no_dots() -> None:
    clip = ClipSource("a.b/c%d.mp4", "set", "x", UNKNOWN_LICENCE)
    assert key_of(clip.set, clip.id) == "set/a%2Eb/c%25d%2Emp4"


@pytest.mark.parametrize("count", [1, 2, 3, 10, 48])
def test_splits_by_speaker(count: int) -> None:
    def reader():
        return (ClipSource(f"{i}-{j}", "s", f"speaker {i}", UNKNOWN_LICENCE) for i in range(count) for j in range(3))

    plan = make_plan(reader, (0.15, 0.15), 5, "")
    assert not set(plan.validation) & set(plan.test)
    assert len(plan.validation) == len(plan.test) == {1: 0, 2: 0, 3: 1, 10: 2, 48: 7}[count]
    tasks = list(shard_tasks(reader, plan, 5))
    assert len(tasks) == plan.shards
    assert sorted(clip.id for task in tasks for clip in task.clips) == sorted(clip.id for clip in reader())
    for task in tasks:
        assert {plan.split_of(clip) for clip in task.clips} == {task.name.rpartition("-")[0]}


def test_sets_may_say_who_is_held_out_and_small_sets_lose_nobody() -> None:
    def reader():
        yield from (ClipSource(f"{i}", "told", "x", UNKNOWN_LICENCE, split=SPLITS[i % 3]) for i in range(6))
        yield from (ClipSource(f"{i}", "one", "y", UNKNOWN_LICENCE) for i in range(2))
        yield from (ClipSource(f"{i}", "many", f"z{i}", UNKNOWN_LICENCE) for i in range(10))

    plan = make_plan(reader, (0.1, 0.1), 100, "")
    splits: dict[str, Counter[str]] = {name: Counter() for name in ("told", "one", "many")}
    for clip in reader():
        splits[clip.set][plan.split_of(clip)] += 1
    assert splits["told"] == dict.fromkeys(SPLITS, 2) and splits["one"] == {"train": 2}
    assert splits["many"] == {"train": 8, "validation": 1, "test": 1}
    assert plan.shards == 3
    with pytest.raises(TalkerError, match="no such split 'tests'; choices: train, validation, test"):
        ClipSource("a", "set", "x", UNKNOWN_LICENCE, split="tests")


def test_a_plan_holds_no_clips() -> None:
    """Ten times the clips, hardly more memory."""

    def peak(count: int) -> int:
        def reader():
            return (ClipSource(f"{i:07d}", "s", f"speaker {i % 50:02d}", UNKNOWN_LICENCE) for i in range(count))

        tracemalloc.start()
        plan = make_plan(reader, (0.1, 0.1), 100, "")
        assert sum(len(task.clips) for task in shard_tasks(reader, plan, 100)) == plan.clips == count
        size = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return size

    assert peak(20_000) < 1.5 * peak(2_000)


@pytest.mark.parametrize("late", [-0.2, -0.1, 0.0, 0.15])
def test_delays_are_heard(late: float) -> None:
    audio, opening = speech(12.0, 5)
    moved = sync.shifted(audio, -late)  # The sound comes earlier, so the mouth is late.
    delay = sync.measure_delay(moved, opening, 30, np.ones(len(opening), bool))
    assert delay.seconds == pytest.approx(late, abs=0.05) and delay.correlation > 0.6
    assert delay.sure == (abs(late) > 0.05)


def test_a_delay_that_was_heard_is_undone(tmp_path: Path) -> None:
    audio, opening = speech(10.0, 6)
    write_etf_clip(tmp_path, "x_1", sync.shifted(audio, 0.2), opening)
    done = finish_clip(next(etf_reader(tmp_path)), Settings())
    assert done.row["verdict"] == "kept" and done.row["corrected"] and done.row["delay_ms"] < -120
    stored = decode_sound(done.members["flac"])
    again = sync.measure_delay(Audio(stored, 16_000), opening, 30, np.ones(len(opening), bool))
    assert abs(again.seconds) < 0.03


def test_a_recording_proves_what_its_clips_do_not(tmp_path: Path) -> None:
    """Eight clips of a mouth that does other things too, all of them 80 ms early: alone some are not sure."""
    root = tmp_path / "tree"
    for take in range(8):
        audio, opening = speech(2.5, 60 + take)
        opening = (opening + 1.4 * speech(2.5, 160 + take)[1]) / 2.4
        write_etf_clip(root, f"x_{take}", sync.shifted(audio, 0.08), opening)

    def reader():
        return (replace(clip, recording="x") for clip in etf_reader(root))

    apart = [finish_clip(clip, Settings()).row for clip in etf_reader(root)]
    assert sum(row["corrected"] for row in apart) < 8
    (clips,) = recordings(reader)
    assert len(clips) == 8
    settings = Settings(work=tmp_path / "work")
    learn_delay(clips, settings)
    together = [finish_clip(clip, settings).row for clip in reader()]
    assert all(row["corrected"] for row in together) and len({row["delay_ms"] for row in together}) == 1
    error = [np.abs(np.array([row["delay_ms"] for row in rows]) + 80).mean() for rows in (apart, together)]
    assert error[1] < 30 and error[1] < error[0]
    prepare(reader, tmp_path / "shards", Settings(), PrepareOptions())
    assert [row["delay_ms"] for row in read_rows(tmp_path / "shards")] == [row["delay_ms"] for row in together]


def test_recordings_are_those_whose_delay_is_unknown() -> None:
    source = ClipSource("", "s", "x", UNKNOWN_LICENCE, motion=Motion(Path("a"), "npz"))

    def reader():
        yield from (replace(source, id=f"a{i}", recording="a") for i in range(3))
        yield from (replace(source, id=f"b{i}", recording="b", mouth_after_audio=0.1) for i in range(3))
        yield replace(source, id="c0", recording="c")
        yield from (replace(source, id=f"n{i}") for i in range(3))
        yield replace(source, id="a3", recording="a")

    assert [[clip.id for clip in clips] for clips in recordings(reader)] == [["a0", "a1", "a2"]]


def test_silence_proves_no_delay() -> None:
    still = np.full(300, 0.2)
    delay = sync.measure_delay(Audio(np.zeros(160_000), 16_000), still, 30, np.ones(300, bool))
    assert delay == sync.UNKNOWN and not delay.sure


def test_a_mouth_that_does_not_speak_its_sound_is_left_out(tmp_path: Path) -> None:
    write_etf_clip(tmp_path, "x_1", speech(20.0, 7)[0], speech(20.0, 8)[1][::-1])
    row = finish_clip(next(etf_reader(tmp_path)), Settings()).row
    assert row["verdict"] == "rejected" and "does not speak this sound" in row["reason"]


def test_a_still_mouth_and_a_missing_sound_are_told(tmp_path: Path) -> None:
    audio, opening = speech(3.0, 1)
    write_etf_clip(tmp_path, "x_1", audio, 0 * opening)
    write_etf_clip(tmp_path, "x_2", Audio(np.zeros(0, np.float32), 16_000), opening)
    still, silent = (finish_clip(clip, Settings()).row for clip in etf_reader(tmp_path))
    assert still["verdict"] == "rejected" and "hardly moves" in still["reason"]
    assert silent["verdict"] == "failed" and "it has no sound" in silent["reason"]


def test_scores_of_what_the_tracker_saw() -> None:
    random = np.random.default_rng(0)
    audio, opening = speech(6.0, 3)
    opening[:60] = 0
    audio = Audio(np.concatenate([np.zeros(32_000, np.float32), audio.samples[32_000:]]), 16_000)
    curves = np.zeros((180, arkit.CHANNEL_COUNT), np.float32)
    curves[:, arkit.INDEX["jawOpen"]] = np.clip(0.5 * opening, 0, 1)
    valid = np.ones(180, bool)
    valid[150:] = False
    covered = np.arange(180) >= 165
    seen = Seen(valid, valid.astype(np.float32), np.where(np.arange(180) < 45, 2, 1), covered)

    def scores(noise: float, smile: float):
        shaken = np.clip(curves + noise * random.standard_normal(curves.shape).astype(np.float32), 0, 1)
        shaken[:, arkit.INDEX["mouthSmileLeft"]] += smile
        return measure(FaceAnimation(np.clip(shaken, 0, 1), 30), audio, seen, sync.UNKNOWN, False, True)

    calm, trembling, smiling = scores(0, 0), scores(0.2, 0), scores(0, 0.8)
    assert calm.covered_share == pytest.approx(15 / 180)
    assert "a covered mouth in 8.3%" in replace(calm, face_share=0.5).faults()[0]
    assert calm.face_share == pytest.approx(5 / 6) and calm.crowd_share == 0.25
    assert calm.jitter == pytest.approx(0, abs=1e-6) and calm.rest == pytest.approx(0, abs=1e-6)
    assert trembling.jitter > 0.012 and any("trembles" in fault for fault in trembling.faults())
    assert smiling.rest > 0.02 > calm.rest and trembling.badness > calm.badness
    assert any("several faces" in fault for fault in calm.faults())


@pytest.mark.parametrize("codec", ["flac", "opus"])
def test_sound_comes_back_in_place(codec: str) -> None:
    audio, _ = speech(2.0, 4)
    data = encode_sound(audio, codec)
    assert data == encode_sound(audio, codec)
    back = decode_sound(data)
    assert len(back) == pytest.approx(len(audio.samples), abs=400)
    count = min(len(back), len(audio.samples))
    a, b = (np.convolve(np.abs(x[:count]), np.ones(80) / 80) for x in (back, audio.samples))
    lag = np.argmax([np.corrcoef(np.roll(a, s)[800:-800], b[800:-800])[0, 1] for s in range(-320, 321, 8)]) * 8 - 320
    assert abs(lag) <= 16


def crash_on_three(number: int) -> None:
    import os

    if number == 3:
        os._exit(1)
    if number == 5:
        raise TalkerError("five is wrong")


@pytest.mark.slow
def test_a_task_that_takes_its_process_down_is_reported_alone() -> None:
    heard: dict[int, str | None] = {}
    with LocalPool(2) as pool:
        pool.run(crash_on_three, range(8), heard.__setitem__)
    assert heard == {n: {3: "it takes the whole process down", 5: "five is wrong"}.get(n) for n in range(8)}


def test_the_command_line(etf: Path, shards: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["prepare", "nothing", str(etf), "-o", str(tmp_path / "o")]) == 2
    assert "no such kind of data 'nothing'; choices: mead" in capsys.readouterr().err
    assert main(["prepare", "3d-etf", str(etf), "-o", str(tmp_path / "o"), "--may-ship"]) == 2
    assert "goes with --licence" in capsys.readouterr().err
    assert main(["prepare", "3d-etf", str(etf), "-o", str(shards), "--clips-per-shard", "4"]) == 1
    captured = capsys.readouterr()
    assert "12 of 13 clips" in captured.out and "not a readable .npy file" in captured.err
