"""Train `recolor-mini`: full fine-tuning of encoder and decoder on all tools together.

First the decoder learns alone to read the pretrained encoder, which the gradients of an untrained decoder would
distort; then both learn. Each epoch sees every example once, through fresh noise, and fresh instructions. What is
validated and released is a running average of the weights; of the last three epochs the one with the best overall
score on the validation part is kept. The test split is never looked at here.
"""

import copy
import math
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from transformers import EncoderDecoderModel

from app.distill.corpus import Corpus
from app.distill.dataset import Example
from app.distill.instructions import Instructions
from app.distill.loss import LossWeights, SlotLoss
from app.distill.noise import Noise, noisy
from app.distill.scores import Scores, score
from app.distill.training_run import TrainingRun
from app.grade import TOOLS, Grade, fold
from app.grade.codecs import CompactCodec
from app.grade.codecs.compact import symbol
from app.students import mini
from app.students.manifest import SlotThresholds
from app.students.one_pass import OnePass
from app.students.slot_decoding import SlotDecoder
from app.students.slots import SlotTable
from app.students.text import Reader, Reading

CODEC = CompactCodec()


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that decides the outcome besides the data. Learning rates are the peaks of a warm-up and a
    cosine decay; the encoder's begins after the epochs of `decoder_first`. `average` is the decay of the running
    average a step; `instructions` the share of an epoch that a program writes. `encoder_layers` keeps that many of
    the encoder's first layers; 0 keeps all."""

    epochs: int = 20
    decoder_first: int = 1
    batch: int = 64
    encoder_rate: float = 1e-4
    decoder_rate: float = 6e-4
    weight_decay: float = 0.01
    average: float = 0.998
    encoder_layers: int = 0
    decoder_layers: int = 2
    decoder_feed_forward: int = 768
    instructions: float = 0.08
    seed: int = 1
    noise: Noise = field(default_factory=Noise)
    loss: LossWeights = field(default_factory=LossWeights)

    def plain(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Progress:
    """`step` of `steps` in `epoch`; `scores` on the validation part come with the last step."""

    epoch: int
    step: int
    steps: int
    loss: float
    scores: Scores | None = None


class Trainer:
    """`encoder` is the folder of the BERT to start from, `folder` where the run keeps its state."""

    def __init__(self, corpus: Corpus, encoder: Path, folder: Path, plan: Plan) -> None:
        torch.manual_seed(plan.seed)
        self.plan, self.corpus, self.run = plan, corpus, TrainingRun(folder)
        self.tokenizer = mini.intent_tokenizer(encoder)
        self.reader = Reader(self.tokenizer)
        self.answers = mini.answer_tokenizer()
        self.table = SlotTable.of(self.answers)
        self.model = mini.build(encoder, plan.decoder_layers, plan.decoder_feed_forward, plan.encoder_layers)
        # The vocabulary keeps its pretrained places, so that words that training never sees stay among their like.
        self.model.encoder.embeddings.word_embeddings.requires_grad_(False)
        self.averaged = copy.deepcopy(self.model).eval()
        self.examples = [row for row in corpus.train + corpus.extra if self.reader.read(row.intent).is_known]
        self.instructions = Instructions(self.examples)
        self._ids: dict[str, int] = self.answers.get_vocab()
        self._loss = SlotLoss(self.table, self._ids[symbol(0)], plan.loss)

    def train(self, report: Callable[[Progress], None]) -> EncoderDecoderModel:
        """Train, or go on where a killed run stopped; returns the best network."""
        optimizer = self._optimizer()
        done = self.run.restore(self.averaged, self.model, optimizer)
        for epoch in range(done, self.plan.epochs):
            loss = self._epoch(epoch, optimizer, report)
            scores = self.evaluate(self.averaged, self.corpus.validation)
            entry = {"epoch": epoch + 1, "loss": loss, "overall": scores.overall, "tools": _plain(scores)}
            self.run.save_epoch(entry, self.averaged, self.model, optimizer)
            self.run.prune()
            report(Progress(epoch, self._steps, self._steps, loss, scores))
        return self._best()

    @property
    def _steps(self) -> int:
        return math.ceil((len(self.examples) + self._drawn) / self.plan.batch)

    @property
    def _drawn(self) -> int:
        """Instructions in an epoch."""
        return int(len(self.examples) * self.plan.instructions)

    def _optimizer(self) -> torch.optim.Optimizer:
        encoder = [weight for weight in self.model.encoder.parameters() if weight.requires_grad]
        decoder = list(self.model.decoder.parameters())
        plan = self.plan
        groups = [
            {"params": encoder, "lr": 0.0, "peak": plan.encoder_rate, "start": plan.decoder_first * self._steps},
            {"params": decoder, "lr": 0.0, "peak": plan.decoder_rate, "start": 0},
        ]
        return torch.optim.AdamW(groups, weight_decay=self.plan.weight_decay, fused=True)

    def _epoch(self, epoch: int, optimizer: torch.optim.Optimizer, report: Callable[[Progress], None]) -> float:
        # Seeded by epoch, so that a run that was killed sees what it would have seen.
        rng = random.Random(f"{self.plan.seed}/{epoch}")
        torch.manual_seed(self.plan.seed * 1000 + epoch)
        self.model.train()
        for weight in optimizer.param_groups[0]["params"]:
            weight.requires_grad_(epoch >= self.plan.decoder_first)
        total = 0.0
        for step, batch in enumerate(self._batches(rng)):
            for group in optimizer.param_groups:
                group["lr"] = group["peak"] * self._rate(epoch * self._steps + step, group["start"])
            loss = self._step(batch, optimizer, epoch * self._steps + step)
            total += loss
            report(Progress(epoch, step, self._steps, loss))
        return total / self._steps

    def _step(self, batch: Sequence[tuple[str, Grade]], optimizer: torch.optim.Optimizer, step: int) -> float:
        ids, mask = self.reader.batch([self.reader.read(intent) for intent, _ in batch])
        target, used = self._targets([grade for _, grade in batch])
        with torch.autocast("cpu", dtype=torch.bfloat16):
            logits = OnePass(self.model, self.table)(ids, mask)
        loss = self._loss(logits, target, used)
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        optimizer.step()
        # Short memory at first: the average must not hold on to the untrained weights.
        decay = min(self.plan.average, (step + 1) / (step + 10))
        with torch.no_grad():
            torch._foreach_lerp_(list(self.averaged.parameters()), list(self.model.parameters()), 1 - decay)
        return loss.item()

    def _rate(self, step: int, start: int) -> float:
        """The share of its peak that a learning rate has which rises from step `start` on."""
        total = self.plan.epochs * self._steps
        warm_up = min(200, max(1, total // 10))
        rise = min(1.0, max(0, step + 1 - start) / warm_up)
        return rise * (0.02 + 0.49 * (1 + math.cos(math.pi * step / total)))

    def _batches(self, rng: random.Random) -> Iterator[list[tuple[str, Grade]]]:
        """Batches of about equal length each, in random order."""
        instructions = self.instructions.draw(self._drawn, rng)
        fresh = [noisy(row.intent, row.grade, self.plan.noise, rng) for row in self.examples + instructions]
        examples = [(intent, grade) for intent, grade in fresh if fold(intent) not in self.corpus.judged]
        rng.shuffle(examples)
        size, pool = self.plan.batch, self.plan.batch * 20
        batches = []
        for start in range(0, len(examples), pool):
            alike = sorted(examples[start : start + pool], key=lambda example: len(example[0]))
            batches += [alike[at : at + size] for at in range(0, len(alike), size)]
        rng.shuffle(batches)
        yield from batches

    def _targets(self, grades: Sequence[Grade]) -> tuple[Tensor, Tensor]:
        """The answer tokens [B, S] and which tools are used [B, T]."""
        tokens, used = [], []
        for grade in grades:
            settings = {tool: grade.settings(tool) for tool in TOOLS}
            flat = [value for tool, model in TOOLS.items() for value in (settings[tool] or model()).flat()]
            tokens.append([self._ids[symbol(value)] for value in flat])
            used.append([tool is not None for tool in settings.values()])
        return torch.tensor(tokens), torch.tensor(used)

    def logits(self, network: EncoderDecoderModel, rows: Sequence[Example]) -> tuple[Tensor, list[Reading]]:
        """Slot logits [N, S, V] and the readings of the rows."""
        readings = [self.reader.read(row.intent) for row in rows]
        network.eval()
        parts = []
        with torch.inference_mode():
            forward = OnePass(network, self.table)
            for start in range(0, len(readings), 128):
                batch = self.reader.batch(readings[start : start + 128])
                parts.append(forward(*batch))
        return torch.cat(parts), readings

    def evaluate(self, network: EncoderDecoderModel, rows: Sequence[Example]) -> Scores:
        return self.score(*self.logits(network, rows), rows, SlotThresholds())

    def score(
        self, logits: Tensor, readings: Sequence[Reading], rows: Sequence[Example], thresholds: SlotThresholds
    ) -> Scores:
        """Score answers; what cannot be read counts as no tool used."""
        return score(self.grades(logits, readings, thresholds), [row.grade for row in rows])

    def grades(self, logits: Tensor, readings: Sequence[Reading], thresholds: SlotThresholds) -> list[Grade]:
        """The answers; of what cannot be read, that no tool is used."""
        tokens = self.answers.convert_ids_to_tokens(range(len(self.answers)))
        decoder = SlotDecoder(self.table, tokens, thresholds)
        answers = decoder.constrained(logits, [reading.text for reading in readings])
        return [
            Grade.of({tool: CODEC.decode(tool, text) for tool, text in answer.items()}) if reading.is_known else Grade()
            for answer, reading in zip(answers, readings, strict=True)
        ]

    def _best(self) -> EncoderDecoderModel:
        self.averaged.load_state_dict(load_file(self.run.checkpoint(self.run.best() - 1)), strict=False)
        return self.averaged


def _plain(scores: Scores) -> dict[str, Any]:
    return {tool: asdict(value) for tool, value in scores.tools.items()}
