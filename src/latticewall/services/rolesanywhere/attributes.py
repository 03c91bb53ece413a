"""What a certificate says of its holder, as session tags and source identity.

Pages: "Mapping identities to your workloads with IAM Roles Anywhere", "Certificate attribute mapping". The second and further values of one kind are
numbered from 1 (`OU/1`, `DNS/1`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from cryptography import x509
from cryptography.x509.oid import NameOID

_SHORT = {
    NameOID.COMMON_NAME: "CN", NameOID.COUNTRY_NAME: "C", NameOID.LOCALITY_NAME: "L", NameOID.STATE_OR_PROVINCE_NAME: "ST", NameOID.STREET_ADDRESS: "STREET",
    NameOID.ORGANIZATION_NAME: "O", NameOID.ORGANIZATIONAL_UNIT_NAME: "OU", NameOID.SERIAL_NUMBER: "SERIALNUMBER", NameOID.SURNAME: "SN",
    NameOID.GIVEN_NAME: "GN", NameOID.TITLE: "T", NameOID.DN_QUALIFIER: "DNQ", NameOID.USER_ID: "UID", NameOID.DOMAIN_COMPONENT: "DC",
    NameOID.EMAIL_ADDRESS: "E",
}  # fmt: skip
"""Other kinds of attributes go by their dotted object identifier."""
_TAG_VALUE = re.compile(r"[\w\s.:/=+\-@]{0,256}")
_SOURCE_IDENTITY = re.compile(r"[\w+=,.@-]{2,64}", re.ASCII)
FIELDS = (("x509Issuer", "Issuer"), ("x509Subject", "Subject"), ("x509SAN", "SAN"))


class Unmappable(Exception):
    """Attributes that cannot become tags; the text lists them as AWS's refusal does."""


def session_tags(certificate: x509.Certificate, mapping: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """The tags `x509Subject/CN`, `x509SAN/URI`, ... of the attributes that the mapping (field -> specifiers) chooses. Raises Unmappable."""
    found = {"x509Issuer": _names(certificate.issuer), "x509Subject": _names(certificate.subject), "x509SAN": _alternatives(certificate)}
    tags: dict[str, str] = {}
    failed: dict[str, list[str]] = {field: [] for field, _ in FIELDS}
    for field, attributes in found.items():
        for specifier, value in attributes.items():
            if _chosen(specifier, mapping.get(field, ())):
                tags[f"{field}/{specifier}"] = value
                if not _TAG_VALUE.fullmatch(value):
                    failed[field].append(specifier)
    if any(failed.values()):
        raise Unmappable("; ".join(f"{shown}: [ {' '.join(failed[field])} ]" for field, shown in FIELDS))
    return tags


def source_identity(certificate: x509.Certificate) -> str:
    """`CN=<common name>` of the subject; "" where there is none, or none that a source identity can hold."""
    names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    text = f"CN={_text(names[0].value)}" if names else ""
    return text if _SOURCE_IDENTITY.fullmatch(text) else ""


def _chosen(specifier: str, rules: Sequence[str]) -> bool:
    """By its own specifier, or by a wildcard over names: `*`, `Name/*`."""
    wildcard = "Name/*" if specifier.startswith("Name/") else "*"
    return specifier in rules or (wildcard in rules)


def _names(name: x509.Name, prefix: str = "") -> dict[str, str]:
    return _numbered((prefix + _SHORT.get(attribute.oid, attribute.oid.dotted_string), _text(attribute.value)) for attribute in name)


def _alternatives(certificate: x509.Certificate) -> dict[str, str]:
    """DNS names, URIs, and the names within the first directory name."""
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return {}
    directory = names.get_values_for_type(x509.DirectoryName)
    pairs = [("DNS", text) for text in names.get_values_for_type(x509.DNSName)]
    pairs += [("URI", text) for text in names.get_values_for_type(x509.UniformResourceIdentifier)]
    return {**_numbered(pairs), **(_names(directory[0], "Name/") if directory else {})}


def _numbered(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    found: dict[str, str] = {}
    counts: dict[str, int] = {}
    for specifier, value in pairs:
        number = counts[specifier] = counts.get(specifier, -1) + 1
        found[f"{specifier}/{number}" if number else specifier] = value
    return found


def _text(value: str | bytes) -> str:
    return value if isinstance(value, str) else value.hex()
