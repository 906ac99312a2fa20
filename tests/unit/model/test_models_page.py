"""The page about models: its classes and its write do what they are said to do."""

import re
import tempfile
from pathlib import Path

import pytest
import trio

from skerry import Configuration, Realm

PAGE = Path(__file__).parents[3] / "docs" / "models.md"


@pytest.fixture
def blocks():
    return re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)


def test_the_examples_of_the_page_run(blocks):
    classes, write = blocks
    indented = "\n".join("        " + line for line in write.splitlines())
    program = f"{classes}\n\nasync def body(realm):\n    if True:\n{indented}\n    return realm\n"
    names = {"__name__": "models_page"}
    exec(compile(program, str(PAGE), "exec"), names)

    async def run():
        with tempfile.TemporaryDirectory() as directory:
            models = [names["Person"], names["Dog"]]
            async with Realm.open(Configuration(models, directory=directory)) as realm:
                await names["body"](realm)
                people = sorted(person.name for person in realm.objects(names["Person"]))
                assert people == ["Ann", "Bob"]
                assert len(realm.objects(names["Dog"])) == 10_000
                (found,) = realm.query(names["Dog"], "name == 'dog 7' AND color == 'brown'")
                assert (found.walks, found.state) == (0, names["State"].NEW)

    trio.run(run)
