"""A small data set, as files and prepared."""

from pathlib import Path

import pytest
from little_set import CLIPS_EACH, SPEAKERS, etf_reader, speech, write_etf_clip

from talker.audio import write_wav
from talker.datasets.clip_work import Settings
from talker.datasets.prepare import PrepareOptions, prepare


@pytest.fixture(scope="session")
def etf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four speakers with three clips each, and one file that is no array."""
    root = tmp_path_factory.mktemp("etf")
    for number, speaker in enumerate(SPEAKERS):
        for take in range(CLIPS_EACH):
            audio, opening = speech(2.0 + take, 10 * number + take)
            write_etf_clip(root, f"03-01-0{3 + take}-01-01-01-{speaker}", audio, opening)
    (root / "npy/03-01-08-01-01-02-01.npy").write_bytes(b"no array at all")
    write_wav(speech(2.0, 99)[0], root / "wav/03-01-08-01-01-02-01.wav")
    return root


@pytest.fixture(scope="session")
def shards(etf: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same, prepared."""
    output = tmp_path_factory.mktemp("prepared") / "shards"
    prepare(lambda: etf_reader(etf), output, Settings(), PrepareOptions(per_shard=4))
    return output
