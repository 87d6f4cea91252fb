"""vLLM's own server over a student of a model store, as whoever runs the GPUs starts it."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
from prometheus_client.parser import text_string_to_metric_families

from tests.ports import free_port

KEY = "sk-vllm-5cR8tY1wQe"
START_SECONDS = 600


@dataclass(frozen=True, slots=True)
class VLLMServer:
    pid: int
    base_url: str
    key: str = KEY

    @property
    def root(self) -> str:
        return self.base_url.removesuffix("/v1")

    def metric(self, name: str, **labels: str) -> float:
        families = text_string_to_metric_families(httpx.get(f"{self.root}/metrics", timeout=60).text)
        samples = (sample for family in families for sample in family.samples if sample.name == f"vllm:{name}")
        return sum(sample.value for sample in samples if labels.items() <= sample.labels.items())


@contextmanager
def vllm_server(weights: Path, name: str, adapters: Mapping[str, Path], log: Path) -> Iterator[VLLMServer]:
    """Serve weights, and LoRA adapters on them by their names, until the block ends."""
    port = free_port()
    options = {
        "model": weights,
        "served-model-name": name,
        "host": "127.0.0.1",
        "port": port,
        "dtype": "float32",
        "block-size": 32,
        "generation-config": "vllm",
        "structured-outputs-config": '{"backend":"xgrammar","disable_any_whitespace":true}',
    }
    command = [sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--enforce-eager", "--enable-lora"]
    command += [part for option, value in options.items() for part in (f"--{option}", str(value))]
    command += ["--lora-modules", *(f"{adapter}={folder}" for adapter, folder in adapters.items())]
    environment = os.environ | {
        "VLLM_API_KEY": KEY,
        "VLLM_CPU_KVCACHE_SPACE": "1",
        "VLLM_NO_USAGE_STATS": "1",
        "HF_HUB_OFFLINE": "1",
    }
    with log.open("w") as written:
        process = subprocess.Popen(command, env=environment, stdout=written, stderr=written)
    server = VLLMServer(process.pid, f"http://127.0.0.1:{port}/v1")
    try:
        end = time.monotonic() + START_SECONDS
        while not _is_healthy(server):
            assert process.poll() is None, log.read_text()[-3000:]
            assert time.monotonic() < end, "it never started"
            time.sleep(0.2)
        yield server
    finally:
        process.terminate()
        process.wait(60)


def _is_healthy(server: VLLMServer) -> bool:
    try:
        return httpx.get(f"{server.root}/health").status_code == 200
    except httpx.TransportError:
        return False
