"""Students: inference engines behind one small protocol, and the store they are loaded from."""

from app.students.protocol import Answer, Engine, EngineError, Prompt, Student

__all__ = ["Answer", "Engine", "EngineError", "Prompt", "Student"]
