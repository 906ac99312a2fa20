"""Local realms over the real core, for tests that are not about opening them."""

import tempfile
from contextlib import contextmanager

import trio

from skerry import Configuration, Realm


def with_realm(models, body):
    """Run ``await body(realm)`` with an empty local realm in a folder of its own."""

    async def run():
        with tempfile.TemporaryDirectory() as directory:
            configuration = Configuration(models, directory=directory, synchronous="normal")
            async with Realm.open(configuration) as realm:
                return await body(realm)

    return trio.run(run)


@contextmanager
def same_outcome():
    """Collect what two calls do, and require that both return or raise the same."""
    outcomes = []

    def call(function):
        try:
            outcomes.append(("returned", function()))
        except (IndexError, KeyError, ValueError) as error:
            outcomes.append(("raised", type(error)))

    yield call
    assert outcomes[0] == outcomes[1], outcomes
