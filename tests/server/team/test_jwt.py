"""Which tokens of an identity provider are good, attack by attack; its metadata and keys come over real TLS."""

import base64
import hashlib
import hmac
import json
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import anyio
import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import get_default_algorithms

from fraction_mcp.errors import ConfigError
from fraction_mcp.server.team.fetch import Fetch, Fetched
from fraction_mcp.server.team.issuer_keys import IssuerKeys
from fraction_mcp.server.team.jwt import JwtVerifier
from fraction_mcp.server.team.scope_claim import ScopeClaim, granted
from tests.server.team.site import Clock, Site, answer

pytestmark = pytest.mark.anyio

AUDIENCE = "https://erp.company.example/mcp"


class Signer:
    """One key pair of an issuer's."""

    def __init__(self, algorithm: str, private: Any, kid: str | None = "k1") -> None:
        self.algorithm, self.private, self.kid = algorithm, private, kid

    def published(self, **changed: object) -> dict[str, Any]:
        told = json.loads(get_default_algorithms()[self.algorithm].to_jwk(self.private.public_key()))
        told.pop("key_ops", None)
        return {**told, **({"kid": self.kid} if self.kid else {}), "use": "sig", **changed}

    def sign(self, claims: dict[str, Any], **headers: object) -> str:
        named = {"kid": self.kid} if self.kid else {}
        return jwt.encode(claims, self.private, self.algorithm, headers={**named, **headers})

    def pem(self) -> bytes:
        public = self.private.public_key()
        return public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def elliptic(kid: str = "k1") -> Signer:
    return Signer("ES256", ec.generate_private_key(ec.SECP256R1()), kid)


@pytest.fixture(scope="module")
def rsa_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65_537, 2_048)


class Issuer:
    """An identity provider at the site, and this server's judge of its tokens."""

    def __init__(self, site: Site, clock: Clock, path: str = "") -> None:
        self.site, self.clock, self.path = site, clock, path
        self.name = site.url(path)
        self.signer = elliptic()
        site.says(f"{path}/.well-known/openid-configuration", {"issuer": self.name, "jwks_uri": site.url("/keys")})
        self.publish(self.signer)

    def publish(self, *signers: Signer) -> None:
        self.site.says("/keys", {"keys": [signer.published() for signer in signers]})

    def fetch(self) -> Fetch:
        return Fetch(named={self.site.authority}, context=self.site.trust)

    def verifier(self, **given: Any) -> JwtVerifier:
        keys = IssuerKeys(self.name, given.pop("fetch", None) or self.fetch(), self.clock)
        return JwtVerifier(self.name, AUDIENCE, keys, clock=self.clock, **given)

    def claims(self, **changed: object) -> dict[str, Any]:
        now = int(time.time())
        claims = {
            "iss": self.name,
            "aud": AUDIENCE,
            "sub": "anna",
            "exp": now + 600,
            "iat": now - 5,
            "scope": "openid erp:read",
            "client_id": "assistant",
        }
        return {name: said for name, said in {**claims, **changed}.items() if said is not None}

    def token(self, **changed: object) -> str:
        return self.signer.sign(self.claims(**changed))

    @property
    def readings(self) -> int:
        return sum(asked.startswith("GET /keys ") for asked in self.site.asked)


@pytest.fixture
def issuer(site: Site, clock: Clock) -> Issuer:
    return Issuer(site, clock)


async def test_a_good_token_says_who_asks_and_what_is_allowed(issuer: Issuer) -> None:
    claims = issuer.claims(scope="openid erp:write erp:read")
    found = await issuer.verifier().verify_token(issuer.signer.sign(claims))
    assert (found.subject, found.scopes, found.client_id) == ("anna", ["erp:read", "erp:write"], "assistant")
    assert (found.resource, found.claims) == (AUDIENCE, {"iss": issuer.name})
    assert found.expires_at == claims["exp"] + 30


async def test_an_issuers_own_name_for_this_server_stands_for_its_address(issuer: Issuer) -> None:
    keys = IssuerKeys(issuer.name, issuer.fetch(), issuer.clock)
    verifier = JwtVerifier(issuer.name, "api://7d2f", keys, resource=AUDIENCE)
    assert (await verifier.verify_token(issuer.token(aud="api://7d2f"))).resource == AUDIENCE
    assert await verifier.verify_token(issuer.token()) is None


