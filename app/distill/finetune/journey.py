"""From a teacher dataset and a base model to a writing student in the model store."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from transformers import PreTrainedConfig, PreTrainedModel, PreTrainedTokenizerBase

from app.distill.behaviours import check, read_behaviours
from app.distill.card import writer_card
from app.distill.corpus import Corpus, read_corpus
from app.distill.dataset import DatasetError, Example, read_dataset
from app.distill.evaluate import BATCH, ask, evaluate, grade_intents
from app.distill.evaluate import read as read_answers
from app.distill.finetune import processes
from app.distill.finetune.chart import draw_curves
from app.distill.finetune.examples import Examples, lacking, tokenize
from app.distill.finetune.networks import export, load_base, read_base, require_lora, with_lora
from app.distill.finetune.plan import FinetunePlan
from app.distill.finetune.training import Finetuning, best_epoch, read_curves
from app.distill.release import WriterRelease, add_scores, draft_writer, publish
from app.distill.scores import Scores, score
from app.distill.train import Progress
from app.distill.training_run import LAST_EPOCHS
from app.distill.whole import write_whole
from app.students import Engine
from app.students.adding import require_space
from app.students.generative import GenerativeStudent, WritingEngine
from app.students.prompting import Form, Prompter
from app.students.store import ModelStore, ModelStoreError, read, sha256

WEIGHTS = "*.safetensors"


@dataclass(frozen=True, slots=True)
class Base:
    """What to start from: a folder, and what it is called. `stored` is its name in the model store."""

    folder: Path
    name: str
    stored: str | None = None


@dataclass(frozen=True, slots=True)
class FinetuneJourney:
    """What to train, on what, and where to put it; `licence` and `command` are recorded in the manifest."""

    base: Base
    datasets: dict[str, Path]
    """By role: ``teacher``, and any of ``alternates``, ``similar``, ``additions``."""
    behaviours: Path
    folder: Path
    store: Path
    name: str
    version: int
    licence: str
    command: str
    plan: FinetunePlan
    validation: int = 600
    export: Literal["merged", "adapter"] = "merged"

    @property
    def as_adapter(self) -> bool:
        return self.plan.lora is not None and self.export == "adapter"


@dataclass(frozen=True, slots=True)
class _Writing:
    """How the student writes: its tokenizer, with what the codec needs, and the form in which it is asked."""

    tokenizer: PreTrainedTokenizerBase
    form: Form
    added: int

    @classmethod
    def of(cls, config: PreTrainedConfig, tokenizer: PreTrainedTokenizerBase, codec: str) -> "_Writing":
        added = tokenizer.add_tokens(lacking(tokenizer, codec))
        form: Form = "chat" if tokenizer.chat_template and not config.is_encoder_decoder else "plain"
        return cls(tokenizer, form, added)

    @property
    def prompter(self) -> Prompter:
        return Prompter(self.tokenizer, self.form)


def travel(journey: FinetuneJourney, report: Callable[[Progress], None], say: Callable[[str], None]) -> Path | None:
    """Returns the folder of the released student, None in the other processes of a distributed run.

    Raises DatasetError, ModelStoreError.
    """
    read_behaviours(journey.behaviours)  # hours before it is needed: a broken file is told at once
    corpus = read_corpus(validation=journey.validation, seed=journey.plan.seed, **journey.datasets)
    config, tokenizer = read_base(journey.base.folder)
    writing = _Writing.of(config, tokenizer, journey.plan.codec)
    _require_possible(journey, config, writing)
    causal = not config.is_encoder_decoder
    rows = [*corpus.train, *corpus.extra]
    examples = tokenize(rows, journey.plan.codec, tokenizer, writing.prompter, causal)
    if not examples.tokenized:
        raise DatasetError(f"no intent of {journey.datasets['teacher']} can be read by {journey.base.name}")
    if processes.is_first():
        _begin(journey)
        say(f"{len(examples.tokenized):,} examples; the student will be under the licence: {journey.licence}")
    _train(journey, writing, corpus, examples, report)
    if not processes.is_first():
        return None
    epoch, checkpoint = best_epoch(journey.folder)
    say(f"writing the student of epoch {epoch}")
    path = _draft(journey, writing, examples, epoch, checkpoint)
    say("scoring it on the test split")
    _score_release(path, journey)
    say(f"releasing {journey.name}@{journey.version} under the licence: {journey.licence}")
    return publish(path)


def score_network(
    network: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    prompter: Prompter,
    codec: str,
    rows: Sequence[Example],
) -> Scores:
    """Score a network as it would be served; what cannot be read or decoded counts as an unused tool."""
    engine = WritingEngine("trained", network, tokenizer, prompter, codec)
    grades = []
    for start in range(0, len(rows), BATCH):
        intents = [row.intent for row in rows[start : start + BATCH]]
        grades += [read_answers(engine, answers)[0] for answers in ask(engine, intents)]
    return score(grades, [row.grade for row in rows])


def _require_possible(journey: FinetuneJourney, config: PreTrainedConfig, writing: _Writing) -> None:
    """What would otherwise be found out hours later. Raises DatasetError, ModelStoreError."""
    plan = journey.plan
    if plan.lora is not None:
        require_lora(config, plan.lora)
        if writing.added:
            raise DatasetError(
                f"the codec {plan.codec} needs {writing.added} new tokens, whose embeddings a LoRA leaves untrained; "
                "choose --codec letters, or train in full with --no-lora"
            )
    if journey.as_adapter and journey.base.stored is None:
        raise ModelStoreError(
            "an adapter belongs to a base in the model store; add that first (`recolor models add`), or leave out "
            "--adapter"
        )


def _begin(journey: FinetuneJourney) -> None:
    """Note what the run in the folder is of, or see that it is of the same. Raises DatasetError."""
    try:
        datasets = {path.name: sha256(path) for path in journey.datasets.values()}
        weights = {file.name: sha256(file) for file in sorted(journey.base.folder.glob(WEIGHTS))}
    except OSError as error:
        raise DatasetError(f"{error.filename}: cannot be read: {error.strerror}") from None
    whole = {
        "plan": journey.plan.plain(),
        "validation": journey.validation,
        "datasets": datasets,
        "base": {"name": journey.base.name, "weights": weights},
    }
    note = journey.folder / "plan.json"
    begun = note.is_file() and any(journey.folder.glob("checkpoint-*"))
    if begun and json.loads(note.read_text(encoding="utf-8")) != whole:
        raise DatasetError(f"{note.parent} has a run with another plan or other data; choose another folder")
    journey.folder.mkdir(parents=True, exist_ok=True)
    write_whole(note, json.dumps(whole, indent=1))


def _train(
    journey: FinetuneJourney,
    writing: _Writing,
    corpus: Corpus,
    examples: Examples,
    report: Callable[[Progress], None],
) -> None:
    """Leaves the checkpoints of the last epochs in the run's folder. Raises ModelStoreError."""
    plan, tokenizer, prompter = journey.plan, writing.tokenizer, writing.prompter
    torch.manual_seed(plan.seed)
    network = load_base(journey.base.folder, plan.lora)
    if writing.added:
        network.resize_token_embeddings(max(len(tokenizer), network.config.vocab_size))
    if plan.lora is not None:
        network = with_lora(network, plan.lora)
    _require_disk(journey, network)

    def validate(trained: PreTrainedModel) -> Scores:
        return score_network(trained, tokenizer, prompter, plan.codec, corpus.validation)

    Finetuning(journey.folder, plan, validate, report).run(network, tokenizer, examples.tokenized)


