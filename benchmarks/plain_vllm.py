"""The other side of `benchmarks.vllm`: vLLM's own server, and how one asks it for a grade."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPException
from pathlib import Path
from socket import create_server
from time import monotonic, sleep
from typing import Any

from app.grade import json_schemas
from app.prompts.student import BEFORE_LOOK, after_look
from benchmarks.harness import BenchmarkError
from benchmarks.service import connected

PATH = "/v1/chat/completions"
TOKENS = 150
START_SECONDS = 600


@contextmanager
def plain_server(weights: Path, name: str) -> Iterator[int]:
    """Serve a folder of weights until the block ends; the port. Raises BenchmarkError."""
    with create_server(("127.0.0.1", 0)) as listener:
        port = int(listener.getsockname()[1])
    options = {
        "model": weights,
        "served-model-name": name,
        "host": "127.0.0.1",
        "port": port,
        "dtype": "bfloat16",
        "max-model-len": 1024,
        "structured-outputs-config": '{"backend":"xgrammar","disable_any_whitespace":true}',
    }
    command = [sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--enforce-eager"]
    command += [part for option, value in options.items() for part in (f"--{option}", str(value))]
    environment = {
        "VLLM_CPU_KVCACHE_SPACE": "1",
        "VLLM_NO_USAGE_STATS": "1",
        "HF_HUB_OFFLINE": "1",
        # Else a connection may be closed while the other two calls of a request still run.
        "VLLM_HTTP_TIMEOUT_KEEP_ALIVE": "600",
    }
    with tempfile.TemporaryFile("w+", encoding="utf-8") as log:
        process = subprocess.Popen(command, env=os.environ | environment, stdout=log, stderr=log)
        try:
            end = monotonic() + START_SECONDS
            while not _is_healthy(port):
                if process.poll() is not None or monotonic() > end:
                    log.seek(0)
                    raise BenchmarkError(f"vLLM's server did not start: {log.read()[-2000:]}")
                sleep(0.5)
            yield port
        finally:
            process.terminate()
            process.wait(60)


def chat(model: str, intent: str, tool: str) -> dict[str, Any]:
    """A request for one tool's settings as JSON."""
    schema = {"name": tool, "schema": _SCHEMAS[tool], "strict": True}
    return {
        "model": model,
        "messages": [{"role": "user", "content": f"{BEFORE_LOOK}{intent}{after_look(tool)}"}],
        "temperature": 0,
        "max_tokens": TOKENS,
        "response_format": {"type": "json_schema", "json_schema": schema},
    }


def _is_healthy(port: int) -> bool:
    try:
        with connected(port) as connection:
            connection.request("GET", "/health")
            return connection.getresponse().status == 200
    except (OSError, HTTPException):
        return False


def _all_required(schema: Any) -> Any:
    """With every parameter in the answer, as ours has them."""
    if not isinstance(schema, dict):
        return schema
    changed = {key: _all_required(value) for key, value in schema.items() if key != "default"}
    return changed | ({"required": list(schema["properties"])} if "properties" in schema else {})


_SCHEMAS = {tool: _all_required(schema) for tool, schema in json_schemas().items()}
