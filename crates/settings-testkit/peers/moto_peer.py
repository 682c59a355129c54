"""moto's server (what `moto_server` starts), on a free port of the loopback interface.

With the paths of a certificate and its key as arguments it listens on another one too, with TLS. Prints one JSON line with
the ports it listens on.
Ends when its standard input closes, so that no test leaves it behind, however the test ended.
"""

import json
import logging
import os
import sys
import threading

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from werkzeug.serving import make_server


def main() -> None:
    threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    application = DomainDispatcherApplication(create_backend_app)
    application.debug = True
    server = make_server("127.0.0.1", 0, application, threaded=True, request_handler=MotoRequestHandler)
    ports = {"port": server.server_port}
    if len(sys.argv) == 3:
        secure = make_server(
            "127.0.0.1",
            0,
            application,
            threaded=True,
            request_handler=MotoRequestHandler,
            ssl_context=(sys.argv[1], sys.argv[2]),
        )
        ports["tls_port"] = secure.server_port
        threading.Thread(target=secure.serve_forever, daemon=True).start()
    os.environ["MOTO_PORT"] = str(server.server_port)
    print(json.dumps(ports), flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
