"""A stand-in for the Hub: a site on this machine that creates repositories and takes commits, as
huggingface_hub speaks to it.
"""

from __future__ import annotations

import base64
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class HubSite:
    """`repositories`: content by file and repository; `refused`: whether it answers everything with 403."""

    def __init__(self) -> None:
        self.repositories: dict[str, dict[str, bytes]] = {}
        self.private: dict[str, bool] = {}
        self.refused = False
        site = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_: Any) -> None:
                pass

            def do_GET(self) -> None:
                self.answer({})

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                self.answer(site.post(self.path, body))

            def answer(self, value: Any) -> None:
                if "/tree/" in self.path:
                    repository = self.path.removeprefix("/api/models/").split("/tree/")[0]
                    names = site.repositories.get(repository, {})
                    value = [{"type": "file", "path": name, "size": 1, "oid": "0"} for name in names]
                data = json.dumps(value).encode()
                self.send_response(403 if site.refused else 200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def post(self, path: str, body: bytes) -> Any:
        if path == "/api/repos/create":
            request = json.loads(body)
            repository = "/".join(filter(None, (request.get("organization"), request["name"])))
            self.repositories.setdefault(repository, {})
            self.private[repository] = request.get("private") or request.get("visibility") == "private"
            return {"url": f"{self.address}/{repository}"}
        if path == "/api/validate-yaml":
            return {"errors": [], "warnings": []}
        repository = path.removeprefix("/api/models/").split("/preupload/")[0].split("/commit/")[0]
        if "/preupload/" in path:
            files = [file["path"] for file in json.loads(body)["files"]]
            return {"files": [{"path": f, "uploadMode": "regular", "shouldIgnore": False} for f in files]}
        rows = [json.loads(line) for line in body.splitlines()]
        added = [row["value"] for row in rows if row["key"] == "file"]
        self.repositories[repository] |= {row["path"]: base64.b64decode(row["content"]) for row in added}
        return {"commitUrl": f"{self.address}/{repository}/commit/0", "commitOid": "0", "hookOutput": ""}