def other(curve: ec.EllipticCurve, algorithm: str) -> Callable[[Any], Signer]:
    return lambda _rsa: Signer(algorithm, ec.generate_private_key(curve))


@pytest.mark.parametrize(
    "made",
    [
        *(lambda key, name=name: Signer(name, key) for name in ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")),
        other(ec.SECP256R1(), "ES256"),
        other(ec.SECP384R1(), "ES384"),
        other(ec.SECP521R1(), "ES512"),
        lambda _rsa: Signer("EdDSA", ed25519.Ed25519PrivateKey.generate()),
    ],
    ids=["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"],
)
async def test_every_asymmetric_algorithm_of_the_list_is_taken(
    issuer: Issuer, rsa_key: rsa.RSAPrivateKey, made: Callable[[rsa.RSAPrivateKey], Signer]
) -> None:
    issuer.signer = made(rsa_key)
    issuer.publish(issuer.signer)
    assert await issuer.verifier().verify_token(issuer.token())


@dataclass(frozen=True)
class Moment:
    """So many seconds from the moment at which a token is made: what is collected may run minutes later."""

    seconds: float
    of: Callable[[float], object] = int

    def __call__(self) -> object:
        return self.of(time.time() + self.seconds)


def moments(changed: dict[str, object]) -> dict[str, object]:
    return {name: said() if isinstance(said, Moment) else said for name, said in changed.items()}


@pytest.mark.parametrize(
    "changed",
    [
        {"aud": "https://other.example/mcp"},
        {"aud": ["https://other.example/mcp", "https://third.example"]},
        {"aud": AUDIENCE + "/"},
        {"aud": AUDIENCE.upper()},
        {"aud": AUDIENCE[:-1]},
        {"aud": None},
        {"aud": []},
        {"aud": ""},
        {"aud": [[AUDIENCE]]},
        {"aud": {AUDIENCE: True}},
        {"iss": "https://evil.example"},
        {"iss": None},
        {"iss": ""},
        {"iss": ["https://localhost"]},
        {"exp": Moment(-3_600)},
        {"exp": Moment(-60)},
        {"exp": None},
        {"exp": True},
        {"exp": Moment(3_600, lambda at: str(int(at)))},
        {"exp": 1e300},
        {"exp": -1},
        {"exp": Moment(3_600, lambda at: [at])},
        {"nbf": Moment(3_600)},
        {"nbf": "soon"},
        {"iat": Moment(3_600)},
        {"iat": Moment(3_600), "exp": Moment(7_200)},
        {"iat": "yesterday"},
        {"iat": Moment(0), "exp": Moment(-10)},
        {"nbf": Moment(15), "exp": Moment(15)},
        {"sub": None},
        {"sub": ""},
        {"sub": "   "},
        {"sub": 17},
        {"sub": ["anna"]},
        {"sub": "a" * 256},
        {"sub": "anna\u202e"},
        {"sub": "anna\u200b"},
        {"sub": "an\nna"},
        {"cnf": {"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}},
        {"scope": None},
        {"scope": "openid profile"},
        {"scope": "ERP:READ"},
        {"scope": "erp:readerp:write"},
        {"scope": {"erp:read": True}},
        {"scope": [["erp:read"]]},
        {"scope": "", "scp": "erp:read"},
    ],
)
async def test_a_token_with_a_claim_that_is_not_as_it_must_be_is_refused(
    issuer: Issuer, changed: dict[str, object]
) -> None:
    claims = {**issuer.claims(), **moments(changed)}
    signed = jwt.PyJWS().encode(
        json.dumps({name: said for name, said in claims.items() if said is not None}).encode(),
        issuer.signer.private,
        "ES256",
        headers={"kid": "k1", "typ": "JWT"},
    )
    verifier = issuer.verifier()
    assert await verifier.verify_token(signed) is None
    assert await verifier.verify_token(issuer.token())


@pytest.mark.parametrize(
    "changed",
    [
        {"aud": ["https://other.example", AUDIENCE]},
        {"exp": Moment(600, float)},
        {"exp": Moment(-5), "iat": None},  # within the leeway
        {"nbf": Moment(10)},
        {"iat": Moment(10)},
        {"scope": None, "scp": ["erp:read"]},
        {"scope": None, "scp": "erp:write erp:read"},
        {"sub": "auth0|5f7c8ec7c33c6c004bbafe82"},
    ],
)
async def test_what_differs_among_issuers_and_is_right_is_taken(issuer: Issuer, changed: dict[str, object]) -> None:
    assert await issuer.verifier().verify_token(issuer.token(**moments(changed)))


# ---------------------------------------------------------------------------------------------------- forged signatures


def packed(header: object, claims: object, signature: bytes = b"") -> str:
    parts = (json.dumps(header).encode(), json.dumps(claims).encode(), signature)
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)


@pytest.mark.parametrize("algorithm", ["none", "None", "NONE", "nOnE", "", None, ["ES256"], {"alg": "ES256"}, 256])
async def test_an_unsigned_token_is_refused(issuer: Issuer, algorithm: object) -> None:
    assert await issuer.verifier().verify_token(packed({"alg": algorithm, "kid": "k1"}, issuer.claims())) is None
    assert issuer.site.asked == []


@pytest.mark.parametrize("algorithm", ["HS256", "HS384", "HS512"])
async def test_a_token_signed_with_the_public_key_as_a_secret_is_refused(
    issuer: Issuer, rsa_key: rsa.RSAPrivateKey, algorithm: str
) -> None:
    issuer.signer = Signer("RS256", rsa_key)
    issuer.publish(issuer.signer)
    unsigned = packed({"alg": algorithm, "kid": "k1", "typ": "JWT"}, issuer.claims()).removesuffix(".")
    made = hmac.new(issuer.signer.pem(), unsigned.encode(), getattr(hashlib, algorithm.replace("HS", "sha"))).digest()
    token = f"{unsigned}.{base64.urlsafe_b64encode(made).rstrip(b'=').decode()}"
    assert await issuer.verifier().verify_token(token) is None


async def test_a_symmetric_key_that_an_issuer_publishes_signs_nothing(issuer: Issuer) -> None:
    secret = b"s" * 32
    told = {"kty": "oct", "k": base64.urlsafe_b64encode(secret).decode(), "kid": "k2", "alg": "HS256", "use": "sig"}
    issuer.site.says("/keys", {"keys": [issuer.signer.published(), told]})
    token = jwt.encode(issuer.claims(), secret, "HS256", headers={"kid": "k2"})
    assert await issuer.verifier().verify_token(token) is None


async def test_another_keys_signature_under_the_issuers_key_id_is_refused(issuer: Issuer) -> None:
    assert await issuer.verifier().verify_token(elliptic().sign(issuer.claims())) is None


async def test_a_token_whose_claims_were_changed_is_refused(issuer: Issuer) -> None:
    header, _, signature = issuer.token().split(".")
    _, claims, _ = packed({}, issuer.claims(sub="boss")).split(".")
    assert await issuer.verifier().verify_token(f"{header}.{claims}.{signature}") is None


async def test_a_key_that_the_token_brings_along_or_points_to_is_not_looked_at(issuer: Issuer) -> None:
    attacker = elliptic("theirs")
    address = issuer.site.says("/attacker", {"keys": [attacker.published()]})
    brought = attacker.published()
    for header in (
        {"jwk": brought},
        {"jku": address},
        {"x5u": address},
        {"x5c": ["MIIB"]},
        {"jwk": brought, "kid": "k1"},
    ):
        assert await issuer.verifier().verify_token(attacker.sign(issuer.claims(), **header)) is None
    assert not any("/attacker" in asked for asked in issuer.site.asked)


@pytest.mark.parametrize(
    "kid",
    ["../../dev/null", "/etc/passwd", "k1' OR '1'='1", "k1\x00", "K1", "", "k" * 10_000, "http://localhost/keys"],
)
async def test_a_key_id_is_a_name_and_nothing_more(issuer: Issuer, kid: str) -> None:
    attacker = elliptic(kid)
    assert await issuer.verifier().verify_token(attacker.sign(issuer.claims(), kid=kid)) is None
    assert {asked.split(" ")[1] for asked in issuer.site.asked} <= {"/.well-known/openid-configuration", "/keys"}


@pytest.mark.parametrize("kid", [None, 1, ["k1"], {"k1": 1}])
async def test_a_key_id_that_is_no_text_is_refused(issuer: Issuer, kid: object) -> None:
    assert (
        await issuer.verifier().verify_token(packed({"alg": "ES256", "kid": kid}, issuer.claims(), b"s" * 64)) is None
    )


@pytest.mark.parametrize(
    "header",
    [
        {"typ": "logout+jwt"},
        {"typ": "dpop+jwt"},
        {"typ": "secevent+jwt"},
        {"typ": 7},
        {"crit": ["exp"], "exp": 1},
        {"crit": ["b64"], "b64": False},
        {"crit": []},
    ],
)
async def test_something_else_that_the_issuer_signed_is_no_access_token(
    issuer: Issuer, header: dict[str, object]
) -> None:
    segments = packed({"alg": "ES256", "kid": "k1", "typ": "JWT", **header}, issuer.claims()).removesuffix(".")
    signature = get_default_algorithms()["ES256"].sign(segments.encode(), issuer.signer.private)
    token = f"{segments}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"
    assert await issuer.verifier().verify_token(token) is None


@pytest.mark.parametrize("typ", ["at+jwt", "AT+JWT", "application/at+jwt", "jwt"])
async def test_an_access_token_by_its_own_type_is_taken(issuer: Issuer, typ: str) -> None:
    assert await issuer.verifier().verify_token(issuer.signer.sign(issuer.claims(), typ=typ))


@pytest.mark.parametrize(
    "token",
    [
        *("", ".", "..", "...", "a.b.c", "opaque", "é.é.é", "e30.e30.e30", "W10.W10.W10", "bnVsbA.bnVsbA."),
        *(packed({"alg": "ES256"}, {}), packed({"alg": "ES256", "kid": "k1"}, [], b"s" * 64)),
        *("a" * 20_000, "a." * 9_000 + "a", base64.urlsafe_b64encode(b"[" * 6_000).decode() + ".e30.e30"),
    ],
)
async def test_what_is_no_token_is_refused(issuer: Issuer, token: str) -> None:
    assert await issuer.verifier().verify_token(token) is None


# ----------------------------------------------------------------------------------------------------------------- keys


def weak(key: Callable[[], Signer], **changed: object) -> Callable[[], tuple[Signer, dict[str, Any]]]:
    def made() -> tuple[Signer, dict[str, Any]]:
        signer = key()
        return signer, signer.published(**changed)

    return made


def private(signer: Signer) -> dict[str, Any]:
    told = json.loads(get_default_algorithms()[signer.algorithm].to_jwk(signer.private))
    return {**told, "kid": "k1", "use": "sig", "key_ops": ["verify"]}


@pytest.mark.filterwarnings("ignore::jwt.InsecureKeyLengthWarning")
@pytest.mark.parametrize(
    "made",
    [
        weak(lambda: Signer("RS256", rsa.generate_private_key(65_537, 1_024))),
        weak(elliptic, use="enc"),
        weak(elliptic, use=["sig"]),
        weak(elliptic, key_ops=["sign"]),
        weak(elliptic, key_ops="verify"),
        weak(elliptic, alg="ES384"),
        weak(elliptic, alg=["ES256"]),
        weak(elliptic, crv="P-384"),
        weak(elliptic, crv="secp256k1"),
        weak(elliptic, kty="RSA"),
        weak(elliptic, kty=["EC"]),
        weak(elliptic, x="AAAA"),
        weak(elliptic, kid=1),
        lambda: (signer := elliptic(), private(signer)),
    ],
    ids=lambda _made: "",
)
async def test_a_key_that_is_not_fit_to_check_signatures_is_not_used(
    issuer: Issuer, made: Callable[[], tuple[Signer, dict[str, Any]]]
) -> None:
    issuer.signer, told = made()
    issuer.site.says("/keys", {"keys": [told, elliptic("another").published(), None, "key", {}]})
    assert await issuer.verifier().verify_token(issuer.token()) is None


async def test_two_keys_of_one_name_are_none(issuer: Issuer) -> None:
    issuer.publish(issuer.signer, elliptic())
    assert await issuer.verifier().verify_token(issuer.token()) is None


async def test_a_token_without_a_key_id_is_good_where_the_issuer_has_one_key(issuer: Issuer) -> None:
    issuer.signer = Signer("ES256", ec.generate_private_key(ec.SECP256R1()), kid=None)
    issuer.publish(issuer.signer)
    assert await issuer.verifier().verify_token(issuer.token())
    issuer.publish(issuer.signer, elliptic("another"))
    assert await issuer.verifier().verify_token(issuer.token()) is None


async def test_keys_are_read_once_for_many_tokens(issuer: Issuer) -> None:
    verifier = issuer.verifier()
    for _ in range(20):
        assert await verifier.verify_token(issuer.token())
    assert issuer.readings == 1


async def test_a_new_key_is_known_at_its_first_token(issuer: Issuer, clock: Clock) -> None:
    verifier = issuer.verifier()
    assert await verifier.verify_token(issuer.token())
    before, issuer.signer = issuer.signer, elliptic("k2")
    issuer.publish(before, issuer.signer)
    clock.now += 31
    assert await verifier.verify_token(issuer.token())
    assert await verifier.verify_token(before.sign(issuer.claims()))
    assert issuer.readings == 2


async def test_a_key_that_was_taken_back_is_good_for_an_hour_at_the_most(issuer: Issuer, clock: Clock) -> None:
    verifier = issuer.verifier()
    token = issuer.token()
    assert await verifier.verify_token(token)
    issuer.publish(elliptic("k2"))
    clock.now += 3_601
    await verifier.verify_token(token)  # has the keys read anew, and is not kept waiting for them
    await settled(verifier)
    assert await verifier.verify_token(token) is None


async def settled(verifier: JwtVerifier) -> None:
    reading = verifier._keys._reading
    assert reading is not None
    with anyio.fail_after(25):
        await reading


async def test_unknown_key_ids_have_the_keys_read_at_most_once_in_thirty_seconds(issuer: Issuer, clock: Clock) -> None:
    verifier = issuer.verifier()
    assert await verifier.verify_token(issuer.token())
    for number in range(50):
        clock.now += 1
        assert await verifier.verify_token(elliptic(f"unknown-{number}").sign(issuer.claims())) is None
    assert issuer.readings == 2
    assert await verifier.verify_token(issuer.token())


async def test_many_tokens_at_once_wait_for_one_reading(issuer: Issuer) -> None:
    verifier = issuer.verifier()
    found: list[object] = []

    async def one() -> None:
        found.append(await verifier.verify_token(issuer.token()))

    with anyio.fail_after(25):
        async with anyio.create_task_group() as group:
            for _ in range(50):
                group.start_soon(one)
    assert all(found)
    assert (len(found), issuer.readings) == (50, 1)


async def test_whoever_hangs_up_ends_no_reading(issuer: Issuer) -> None:
    gate = anyio.Event()
    real = issuer.fetch()

    async def slow(url: str, *, most: int) -> Fetched:
        await gate.wait()
        return await real(url, most=most)

    verifier = issuer.verifier(fetch=slow)
    with anyio.fail_after(25):
        with anyio.move_on_after(0.05):
            await verifier.verify_token(issuer.token())
        gate.set()
        assert await verifier.verify_token(issuer.token())
    assert issuer.readings == 1


async def test_known_keys_go_on_for_six_hours_while_the_issuer_is_down_and_the_log_says_so_once(
    issuer: Issuer, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    verifier = issuer.verifier()
    assert await verifier.verify_token(issuer.token())
    issuer.site.answers["/keys"] = answer(b"", "503 Down")
    with caplog.at_level(logging.INFO):
        for hours in (1.1, 2, 5.9):
            clock.now = 1_000 + hours * 3_600
            assert await verifier.verify_token(issuer.token())
            await settled(verifier)
        said = [each for each in caplog.messages if "could not be read" in each]
        assert said == ["the keys of localhost could not be read: it answered HTTP 503; those known serve for 6 hours"]
        clock.now = 1_000 + 6.1 * 3_600
        assert await verifier.verify_token(issuer.token()) is None
        issuer.publish(issuer.signer)
        clock.now += 31
        assert await verifier.verify_token(issuer.token())
    assert "the keys of localhost can be read again" in caplog.messages


@pytest.mark.parametrize(
    "metadata",
    [{"issuer": "https://evil.example"}, {"issuer": None}, {}, {"jwks_uri": None}, {"jwks_uri": ["x"]}]
    + [{"jwks_uri": address} for address in ("http://localhost/keys", "file:///etc/passwd", "https://10.0.0.1/keys")],
)
async def test_metadata_of_another_issuer_or_with_keys_elsewhere_inside_is_refused(
    issuer: Issuer, metadata: dict[str, Any]
) -> None:
    right = {"issuer": issuer.name, "jwks_uri": issuer.site.url("/keys")} if metadata else {}
    issuer.site.says("/.well-known/openid-configuration", {**right, **metadata})
    assert await issuer.verifier().verify_token(issuer.token()) is None
    assert issuer.readings == 0


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("", "/.well-known/oauth-authorization-server"),
        ("/realms/works", "/realms/works/.well-known/openid-configuration"),
        ("/realms/works", "/.well-known/oauth-authorization-server/realms/works"),
        ("/realms/works", "/.well-known/openid-configuration/realms/works"),
        ("/", "/.well-known/openid-configuration"),
    ],
)
async def test_metadata_is_found_where_issuers_have_it(site: Site, clock: Clock, path: str, place: str) -> None:
    issuer = Issuer(site, clock, path)
    site.answers.clear()
    site.says(place, {"issuer": issuer.name, "jwks_uri": site.url("/keys")})
    issuer.publish(issuer.signer)
    assert await issuer.verifier().verify_token(issuer.token())


@pytest.mark.parametrize("told", [{}, {"keys": None}, {"keys": {}}, {"keys": []}, {"keys": [{}] * 101}])
async def test_a_key_set_that_is_none_leaves_the_known_keys(issuer: Issuer, clock: Clock, told: dict[str, Any]) -> None:
    verifier = issuer.verifier()
    assert await verifier.verify_token(issuer.token())
    issuer.site.says("/keys", told)
    clock.now += 31
    assert await verifier.verify_token(elliptic("k2").sign(issuer.claims())) is None
    assert await verifier.verify_token(issuer.token())


# ------------------------------------------------------------------------------------- what a token allows, and logs


@pytest.mark.parametrize(
    ("told", "scopes"),
    [
        (["ERP readers"], ["erp:read"]),
        (["ERP buyers", "Everybody"], ["erp:read", "erp:write"]),
        (["Everybody"], None),
        (["erp:read"], None),
        ("buyers", ["erp:write"]),
        ({"buyers": True}, None),
        ([["buyers"]], None),
        (None, None),
    ],
)
async def test_an_issuer_that_cannot_issue_our_scopes_says_it_in_a_claim_of_its_own(
    issuer: Issuer, told: object, scopes: list[str] | None
) -> None:
    texts = ("ERP readers=erp:read", "ERP buyers=erp:read erp:write", "buyers=erp:write")
    verifier = issuer.verifier(scope_claim=ScopeClaim("groups", dict(map(granted, texts))))
    found = await verifier.verify_token(issuer.token(groups=told, scope="erp:read erp:write"))
    assert (found and found.scopes) == scopes


@pytest.mark.parametrize("text", ["", "x", "=erp:read", "x=", "x=erp:admin", "x=erp:read,erp:write", "x=erp:read *"])
def test_a_grant_that_is_none_is_said_to_be_none(text: str) -> None:
    with pytest.raises(ConfigError, match="--grant: "):
        granted(text)


def test_a_grants_name_may_hold_an_equals_sign() -> None:
    assert granted("cn=buyers,dc=works=erp:write") == ("cn=buyers,dc=works", frozenset({"erp:write"}))


async def test_no_log_holds_a_token_or_what_stood_in_it_and_each_reason_is_told_once_a_minute(
    issuer: Issuer, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    verifier = issuer.verifier()
    with caplog.at_level(logging.DEBUG):
        for _ in range(10):
            tokens = [issuer.token(sub="anna-secret", aud="wrong-secret"), "opaque-secret", issuer.token(exp=1)]
            for token in tokens:
                assert await verifier.verify_token(token) is None
        refused = [each for each in caplog.messages if "is refused" in each]
        assert len(refused) == 3
        clock.now += 61
        await verifier.verify_token(tokens[0])
    text = caplog.text
    assert not any(part in text for token in tokens for part in token.split("."))
    assert "secret" not in text
    assert text.count("it is for another audience (--audience)") == 2
