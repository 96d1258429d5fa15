"""One line a check, `ok ...` or `not ok ...`, and a last line `N passed, M failed`."""

import traceback
from contextlib import contextmanager


class Report:
    def __init__(self):
        self.prefix = ""
        self.passed = 0
        self.failed = 0

    @contextmanager
    def check(self, name):
        """`with report.check("what holds"):`; a check that raises has failed, and the next one goes on."""
        try:
            yield
        except Exception:
            self.failed += 1
            print(f"not ok {self.prefix}{name}")
            print("    " + traceback.format_exc(limit=-4).strip().replace("\n", "\n    "), flush=True)
        else:
            self.passed += 1
            print(f"ok {self.prefix}{name}", flush=True)

    def finish(self):
        """Prints the summary; answers the exit code."""
        print(f"{self.passed} passed, {self.failed} failed", flush=True)
        return 0 if self.failed == 0 and self.passed > 0 else 1


def equal(actual, expected):
    assert actual == expected, f"expected {expected!r}, found {actual!r}"


@contextmanager
def refused(kind, code=None):
    """The block must end with this exception, and with this OAuth error code if one is given."""
    try:
        yield
    except kind as error:
        if code is not None:
            equal(getattr(error, "error", None), code)
    else:
        raise AssertionError("it was answered, not refused")
