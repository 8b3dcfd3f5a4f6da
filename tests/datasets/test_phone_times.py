"""Phones of GRID's words and of EmoDB's labels."""

import json
from itertools import pairwise
from pathlib import Path

import pytest

from talker.datasets.phone_times import GRID_LEXICON, SpokenWord, emodb_phones, grid_words
from talker.errors import TalkerError
from talker.phones import SILENCE, from_ipa, index

_DATA = Path(__file__).parents[3] / "shared" / "data"


def test_grid_words_have_phones_and_seconds(tmp_path: Path) -> None:
    (tmp_path / "words.json").write_text(json.dumps({"clip": "0 23750 sil\n23750 29500 bin\n29500 30000 sp\n"}))
    assert grid_words(tmp_path)["clip"] == [
        SpokenWord("sil", 0.0, 0.95, (SILENCE,)),
        SpokenWord("bin", 0.95, 1.18, ("b", "ɪ", "n")),
        SpokenWord("sp", 1.18, 1.2, (SILENCE,)),
    ]


def test_a_word_outside_the_grammar_is_named(tmp_path: Path) -> None:
    (tmp_path / "words.json").write_text(json.dumps({"clip": "0 100 banana"}))
    with pytest.raises(TalkerError, match="GRID clip clip: '0 100 banana'"):
        grid_words(tmp_path)


def test_the_lexicon_has_the_whole_grammar() -> None:
    assert len(GRID_LEXICON) == 4 + 4 + 4 + 25 + 10 + 4
    assert all(from_ipa(ipa) for ipa in GRID_LEXICON.values())


def test_emodb_closure_burst_and_aspiration_are_one_stop(tmp_path: Path) -> None:
    labels = [
        "0.1 -1 _d",
        "0.15 -1 !d\t-sth",
        "0.16 -1 dasp",
        "0.2 -1 aI\t+nas",
        "0.25 -1 \t+sth",
        "0.3 -1 d",
        "0.4 -1 .",
    ]
    (tmp_path / "phones.json").write_text(json.dumps({"clip": "signal x\n#\n" + "\n".join(labels)}))
    expected = [(SILENCE, 0.0, 0.1), ("d", 0.1, 0.2), ("a", 0.2, 0.25), ("ɪ", 0.25, 0.3), ("d", 0.3, 0.4)]
    found = emodb_phones(tmp_path)["clip"]
    assert [phone for phone, _, _ in found] == [*(phone for phone, _, _ in expected), SILENCE]
    for (_, start, end), (_, right_start, right_end) in zip(found, expected, strict=False):
        assert (start, end) == pytest.approx((right_start, right_end))


@pytest.mark.skipif(not _DATA.is_dir(), reason="the data sets in ../shared/data are not here")
def test_every_real_clip_is_understood() -> None:
    words, phones = grid_words(_DATA / "grid_s1"), emodb_phones(_DATA / "emodb")
    assert (len(words), len(phones)) == (900, 535)
    for spans in phones.values():
        assert all(index(phone) >= 0 and start <= end for phone, start, end in spans)
        assert all(before[2] == after[1] for before, after in pairwise(spans))
