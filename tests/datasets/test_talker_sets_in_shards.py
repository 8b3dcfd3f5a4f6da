"""The sets that the default weights come from, prepared and streamed: what a training sees of them."""

import json
import shutil
from collections import Counter
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from talker.cli import main
from talker.datasets.mouth import MOUTH_MEASURES, measure_mouth
from talker.datasets.report import MANIFEST_FILE
from talker.datasets.shards import read_samples
from talker.datasets.stream import ShardStream, StreamOptions
from talker.datasets.talker_sets import HELD_OUT_GRID_CLIPS, read_talker_sets
from talker.errors import TalkerError
from talker.rigs.head_mesh import HeadMesh
from talker.tracking.face_model import FaceModel
from talker.tracking.landmarks import LandmarkTrack, TrackSet
from talker.tracking.person import Person
from talker.training.augment import SPEEDS, augment

DATA = Path(__file__).parents[2] / "../shared/data"
SETS = {"grid_s1": 6, "javanese": 24, "first_impressions": 2}
needs_data = pytest.mark.skipif(not (DATA / "grid_s1/tracks.npz").is_file(), reason="no ../shared/data")


def first_clips(folder: Path, target: Path, count: int) -> None:
    """A set with only the first clips of another."""
    with np.load(folder / "tracks.npz") as arrays:
        kept = dict(arrays)
    frames = kept["start"][count]
    for name in ("landmark_steps", "blendshapes", "found", "head_pose"):
        if name in kept:
            kept[name] = kept[name][:frames]
    for name in ("ids", "fps", "frame_size"):
        kept[name] = kept[name][:count]
    kept["start"] = kept["start"][: count + 1]
    (target / "audio").mkdir(parents=True)
    np.savez(target / "tracks.npz", **kept)
    for name in kept["ids"]:
        for sound in (folder / "audio").glob(f"{name}.*"):
            shutil.copy(sound, target / "audio")
    for table in folder.glob("*.json"):
        shutil.copy(table, target)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("data")
    for name, count in SETS.items():
        first_clips(DATA / name, root / name, count)
    output = root.parent / "talker shards"
    assert main(["prepare", "talker", str(root), "-o", str(output), "--sets", *SETS, "--sound", "opus"]) == 0
    return output


@needs_data
@pytest.mark.slow
def test_licences_are_told_clip_by_clip(prepared: Path) -> None:
    rows = [json.loads(line) for line in (prepared / MANIFEST_FILE).read_text(encoding="utf-8").splitlines()]
    assert Counter(row["set"] for row in rows) == SETS
    terms = {(row["set"], row["licence"], row["may_ship"]) for row in rows}
    assert terms == {
        ("grid_s1", "CC BY 4.0", True),
        ("javanese", "sound MIT, picture not stated", True),
        ("first_impressions", "CC BY-NC 4.0", False),
    }
    inside = {
        key: json.loads(members["json"]) for path in prepared.glob("*.tar") for key, members in read_samples(path)
    }
    assert all(inside[row["key"]]["licence"] == row["licence"] for row in rows) and len(inside) == len(rows)


@needs_data
@pytest.mark.slow
def test_crops_to_train_on(prepared: Path) -> None:
    weights = {"javanese": 1.0}
    stream = ShardStream([prepared], StreamOptions(weights=weights, speeds=SPEEDS, shippable=True), augment)
    for crop in islice(stream, 40):
        assert crop["curves"].shape == (150, 61) and crop["mouth"].shape == (150, len(MOUTH_MEASURES))
        assert crop["weight"].shape == crop["mouth_weight"].shape == (150,)
        assert crop["samples"].isfinite().all() and crop["mouth"].isfinite().all() and crop["speaker"] in ("01", "02")
    plain = list(ShardStream([prepared], StreamOptions(held=0)))
    assert {crop["set"] for crop in plain} == {
        "javanese"
    }  # Six clips of GRID are its last hundred; strangers stay out.
    for crop in plain:
        known = crop["mouth_weight"] > 0
        jaw, chin = crop["curves"][known, 17].numpy(), crop["mouth"][known, 2].numpy()
        assert known.sum() > 40 and np.corrcoef(jaw, chin)[0, 1] > 0.6, crop["key"]


@needs_data
@pytest.mark.slow
def test_strangers_and_the_last_of_grid_are_held_out(prepared: Path) -> None:
    held_out = ShardStream([prepared], StreamOptions(split="validation"))
    assert {crop["set"] for crop in held_out} == {"grid_s1", "first_impressions"}
    with pytest.raises(TalkerError, match="no clip of the set 'first_impressions'"):
        ShardStream([prepared], StreamOptions(weights={"first_impressions": 1.0}))


@needs_data
def test_who_is_held_out_of_the_whole_sets() -> None:
    found = Counter((clip.set, clip.split) for clip in read_talker_sets(DATA, list(SETS)))
    assert found["grid_s1", "validation"] == HELD_OUT_GRID_CLIPS and found["first_impressions", "validation"] == 44
    actors = {(clip.speaker, clip.split) for clip in read_talker_sets(DATA, ["javanese", "javanese_audio"])}
    assert {speaker for speaker, split in actors if split == "validation"} == {"03", "07"}
    assert len(actors) == 8
    with pytest.raises(TalkerError, match=r"no such set 'grid'; did you mean 'grid_s1'\?; choices: grid_s1"):
        next(read_talker_sets(DATA, ["grid"]))


@needs_data
def test_mouths_are_measured_whatever_the_head_does() -> None:
    """The same frames farther away, tilted and moved give the same; a frame without a face gives none."""
    track: LandmarkTrack = TrackSet(DATA / "grid_s1").track(0, sound=False)
    model = FaceModel.of(HeadMesh.load(), np.array(sorted(map(int, track.index))))
    seen = track.points(model.index).astype(np.float64)
    person = Person(model.neutral, (1.0, 1.0))
    plain = measure_mouth(seen, person, model)
    tilt = np.array([[np.cos(0.3), -np.sin(0.3), 0], [np.sin(0.3), np.cos(0.3), 0], [0, 0, 1]])
    moved = 0.5 * seen @ tilt.T + [100, -50, 0]
    moved[10] = np.nan
    other = measure_mouth(moved, person, model)
    assert np.isnan(other[10]).all() and np.isfinite(plain).all()
    assert np.nanmax(np.abs(other - plain)) < 1e-3
    raw = seen[:, model.at(13)[0], 1] - seen[:, model.at(14)[0], 1]
    assert np.corrcoef(plain[:, 0], raw)[0, 1] > 0.95
