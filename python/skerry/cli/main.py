"""The ``skerry`` command and its subcommands."""

import click

from skerry.cli.inspect import inspect
from skerry.cli.serve import serve


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="skerry")
def main() -> None:
    """Self-hosted device sync for Python."""


main.add_command(inspect)
main.add_command(serve)
