"""Hours of synthesised speech in a folder: planned by number, so that a run can be killed and continued."""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np

from talker.audio import NETWORK_RATE, Audio, read_audio
from talker.errors import TalkerError
from talker.files import atomic_output, read_text
from talker.phones import SILENCE, TimedPhone
from talker.training.synthesis.alignment import Aligner
from talker.training.synthesis.kokoro import FRAME, RATE, Kokoro
from talker.training.synthesis.texts import INVENTED, LANGUAGE_SHARES, Sentence, sentence
from talker.training.synthesis.timing import phone_times

MANIFEST: Final = "manifest.jsonl"

HELD_OUT_VOICES: Final = ("af_river", "am_puck", "bf_lily", "em_alex", "hf_beta", "zm_yunjian")
"""Never heard in training, not even as a part of a mixture."""

Split = Literal["train", "test"]

_NATIVE_LETTERS = {"en-us": "a", "en-gb": "b", "es": "e", "fr": "f", "it": "i", "pt-br": "p", "hi": "h"}
_INVENTED_SHARE = 0.2
_TIMBRE = 128  # Of a style row's 256 numbers: the rest sets melody and durations.


@dataclass(frozen=True)
class Clip:
    """One clip as planned: everything that decides how it sounds.

    Attributes:
        id: File name without its suffix.
        split: Training, or a test on unseen voices.
        language: espeak-ng's name, or "invented".
        sentences: Spoken one after the other, each by itself.
        gaps: Seconds of silence before, between and after them: one more than there are sentences.
        timbre: Voice -> share of it in the sound.
        melody: Voice -> share of it in intonation and durations.
        speed: 1 is the voice's own.
    """

    id: str
    split: Split
    language: str
    sentences: tuple[Sentence, ...]
    gaps: tuple[float, ...]
    timbre: dict[str, float]
    melody: dict[str, float]
    speed: float


def plan_clip(
    split: Split,
    seed: int,
    number: int,
    voices: tuple[str, ...],
    transcripts: tuple[str, ...] = (),
    languages: tuple[str, ...] = (),
) -> Clip:
    """The clip that a seed and a number stand for; in any of `languages`, or of all in their shares."""
    rng = np.random.default_rng([seed, number, 0 if split == "train" else 1])
    language = languages[int(rng.integers(len(languages)))] if languages else _language(rng)
    allowed = HELD_OUT_VOICES if split == "test" else tuple(name for name in voices if name not in HELD_OUT_VOICES)
    timbre = _voices(rng, allowed, language, mixes=split == "train")
    melody = _voices(rng, allowed, language, mixes=False) if split == "train" and rng.random() < 0.25 else timbre
    count = int(rng.choice([1, 2], p=[0.7, 0.3]))
    return Clip(
        id=f"{split}-{seed}-{number:06d}",
        split=split,
        language=language,
        sentences=tuple(sentence(rng, language, transcripts) for _ in range(count)),
        gaps=tuple(_gap(rng) for _ in range(count + 1)),
        timbre=timbre,
        melody=melody,
        speed=round(float(rng.uniform(0.8, 1.25)), 3),
    )


def _language(rng: np.random.Generator) -> str:
    if rng.random() < _INVENTED_SHARE:
        return INVENTED
    shares = np.array(list(LANGUAGE_SHARES.values()))
    return list(LANGUAGE_SHARES)[int(rng.choice(len(shares), p=shares / shares.sum()))]


def _voices(rng: np.random.Generator, allowed: tuple[str, ...], language: str, *, mixes: bool) -> dict[str, float]:
    """A native speaker, a foreigner, or a blend of two people who does not exist."""
    native = [name for name in allowed if name[0] == _NATIVE_LETTERS.get(language)]
    kind = rng.random()
    if native and kind < 0.4:
        return {native[int(rng.integers(len(native)))]: 1.0}
    if not mixes or kind < 0.6:
        return {allowed[int(rng.integers(len(allowed)))]: 1.0}
    first, second = (allowed[int(at)] for at in rng.choice(len(allowed), 2, replace=False))
    share = round(float(rng.uniform(0.3, 0.7)), 2)
    return {first: share, second: round(1 - share, 2)}


def _gap(rng: np.random.Generator) -> float:
    """Mostly none: Kokoro breathes by itself. Now and then somebody is silent for long."""
    return round(float(rng.uniform(0.2, 2.0)), 2) if rng.random() < 0.15 else 0.0


