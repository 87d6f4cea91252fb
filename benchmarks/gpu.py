"""Students of the production sizes on a GPU: ``python -m benchmarks.gpu``.

Asks for nothing but a GPU, PyTorch and transformers, so that it runs on a bare machine: no other package of the service
is imported. Weights and prompts are random, bfloat16, and as long as the real ones; one request is three prompts in one
batch.

- Flan-T5-base's size: our decoder under a grammar (codec `letters`) against `generate` of JSON.
- Llama-2-7b's size: `generate`, as many tokens as `letters` and as JSON have.

Beside each stands its roofline: the bytes of weights that its passes read, over the memory bandwidth measured here.
"""

import argparse
import json
import platform
import statistics
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from time import perf_counter
from types import ModuleType, SimpleNamespace
from typing import Any

import torch
import transformers
from torch import Tensor, nn
from transformers import (
    GenerationConfig,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedModel,
    T5Config,
    T5ForConditionalGeneration,
)

ROOT = Path(__file__).resolve().parent.parent
TOOLS = ("adjust", "selective_adjust", "filter")
ALPHABET = 60
"""Tokens that occur in answers of the codec `letters`."""
TOKENS = {"T5": {"letters": 15, "json": 104}, "Llama": {"letters": 15, "json": 74}}
"""Of the longest of a request's three answers, the end included: what `benchmarks.tokens` counts, means rounded up."""
PROMPT = 60
"""Tokens of a prompt."""
T5_BASE = {"d_model": 768, "d_kv": 64, "num_heads": 12, "d_ff": 2048, "num_layers": 12, "num_decoder_layers": 12}
T5_SMALL = {"d_model": 64, "d_kv": 16, "num_heads": 4, "d_ff": 128, "num_layers": 2, "num_decoder_layers": 2}
LLAMA_7B = {"hidden_size": 4096, "intermediate_size": 11_008, "num_hidden_layers": 32, "num_attention_heads": 32}
LLAMA_SMALL = {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4}
WANTED_MS = 40.0
"""For three tools by a student of Flan-T5-base's size on an H200."""


@dataclass(frozen=True, slots=True)
class Case:
    """One way of answering one request. `read` is the bytes of weights that all its passes read."""

    name: str
    answer: Callable[[], object]
    read: int


def main() -> None:
    options = _options()
    device = torch.device(options.device)
    if device.type == "cuda" and not torch.cuda.is_available():
        sys.exit("benchmark: PyTorch finds no GPU here; --device cpu --quick shows that the benchmark runs")
    torch.manual_seed(1)
    bandwidth = _bandwidth(device, (1 << 24) if options.quick else (1 << 31))
    print(f"{_name(device)}, PyTorch {torch.__version__}, transformers {transformers.__version__}")
    print(f"memory bandwidth, copying: {bandwidth / 1e9:,.0f} GB/s\n")
    print(f"{'one request, three tools':<52}{'p50':>9}{'p90':>9}{'p99':>9}{'roofline':>10}  ms")
    rows: list[dict[str, Any]] = []
    with torch.inference_mode():
        for build in (_t5_cases, _llama_cases):
            # One network at a time: the larger one takes 13 GiB.
            for case in build(device, options.quick):
                rows.append(_measure(case, device, 2 if options.quick else options.requests, bandwidth))
                print(_line(rows[-1]), flush=True)
    if not options.quick:
        met = rows[0]["p50_ms"] <= WANTED_MS
        print(f"\nFlan-T5-base's size, ours, p50 at most {WANTED_MS:g} ms: {'met' if met else 'missed'}")
    _write(options.results, device, bandwidth, options.quick, rows)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Milliseconds of one request for three tools, and its roofline.")
    parser.add_argument("--device", default="cuda", help="where the networks compute (default: cuda)")
    parser.add_argument("--requests", type=int, default=50, help="requests of each kind (default: 50)")
    parser.add_argument("--quick", action="store_true", help="tiny networks; the numbers mean nothing")
    parser.add_argument("--results", type=Path, default=ROOT / "benchmarks" / "results", help="folder of the JSON file")
    return parser.parse_args()


def _t5_cases(device: torch.device, quick: bool) -> list[Case]:
    size = T5_SMALL if quick else T5_BASE
    config = T5Config(
        vocab_size=32_128,
        feed_forward_proj="gated-gelu",
        tie_word_embeddings=False,
        decoder_start_token_id=0,
        pad_token_id=0,
        eos_token_id=1,
        **size,
    )
    network = _random(T5ForConditionalGeneration, config, device)
    prompts, tokens = _prompts(), TOKENS["T5"]
    steps = _module("t5_steps").T5Steps(network, list(range(2, 2 + ALPHABET)), tokens["letters"])
    writer = _module("writing").ConstrainedWriter(steps, *_grammar(tokens["letters"]))
    once = _bytes(network.encoder.block) + sum(_bytes(layer.cross_kv) for layer in steps._layers)
    each = _bytes(network.decoder.block) - sum(_bytes(layer.cross_kv) for layer in steps._layers)
    ours = once + (tokens["letters"] - 1) * (each + _bytes(steps._head))  # the end token costs no pass
    plain = once + tokens["json"] * (each + _bytes(network.lm_head))
    return [
        Case("Flan-T5-base's size, letters, ours", lambda: writer.write(prompts, TOOLS), ours),
        Case("Flan-T5-base's size, JSON, generate", lambda: _generate(network, prompts, tokens["json"]), plain),
    ]


