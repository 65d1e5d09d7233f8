"""localstripe on the loopback address, with nothing on disk and in constant time.

localstripe writes its whole store to one file in /tmp after every change, shared by all that run on the machine, and
reads its whole store for every list, of which every charge has several. Neither changes what it answers.
"""

import sys

import localstripe.resources as resources
from aiohttp import web


class Store(resources.Store):
    """The store, with its objects by kind as well: keys read `<kind>:<id>`."""

    def __init__(self):
        super().__init__()
        self.kinds = {}

    def __setitem__(self, key, value):
        super().__setitem__(key, value)
        self.kinds.setdefault(key.split(":")[0], {})[key] = value

    def __delitem__(self, key):
        super().__delitem__(key)
        del self.kinds[key.split(":")[0]][key]

    def clear(self):
        super().clear()
        self.kinds.clear()

    def dump_to_disk(self):
        pass


def list_all(cls, url, limit=None, starting_after=None, **kwargs):
    if kwargs:
        raise resources.UserError(400, "Unexpected " + ", ".join(kwargs))
    found = resources.List(url, limit=limit, starting_after=starting_after)
    found._list = list(resources.store.kinds.get(cls.object, {}).values())
    return found


resources.store = Store()
resources.StripeObject._api_list_all = classmethod(list_all)

# After the store is in place: the server takes it by name.
from localstripe.server import app  # noqa: E402

web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]), access_log=None, print=None)
