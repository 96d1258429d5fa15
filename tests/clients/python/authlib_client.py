"""The library Authlib: in a Flask application, as a machine, and at a resource server.

Environment: see tests/clients/run.
"""

import json
import os
import sys
from urllib.parse import urljoin

import requests
from application import ISSUER, POST_LOGOUT_REDIRECT_URI, REDIRECT_URI, SCOPE, USERNAME, client, metadata, walker
from authlib.integrations.flask_client import OAuth, OAuthError
from authlib.integrations.flask_oauth2 import ResourceProtector
from authlib.integrations.requests_client import OAuth2Session
from authlib.oauth2.rfc7523 import ClientSecretJWT, PrivateKeyJWT
from authlib.oauth2.rfc9068 import JWTBearerTokenValidator
from flask import Flask, jsonify
from joserfc.jwk import ECKey, KeySet
from report import Report, equal, refused

report = Report()
server = metadata()
ALICE = {"username": USERNAME, "email": "alice@example.com"}


def applications():
    """Method, client id, what it authenticates with, and the class that signs its assertions."""
    key = ECKey.import_key(json.loads(os.environ["KEY_CLIENT_JWK"]))
    kid = {"kid": key.kid}
    return (
        ("client_secret_basic", *client(), None),
        ("client_secret_post", *client("POST"), None),
        # `aud` is the issuer, as draft-ietf-oauth-rfc7523bis wants it; by default the library names the endpoint.
        ("client_secret_jwt", *client("SECRET_JWT"), ClientSecretJWT(ISSUER)),
        ("private_key_jwt", client("KEY")[0], key, PrivateKeyJWT(ISSUER, headers=kid, alg="ES256")),
        ("none", *client("PUBLIC"), None),
    )


def flask_application(method, client_id, secret, signer):
    """A relying party as the library's documentation has it."""
    application = Flask("application")
    application.secret_key = os.urandom(32)
    chancery = OAuth(application).register(
        "chancery",
        client_id=client_id,
        client_secret=secret,
        server_metadata_url=f"{ISSUER}/.well-known/openid-configuration",
        client_kwargs={"scope": SCOPE, "code_challenge_method": "S256", "token_endpoint_auth_method": method},
        client_auth_methods=[signer] if signer else None,
    )

    @application.get("/sign-in")
    def sign_in():
        return chancery.authorize_redirect(REDIRECT_URI)

    @application.get("/callback")
    def callback():
        tokens = chancery.authorize_access_token(claims_options={"iss": {"essential": True, "value": ISSUER}})
        return jsonify(tokens=tokens, user=chancery.userinfo(token=tokens))

    @application.get("/sign-out/<id_token>")
    def sign_out(id_token):
        return chancery.logout_redirect(POST_LOGOUT_REDIRECT_URI, id_token)

    @application.get("/signed-out")
    def signed_out():
        return jsonify(chancery.validate_logout_response())

    application.testing = True
    return application.test_client()


def session_of(method, client_id, secret, signer, **more):
    session = OAuth2Session(
        client_id,
        secret,
        token_endpoint_auth_method=method,
        revocation_endpoint_auth_method=method,
        token_endpoint=server["token_endpoint"],
        **more,
    )
    if signer:
        session.register_client_auth_method(signer)
    return session


def code_grant(application):
    browser, who, tokens = flask_application(*application), walker(), None
    with report.check("a Flask application: code with PKCE, ID token by the JWKS (issuer, nonce, at_hash), UserInfo"):
        callback = who.walk(browser.get(urljoin(REDIRECT_URI, "/sign-in")).location, REDIRECT_URI)
        answer = browser.get(callback).json
        tokens = answer["tokens"]
        equal(tokens["userinfo"]["sub"], answer["user"]["sub"])
        equal(answer["user"]["email"], ALICE["email"])
    with report.check("a Flask application: signing out comes back to it"):
        request = browser.get(urljoin(REDIRECT_URI, f"/sign-out/{tokens['id_token']}")).location
        equal(browser.get(who.walk(request, POST_LOGOUT_REDIRECT_URI)).status_code, 200)
    with report.check("an expired access token is refreshed in the middle of a request"):
        updated = []
        expired = {**tokens, "expires_at": 1}
        session = session_of(*application, token=expired, update_token=lambda token, **_: updated.append(token))
        equal(session.get(server["userinfo_endpoint"]).json()["email"], ALICE["email"])
        equal(len(updated), 1)
        assert updated[0]["refresh_token"] != tokens["refresh_token"], "the refresh token did not rotate"
        tokens = updated[0]
    with report.check("a revoked refresh token is refused"):
        session = session_of(*application, token=tokens)
        answer = session.revoke_token(server["revocation_endpoint"], token_type_hint="refresh_token")
        equal(answer.status_code, 200)
        with refused(OAuthError, "invalid_grant"):
            session.refresh_token(server["token_endpoint"])


def machine(application):
    session = session_of(*application, scope="email")
    with report.check("client credentials"):
        token = session.fetch_token(server["token_endpoint"])
        equal((token["scope"], "refresh_token" in token), ("email", False))
    with report.check("introspection: active until it is revoked"):
        introspect = lambda: session.introspect_token(server["introspection_endpoint"]).json()
        equal(introspect()["client_id"], session.client_id)
        session.revoke_token(server["revocation_endpoint"])
        equal(introspect(), {"active": False})


def older_audience(application):
    """The audience that the library writes when nothing is said: the endpoint that it calls."""
    method, client_id, secret, signer = application
    signer = type(signer)(headers=signer.headers, alg=signer.alg)
    with report.check("an assertion for the token endpoint is refused"):
        with refused(OAuthError, "invalid_client"):
            session_of(method, client_id, secret, signer).fetch_token(server["token_endpoint"])
    if method == "private_key_jwt":
        with report.check("and taken from a client that the operator allows it"):
            older = client("OLDER_KEY")[0]
            session_of(method, older, secret, signer, scope="email").fetch_token(server["token_endpoint"])


class AccessTokens(JWTBearerTokenValidator):
    def get_jwks(self):
        return KeySet.import_key_set(requests.get(server["jwks_uri"]).json())


def resource_server(application):
    """An API that verifies access tokens alone (RFC 9068)."""
    api = Flask("api")
    protect = ResourceProtector()
    protect.register_token_validator(AccessTokens(issuer=ISSUER, resource_server=ISSUER))
    api.add_url_rule("/mail", view_func=protect("email")(lambda: "mail"), endpoint="mail")
    api.add_url_rule("/files", view_func=protect("files")(lambda: "files"), endpoint="files")
    with report.check("an access token opens what its scope allows"):
        token = session_of(*application, scope="email").fetch_token(server["token_endpoint"])["access_token"]
        get = lambda path, token: api.test_client().get(path, headers={"authorization": f"Bearer {token}"})
        answers = [get("/mail", token), get("/files", token), get("/mail", "nonsense")]
        equal([answer.status_code for answer in answers], [200, 403, 401])


for application in applications():
    report.prefix = f"authlib {application[0]}: "
    code_grant(application)
    if application[0] != "none":
        machine(application)
    if application[3]:
        older_audience(application)
report.prefix = "authlib resource server: "
resource_server(applications()[0])
sys.exit(report.finish())
