"""GET /healthz, GET /readyz: for probes."""

from fastapi import APIRouter
from pydantic_core import to_json
from starlette.responses import Response

from app.api.errors import NotAvailable
from app.api.lifecycle import RETRY_SECONDS, Lifecycle
from app.api.openapi import answer, errors
from app.api.schemas import AliveAnswer, ReadyAnswer
from app.serving import Recolorer

_ALIVE = to_json({"status": "alive"})


def routes(recolorer: Recolorer, lifecycle: Lifecycle) -> APIRouter:
    router = APIRouter()

    @router.get("/healthz", summary="Is the process alive?", responses=answer(AliveAnswer, "It is."))
    async def healthz() -> Response:
        return Response(_ALIVE, media_type="application/json")

    @router.get(
        "/readyz",
        summary="Can a request be answered?",
        responses=answer(ReadyAnswer, "`ready`, or `degraded` while only the teacher can answer.")
        | errors(NotAvailable),
    )
    async def readyz() -> Response:
        lifecycle.require_started()
        readiness = recolorer.readiness
        if not readiness.ready:
            raise NotAvailable("Neither the student nor the teacher can answer.", RETRY_SECONDS)
        status = "degraded" if readiness.degraded else "ready"
        body = {"status": status, "model": readiness.student.model}
        return Response(to_json(body), media_type="application/json")

    return router
