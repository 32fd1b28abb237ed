"""The page against a real robot: what a person does with it, in this order, on one robot."""

import re
import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest

pytestmark = [pytest.mark.web, pytest.mark.slow, pytest.mark.timeout(1800)]
Open = Callable[..., Any]
WORKING, DONE = '#robot-state[data-tone="run"]', '.now .badge[data-tone="ok"]'
RUNNING = '.nodes [data-status="running"]'
LATCHED = '[data-notice="latched"]'


def say(page: Any, words: str) -> None:
    page.fill("#command", words)
    page.press("#command", "Enter")
    page.wait_for_function(
        "words => document.querySelector('.now .full h2')?.textContent === words", arg=words
    )


def statuses(page: Any) -> list[str]:
    return page.eval_on_selector_all(".nodes li", "all => all.map((one) => one.dataset.status)")  # type: ignore[no-any-return]


def reset(page: Any) -> None:
    page.fill("#reset-reason", "looked, all clear")
    page.press("#reset-reason", "Enter")
    page.wait_for_selector(LATCHED, state="detached")


def test_without_the_token_the_page_says_where_it_is(open_page: Open, served: Any, browser: Any) -> None:
    page = browser.new_page()
    page.goto(served.address)
    assert "tandem serve" in page.inner_text(".signin")
    page.fill("#link", "nonsense")
    page.press("#link", "Enter")
    page.wait_for_selector("text=this is not the token")
    page.fill("#link", served.link)
    page.press("#link", "Enter")
    page.wait_for_selector("#command")
    assert "token" not in page.url
    page.close()


def test_a_question_is_answered_and_the_graph_fills_until_the_command_is_done(
    open_page: Open, picture: Any, served: Any
) -> None:
    page = open_page()
    page.wait_for_function("() => document.querySelector('.cameras .view img').naturalWidth === 480")
    say(page, "put the red cup in the sink")
    page.wait_for_selector(".option >> nth=1")
    page.wait_for_function("() => document.querySelector('.question img').naturalWidth > 0")
    assert len(page.query_selector_all(".option")) == 2
    assert page.inner_text(".question h2") == "Which red cup do you mean?"
    picture(page, "web-question")
    page.click(".option >> nth=0")
    page.wait_for_selector(".question", state="hidden")
    page.close()
    page = open_page()  # opened in the middle: what happened before is told as well
    page.wait_for_selector('.nodes [data-status="running"]')
    assert "Answered: red cup on the left" in page.inner_text(".log")
    page.wait_for_function(
        "() => parseFloat(document.querySelector('.nodes [data-status=running] i')?.style.width) > 0"
    )
    page.wait_for_function(
        "() => (document.querySelector('.chart .front')?.getAttribute('d').length ?? 0) > 100"
    )
    picture(page, "web-live")
    page.wait_for_selector('.nodes [data-status="done"]')
    page.wait_for_selector(DONE)
    assert set(statuses(page)) == {"done"}
    assert served.get("/v1/commands?limit=1")["commands"][0]["state"] == "succeeded"


@pytest.mark.parametrize("by", ["the key, while typing", "the button"])
def test_a_stop_in_motion(open_page: Open, picture: Any, served: Any, by: str) -> None:
    page = open_page(size="phone" if by == "the button" else "laptop", scheme="dark")
    say(page, "clear the table")
    page.wait_for_selector(RUNNING)
    if by == "the button":
        page.tap("#stop")
    else:
        page.focus("#command")
        page.keyboard.type("put the")
        page.keyboard.press("Escape")
    page.wait_for_selector(LATCHED)
    page.wait_for_selector(".now .badge >> text=Stopped")
    robot = served.get("/v1/robot")
    assert (robot["latched"], robot["state"]) == (True, "stopped")
    assert not page.query_selector_all(RUNNING)
    picture(page, "web-stopped" if by != "the button" else "web-phone")
    reset(page)
    page.wait_for_selector('#robot-state[data-tone="ok"]')


