"""What the client programs in this directory share: the environment that tests/clients/run gives them."""

import os

import requests
from walker import Walker

ISSUER = os.environ["ISSUER"]
REDIRECT_URI = os.environ["REDIRECT_URI"]
POST_LOGOUT_REDIRECT_URI = os.environ["POST_LOGOUT_REDIRECT_URI"]
USERNAME, PASSWORD = os.environ["USERNAME"], os.environ["PASSWORD"]
SCOPE = "openid profile email offline_access"


def client(name=""):
    """The id and the secret of a registered client: `client("POST")` is POST_CLIENT_ID and POST_CLIENT_SECRET."""
    prefix = f"{name}_" if name else ""
    return os.environ[f"{prefix}CLIENT_ID"], os.environ.get(f"{prefix}CLIENT_SECRET")


def walker():
    return Walker(USERNAME, PASSWORD)


def metadata():
    return requests.get(f"{ISSUER}/.well-known/openid-configuration").json()
