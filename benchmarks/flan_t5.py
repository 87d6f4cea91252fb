"""A student of Flan-T5-base's size, three tools, answered our way and the plain way: ``python -m benchmarks.flan_t5``.

The weights are random (the real ones cannot be fetched here), so the answers are forced to the teacher's real ones:
our way computes every step and then takes the token that the teacher's answer has; the plain way generates as many
tokens as its JSON has. Both batch the three prompts of one request.

- ours: codec `letters`, constrained, bfloat16, decoder written out with static shapes, output layer of the alphabet.
- plain: `generate` of the stock network in float32, codec `json`, greedy.

What favours the plain way: its JSON is not parsed.
"""

from collections.abc import Sequence
from dataclasses import asdict
from time import perf_counter

import torch
from torch import Tensor
from transformers import GenerationConfig, T5Config, T5ForConditionalGeneration

from app.distill.dataset import Example
from app.grade import TOOLS
from app.grade.codecs import CODECS, LettersCodec
from app.students.prompting import Prompter
from app.students.protocol import Prompt
from app.students.spelling import Automaton, Spelling
from app.students.t5_steps import T5Steps
from app.students.writing import ConstrainedWriter
from benchmarks.harness import (
    RESULTS,
    SPREAD_COLUMNS,
    THREADS,
    Quick,
    Report,
    Results,
    Rounds,
    Spread,
    Target,
    Threads,
    rounds_of,
    run,
    table,
)
from benchmarks.intents import examples_to_ask
from benchmarks.vocabularies import t5_like

VOCABULARY = 32_128
INTENTS = 8
"""Our way, in one round; the plain way gets one."""


def main(rounds: Rounds = 3, threads: Threads = THREADS, quick: Quick = False, results: Results = RESULTS) -> None:
    """Milliseconds of one request for three tools, ours and plain, and their ratio in each round."""
    torch.set_num_threads(threads)
    rounds, intents = (1, 1) if quick else (rounds, INTENTS)
    tokenizer = t5_like()
    codec = LettersCodec()
    spelling = Spelling(codec, tokenizer)
    prompter = Prompter(tokenizer, "plain")
    plain = _network(quick)
    ours = Ours(_network(quick).to(torch.bfloat16), spelling)
    examples = [example for example in examples_to_ask() if prompter.ids(Prompt(example.intent, "adjust"))]
    ours_ms: list[list[float]] = []
    plain_ms: list[list[float]] = []
    lengths: list[tuple[int, int]] = []
    ours.answer(_prompts(prompter, examples[0]), _answers(spelling, examples[0]))
    for index in rounds_of(rounds, "Flan-T5-base size"):
        asked = examples[index * intents : (index + 1) * intents]
        ours_ms.append([_ours(ours, prompter, spelling, example) for example in asked])
        json_tokens = max(len(tokenizer.encode(text)) for text in _json(asked[0]))
        plain_ms.append([_plain(plain, _prompts(prompter, asked[0]), json_tokens)])
        lengths.append((max(map(len, _answers(spelling, asked[0]))) - 1, json_tokens))
    _report(ours_ms, plain_ms, lengths).publish(results, rounds=rounds, threads=threads, quick=quick)


class Ours:
    """The constrained writer over a network whose choices are forced."""

    def __init__(self, network: T5ForConditionalGeneration, spelling: Spelling) -> None:
        automaton: Automaton = spelling.automaton()
        self._steps = Forced(T5Steps(network, spelling.alphabet, automaton.longest), spelling)
        self._writer = ConstrainedWriter(self._steps, spelling, automaton)

    def answer(self, prompts: Sequence[Sequence[int]], wanted: Sequence[Sequence[int]]) -> list[list[int]]:
        self._steps.wanted = wanted
        with torch.inference_mode():
            return self._writer.write(prompts, list(TOOLS))


