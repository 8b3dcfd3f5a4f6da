"""Words to the symbols that Kokoro was trained on, by way of the espeak-ng program."""

import json
import re
import shutil
import subprocess
import unicodedata
from functools import lru_cache
from pathlib import Path

from talker.errors import TalkerError
from talker.files import read_text
from talker.phones import from_ipa
from talker.training.synthesis.kokoro import SYMBOL_NUMBERS

# What espeak-ng ties together is one symbol of Kokoro's.
_TIED = {
    **{"a^ɪ": "I", "a^ʊ": "W", "e^ɪ": "A", "o^ʊ": "O", "ə^ʊ": "Q", "ɔ^ɪ": "Y"},
    **{"t^ʃ": "ʧ", "d^ʒ": "ʤ", "t^s": "ʦ", "d^z": "ʣ", "t^ɕ": "ʨ", "d^ʑ": "ʥ"},
}

# English voices learnt a leaner notation: no length, spelt-out r-coloured vowels, a tap of its own.
_AMERICAN = {
    **{"ə^l": "ᵊl", "ɜːɹ": "ɜɹ", "ɜː": "ɜɹ", "ɚ": "əɹ", "ʔn\u0329": "tᵊn", "ʔ": "t", "ɾ": "T", "ɐ": "ə", "ː": ""},
    **{"n\u0329": "ᵊn", "r": "ɹ", "x": "k", "ɬ": "l"},
}
# espeak-ng ends Portuguese words in "y" and writes the Russian ы so, but neither rounds the lips as the French y does.
_PORTUGUESE, _RUSSIAN = {"y": "i"}, {"y": "ɨ"}
_BRITISH = {"ə^l": "ᵊl", "e^ə": "ɛː", "i^ə": "ɪə", "n\u0329": "ᵊn", "ɐ": "ə", "r": "ɹ", "x": "k", "ɬ": "l"}

_NOTATIONS = {"en-us": _AMERICAN, "en-gb": _BRITISH, "pt-br": _PORTUGUESE, "ru": _RUSSIAN}

_LANGUAGE_SWITCH = re.compile(r"\([\^a-z-]+\)")


def require_espeak() -> None:
    """Fail in one line when the program is not there."""
    if shutil.which("espeak-ng") is None:
        raise TalkerError("the program espeak-ng is missing; install it, for instance: sudo apt install espeak-ng")


@lru_cache(maxsize=50_000)
def symbols_of(text: str, language: str) -> str:
    """One clause of a language that espeak-ng knows, in Kokoro's symbols; words stay apart by spaces."""
    command = ["espeak-ng", "-q", "--ipa", "--tie=^", "-v", language, "--stdin"]
    try:
        spoken = subprocess.run(command, input=text, capture_output=True, text=True, check=True, timeout=60).stdout
    except FileNotFoundError:
        require_espeak()
        raise
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        raise TalkerError(f"espeak-ng could not pronounce '{text[:60]}' in '{language}': {error}") from error
    return from_espeak(spoken, language)


def from_espeak(ipa: str, language: str) -> str:
    """What `espeak-ng --ipa --tie=^` printed, in Kokoro's symbols."""
    ipa = unicodedata.normalize("NFD", _LANGUAGE_SWITCH.sub("", " ".join(ipa.split())))
    ipa = ipa.replace("c\u0327", "ç").replace("-", "")
    replacements = _NOTATIONS.get(language, {})
    for old, new in {**_TIED, **replacements}.items():
        ipa = ipa.replace(old, new)
    if language == "en-us":
        ipa = ipa.replace("o", "ɔ").replace("e", "A")  # Untied, these two only come before r or in names.
    return "".join(_known(symbol) for symbol in ipa)


def _known(symbol: str) -> str:
    """A symbol of Kokoro's: itself, the one of its phone class, or nothing for a mark."""
    if symbol in SYMBOL_NUMBERS:
        return symbol
    return "".join(phone for phone in from_ipa(symbol) if phone in SYMBOL_NUMBERS)


def read_transcripts(path: Path) -> dict[str, str]:
    """Clip id -> text, from JSON as {id: {"text": ...}}."""
    try:
        return {clip: str(entry["text"]) for clip, entry in json.loads(read_text(path)).items()}
    except (ValueError, AttributeError, TypeError, KeyError) as error:
        raise TalkerError(f'{path}: expected JSON as {{id: {{"text": ...}}}} ({error})') from error
