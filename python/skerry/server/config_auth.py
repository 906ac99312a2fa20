"""Reading ``auth/``: which providers a user may log in with (server 8.2).

Served now are anonymous users and e-mail with password, the latter confirmed at once. Anything that
would need a function or an e-mail to be sent is refused, so that nothing is promised that will not
happen.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from skerry.server.json_reader import Mapping, Node, read_json, unsupported

PROVIDERS_FILE: Final = "auth/providers.json"
CUSTOM_USER_DATA_FILE: Final = "auth/custom_user_data.json"
ANONYMOUS: Final = "anon-user"
LOCAL_USERPASS: Final = "local-userpass"

_OTHER_PROVIDERS: Final = (
    *("api-key", "custom-token", "custom-function"),
    *("oauth2-google", "oauth2-facebook", "oauth2-apple"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthConfig:
    """The providers that accept logins."""

    anonymous_enabled: bool = False
    local_userpass_enabled: bool = False

    def is_enabled(self, provider: str) -> bool:
        """Return whether `provider` accepts logins."""
        return (provider == ANONYMOUS and self.anonymous_enabled) or (
            provider == LOCAL_USERPASS and self.local_userpass_enabled
        )


def load_auth(root: Path) -> AuthConfig:
    """Read ``auth/providers.json`` and ``auth/custom_user_data.json``.

    Without a providers file nobody can log in. Raises `ConfigurationError` like the other loaders.
    """
    folder = root / "auth"
    if not folder.is_dir():
        return AuthConfig()
    for entry in sorted(folder.iterdir()):
        file = f"auth/{entry.name}"
        known = (PROVIDERS_FILE, CUSTOM_USER_DATA_FILE)
        if file not in known and not entry.name.startswith("."):
            Node(file, "", None).refuse(f"unknown file; known: {', '.join(known)}")
    if (root / CUSTOM_USER_DATA_FILE).exists():
        _check_custom_user_data(read_json(root, CUSTOM_USER_DATA_FILE))
    if not (root / PROVIDERS_FILE).exists():
        return AuthConfig()
    return _read_providers(read_json(root, PROVIDERS_FILE))


def _check_custom_user_data(node: Node) -> None:
    config = node.closed_object(
        *("mongo_service_name", "database_name", "collection_name", "user_id_field"),
        *("on_user_creation_function_name", "mongo_service_id"),
        required=("enabled",),
    )
    if config.boolean("enabled", default=False):
        config["enabled"].refuse(unsupported("custom user data"))
    config.refuse_unless_empty("on_user_creation_function_name", "a user creation function")


def _read_providers(node: Node) -> AuthConfig:
    enabled: list[str] = []
    node.closed_object(ANONYMOUS, LOCAL_USERPASS, *_OTHER_PROVIDERS)
    for name, member in node.members():
        provider = member.closed_object(
            *("config", "secret_config", "metadata_fields", "redirect_uris", "id", "_id"),
            required=("name", "type", "disabled"),
        )
        for key in ("name", "type"):
            if provider.string(key) != name:
                provider[key].refuse(f"must be {name!r}, the key of this provider")
        if provider.boolean("disabled", default=False):
            continue
        if name in _OTHER_PROVIDERS:
            provider["disabled"].refuse(unsupported(f"the provider {name!r}"))
        _check_enabled(provider, name)
        enabled.append(name)
    return AuthConfig(
        anonymous_enabled=ANONYMOUS in enabled, local_userpass_enabled=LOCAL_USERPASS in enabled
    )


def _check_enabled(provider: Mapping, name: str) -> None:
    provider.refuse_unless_empty("secret_config", f"a secret of the provider {name!r}")
    provider.refuse_unless_empty("metadata_fields", f"a metadata field of {name!r}")
    provider.refuse_unless_empty("redirect_uris", f"a redirection of {name!r}")
    config = provider.get("config")
    if name == ANONYMOUS:
        if config is not None:
            config.closed_object()
        return
    if config is None:
        provider.node.refuse("needs a config with autoConfirm")
    _check_local_userpass(config)


def _check_local_userpass(node: Node) -> None:
    config = node.closed_object(
        *("emailConfirmationUrl", "confirmEmailSubject", "runConfirmationFunction"),
        *("confirmationFunctionName", "resetPasswordUrl", "resetPasswordSubject"),
        *("runResetFunction", "resetFunctionName"),
        required=("autoConfirm",),
    )
    if config.boolean("runConfirmationFunction", default=False):
        config["runConfirmationFunction"].refuse(unsupported("a confirmation function"))
    if not config.boolean("autoConfirm", default=False):
        config["autoConfirm"].refuse(
            "must be true: sending confirmation e-mails is not supported yet"
        )
    if config.boolean("runResetFunction", default=False):
        config["runResetFunction"].refuse(unsupported("a function that resets passwords"))
    config.refuse_unless_empty("resetPasswordUrl", "resetting a password by e-mail")
    for key in (
        *("emailConfirmationUrl", "confirmEmailSubject", "confirmationFunctionName"),
        *("resetPasswordSubject", "resetFunctionName"),
    ):
        config.string(key)
