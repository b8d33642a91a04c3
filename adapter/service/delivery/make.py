"""Destinations from their settings."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from pydantic import SecretStr

from adapter.clients.endpoint import client_context
from adapter.clients.fhir_server import FhirServer
from adapter.clients.oauth import BearerToken, ClientCredentials, Credentials
from adapter.service.delivery.fhir_server import FhirServerDelivery
from adapter.service.delivery.folder import Folder
from adapter.service.delivery.parcel import Destination
from adapter.service.delivery.stdout import Stdout
from adapter.service.settings import Destination as DestinationSettings
from adapter.service.settings import FhirServerDestination, FolderDestination


def make_destination(settings: DestinationSettings) -> Destination:
    """Make a destination.

    Parameters
    ----------
    settings : FolderDestination, StdoutDestination or FhirServerDestination
        As configured.

    Returns
    -------
    Destination
        Nothing is opened yet.

    Raises
    ------
    ValueError
        A certificate cannot be used, or a secret would be sent in the clear.
    """
    if isinstance(settings, FolderDestination):
        return Folder(settings.name, settings.folder)
    if isinstance(settings, FhirServerDestination):
        return FhirServerDelivery(settings.name, _server(settings), settings.concurrency)
    return Stdout(settings.name)


def _server(settings: FhirServerDestination) -> FhirServer:
    tls = None
    if settings.ca is not None or settings.certificate is not None:
        tls = client_context(settings.ca, settings.certificate, settings.key)
    return FhirServer(
        settings.url,
        credentials=_credentials(settings),
        tls=tls,
        connections=settings.concurrency,
        timeout_seconds=settings.timeout_seconds,
    )


def _credentials(settings: FhirServerDestination) -> Credentials | None:
    oauth = settings.oauth
    if oauth is not None:
        secret = _secret(oauth.client_secret, oauth.client_secret_file)
        return ClientCredentials(oauth.token_url, oauth.client_id, secret or (lambda: ""), oauth.scope)
    read = _secret(settings.token, settings.token_file)
    return BearerToken(read) if read is not None else None


def _secret(text: SecretStr | None, file: Path | None) -> Callable[[], str] | None:
    """How to read a secret: given in the settings, or in a file that is read each time, so that it can be changed."""
    if text is not None:
        return text.get_secret_value
    if file is not None:
        return lambda: file.read_text(encoding="utf-8").strip()
    return None
