"""The report of a replay as one HTML file that asks nothing of the network: `page.html_bytes`.

`content.py` makes the data of the page; the page draws them with the scripts beside it, in this order: `elements.js` (DOM),
`report.js` (the data), `json_text.js` and `source_text.js` (texts with marked parts), `chart.js`, `virtual_list.js`, `detail.js`,
`main.js` (filter, views). Texts of messages are data everywhere: they enter the page as text nodes only.
"""
