"""GET /metrics: for Prometheus."""

from fastapi import APIRouter, Request
from fastapi.responses import PlainTextResponse
from prometheus_client import REGISTRY
from prometheus_client.exposition import choose_encoder
from starlette.responses import Response


def routes() -> APIRouter:
    router = APIRouter()

    @router.get("/metrics", summary="Metrics in Prometheus' format", response_class=PlainTextResponse)
    async def metrics(request: Request) -> Response:
        encode, content_type = choose_encoder(request.headers.get("accept", ""))
        return Response(encode(REGISTRY), headers={"Content-Type": content_type})

    return router
