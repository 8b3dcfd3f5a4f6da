"""Phones: one language-independent inventory of sounds, and ways into it from IPA and EmoDB's SAMPA.

A phone is what the mouth does, not a letter of one language: diphthongs are two phones, affricates one, and length,
stress, tone and nasality are dropped. Sounds outside the inventory take the class whose lips and jaw look most alike.
"""

import unicodedata
from typing import Final

from talker.errors import TalkerError

SILENCE: Final = "silence"

BILABIAL: Final = frozenset({"p", "b", "m"})
"""The lips close."""

LABIODENTAL: Final = frozenset({"f", "v"})
"""The lower lip touches the upper teeth."""

ROUNDED: Final = frozenset({"u", "ʊ", "o", "ɔ", "y", "ø"})
"""Vowels with rounded lips."""

VOWELS: Final = ROUNDED | {"i", "ɪ", "e", "ɛ", "æ", "a", "ɑ", "ʌ", "ə", "ɜ", "ɨ"}

PHONES: Final[tuple[str, ...]] = (
    SILENCE,
    *("p", "b", "m", "f", "v", "w"),
    *("t", "d", "n", "s", "z", "l", "θ", "ð", "ɾ", "ɹ"),
    *("ʃ", "ʒ", "tʃ", "dʒ", "ts"),
    *("j", "ç", "ɲ", "k", "ɡ", "ŋ", "x", "ʁ", "h", "ʔ"),
    *("i", "ɪ", "e", "ɛ", "æ", "a", "ɑ", "ʌ", "ə", "ɜ", "ɨ"),
    *("u", "ʊ", "o", "ɔ", "y", "ø"),
)
"""The classes a recogniser tells apart, in the order of its outputs."""

TimedPhone = tuple[str, float, float]
"""A phone, its start and its end in seconds."""

_INDEX: Final = {phone: number for number, phone in enumerate(PHONES)}

# Affricates however they are written (a tie bar is taken off before), and letters that stand for two sounds.
_IPA_GROUPS: Final[dict[str, tuple[str, ...]]] = {
    **dict.fromkeys(("tʃ", "ʧ", "tɕ", "ʨ", "tʂ", "ꭧ"), ("tʃ",)),
    **dict.fromkeys(("dʒ", "ʤ", "dʑ", "ʥ", "dʐ"), ("dʒ",)),
    **dict.fromkeys(("ts", "ʦ", "dz", "ʣ"), ("ts",)),
    "pf": ("p", "f"),
    "ɚ": ("ə", "ɹ"),
    "ɝ": ("ɜ", "ɹ"),
    # Kokoro writes the English diphthongs with one capital each.
    **{"A": ("e", "ɪ"), "I": ("a", "ɪ"), "O": ("o", "ʊ"), "Q": ("ə", "ʊ"), "W": ("a", "ʊ"), "Y": ("ɔ", "ɪ")},
    **{"S": ("s",), "T": ("ɾ",)},
}

# Every other letter of the IPA chart, by the class that it looks most like on a face.
_NEAREST: Final = {
    **dict.fromkeys("ɸ", "f"),
    **dict.fromkeys("ⱱʋ", "v"),
    **dict.fromkeys("βɓʙ", "b"),
    **dict.fromkeys("ɱ", "m"),
    **dict.fromkeys("ʍɥ", "w"),
    **dict.fromkeys("ʈ", "t"),
    **dict.fromkeys("ɖɗ", "d"),
    **dict.fromkeys("ɳ", "n"),
    **dict.fromkeys("ɭɫʟɬɮɺʎ", "l"),
    **dict.fromkeys("rɽ", "ɾ"),
    **dict.fromkeys("ɻ", "ɹ"),
    **dict.fromkeys("ʂɕɧ", "ʃ"),
    **dict.fromkeys("ʐʑ", "ʒ"),
    **dict.fromkeys("ʝ", "j"),
    **dict.fromkeys("cq", "k"),
    **dict.fromkeys("gɟɢɠʛʄ", "ɡ"),
    **dict.fromkeys("ɴ", "ŋ"),
    **dict.fromkeys("χħʜ", "x"),
    **dict.fromkeys("ʀɣɰʕʢʡ", "ʁ"),
    **dict.fromkeys("ɦ", "h"),
    **dict.fromkeys("ᵻ", "ɪ"),
    **dict.fromkeys("ɐ", "ʌ"),
    **dict.fromkeys("ᵊɘ", "ə"),
    **dict.fromkeys("ɞ", "ɜ"),
    **dict.fromkeys("ɯɤ", "ɨ"),
    **dict.fromkeys("ɒ", "ɔ"),
    **dict.fromkeys("ɵ", "o"),
    **dict.fromkeys("ʉ", "u"),
    **dict.fromkeys("ʏ", "y"),
    **dict.fromkeys("œɶ", "ø"),
}

