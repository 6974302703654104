"""An embedded FractionERP and Fracttal: what the product is demonstrated and tested against.

Knows both API documents, and a make-believe workshop. Refuses to know the rest of the package: client and sandbox must
not agree by construction.
"""

from .accounts import (
    ACCOUNTS,
    CLIENT_ID,
    CLIENT_SECRET,
    CLIENTS,
    CURRENCY,
    EMAIL,
    FRACTION_PATH,
    FRACTTAL_PATH,
    FRACTTAL_TOKEN_PATH,
    PASSWORD,
    Account,
    Client,
    environment,
)
from .app import open_sandbox, serve_sandbox
from .controls import arm_fault, armed_faults, clear_faults, fault_kinds, reset_company

__all__ = [
    "ACCOUNTS",
    "CLIENTS",
    "CLIENT_ID",
    "CLIENT_SECRET",
    "CURRENCY",
    "EMAIL",
    "FRACTION_PATH",
    "FRACTTAL_PATH",
    "FRACTTAL_TOKEN_PATH",
    "PASSWORD",
    "Account",
    "Client",
    "arm_fault",
    "armed_faults",
    "clear_faults",
    "environment",
    "fault_kinds",
    "open_sandbox",
    "reset_company",
    "serve_sandbox",
]
