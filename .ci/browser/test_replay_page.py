"""The HTML report of a replay as a reader meets it, in headless Chromium."""

import json
import time

import pytest
from pages import HOSTILE, browser, generated, hostile_page, tool
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

COUNT = 10_000


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("pages")


@pytest.fixture(scope="module")
def hostile(folder):
    return hostile_page(folder)


@pytest.fixture(scope="module")
def large(folder):
    """10,000 messages, two thirds of them changed; without a manifest no time goes into the search for causes."""
    messages = generated(folder, COUNT)
    (messages / "replay.manifest.json.gz").unlink()
    page = folder / "large.html"
    assert tool("replay", messages, "--timezone", "Europe/Berlin", "--html", page).returncode == 1
    return page


@pytest.fixture(scope="module")
def chromium():
    driver = browser()
    yield driver
    driver.quit()


def opened(driver, page, fragment=""):
    driver.get("about:blank")
    driver.get_log("browser"), driver.get_log("performance")
    started = time.monotonic()
    driver.get(f"{page.as_uri()}{fragment}")
    assert driver.execute_script("return document.documentElement.dataset.ready") == "true"
    return time.monotonic() - started


def rows(driver):
    return driver.find_elements(By.CSS_SELECTOR, "#messages .row")


def complaints(driver):
    return [entry["message"] for entry in driver.get_log("browser")]


def test_it_opens_without_complaint_and_asks_the_network_for_nothing(chromium, hostile):
    opened(chromium, hostile, "#message=0")
    assert complaints(chromium) == []
    events = [json.loads(entry["message"])["message"] for entry in chromium.get_log("performance")]
    asked = {
        event["params"]["request"]["url"].split("#")[0] for event in events if event["method"] == "Network.requestWillBeSent"
    }
    assert asked <= {hostile.as_uri()}


def test_ten_thousand_messages_open_in_two_seconds_and_ten_megabytes(chromium, large):
    assert large.stat().st_size < 10_000_000
    seconds = min(opened(chromium, large) for _ in range(2))
    print(f"{COUNT} messages: {large.stat().st_size} bytes, open in {seconds:.2f} s")
    assert seconds < 2
    assert chromium.find_element(By.CSS_SELECTOR, ".shown").text == "10,000 of 10,000 messages"
    assert len(rows(chromium)) < 60
    assert complaints(chromium) == []


def test_the_end_of_a_long_list_is_reached_by_key(chromium, large):
    opened(chromium, large)
    box = chromium.find_element(By.ID, "messages")
    box.send_keys(Keys.END)
    chosen = chromium.find_element(By.CSS_SELECTOR, "#messages .row[aria-selected=true]")
    assert chosen.get_attribute("aria-posinset") == str(COUNT)
    assert box.get_attribute("aria-activedescendant") == chosen.get_attribute("id")
    assert f"message {COUNT}" in chromium.find_element(By.CSS_SELECTOR, ".pane h2").text


def test_a_search_through_ten_thousand_messages_is_at_hand_at_once(chromium, large):
    opened(chromium, large)
    started = time.monotonic()
    chromium.find_element(By.ID, "text").send_keys("7777")
    assert time.monotonic() - started < 2
    assert 0 < len(rows(chromium)) < 60


def test_a_filter_narrows_the_list_and_stands_in_the_address(chromium, hostile):
    opened(chromium, hostile)
    assert len(rows(chromium)) == 3
    chromium.find_element(By.CSS_SELECTOR, "#status option[value=different]").click()
    assert len(rows(chromium)) == 2
    chromium.find_element(By.ID, "text").send_keys("1.90")
    assert len(rows(chromium)) == 1
    assert chromium.current_url.endswith("#status=different&text=1.90")
    chromium.refresh()
    assert len(rows(chromium)) == 1
    assert chromium.find_element(By.ID, "text").get_attribute("value") == "1.90"


def test_a_cause_is_a_filter(chromium, hostile):
    opened(chromium, hostile)
    button = chromium.find_element(By.CSS_SELECTOR, ".group")
    assert "2 messages" in button.text
    button.click()
    assert button.get_attribute("aria-pressed") == "true"
    assert len(rows(chromium)) == 2
    button.click()
    assert len(rows(chromium)) == 3


def test_a_click_shows_the_marked_parts_on_every_side(chromium, hostile):
    opened(chromium, hostile)
    rows(chromium)[0].click()
    assert "1.90" in [mark.text for mark in chromium.find_elements(By.CSS_SELECTOR, ".segment mark.main")]
    (old,) = chromium.find_elements(By.CSS_SELECTOR, ".line.old.marked")
    (now,) = chromium.find_elements(By.CSS_SELECTOR, ".line.now.marked")
    assert ('"value": 1.9,' in old.text, '"value": 1.90,' in now.text) == (True, True)
    chromium.find_element(By.CSS_SELECTOR, ".changes .place").click()
    assert chromium.find_elements(By.CSS_SELECTOR, "mark.flash")


def test_text_of_a_message_stays_text(chromium, hostile):
    opened(chromium, hostile, "#message=0")
    for box in chromium.find_elements(By.CSS_SELECTOR, "details:not([open]) > summary"):
        chromium.execute_script("arguments[0].click()", box)
    assert chromium.title == "Replay report"
    assert chromium.find_elements(By.CSS_SELECTOR, "img, iframe, .pane script, [onerror], [onload], .row b") == []
    assert HOSTILE.split("&")[0] in chromium.find_element(By.CSS_SELECTOR, ".segments").text
    assert complaints(chromium) == []


def test_results_are_drawn_in_their_range_and_read_by_key(chromium, hostile):
    opened(chromium, hostile, "#view=patients&course=0")
    assert chromium.find_elements(By.CSS_SELECTOR, ".course .band")
    chromium.execute_script("arguments[0].focus()", chromium.find_element(By.CSS_SELECTOR, ".course svg > .point"))
    said = chromium.find_element(By.CSS_SELECTOR, ".said").text
    assert "2026-06-14" in said
    assert "range 0.8 to 2.2" in said
    chromium.switch_to.active_element.send_keys(Keys.ENTER)
    assert chromium.find_elements(By.CSS_SELECTOR, ".pane .badge")


def test_it_prints(chromium, hostile):
    opened(chromium, hostile, "#message=0")
    assert len(chromium.execute_cdp_cmd("Page.printToPDF", {})["data"]) > 10_000


def test_landmarks_and_names_for_those_who_listen(chromium, hostile):
    opened(chromium, hostile, "#message=0")
    for selector in ("header", "main", "h1", "[role=search]", "[role=listbox][aria-label]", "[role=status]", "html[lang]"):
        assert chromium.find_elements(By.CSS_SELECTOR, selector), selector
    controls = chromium.find_elements(By.CSS_SELECTOR, "button, select, input")
    named = "return arguments[0].every(e => e.textContent.trim() || e.closest('label'))"
    assert chromium.execute_script(named, controls)