_GERMAN_SAMPA: Final[dict[str, tuple[str, ...]]] = {
    **{letter: (letter,) for letter in "pbmfvtdnszlkjhx"},
    **{"g": ("ɡ",), "N": ("ŋ",), "S": ("ʃ",), "Z": ("ʒ",), "C": ("ç",), "X": ("x",), "?": ("ʔ",), "D": ("d",)},
    **dict.fromkeys("RrG4", ("ʁ",)),
    **{"B": ("b",), "V": ("v",), "L": ("l",), "J": ("j",), "H": ("h",)},
    **{letter: (letter,) for letter in "aeiouy"},
    **{"I": ("ɪ",), "E": ("ɛ",), "O": ("ɔ",), "U": ("ʊ",), "Y": ("y",), "2": ("ø",), "9": ("ø",), "8": ("ø",)},
    **{"@": ("ə",), "6": ("ʌ",), "A": ("ɑ",)},
}


def index(phone: str) -> int:
    """The number of a phone in `PHONES`."""
    try:
        return _INDEX[phone]
    except KeyError:
        raise TalkerError(f"'{phone}' is not one of the {len(PHONES)} phones; convert it with from_ipa first") from None


def from_ipa(text: str) -> list[str]:
    """The phones of an IPA transcription as dictionaries, espeak-ng (`--ipa`, with or without ties) or Kokoro write it.

    Stress, length, tone, spaces and punctuation are passed over, and so are diacritics and modifier letters.
    """
    letters = _bare(text)
    phones: list[str] = []
    at = 0
    while at < len(letters):
        group = letters[at : at + 2] if letters[at : at + 2] in _IPA_GROUPS else letters[at]
        phones.extend(_phones_of(group, text))
        at += len(group)
    return phones


def from_german_sampa(symbol: str) -> list[str]:
    """The phones of a SAMPA label of German, diphthongs ("aI", "i6") included; none for a label that is no sound."""
    phones = [phone for letter in symbol for phone in _GERMAN_SAMPA.get(letter, ("",))]
    return [] if "" in phones else phones


def _bare(text: str) -> str:
    """The letters alone: decomposed, without marks, modifier letters, spaces and punctuation."""
    decomposed = unicodedata.normalize("NFD", text.replace("ç", "\0"))  # The one letter whose mark makes it another.
    kept = (letter for letter in decomposed if letter == "\0" or _is_sound(letter))
    return "".join(kept).replace("\0", "ç")


def _is_sound(letter: str) -> bool:
    return letter in "ᵊᵻ" or unicodedata.category(letter) in ("Ll", "Lu", "Lo")


def _phones_of(group: str, text: str) -> tuple[str, ...]:
    if group in _IPA_GROUPS:
        return _IPA_GROUPS[group]
    phone = _NEAREST.get(group, group)
    if phone not in _INDEX:
        raise TalkerError(f"'{group}' in '{text}' is not a letter of the International Phonetic Alphabet")
    return (phone,)
