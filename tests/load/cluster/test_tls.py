"""A cluster whose connections are encrypted, with the certificates of Dask's own configuration."""

import operator
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import dask.config
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

pytest.importorskip("distributed")

from pipeline.load.cluster.dask import connected
from pipeline.load.cluster.work import ClusterError
from tests.support.dask_cluster import cluster, each
from tests.support.project import ROOT

_ROLES: Final = ("scheduler", "worker", "client")


def _certificate(path: Path) -> str:
    """Write a key and a certificate signed by it, and return the path of the file that has both."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "usage")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path.write_bytes(private + certificate.public_bytes(Encoding.PEM))
    return str(path)


def _configured(file: str) -> dict[str, str]:
    """Return the variables that make Dask trust one certificate and show it."""
    prefix = "DASK_DISTRIBUTED__COMM__"
    files = {f"{role.upper()}__{part}": file for role in _ROLES for part in ("CERT", "KEY")}
    return {f"{prefix}TLS__{name}": value for name, value in {"CA_FILE": file, **files}.items()} | {
        f"{prefix}DEFAULT_SCHEME": "tls",
        f"{prefix}REQUIRE_ENCRYPTION": "true",
    }


def _here(variables: dict[str, str]) -> AbstractContextManager[object]:
    """Configure Dask in this process as these variables do in others."""
    config = dask.config
    return config.set(config.merge(config.config, config.collect_env(variables)))


def test_encrypted(tmp_path: Path) -> None:
    """Pieces run over `tls://`; whoever has another certificate is no part of the cluster."""
    ours = _configured(_certificate(tmp_path / "ours.pem"))
    with (
        _here(ours),
        cluster(tmp_path, 1, PYTHONPATH=str(ROOT), **ours) as running,
    ):
        assert running.address.startswith("tls://127.0.0.1:")
        with connected(running.address) as (pool, slots):
            assert slots == 1
            assert list(each(pool, operator.neg, range(3))) == [0, -1, -2]
        others = _configured(_certificate(tmp_path / "others.pem"))
        with (
            _here(others),
            pytest.raises(ClusterError, match="no scheduler answers at tls://"),
            connected(running.address),
        ):
            pass
