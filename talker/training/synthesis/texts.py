"""What is said: sentences of real words, and of invented ones that cover every pair of sounds."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from talker.training.synthesis.pronunciation import symbols_of
from talker.training.synthesis.words import TEMPLATES, WORDS

LANGUAGE_SHARES: Final = {
    **{"en-us": 0.28, "en-gb": 0.20, "es": 0.07, "fr": 0.10, "it": 0.06, "pt-br": 0.06, "hi": 0.05},
    **{"de": 0.08, "id": 0.05, "pl": 0.02, "ru": 0.02, "tr": 0.01},
}

INVENTED: Final = "invented"

# Lip sounds first and most often: they are what the eye checks. The rest keeps every other class well fed.
_ONSETS = {
    **{"p": 5, "b": 5, "m": 5, "f": 5, "v": 5, "w": 5, "t": 2, "d": 2, "n": 2, "s": 2, "z": 2, "l": 2, "k": 2, "ɡ": 2},
    **{"ʃ": 2, "ʒ": 2, "ʧ": 2, "ʤ": 2, "j": 2, "h": 2, "ɹ": 2, "θ": 1, "ð": 2, "ɲ": 1, "ʦ": 1, "x": 1, "ʁ": 1, "ɾ": 1},
    **{"pl": 1, "bl": 1, "fl": 1, "pɹ": 1, "bɹ": 1, "fɹ": 1, "sp": 1, "sm": 1, "sw": 1, "kw": 1, "pj": 1, "mj": 1},
    "": 4,
}
_VOWELS = {
    **{"i": 2, "ɪ": 2, "e": 2, "ɛ": 2, "æ": 2, "a": 3, "ɑ": 3, "ʌ": 2, "ə": 1, "ɜ": 1, "ɨ": 1},
    **{"u": 4, "ʊ": 3, "o": 4, "ɔ": 4, "y": 5, "ø": 3, "œ": 2, "A": 1, "I": 1, "O": 2, "W": 1, "Y": 1, "Q": 1},
}
_CODAS = {
    **{"": 16, "p": 2, "b": 2, "m": 3, "f": 2, "v": 2, "t": 1, "d": 1, "n": 1, "s": 1, "z": 1, "l": 1, "k": 1, "ɡ": 1},
    **{"ʃ": 1, "ʒ": 1, "ʧ": 1, "ʤ": 1, "ŋ": 2, "θ": 1, "ð": 1, "ɹ": 1, "x": 1, "ç": 1, "mp": 1, "ft": 1},
}

_BETWEEN_CLAUSES = (", ", ", ", "; ", ": ", " — ", "… ")
_AFTER_SENTENCES = (".", ".", "!", "?", "…")


@dataclass(frozen=True)
class Sentence:
    """Text as it may be shown, and the symbols that Kokoro reads."""

    text: str
    symbols: str


def sentence(rng: np.random.Generator, language: str, transcripts: tuple[str, ...] = ()) -> Sentence:
    """One to three clauses in a language, or of invented words, with random punctuation."""
    clauses = [_clause(rng, language, transcripts) for _ in range(rng.choice([1, 2, 3], p=[0.45, 0.4, 0.15]))]
    end = _pick(rng, _AFTER_SENTENCES)
    text, symbols = clauses[0].text, clauses[0].symbols
    for clause in clauses[1:]:
        mark = _pick(rng, _BETWEEN_CLAUSES)
        text, symbols = text + mark + clause.text, symbols + mark + clause.symbols
    return Sentence(text + end, symbols + end)


def _clause(rng: np.random.Generator, language: str, transcripts: tuple[str, ...]) -> Sentence:
    if language == INVENTED:
        symbols = " ".join(_invented_word(rng) for _ in range(rng.integers(2, 6)))
        return Sentence(symbols, symbols)
    text = _english(rng, transcripts) if language.startswith("en") else _random_words(rng, language)
    return Sentence(text, symbols_of(text, language))


def _english(rng: np.random.Generator, transcripts: tuple[str, ...]) -> str:
    kind = rng.random()
    if transcripts and kind < 0.3:
        return _pick(rng, transcripts).lower()
    if kind < 0.6:
        return _random_words(rng, "en-us")
    template = _pick(rng, TEMPLATES)
    return template.format(*(_pick(rng, WORDS["en-us"]) for _ in range(template.count("{}"))))


def _random_words(rng: np.random.Generator, language: str) -> str:
    return " ".join(_pick(rng, WORDS[language]) for _ in range(rng.integers(2, 8)))


def _invented_word(rng: np.random.Generator) -> str:
    count = int(rng.integers(1, 4))
    stressed = rng.integers(count)
    word = ""
    for number in range(count):
        stress = "ˈ" if number == stressed else ""
        word += _weighted(rng, _ONSETS) + stress + _weighted(rng, _VOWELS)
    return word + _weighted(rng, _CODAS)


def _pick(rng: np.random.Generator, choices: tuple[str, ...]) -> str:
    return choices[int(rng.integers(len(choices)))]


def _weighted(rng: np.random.Generator, weights: dict[str, int]) -> str:
    shares = np.array(list(weights.values()), float)
    return list(weights)[int(rng.choice(len(weights), p=shares / shares.sum()))]
