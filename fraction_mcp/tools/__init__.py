"""What the assistant sees: the tools, declared in the order in which they are listed."""

from fraction_mcp.tools import parts, customers, records, connection, enquiries, purchasing, writes  # noqa: F401, I001 - declaring is the import's effect; the order is the list's
