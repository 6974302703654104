"""Whom TLS trusts here: the roots that httpx trusts, too, so that what reaches the ERP reaches everything else."""

import os
import ssl

__all__ = ["trusted"]


def trusted() -> ssl.SSLContext:
    """The roots that the environment names (a company's own among them), else certifi's."""
    file, folder = os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR")
    if file or folder:
        return ssl.create_default_context(cafile=file, capath=folder)
    import certifi  # noqa: PLC0415 - only here, and only then

    return ssl.create_default_context(cafile=certifi.where())
