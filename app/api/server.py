"""How uvicorn serves the application: limits, time-outs, and nothing that speaks for itself."""

import math

import uvicorn
from fastapi import FastAPI

from app.api.protocol import JsonProtocol
from app.settings import Settings

KEEP_ALIVE_SECONDS = 75
"""Longer than load balancers keep an idle connection, so that it is they who close it."""


def server(app: FastAPI, settings: Settings) -> uvicorn.Server:
    """A server that logs through the root logger only, and on shutdown waits for whatever may still be answered."""
    config = uvicorn.Config(
        app,
        http=JsonProtocol,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        # Else every local caller could name an address of its choice, and escape the rate limit.
        proxy_headers=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=math.ceil(max(settings.deadline_seconds, settings.render_seconds)) + 1,
    )
    return uvicorn.Server(config)
