"""The way of one request: cache, student, teacher, grade."""

from app.serving.batching import BatchedStudent
from app.serving.cache import Cache, MemoryCache
from app.serving.errors import Overloaded, Unavailable
from app.serving.readiness import Readiness, StudentInfo, TeacherInfo
from app.serving.recolorer import Recolorer
from app.serving.recoloring import Recoloring, RecolorRequest
from app.serving.redis_cache import RedisCache

__all__ = [
    "BatchedStudent",
    "Cache",
    "MemoryCache",
    "Overloaded",
    "Readiness",
    "RecolorRequest",
    "Recolorer",
    "Recoloring",
    "RedisCache",
    "StudentInfo",
    "TeacherInfo",
    "Unavailable",
]
