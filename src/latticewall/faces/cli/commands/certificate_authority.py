"""`latticewall certificate-authority`: the certificate that clients outside of instances must trust."""

from __future__ import annotations

import argparse

from latticewall.faces.cli.command import Command
from latticewall.faces.cli.output import Output
from latticewall.faces.cli.problem import Problem
from latticewall.faces.cli.session import Session

FILE = "certificate-authority/certificate.pem"


def run(session: Session, _: argparse.Namespace, output: Output) -> int:
    """Also of a region that is down."""
    path = session.state / FILE
    try:
        text = path.read_text()
    except OSError as error:
        raise Problem(f"{path} cannot be read: {error.strerror}; a region makes it when it is started for the first time") from None
    if output.as_json:
        output.document({"Certificate": text, "Path": str(path)})
    else:
        output.line(text.rstrip())
    return 0


COMMAND = Command(
    "certificate-authority",
    "print the certificate of the region's authority, which signs what ACM issues and the names that Lattice generates",
    ("latticewall certificate-authority > root.pem", "curl --cacert root.pem https://web.example.com/"),
    run,
)
