"""The phone inventory and the ways into it."""

import pytest

from talker.errors import TalkerError
from talker.phones import (
    BILABIAL,
    LABIODENTAL,
    PHONES,
    ROUNDED,
    SILENCE,
    VOWELS,
    from_german_sampa,
    from_ipa,
    index,
)


def test_the_inventory_has_silence_first_and_every_set_inside() -> None:
    assert PHONES[0] == SILENCE
    assert len(set(PHONES)) == len(PHONES)
    assert set(PHONES) >= BILABIAL | LABIODENTAL | VOWELS
    assert ROUNDED < VOWELS
    assert [index(phone) for phone in PHONES] == list(range(len(PHONES)))


@pytest.mark.parametrize(
    ("ipa", "phones"),
    [
        ("həlˈoʊ", "h ə l o ʊ"),
        ("tʃˈuːz d^ʒˈʌmp t͡s", "tʃ u z dʒ ʌ m p ts"),  # Bare, with espeak-ng's own tie, and with the IPA's.
        ("həlˈO mI bˈY ʤʌʧ", "h ə l o ʊ m a ɪ b ɔ ɪ dʒ ʌ tʃ"),  # Kokoro's capitals and ligatures.
        ("bˈɔ̃ vˈɛ̃ blˈɑ̃", "b ɔ v ɛ b l ɑ"),
        ("ɪç mˈœçtə", "ɪ ç m ø ç t ə"),
        ("bʰˈaːɾət, pˈiʲ!", "b a ɾ ə t p i"),
        ("nɜːs ɝ ɚ", "n ɜ s ɜ ɹ ə ɹ"),
        ("ɸɱʋɥʎʈɣ", "f m v w l t ʁ"),
        ("", ""),
    ],
)
def test_ipa_as_it_is_written_in_the_wild(ipa: str, phones: str) -> None:
    assert from_ipa(ipa) == phones.split()


def test_what_is_no_ipa_is_named() -> None:
    with pytest.raises(TalkerError, match="'ж' in 'aж' is not a letter of the International Phonetic Alphabet"):
        from_ipa("aж")
    with pytest.raises(TalkerError, match="'r' is not one of the"):
        index("r")


def test_german_sampa_labels_are_sounds_or_nothing() -> None:
    assert from_german_sampa("aI") == ["a", "ɪ"]
    assert from_german_sampa("C") == ["ç"]
    assert from_german_sampa("+lar") == from_german_sampa("!t") == []
