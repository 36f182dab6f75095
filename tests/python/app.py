"""A small web application without a line of telemetry code; `opentelemetry-instrument` adds all of it.

`app.py PORT [PEER_PORT]`: with a peer, `/` asks the peer and logs what it said. Port 0 is a free one; the port that it
got is the first line on stdout.
"""

import logging
import sys
from wsgiref.simple_server import WSGIRequestHandler, make_server

import flask
import requests

port = int(sys.argv[1])
peer = int(sys.argv[2]) if len(sys.argv) > 2 else None
app = flask.Flask("app")


class Quiet(WSGIRequestHandler):
    def log_message(self, *_):
        pass


@app.route("/")
def index():
    if peer is None:
        logging.warning("answered as the last in the chain")
        return "leaf"
    answer = requests.get(f"http://127.0.0.1:{peer}/", timeout=10).text
    logging.warning("the peer said %s", answer)
    return f"front of {answer}"


server = make_server("127.0.0.1", port, app, handler_class=Quiet)
print(server.server_port, flush=True)
sys.stdin.close()
server.serve_forever()
