"""From a teacher dataset and a base model to a writing student in the model store."""

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from app.distill.behaviours import check, read_behaviours
from app.distill.corpus import read_corpus
from app.distill.dataset import DatasetError, Example
from app.distill.evaluate import BATCH, ask, evaluate, grade_intents
from app.distill.evaluate import read as read_answers
from app.distill.finetune.chart import draw_curves
from app.distill.finetune.examples import add_tokens, tokenize
from app.distill.finetune.networks import export, load_base, with_lora
from app.distill.finetune.plan import FinetunePlan
from app.distill.finetune.training import Finetuning, read_curves
from app.distill.release import WriterRelease, add_scores, draft_writer, publish
from app.distill.scores import Scores, score
from app.distill.train import Progress
from app.students.generative import GenerativeStudent, WritingEngine
from app.students.prompting import Form, Prompter
from app.students.store import ModelStore, read, sha256

WEIGHTS = "*.safetensors"


@dataclass(frozen=True, slots=True)
class Base:
    """What to start from: a folder, what it is called, and whose it is. `stored` is its name in the model store."""

    folder: Path
    name: str
    licence: str
    stored: str | None = None


@dataclass(frozen=True, slots=True)
class FinetuneJourney:
    """What to train, on what, and where to put it; `command` is recorded in the manifest."""

    base: Base
    datasets: dict[str, Path]
    """By role: ``teacher``, and any of ``alternates``, ``similar``, ``additions``."""
    behaviours: Path
    folder: Path
    store: Path
    name: str
    version: int
    command: str
    plan: FinetunePlan
    validation: int = 600
    export: Literal["merged", "adapter"] = "merged"


def travel(journey: FinetuneJourney, report: Callable[[Progress], None], say: Callable[[str], None]) -> Path | None:
    """Returns the folder of the released student, None in the other processes of a distributed run.

    Raises DatasetError, ModelStoreError.
    """
    plan = journey.plan
    read_behaviours(journey.behaviours)  # hours before it is needed: a broken file is told at once
    corpus = read_corpus(validation=journey.validation, seed=plan.seed, **journey.datasets)
    _begin(journey)
    torch.manual_seed(plan.seed)
    network, tokenizer = load_base(journey.base.folder, plan.lora)
    causal = not network.config.is_encoder_decoder
    if added := add_tokens(tokenizer, plan.codec):
        _require_no_lora(plan, added)
        network.resize_token_embeddings(max(len(tokenizer), network.config.vocab_size))
    form: Form = "chat" if causal and tokenizer.chat_template else "plain"
    prompter = Prompter(tokenizer, form)
    examples = tokenize([*corpus.train, *corpus.extra], plan.codec, tokenizer, prompter, causal)
    if not examples.tokenized:
        raise DatasetError(f"no intent of {journey.datasets['teacher']} can be read by {journey.base.name}")
    say(f"{len(examples.tokenized):,} examples; the base model is under the licence: {journey.base.licence}")
    if plan.lora:
        network = with_lora(network, plan.lora)

    def validate(trained: PreTrainedModel) -> Scores:
        return score_network(trained, tokenizer, prompter, plan.codec, corpus.validation)

    best = Finetuning(journey.folder, plan, validate, report).run(network, tokenizer, examples.tokenized)
    if os.environ.get("RANK", "0") != "0":
        return None
    say(f"writing the student of {best.name}")
    path = _draft(journey, best, tokenizer, form, len(examples.tokenized), examples.unread)
    say("scoring it on the test split")
    _score_release(path, journey)
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
    if note.is_file() and json.loads(note.read_text(encoding="utf-8")) != whole:
        raise DatasetError(f"{note.parent} has a run with another plan or other data; choose another folder")
    journey.folder.mkdir(parents=True, exist_ok=True)
    note.write_text(json.dumps(whole, indent=1), encoding="utf-8")


def _require_no_lora(plan: FinetunePlan, added: int) -> None:
    if plan.lora:
        raise DatasetError(
            f"the codec {plan.codec} needs {added} new tokens, whose embeddings LoRA leaves untrained; "
            "choose --codec letters, or train in full with --no-lora"
        )


def _draft(
    journey: FinetuneJourney, best: Path, tokenizer: PreTrainedTokenizerBase, form: Form, examples: int, unread: int
) -> Path:
    plan, base = journey.plan, journey.base
    adapter = plan.lora is not None and journey.export == "adapter"
    if adapter and base.stored is None:
        raise DatasetError("an adapter belongs to a base in the model store; add it there first, or export merged")
    training: dict[str, Any] = {
        "command": journey.command,
        "plan": plan.plain(),
        "examples": examples,
        "unread": unread,
        "validation": journey.validation,
        "best": best.name,
        "epochs": read_curves(journey.folder),
    }
    facts = WriterRelease(
        name=journey.name,
        version=journey.version,
        licence=base.licence,
        base_model=base.name,
        datasets={path.name: path for path in journey.datasets.values()},
        training=training,
        codec=plan.codec,
        decoding="constrained" if plan.codec != "json" else "free",
        prompt=form,
        base=base.stored if adapter else None,
    )

    def write(folder: Path) -> str:
        architecture = export(best, base.folder, folder, merge=not adapter)
        tokenizer.save_pretrained(folder)
        draw_curves(read_curves(journey.folder), f"{journey.name}@{journey.version}", folder / "training.png")
        return architecture

    return draft_writer(journey.store, facts, write)


def _score_release(path: Path, journey: FinetuneJourney) -> None:
    """Evaluate a released student as it will be served; completes its manifest and writes its model card."""
    from app.distill.card import writer_card
    from app.distill.dataset import read_dataset

    stored, store = read(path), ModelStore(journey.store)
    rows = [row for row in read_dataset(journey.datasets["teacher"]) if row.split == "test"]
    engine = GenerativeStudent(stored, store, None, dtype="float32")
    free = engine if engine.decoding == "free" else GenerativeStudent(stored, store, "free", dtype="float32")
    report = check(read_behaviours(journey.behaviours), lambda intents: grade_intents(engine, intents))
    scores = {
        "test": evaluate(engine, rows).plain(),
        "free": evaluate(free, rows).plain(),
        "behaviours": {"passed": report.passed, "total": report.total, "kinds": report.kinds},
    }
    add_scores(path, scores, writer_card(stored.manifest, scores))
