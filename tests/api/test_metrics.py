"""GET /metrics, and what requests leave in it."""

from prometheus_client.parser import text_string_to_metric_families

from app import __version__
from app.students import EngineError
from tests.api.service import Service, served, until
from tests.serving.helpers import Counted


def duration(route: str, status: int, variant: str = "") -> Counted:
    name = "recolor_request_duration_seconds_count"
    return Counted(name, route=route, status=str(status), variant=variant, model="scripted@1")


def test_prometheus_can_read_it(service: Service) -> None:
    response = service.client.get("/metrics")
    assert response.headers["content-type"].startswith("text/plain; version=")
    families = {family.name for family in text_string_to_metric_families(response.text)}
    assert {
        "recolor_request_duration_seconds",
        "recolor_rejected",
        "recolor_engine_ready",
        "recolor_build_info",
    } <= families


def test_open_metrics_are_spoken_too(service: Service) -> None:
    response = service.client.get("/metrics", headers={"Accept": "application/openmetrics-text; version=1.0.0"})
    assert response.headers["content-type"].startswith("application/openmetrics-text")
    assert response.text.endswith("# EOF\n")


def test_it_says_what_runs(service: Service) -> None:
    line = f'recolor_build_info{{model="scripted@1",version="{__version__}"}} 1.0'
    assert line in service.client.get("/metrics").text


def test_an_answer_is_counted_with_its_variant(service: Service) -> None:
    counted = duration("/recolor", 200, "control")
    service.recolor("dusk")
    service.recolor("dusk")
    until(lambda: counted.growth == 2)  # each after its answer has been sent


def test_errors_are_counted_by_route_and_status(service: Service) -> None:
    wrong, form, method = duration("/recolor", 422), duration("/recolor", 415), duration("/tools", 405)
    service.recolor("")
    service.client.post("/recolor", data={"intent": "dusk"})
    service.client.post("/tools")
    until(lambda: (wrong.growth, form.growth, method.growth) == (1, 1, 1))


def test_what_a_variant_failed_to_answer_is_counted_as_its_own() -> None:
    given = {"experiment": "looks", "variants": "same:99=scripted@1"}
    answered, failed = duration("/recolor", 200, "same"), duration("/recolor", 503, "same")
    with served(**given) as service:
        service.recolor("dusk", project_id="p")
        service.engine.failures.append(EngineError("gone"))
        service.recolor("dawn", project_id="p")
    assert (answered.growth, failed.growth) == (1, 1)


def test_unknown_paths_share_one_label(service: Service) -> None:
    counted = duration("other", 404)
    for path in ("/secret-1", "/secret-2", "/recolor/secret-3"):
        service.client.get(path)
    until(lambda: counted.growth == 3)
    assert "secret" not in service.client.get("/metrics").text


def test_no_label_holds_what_people_typed(service: Service) -> None:
    service.recolor(
        "an unmistakable wish", project_id="project-77", user_id="user-88", headers={"X-Request-ID": "id-99"}
    )
    text = service.client.get("/metrics").text
    assert not any(private in text for private in ("unmistakable", "project-77", "user-88", "id-99"))


def test_refusals_are_counted_by_reason() -> None:
    reasons = ("unauthorized", "rate", "content_type", "too_large")
    counted = {reason: Counted("recolor_rejected_total", reason=reason) for reason in reasons}
    key = {"Authorization": "Bearer key"}
    with served(api_keys="key", rate_limit="2/hour") as service:
        service.recolor("dusk")
        service.client.post("/recolor", data={"intent": "dusk"}, headers=key)
        service.recolor("x" * 20_000, headers=key)
        service.recolor("dusk", headers=key)
    assert {reason: count.growth for reason, count in counted.items()} == dict.fromkeys(reasons, 1)
