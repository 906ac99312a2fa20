"""``skerry serve``: run a server from a configuration directory until SIGTERM or SIGINT.

Standard output carries one JSON line when the server is ready, and the log only if it is sent
there. Exit status: 0 after a clean stop, 2 for a configuration that cannot be served, with
``FILE: KEY: REASON`` on standard error, 1 when the server could not start or failed.
"""

import json
import signal
from dataclasses import replace
from pathlib import Path

import click
import trio

from skerry.errors import SkerryError
from skerry.server.config import Config, load_config
from skerry.server.core import open_core
from skerry.server.errors import ConfigurationError
from skerry.server.log import ServerLog
from skerry.server.server import Server, wall_clock_ms

EXIT_FAILED = 1
EXIT_BAD_CONFIGURATION = 2
_PORT = click.IntRange(0, 65_535)


@click.command()
@click.option(
    "--config",
    "config_dir",
    required=True,
    type=click.Path(path_type=Path),
    help="Directory in the App Services export layout, with an optional skerry.toml.",
)
@click.option(
    "--data",
    default=Path("skerry-data"),
    show_default=True,
    type=click.Path(path_type=Path),
    help="Folder of the embedded store; created if it does not exist.",
)
@click.option("--host", help="Address to listen on; overrides skerry.toml.")
@click.option(
    "--port", type=_PORT, help="Port of the HTTP API; 0 chooses free ports for it and for sync."
)
@click.option("--sync-port", type=_PORT, help="Port of the sync websocket; 0 chooses a free one.")
@click.option("--log-file", help="Append the log to this file instead of skerry.toml's target.")
def serve(
    config_dir: Path,
    data: Path,
    host: str | None,
    port: int | None,
    sync_port: int | None,
    log_file: str | None,
) -> None:
    """Serve the application configured in a directory."""
    try:
        config = _overridden(load_config(config_dir), host, port, sync_port, log_file)
        trio.run(_serve, config, data)
    except ConfigurationError as error:
        click.echo(str(error), err=True)
        raise SystemExit(EXIT_BAD_CONFIGURATION) from error
    except (OSError, SkerryError) as error:
        click.echo(f"skerry serve: {error}", err=True)
        raise SystemExit(EXIT_FAILED) from error


def _overridden(
    config: Config,
    host: str | None,
    port: int | None,
    sync_port: int | None,
    log_file: str | None,
) -> Config:
    """Return the configuration with what the command line says instead."""
    native = config.native
    listen = native.listen
    if port == 0 and sync_port is None:
        sync_port = 0
    listen = replace(
        listen,
        host=listen.host if host is None else host,
        http_port=listen.http_port if port is None else port,
        sync_port=listen.sync_port if sync_port is None else sync_port,
    )
    log = native.log if log_file is None else replace(native.log, target=log_file)
    return replace(config, native=replace(native, listen=listen, log=log))


async def _serve(config: Config, data: Path) -> None:
    with (
        trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals,
        ServerLog.open(config.native.log, app_id=config.app_id, now_ms=wall_clock_ms) as log,
    ):
        core = await trio.to_thread.run_sync(open_core, config, data)
        async with Server(config, core, log) as server:
            ready = {"event": "listening", "http": server.http_url, "ws": server.ws_url}
            click.echo(json.dumps(ready))
            await anext(signals)
