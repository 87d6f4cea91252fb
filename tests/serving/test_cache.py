import json
import subprocess
import sys
from dataclasses import replace

import pytest

from app.grade import Adjust
from app.grade.codecs import JsonCodec
from app.serving import MemoryCache, cache
from app.serving.cache import cache_key
from app.serving.verdict import Decided
from tests.serving.engines import ScriptedEngine
from tests.serving.helpers import metric

KEPT = Decided(Adjust(exposure=10), "student", "scripted@1")


async def test_what_is_set_is_found_again_and_what_is_not_is_none() -> None:
    kept = MemoryCache(10)
    unused = Decided(None, "teacher", "gpt-test")
    await kept.set("a", KEPT)
    await kept.set("b", unused)
    assert await kept.get_many(["b", "c", "a"]) == [unused, None, KEPT]
    assert metric("recolor_cache_up") == 1


async def test_the_least_recently_used_goes_first() -> None:
    kept = MemoryCache(2)
    await kept.set("a", KEPT)
    await kept.set("b", KEPT)
    await kept.get_many(["a"])
    await kept.set("c", KEPT)
    assert await kept.get_many(["a", "b", "c"]) == [KEPT, None, KEPT]


async def test_a_cache_of_no_entries_keeps_nothing() -> None:
    kept = MemoryCache(0)
    await kept.set("a", KEPT)
    assert await kept.get_many(["a"]) == [None]


@pytest.mark.parametrize("change", [{"model": "scripted@2"}, {"decoding": "free"}, {"codec": JsonCodec()}])
def test_the_key_depends_on_the_student_and_how_it_writes(change: dict[str, object]) -> None:
    engine = ScriptedEngine()
    other = replace(engine, **change)
    assert cache_key(engine, "adjust", "dusk") != cache_key(other, "adjust", "dusk")


def test_the_key_depends_on_tool_and_intent_and_on_nothing_else() -> None:
    engine, same = ScriptedEngine(), ScriptedEngine()
    keys = {cache_key(engine, tool, intent) for tool in ("adjust", "filter") for intent in ("dusk", "dawn")}
    assert len(keys) == 4
    assert cache_key(same, "adjust", "dusk") in keys


def test_an_intent_cannot_pose_as_another_tool() -> None:
    engine = ScriptedEngine()
    assert cache_key(engine, "adjust", "x|filter|dusk") != cache_key(engine, "filter", "dusk")


def test_the_key_depends_on_the_tools_schemas() -> None:
    program = (
        "import app.grade\n"
        "plain = app.grade.json_schemas\n"
        "def wider():\n"
        "    schemas = plain()\n"
        "    schemas['adjust']['properties']['exposure']['maximum'] = 200\n"
        "    return schemas\n"
        "app.grade.json_schemas = wider\n"
        "from app.serving.cache import SCHEMA_VERSION\n"
        "import json; print(json.dumps(SCHEMA_VERSION))"
    )
    changed = json.loads(subprocess.check_output([sys.executable, "-c", program], text=True))
    assert changed != cache.SCHEMA_VERSION
    engine = ScriptedEngine()
    assert cache_key(engine, "adjust", "dusk").scope.startswith(cache.SCHEMA_VERSION)
