"""What is learnt from acted clips: the table finds what was put in, and says what is from where."""

import json

import numpy as np
import pytest

from talker.direction.acting import parted
from talker.emotion import EMOTIONS, emotion_pose
from talker.errors import TalkerError
from talker.resources import rigs_dir
from talker.rigs import arkit
from talker.training.emotion_statistics import Take, acting_table

_SMILE, _FROWN, _BROW = (
    [arkit.INDEX[f"{stem}{side}"] for side in ("Left", "Right")] for stem in ("mouthSmile", "mouthFrown", "browDown")
)


def takes(actors: int) -> dict[tuple[str, str], list[Take]]:
    """Actors who smile when happy, each in another measure, and open their mouths wider in anger."""
    random = np.random.default_rng(0)
    out: dict[tuple[str, str], list[Take]] = {}
    for actor in range(actors):
        for label in ("neutral", "happy", "angry"):
            shapes = np.clip(random.normal(0.0, 0.01, (200, 52)), 0, 1)
            gap = random.permutation(np.linspace(0, 0.2, 200))
            shapes[:, _FROWN] += 0.2
            if label == "happy":
                shapes[:, _SMILE] += 0.4 + 0.04 * actor
                shapes[:, _FROWN] -= 0.1
                shapes[:, _BROW] += 0.3  # The tracker may say so; brows are built.
            if label == "angry":
                gap = 1.4 * gap - 0.02 * parted(gap)
            out[str(actor), label] = [(shapes.astype(np.float32), gap.astype(np.float32), 30.0)]
    return out


def test_changes_that_all_actors_show_are_learnt_and_the_rest_is_built() -> None:
    table = acting_table(takes(5))
    assert list(table) == list(EMOTIONS[1:])
    happy, built = table["happy"]["shapes"], emotion_pose("happy")
    vivid = 0.48 + np.std([0.4, 0.44, 0.48, 0.52, 0.56], ddof=1)
    assert happy["mouthSmile"] == [pytest.approx((vivid + built[_SMILE[0]]) / 2, abs=0.02), "both"]
    assert happy["cheekSquint"] == [pytest.approx(float(built[arkit.INDEX["cheekSquintLeft"]]), abs=1e-3), "built"]
    assert "browDown" not in happy
    assert table["happy"]["damped"]["mouthFrown"] == [pytest.approx(0.5, abs=0.05), "learnt"]
    assert table["angry"]["mouth_amplitude"] == [pytest.approx(1.4, abs=0.02), "learnt"]
    assert table["contempt"]["mouth_amplitude"][1] == "built"  # Nobody acted it.


def test_too_few_actors_are_an_error() -> None:
    with pytest.raises(TalkerError, match="2 actors are too few to learn from; at least 4 are needed"):
        acting_table(takes(2))


def test_the_shipped_table_says_where_every_number_is_from_and_follows_the_poses() -> None:
    table = json.loads((rigs_dir() / "emotions" / "acting.json").read_text(encoding="utf-8"))
    assert set(table) == set(EMOTIONS[1:])
    for label, row in table.items():
        numbers = [row[name] for name in ("onset_seconds", "mouth_amplitude", "parting", "wobble")]
        numbers += [*row["shapes"].values(), *row["damped"].values()]
        assert all(source in ("learnt", "built", "both") for _, source in numbers)
        for stem, (value, source) in row["shapes"].items():
            assert 0 < value <= 1
            if source == "built":
                name = stem if stem in arkit.INDEX else f"{stem}Left"
                assert value == pytest.approx(float(emotion_pose(label)[arkit.INDEX[name]]), abs=1e-3)
    for label in ("disgusted", "contempt"):
        assert {source for _, source in table[label]["shapes"].values()} == {"built"}
