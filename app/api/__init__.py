"""HTTP: routes, keys, limits and errors. No logic."""

from app.api.app import create_app

__all__ = ["create_app"]