def _llama_cases(device: torch.device, quick: bool) -> list[Case]:
    size = LLAMA_SMALL if quick else LLAMA_7B
    config = LlamaConfig(vocab_size=32_000, tie_word_embeddings=False, max_position_embeddings=512, **size)
    network = _random(LlamaForCausalLM, config, device)
    prompts, each = _prompts(), _bytes(network.model.layers) + _bytes(network.lm_head)
    return [
        Case(
            f"Llama-2-7b's size, {codec}, generate",
            lambda count=count: _generate(network, prompts, count),  # type: ignore[misc]
            count * each,
        )
        for codec, count in TOKENS["Llama"].items()
    ]


def _random(kind: type[PreTrainedModel], config: Any, device: torch.device) -> Any:
    """Made where it is used, in the numbers that it computes with: in float32 on the CPU it would take minutes."""
    kept = torch.get_default_dtype()
    torch.set_default_dtype(torch.bfloat16)
    try:
        with device:
            return kind(config).eval()
    finally:
        torch.set_default_dtype(kept)


def _module(name: str) -> ModuleType:
    """A module of `app.students` without its package, which needs more than there is on a bare machine."""
    spec = spec_from_file_location(f"recolor_{name}", ROOT / "app" / "students" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def _grammar(longest: int) -> tuple[SimpleNamespace, SimpleNamespace]:
    """A spelling and an automaton whose answers have all the same length: any letters, then the end."""
    states = longest + 1
    allowed = torch.ones(states, ALPHABET, dtype=torch.bool).numpy()
    following = (
        torch.arange(1, states + 1).clamp(max=longest - 1)[:, None].expand(states, ALPHABET).contiguous().numpy()
    )
    automaton = SimpleNamespace(
        allowed=allowed, next=following, start=dict.fromkeys(TOOLS, 0), end=longest - 1, longest=longest
    )
    return SimpleNamespace(alphabet=list(range(2, 2 + ALPHABET))), automaton


def _generate(network: Any, prompts: Sequence[Sequence[int]], tokens: int) -> Tensor:
    """Greedy, exactly that many tokens: without an end token the limit is the length."""
    ids = torch.tensor(prompts, device=network.device)
    generation = GenerationConfig(
        do_sample=False, num_beams=1, max_new_tokens=tokens, decoder_start_token_id=0, pad_token_id=0
    )
    answers: Tensor = network.generate(input_ids=ids, attention_mask=torch.ones_like(ids), generation_config=generation)
    assert answers.shape[1] >= tokens
    return answers


def _prompts() -> list[list[int]]:
    return torch.randint(3, 32_000, (len(TOOLS), PROMPT)).tolist()


def _bytes(part: nn.Module | Tensor) -> int:
    weights = part.parameters() if isinstance(part, nn.Module) else [part]
    return sum(weight.numel() * weight.element_size() for weight in weights)


def _bandwidth(device: torch.device, size: int) -> float:
    """Bytes a second that are read or written while memory is copied."""
    source = torch.empty(size, dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    taken = _times(lambda: target.copy_(source), device, 10)
    return 2 * size / statistics.median(taken)


def _measure(case: Case, device: torch.device, requests: int, bandwidth: float) -> dict[str, Any]:
    taken = sorted(1000 * seconds for seconds in _times(case.answer, device, requests))
    quantiles = statistics.quantiles(taken, n=100, method="inclusive")
    return {
        "name": case.name,
        "p50_ms": quantiles[49],
        "p90_ms": quantiles[89],
        "p99_ms": quantiles[98],
        "read_bytes": case.read,
        "roofline_ms": 1000 * case.read / bandwidth,
    }


def _times(work: Callable[[], object], device: torch.device, count: int) -> list[float]:
    """Seconds of each of `count` runs, after a few that warm up."""
    taken = []
    for index in range(count + 3):
        _wait(device)
        begun = perf_counter()
        work()
        _wait(device)
        if index >= 3:
            taken.append(perf_counter() - begun)
    return taken


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _name(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else platform.processor() or platform.machine()


def _line(row: dict[str, Any]) -> str:
    numbers = (row["p50_ms"], row["p90_ms"], row["p99_ms"])
    return f"{row['name']:<52}" + "".join(f"{value:>9.2f}" for value in numbers) + f"{row['roofline_ms']:>10.2f}"


def _write(folder: Path, device: torch.device, bandwidth: float, quick: bool, rows: list[dict[str, Any]]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    machine = {"device": _name(device), "torch": torch.__version__, "transformers": transformers.__version__}
    content = {"benchmark": "gpu", "machine": machine, "quick": quick, "bandwidth": bandwidth, "results": rows}
    (folder / "gpu.json").write_text(json.dumps(content, indent=2, allow_nan=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
