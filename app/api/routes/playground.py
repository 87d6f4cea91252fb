"""GET /, GET /page/…: the playground, a page to try the service on a photo.

Its files are read once, when the service starts. They ask nothing of any other host, and the page's policy forbids it;
scripts and styles lie in files of their own, so that the policy needs no exception.
"""

from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from fastapi import APIRouter, Request
from starlette.responses import Response

from app.api.admission import PAGE
from app.api.errors import NotFound

FOLDER = Path(__file__).resolve().parent.parent / "page"

INDEX = "index.html"

MEDIA_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".jpg": "image/jpeg",
}

POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "connect-src 'self'",
        # blob: is the photo that somebody chose.
        "img-src 'self' blob:",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)

HEADERS = {
    # Asked for again each time and answered with 304: a new version is never mixed with an old one.
    "Cache-Control": "no-cache",
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
}


@dataclass(frozen=True, slots=True)
class PageFile:
    """One file as it is sent."""

    content: bytes
    media_type: str
    etag: str

    @classmethod
    def read(cls, file: Path) -> "PageFile":
        content = file.read_bytes()
        return cls(content, MEDIA_TYPES[file.suffix], f'"{sha256(content).hexdigest()[:32]}"')

    def response(self, request: Request) -> Response:
        headers = HEADERS | {"ETag": self.etag}
        known = request.headers.get("if-none-match", "")
        if self.etag in (tag.strip().removeprefix("W/") for tag in known.split(",")):
            return Response(status_code=304, headers=headers)
        return Response(self.content, headers=headers, media_type=self.media_type)


def page_files() -> dict[str, PageFile]:
    """The page's files by their path below the folder, e.g. ``samples/cat.jpg``."""
    files = (file for file in FOLDER.rglob("*") if file.suffix in MEDIA_TYPES)
    return {file.relative_to(FOLDER).as_posix(): PageFile.read(file) for file in sorted(files)}


def routes() -> APIRouter:
    router = APIRouter()
    files = page_files()

    @router.get(
        "/",
        summary="The playground, a page for people",
        response_class=Response,
        responses={200: {"description": "The page.", "content": {"text/html": {}}}},
    )
    async def playground(request: Request) -> Response:
        return files[INDEX].response(request)

    @router.get(PAGE + "{name:path}", include_in_schema=False)
    async def page_file(request: Request, name: str) -> Response:
        if name not in files:
            raise NotFound
        return files[name].response(request)

    return router
