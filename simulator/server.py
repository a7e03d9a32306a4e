"""The simulator's process: the platform's API at /, the phone page at /simulator."""

from __future__ import annotations

import os
import signal
import sys
import threading
from types import FrameType

from flask import Flask, Response, jsonify
from werkzeug.serving import WSGIRequestHandler, make_server

from simulator import config as configuration
from simulator import control, terminal
from simulator.alipay import server as alipay
from simulator.alipay.life import Life, LifeConfig
from simulator.citizens import Citizens
from simulator.config import Config
from simulator.pages import page
from simulator.platform import api
from simulator.platform.core import Platform

LARGEST_UPLOAD = 30 * 1024 * 1024


def create_simulator(config: Config, platform: Platform | None = None) -> Flask:
    """A Flask application with everything in it; `platform` may be given, with a test's clock.

    Its platform is `app.extensions["platform"]`; whoever created it closes that at the end.
    """
    app = Flask(__name__, static_folder="static", static_url_path="/simulator/static")
    app.config["MAX_CONTENT_LENGTH"] = LARGEST_UPLOAD
    app.config["MAX_FORM_MEMORY_SIZE"] = LARGEST_UPLOAD
    app.json.ensure_ascii = False  # type: ignore[attr-defined] # the default provider has it
    platform = platform or Platform(config)
    app.extensions["platform"] = platform
    citizens = Citizens(config.citizens_url, config.citizens_key)
    kiosk = terminal.Terminal(config.product, config.terminal_id, config.terminal_key)
    app.register_blueprint(api.blueprint(platform))
    app.register_blueprint(control.blueprint(platform, citizens, kiosk))
    if config.alipay_app_id:
        app.register_blueprint(alipay.blueprint(_life_of(config)))

    @app.get("/simulator")
    def phones() -> Response:
        return page("phones.html")

    @app.get("/simulator/terminal")
    def kiosk_page() -> Response:
        return page("terminal.html")

    @app.get("/simulator/mini")
    def mini_program_page() -> Response:
        return page("mini.html")

    @app.get("/healthz")
    def alive() -> Response:
        return jsonify({"status": "ok"})

    @app.errorhandler(405)
    def wrong_method(_: Exception) -> tuple[Response, int]:
        return jsonify({"errcode": 43002, "errmsg": "require POST method"}), 405

    return app


def _life_of(config: Config) -> Life:
    return Life(
        LifeConfig(
            config.alipay_app_id,
            config.alipay_private_key,
            config.alipay_app_public_key,
            config.alipay_webhook,
            base=config.base,
            charset=config.alipay_charset,
        )
    )


class _Quiet(WSGIRequestHandler):
    """One line for each request would bury the supervisor's; the wire log has them."""

    protocol_version = "HTTP/1.1"  # keeps connections open
    # Head and body are two writes; Nagle's algorithm would hold the second back for 40 ms.
    disable_nagle_algorithm = True

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Say nothing."""


def serve(config: Config, host: str, port: int) -> None:
    """Serve until SIGTERM or SIGINT, then leave the chats in order."""
    app = create_simulator(config)
    server = make_server(host, port, app, threaded=True, request_handler=_Quiet)

    def stop(_signal: int, _frame: FrameType | None) -> None:
        # shutdown() waits for the loop that this handler interrupts, hence the thread.
        threading.Thread(target=server.shutdown, daemon=True).start()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    sys.stdout.write(f"simulator: http://{host}:{port}/simulator\n")
    sys.stdout.flush()
    server.serve_forever()
    app.extensions["platform"].close()
    # Threads that still talk to a slow webhook are of no use any more.
    sys.stdout.flush()
    os._exit(0)


def main() -> None:
    """Serve as the command line and the environment say."""
    config, host, port = configuration.parse()
    serve(config, host, port)
