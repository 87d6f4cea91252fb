"""Tokens that an answer costs, JSON against `letters`, on the test split: ``python -m benchmarks.tokens``.

Counted, not timed: all three tools of one look, the end tokens included, in a T5-like and a Llama-like vocabulary (see
`benchmarks.vocabularies`).
"""

from collections.abc import Sequence

import numpy as np
from transformers import PreTrainedTokenizerBase

from app.distill.dataset import Example, read_dataset
from app.grade import TOOLS
from app.grade.codecs import CODECS, LettersCodec
from app.students.spelling import Spelling
from benchmarks.harness import RESULTS, Quick, Report, Results, Target, run, table
from benchmarks.intents import TEACHER
from benchmarks.vocabularies import llama_like, t5_like

COLUMNS = ("", "mean", "p99", "mean, longest tool", "p99, longest tool")


def main(quick: Quick = False, results: Results = RESULTS) -> None:
    """Tokens an answer: mean and 99th percentile."""
    rows = [row for row in read_dataset(TEACHER) if row.split == "test"][: 20 if quick else None]
    counted: dict[str, dict[str, list[list[int]]]] = {}
    for name, tokenizer in {"T5-like": t5_like(), "Llama-like": llama_like()}.items():
        counted[name] = {"json": _json(tokenizer, rows), "letters": _letters(tokenizer, rows)}
    lines = [
        (f"{name}, {codec}", *(f"{value:.1f}" for value in _summary(counts).values()))
        for name, codecs in counted.items()
        for codec, counts in codecs.items()
    ]
    ratios = {
        name: _summary(codecs["letters"])["mean"] / _summary(codecs["json"])["mean"] for name, codecs in counted.items()
    }
    Report(
        name="tokens",
        tables=[table(f"Tokens an answer, {len(rows)} test intents", COLUMNS, lines)],
        results={
            name: {codec: _summary(counts) for codec, counts in codecs.items()} for name, codecs in counted.items()
        },
        targets=[Target(f"{name}: letters of JSON's tokens", ratio, 0.25, "") for name, ratio in ratios.items()],
    ).publish(results, quick=quick)


def _json(tokenizer: PreTrainedTokenizerBase, rows: Sequence[Example]) -> list[list[int]]:
    texts = [[CODECS["json"].encode(tool, row.grade.settings(tool)) for tool in TOOLS] for row in rows]
    return [[len(tokenizer.encode(text, add_special_tokens=False)) + 1 for text in three] for three in texts]


def _letters(tokenizer: PreTrainedTokenizerBase, rows: Sequence[Example]) -> list[list[int]]:
    codec = LettersCodec()
    spelling = Spelling(codec, tokenizer)
    return [[len(spelling.ids(tool, codec.encode(tool, row.grade.settings(tool)))) for tool in TOOLS] for row in rows]


def _summary(counts: Sequence[Sequence[int]]) -> dict[str, float]:
    every, longest = np.sum(counts, axis=1), np.max(counts, axis=1)
    return {
        "mean": float(every.mean()),
        "p99": float(np.percentile(every, 99)),
        "longest_mean": float(longest.mean()),
        "longest_p99": float(np.percentile(longest, 99)),
    }


if __name__ == "__main__":
    run(main)
