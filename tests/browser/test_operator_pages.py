"""The pages of an operator in a real browser: a schedule with its preview, and fields that offer values."""

from __future__ import annotations

from queue_tool.runtime import Runtime
from tests.browser.chromium import Chromium, Window
from tests.support import System, http
from tests.web.flask_server import flask_server


def test_a_schedule_is_made_with_a_preview_that_follows_the_fields(chromium: Chromium, lasting_system: System) -> None:
    system = lasting_system

    def steps(window: Window) -> None:
        page = window.page
        preview = page.locator("#preview")
        page.goto(system.url("/dashboard/schedules/new"))
        assert not page.get_by_role("button", name="Next times").is_visible()
        page.get_by_role("textbox", name="Cron expression").fill("0 4 * *")
        preview.get_by_text("has 4 fields").wait_for()
        page.get_by_role("textbox", name="Cron expression").fill("0 4 * * *")
        preview.get_by_text("At 04:00 every day").wait_for()
        page.get_by_label("At equal intervals").check()
        preview.get_by_text("Every 15 minutes").wait_for()
        assert not page.get_by_role("textbox", name="Cron expression").is_visible()
        page.get_by_label("By a cron expression").check()
        zone = page.get_by_role("combobox", name="Time zone")
        zone.fill("")
        zone.press_sequentially("lisb")
        page.get_by_role("option", name="Europe/Lisbon").wait_for()
        zone.press("ArrowDown")
        zone.press("Enter")
        assert zone.input_value() == "Europe/Lisbon"
        preview.get_by_text("in Europe/Lisbon").wait_for()
        page.get_by_label("Name", exact=True).fill("nightly")
        page.get_by_role("button", name="Make the schedule").click()
        page.get_by_text("The schedule is made.").wait_for()
        page.get_by_role("button", name="Run now").click()
        page.locator("#live-ticks tbody a").wait_for()
        page.get_by_text("Delete …").click()
        page.get_by_role("button", name="Delete this schedule").click()
        page.get_by_text("It is deleted.").wait_for()
        page.get_by_text("More", exact=True).click()
        page.get_by_role("link", name="Queues").click()
        page.get_by_role("heading", name="Queues").wait_for()
        assert window.problems == []

    chromium.run(steps)


def test_a_double_click_creates_one_key_and_shows_it(chromium: Chromium, runtime: Runtime) -> None:
    def steps(window: Window) -> None:
        page = window.page
        page.goto(f"http://127.0.0.1:{port}/dashboard/keys")
        page.get_by_label("Name", exact=True).fill("first")
        page.get_by_role("button", name="Create a key").dblclick()
        secret = page.locator("#secret").inner_text()  # of a second answer it would be another page
        page.goto(f"http://127.0.0.1:{port}/dashboard/schedules/new")
        page.get_by_label("API key").fill(secret)
        page.get_by_role("button", name="Log in").click()
        page.get_by_label("Name", exact=True).fill("written before the session ended")
        page.context.clear_cookies()
        page.get_by_role("button", name="Make the schedule").click()
        page.get_by_text("You are no longer logged in.").wait_for()
        with page.expect_popup() as opened:
            page.get_by_role("link", name="Log in").click()
        opened.value.get_by_label("API key").fill(secret)
        opened.value.get_by_role("button", name="Log in").click()
        opened.value.get_by_role("button", name="Log out").wait_for()
        page.reload()  # it sends the form again
        page.get_by_role("heading", name="Schedule written before the session ended").wait_for()
        page.get_by_text("The schedule is made.").wait_for()

    with flask_server(runtime) as (port, _):
        chromium.run(steps)
    assert len(runtime.store.keys.all()) == 1


def test_without_scripts_the_preview_has_a_button_and_the_menu_opens(
    chromium: Chromium, lasting_system: System
) -> None:
    system = lasting_system

    def steps(window: Window) -> None:
        page = window.page
        page.goto(system.url("/dashboard/schedules/new"))
        page.get_by_label("At equal intervals").check()
        page.get_by_label("Every", exact=True).fill("2")
        page.get_by_role("button", name="Next times").click()
        page.get_by_text("Every 2 minutes").wait_for()
        page.get_by_text("More", exact=True).click()
        page.get_by_role("link", name="Workers").click()
        page.get_by_role("heading", name="Workers").wait_for()

    chromium.run(steps, java_script_enabled=False)


def test_fields_of_the_filter_offer_values_by_key_and_by_click(chromium: Chromium, lasting_system: System) -> None:
    system = lasting_system
    sent = http(
        "POST", system.url("/tasks?name=Offered+batch"), [{"task_type": "echo", "tags": ["offer 1", "offer 2"]}]
    )
    batch = sent.json["batch"]

    def steps(window: Window) -> None:
        page = window.page
        page.goto(system.url("/dashboard/tasks"))
        page.get_by_text("More filters").click()
        tag, named = page.get_by_role("combobox", name="Tag"), page.get_by_role("combobox", name="Batch")
        tag.press_sequentially("offer")
        page.get_by_role("option", name="offer 2").wait_for()
        tag.press("Escape")
        assert page.locator(".suggestions li").count() == 0
        assert tag.input_value() == "offer"
        tag.press("ArrowDown")
        page.get_by_role("option", name="offer 2").wait_for()
        tag.press("ArrowUp")
        assert page.locator("[aria-selected=true]").inner_text() == "offer 2"
        tag.press("Enter")
        named.press_sequentially("offered")
        page.get_by_role("option", name="Offered batch").click()
        assert named.input_value() == batch
        page.keyboard.press("Enter")
        page.get_by_text("In all: 1").wait_for()
        assert f"tag=offer+2&batch={batch}" in page.url
        assert window.problems == []

    chromium.run(steps)
