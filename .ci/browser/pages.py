"""Reports to look at: generated messages, accepted, then replayed with a change."""

import subprocess
import sys
from pathlib import Path

from selenium import webdriver
from selenium.webdriver.chrome.service import Service

TOOL = [str(Path(sys.executable).with_name("b2m-adapter"))]
HOSTILE = (
    """</script><script>document.title='broken out'</script><img src=x onerror="document.title='broken out'"> "onload='x' <!--"""
)
RESULT = (
    "MSH|^~\\&|{sender}|TEST LABORATORY|||20260615||ORU^R01|{number}|P|2.5.1|||||UNICODE UTF-8\r"
    "PID|1||TEST-{number}^^^TESTHOSPITAL^MR||PATIENT^TEST\rOBR|1||{number}|1^Panel^L|||20260614083000\r"
    "OBX|1|NM|1952-1^B2M^LN||{value}|mg/L|0.8-2.2|||||F|||20260614\rNTE|1||{note}\rSPM|1|||SER^^HL70487\r"
)


def tool(*arguments: object, folder: Path | None = None) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [*TOOL, *map(str, arguments)], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
    )


def generated(folder: Path, count: int) -> Path:
    """Generated messages in one file, accepted."""
    messages = folder / "messages"
    messages.mkdir()
    with (messages / "feed.hl7").open("wb") as file:
        subprocess.run([*TOOL, "generate", "--seed", "7", "--count", str(count)], stdout=file, check=True)
    assert tool("replay", "--update", messages).returncode == 0
    return messages


def hostile_page(folder: Path) -> Path:
    """Two changed messages whose texts try to become markup, one that is as accepted."""
    messages = folder / "hostile"
    messages.mkdir()
    note = HOSTILE.replace("&", "\\T\\").replace("|", "\\F\\")
    for number, value in enumerate(("1.9", "2.0", "2.1"), 1):
        text = RESULT.format(sender=f"LIS<b>{number}</b>", number=number, value=value, note=note)
        (messages / f'{number}<img src=x onerror=alert(1)>".hl7'.replace("/", "")).write_text(text)
    assert tool("replay", "--update", messages).returncode == 0
    for path in sorted(messages.glob("*.hl7"))[:2]:
        path.write_text(path.read_text().replace("|2.0|", "|2.00|").replace("|1.9|", "|1.90|"))
    page = folder / "hostile.html"
    assert tool("replay", messages, "--html", page).returncode == 1
    return page


def browser(size: str = "1500,1100") -> webdriver.Chrome:
    options = webdriver.ChromeOptions()
    options.binary_location = "/usr/bin/chromium"
    for flag in (
        "--headless=new",
        "--no-sandbox",
        "--disable-dev-shm-usage",
        "--disable-gpu",
        "--hide-scrollbars",
        f"--window-size={size}",
    ):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    return webdriver.Chrome(options=options, service=Service("/usr/bin/chromedriver"))
