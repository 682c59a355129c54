# The official client of the Model Context Protocol. Starts a server over standard input and output, carries out what it is
# told line by line, and says what came of it.
#   mcp_client.py MODE PROGRAM ARGUMENTS...        MODE: auto (the present protocol) or legacy (with its initialize)
#   {"list": true}                     the tools
#   {"call": "name", "with": {...}}    a call
import asyncio
import json
import os
import sys

from mcp import Client, MCPError, StdioServerParameters

async def main() -> None:
    mode, program, *arguments = sys.argv[1:]
    server = StdioServerParameters(command=program, args=arguments, env=dict(os.environ))
    async with Client(server, mode=mode) as client:
        told(await said(client, mode))
        while line := await asyncio.to_thread(sys.stdin.readline):
            told(await done(client, json.loads(line)))

async def said(client: Client, mode: str) -> dict:
    return {"protocol": client.protocol_version, "server": client.server_info.name, "mode": mode}

async def done(client: Client, wanted: dict) -> dict:
    try:
        if "list" in wanted:
            listed = await client.list_tools()
            return {"tools": [tool.model_dump(by_alias=True, exclude_none=True, mode="json") for tool in listed.tools]}
        answer = await client.call_tool(wanted["call"], wanted["with"])
        return {"result": answer.model_dump(by_alias=True, exclude_none=True, mode="json")}
    except MCPError as error:
        return {"error": {"code": error.error.code, "message": error.error.message}}

def told(what: dict) -> None:
    print(json.dumps(what), flush=True)

asyncio.run(main())
