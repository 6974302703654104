"""What every package says of this program, once: its names, and what a person has to fill in.

Whoever publishes owns two of these: the name in the MCP registry, whose first half is theirs to prove, and the address
that releases are downloaded from, which `server.json` needs to name the bundle.
"""

from dataclasses import dataclass

__all__ = ["DESCRIPTION", "DOWNLOADS", "FIELDS", "NAME", "REGISTRY_NAME", "SERVER", "TITLE", "Field"]

NAME = "fraction-mcp"
SERVER = "fraction"  # what a client calls it, as in README and `install`
TITLE = "FractionERP and Fracttal"
DESCRIPTION = "Exact prices, honest lists and approved writes in FractionERP and Fracttal."
REGISTRY_NAME = "io.github.fraction-mcp/fraction-mcp"
DOWNLOADS = ""  # such as https://github.com/OWNER/REPOSITORY/releases/download


@dataclass(frozen=True)
class Field:
    """A setting that a person fills in, and the variable that the server reads it from."""

    key: str
    variable: str
    title: str
    description: str
    secret: bool = False


FIELDS = (
    Field("fraction_email", "FRACTION_EMAIL", "FractionERP e-mail", "The account that the assistant works as."),
    Field(
        "fraction_password", "FRACTION_PASSWORD", "FractionERP password", "The password of that account.", secret=True
    ),
    Field(
        "fraction_currency",
        "FRACTION_CURRENCY",
        "Base currency",
        "The company's own currency, which FractionERP does not state: three letters, such as GBP.",
    ),
    Field(
        "fracttal_client_id",
        "FRACTTAL_CLIENT_ID",
        "Fracttal API key",
        "From Fracttal's settings; leave it empty where only FractionERP is used.",
        secret=True,
    ),
    Field(
        "fracttal_client_secret", "FRACTTAL_CLIENT_SECRET", "Fracttal API secret", "It comes with the key.", secret=True
    ),
)
