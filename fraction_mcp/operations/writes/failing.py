"""What goes on failing, for the log: a line when it begins and when it changes, and not one for each try."""

import logging

from fraction_mcp.errors import FractionMcpError

__all__ = ["logged_once"]


def logged_once(logger: logging.Logger, error: Exception, logged: str) -> str:
    """What has just failed and is tried again, as a line in the log unless it is what was logged last. A traceback for
    what is no error of ours, and for nothing else."""
    now, trace = (error.message, None) if isinstance(error, FractionMcpError) else (repr(error), error)
    if now != logged:
        logger.warning("seeing to the writes that wait failed, and is tried again: %s", now, exc_info=trace)
    return now
