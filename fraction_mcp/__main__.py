"""`python -m fraction_mcp`: the same as the `fraction-mcp` command."""

import sys

from fraction_mcp.cli import main

if __name__ == "__main__":
    sys.exit(main())
