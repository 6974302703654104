"""The proxies that the environment names for requests to the ERPs: checked at start, so that none fails at the first.

Knows how HTTP_PROXY and its kin are spelt and which of them httpx could use. Refuses to show a value: it may hold a
password.
"""

from collections.abc import Mapping
from importlib.util import find_spec
from urllib.parse import urlsplit

from fraction_mcp.errors import ConfigError

__all__ = ["refuse_unusable_proxies"]


def refuse_unusable_proxies(environment: Mapping[str, str]) -> None:
    """Raises ConfigError for a proxy that no request could go through. Its value may hold a password: not shown."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        set_as, value = _proxy_setting(environment, name)
        if value and (flaw := _proxy_flaw(value)):
            raise ConfigError(f"{set_as}: {flaw}")
    set_as, value = _proxy_setting(environment, "NO_PROXY")
    if any(map(_is_odd_host, value.split(","))):
        raise ConfigError(f"{set_as}: must be hosts between commas, such as localhost,::1,192.168.0.0/16,.example.com")


def _proxy_setting(environment: Mapping[str, str], name: str) -> tuple[str, str]:
    """A variable as it is spelt, and its value: the small letters win, as everywhere (urllib.request.getproxies)."""
    if name == "HTTP_PROXY" and "REQUEST_METHOD" in environment and not environment.get("http_proxy"):
        return name, ""  # of a CGI script it is a header of the request
    spelt = name.lower() if name.lower() in environment else name
    return spelt, environment.get(spelt, "")


def _proxy_flaw(value: str) -> str:
    example = "must be a proxy's address such as http://proxy.example:3128"
    if not value.isascii() or not value.isprintable() or " " in value:
        return example
    try:
        url = urlsplit(value if "://" in value else f"http://{value}")
        usable = bool(url.hostname) and url.port != 0
    except ValueError:  # its own words would show what stands there
        return example
    if url.scheme in {"socks5", "socks5h"} and usable:
        return "" if find_spec("socksio") else 'a SOCKS proxy needs a package more: pip install "httpx[socks]"'
    return "" if url.scheme in {"http", "https"} and usable else f"{example} (http, https or socks5)"


def _is_odd_host(entry: str) -> bool:
    """Whether an entry of NO_PROXY is none that httpx takes."""
    host = entry.strip()
    _, _, port = host.rpartition(":")
    of_one_port = host.count(":") == 1 and "://" not in host
    odd = not host.isascii() or not host.isprintable() or " " in host or "[" in host or "]" in host
    return odd or (of_one_port and not port.isdigit())
