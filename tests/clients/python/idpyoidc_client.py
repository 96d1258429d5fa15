"""The library idpyoidc, which was written against the certification suite.

Environment: see tests/clients/run.
"""

import logging
import sys
from urllib.parse import parse_qs, urlsplit

from application import ISSUER, POST_LOGOUT_REDIRECT_URI, REDIRECT_URI, SCOPE, client, metadata, walker
from idpyoidc.client.defaults import DEFAULT_OIDC_SERVICES
from idpyoidc.client.oidc import registration
from idpyoidc.client.rp_handler import RPHandler
from idpyoidc.message import OPTIONAL_LIST_OF_SP_SEP_STRINGS
from idpyoidc.message.oidc import RegistrationResponse
from report import Report, equal

# Each refusal is told as an exception, and logged besides.
logging.disable(logging.CRITICAL)
report = Report()
server = metadata()


class RegisteredWithScope(RegistrationResponse):
    """RFC 7591 2: scope is a list in one text. Unless it is told so the library takes the text for a single scope, which it
    does not support; and RFC 7591 3.2.1 demands of the server to say what it registered."""

    c_param = {**RegistrationResponse.c_param, "scope": OPTIONAL_LIST_OF_SP_SEP_STRINGS}


class Registration(registration.Registration):
    response_cls = RegisteredWithScope

    def __init__(self, upstream_get, conf=None):
        super().__init__(upstream_get, conf)
        # It would leave out the grant type refresh_token, which no response type stands for.
        self.post_construct = []

    def gather_request_args(self, **kwargs):
        # OpenID Connect RP-Initiated Logout 3.1: not one of the members that it sends by itself.
        members = super().gather_request_args(**kwargs)
        return {**members, "post_logout_redirect_uris": [POST_LOGOUT_REDIRECT_URI]}



SERVICES = {
    **DEFAULT_OIDC_SERVICES,
    "registration": {"class": Registration},
    "end_session": {"class": "idpyoidc.client.oidc.end_session.EndSession"},
}
PKCE = {
    "function": "idpyoidc.client.oauth2.add_on.pkce.add_support",
    "kwargs": {"code_challenge_length": 64, "code_challenge_method": "S256"},
}
KEYS = {"key_defs": [{"type": "EC", "crv": "P-256", "use": ["sig"]}]}


def relying_party(method, registered=None):
    """A handler with one client: registered beforehand, or (None) one that registers itself."""
    configuration = {
        "issuer": ISSUER,
        "client_type": "oidc",
        # Redirects go to the loopback interface.
        "application_type": "native",
        "default_max_age": None,
        "redirect_uris": [REDIRECT_URI],
        "post_logout_redirect_uris": [POST_LOGOUT_REDIRECT_URI],
        "response_types_supported": ["code"],
        "grant_types_supported": ["authorization_code", "refresh_token"],
        "scopes_supported": [*SCOPE.split(), "address", "phone"],
        "token_endpoint_auth_methods_supported": [method],
        "client_authn_methods": [method],
        "add_ons": {"pkce": PKCE},
        "services": SERVICES,
    }
    if registered:
        configuration["client_id"], configuration["client_secret"] = registered
    return RPHandler(base_url=REDIRECT_URI.rsplit("/", 1)[0], client_configs={ISSUER: configuration}, key_conf=KEYS)


def parameters(url):
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}


def code_flow(handler):
    who, state, answer = walker(), None, None
    with report.check("discovery, code with PKCE, a valid ID token, UserInfo"):
        begun = handler.begin(ISSUER, req_args={"scope": SCOPE.split()})
        url = begun if isinstance(begun, str) else begun["url"]
        answer = parameters(who.walk(url, REDIRECT_URI))
        state = answer["state"]
        result = handler.finalize(ISSUER, answer)
        assert "error" not in result, result
        equal(result["userinfo"]["email"], "alice@example.com")
        equal(result["id_token"]["iss"], ISSUER)
    with report.check("refresh: another access token"):
        before = handler.get_valid_access_token(state)[0]
        fresh = handler.refresh_access_token(state)
        assert fresh["access_token"] != before, "the same access token"
        equal(handler.get_user_info(state)["email"], "alice@example.com")
    with report.check("signing out comes back to the application"):
        request = handler.logout(state, post_logout_redirect_uri=POST_LOGOUT_REDIRECT_URI)
        who.walk(request["url"], POST_LOGOUT_REDIRECT_URI)


for method, name in (("client_secret_basic", ""), ("client_secret_post", "POST")):
    report.prefix = f"idpyoidc {method}: "
    code_flow(relying_party(method, client(name)))
report.prefix = "idpyoidc registered by itself: "
code_flow(relying_party("client_secret_basic"))
sys.exit(report.finish())
