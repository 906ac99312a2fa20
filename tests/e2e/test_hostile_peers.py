"""What a hostile or broken peer gets: the documented error, while others are left alone.

Every case runs beside a device that is at work on another connection of the same server: it must go
on over the same link. The server's memory is looked at where a peer sends much.
"""

import random
import time
from contextlib import asynccontextmanager, suppress

import jwt
import msgpack
import pytest
import trio
from websockets.exceptions import ConnectionClosed
from websockets.frames import Frame, Opcode
from websockets.trio.client import connect

from tests.support.app_config import APP_ID
from tests.support.devices import settle
from tests.support.waiting import within

MEBIBYTE = 1024 * 1024
BIND, IDENT, QUERY, UPLOAD, MARK, UNBIND, PING = 1, 2, 3, 4, 5, 6, 7
SERVER_IDENT, SERVER_MARK, SERVER_UNBOUND, SERVER_ERROR, QUERY_ERROR = 33, 35, 36, 37, 38
SESSIONS_MAX = 128
MEMORY_GROWTH_MAX_BYTES = 48 * MEBIBYTE
FLOOD_PINGS = 20_000


def message(*fields):
    return msgpack.packb(list(fields))


def ident(number=2, salt=1, *, scan=0, scan_client=0, latest=0):
    return message(IDENT, 1, number, salt, scan, scan_client, latest, 0, 0, {})


class Peer:
    """A connection that says what it is told to."""

    def __init__(self, websocket):
        self.websocket = websocket

    async def send(self, *frames):
        for frame in frames:
            await self.websocket.send(frame)

    async def receive(self):
        return msgpack.unpackb(await self.websocket.recv())

    async def bind(self):
        """Begin session 1 and return the file ident and salt given to it."""
        await self.send(message(BIND, 1, 0, 0, True))
        code, _, number, salt = await self.receive()
        assert code == SERVER_IDENT
        return number, salt

    async def until(self, code):
        """Return the next message of that code, skipping what else comes."""
        with within(f"the server sends a message {code}"):
            while (found := await self.receive())[0] != code:
                pass
        return found

    async def until_error(self):
        """Return session and number of the next ERROR."""
        found = await self.until(SERVER_ERROR)
        return found[1], found[2]

    async def until_closed(self):
        """Return the close code, skipping what comes before."""
        with within("the server closes the connection"):
            try:
                while True:
                    await self.websocket.recv()
            except ConnectionClosed:
                return self.websocket.close_code


@asynccontextmanager
async def peer(system, token=None, **options):
    token = (await system.tokens("mallory"))[0] if token is None else token
    url = f"{system.server.ws_url}/api/client/v2.0/app/{APP_ID}/realm-sync?baas_at={token}"
    options = {"subprotocols": ["skerry.sync.v1"], "compression": None, "proxy": None, **options}
    async with connect(url, **options) as websocket:
        yield Peer(websocket)


@asynccontextmanager
async def bystander(system):
    """A device at work; afterwards it has noticed nothing."""
    async with system.device("bystander", "alice") as device:
        await device.add(1)
        await settle(device)
        yield device
        await device.increment(1)
        await settle(device)
        assert device.errors == []
        assert [row[4] for row in device.objects.values()] == [1]
        assert system.proxy.links_of(device.user.id) == {1}, "it had to connect again"


NOT_BOUND = {
    "an unknown message": (message(99, 1), 102),
    "no array": (msgpack.packb({"a": 1}), 103),
    "an empty message": (b"", 103),
    "not canonical": (b"\x92\x05\xd0\x01", 103),
    "too few fields": (message(BIND, 1), 103),
    "too many fields": (message(UNBIND, 1, 1), 103),
    "a wrong type": (message(MARK, "1", 1), 103),
    "trailing bytes": (message(PING, 1, 1) + b"\x00", 103),
    "an array that claims 4 GB": (b"\xdd\xff\xff\xff\xff\x04", 103),
    "a string that claims 4 GB": (b"\x93\x08\x01\xdb\xff\xff\xff\xff", 103),
    "UPLOAD before BIND": (message(UPLOAD, 1, 0, 0, 0, []), 106),
    "MARK before BIND": (message(MARK, 1, 1), 106),
    "IDENT before BIND": (ident(), 106),
    "UNBIND before BIND": (message(UNBIND, 1), 106),
}


async def test_a_bad_message_ends_the_connection(system):
    token, _ = await system.tokens("mallory")
    async with bystander(system):
        for case, (frame, code) in NOT_BOUND.items():
            async with peer(system, token) as bad:
                await bad.send(frame)
                assert await bad.until_error() == (0, code), case
                assert await bad.until_closed() is not None, case


BOUND = {
    "BIND again": (message(BIND, 1, 0, 0, True), (0, 107)),
    "QUERY before IDENT": (message(QUERY, 1, 1, {}), (0, 109)),
    "UPLOAD before IDENT": (message(UPLOAD, 1, 0, 0, 0, []), (0, 109)),
    "a forged ident": (ident(7, 7), (1, 208)),
    "the server's ident": (ident(1, 7), (1, 208)),
}