def _require_disk(journey: FinetuneJourney, network: PreTrainedModel) -> None:
    """Raises ModelStoreError."""
    trained = sum(4 * weight.numel() for weight in network.parameters() if weight.requires_grad)
    base = sum(file.stat().st_size for file in journey.base.folder.glob(WEIGHTS))
    # Adam keeps two more numbers a weight, and a checkpoint is removed after the next one is written.
    checkpoints = 3 * trained * (LAST_EPOCHS + 1)
    released = trained if journey.as_adapter or journey.plan.lora is None else base
    require_space(journey.folder, checkpoints, "training needs", "choose another --folder")
    require_space(journey.store, released, "the student needs", "choose another --store")


def _draft(journey: FinetuneJourney, writing: _Writing, examples: Examples, epoch: int, checkpoint: Path) -> Path:
    plan, base, curves = journey.plan, journey.base, read_curves(journey.folder)
    training: dict[str, Any] = {
        "command": journey.command,
        "plan": plan.plain(),
        "examples": len(examples.tokenized),
        "unread": examples.unread,
        "validation": journey.validation,
        "best_epoch": epoch,
        "epochs": curves,
    }
    facts = WriterRelease(
        name=journey.name,
        version=journey.version,
        licence=journey.licence,
        base_model=base.name,
        datasets={path.name: path for path in journey.datasets.values()},
        training=training,
        codec=plan.codec,
        decoding="constrained" if plan.codec != "json" else "free",
        prompt=writing.form,
        base=base.stored if journey.as_adapter else None,
    )

    def write(folder: Path) -> str:
        architecture = export(checkpoint, base.folder, folder, merge=not journey.as_adapter)
        writing.tokenizer.save_pretrained(folder)
        draw_curves(curves, f"{journey.name}@{journey.version}", folder / "training.png")
        return architecture

    return draft_writer(journey.store, facts, write)


def _score_release(path: Path, journey: FinetuneJourney) -> None:
    """Evaluate a released student as it will be served; completes its manifest and writes its model card."""
    stored, store = read(path), ModelStore(journey.store)
    rows = [row for row in read_dataset(journey.datasets["teacher"]) if row.split == "test"]
    # One network after the other: a large one fits into the memory once.
    scores = _served_scores(GenerativeStudent(stored, store), rows, journey.behaviours)
    scores["free"] = evaluate(GenerativeStudent(stored, store, "free"), rows).plain()
    add_scores(path, scores, writer_card(stored.manifest, scores))


def _served_scores(engine: Engine, rows: Sequence[Example], behaviours: Path) -> dict[str, Any]:
    report = check(read_behaviours(behaviours), lambda intents: grade_intents(engine, intents))
    passed = {"passed": report.passed, "total": report.total, "kinds": report.kinds}
    return {"test": evaluate(engine, rows).plain(), "behaviours": passed}
