"""Which ERP, company and account a write is planned for: composed and parsed here, and nowhere else."""

import json
from dataclasses import dataclass

from fraction_mcp.erp import Erp
from fraction_mcp.erp.endpoints import System
from fraction_mcp.erp.request import encode
from fraction_mcp.values.text import clean

__all__ = ["ErpIdentity"]


@dataclass(frozen=True, slots=True)
class ErpIdentity:
    """A write planned for one is never sent to another. `company` is `id/name` as far as the ERP tells them."""

    system: System
    base_url: str
    company: str
    account: str

    @classmethod
    def of(cls, erp: Erp) -> "ErpIdentity":
        """As far as it is known now: the company shows with the first sign-in only."""
        connection = erp.connection()
        company = connection.company or {}
        parts = [str(company.get(name) or "") for name in ("id", "company", "name")]
        return cls(erp.system, connection.base_url, "/".join(filter(None, parts)), connection.account)

    @classmethod
    def parse(cls, text: str) -> "ErpIdentity":
        """Raises ValueError for what is no identity's text."""
        parts = json.loads(text)
        if not (isinstance(parts, list) and len(parts) == 4 and all(isinstance(part, str) for part in parts)):
            raise ValueError("an ERP identity has four parts")
        return cls(System(parts[0]), *parts[1:])

    @property
    def text(self) -> str:
        """As journals keep it, and as keys and digests are made of it."""
        return encode([self.system, self.base_url, self.company, self.account])

    @property
    def company_name(self) -> str:
        """The company as people call it; empty where the ERP does not tell it."""
        return clean(self.company.partition("/")[2] or self.company, 120)

    def is_reached_by(self, erp: Erp) -> bool:
        """Whether an ERP is this one, as far as it knows. Until a sign-in shows its company, it counts as the right
        one; whoever sends something compares again afterwards."""
        here = ErpIdentity.of(erp)
        same = (here.system, here.base_url, here.account) == (self.system, self.base_url, self.account)
        return same and here.company in {"", self.company}