async def test_messages_in_the_wrong_order_and_forged_idents(system):
    token, _ = await system.tokens("mallory")
    async with bystander(system):
        for case, (frame, expected) in BOUND.items():
            async with peer(system, token) as bad:
                await bad.bind()
                await bad.send(frame)
                assert await bad.until_error() == expected, case


IDENTIFIED = {
    "IDENT again": (ident(), (0, 109)),
    "QUERY that goes back": (message(QUERY, 1, 0, {}), (0, 109)),
    "an upload of another's": (
        message(UPLOAD, 1, 5, 0, 0, [[5, 0, 1, 3, b"\x00"]]),
        (1, 216),
    ),
    "an upload on what was never sent": (
        message(UPLOAD, 1, 5, 9_999, 0, [[5, 9_999, 1, 0, b"\x00"]]),
        (1, 209),
    ),
    "a changeset of noise": (
        message(UPLOAD, 1, 5, 0, 0, [[5, 0, 1, 0, b"\x00\x93\xff\xff"]]),
        (1, 212),
    ),
    "a changeset that claims to unpack to much": (
        message(UPLOAD, 1, 5, 0, 0, [[5, 0, 1, 0, b"\x01\x28\xb5\x2f\xfd\xe0" + b"\xff" * 20]]),
        (1, 212),
    ),
    "a changeset of a far future": (
        message(UPLOAD, 1, 5, 0, 0, [[5, 0, 2**60, 0, b"\x00"]]),
        (1, 201),
    ),
}


async def test_a_bad_message_of_an_identified_session(system):
    token, _ = await system.tokens("mallory")
    async with bystander(system):
        for case, (frame, expected) in IDENTIFIED.items():
            async with peer(system, token) as bad:
                number, salt = await bad.bind()
                await bad.send(ident(number, salt), frame)
                assert await bad.until_error() == expected, case


async def test_a_query_that_is_none_is_answered_and_the_session_goes_on(system):
    async with bystander(system), peer(system) as bad:
        number, salt = await bad.bind()
        await bad.send(ident(number, salt), message(QUERY, 1, 1, {"Item": "((("}))
        answer = await bad.until(QUERY_ERROR)
        assert answer[1:4] == [1, 226, 1]
        await bad.send(message(MARK, 1, 1))
        assert await bad.until(SERVER_MARK) == [SERVER_MARK, 1, 1]


async def test_too_many_sessions_on_one_connection(system):
    """The one too many is refused with 224, and the others are as they were."""
    async with bystander(system), peer(system) as bad:
        sessions = range(1, SESSIONS_MAX + 2)
        await bad.send(*(message(BIND, session, 0, 0, True) for session in sessions))
        assert await bad.until_error() == (SESSIONS_MAX + 1, 224)
        await bad.send(message(UNBIND, 1))
        assert await bad.until(SERVER_UNBOUND) == [SERVER_UNBOUND, 1]


async def test_a_file_ident_of_somebody_else_is_refused(system):
    """A second user presents ident and salt of the first one's file, and wrong salts."""
    async with bystander(system), peer(system) as first:
        number, salt = await first.bind()
        await first.send(ident(number, salt))
        trudy, _ = await system.tokens("trudy")
        for forged, code in ((ident(number, salt), 223), (ident(number, salt ^ 1), 211)):
            async with peer(system, trudy) as bad:
                await bad.send(message(BIND, 1, 0, 0, False), forged)
                assert await bad.until_error() == (1, code)
        async with peer(system) as again:
            await again.send(message(BIND, 1, 0, 0, False), ident(number, salt ^ 1))
            assert await again.until_error() == (1, 211)


@pytest.mark.parametrize("seed", range(3))
async def test_random_bytes_never_do_more_than_end_their_connection(system, seed):
    chance = random.Random(seed)
    good = [message(BIND, 1, 0, 0, True), ident(), message(MARK, 1, 1), message(QUERY, 1, 1, {})]
    token, _ = await system.tokens("mallory")
    async with bystander(system):
        system.server.forget_memory_peak()
        before = system.server.memory_peak_bytes()
        for _ in range(40):
            async with peer(system, token) as bad:
                frames = [chance.randbytes(chance.randrange(1, 2_000))]
                if chance.random() < 0.5:
                    whole = bytearray(chance.choice(good))
                    whole[chance.randrange(len(whole))] = chance.randrange(256)
                    frames = [good[0], bytes(whole), chance.randbytes(64)]
                # The first frame may end the connection before the second is sent.
                with suppress(ConnectionClosed):
                    await bad.send(*frames)
                code = await bad.until_closed()
                assert code in {1000, 1002, 1008}, f"seed {seed}: {frames!r} gave {code}"
        assert system.server.memory_peak_bytes() - before < MEMORY_GROWTH_MAX_BYTES