def speak(kokoro: Kokoro, clip: Clip) -> tuple[Audio, dict[str, Any]]:
    """The sound of a clip at 16 kHz, and its line of the manifest."""
    style = _style(kokoro, clip)
    sounds = [np.zeros(round(clip.gaps[0] * NETWORK_RATE), np.float32)]
    pieces: list[dict[str, Any]] = []
    for said, gap in zip(clip.sentences, clip.gaps[1:], strict=True):
        utterance = kokoro.say(said.symbols, style, clip.speed)
        start = sum(map(len, sounds)) / NETWORK_RATE
        sounds += [Audio(utterance.samples, RATE).resample(NETWORK_RATE).samples]
        sounds += [np.zeros(round(gap * NETWORK_RATE), np.float32)]
        pieces.append({"start": start, "symbols": said.symbols, "frames": utterance.frames})
    samples = np.concatenate(sounds)
    samples /= max(1.0, float(np.abs(samples).max()))
    line = {
        "id": clip.id,
        "split": clip.split,
        "language": clip.language,
        "voices": clip.timbre,
        "melody": clip.melody,
        "speed": clip.speed,
        "text": " ".join(said.text for said in clip.sentences),
        "seconds": len(samples) / NETWORK_RATE,
        "phones": times_of(pieces, samples),
        "pieces": pieces,
    }
    return Audio(samples, NETWORK_RATE), line


def times_of(pieces: list[dict[str, Any]], samples: np.ndarray) -> list[TimedPhone]:
    """Phones over a whole clip from what Kokoro reported for each piece of it."""
    spans: list[TimedPhone] = []
    for piece in pieces:
        first = round(piece["start"] * NETWORK_RATE)
        last = first + round(sum(piece["frames"]) * FRAME * NETWORK_RATE / RATE)
        spans += [
            (phone, start + piece["start"], end + piece["start"])
            for phone, start, end in phone_times(piece["symbols"], piece["frames"], samples[first:last])
        ]
    return _without_gaps(spans, len(samples) / NETWORK_RATE)


def _without_gaps(spans: list[TimedPhone], seconds: float) -> list[TimedPhone]:
    """Silence wherever nothing is said, neighbouring silences as one."""
    filled: list[TimedPhone] = []
    at = 0.0
    for phone, start, end in [*spans, (SILENCE, seconds, seconds)]:
        if start > at + 1e-3:
            filled.append((SILENCE, at, start))
        filled.append((phone, start, end))
        at = end
    joined: list[TimedPhone] = []
    for phone, start, end in filled:
        if joined and phone == SILENCE == joined[-1][0]:
            joined[-1] = (SILENCE, joined[-1][1], end)
        else:
            joined.append((phone, start, end))
    return [(phone, round(start, 4), round(end, 4)) for phone, start, end in joined]


def _style(kokoro: Kokoro, clip: Clip) -> np.ndarray:
    timbre, melody = (
        sum(share * kokoro.styles[name] for name, share in voices.items()) for voices in (clip.timbre, clip.melody)
    )
    return np.concatenate([np.asarray(timbre)[:, :_TIMBRE], np.asarray(melody)[:, _TIMBRE:]], axis=1)


def read_manifest(folder: Path) -> Iterator[dict[str, Any]]:
    """Every clip that is done; the sound of each lies beside the manifest as <id>.flac, 16 kHz mono."""
    for number, text in enumerate(read_text(folder / MANIFEST).splitlines(), start=1):
        try:
            yield json.loads(text)
        except ValueError as error:
            raise TalkerError(f"{folder / MANIFEST}, line {number}: not JSON ({error}); delete that line") from error


def done_seconds(folder: Path) -> dict[str, float]:
    """Id -> seconds of the finished clips, after cutting off a line that a kill left half written."""
    manifest = folder / MANIFEST
    if not manifest.exists():
        return {}
    whole = manifest.read_bytes()
    kept = whole[: whole.rfind(b"\n") + 1]
    if kept != whole:
        with atomic_output(manifest) as path:
            path.write_bytes(kept)
    return {} if not kept else {line["id"]: line["seconds"] for line in read_manifest(folder)}


def align_corpus(folder: Path, rounds: int = 2) -> None:
    """Move the phone borders of all clips to where the sound changes, as learnt from the training clips alone.

    Starts from Kokoro's durations every time, so it may be run again after more clips were made.
    """
    lines = list(read_manifest(folder))
    aligner = Aligner()
    for number in range(rounds):
        rough = (_rough(folder, line) for line in lines if line["split"] == "train")
        aligner.fit(rough if number == 0 else ((samples, aligner.align(samples, spans)) for samples, spans in rough))
    for line in lines:
        line["phones"] = aligner.align(*_rough(folder, line))
    with atomic_output(folder / MANIFEST) as path:
        path.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines), encoding="utf-8")


def _rough(folder: Path, line: dict[str, Any]) -> tuple[np.ndarray, list[TimedPhone]]:
    samples = read_audio(folder / f"{line['id']}.flac").samples
    return samples, times_of(line["pieces"], samples)


def save(folder: Path, audio: Audio, line: dict[str, Any]) -> None:
    """The sound first, then its line: what the manifest names is there."""
    import soundfile

    with atomic_output(folder / f"{line['id']}.flac") as path:
        soundfile.write(path, audio.samples, audio.sample_rate, subtype="PCM_16")
    with (folder / MANIFEST).open("a", encoding="utf-8") as manifest:
        manifest.write(json.dumps(line, ensure_ascii=False) + "\n")
        manifest.flush()
        os.fsync(manifest.fileno())
