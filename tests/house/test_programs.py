from collections.abc import Callable

import pytest


def test_a_program_is_found_by_its_name(program: Callable[[str], str]) -> None:
    assert program("git").endswith("/git")


def test_a_test_is_skipped_where_its_program_is_missing(
    program: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("RECOLOR_REQUIRE_PROGRAMS", raising=False)
    with pytest.raises(pytest.skip.Exception, match="no-such-program is not installed"):
        program("no-such-program")


def test_a_test_fails_where_its_program_is_missing_but_required(
    program: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RECOLOR_REQUIRE_PROGRAMS", "1")
    with pytest.raises(pytest.fail.Exception, match="no-such-program is not installed"):
        program("no-such-program")
