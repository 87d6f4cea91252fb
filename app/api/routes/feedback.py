"""POST /feedback: what a user did with an answer."""

from fastapi import APIRouter, Request
from pydantic_core import to_json
from starlette.responses import Response

from app.api import examples
from app.api.body import read_json
from app.api.errors import NotAvailable
from app.api.exchange import Exchange
from app.api.openapi import BODY_ERRORS, answer, errors, json_body
from app.api.schemas import FeedbackAnswer, FeedbackBody
from app.events import Events, EventsFull, Feedback
from app.settings import Settings
from app.telemetry.metrics import REJECTED


def routes(events: Events, settings: Settings) -> APIRouter:
    router = APIRouter()

    @router.post(
        "/feedback",
        status_code=202,
        summary="What became of an answer",
        description="Say that an answer was exported, with all of its tools or some, or discarded. It may come before "
        "the answer is known here, about an answer of another replica, and more than once: saying the same "
        "again changes nothing, and an export outweighs a discard.",
        responses=answer(FeedbackAnswer, "It is kept.", examples.FEEDBACK, status=202)
        | errors(*BODY_ERRORS, NotAvailable),
        openapi_extra=json_body(FeedbackBody, examples.FEEDBACK),
    )
    async def feedback(request: Request) -> Response:
        body = await read_json(request, FeedbackBody, settings.max_body_bytes, settings.deadline_seconds)
        Exchange.of(request.scope).facts |= {"feedback": body.event, "feedback_on": body.request_id}
        tools = None if body.tools is None else tuple(body.tools)
        try:
            events.feedback(Feedback(body.request_id, body.event, tools, body.project_id, body.user_id))
        except EventsFull as error:
            REJECTED.labels("events_full").inc()
            raise NotAvailable("No more feedback can be kept now; send it again later.", error.retry_after) from error
        answered = {"request_id": body.request_id, "event": body.event}
        return Response(to_json(answered), 202, media_type="application/json")

    return router
