"""localstripe on a port of 127.0.0.1, which it prints. It ends when its standard input closes."""

import asyncio
import json
import sys

from aiohttp import web
from localstripe import resources, server

# It would keep everything in one file for all of its processes.
resources.Store.dump_to_disk = lambda self: None


async def main():
    runner = web.AppRunner(server.app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    print(json.dumps({"port": runner.addresses[0][1]}), flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    await runner.cleanup()


asyncio.run(main())
