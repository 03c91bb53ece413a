"""Where this machine's libcrypto is, which the filter inside Envoy computes with."""

from __future__ import annotations

import ctypes.util
import re
import ssl
from pathlib import Path

from latticewall.base.faults import Fault

_NAME = "libcrypto.so.3"


def libcrypto() -> str:
    """The path of OpenSSL 3's libcrypto: the one this Python uses, else one the system's linker finds. Raises Fault."""
    assert ssl.OPENSSL_VERSION_INFO
    mapped = re.search(rf"/\S*/{re.escape(_NAME)}$", Path("/proc/self/maps").read_text(), re.MULTILINE)
    if mapped:
        return mapped[0]
    if ctypes.util.find_library("crypto") == _NAME:
        return _NAME
    raise Fault(f"{_NAME} is not on this machine: install OpenSSL 3's library (libssl3)")
