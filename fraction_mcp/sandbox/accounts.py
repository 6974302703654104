"""Who may sign in to the sandbox.

Knows the accounts of the make-believe companies, which are public on purpose: nothing of value is behind them; and
how a client is told of the usual one.
Refuses to know tokens, requests, and what an account may be used for once it has signed in.
"""

from dataclasses import dataclass
from typing import Final

EMAIL: Final = "demo@harrow-pike.example"
PASSWORD: Final = "sandbox-only"  # noqa: S105 - printed on the front page
CLIENT_ID: Final = "sandbox-client"
CLIENT_SECRET: Final = "sandbox-secret"  # noqa: S105 - likewise

FRACTION_PATH: Final = "/fraction/api/v1"
FRACTTAL_PATH: Final = "/fracttal/api"
FRACTTAL_TOKEN_PATH: Final = "/fracttal/oauth/token"  # noqa: S105 - a path

COMPANY: Final = "Harrow & Pike Precision Ltd"
CURRENCY: Final = "GBP"


@dataclass(frozen=True, slots=True)
class Account:
    """A FractionERP user and the tenant it belongs to."""

    user_id: int
    name: str
    email: str
    tenant_id: int
    company: str
    plan: str = "pro"
    active: bool = True
    read_only: bool = False
    password: str = PASSWORD

    @property
    def restricted(self) -> bool:
        """The document: "API access requires Pro or Moulding plan"."""
        return self.plan not in {"pro", "moulding"}

    def user(self) -> dict[str, object]:
        return {"id": self.user_id, "name": self.name, "email": self.email}

    def tenant(self) -> dict[str, object]:
        return {"id": self.tenant_id, "company": self.company, "plan": self.plan}


@dataclass(frozen=True, slots=True)
class Client:
    """A Fracttal API consumer; `purchasing` says whether the warehouse module is enabled for it."""

    client_id: str
    client_secret: str
    company: str
    purchasing: bool = True


ACCOUNTS: Final[tuple[Account, ...]] = (
    Account(1, "Jo Harrow", EMAIL, 1, COMPANY),
    Account(2, "Sam Pike", "sam@harrow-pike.example", 1, COMPANY),
    Account(3, "Ada Viewer", "viewer@harrow-pike.example", 1, COMPANY, read_only=True),
    Account(4, "Robin Other", "robin@other-works.example", 2, "Other Works Mouldings Ltd", plan="moulding"),
    Account(5, "Kit Starter", "kit@starter.example", 3, "Starter Tools Ltd", plan="starter"),
    Account(6, "Lee Lapsed", "lee@lapsed.example", 4, "Lapsed Engineering Ltd", active=False),
)

CLIENTS: Final[tuple[Client, ...]] = (
    Client(CLIENT_ID, CLIENT_SECRET, COMPANY),
    Client("sandbox-no-module", CLIENT_SECRET, COMPANY, purchasing=False),
    Client("sandbox-other", CLIENT_SECRET, "Other Works Mouldings Ltd"),
)


def environment(base: str) -> dict[str, str]:
    """How a client is told of both ERPs at `base`, and of the usual account there, by the names of its environment."""
    return {
        "FRACTION_BASE_URL": base + FRACTION_PATH,
        "FRACTION_EMAIL": EMAIL,
        "FRACTION_PASSWORD": PASSWORD,
        "FRACTTAL_BASE_URL": base + FRACTTAL_PATH,
        "FRACTTAL_TOKEN_URL": base + FRACTTAL_TOKEN_PATH,
        "FRACTTAL_CLIENT_ID": CLIENT_ID,
        "FRACTTAL_CLIENT_SECRET": CLIENT_SECRET,
    }
