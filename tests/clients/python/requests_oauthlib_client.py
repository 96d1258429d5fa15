"""The library requests-oauthlib, which knows OAuth and nothing of OpenID Connect.

Environment: see tests/clients/run.
"""

import base64
import hashlib
import os
import sys

# The issuer of a test is http on the loopback interface. Scopes must come back as they were asked for.
os.environ["OAUTHLIB_INSECURE_TRANSPORT"] = "1"

import requests
from application import ISSUER, PASSWORD, REDIRECT_URI, SCOPE, USERNAME, client, metadata, walker
from joserfc import jwt
from joserfc.jwk import OctKey
from oauthlib.oauth2 import BackendApplicationClient, InvalidClientError, InvalidGrantError, LegacyApplicationClient
from report import Report, equal, refused
from requests_oauthlib import OAuth2Session

report = Report()
server = metadata()
SCOPES = SCOPE.split()


def sign_in(session, secret, who=None, authorize=None, token=None, in_body=False, **parameters):
    """The code flow: the tokens, and where the answer came back."""
    url, _ = session.authorization_url(authorize or server["authorization_endpoint"], **parameters)
    callback = (who or walker()).walk(url, REDIRECT_URI)
    tokens = session.fetch_token(
        token or server["token_endpoint"],
        authorization_response=callback,
        client_secret=secret,
        include_client_id=in_body or None,
    )
    return tokens, callback


def code_grant(name, in_body=False):
    client_id, secret = client(name)
    updated = []
    session = OAuth2Session(
        client_id,
        scope=SCOPES,
        redirect_uri=REDIRECT_URI,
        pkce="S256",
        auto_refresh_url=server["token_endpoint"],
        auto_refresh_kwargs={"client_id": client_id, **({"client_secret": secret} if in_body else {})},
        token_updater=updated.append,
    )
    # As its documentation says: a client that authenticates with Basic gives its credentials to the request.
    by_header = {} if in_body else {"client_id": client_id, "client_secret": secret}

    with report.check("the code flow with PKCE, and UserInfo with the token"):
        tokens, callback = sign_in(session, secret, in_body=in_body)
        equal(tokens["token_type"], "Bearer")
        equal(session.get(server["userinfo_endpoint"]).json()["email"], "alice@example.com")
    with report.check("an expired token is replaced in the middle of a request"):
        before = dict(session.token)
        session.token = {**before, "expires_at": 1}
        equal(session.get(server["userinfo_endpoint"], **by_header).json()["email"], "alice@example.com")
        equal(len(updated), 1)
        assert updated[0]["access_token"] != before["access_token"], "the same access token"
        assert updated[0]["refresh_token"] != before["refresh_token"], "the same refresh token"
    with report.check("a revoked refresh token is refused"):
        url, headers, body = session._client.prepare_token_revocation_request(
            server["revocation_endpoint"],
            session.token["refresh_token"],
            token_type_hint="refresh_token",
            **session.auto_refresh_kwargs,
        )
        auth = None if in_body else (client_id, secret)
        equal(requests.post(url, headers=headers, data=body, auth=auth).status_code, 200)
        with refused(InvalidGrantError):
            session.refresh_token(server["token_endpoint"], auth=auth, **session.auto_refresh_kwargs)
    with report.check("a code is refused the second time"):
        with refused(InvalidGrantError):
            session.fetch_token(
                server["token_endpoint"],
                authorization_response=callback,
                client_secret=secret,
                include_client_id=in_body or None,
            )


def public():
    client_id, _ = client("PUBLIC")
    for in_body, how in ((True, "in the body"), (False, "in a header with an empty secret")):
        with report.check(f"the code flow and a refresh, its id {how}"):
            session = OAuth2Session(client_id, scope=SCOPES, redirect_uri=REDIRECT_URI, pkce="S256")
            sign_in(session, None, in_body=in_body)
            session.refresh_token(server["token_endpoint"], client_id=client_id)
            equal(session.get(server["userinfo_endpoint"]).status_code, 200)


