"""A real student in seconds: a random BERT of two narrow layers, trained by the project's own journey.

It answers badly on purpose: after four steps it is an early checkpoint. What it shows is that every part works with the
next: training, tuning, release, loading, decoding and scoring. With ``decoding="free"`` it leaves the grammar in the
filter, whose slots it has not yet told from the others, and not in the other tools.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

from app.distill.journey import Journey, travel
from app.distill.release import Release, draft, publish
from app.distill.train import Plan
from app.settings import Settings
from app.students import mini
from app.students.hf import ANSWERS, load_network
from app.students.store import StoredModel, read

DATASETS = Path(__file__).resolve().parents[2] / "model_store" / "datasets"
PLAN = Plan(
    epochs=1,
    decoder_first=0,
    batch=24,
    encoder_rate=1e-3,
    decoder_rate=2e-3,
    decoder_layers=1,
    decoder_feed_forward=64,
    seed=2,
)
TRAIN, VALIDATION, TEST = 96, 40, 60
FOREIGN = ("[unused0]", "[unused1]", "の", "##の", "привет")
"""Tokens of the encoder that a student's vocabulary must not keep."""


@dataclass(frozen=True, slots=True)
class Tiny:
    """Where the parts of a tiny student lie. `store` is a model store that has it, as `model`, and nothing else."""

    encoder: Path
    teacher: Path
    behaviours: Path
    run: Path
    store: Path
    model: str = "tiny@1"

    @property
    def path(self) -> Path:
        name, _, version = self.model.partition("@")
        return self.store / "students" / name / version

    @property
    def stored(self) -> StoredModel:
        return read(self.path)

    def settings(self, **changes: Any) -> Settings:
        """Settings of a service whose student it is."""
        return Settings(**{"model": self.model, "model_store": self.store, "threads": 1} | changes)

    def journey(self, **changes: Any) -> Journey:
        """The way to it; another with changes."""
        name, _, version = self.model.partition("@")
        return Journey(
            **{
                "teacher": self.teacher,
                "behaviours": self.behaviours,
                "encoder": self.encoder,
                "folder": self.run,
                "store": self.store,
                "name": name,
                "version": int(version),
                "command": "recolor train",
                "plan": PLAN,
                "validation": VALIDATION,
            }
            | changes
        )


def make(folder: Path) -> Tiny:
    """Train and release a tiny student."""
    tiny = Tiny(
        encoder=write_encoder(folder / "encoder"),
        teacher=write_teacher(folder / "teacher.jsonl"),
        behaviours=write_lines(folder / "behaviours.jsonl", lines("behaviours.jsonl")[::12]),
        run=folder / "run",
        store=folder / "model_store",
    )
    travel(tiny.journey(), lambda progress: None, lambda words: None)
    return tiny


def make_loud(tiny: Tiny, folder: Path) -> Tiny:
    """A student with the tiny one's vocabulary and large random weights, whose answers differ from intent to intent.

    Nothing is as sensitive to an error in batching as a network that turns every small difference into another answer.
    """
    loud = Tiny(tiny.encoder, tiny.teacher, tiny.behaviours, tiny.run, folder, "loud@1")
    network = load_network(tiny.path, tiny.stored.manifest)
    torch.manual_seed(2)
    with torch.no_grad():
        for weight in network.parameters():
            if weight.ndim == 2:
                weight.normal_(0, 1.5 / weight.shape[1] ** 0.5)
    facts = Release("loud", 1, "Apache-2.0", "none", {}, {}, tiny.stored.manifest.thresholds)
    reader, answers = (PreTrainedTokenizerFast.from_pretrained(path) for path in (tiny.path, tiny.path / ANSWERS))
    publish(draft(loud.store, network, reader, answers, facts))
    return loud


def write_encoder(folder: Path) -> Path:
    """A random BERT and a WordPiece tokenizer over the words of the teacher's intents, as transformers stores them."""
    folder.mkdir(parents=True)
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    trainer = trainers.WordPieceTrainer(vocab_size=1500, special_tokens=list(mini.SPECIAL), show_progress=False)
    tokenizer.train_from_iterator((row["intent"] for row in rows("teacher.jsonl")), trainer)
    learned = sorted(tokenizer.get_vocab(), key=tokenizer.token_to_id)
    # As in the real one, the special tokens do not all come first, and there are tokens that no one types.
    vocabulary = {token: index for index, token in enumerate(dict.fromkeys(["[PAD]", *FOREIGN, *learned]))}
    tokenizer.post_processor = processors.TemplateProcessing("[CLS] $A [SEP]", None, [("[CLS]", 2), ("[SEP]", 3)])
    spec = json.loads(tokenizer.to_str())
    spec["model"]["vocab"] = vocabulary
    for token in spec["added_tokens"]:
        token["id"] = vocabulary[token["content"]]
    for token in spec["post_processor"]["special_tokens"].values():
        token["ids"] = [vocabulary[content] for content in token["tokens"]]
    (folder / "tokenizer.json").write_text(json.dumps(spec), encoding="utf-8")
    torch.manual_seed(1)
    shape = {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 128}
    BertModel(BertConfig(vocab_size=len(vocabulary), **shape)).save_pretrained(folder)
    return folder


def write_teacher(file: Path, train: int = TRAIN + VALIDATION, test: int = TEST) -> Path:
    """Some of the teacher's answers, spread over the whole dataset."""
    every = rows("teacher.jsonl")
    chosen = []
    for split, wanted in (("train", train), ("test", test)):
        own = [row for row in every if row["split"] == split]
        chosen += own[:: len(own) // wanted][:wanted]
    return write_lines(file, [json.dumps(row) for row in chosen])


def rows(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in lines(name)]


def lines(name: str) -> list[str]:
    return (DATASETS / name).read_text(encoding="utf-8").splitlines()


def write_lines(file: Path, written: list[str]) -> Path:
    file.write_text("\n".join(written) + "\n", encoding="utf-8")
    return file
