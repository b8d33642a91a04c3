"""A FHIR server that knows what the tests need: transactions with conditional requests, a history, search by nothing. In memory.

Each resource is under its type and id; a transaction applies whole or not at all. `run` starts it in a thread on a free port.
"""

import asyncio
import json
import threading
from itertools import count

from aiohttp import web


class ConditionalServer:
    def __init__(self):
        self.versions = {}  # (type, id) -> resources, oldest first
        self.transactions = []  # lists of (method, type, identifier or id)
        self.refuse = None  # callable(bundle) -> web.Response or None
        self._ids = count(1)
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()

    def __enter__(self):
        threading.Thread(target=self._run, daemon=True).start()
        assert self._ready.wait(10)
        return self

    def __exit__(self, *_):
        self._loop.call_soon_threadsafe(self._loop.stop)

    def _run(self):
        asyncio.set_event_loop(self._loop)
        app = web.Application(client_max_size=64 * 2**20)
        app.router.add_post("/fhir", self._transaction)
        app.router.add_post("/fhir/", self._transaction)
        app.router.add_get("/fhir/{type}", self._search)
        app.router.add_get("/fhir/{type}/{id}/_history", self._history)
        runner = web.AppRunner(app)
        self._loop.run_until_complete(runner.setup())
        site = web.TCPSite(runner, "127.0.0.1", 0)
        self._loop.run_until_complete(site.start())
        self.url = f"http://127.0.0.1:{site._server.sockets[0].getsockname()[1]}/fhir"
        self._ready.set()
        self._loop.run_forever()

    def current(self, kind):
        return [versions[-1] for (type_, _), versions in list(self.versions.items()) if type_ == kind]

    async def _transaction(self, request):
        bundle = json.loads(await request.read(), parse_float=str)
        if self.refuse is not None:
            refused = self.refuse(bundle)
            if refused is not None:
                return refused
        assert bundle["type"] == "transaction"
        answers, addresses, writes, said = [], {}, [], []
        for entry in bundle["entry"]:
            resource, asked = entry["resource"], entry["request"]
            kind = resource["resourceType"]
            search = asked.get("ifNoneExist") or (asked["url"].partition("?")[2] if "?" in asked["url"] else "")
            found = self._matches(kind, search) if search else []
            if len(found) > 1:
                return web.json_response({"resourceType": "OperationOutcome", "issue": []}, status=412)
            if asked["method"] == "PUT" and "?" not in asked["url"]:
                key = (kind, asked["url"].split("/")[1])
                write = True
            else:
                key = found[0] if found else (kind, str(next(self._ids)))
                write = asked["method"] == "PUT" or not found
            addresses[entry["fullUrl"]] = f"{kind}/{key[1]}"
            if write:
                writes.append((key, resource))
            said.append((asked["method"], kind, search or asked["url"]))
            answers.append({"response": {"status": "200 OK" if found else "201 Created"}})
        for key, resource in writes:
            text = json.dumps({**resource, "id": key[1]})
            for full_url, address in addresses.items():
                text = text.replace(f'"reference": "{full_url}"', f'"reference": "{address}"')
            versions = self.versions.setdefault(key, [])
            new = json.loads(text)
            if not versions or versions[-1] != new:
                versions.append(new)
        self.transactions.append(said)
        return web.json_response({"resourceType": "Bundle", "type": "transaction-response", "entry": answers})

    def _matches(self, kind, search):
        system, _, value = search.removeprefix("identifier=").partition("|")
        return [
            key
            for key, versions in self.versions.items()
            if key[0] == kind
            and any(one.get("system") == system and one.get("value") == value for one in _identifiers(versions[-1]))
        ]

    async def _search(self, request):
        kind = request.match_info["type"]
        return web.json_response(
            {"resourceType": "Bundle", "type": "searchset", "entry": [{"resource": one} for one in self.current(kind)]}
        )

    async def _history(self, request):
        versions = self.versions[request.match_info["type"], request.match_info["id"]]
        return web.json_response(
            {"resourceType": "Bundle", "type": "history", "entry": [{"resource": one} for one in reversed(versions)]}
        )


def _identifiers(resource):
    found = resource.get("identifier", [])
    return found if isinstance(found, list) else [found]
