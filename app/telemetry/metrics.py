"""Every Prometheus metric of the service, by its name in the operations contract.

Labels are bounded: never an intent, a project or a user. `model` is ``name@version``.
"""

from prometheus_client import Counter, Gauge, Histogram

# 1 ms .. 10 s, dense where an embedded student (ms) and a teacher (s) answer.
_SECONDS = (0.001, 0.0025, 0.005, 0.0075, 0.01, 0.015, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 7.5, 10.0)

REQUEST_DURATION = Histogram(
    "recolor_request_duration_seconds",
    "Time from the end of the request's head to the last byte of the answer.",
    ["route", "status", "variant", "model"],
    buckets=_SECONDS,
)
STAGE_DURATION = Histogram(
    "recolor_stage_duration_seconds",
    "Time of one stage: queue, generate, validate, teacher, cache, events, lut, xmp, render.",
    ["stage", "model"],
    buckets=_SECONDS,
)
TOOL_RESULTS = Counter(
    "recolor_tool_results",
    "Answered tools by where the answer came from: student, teacher, cache, failed.",
    ["tool", "source", "variant", "model"],
)
FALLBACKS = Counter(
    "recolor_fallbacks", "Tools that the student could not answer, by reason.", ["tool", "reason", "model"]
)
GENERATED_TOKENS = Counter("recolor_generated_tokens", "Tokens that the student generated.", ["model"])
BATCH_SIZE = Histogram(
    "recolor_batch_size", "Prompts answered by one forward batch.", buckets=(1, 3, 6, 12, 24, 48, 96, 192)
)
QUEUE_DEPTH = Gauge("recolor_queue_depth", "Prompts that wait for the student.")
INFLIGHT = Gauge("recolor_inflight_requests", "Requests that are being answered.")
REJECTED = Counter("recolor_rejected", "Requests refused, and events dropped, by reason.", ["reason"])
ENGINE_READY = Gauge("recolor_engine_ready", "1 when the student can answer.", ["model"])
DEGRADED = Gauge("recolor_degraded", "1 when only the teacher can answer.")
CACHE_UP = Gauge("recolor_cache_up", "1 when the cache can be reached.")
EVENTS_SPOOLED = Gauge("recolor_events_spooled", "Events waiting on disk for the event store.")
TEACHER_REQUESTS = Counter("recolor_teacher_requests", "Calls to the teacher by outcome.", ["outcome"])
TEACHER_BREAKER_OPEN = Gauge("recolor_teacher_breaker_open", "1 while the teacher is not called.")
TEACHER_TOKENS = Counter("recolor_teacher_tokens", "Teacher tokens by kind: prompt, completion.", ["kind"])
TEACHER_COST = Counter("recolor_teacher_cost_dollars", "What the teacher's tokens cost, in US dollars.")
PROJECTS_STARTED = Counter("recolor_projects_started", "Projects first served, by variant.", ["variant"])
PROJECTS_EXPORTED = Counter("recolor_projects_exported", "Projects first exported, by variant.", ["variant"])
BUILD_INFO = Gauge("recolor_build_info", "Always 1; the labels say what runs.", ["version", "model"])
