"""Settings of the service: one TOML file, environment variables, flags, in that order of strength.

`B2M_ADAPTER_MLLP__PORT=6661` is `port = 6661` under `[mllp]`. A secret is never written into the file itself where that can be
avoided: each has a twin that names a file (`token_file`), and the text of a secret is masked wherever settings are shown.
"""

from __future__ import annotations

from contextvars import ContextVar
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource

from adapter.config import ContextSwitch, OutputForm, Units, Validation

ENVIRONMENT_PREFIX = "B2M_ADAPTER_"
Port = Annotated[int, Field(ge=0, le=65535)]
Seconds = Annotated[float, Field(gt=0)]
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,31}$")]


#: The file that `load_settings` is reading.
_file: ContextVar[Path | None] = ContextVar("settings file", default=None)


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class TlsSettings(_Section):
    """TLS of a door. With `client_ca` a client must show a certificate of that authority (mutual TLS)."""

    certificate: Path | None = None
    key: Path | None = None
    client_ca: Path | None = None

    @property
    def active(self) -> bool:
        """Whether the door speaks TLS."""
        return self.certificate is not None

    @model_validator(mode="after")
    def _whole(self) -> TlsSettings:
        if (self.certificate is None) != (self.key is None):
            raise ValueError("certificate and key go together")
        if self.client_ca is not None and self.certificate is None:
            raise ValueError("client_ca needs certificate and key")
        return self


class MllpSettings(_Section):
    """The MLLP door."""

    enabled: bool = True
    host: str = "127.0.0.1"
    port: Port = 2575
    tls: TlsSettings = TlsSettings()
    acknowledge: Literal["commit", "converted"] = "commit"
    unsupported: Literal["reject", "accept"] = "reject"
    """Answer to a type that is not converted: AR, or AA and kept in the spool as unselected."""
    processing_ids: tuple[str, ...] = ("P",)
    """Accepted MSH-11 where the sender's row names none."""
    connections: Annotated[int, Field(ge=1)] = 256
    message_size: Annotated[int, Field(ge=1024)] = 16 * 2**20
    idle_seconds: Seconds = 3600
    frame_seconds: Seconds = 60
    """From the first byte of a frame to its last."""
    write_seconds: Seconds = 30
    """A client that does not read its acknowledgements for so long is dropped."""
    conversion_seconds: Seconds = 30
    """How long an acknowledgement waits for the conversion with acknowledge = converted."""


class HttpSettings(_Section):
    """The HTTP door."""

    enabled: bool = True
    host: str = "127.0.0.1"
    port: Port = 8575
    workers: Annotated[int, Field(ge=1, le=64)] = 1
    tls: TlsSettings = TlsSettings()
    token: SecretStr | None = None
    token_file: Path | None = None
    allow_open: bool = False
    """Listen beyond loopback with neither token nor mutual TLS."""
    request_size: Annotated[int, Field(ge=1024)] = 64 * 2**20
    """Largest body, after unpacking."""
    request_seconds: Seconds = 60
    """For a request to come in, and for a client to take its answer."""
    concurrency: Annotated[int, Field(ge=1)] = 64
    """Requests under way at once, in each worker; more are answered with 503."""
    connections: Annotated[int, Field(ge=1)] = 512
    """Open connections of each worker; further ones are closed at once."""


class SpoolSettings(_Section):
    """The spool."""

    folder: Path = Path("spool")
    keep_days: Annotated[float, Field(ge=0)] = 30
    """How long finished messages stay."""
    keep_megabytes: Annotated[int, Field(ge=1)] = 20_000
    """Above this size the oldest finished messages go first."""
    keep_results_days: Annotated[float, Field(ge=0)] = 400
    """How long it is known what stands at the receivers and what a resend is (about half a kilobyte a message)."""
    free_megabytes: Annotated[int, Field(ge=0)] = 200
    """With less free space on the disk nothing more is accepted."""


