"""The service: the one place where its parts are wired together, and its process."""

import ipaddress
import signal
import socket
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

import structlog
from fastapi import FastAPI

from app import __version__
from app.api import create_app
from app.api.lifecycle import Started
from app.api.server import server as make_server
from app.events import NO_EVENTS, Events
from app.serving import BatchedStudent, MemoryCache, Recolorer, RedisCache
from app.serving.variant import rivals_in
from app.settings import Settings, StartError, http_address
from app.students import Engine, ModelStoreError, Student, load_engine
from app.teacher import Teacher
from app.telemetry import logs, traces

if TYPE_CHECKING:
    from app.serving.redis_link import RedisLink

log = structlog.get_logger(__name__)


Load = Callable[[Settings], Engine]


def build_recolorer(
    settings: Settings, load: Load = load_engine, events: Events = NO_EVENTS, redis: "RedisLink | None" = None
) -> Recolorer:
    """Everything that answers a request. Raises ValueError for a setting that cannot be read."""
    student = build_student(settings, load)
    rivals = {model: build_student(settings.model_copy(update={"model": model}), load) for model in rivals_in(settings)}
    memory = MemoryCache(settings.cache_entries)
    cache = RedisCache(memory, redis, settings.redis_keep_seconds) if redis else memory
    return Recolorer(student, Teacher(settings), cache, settings, events, rivals)


def build_student(settings: Settings, load: Load = load_engine) -> Student:
    """What answers, by the backend that the settings name. Raises ValueError for a setting that cannot be read."""
    if settings.backend == "vllm":
        from app.students.vllm import VLLMStudent

        return VLLMStudent(settings)
    if settings.backend == "remote":
        from app.students.remote import RemoteStudent

        return RemoteStudent(settings)
    return BatchedStudent(lambda: load(settings), settings)


def build(settings: Settings, started: Started = lambda error: None, load: Load = load_engine) -> FastAPI:
    """The application over it. Raises ValueError for a setting that cannot be read."""
    from app.events.opening import open_events

    events, redis = open_events(settings), link_redis(settings)
    return create_app(build_recolorer(settings, load, events, redis), settings, started, events, redis)


def link_redis(settings: Settings) -> "RedisLink | None":
    """The link to the Redis that the settings name. Raises ValueError for a URL that cannot be used."""
    if settings.redis_url is None:
        return None
    from app.serving.redis_link import RedisLink

    return RedisLink(settings)


def serve(settings: Settings, load: Load = load_engine) -> None:
    """Serve until SIGTERM or SIGINT, then finish what is in flight. Raises SystemExit where it cannot."""
    logs.configure(settings.log_level)
    # The server below raises the signal that ended it again when it is done; that is no failure.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        _run(settings, load)
    except StartError as error:
        print(f"recolor: {error}", file=sys.stderr)
        raise SystemExit(1) from None
    except KeyboardInterrupt:
        pass


def _run(settings: Settings, load: Load) -> None:
    """Raises StartError."""
    _require_key_or_loopback(settings)
    failures: list[Exception] = []

    def started(error: Exception | None) -> None:
        if error is None:
            _announce(settings, listener)
        else:
            failures.append(error)
            server.should_exit = True

    try:
        _trace(settings)
        app = build(settings, started, load)
    except ValueError as error:
        raise StartError(str(error)) from None
    listener = _listen(settings.host, settings.port)
    server = make_server(app, settings)
    try:
        server.run(sockets=[listener])
    finally:
        traces.shutdown()
    for failure in failures:
        if isinstance(failure, ModelStoreError):
            raise StartError(str(failure))
        log.error("start failed", exc_info=failure)
        raise StartError(f"the student {settings.model} cannot be started: {failure}")


def _trace(settings: Settings) -> None:
    """Raises ValueError."""
    if settings.traces_endpoint:
        endpoint = http_address(settings.traces_endpoint, "RECOLOR_TRACES_ENDPOINT")
        resource = {"service.name": "recolor", "service.version": __version__}
        traces.configure(endpoint, settings.traces_sample, resource)


def _require_key_or_loopback(settings: Settings) -> None:
    """Raises StartError."""
    if settings.api_keys or settings.allow_open or all(map(_is_loopback, _addresses(settings.host))):
        return
    raise StartError(
        f"without a key the service listens on loopback only, and {settings.host} is not. Set RECOLOR_API_KEYS, "
        "or RECOLOR_ALLOW_OPEN=true if whoever reaches this address may use it."
    )


def _is_loopback(address: str) -> bool:
    return ipaddress.ip_address(address.partition("%")[0]).is_loopback


def _addresses(host: str) -> list[str]:
    """The IP addresses of a host name. Raises StartError."""
    try:
        return [str(info[4][0]) for info in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)]
    except OSError as error:
        raise StartError(f"RECOLOR_HOST={host} is no address of this machine ({error.strerror}).") from None


def _listen(host: str, port: int) -> socket.socket:
    """Raises StartError."""
    address = _addresses(host)[0]
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        return socket.create_server((address, port), family=family, backlog=2048)
    except OSError as error:
        raise StartError(f"cannot listen on {host}:{port} ({error.strerror}); RECOLOR_PORT moves the port.") from None


def _announce(settings: Settings, listener: socket.socket) -> None:
    """Say that the service is ready: to whoever reads the logs, and to whoever started it."""
    address, port = listener.getsockname()[:2]
    if ipaddress.ip_address(address).is_unspecified:
        address = "localhost"
    url = f"http://[{address}]:{port}" if ":" in address else f"http://{address}:{port}"
    log.info("ready", url=url, model=settings.model)
    key = ' -H "Authorization: Bearer $KEY"' if settings.api_keys else ""
    print(f"Recolor is ready at {url}")
    print(f'  curl {url}/recolor{key} --json \'{{"intent": "golden hour"}}\'', flush=True)
