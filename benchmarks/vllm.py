"""A decoder-only student under vLLM on the CPU, our way and through vLLM's own server: ``python -m benchmarks.vllm``.

The same weights (a Llama of two narrow layers with a vocabulary of 32,000; random, for what it says does not matter),
the same vLLM, the same machine, round by round in turns:

- ours: one `POST /recolor` that no cache answers: three prompts, codec `letters`, constrained.
- plain: three `POST /v1/chat/completions` to `vllm.entrypoints.openai.api_server`, sent at once, each under the JSON
  Schema of its tool without white space, 150 tokens at most; done when the last has come.

Every server is a process of its own; the clients share one event loop and the servers' cores.
What favours the plain way: nothing is validated or logged, and an answer that is not whole after 150 tokens counts.
Not covered: GPUs (`benchmarks.gpu`), and large networks, in which computing weighs more and everything else less.
"""

import asyncio
import tempfile
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from itertools import islice
from pathlib import Path
from statistics import mean, median
from time import perf_counter

import torch
import uvloop
from transformers import LlamaConfig, LlamaForCausalLM

from app.grade import TOOLS
from app.students.manifest import Manifest
from app.students.store import sha256, write
from benchmarks.connection import Connection
from benchmarks.harness import (
    RESULTS,
    SPREAD_COLUMNS,
    BenchmarkError,
    Quick,
    Report,
    Results,
    Rounds,
    Spread,
    Target,
    rounds_of,
    run,
    table,
)
from benchmarks.intents import new_intents
from benchmarks.plain_vllm import PATH, chat, plain_server
from benchmarks.service import service
from benchmarks.vocabularies import llama_like

MODEL = "tiny-llama@1"
CHAT = "{% for message in messages %}{{ bos_token }}[INST] {{ message['content'] }} [/INST]{% endfor %}"
CONCURRENCY = 16
REQUESTS = 24
"""Of one client alone in one round; together, each of the clients has a quarter of them."""
LONG = 190
"""Characters of a long look; 200 are allowed."""

OURS, UNCACHED, PLAIN = "ours", "ours, without prefix caching", "plain"
WARM_UP = 5


@dataclass
class Way:
    """One way to a grade, and what was measured of it round by round: milliseconds, and requests a second together."""

    port: int
    ask: Callable[[Sequence[Connection], str], Awaitable[int]]
    """Returns the tokens of the longest of the three answers, where it is told."""
    alone: list[list[float]] = field(default_factory=list)
    long: list[list[float]] = field(default_factory=list)
    rates: list[float] = field(default_factory=list)
    tokens: list[int] = field(default_factory=list)


def main(rounds: Rounds = 5, quick: Quick = False, results: Results = RESULTS) -> None:
    """One request alone and sixteen at once, against three schema-guided calls to vLLM's own server."""
    rounds, requests = (1, 4) if quick else (rounds, REQUESTS)
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        store = Path(folder)
        weights = _write_student(store)
        settings = {"backend": "vllm", "model": MODEL, "model_store": store, "vllm_cpu_cache_gib": 1}
        ways = {
            OURS: Way(stack.enter_context(service(**settings)).port, _ours),
            PLAIN: Way(stack.enter_context(plain_server(weights, MODEL)), _plain),
        }
        if not quick:
            without = stack.enter_context(service(**settings, vllm_prefix_caching=False))
            ways[UNCACHED] = Way(without.port, _ours)
        uvloop.run(_measure(ways, new_intents(), rounds, requests))
    _report(ways).publish(results, rounds=rounds, requests=requests, quick=quick)


