"""localstripe on the loopback address, with nothing on disk.

localstripe writes its whole store to one file in /tmp after every change: slower with each payment, and shared by
all that run on the machine.
"""

import sys

import localstripe.resources
from aiohttp import web

localstripe.resources.Store.dump_to_disk = lambda self: None

from localstripe.server import app  # noqa: E402

web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]), access_log=None, print=None)
