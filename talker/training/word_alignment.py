"""Times of phones inside words whose times are known: where an encoder that has learned phones hears each of them."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from talker.datasets.phone_times import SpokenWord
from talker.models.speech import Speech
from talker.models.speech_encoder import FEATURE_FPS
from talker.phones import TimedPhone
from talker.training.speech_corpus import Recording, frame_labels
from talker.training.synthesis.alignment import best_path

_LEAST = 1e-4  # Probability of a phone that was said though nothing of it was heard.


def align_words(speech: Speech, samples: np.ndarray, words: Sequence[SpokenWord]) -> list[TimedPhone]:
    """Each word's phones in their order, with the borders at which they are heard best; a word too short has none."""
    heard = np.log(np.maximum(speech.phone_probabilities(samples), _LEAST))
    spans: list[TimedPhone] = []
    for word in words:
        first, last = (min(int(np.ceil(time * FEATURE_FPS)), len(heard)) for time in (word.start, word.end))
        if last - first < len(word.phones):
            continue
        columns = [speech.phones.index(phone) for phone in word.phones]
        begins = first + best_path(heard[first:last, columns])
        # Half-way between frames, so that rounding moves no border.
        borders = [word.start, *((begins[1:] - 0.5) / FEATURE_FPS).tolist(), word.end]
        spans += [(phone, borders[i], borders[i + 1]) for i, phone in enumerate(word.phones)]
    return spans


def label_words(corpus: Sequence[Recording], words: dict[str, list[SpokenWord]], speech: Speech) -> list[Recording]:
    """The corpus, with labels in the recordings whose words are known."""
    return [
        replace(recording, labels=frame_labels(align_words(speech, recording.sound(), known), recording.frames))
        if (known := words.get(recording.id))
        else recording
        for recording in corpus
    ]
