"""The application: routes, and the layers that every request passes."""

from typing import TYPE_CHECKING

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from app import __version__
from app.api.admission import Admission
from app.api.asking import Asker
from app.api.body import problems
from app.api.errors import InvalidField, Malformed, MethodNotAllowed, NotFound
from app.api.keys import Keys
from app.api.lifecycle import Lifecycle, Started
from app.api.observe import Observe
from app.api.openapi import DESCRIPTION, complete
from app.api.rate import RateLimit
from app.api.routes import catalogue, feedback, health, lut, metrics, playground, recolor, render, xmp
from app.events import NO_EVENTS, Events
from app.render import Lane, PhotoLimits, RenderPool
from app.serving import Recolorer
from app.settings import Settings
from app.telemetry.metrics import BUILD_INFO

if TYPE_CHECKING:
    from app.serving.redis_link import RedisLink


def create_app(
    recolorer: Recolorer,
    settings: Settings,
    started: Started,
    events: Events = NO_EVENTS,
    redis: "RedisLink | None" = None,
) -> FastAPI:
    """An application that starts `recolorer` when it starts, and closes it when it ends.

    Args:
        started: is told once that the recolorer has started, or why it could not. A start that failed is final: from
            then on every request for an answer gets 503.
        events: takes feedback; started and closed together with the recolorer.
        redis: where the requests of a caller are counted together with other replicas; so is this.
    """
    lane = Lane()
    pool = RenderPool(
        settings.render_workers,
        settings.render_queue,
        settings.render_seconds,
        PhotoLimits(settings.max_image_bytes, settings.max_image_pixels),
    )
    lifecycle = Lifecycle(recolorer, started, events, lane, pool, redis)
    asker = Asker(recolorer, lifecycle)
    api = FastAPI(
        title="Recolor",
        description=DESCRIPTION,
        version=__version__,
        lifespan=lifecycle.lifespan,
        # The documentation pages would load their scripts from elsewhere.
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        # The framework's own telemetry would hold addresses, queries and the messages of exceptions.
        telemetry={"tracing": False, "metrics": False, "logs": False, "auto_configure": False},
        exception_handlers={HTTPException: _as_ours, RequestValidationError: _as_ours},
    )
    api.include_router(recolor.routes(recolorer, lifecycle, settings))
    api.include_router(feedback.routes(events, settings))
    api.include_router(lut.routes(asker, lane, settings))
    api.include_router(xmp.routes(asker, lane, settings))
    api.include_router(render.routes(asker, pool, settings))
    api.include_router(catalogue.routes(recolorer, lifecycle))
    api.include_router(health.routes(recolorer, lifecycle))
    api.include_router(metrics.routes())
    api.include_router(playground.routes())
    schema = complete(api)
    # Added inside out: Observe sees everything first and last.
    api.add_middleware(Admission, keys=Keys(settings.api_keys), rate=RateLimit(settings.rate_limit, redis))
    api.add_middleware(Observe, routes={*schema["paths"], "/openapi.json"}, model=settings.model)
    BUILD_INFO.labels(__version__, settings.model).set(1)
    return api


async def _as_ours(request: Request, error: Exception) -> Response:
    """The framework's errors, raised again as ours; `Observe` answers them."""
    match error:
        case RequestValidationError():
            raise InvalidField(problems(error.errors())) from error
        case HTTPException(status_code=404):
            raise NotFound from error
        case HTTPException(status_code=405):
            raise MethodNotAllowed((error.headers or {})["Allow"]) from error
        case _:
            raise Malformed(str(error)) from error
