"""The pages that a person of a team meets, for whoever serves them: signing in and out, consent, the account."""

from collections.abc import Callable, Sequence

from starlette.middleware import Middleware
from starlette.routing import Route

from fraction_mcp.approvals.web import static
from fraction_mcp.server.team.account import AccountPage
from fraction_mcp.server.team.browser import Browsers, PageGuard
from fraction_mcp.server.team.consent import Answers, ConsentPage
from fraction_mcp.server.team.consent_request import ConsentRequests
from fraction_mcp.server.team.keys import KeyRing
from fraction_mcp.server.team.shown import Shown, team_css
from fraction_mcp.server.team.sign_in import ErpLogin, SignInPage
from fraction_mcp.server.team.store import TeamStore

__all__ = ["TeamPages"]


class TeamPages:
    """`routes` are for the root of `public_url` (an origin). `browsers` tells other pages there who is signed in.

    `requests` are what `/authorize` leads a browser here with (`ConsentRequests.address`), and `answers` is what makes
    the code that it leads back with (the provider). `origins` are all under which the server is reached, beside
    `public_url`. Requests come with the address that a trusted proxy has told.
    """

    def __init__(
        self,
        store: TeamStore,
        keys: KeyRing,
        login: ErpLogin,
        requests: ConsentRequests,
        answers: Answers,
        *,
        public_url: str,
        origins: Sequence[str] = (),
        shown: Shown | None = None,
        counted: Callable[[str], None] = lambda _outcome: None,
    ) -> None:
        shown = shown or Shown()
        self.browsers = Browsers(store, keys, public_url)
        sign_in = SignInPage(self.browsers, store, login, shown, counted)
        consent = ConsentPage(self.browsers, requests, store, shown, answers)
        account = AccountPage(self.browsers, store, shown)
        own = (public_url, *origins)
        way = [Middleware(PageGuard, own, on_the_way=True)]
        stay = [Middleware(PageGuard, own)]
        self.routes = [
            Route("/sign-in", sign_in.look, methods=["GET"], middleware=way),
            Route("/sign-in", sign_in.sign_in, methods=["POST"], middleware=way),
            Route("/consent", consent.look, methods=["GET"], middleware=way),
            Route("/consent", consent.answer, methods=["POST"], middleware=way),
            Route("/sign-out", account.leave, methods=["GET"], middleware=stay),
            Route("/sign-out", account.sign_out, methods=["POST"], middleware=stay),
            Route("/account", account.look, methods=["GET"], middleware=stay),
            Route("/account", account.revoke, methods=["POST"], middleware=stay),
            Route("/static/team.css", team_css, methods=["GET"], middleware=stay),
            Route("/static/{name}", static, methods=["GET"], middleware=stay),
        ]
