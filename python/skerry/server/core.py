"""Opening the engine: the one place of the server that names ``skerry._core``.

The engine checks what only it can: expressions, schemas and links. Its refusal names a place in the
document it was given, which is turned back into a file and key here.
"""

from pathlib import Path

from skerry.errors import ConfigurationError as AnyConfigurationError
from skerry.server.config import Config, core_config_json, locate
from skerry.server.engine import ServerCore


def open_core(config: Config, data: Path) -> ServerCore:
    """Open the store in the folder `data`, creating it if need be, with `config`. Blocking.

    Raises:
        ConfigurationError: If the engine refuses the configuration.
        SkerryError: If the store cannot be opened.
        OSError: If the folder cannot be created.
    """
    # Imported late, so that checking a configuration needs no compiled module.
    from skerry import _core

    data.mkdir(parents=True, exist_ok=True)
    try:
        return _core.SyncServer.open(str(data), core_config_json(config))
    except AnyConfigurationError as error:
        path, reason = getattr(error, "path", ""), getattr(error, "reason", str(error))
        raise locate(config, str(path), str(reason)) from error
