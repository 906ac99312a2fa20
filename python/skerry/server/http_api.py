"""The HTTP API of App Services as far as Skerry serves it (server 8.1, sync-engine 7).

Location, login, register, profile, session refresh and logout, with the documented paths, shapes
and errors. Every answer that is not a success has the one error body; a failure of ours is logged
with its traceback and answered with no detail. Websockets are not served here.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import Enum
from typing import Final

import trio
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from skerry.server.account_records import UserRecord
from skerry.server.accounts import AccountError, Accounts
from skerry.server.config_auth import ANONYMOUS, LOCAL_USERPASS, AuthConfig
from skerry.server.config_native import LogLevel
from skerry.server.http_errors import (
    ApiError,
    account_error,
    bad_request,
    internal_error,
    provider_not_found,
    token_error,
)
from skerry.server.http_requests import (
    bearer_token,
    device_of,
    reachable_url,
    read_object,
    text_member,
)
from skerry.server.limits import Limits
from skerry.server.log import ServerLog, timestamp
from skerry.server.tokens import TokenError

BASE: Final = "/api/client/v2.0"
_APP: Final = f"{BASE}/app/{{app_id}}"
REQUEST_ID_HEADER: Final = "X-Appservices-Request-Id"

Handler = Callable[[Request], Awaitable[Response]]


class _Logged(Enum):
    """Whether a call is an entry of type AUTH in the log."""

    AUTH = "auth"
    NOT = "not"


@dataclass(frozen=True, slots=True, kw_only=True)
class Location:
    """What ``location`` answers. URLs are without a trailing slash."""

    hostname: str
    ws_hostname: str
    deployment_model: str = "GLOBAL"
    location: str = "US-VA"


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpApiContext:
    """What the HTTP API works on.

    Attributes:
        session_ended: Called with the session's id after a logout, to drop its connections.
        now_ms: The wall clock.
    """

    app_id: str
    auth: AuthConfig
    accounts: Accounts
    location: Location
    limits: Limits
    log: ServerLog
    session_ended: Callable[[str], None]
    now_ms: Callable[[], int]


def build_http_api(context: HttpApiContext) -> Starlette:
    """Return the ASGI application; it holds no resources and needs no lifespan."""
    api = _HttpApi(context)
    providers = f"{_APP}/auth/providers"
    routes = [
        api.route(f"{_APP}/location", "GET", api.location, _Logged.NOT),
        api.route(f"{providers}/{{provider}}/login", "POST", api.log_in, _Logged.AUTH),
        api.route(f"{providers}/{LOCAL_USERPASS}/register", "POST", api.register, _Logged.AUTH),
    ]
    # Calls of a logged-in user exist at the host and below the app (server 8.1).
    for prefix in (BASE, _APP):
        routes += [
            api.route(f"{prefix}/auth/profile", "GET", api.profile, _Logged.NOT),
            api.route(f"{prefix}/auth/session", "POST", api.refresh, _Logged.AUTH),
            api.route(f"{prefix}/auth/session", "DELETE", api.log_out, _Logged.AUTH),
        ]
    return Starlette(routes=routes, exception_handlers={HTTPException: _not_routed})


async def _not_routed(_request: Request, error: Exception) -> Response:
    """Answer a path or method that does not exist in the shape of every other error."""
    status = error.status_code if isinstance(error, HTTPException) else 500
    names = {404: "not found", 405: "method not allowed"}
    return ApiError(status, "BadRequest", names.get(status, "bad request")).response()


class _HttpApi:
    """The handlers. Each returns a response or raises ApiError, AccountError or TokenError."""

    def __init__(self, context: HttpApiContext) -> None:
        self._context = context
        self._running = 0

    def route(self, path: str, method: str, handler: Handler, logged: _Logged) -> Route:
        """Return the route for a handler with its errors, log entry and limits around it."""

        async def endpoint(request: Request) -> Response:
            return await self._guarded(request, handler, logged)

        return Route(path, endpoint, methods=[method])

    async def location(self, request: Request) -> Response:
        """Answer where the API and the sync websocket are."""
        where = self._context.location
        return JSONResponse(
            {
                "deployment_model": where.deployment_model,
                "location": where.location,
                "hostname": reachable_url(where.hostname, request),
                "ws_hostname": reachable_url(where.ws_hostname, request),
            }
        )

    async def log_in(self, request: Request) -> Response:
        """Log in with one of the enabled providers."""
        provider = request.path_params["provider"]
        if not self._context.auth.is_enabled(provider):
            raise provider_not_found(provider)
        if request.query_params.get("link", "false") != "false":
            raise bad_request("linking identities is not supported yet")
        body = await self._body(request)
        device = device_of(body)
        accounts = self._context.accounts
        if provider == ANONYMOUS:
            login = await accounts.log_in_anonymous(device)
        else:
            login = await accounts.log_in_userpass(
                text_member(body, "username"), text_member(body, "password"), device
            )
        request.state.user_id = login.user_id
        return JSONResponse(
            {
                "access_token": login.access_token,
                "refresh_token": login.refresh_token,
                "user_id": login.user_id,
                "device_id": login.device_id,
            }
        )

    async def register(self, request: Request) -> Response:
        """Register an e-mail address with a password."""
        if not self._context.auth.is_enabled(LOCAL_USERPASS):
            raise provider_not_found(LOCAL_USERPASS)
        body = await self._body(request)
        await self._context.accounts.register(
            text_member(body, "email"), text_member(body, "password")
        )
        return JSONResponse({}, status_code=201)

    async def profile(self, request: Request) -> Response:
        """Answer the profile of the user of an access token."""
        user = await self._context.accounts.authenticate(bearer_token(request))
        return JSONResponse(self._profile_of(user))

    async def refresh(self, request: Request) -> Response:
        """Answer a new access token for a refresh token."""
        access_token = await self._context.accounts.refresh(bearer_token(request))
        return JSONResponse({"access_token": access_token}, status_code=201)

    async def log_out(self, request: Request) -> Response:
        """End the session of a refresh token."""
        claims = await self._context.accounts.log_out(bearer_token(request))
        request.state.user_id = claims.user_id
        self._context.session_ended(claims.session_id)
        return Response(status_code=204)

    def _profile_of(self, user: UserRecord) -> dict[str, object]:
        return {
            "user_id": user.id,
            "domain_id": self._context.accounts.domain_id,
            "identities": [
                {
                    "id": identity.id,
                    "provider_type": identity.provider_type,
                    "provider_id": identity.provider_type,
                }
                for identity in user.identities
            ],
            "data": user.data,
            "type": user.type,
        }

    async def _body(self, request: Request) -> dict[str, object]:
        return await read_object(request, max_bytes=self._context.limits.http_body_max_bytes)

    async def _guarded(self, request: Request, handler: Handler, logged: _Logged) -> Response:
        """Run a handler; whatever it raises becomes an answer and, where due, a log entry."""
        request.state.co_id = self._context.log.new_correlation_id()
        request.state.user_id = None
        started_ms = self._context.now_ms()
        refused: ApiError | None = None
        try:
            response = await self._admitted(request, handler)
        except ApiError as error:
            refused = error
        except AccountError as error:
            refused = account_error(error.problem)
        except TokenError as error:
            refused = token_error(error.problem)
        except (trio.Cancelled, KeyboardInterrupt):
            raise
        except Exception as error:
            # The edge: logged with its traceback, and answered without detail.
            refused = internal_error()
            self._log(request, started_ms, refused, error)
        else:
            if logged is _Logged.AUTH:
                self._log(request, started_ms, None, None)
            response.headers[REQUEST_ID_HEADER] = request.state.co_id
            return response
        if logged is _Logged.AUTH and refused.status != 500:
            self._log(request, started_ms, refused, None)
        response = refused.response()
        response.headers[REQUEST_ID_HEADER] = request.state.co_id
        return response

    async def _admitted(self, request: Request, handler: Handler) -> Response:
        if self._running >= self._context.limits.http_requests_concurrent_max:
            raise ApiError(429, "TooManyRequests", "too many requests at once")
        app_id = request.path_params.get("app_id", self._context.app_id)
        if app_id != self._context.app_id:
            raise ApiError(404, "AppNotFound", f"cannot find app using Client App ID {app_id!r}")
        self._running += 1
        try:
            return await handler(request)
        finally:
            self._running -= 1

    def _log(
        self,
        request: Request,
        started_ms: int,
        refused: ApiError | None,
        failure: BaseException | None,
    ) -> None:
        self._context.log.entry(
            "AUTH",
            level=LogLevel.INFO if failure is None else LogLevel.ERROR,
            exception=failure,
            co_id=request.state.co_id,
            user_id=request.state.user_id,
            remote_ip_address=None if request.client is None else request.client.host,
            request_method=request.method,
            request_url=request.url.path,
            started=timestamp(started_ms),
            status="ERROR" if refused is not None else "OK",
            error=None if refused is None else refused.message,
            error_code=None if refused is None else refused.error_code,
        )
