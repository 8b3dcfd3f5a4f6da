"""`talker rigs list` and `talker rigs show`: complete, consistent with the code, readable by programs."""

import json

import pytest

from talker.cli import main
from talker.errors import TalkerError
from talker.export import registry
from talker.rigs import arkit, catalogue, emoface, metahuman, visemes, vrm


def test_every_rig_of_the_formats_is_catalogued() -> None:
    assert {rig.name for rig in catalogue.RIGS} == set(registry.RIGS)


@pytest.mark.parametrize("rig", catalogue.RIGS, ids=lambda rig: rig.name)
def test_shows_as_tables_and_as_json(rig: catalogue.Rig, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["rigs", "show", rig.name, "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert data["name"] == rig.name
    assert main(["rigs", "show", rig.name]) == 0
    text = capsys.readouterr().out
    for title, rows in data["tables"].items():
        assert title in text
        for row in rows:
            assert row.keys() == rows[0].keys()
            assert row["name"] in text


def test_names_are_the_codes_own() -> None:
    def names(rig: str) -> list[list[str]]:
        return [[str(row["name"]) for row in rows] for rows in catalogue.find_rig(rig).tables().values()]

    assert names("arkit") == [list(arkit.SHAPES), list(arkit.ANGLES)]
    assert names("metahuman") == [
        [control.name for control in metahuman.BOARD_CONTROLS],
        [curve.name for curve in metahuman.CURVES],
    ]
    assert names("emoface") == [list(emoface.COLUMNS)]
    assert names("viseme") == [list(visemes.VISEMES)]
    assert names("vrm") == [list(vrm.EXPRESSIONS)]


@pytest.mark.parametrize(
    ("rig", "counts"),
    [("arkit", [52, 9]), ("metahuman", [174, 251]), ("emoface", [174]), ("viseme", [15]), ("vrm", [17])],
)
def test_counts_in_the_list_are_true(rig: str, counts: list[int]) -> None:
    found = catalogue.find_rig(rig)
    assert [len(rows) for rows in found.tables().values()] == counts
    for count in counts:
        assert str(count) in found.channels


def test_arkit_rows_say_partner_unit_and_region(capsys: pytest.CaptureFixture[str]) -> None:
    shapes, angles = catalogue.find_rig("arkit").tables().values()
    assert {"name": "mouthSmileLeft", "region": "mouth", "facs": "AU12", "partner": "mouthSmileRight"} in shapes
    assert {"name": "jawOpen", "region": "jaw", "facs": "AU26", "partner": ""} in shapes
    assert {"name": "headPitch", "unit": "radians", "positive": "down", "partner": ""} in angles


def test_list_names_the_formats_of_each_rig(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["rigs", "list", "--json"]) == 0
    rigs = {rig["name"]: rig for rig in json.loads(capsys.readouterr().out)}
    assert {"npz", "livelink-csv", "a2f-json"} <= set(rigs["arkit"]["formats"])
    assert main(["rigs", "list"]) == 0
    assert "viseme-csv, viseme-json" in capsys.readouterr().out


def test_unknown_rigs_are_answered_with_a_suggestion(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(TalkerError):
        catalogue.find_rig("metahumans")
    assert main(["rigs", "show", "metahumans"]) == 2
    assert capsys.readouterr().err == (
        "talker: error: no such rig 'metahumans'; did you mean 'metahuman'?; "
        "choices: arkit, metahuman, emoface, viseme, vrm, flame, smplx\n"
    )
