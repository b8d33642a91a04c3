"""Makes the picture of docs/testing.md: generated messages, two unit rows edited by mistake, one message chosen."""

import sys
import tempfile
import time
from pathlib import Path

from pages import browser, tool
from selenium.webdriver.common.by import By

UNITS = """id,spelling,ucum,display,status,source,note
unit-microg.per.l,µg/l,mg/L,,,a mistake made for the picture,
unit-mg.per.l,mg/l,g/L,,,a mistake made for the picture,
"""


def main() -> None:
    """Write the picture to the path that is given."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "messages").mkdir()
        assert (
            tool("generate", "--seed", "7", "--count", "400", "--faults", "0.05", "--out", "messages", folder=folder).returncode
            == 0
        )
        assert tool("replay", "--update", "messages", folder=folder).returncode == 0
        (folder / "site" / "common").mkdir(parents=True)
        (folder / "site" / "common" / "units.csv").write_text(UNITS, encoding="utf-8")
        done = tool("replay", "messages", "--mappings", "site", "--html", "page.html", folder=folder)
        assert done.returncode == 1, done.stdout.decode()
        driver = browser("1680,1950")
        try:
            driver.get(f"{(folder / 'page.html').as_uri()}#status=different")
            driver.find_elements(By.CSS_SELECTOR, ".group")[-1].click()
            driver.find_elements(By.CSS_SELECTOR, "#messages .row")[1].click()
            time.sleep(0.3)
            driver.save_screenshot(sys.argv[1])
        finally:
            driver.quit()


if __name__ == "__main__":
    main()
