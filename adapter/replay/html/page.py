"""The HTML file: style, scripts and data put into one page with a policy that lets nothing else in or out.

The policy (Content-Security-Policy) names the digests of the one style and the one script; the data are a block that no browser
executes, and in which no `<` is left.
"""

from __future__ import annotations

import base64
import hashlib
import json
from importlib.resources import files

from adapter.replay.html.content import content_of
from adapter.replay.report import Report

SCRIPTS = (
    "elements.js",
    "report.js",
    "json_text.js",
    "source_text.js",
    "chart.js",
    "virtual_list.js",
    "detail.js",
    "main.js",
)

_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; base-uri 'none'; form-action 'none'; \
script-src '{script_digest}'; style-src '{style_digest}'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<title>Replay report</title>
<style>{style}</style>
</head>
<body>
<noscript>This report is drawn by a script inside this file, which the browser does not run.</noscript>
<script type="application/json" id="data">{data}</script>
<script>{script}</script>
</body>
</html>
"""


def html_bytes(report: Report) -> bytes:
    """Write a report as a page.

    Parameters
    ----------
    report : Report
        The report, with courses.

    Returns
    -------
    bytes
        HTML in UTF-8, below 10 MB for 10,000 messages. It holds patient data.
    """
    style = _asset("style.css")
    script = '"use strict";\n' + "".join(map(_asset, SCRIPTS))
    page = _PAGE.format(
        style=style,
        script=script,
        style_digest=_digest(style),
        script_digest=_digest(script),
        data=_inert(json.dumps(content_of(report), ensure_ascii=False, separators=(",", ":"))),
    )
    return page.encode("utf-8", "replace")


def _asset(name: str) -> str:
    return (files("adapter.replay.html") / name).read_text(encoding="utf-8")


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _inert(text: str) -> str:
    """Write JSON so that nothing in it can end its element: `<` only ever stands within strings."""
    return text.replace("<", "\\u003c")
