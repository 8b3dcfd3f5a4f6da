"""Synthesised speech: what is planned, how it is pronounced, and when every phone sounds."""

import shutil
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from talker.audio import NETWORK_RATE, Audio
from talker.errors import TalkerError
from talker.phones import PHONES, SILENCE, VOWELS, TimedPhone, from_ipa
from talker.training.synthesis.alignment import Aligner
from talker.training.synthesis.corpus import (
    HELD_OUT_VOICES,
    MANIFEST,
    align_corpus,
    done_seconds,
    plan_clip,
    read_manifest,
    save,
    times_of,
)
from talker.training.synthesis.kokoro import FRAME, RATE, SYMBOL_NUMBERS, Kokoro
from talker.training.synthesis.pronunciation import from_espeak, symbols_of
from talker.training.synthesis.timing import LEAD, phone_times
from talker.training.synthesis.words import WORDS

_VOICES = (*HELD_OUT_VOICES, "af_heart", "bm_daniel", "ff_siwis", "ef_dora", "jm_kumo")
_FRAME_SECONDS = FRAME / RATE
needs_espeak = pytest.mark.skipif(shutil.which("espeak-ng") is None, reason="the program espeak-ng is not installed")


@pytest.fixture
def spoken(monkeypatch: pytest.MonkeyPatch) -> None:
    """Plans without espeak-ng."""
    monkeypatch.setattr("talker.training.synthesis.texts.symbols_of", lambda text, language: "bˈa bˈo")


def _sound(phones: list[tuple[str, int]]) -> np.ndarray:
    """Noise where a vowel is, silence elsewhere, as long as the frames say and ahead of them as Kokoro is."""
    rng = np.random.default_rng(0)
    frames = sum(count for _, count in phones)
    samples = np.zeros(round(frames * _FRAME_SECONDS * NETWORK_RATE), np.float32)
    at = -LEAD
    for phone, count in phones:
        first, last = (max(round(time * NETWORK_RATE), 0) for time in (at, at + count * _FRAME_SECONDS))
        if phone in VOWELS:
            samples[first:last] = rng.normal(0, 0.1, last - first)
        at += count * _FRAME_SECONDS
    return samples


def _times(symbols: str, frames: list[int]) -> list[TimedPhone]:
    marks = [SILENCE, *symbols, SILENCE]
    return phone_times(symbols, frames, _sound(list(zip(marks, frames, strict=True))))


def test_phones_cover_the_clip_and_carry_the_lead() -> None:
    times = _times("ama", [10, 4, 2, 4, 10])
    assert [phone for phone, _, _ in times] == [SILENCE, "a", "m", "a", SILENCE]
    assert times[0][1] == 0.0
    assert times[-1][2] == pytest.approx(30 * _FRAME_SECONDS)
    assert all(before[2] == after[1] for before, after in pairwise(times))
    assert times[1][1:] == pytest.approx((10 * _FRAME_SECONDS - LEAD, 14 * _FRAME_SECONDS - LEAD), abs=0.006)


def test_stress_goes_to_the_vowel_length_stays_and_a_space_is_the_closure_of_a_stop() -> None:
    times = {phone: (start, end) for phone, start, end in _times("ɪ bˈɔːt", [10, 4, 2, 2, 3, 4, 2, 2, 8])}
    assert list(times) == [SILENCE, "ɪ", "b", "ɔ", "t"] or list(times) == [SILENCE, "ɪ", "b", "ɔ", "t", SILENCE]
    assert times["b"][1] - times["b"][0] == pytest.approx(4 * _FRAME_SECONDS)
    assert times["ɔ"][1] - times["ɔ"][0] == pytest.approx(9 * _FRAME_SECONDS)


def test_a_comma_is_silence_only_when_it_is_silent() -> None:
    quiet = [phone for phone, _, _ in _times("a, a", [10, 4, 8, 4, 4, 10])]
    assert quiet == [SILENCE, "a", SILENCE, "a", SILENCE]
    loud = _sound([(SILENCE, 10), ("a", 20), (SILENCE, 10)])
    spans = phone_times("a, a", [10, 4, 8, 4, 4, 10], loud)
    assert [phone for phone, _, _ in spans] == [SILENCE, "a", "a", SILENCE]


def test_a_diphthong_is_two_phones() -> None:
    assert [phone for phone, _, _ in _times("mA", [8, 3, 6, 8])] == [SILENCE, "m", "e", "ɪ", SILENCE]


def test_espeak_notation_becomes_kokoros() -> None:
    assert from_espeak("hˈaɪ bˈʌʔn\u0329 wˈɔːɾɚ t^ʃˈo^ʊz", "en-us") == "hˈaɪ bˈʌtᵊn wˈɔTəɹ ʧˈOz"
    assert from_espeak("bˈɜːd nˌi^ə", "en-gb") == "bˈɜːd nˌɪə"
    assert from_espeak("byˈi (^e^n)mˈʌðə(^f^r) bɔ\u0303\nla-", "fr") == "byˈi mˈʌðə bɔ\u0303 la"
    assert from_espeak("ç", "de") == "ç"
    assert from_espeak("nˈo^ɪt^ʃy", "pt-br") == "nˈoɪʧi" and from_espeak("sˈyn", "ru") == "sˈɨn"  # No rounded lips.


def test_every_symbol_of_kokoro_is_a_phone_or_a_mark() -> None:
    silent = {symbol for symbol in SYMBOL_NUMBERS if not from_ipa(symbol)}
    assert silent == set(";:,.!?—… ˈˌːʰʲᵝ\u0303")


