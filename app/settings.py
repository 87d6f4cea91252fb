"""Every setting of the service: one field here, one ``RECOLOR_…`` environment variable."""

from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

Fraction = Annotated[float, Field(ge=0, le=1)]
Seconds = Annotated[float, Field(gt=0, le=600)]
Count = Annotated[int, Field(ge=1)]

CHECKOUT = Path(__file__).resolve().parent.parent


class StartError(Exception):
    """What the settings ask for must not or cannot start; the message says why, and what to do."""


class Settings(BaseSettings):
    """Read from the environment, e.g. ``RECOLOR_PORT=8123``. Secrets never appear in a repr or a log."""

    model_config = SettingsConfigDict(env_prefix="RECOLOR_", extra="ignore", frozen=True, env_ignore_empty=True)

    host: str = Field("127.0.0.1", description="Address to listen on. Without keys only loopback is allowed.")
    port: int = Field(8000, ge=0, le=65535, description="Port to listen on; 0 lets the system choose.")
    allow_open: bool = Field(False, description="Listen beyond loopback although no key is set.")
    api_keys: Annotated[tuple[SecretStr, ...], NoDecode] = Field(
        (), description="Bearer keys, separated by commas. Empty: no key is asked for."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="Intents are written to the log at debug only."
    )
    traces_endpoint: str | None = Field(
        None, description="OpenTelemetry collector (OTLP over HTTP), e.g. `http://collector:4318`; empty: no traces."
    )
    traces_sample: Fraction = Field(
        1.0, description="The part of the requests that is traced; a caller's `traceparent` decides for its own."
    )

    model: str = Field("recolor-mini@1", description="The student that answers, name@version, from the model store.")
    model_store: Path = Field(CHECKOUT / "model_store", description="Folder of the model store.")
    backend: Literal["auto", "hf", "vllm", "remote"] = Field(
        "auto", description="What the student computes with; `auto` is `hf`, in this process."
    )
    decoding: Literal["constrained", "free"] | None = Field(
        None, description="Decode under the tool's grammar or freely; empty: as the model's manifest says."
    )
    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="Where a writing student computes.")
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = Field(
        "auto", description="Numbers that a writing student computes with; `auto` is bfloat16."
    )
    threads: int = Field(
        0, ge=0, description="CPU threads for a batch of requests; 0: all cores. A lone request takes one."
    )

    experiment: str | None = Field(
        None, description="Name of the experiment that runs; with the project it decides on the variant."
    )
    variants: str | None = Field(
        None,
        description="Its variants beside `control`, which is the student above and has the other projects: "
        "`name:percent=model`, separated by commas, e.g. `bolder:10=recolor-mini@2,teacher:5=teacher`.",
    )

    vllm_quantization: Literal["awq", "gptq", "fp8", "bitsandbytes"] | None = Field(
        None, description="How the weights are quantised, as vLLM names it; empty: as their configuration says."
    )
    vllm_tensor_parallel_size: Count = Field(1, description="GPUs that the student is spread over.")
    vllm_gpu_memory_utilization: Fraction = Field(0.9, description="The part of a GPU's memory that vLLM takes.")
    vllm_cpu_cache_gib: float = Field(1.0, gt=0, description="Memory of the attention's cache on a CPU.")
    vllm_prefix_caching: bool = Field(True, description="Compute once what the prompts of a request begin with.")
    vllm_enforce_eager: bool | None = Field(
        None, description="Start sooner, without compiled graphs, and answer later; empty: on a CPU only."
    )
    vllm_speculation: Literal["ngram", "suffix"] | None = Field(
        None, description="Guess tokens ahead from the text so far, or from earlier answers (`suffix`)."
    )
    vllm_speculative_tokens: Count = Field(4, description="Tokens that are guessed ahead.")

    remote_base_url: str | None = Field(
        None, description="Server of a `remote` student, vLLM's or one that speaks as it does."
    )
    remote_api_key: SecretStr | None = Field(None, description="Key of that server; empty: it asks for none.")
    remote_model: str | None = Field(None, description="The student's name at that server; empty: name@version.")
    remote_connections: Count = Field(192, description="Most calls to that server at once (three a request).")

    deadline_seconds: Seconds = Field(8.0, description="Time one request may take.")
    student_seconds: Seconds = Field(
        2.5, description="The student's part of the deadline; all of it where no teacher can use the rest."
    )
    max_batch: Count = Field(96, description="Most prompts in one forward batch (three a request).")
    max_queue: Count = Field(1024, description="Most prompts waiting for the student; more are refused with 429.")
    cache_entries: int = Field(100_000, ge=0, description="Tools kept in the memory cache; 0 switches it off.")
    redis_url: SecretStr | None = Field(
        None,
        description="Redis that replicas share, for answers and rate limits: `redis://`, `rediss://` or `unix://`.",
    )
    redis_seconds: Seconds = Field(
        0.05, description="Time in which Redis must answer; if it does not, nobody asks until it works again."
    )
    redis_keep_seconds: Count = Field(604_800, description="Time for which Redis keeps an answer, if it has the room.")

    rate_limit: str = Field(
        "600/minute", description="Requests per key, or per address without keys; `none` switches it off."
    )
    max_body_bytes: Count = Field(16_384, description="Largest JSON body.")

    max_image_bytes: Count = Field(33_554_432, description="Largest photo that is rendered, as a file.")
    max_image_pixels: Count = Field(50_000_000, description="Most pixels of a photo that is rendered.")
    upload_seconds: Seconds = Field(60.0, description="Time in which a photo must have arrived.")
    render_workers: Count = Field(1, description="Photos rendered at once, each by a process on one core.")
    render_queue: int = Field(8, ge=0, description="Photos that may arrive or wait beside; more are refused with 429.")
    render_seconds: Seconds = Field(30.0, description="Time that rendering one photo may take.")

    teacher_api_key: SecretStr | None = Field(None, description="Key of the teacher; empty: no teacher.")
    teacher_base_url: str = Field("https://api.openai.com/v1", description="Any OpenAI-compatible server.")
    teacher_model: str = Field("gpt-3.5-turbo", description="The teacher's model.")
    teacher_concurrency: Count = Field(16, description="Most calls to the teacher at once.")
    teacher_retries: int = Field(1, ge=0, le=5, description="Further tries of a call, if they can still finish.")
    teacher_typical_seconds: Seconds = Field(3.5, description="A try is begun only if this much time is left.")
    teacher_breaker_failures: Count = Field(5, description="Failures in a row after which calls stop.")
    teacher_breaker_seconds: Seconds = Field(30.0, description="Time for which they stop.")
    teacher_fresh_share: Fraction = Field(
        0.0,
        description="Part of `POST /recolor` outside of experiments that the teacher answers, past cache and student.",
    )
    teacher_fresh_dollars: float = Field(
        1.0, ge=0, description="What these may cost a day (UTC), in US dollars; each process counts for itself."
    )
    teacher_prompt_dollars: float = Field(0.50, ge=0, description="Price of a million prompt tokens.")
    teacher_completion_dollars: float = Field(1.50, ge=0, description="Price of a million completion tokens.")

    events_url: SecretStr | None = Field(
        None,
        description="Event store: URL of SQLite or PostgreSQL; empty: a file in the folder below; `none`: no store.",
    )
    events_folder: Path = Field(
        CHECKOUT / "runs" / "events", description="Folder of that SQLite file, and of events that wait for the store."
    )
    events_queue: Count = Field(10_000, description="Most events in memory until they are on disk; more are dropped.")
    events_flush_seconds: Seconds = Field(
        0.5, description="Time after which events are on disk; a killed process loses no older ones."
    )
    events_spool_bytes: int = Field(
        268_435_456, ge=65_536, description="Space of the events that wait on disk; beyond it new ones are dropped."
    )
    events_user_key: SecretStr | None = Field(
        None, description="Secret under which users are hashed in events; empty: no user is stored."
    )
    prometheus_key: SecretStr | None = Field(
        None, description="Bearer key that `recolor canary` shows Prometheus; empty: it asks for none."
    )
    judge_api_key: SecretStr | None = Field(
        None, description="Key of the vision-language judge of `recolor reality-check --judge`."
    )
    judge_base_url: str = Field("https://api.openai.com/v1", description="Any OpenAI-compatible server.")
    judge_model: str = Field("gpt-4o-mini", description="The judge's model; it must see pictures.")
    judge_concurrency: Count = Field(4, description="Most calls to the judge at once.")
    judge_seconds: Seconds = Field(60.0, description="Time one call to the judge may take.")
    judge_retries: int = Field(3, ge=0, le=10, description="Further tries of a call to the judge that failed.")
    judge_prompt_dollars: float = Field(0.15, ge=0, description="Price of a million prompt tokens of the judge.")
    judge_completion_dollars: float = Field(
        0.60, ge=0, description="Price of a million completion tokens of the judge."
    )

    @field_validator("rate_limit")
    @classmethod
    def _no_limit(cls, value: str) -> str:
        return "" if value == "none" else value

    @field_validator("api_keys", mode="before")
    @classmethod
    def _split_keys(cls, value: object) -> object:
        return tuple(key.strip() for key in value.split(",") if key.strip()) if isinstance(value, str) else value


def bearer_key(secret: SecretStr | None, variable: str) -> str:
    """A key as a header carries it; empty without one. Raises ValueError, which does not show it."""
    key = secret.get_secret_value() if secret else ""
    if not key.isascii() or not key.isprintable() or " " in key:
        raise ValueError(f"{variable} has characters that no key has, such as a space or a line end")
    return key


def http_address(url: str, variable: str) -> str:
    """The address as it is. Raises ValueError where it is none."""
    try:
        address = urlsplit(url)
        if address.scheme in ("http", "https") and address.hostname and address.port != 0:
            return url
    except ValueError:  # a port or an IPv6 address that cannot be
        pass
    raise ValueError(f"{variable} is not an http or https address")
