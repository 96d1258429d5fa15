#!/usr/bin/env bash
# What client libraries write into `aud` of the JWT that a client authenticates with (private_key_jwt), when nobody says
# what it should be. draft-ietf-oauth-rfc7523bis allows the issuer alone.
#
# Seen with openid-client 6.8.9 and oauth4webapi 3.8.8 (Node.js), Authlib 1.9.9 (Python):
#   openid-client  token          the issuer
#   oauth4webapi   token          the issuer
#   authlib        token          the URL of the token endpoint
#   authlib        introspection  the URL of the introspection endpoint: not that of the token endpoint, and not the issuer
# So a server that takes the issuer alone refuses Authlib as it comes, and one that takes the token
# endpoint beside it still refuses Authlib at every other endpoint.
set -euo pipefail
work=$(mktemp -d)
stub=
trap '[ -z "$stub" ] || kill "$stub"; rm -rf "$work"' EXIT
cd "$work"

python3 -m venv python
python/bin/pip -q install Authlib==1.9.9 requests==2.34.2
npm init -y >/dev/null
npm install --silent openid-client@6.8.9 oauth4webapi@3.8.8

# A stub on loopback that answers every form with a token and writes down the audience of its assertion.
cat >stub.py <<'PY'
import base64, http.server, json, urllib.parse
class Stub(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        form = urllib.parse.parse_qs(self.rfile.read(int(self.headers["content-length"])).decode())
        body = form["client_assertion"][0].split(".")[1]
        audience = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))["aud"]
        with open("seen", "a") as seen:
            print(self.path.split("/")[1], self.path.split("/")[2], json.dumps(audience), file=seen)
        answer = json.dumps({"access_token": "x", "token_type": "bearer", "active": True}).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)
    def log_message(self, *_): pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Stub)
open("port.new", "w").write(str(server.server_port))
import os; os.rename("port.new", "port")
server.serve_forever()
PY
python3 stub.py &
stub=$!
for _ in $(seq 50); do [ -e port ] && break; sleep 0.1; done
base=http://127.0.0.1:$(cat port)
export BASE=$base

cat >python.py <<'PY'
import os
from authlib.integrations.requests_client import OAuth2Session
from authlib.oauth2.rfc7523 import PrivateKeyJWT
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
key = rsa.generate_private_key(65537, 2048)
pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
base = os.environ["BASE"]
session = OAuth2Session("app", pem, token_endpoint_auth_method="private_key_jwt")
session.register_client_auth_method(PrivateKeyJWT())
session.fetch_token(base + "/authlib/token", grant_type="client_credentials")
session.introspect_token(base + "/authlib/introspection", token="x")
PY
python/bin/python python.py

cat >node.mjs <<'JS'
import * as oidc from "openid-client";
import * as oauth from "oauth4webapi";
const base = process.env.BASE;
const { privateKey } = await crypto.subtle.generateKey({ name: "ECDSA", namedCurve: "P-256" }, true, ["sign", "verify"]);
const one = new oidc.Configuration({ issuer: base, token_endpoint: `${base}/openid-client/token` }, "app", {}, oidc.PrivateKeyJwt(privateKey));
oidc.allowInsecureRequests(one);
await oidc.clientCredentialsGrant(one).catch(() => {});
const server = { issuer: base, token_endpoint: `${base}/oauth4webapi/token` };
await oauth.clientCredentialsGrantRequest(server, { client_id: "app" }, oauth.PrivateKeyJwt(privateKey), {}, { [oauth.allowInsecureRequests]: true });
JS
node node.mjs 2>/dev/null

cat >expected <<END
authlib introspection "$base/authlib/introspection"
authlib token "$base/authlib/token"
oauth4webapi token "$base"
openid-client token "$base"
END
sort seen | diff - expected && echo "as described"
