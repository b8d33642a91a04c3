"""`b2m-adapter config`: are the settings of the service right, and what are they in the end."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

if TYPE_CHECKING:
    from adapter.service.settings import ServiceSettings

USAGE = 2
app = typer.Typer(
    help="Check or show the settings of the service.", no_args_is_help=True, add_completion=False, rich_markup_mode=None
)
ConfigFile = Annotated[
    Path | None, typer.Option("--config", help="Settings of the service (TOML); the environment is stronger.", metavar="FILE")
]


@app.command(epilog="Example:  b2m-adapter config check --config deploy/adapter.toml")
def check(config: ConfigFile = None) -> None:
    """Say what would keep `serve` from starting: every fault, where and what to do. Exit status 0: none, 2: at least one."""
    from adapter.service.checks import faults_of

    faults = faults_of(settings_or_exit(config))
    if faults:
        refuse(faults)
    print("The settings are right.")


@app.command(epilog="Example:  b2m-adapter config show --config deploy/adapter.toml")
def show(config: ConfigFile = None) -> None:
    """Print the settings that `serve` would use, defaults and environment included; secrets are masked."""
    import tomli_w

    settings = settings_or_exit(config).model_dump(mode="json", by_alias=True, exclude_none=True)
    print(tomli_w.dumps(settings), end="")


def settings_or_exit(config: Path | None, flags: dict[str, Any] | None = None) -> ServiceSettings:
    """Read the settings; what is wrong with them ends the program with status 2.

    Parameters
    ----------
    config : Path, optional
        TOML file.
    flags : dict, optional
        What the command line says, nested as in the file.

    Returns
    -------
    ServiceSettings
        The whole.
    """
    import tomllib

    from pydantic import ValidationError
    from pydantic_settings import SettingsError

    from adapter.service.settings import load_settings

    if config is not None and not config.is_file():
        refuse([f"--config: {config} is no file."])
    try:
        return load_settings(config, flags)
    except ValidationError as found:
        # the input is not shown: it may be a secret
        refuse([f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}." for fault in found.errors(include_input=False)])
    except tomllib.TOMLDecodeError as failure:
        refuse([f"{config}: this is no TOML: {failure}."])
    except SettingsError as failure:
        refuse([f"environment: {failure}."])
    except OSError as failure:
        refuse([f"{config} cannot be read: {failure.strerror}."])


def refuse(faults: list[str]) -> NoReturn:
    """Print what is wrong with the settings and end the program with status 2."""
    import sys

    for fault in faults:
        print(f"b2m-adapter: {fault}", file=sys.stderr)
    raise typer.Exit(USAGE)