async def _measure(ways: dict[str, Way], intents: Iterator[str], rounds: int, requests: int) -> None:
    for way in ways.values():
        await _together(way, intents, WARM_UP)
        way.tokens.clear()
    for _ in rounds_of(rounds, "vllm"):
        for way in ways.values():
            way.alone.append(await _one_client(way, list(islice(intents, requests))))
        for way in ways.values():
            way.long.append(await _one_client(way, [_long(intents) for _ in range(requests)]))
        for way in ways.values():
            way.rates.append(await _together(way, intents, max(1, requests // 4)))


async def _together(way: Way, intents: Iterator[str], requests: int) -> float:
    """Requests a second of so many clients."""
    shares = [list(islice(intents, requests)) for _ in range(CONCURRENCY)]
    began = perf_counter()
    await asyncio.gather(*(_one_client(way, share) for share in shares))
    return CONCURRENCY * requests / (perf_counter() - began)


async def _one_client(way: Way, asked: Sequence[str]) -> list[float]:
    """Asks one after the other; milliseconds of each."""
    connections = [await Connection.to(way.port) for _ in TOOLS]
    taken = []
    for intent in asked:
        began = perf_counter()
        way.tokens.append(await way.ask(connections, intent))
        taken.append((perf_counter() - began) * 1000)
    for connection in connections:
        connection.close()
    return taken


async def _ours(connections: Sequence[Connection], intent: str) -> int:
    answer = await connections[0].post("/recolor", {"intent": intent})
    if answer["cached"] or answer["failed"]:
        raise BenchmarkError(f"an answer was not generated: {answer}")
    return 0


async def _plain(connections: Sequence[Connection], intent: str) -> int:
    calls = zip(connections, TOOLS, strict=True)
    answers = await asyncio.gather(*(connection.post(PATH, chat(MODEL, intent, tool)) for connection, tool in calls))
    return max(answer["usage"]["completion_tokens"] for answer in answers)


def _long(intents: Iterator[str]) -> str:
    return " ".join(islice(intents, LONG // 4))[:LONG].strip()


def _write_student(store: Path) -> Path:
    """A model store with one student of random weights; the student's folder."""
    name, _, version = MODEL.partition("@")
    folder = store / "students" / name / version
    folder.mkdir(parents=True)
    tokenizer = llama_like()
    tokenizer.chat_template = CHAT
    tokenizer.save_pretrained(folder)
    torch.manual_seed(1)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=2,
        max_position_embeddings=1024,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )
    LlamaForCausalLM(config).to(torch.bfloat16).save_pretrained(folder)
    manifest = Manifest(
        name=name,
        version=int(version),
        architecture="LlamaForCausalLM",
        codec="letters",
        decoding="constrained",
        prompt="chat",
        licence="Apache-2.0",
        base_model="none",
        datasets={},
        training={},
        scores={},
        files={file.name: sha256(file) for file in sorted(folder.iterdir())},
    )
    write(folder, manifest)
    return folder


def _report(ways: dict[str, Way]) -> Report:
    alone = {name: Spread.of(way.alone) for name, way in ways.items()}
    long = {name: Spread.of(way.long) for name, way in ways.items()}
    # Ratios of each round, so that both sides were measured within seconds.
    ours, plain = ways[OURS], ways[PLAIN]
    faster = [median(slow) / median(fast) for slow, fast in zip(plain.alone, ours.alone, strict=True)]
    more = [many / few for many, few in zip(ours.rates, plain.rates, strict=True)]
    rates = [
        (name, f"{median(way.rates):.1f}", f"{min(way.rates):.1f} .. {max(way.rates):.1f}")
        for name, way in ways.items()
    ]
    return Report(
        "vllm",
        [
            table("One request at a time, ms", ("", *SPREAD_COLUMNS), [(n, *s.cells()) for n, s in alone.items()]),
            table("The same with long looks, ms", ("", *SPREAD_COLUMNS), [(n, *s.cells()) for n, s in long.items()]),
            table(f"Requests a second, {CONCURRENCY} clients", ("", "median", "rounds"), rates),
        ],
        {
            "milliseconds": {name: asdict(spread) for name, spread in alone.items()},
            "milliseconds_of_long_looks": {name: asdict(spread) for name, spread in long.items()},
            "requests_per_second": {name: way.rates for name, way in ways.items()},
            "times_faster": faster,
            "times_more": more,
            "tokens_of_the_longest_plain_answer": mean(plain.tokens),
        },
        [
            Target("faster than three schema-guided calls", median(faster), 5, "x", at_least=True),
            Target(f"throughput at concurrency {CONCURRENCY}, against the same", median(more), 4, "x", at_least=True),
        ],
    )


if __name__ == "__main__":
    run(main)
