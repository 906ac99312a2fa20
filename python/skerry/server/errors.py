"""Errors of the server as a program: a configuration that cannot be served.

What a *client* did wrong is not here: it is answered over HTTP (`skerry.server.http_errors`) or
over the websocket, and never raised to whoever runs the server.
"""

from skerry.errors import ConfigurationError as AnyConfigurationError


class ConfigurationError(AnyConfigurationError):
    """A file of the configuration cannot be used as it is.

    The operator's to mend: nothing was started, nothing was changed. The text is
    ``FILE: KEY: REASON``.

    Attributes:
        file: Path relative to the configuration directory, with forward slashes.
        key: Path of the key inside the file, such as ``roles[0].document_filters.read``;
            ``(file)`` when the file as a whole is meant.
        reason: One sentence without a full stop.
    """

    code = "CONF-002"
    reason: str
    WHOLE_FILE = "(file)"

    def __init__(self, file: str, key: str, reason: str) -> None:
        super().__init__(f"{file}: {key}: {reason}")
        self.file = file
        self.key = key
        self.reason = reason

    def __reduce__(self) -> tuple[type["ConfigurationError"], tuple[str, str, str]]:
        return type(self), (self.file, self.key, self.reason)