class Forced:
    """Computes every step of a network, and then makes the wanted token the likeliest."""

    def __init__(self, steps: T5Steps, spelling: Spelling) -> None:
        self.device, self.wanted = steps.device, [[0]]
        self._steps, self._places = steps, {index: place for place, index in enumerate(spelling.alphabet)}
        self._at = 0

    def begin(self, prompts: Sequence[Sequence[int]]) -> Tensor:
        self._at = 0
        return self._force(self._steps.begin(prompts))

    def step(self, tokens: Tensor) -> Tensor:
        return self._force(self._steps.step(tokens))

    def _force(self, logits: Tensor) -> Tensor:
        for row, ids in enumerate(self.wanted):
            logits[row, self._places[ids[min(self._at, len(ids) - 1)]]] = torch.inf
        self._at += 1
        return logits


def _network(small: bool) -> T5ForConditionalGeneration:
    """Flan-T5-base's size: 248 million parameters."""
    size = (
        {"d_model": 64, "d_kv": 16, "num_heads": 4, "d_ff": 128, "num_layers": 2, "num_decoder_layers": 2}
        if small
        else {"d_model": 768, "d_kv": 64, "num_heads": 12, "d_ff": 2048, "num_layers": 12, "num_decoder_layers": 12}
    )
    config = T5Config(
        vocab_size=VOCABULARY,
        feed_forward_proj="gated-gelu",
        tie_word_embeddings=False,
        decoder_start_token_id=0,
        pad_token_id=0,
        eos_token_id=1,
        **size,
    )
    return T5ForConditionalGeneration(config).eval()


def _ours(ours: Ours, prompter: Prompter, spelling: Spelling, example: Example) -> float:
    wanted = _answers(spelling, example)
    begun = perf_counter()
    written = ours.answer(_prompts(prompter, example), wanted)
    took = 1000 * (perf_counter() - begun)
    if written != [ids[:-1] for ids in wanted]:
        raise AssertionError("the answers are not the forced ones")
    return took


def _plain(network: T5ForConditionalGeneration, prompts: Sequence[Sequence[int]], tokens: int) -> float:
    longest = max(map(len, prompts))
    ids = torch.tensor([[*prompt, *[0] * (longest - len(prompt))] for prompt in prompts])
    # Without an end token the limit is the length; and no time goes into suppressing that token.
    generation = GenerationConfig(
        do_sample=False, num_beams=1, max_new_tokens=tokens, decoder_start_token_id=0, pad_token_id=0
    )
    begun = perf_counter()
    with torch.inference_mode():
        answers = network.generate(input_ids=ids, attention_mask=(ids != 0).long(), generation_config=generation)
    took = 1000 * (perf_counter() - begun)
    if answers.shape != (len(prompts), tokens + 1):
        raise AssertionError(f"generated {tuple(answers.shape)}")
    return took


def _prompts(prompter: Prompter, example: Example) -> list[list[int]]:
    return [ids for tool in TOOLS if (ids := prompter.ids(Prompt(example.intent, tool))) is not None]


def _answers(spelling: Spelling, example: Example) -> list[list[int]]:
    return [spelling.ids(tool, spelling.codec.encode(tool, example.grade.settings(tool))) for tool in TOOLS]


def _json(example: Example) -> list[str]:
    return [CODECS["json"].encode(tool, example.grade.settings(tool)) for tool in TOOLS]


def _report(ours_ms: list[list[float]], plain_ms: list[list[float]], lengths: list[tuple[int, int]]) -> Report:
    ours, plain = Spread.of(ours_ms), Spread.of(plain_ms)
    ratio = plain.p50 / ours.p50
    rows = [("ours: letters, bfloat16", *ours.cells()), ("plain: generate, JSON, float32", *plain.cells())]
    steps = [("tokens of the longest answer", *(f"{ours} / {json}" for ours, json in lengths))]
    return Report(
        name="flan_t5",
        tables=[
            table("One request, three tools, milliseconds", ("", *SPREAD_COLUMNS), rows),
            table("Steps: letters / JSON", ("", *(f"round {index + 1}" for index in range(len(lengths)))), steps),
        ],
        results={"ours_ms": asdict(ours), "plain_ms": asdict(plain), "ratio": ratio, "steps": lengths},
        targets=[
            Target("faster than plain generate", ratio, 15, "times", at_least=True),
            Target("one request, p50", ours.p50, 600, "ms"),
        ],
    )


if __name__ == "__main__":
    run(main)
