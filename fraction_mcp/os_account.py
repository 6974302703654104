"""The account that this process runs as."""

import os
import sys

from fraction_mcp.values.text import clean

__all__ = ["who_is_here"]


_LONGEST = 257  # Windows' longest account name, and its end


def who_is_here() -> str:
    """The account that this process runs as, by the name that the operating system has for it.

    Not LOGNAME, USER or USERNAME, as `getpass.getuser` would have it: whoever starts a process chooses those.
    """
    if sys.platform == "win32":
        import ctypes  # noqa: PLC0415 - only there, and only when asked

        size, name = ctypes.c_ulong(_LONGEST), ctypes.create_unicode_buffer(_LONGEST)
        known = ctypes.windll.advapi32.GetUserNameW(name, ctypes.byref(size))
        return clean(name.value, _LONGEST) if known else "somebody"
    import pwd  # noqa: PLC0415 - Windows lacks it

    try:
        return clean(pwd.getpwuid(os.geteuid()).pw_name, _LONGEST)
    except KeyError:  # a container without users
        return f"uid {os.geteuid()}"
