"""The service's settings in the chart's schema: ``python -m tests.helm.settings_schema`` brings it up to date."""

import json
from typing import Any

from app.settings import CHECKOUT, Settings

VALUES_SCHEMA = CHECKOUT / "helm" / "values.schema.json"

OTHERWISE = {"host", "port", "allow_open", "model", "model_store", "threads", "events_folder"}
"""Settings that the chart makes of other values. Secret ones come from Secrets, and the service asks no judge."""

_SAID = ("type", "enum", "minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum")


def settings_schema() -> dict[str, dict[str, Any]]:
    """What the value `settings` may hold: a JSON Schema by the name of each environment variable."""
    schemas = {name: _of(schema) for name, schema in Settings.model_json_schema()["properties"].items()}
    return {
        f"RECOLOR_{name.upper()}": {key: schema[key] for key in ("description", *_SAID) if key in schema}
        for name, schema in schemas.items()
        if name not in OTHERWISE and not name.startswith("judge_") and "writeOnly" not in schema
    }


def _of(schema: dict[str, Any]) -> dict[str, Any]:
    """Without the `null` of a setting that may be left out, and of a list what it is a list of."""
    choice = next((some for some in schema.get("anyOf", ()) if some != {"type": "null"}), schema)
    return schema | choice | choice.get("items", {})


def main() -> None:
    schema = json.loads(VALUES_SCHEMA.read_text(encoding="utf-8"))
    schema["$defs"]["settings"]["properties"] = settings_schema()
    VALUES_SCHEMA.write_text(json.dumps(schema, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
