"""Fixture of the tests of session tokens: a folder with a JWKS."""

import pytest

from tests.support.issuer import jwks
from tests.support.service_folder import ServiceFolder
from tests.support.sessions import EC, RSA


@pytest.fixture
def served(folder: ServiceFolder) -> ServiceFolder:
    """Return a folder with published tables and a JWKS of two keys, `rsa` and `ec`."""
    folder.publish()
    (folder.root / "jwks.json").write_bytes(jwks(rsa=RSA, ec=EC))
    return folder
