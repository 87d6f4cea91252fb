"""Settings of a service that answers late rather than not: the machine may be busy, and no test is of its limits."""

UNHURRIED: dict[str, float] = {"deadline_seconds": 120, "student_seconds": 60, "render_seconds": 120}

ENVIRONMENT = {f"RECOLOR_{name.upper()}": str(seconds) for name, seconds in UNHURRIED.items()}
"""The same for a process."""