def test_the_stop_works_while_the_stream_is_down_and_the_page_says_so(open_page: Open, served: Any) -> None:
    page = open_page()
    page.route("**/v1/events", lambda route: route.abort())
    page.route(
        "**/v1/robot/stop",
        lambda route: route.continue_() if served.address not in route.request.url else route.abort(),
    )
    page.evaluate("dispatchEvent(new Event('online'))")
    page.reload()
    page.wait_for_selector('[data-notice="link"]')
    assert page.inner_text("#robot-state") == "No connection"
    page.keyboard.press("Escape")
    until_s = time.monotonic() + 10
    while not served.get("/v1/robot")["latched"]:
        assert time.monotonic() < until_s
    page.unroute("**/v1/events")
    page.wait_for_selector('[data-notice="link"]', state="detached")
    page.wait_for_selector(LATCHED)
    reset(page)


def test_a_finished_run_is_scrubbed(open_page: Open, picture: Any, served: Any) -> None:
    run = served.get("/v1/runs?outcome=succeeded")["runs"][0]["name"]
    timeline = served.get(f"/v1/runs/{run}/timeline")
    page = open_page(f"#/runs/{run}")
    page.wait_for_function("() => document.querySelector('.run .view img').naturalWidth > 0")
    first = timeline["nodes"][0]
    seen = []
    for t in (first["start"] - 0.01, (first["start"] + first["end"]) / 2, timeline["length"]):
        page.eval_on_selector("#time", "(s, t) => { s.value = t; s.dispatchEvent(new Event('input')); }", t)
        page.wait_for_timeout(1500)
        cursor = float(page.get_attribute(".chart .cursor", "x1"))
        width = page.evaluate("document.querySelector('.chart').clientWidth")
        assert cursor / width == pytest.approx(t / timeline["length"], abs=0.01)
        seen.append((page.get_attribute(".run .cameras .view img", "src"), statuses(page)))
        if t == (first["start"] + first["end"]) / 2:
            picture(page, "web-run")
    assert set(seen[0][1]) == {"pending"}
    assert "running" in seen[1][1]
    assert set(seen[2][1]) == {"done"}
    assert seen[0][0] != seen[2][0]


def test_a_run_is_played_and_walked_through_from_the_keyboard(open_page: Open, served: Any) -> None:
    page = open_page(f"#/runs/{served.get('/v1/runs')['runs'][-1]['name']}")
    page.wait_for_selector(".scrubber")
    page.focus("#time")
    before = float(page.input_value("#time"))
    page.keyboard.press("ArrowRight")
    assert float(page.input_value("#time")) == pytest.approx(before + 0.5, abs=0.06)
    page.keyboard.press(" ")
    page.wait_for_function("t => Number(document.getElementById('time').value) > t + 1", arg=before)
    page.keyboard.press(" ")


def test_the_history_is_filtered(open_page: Open, picture: Any) -> None:
    page = open_page("#/runs")
    page.wait_for_selector("tbody tr >> nth=2")
    picture(page, "web-runs")
    page.fill("#find", "red cup")
    page.wait_for_function("() => document.querySelectorAll('tbody tr').length === 1")
    page.select_option("#outcome", "refused")
    page.wait_for_selector("text=No run fits")


def test_markup_in_a_command_stays_text(open_page: Open) -> None:
    page = open_page()
    evil = '<img src=x onerror="window.pwned=1"> please <script>window.pwned=1</script>'
    say(page, evil)
    page.wait_for_selector(".now .badge:is([data-tone=ask], [data-tone=bad])")
    assert page.inner_text(".now .full h2") == evil
    assert page.evaluate("window.pwned") is None
    assert not page.query_selector_all("main img[src=x], main script")
    if cancel := page.query_selector(".actions button:text-is('Cancel')"):
        cancel.click()  # it may have become a question


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", ["laptop", "phone"])
def test_axe_finds_nothing(open_page: Open, served: Any, scheme: str, size: str) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    run = served.get("/v1/runs?outcome=succeeded")["runs"][0]["name"]
    for path, ready in (("#/", "#command"), ("#/runs", "tbody"), (f"#/runs/{run}", ".run .nodes li")):
        page = open_page(path, size=size, scheme=scheme)
        page.wait_for_selector(ready)
        found = axe.run(
            page,
            options={"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]},
        )
        assert [
            (v["id"], [n["html"][:200] for n in v["nodes"]][:3]) for v in found.response["violations"]
        ] == []
        wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide == 0, f"{path} is {wide} px too wide"
        page.close()


def test_the_policy_of_the_page_allows_nothing_else(served: Any) -> None:
    policy = httpx.get(served.address).headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert not re.search(r"https:|\*", policy)
