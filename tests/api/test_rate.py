"""The rate limit: per key, or per address where there are no keys."""

import pytest

from app.api.rate import RateLimit
from tests.api.service import assert_error, served
from tests.serving.helpers import Counted


def test_one_request_too_many_is_429_and_told_when_to_come_back() -> None:
    counted = Counted("recolor_rejected_total", reason="rate")
    with served(rate_limit="3/hour") as service:
        assert [service.recolor("dusk").status_code for _ in range(3)] == [200] * 3
        response = service.recolor("dusk")

        assert_error(response, 429, "too_many_requests")
        assert 1 <= int(response.headers["retry-after"]) <= 3600
        assert counted.growth == 1


def test_it_counts_again_after_the_window() -> None:
    with served(rate_limit="1/second") as service:
        statuses = [service.client.get("/tools").status_code for _ in range(2)]
        while statuses[-1] == 429:
            statuses.append(service.client.get("/tools").status_code)
    assert statuses[0] == statuses[-1] == 200


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics"])
def test_probes_and_scrapes_are_neither_limited_nor_counted(path: str) -> None:
    with served(rate_limit="1/hour") as service:
        assert [service.client.get(path).status_code for _ in range(3)] == [200] * 3
        assert service.recolor("dusk").status_code == 200
        assert service.recolor("dusk").status_code == 429
        assert service.client.get(path).status_code == 200


def test_each_key_has_its_own_limit_and_wrong_keys_have_none() -> None:
    one, other, wrong = ({"Authorization": f"Bearer {key}"} for key in ("one", "other", "wrong"))
    with served(rate_limit="1/hour", api_keys="one,other") as service:
        assert service.recolor("dusk", headers=wrong).status_code == 401
        assert service.recolor("dusk", headers=one).status_code == 200
        assert service.recolor("dusk", headers=one).status_code == 429
        assert service.recolor("dusk", headers=other).status_code == 200


def test_an_address_cannot_be_made_up() -> None:
    with served(rate_limit="1/hour") as service:
        assert service.recolor("dusk").status_code == 200
        assert service.recolor("dusk", headers={"X-Forwarded-For": "203.0.113.7"}).status_code == 429


def test_callers_do_not_share_a_limit() -> None:
    rate = RateLimit("2/minute")
    assert [rate.wait("a"), rate.wait("a"), rate.wait("b")] == [0, 0, 0]
    assert 1 <= rate.wait("a") <= 60
    assert rate.wait("b") == 0


def test_no_limit_is_no_limit() -> None:
    rate = RateLimit("")
    assert not any(rate.wait("a") for _ in range(10_000))


def test_a_limit_that_cannot_be_read_is_named() -> None:
    with pytest.raises(ValueError, match=r"RECOLOR_RATE_LIMIT.*'often'.*600/minute"):
        RateLimit("often")
