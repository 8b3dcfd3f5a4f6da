"""The last part of learning to hear: the frames of an encoder that changes no more get the names of phones.

`talker train speech` ends with it. An encoder that has its features already learns only this with

    python -m talker.training.phones --encoder hearing --data ../shared/data --synthesised synth -o hearing
"""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final, cast

import torch
import tyro
from torch import Tensor, nn

from talker.cli.output import say
from talker.cli.program import run_program
from talker.errors import TalkerError
from talker.models.checkpoint import load_speech, save_speech
from talker.models.speech import PhoneHead, Speech
from talker.phones import BILABIAL, LABIODENTAL, PHONES, ROUNDED, SILENCE, index
from talker.training import processes
from talker.training.hearing import hear
from talker.training.speech_batches import SpeechBatches
from talker.training.speech_corpus import UNKNOWN, Recording, read_corpus

PHONE_STEPS = 500

_TOLD = ("emodb",)  # Beside synthesised speech, the sets whose phones have times.
_RARE_ROUNDED = frozenset({"y", "ø"})

WEIGHTS: Final = tuple(
    4.0 if phone in _RARE_ROUNDED else 2.5 if phone in ROUNDED else 1.6 if phone in BILABIAL | LABIODENTAL else 1.0
    for phone in PHONES
)
"""What a missed frame of each phone costs: everybody sees lips that should have met, or been round."""


@dataclass(frozen=True)
class LearnPhones:
    """Teach the phones to a speech encoder that stays as it is: 64 seconds of speech a step.

    For example:
      python -m talker.training.phones --encoder hearing --data data --synthesised synth -o hearing
    """

    encoder: Annotated[str, tyro.conf.arg(metavar="NAME")]
    """Encoder to listen with: `default`, or a folder; what it knew of phones is forgotten."""
    data: Annotated[Path, tyro.conf.arg(metavar="DIR")]
    """Folder of the sets that `talker train speech` hears; of these, only emodb tells phones with their times."""
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"], metavar="DIR")]
    """Folder for the encoder with its phones; it may be the encoder's own."""
    synthesised: Annotated[Path | None, tyro.conf.arg(metavar="DIR")] = None
    """Folder made by `python -m talker.training.synthesis`."""
    steps: int = PHONE_STEPS
    """Optimiser steps."""
    seed: int = 0
    """Seed of the weights and of the crops."""
    bfloat16: bool = False
    """Compute in half precision."""

    def run(self) -> None:
        """Learn and save."""
        encoder = load_speech(self.encoder).encoder
        torch.manual_seed(self.seed)
        speech = Speech(encoder, PHONES).to(processes.device())
        heard = [r for r in read_corpus(self.data, self.synthesised, say, _TOLD) if not r.held_out]
        if not any(_tells_phones(recording) for recording in heard):
            raise TalkerError("nothing here tells phones with their times; give --synthesised, or --data with emodb")
        for step, loss in enumerate(learn_phones(speech, heard, self.steps, self.bfloat16, self.seed)):
            if step % 50 == 0:
                say(f"phones, step {step}: {loss:.3f}")
        save_speech(self.output, speech)
        say(f"{self.output}: the encoder with its phones")


def learn_phones(
    speech: Speech, heard: list[Recording], steps: int, bfloat16: bool = False, seed: int = 0
) -> Iterator[float]:
    """Let the phone head catch up with an encoder that changes no more, on those recordings that tell phones' times."""
    told = [recording for recording in heard if _tells_phones(recording)]
    if not told:
        return
    batches = SpeechBatches(told, None, seed)
    head = cast(PhoneHead, speech.phone_head).train()
    device = head.name.weight.device
    optimiser = torch.optim.AdamW(head.parameters(), lr=2e-3, weight_decay=0.02)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    for step in range(steps):
        batch = batches.at(2**31 + step).to(device)  # Other crops than the main training has heard.
        with torch.autocast(device.type, torch.bfloat16, enabled=bfloat16):
            with torch.no_grad():
                features = hear(speech.encoder, batch.samples, batch.lengths)
            loss = phone_loss(head(features), batch.labels)
        optimiser.zero_grad()
        loss.backward()
        processes.average_gradients(head)
        optimiser.step()
        schedule.step()
        yield loss.item()
    head.eval()


def phone_loss(scores: Tensor, labels: Tensor) -> Tensor:
    """How badly (B, T, phones) scores name (B, T) frames; lips count more, and `UNKNOWN` ones not at all."""
    weight = torch.tensor(WEIGHTS, device=scores.device)
    return nn.functional.cross_entropy(
        scores.float().transpose(1, 2), labels, weight, ignore_index=UNKNOWN, label_smoothing=0.05
    )


def _tells_phones(recording: Recording) -> bool:
    return bool(((recording.labels != UNKNOWN) & (recording.labels != index(SILENCE))).any())


if __name__ == "__main__":
    sys.exit(run_program(LearnPhones))
