"""What a location answer makes of an address that means every address."""

import pytest
from starlette.requests import Request

from skerry.server.http_requests import reachable_url


def request_to(host: str) -> Request:
    return Request(
        {
            "type": "http",
            "method": "GET",
            "scheme": "http",
            "path": "/",
            "query_string": b"",
            "server": ("127.0.0.1", 9090),
            "headers": [(b"host", host.encode())],
        }
    )


@pytest.mark.parametrize(
    ("url", "host", "expected"),
    [
        ("ws://0.0.0.0:9091", "sync.example.com:9090", "ws://sync.example.com:9091"),
        ("ws://[::]:9091", "[2001:db8::1]:9090", "ws://[2001:db8::1]:9091"),
        ("ws://127.0.0.1:9091", "sync.example.com:9090", "ws://127.0.0.1:9091"),
        ("wss://ws.example.com", "sync.example.com", "wss://ws.example.com"),
    ],
)
def test_only_the_unspecified_address_is_replaced(url, host, expected):
    assert reachable_url(url, request_to(host)) == expected