def machine(name, in_body=False):
    client_id, secret = client(name)
    session = OAuth2Session(client=BackendApplicationClient(client_id, scope=["email"]))
    with report.check("client credentials: a token without a refresh token"):
        tokens = session.fetch_token(server["token_endpoint"], client_secret=secret, include_client_id=in_body or None)
        equal(tokens["scope"], ["email"])
        assert "refresh_token" not in tokens, "a refresh token came"
    with report.check("a wrong secret is refused"), refused(InvalidClientError):
        session.fetch_token(server["token_endpoint"], client_secret=secret + "x", include_client_id=in_body or None)


def half_hash(token):
    digest = hashlib.sha256(token.encode()).digest()
    return base64.urlsafe_b64encode(digest[:16]).decode().rstrip("=")


def primer(name, in_body=False):
    """The profile primer: paths that end with a slash, no PKCE, and UserInfo as a JWT under the client's secret."""
    client_id, secret = client(name)
    who = walker()
    session = OAuth2Session(client_id, scope=["read", "write", "groups", "email"], redirect_uri=REDIRECT_URI)
    paths = {"authorize": f"{ISSUER}/authorize/", "token": f"{ISSUER}/token/", "in_body": in_body}

    with report.check("the code flow without PKCE; the answer has `scopes` as well"):
        tokens, _ = sign_in(session, secret, who, **paths)
        equal(tokens["scopes"], "read write groups email")
        equal(tokens["scope"], ["read", "write", "groups", "email"])
    with report.check("UserInfo is a JWT that the client's secret verifies"):
        answer = session.get(f"{ISSUER}/userinfo/")
        equal(answer.headers["content-type"], "application/jwt")
        claims = jwt.decode(answer.text, OctKey.import_key(secret), algorithms=["HS256"]).claims
        equal((claims["sub"], claims["aud"], claims["groups"]), (USERNAME, client_id, ["staff"]))
        equal(claims["at_hash"], half_hash(session.access_token))
    with report.check("a refresh needs no credentials"):
        tokens = session.refresh_token(paths["token"], client_id=client_id)
        equal(session.get(f"{ISSUER}/userinfo/").status_code, 200)
    with report.check("approval_prompt: who is silent is asked again, `auto` is asked once"):
        sign_in(session, secret, who, **paths)
        equal(who.sent, ["consent"])
        sign_in(session, secret, who, approval_prompt="auto", **paths)
        equal(who.sent, [])
        sign_in(session, secret, who, approval_prompt="force", **paths)
        equal(who.sent, ["consent"])
    with report.check("a token that is none gets 403"):
        answer = requests.get(f"{ISSUER}/userinfo/", headers={"authorization": "Bearer nonsense"})
        equal(answer.status_code, 403)
    with report.check("the password grant of a trusted client"):
        trusted = OAuth2Session(client=LegacyApplicationClient(client_id, scope=["read", "email"]))
        credentials = {"username": USERNAME, "password": PASSWORD, "client_secret": secret}
        tokens = trusted.fetch_token(paths["token"], include_client_id=in_body or None, **credentials)
        equal(tokens["scopes"], "read email")


def aqueduct():
    """The profile aqueduct: the password grant of a client without a secret."""
    client_id, _ = client("AQUEDUCT")
    session = OAuth2Session(client=LegacyApplicationClient(client_id, scope=["user:email"]))
    with report.check("credentials once, then refreshes; `expire_in` and `bearer`"):
        tokens = session.fetch_token(f"{ISSUER}/auth/token", username=USERNAME, password=PASSWORD)
        equal((tokens["token_type"], tokens["expire_in"]), ("bearer", 86400))
        fresh = session.refresh_token(f"{ISSUER}/auth/token", auth=(client_id, ""))
        assert fresh["access_token"] != tokens["access_token"], "the same access token"
    with report.check("a wrong password is refused"), refused(InvalidGrantError):
        session.fetch_token(f"{ISSUER}/auth/token", username=USERNAME, password="wrong")


for label, function, *arguments in (
    ("client_secret_basic", code_grant, ""),
    ("client_secret_post", code_grant, "POST", True),
    ("none", public),
    ("client_secret_basic", machine, ""),
    ("client_secret_post", machine, "POST", True),
    ("profile primer, Basic", primer, "PRIMER"),
    ("profile primer, body", primer, "PRIMER_POST", True),
    ("profile aqueduct", aqueduct),
):
    report.prefix = f"requests-oauthlib {label}: "
    function(*arguments)
sys.exit(report.finish())
