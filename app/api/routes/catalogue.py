"""GET /tools, GET /models: what can be set, and who decides it."""

from fastapi import APIRouter
from pydantic_core import to_json
from starlette.responses import Response

from app.api.errors import NotAvailable
from app.api.lifecycle import Lifecycle
from app.api.openapi import answer, errors
from app.api.schemas import ModelAnswer, ModelsAnswer, ToolsAnswer
from app.grade import json_schemas
from app.serving import Recolorer


def routes(recolorer: Recolorer, lifecycle: Lifecycle) -> APIRouter:
    router = APIRouter()
    schemas = to_json(json_schemas())

    @router.get(
        "/tools", summary="The tools and their parameters", responses=answer(ToolsAnswer, "A JSON Schema a tool.")
    )
    async def tools() -> Response:
        return Response(schemas, media_type="application/json")

    @router.get(
        "/models",
        summary="The models that answer here",
        responses=answer(ModelsAnswer, "The student, and the teacher if there is one.") | errors(NotAvailable),
    )
    async def models() -> Response:
        lifecycle.require_started()
        readiness = recolorer.readiness
        teacher = readiness.teacher
        listed = [
            ModelAnswer(
                role="student",
                model=student.model,
                ready=student.ready,
                codec=student.codec,
                decoding=student.decoding,
            )
            for student in (readiness.student, *readiness.rivals)
        ]
        if teacher.enabled:
            listed.append(ModelAnswer(role="teacher", model=teacher.model, ready=teacher.ready))
        answered = ModelsAnswer(models=listed).model_dump_json(exclude_none=True)
        return Response(answered, media_type="application/json")

    return router
