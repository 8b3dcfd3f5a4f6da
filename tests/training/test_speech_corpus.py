import numpy as np

from talker.phones import SILENCE, index
from talker.training.speech_corpus import with_pauses


def test_a_vowel_does_not_go_on_through_a_pause():
    random = np.random.default_rng(0)
    sound = random.normal(0, 0.1, 60 * 320)
    sound[20 * 320 : 40 * 320] *= 1e-3  # A pause,
    sound[50 * 320 : 52 * 320] *= 1e-3  # and the closure of a stop.
    labels = np.full(60, index("o"), np.int8)
    labels[30:40] = index("p")
    found = with_pauses(labels, sound)
    assert (found[22:29] == index(SILENCE)).all()
    assert (found[30:40] == index("p")).all()  # A closed mouth is silent, too.
    assert (found[:19] == index("o")).all() and (found[42:] == index("o")).all()
    assert found.dtype == labels.dtype and len(with_pauses(labels[:0], sound[:0])) == 0