@pytest.mark.usefixtures("spoken")
def test_plans_repeat_and_keep_the_test_voices_apart() -> None:
    train = [plan_clip("train", 0, number, _VOICES) for number in range(300)]
    assert train == [plan_clip("train", 0, number, _VOICES) for number in range(300)]
    assert train != [plan_clip("train", 1, number, _VOICES) for number in range(300)]
    heard = {voice for clip in train for voice in (*clip.timbre, *clip.melody)}
    assert heard == set(_VOICES) - set(HELD_OUT_VOICES)
    assert any(len(clip.timbre) == 2 for clip in train)
    assert all(sum(clip.timbre.values()) == pytest.approx(1) for clip in train)
    tested = [plan_clip("test", 0, number, _VOICES) for number in range(100)]
    assert {voice for clip in tested for voice in (*clip.timbre, *clip.melody)} == set(HELD_OUT_VOICES)


@pytest.mark.usefixtures("spoken")
def test_chosen_languages_are_the_only_ones() -> None:
    clips = [plan_clip("train", 1, number, _VOICES, languages=("fr", "invented")) for number in range(60)]
    assert {clip.language for clip in clips} == {"fr", "invented"}


@pytest.mark.usefixtures("spoken")
def test_invented_words_say_every_phone_and_favour_the_lips() -> None:
    clips = [plan_clip("train", 0, number, _VOICES) for number in range(1500)]
    said = [
        phone
        for clip in clips
        if clip.language == "invented"
        for sentence in clip.sentences
        for phone in from_ipa(sentence.symbols)
    ]
    assert set(PHONES) - set(said) <= {SILENCE, "ʔ"}
    lips = sum(phone in set("pbmfvw") for phone in said)
    assert lips / sum(phone not in VOWELS for phone in said) > 0.4


def _line(clip_id: str, split: str, samples: np.ndarray, frames: list[int]) -> dict[str, object]:
    pieces = [{"start": 0.0, "symbols": "ama", "frames": frames}]
    seconds = len(samples) / NETWORK_RATE
    return {"id": clip_id, "split": split, "seconds": seconds, "pieces": pieces, "phones": times_of(pieces, samples)}


def _buzz(borders: list[float], seconds: float) -> np.ndarray:
    """[ama]: noise, hum, noise between four borders, silence around it."""
    rng = np.random.default_rng(1)
    time = np.arange(round(seconds * NETWORK_RATE)) / NETWORK_RATE
    noise = rng.normal(0, 0.2, len(time))
    hum = 0.1 * np.sin(2 * np.pi * 150 * time)
    inside = (time > borders[0]) & (time < borders[3])
    return np.where((time > borders[1]) & (time < borders[2]), hum, noise * inside).astype(np.float32)


def test_borders_move_to_where_the_sound_changes() -> None:
    rng = np.random.default_rng(2)
    clips, truths = [], []
    for _ in range(12):
        truth = np.cumsum([0.3, *rng.uniform(0.1, 0.2, 3)])
        rough = [0.0, *(truth + rng.uniform(-0.02, 0.02, 4)), 1.2]
        names = [SILENCE, "a", "m", "a", SILENCE]
        clips.append((_buzz(list(truth), 1.2), list(zip(names, rough[:-1], rough[1:], strict=True))))
        truths.append(truth)
    aligner = Aligner()
    aligner.fit(clips)
    errors = [
        abs(start - right)
        for (samples, spans), truth in zip(clips, truths, strict=True)
        for (_, start, _), right in zip(aligner.align(samples, spans)[1:], truth, strict=True)
    ]
    assert np.mean(errors) < 0.007  # It was 0.010 before.
    aligned = aligner.align(*clips[0])
    assert [span[0] for span in aligned] == [span[0] for span in clips[0][1]]
    assert (aligned[0][1], aligned[-1][2]) == (0.0, 1.2)


def test_a_killed_run_is_continued_and_its_borders_settle(tmp_path: Path) -> None:
    frames = [14, 6, 6, 6, 16]
    samples = _buzz([0.3, 0.45, 0.6, 0.75], 1.2)
    for number, split in enumerate(["train", "train", "test"]):
        save(tmp_path, Audio(samples, NETWORK_RATE), _line(f"{split}-{number}", split, samples, frames))
    with (tmp_path / MANIFEST).open("a") as manifest:
        manifest.write('{"id": "half a li')
    assert done_seconds(tmp_path) == {"train-0": 1.2, "train-1": 1.2, "test-2": 1.2}
    align_corpus(tmp_path)
    once = list(read_manifest(tmp_path))
    align_corpus(tmp_path)
    assert once == list(read_manifest(tmp_path))
    assert [span[0] for span in once[0]["phones"]] == [SILENCE, "a", "m", "a", SILENCE]
    assert done_seconds(tmp_path / "nothing") == {}


def test_packages_that_are_missing_or_damaged_are_named(tmp_path: Path) -> None:
    with pytest.raises(TalkerError, match=r"npm pack kokoro-js@1\.2\.1"):
        Kokoro.voices(tmp_path)


@pytest.mark.slow
@needs_espeak
def test_every_listed_word_can_be_spoken() -> None:
    for language, words in WORDS.items():
        symbols = symbols_of(" ".join(words), language)
        assert len(from_ipa(symbols)) > 2 * len(words)
        assert set(symbols) <= set(SYMBOL_NUMBERS)
