"""A tiny App Services HTTP server on loopback, answering as each test tells it."""

import base64
import json
from collections import deque
from contextlib import asynccontextmanager, suppress
from functools import partial

import trio

BASE = "/api/client/v2.0"
APP = f"{BASE}/app/test-app"


def token(expires_s=4_000_000_000, **claims):
    body = json.dumps({"exp": expires_s, **claims}).encode()
    return f"e30.{base64.urlsafe_b64encode(body).decode().rstrip('=')}.sig"


class HttpServer:
    """Answers by (method, path): a queue first, then what stands."""

    def __init__(self):
        self.requests = []
        self.queued = {}
        self.users = 0
        self.url = ""
        self.standing = {
            ("GET", f"{APP}/location"): lambda _: (
                200,
                {"hostname": self.url, "ws_hostname": "ws://127.0.0.1:1"},
            ),
            ("POST", f"{APP}/auth/providers/anon-user/login"): self.log_in,
            ("POST", f"{APP}/auth/providers/local-userpass/login"): self.log_in,
            ("POST", f"{APP}/auth/providers/local-userpass/register"): lambda _: (201, {}),
            ("GET", f"{BASE}/auth/profile"): lambda _: (
                200,
                {
                    "user_id": "u",
                    "identities": [{"id": "i1", "provider_type": "anon-user"}],
                    "data": {"name": "Ann"},
                },
            ),
            ("POST", f"{BASE}/auth/session"): lambda _: (201, {"access_token": token(n=1)}),
            ("DELETE", f"{BASE}/auth/session"): lambda _: (204, None),
        }

    def log_in(self, _request):
        self.users += 1
        return 200, {
            "user_id": f"{self.users:024x}",
            "device_id": "d" * 24,
            "access_token": token(user_data={"level": 3}),
            "refresh_token": f"refresh-{self.users}",
        }

    def answer_next(self, method, path, status, body, content_type="application/json"):
        queue = self.queued.setdefault((method, path), deque())
        queue.append((status, body, content_type))

    def seen(self, method, path):
        return [one for one in self.requests if one["to"] == (method, path)]

    async def handle(self, stream):
        async with stream:
            with suppress(trio.BrokenResourceError):  # it has read as much as it wanted
                await self.converse(stream)

    async def converse(self, stream):
        received = b""
        while True:
            while b"\r\n\r\n" not in received:
                chunk = await stream.receive_some()
                if not chunk:
                    return
                received += chunk
            head, _, received = received.partition(b"\r\n\r\n")
            first, *lines = head.decode().split("\r\n")
            headers = {name.lower(): value for name, _, value in (x.partition(": ") for x in lines)}
            size = int(headers.get("content-length", 0))
            while len(received) < size:
                received += await stream.receive_some()
            body, received = received[:size], received[size:]
            await stream.send_all(self.answer(first, headers, body))

    def answer(self, first, headers, body):
        method, path, _ = first.split(" ")
        to = (method, path.partition("?")[0])
        request = {"to": to, "headers": headers, "body": json.loads(body) if body else None}
        self.requests.append(request)
        queue = self.queued.get(to)
        if queue:
            status, content, kind = queue.popleft()
        else:
            (status, content), kind = self.standing[to](request), "application/json"
        text = content if isinstance(content, bytes) else json.dumps(content).encode()
        if status == 204:
            text = b""
        lines = f"HTTP/1.1 {status} X\r\nContent-Type: {kind}\r\nContent-Length: {len(text)}\r\n"
        return lines.encode() + b"\r\n" + text


@asynccontextmanager
async def http_server():
    server = HttpServer()
    async with trio.open_nursery() as nursery:
        serve = partial(trio.serve_tcp, server.handle, 0, host="127.0.0.1")
        (listener, *_) = await nursery.start(serve)
        server.url = f"http://127.0.0.1:{listener.socket.getsockname()[1]}"
        yield server
        nursery.cancel_scope.cancel()
