"""`latticewall env`: the variables that make AWS tools talk to the region, for `eval`."""

from __future__ import annotations

import argparse
import shlex

from latticewall.faces.cli.command import Command
from latticewall.faces.cli.output import Output
from latticewall.faces.cli.session import Session


def run(session: Session, _: argparse.Namespace, output: Output) -> int:
    """Nothing is printed unless the region is up, so that `eval` never sees half of it."""
    endpoint, region, key = session.endpoint, session.region, session.credentials
    variables = {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": key.access_key_id,
        "AWS_SECRET_ACCESS_KEY": key.secret_access_key.reveal(),
        "AWS_REGION": region,
        "AWS_DEFAULT_REGION": region,
    }
    if output.as_json:
        output.document(variables)
        return 0
    output.line("unset AWS_SESSION_TOKEN AWS_PROFILE")
    for name, value in variables.items():
        output.line(f"export {name}={shlex.quote(value)}")
    return 0


COMMAND = Command(
    "env",
    "print the variables that make AWS tools talk to this region",
    ('eval "$(latticewall env)"', "latticewall env --output json"),
    run,
)
