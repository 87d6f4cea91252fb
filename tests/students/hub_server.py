"""A server that speaks the Hugging Face hub's protocol for one repository: model information and files, by commit."""

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@dataclass
class Hub:
    """What the hub has, and how it behaves; change it between requests.

    Attributes:
        files: by name. Weights are announced with their SHA-256, as large files are.
        gated: whether the licence must be accepted first.
        broken_after: bytes of weights after which the connection is dropped; once.
        stalled_after: bytes of weights after which nothing more is sent; once. `stalled` is set then.
        claimed: a SHA-256 that is announced for the weights instead of theirs.
        served: names of files that were asked for, with the first byte asked for.
    """

    repository: str
    files: dict[str, bytes]
    licence: str = "apache-2.0"
    licence_name: str | None = None
    gated: bool = False
    broken_after: int | None = None
    stalled_after: int | None = None
    claimed: str | None = None
    served: list[tuple[str, int]] = field(default_factory=list)
    url: str = ""
    stalled: threading.Event = field(default_factory=threading.Event)
    closing: threading.Event = field(default_factory=threading.Event)


@contextmanager
def serve_hub(hub: Hub) -> Iterator[Hub]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            _answer(self, hub, body=True)

        def do_HEAD(self) -> None:
            _answer(self, hub, body=False)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    hub.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        hub.closing.set()
        server.shutdown()
        server.server_close()
        thread.join()


def _answer(request: BaseHTTPRequestHandler, hub: Hub, body: bool) -> None:
    path = urlsplit(request.path).path
    information, resolve = f"/api/models/{hub.repository}/revision/", f"/{hub.repository}/resolve/"
    if hub.gated:
        _send(request, 403, b"", {"X-Error-Code": "GatedRepo"}, body)
    elif path.startswith(information):
        if path.removeprefix(information) not in ("main", COMMIT):
            _send(request, 404, b"", {"X-Error-Code": "RevisionNotFound"}, body)
        else:
            _send(request, 200, json.dumps(_information(hub)).encode(), {"Content-Type": "application/json"}, body)
    elif path.startswith(resolve) and (name := path.removeprefix(resolve).partition("/")[2]) in hub.files:
        _file(request, hub, name, body)
    else:
        _send(request, 404, b"", {"X-Error-Code": "RepoNotFound"}, body)


def _information(hub: Hub) -> dict[str, object]:
    siblings = []
    for name, content in hub.files.items():
        entry: dict[str, object] = {"rfilename": name, "size": len(content)}
        if name.endswith(".safetensors"):
            sha = hub.claimed or hashlib.sha256(content).hexdigest()
            entry["lfs"] = {"sha256": sha, "size": len(content), "pointerSize": 130}
        siblings.append(entry)
    card = {"license": hub.licence} | ({"license_name": hub.licence_name} if hub.licence_name else {})
    return {"id": hub.repository, "sha": COMMIT, "siblings": siblings, "cardData": card}


def _file(request: BaseHTTPRequestHandler, hub: Hub, name: str, body: bool) -> None:
    content = hub.files[name]
    start = int((request.headers.get("Range") or "bytes=0-").removeprefix("bytes=").partition("-")[0])
    digest = hashlib.sha256(content).hexdigest()
    headers = {"X-Repo-Commit": COMMIT, "ETag": f'"{digest}"', "Accept-Ranges": "bytes"}
    if body:
        hub.served.append((name, start))
    if start:
        headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
    upto = hub.stalled_after or hub.broken_after
    if body and upto is not None and name.endswith(".safetensors"):
        headers["Content-Length"] = str(len(content) - start)
        _send(request, 206 if start else 200, content[start : start + upto], headers, body)
        if hub.stalled_after is not None:
            hub.stalled_after = None
            hub.stalled.set()
            hub.closing.wait()
        hub.broken_after = None
        request.close_connection = True
        return
    _send(request, 206 if start else 200, content[start:], headers, body)


def _send(request: BaseHTTPRequestHandler, status: int, content: bytes, headers: dict[str, str], body: bool) -> None:
    request.send_response(status)
    for key, value in ({"Content-Length": str(len(content))} | headers).items():
        request.send_header(key, value)
    request.end_headers()
    if body:
        request.wfile.write(content)
