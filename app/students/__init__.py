"""Students: inference engines behind one small protocol, and the store they are loaded from."""

from app.students.load import load_engine
from app.students.protocol import Answer, Engine, EngineError, Generation, Overloaded, Prompt, Student, has_started
from app.students.store import ModelStoreError

__all__ = [
    "Answer",
    "Engine",
    "EngineError",
    "Generation",
    "ModelStoreError",
    "Overloaded",
    "Prompt",
    "Student",
    "has_started",
    "load_engine",
]
