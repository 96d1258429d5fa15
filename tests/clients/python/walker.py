"""A browser without a screen: follows redirects, keeps cookies, fills in the HTML forms it is shown."""

from html.parser import HTMLParser
from urllib.parse import urljoin, urlsplit

import requests

HOPS = 15


class Walker:
    def __init__(self, username, password):
        self.username = username
        self.password = password
        self.session = requests.Session()
        #: The forms that were sent on the last walk: "login", "consent" or "other".
        self.sent = []

    def walk(self, start, destination):
        """Walks from `start` until the server sends the browser to `destination`; answers that URL."""
        self.sent = []
        method, url, fields = "GET", start, None
        for _ in range(HOPS):
            response = self.session.request(method, url, data=fields, allow_redirects=False)
            if response.is_redirect:
                method, url, fields = "GET", urljoin(url, response.headers["location"]), None
                if is_at(url, destination):
                    return url
                continue
            form = Form.first(response.text)
            if form is None:
                raise AssertionError(f"a page without a form, {response.status_code} at {url}: {response.text}")
            method, url, fields = "POST", urljoin(url, form.action), self.fill(form)
        raise AssertionError(f"no end after {HOPS} pages; the last one was {url}")

    def fill(self, form):
        kinds = [field["type"] for field in form.fields]
        kind = "login" if "password" in kinds else "consent" if "allow" in form.buttons else "other"
        assert kind != "login" or "login" not in self.sent, "the login form came back"
        self.sent.append(kind)
        values = {"password": self.password, "text": self.username, "email": self.username}
        filled = [
            (field["name"], values.get(field["type"], field.get("value", "on")))
            for field in form.fields
            if field["type"] in values or field["type"] == "hidden" or "checked" in field
        ]
        # Of the buttons of a choice the one that goes on is pressed.
        return filled + [("decision", value) for value in form.buttons if value in ("allow", "sign_out")]


class Form(HTMLParser):
    """The first form of a page that is posted."""

    def __init__(self):
        super().__init__()
        self.action = None
        self.fields = []
        self.buttons = []
        self.inside = False

    @classmethod
    def first(cls, page):
        form = cls()
        form.feed(page)
        return None if form.action is None else form

    def handle_starttag(self, tag, attributes):
        attributes = {name: value or "" for name, value in attributes}
        if tag == "form" and self.action is None and attributes.get("method", "").lower() == "post":
            self.inside, self.action = True, attributes.get("action", "")
        elif self.inside and tag == "input" and "name" in attributes:
            self.fields.append({"type": "text", **attributes})
        elif self.inside and tag == "button" and attributes.get("name") == "decision":
            self.buttons.append(attributes.get("value", ""))

    def handle_endtag(self, tag):
        if tag == "form":
            self.inside = False


def is_at(url, destination):
    url, destination = urlsplit(url), urlsplit(destination)
    return (url.netloc, url.path) == (destination.netloc, destination.path)