async def test_a_truncated_websocket_frame_is_forgotten(system):
    """The head of a frame promises 1 MiB, a part of it comes, and then the connection breaks."""
    async with bystander(system):
        for size in (0, 1, 1_000, MEBIBYTE // 2):
            async with peer(system) as bad:
                whole = Frame(Opcode.BINARY, b"\x00" * MEBIBYTE).serialize(mask=True)
                await bad.websocket.stream.send_all(whole[: 8 + size])
                await trio.aclose_forcefully(bad.websocket.stream)


async def test_a_frame_of_100_mb_is_refused_before_it_is_read(system):
    # Before memory is looked at: checking a password takes 64 MiB for a moment.
    token, _ = await system.tokens("mallory")
    async with bystander(system):
        system.server.forget_memory_peak()
        before = system.server.memory_peak_bytes()
        async with peer(system, token) as bad:
            piece = b"\x00" * MEBIBYTE
            head = b"\x82\xff" + (100 * MEBIBYTE).to_bytes(8) + b"\x00" * 4
            broken = suppress(trio.BrokenResourceError, trio.ClosedResourceError)
            with within("the server refuses the frame"), broken:
                await bad.websocket.stream.send_all(head)
                for _ in range(100):
                    await bad.websocket.stream.send_all(piece)
            assert await bad.until_closed() in {1006, 1009}
        assert system.server.memory_peak_bytes() - before < MEMORY_GROWTH_MAX_BYTES


async def test_a_frame_over_the_limit_is_told_the_limit(system):
    async with bystander(system), peer(system) as bad:
        head = b"\x82\xff" + (100 * MEBIBYTE).to_bytes(8) + b"\x00" * 4
        await bad.websocket.stream.send_all(head)
        assert await bad.until_closed() == 1009
        assert bad.websocket.close_reason == f"read limited at {20 * MEBIBYTE + 1} bytes"


async def test_a_text_message_is_refused(system):
    async with bystander(system), peer(system) as bad:
        await bad.websocket.send("BIND")
        assert await bad.until_closed() == 1003


async def test_tokens_that_are_not_good(system):
    """All are answered after the upgrade, by 4001, which asks a client to refresh its token."""
    key = await system.server.signing_key()
    token, _ = await system.tokens("mallory")
    claims = jwt.decode(token, key, algorithms=["HS256"], options={"verify_iss": False})

    def signed(by=key, **changes):
        return jwt.encode({**claims, **changes}, by, algorithm="HS256")

    now_s = int(time.time())
    body, _, signature = token.rpartition(".")
    bad_tokens = {
        "none": "",
        "noise": "a.b.c",
        "expired": signed(iat=now_s - 60, exp=now_s - 1),
        "signed by another server": signed(by=b"x" * 32),
        "of another app": signed(baas_domain_id="0" * 24),
        "of nobody": signed(sub="0" * 24),
        "of no session": signed(iss="0" * 24),
        "no signature": f"{body}.",
        "no algorithm": jwt.encode(claims, None, algorithm="none"),
        "cut": f"{body}.{signature[:-2]}",
    }
    async with bystander(system):
        for case, bad_token in bad_tokens.items():
            async with peer(system, bad_token) as bad:
                assert await bad.until_closed() == 4001, case
        # What is only made in the same way, and good, is taken.
        async with peer(system, signed(exp=now_s + 60)) as good:
            await good.bind()


async def test_an_access_token_of_another_server_or_kind(system):
    _, refresh = await system.tokens("mallory")
    async with bystander(system), peer(system, refresh) as bad:
        assert await bad.until_closed() == 4001


async def test_a_flood_whose_answers_nobody_reads(system):
    """20,000 PINGs, and no PONG is taken; others are served meanwhile, and memory is bounded."""
    token, _ = await system.tokens("mallory")
    ping = Frame(Opcode.BINARY, message(PING, 2**40, 0)).serialize(mask=True)
    async with bystander(system) as device:
        system.server.forget_memory_peak()
        before = system.server.memory_peak_bytes()
        async with raw_peer(system, token) as stream, trio.open_nursery() as nursery:
            nursery.start_soon(stream.send_all, ping * FLOOD_PINGS)
            await device.increment(1, 0)
            await settle(device)
            nursery.cancel_scope.cancel()
        assert system.server.memory_peak_bytes() - before < MEMORY_GROWTH_MAX_BYTES


@asynccontextmanager
async def raw_peer(system, token):
    """Shake hands by hand, so that nothing of a websocket library reads behind our back."""
    host, port = system.server.ws_url.removeprefix("ws://").split(":")
    request = (
        f"GET /api/client/v2.0/app/{APP_ID}/realm-sync?baas_at={token} HTTP/1.1\r\n"
        f"Host: {host}:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: c2l4dGVlbiBieXRlcyAhIQ==\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Protocol: skerry.sync.v1\r\n\r\n"
    )
    stream = await trio.open_tcp_stream(host, int(port))
    try:
        await stream.send_all(request.encode())
        with within("the server switches protocols"):
            answer = await stream.receive_some()
        assert b" 101 " in answer
        yield stream
    finally:
        await trio.aclose_forcefully(stream)