class ConvertSettings(_Section):
    """How messages are converted; as the flags of `b2m-adapter convert`."""

    to: OutputForm = "transaction"
    units: Units = "canonical"
    only: tuple[str, ...] = ()
    timezone: str = ""
    validate_output: Annotated[Validation, Field(alias="validate")] = "structure"
    mappings: tuple[Path, ...] = ()
    context: tuple[ContextSwitch, ...] = ()
    attach_source: bool = False
    processes: Annotated[int, Field(ge=1, le=64)] = 1
    """Converter processes."""
    burst_share: Annotated[float, Field(ge=0.1, le=1)] = 1
    """Part of the time that conversion and delivery work while far more comes in than can be converted; 1: always."""


class _Destination(_Section):
    name: Name


class FolderDestination(_Destination):
    """Output as files, one a message, moved into place whole."""

    kind: Literal["folder"]
    folder: Path


class StdoutDestination(_Destination):
    """Output as lines on standard output."""

    kind: Literal["stdout"]


class OAuthSettings(_Section):
    """OAuth 2 client credentials (RFC 6749, section 4.4)."""

    token_url: str
    client_id: str
    client_secret: SecretStr | None = None
    client_secret_file: Path | None = None
    scope: str = ""


class FhirServerDestination(_Destination):
    """Output as transactions to a FHIR server."""

    kind: Literal["fhir-server"]
    url: str
    token: SecretStr | None = None
    token_file: Path | None = None
    oauth: OAuthSettings | None = None
    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None
    concurrency: Annotated[int, Field(ge=1, le=256)] = 8
    """Patients whose messages are under way at once."""
    timeout_seconds: Seconds = 30
    retry_seconds: Seconds = 1
    """First pause after a fault of the connection or the server; doubled, with jitter."""
    retry_limit_seconds: Seconds = 300
    breaker_faults: Annotated[int, Field(ge=1)] = 5
    """Faults in a row that open the circuit breaker."""


Destination = Annotated[FolderDestination | StdoutDestination | FhirServerDestination, Field(discriminator="kind")]


class WatchSettings(_Section):
    """A folder into which senders drop files."""

    name: Name
    folder: Path
    done: Path | None = None
    """Default: `done` in the folder."""
    rejected: Path | None = None
    """Default: `rejected` in the folder."""
    poll_seconds: Seconds = 1
    settle_seconds: Annotated[float, Field(ge=0)] = 2
    """A file is read when its size and time of change have stood still so long."""
    unsupported: Literal["reject", "accept"] = "reject"
    """What becomes of a type that is not converted: rejected, or kept in the spool as unselected."""
    processing_ids: tuple[str, ...] = ("P",)
    """Accepted MSH-11 where the sender's row names none."""
    message_size: Annotated[int, Field(ge=1024)] = 64 * 2**20


class LogSettings(_Section):
    """Logs: one JSON object a line on standard error."""

    level: Literal["debug", "info", "warning", "error"] = "info"


class ServiceSettings(BaseSettings):
    """All settings of `b2m-adapter serve`."""

    model_config = SettingsConfigDict(
        env_prefix=ENVIRONMENT_PREFIX, env_nested_delimiter="__", extra="forbid", frozen=True, populate_by_name=True
    )

    mllp: MllpSettings = MllpSettings()
    http: HttpSettings = HttpSettings()
    spool: SpoolSettings = SpoolSettings()
    convert: ConvertSettings = ConvertSettings()
    delivery: tuple[Destination, ...] = ()
    watch: tuple[WatchSettings, ...] = ()
    log: LogSettings = LogSettings()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Strongest first: flags, environment, file."""
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls, _file.get())


def load_settings(file: Path | None = None, flags: dict[str, Any] | None = None) -> ServiceSettings:
    """Read the settings.

    Parameters
    ----------
    file : Path, optional
        TOML file.
    flags : dict, optional
        What the command line says, nested as in the file.

    Returns
    -------
    ServiceSettings
        The whole.

    Raises
    ------
    pydantic.ValidationError
        Something is wrong; each fault with its place.
    tomllib.TOMLDecodeError
        The file is no TOML.
    OSError
        The file cannot be read.
    """
    token = _file.set(file)
    try:
        return ServiceSettings(**(flags or {}))
    finally:
        _file.reset(token)
