"""The README's table of settings, made from the settings themselves: ``python -m tests.house.settings_table``."""

from pathlib import Path

from pydantic import SecretStr
from pydantic_core import PydanticUndefined

from app.settings import CHECKOUT, Settings


def settings_table() -> str:
    """Markdown, one row a setting."""
    rows = ["| Variable | Default | Meaning |", "|---|---|---|"]
    for name, field in Settings.model_fields.items():
        rows.append(f"| `RECOLOR_{name.upper()}` | {_shown(field.default)} | {field.description} |")
    return "\n".join(rows)


def _shown(default: object) -> str:
    if default in (None, (), PydanticUndefined) or isinstance(default, SecretStr):
        return "empty"
    if isinstance(default, Path):
        return f"`{default.relative_to(CHECKOUT)}`"
    return f"`{str(default).lower() if isinstance(default, bool) else default}`"


if __name__ == "__main__":
    print(settings_table())
