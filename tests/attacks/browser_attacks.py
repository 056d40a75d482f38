"""Objects that browsers open: nothing in them may run as a page of this service."""

from attack_case import AttackCase

ACTIVE = [
    ("page.html", "text/html"),
    ("PAGE.HTML", "TEXT/HTML; charset=utf-8"),
    ("page.xhtml", "application/xhtml+xml"),
    ("picture.svg", "image/svg+xml"),
    ("document.xml", "text/xml"),
    ("style.xsl", "application/xml"),
    ("feed.rss", "application/rss+xml"),
    ("paper.pdf", "application/pdf"),
    ("script.js", "text/javascript"),
    ("two.html", "text/plain, text/html"),
    ("none", ""),
    ("odd", "text/html\t;x"),
    ("archive.mht", "multipart/related"),
]
SCRIPT = b'<svg xmlns="http://www.w3.org/2000/svg"><script>document.title=document.cookie</script></svg>'
# Types that browsers show without running anything of them in the page's origin, or download anyway.
SHOWN = ("text/plain", "image/png", "image/jpeg", "image/webp", "image/gif", "application/json", "text/csv", "application/pdf", "binary/octet-stream", "application/octet-stream")


class StoredScripts(AttackCase):
    def check_harmless(self, reply, what):
        self.assertEqual(reply.status, 200, reply)
        policy = [part.strip().split()[0] for part in (reply.header("Content-Security-Policy") or "x").split(";") if part.strip()]
        self.assertIn("sandbox", policy, f"{what}: {reply.headers}")
        self.assertNotIn("allow-scripts", reply.header("Content-Security-Policy"))
        self.assertEqual(reply.header("X-Content-Type-Options"), "nosniff", what)
        kind = (reply.header("Content-Type") or "").split(";")[0].strip().lower()
        if kind not in SHOWN:
            self.assertTrue((reply.header("Content-Disposition") or "").lower().startswith("attachment"), f"{what}: {reply.headers}")

    def test_active_types_through_links(self):
        """An attacker would run script with a requester's or worker's session by having them open a link to an uploaded page or drawing."""
        bucket = self.bucket()
        for key, kind in ACTIVE:
            with self.subTest(kind=kind):
                headers = {"Content_Type": kind} if kind else {}
                self.put(bucket, key, SCRIPT, **headers)
                self.check_harmless(self.follow(self.link("GET", f"/{bucket}/{key}")), kind)

    def test_overridden_type(self):
        """An attacker would turn a harmless text into a page by response-content-type and response-content-disposition in a link."""
        bucket = self.bucket()
        self.put(bucket, "notes.txt", SCRIPT, Content_Type="text/plain")
        for query in (
            [("response-content-type", "text/html")],
            [("response-content-type", "image/svg+xml"), ("response-content-disposition", "inline")],
            [("response-content-disposition", "inline; filename=x.html"), ("response-content-type", "application/xhtml+xml")],
        ):
            self.check_harmless(self.follow(self.link("GET", f"/{bucket}/notes.txt", query=query)), str(query))

    def test_stored_inline_disposition(self):
        """An attacker would have a page shown instead of downloaded by storing Content-Disposition: inline with it."""
        bucket = self.bucket()
        self.put(bucket, "x.html", SCRIPT, Content_Type="text/html", Content_Disposition="inline")
        self.check_harmless(self.follow(self.link("GET", f"/{bucket}/x.html")), "inline")

    def test_header_injection_by_stored_values(self):
        """An attacker would add headers of their own to answers (a cookie, a laxer policy) through values that objects and links carry."""
        bucket = self.bucket()
        self.put(bucket, "x.txt", b"x", Content_Type="text/plain")
        for value in ("attachment\r\nSet-Cookie: terrapin-session=evil", "a\nX-Evil: 1", "a\r\n\r\n<script>alert(1)</script>", "a\0b"):
            reply = self.follow(self.link("GET", f"/{bucket}/x.txt", query=[("response-content-disposition", value)]))
            self.assertIn(reply.status, (200, 400), reply)
            self.assertIsNone(reply.header("Set-Cookie"))
            self.assertIsNone(reply.header("X-Evil"))
            self.assertNotIn("<script", reply.text)

    def test_objects_as_photos(self):
        """An attacker would have the worker's page load a script in place of a photo, from the page's own origin."""
        bucket, team = self.bucket(), self.team()
        self.job_files(bucket, lines=[f'{{"source-ref": "s3://{bucket}/0.png"}}'], template=f'<img src="s3://{bucket}/x.svg"> s3://{bucket}/x.html')
        self.put(bucket, "x.svg", SCRIPT, Content_Type="image/svg+xml")
        self.put(bucket, "x.html", b"<script>1</script>", Content_Type="image/png")
        job = self.job(bucket, team)
        worker = self.person(team)
        content = worker.call("GET", f"/_/api/assignments/{self.task(worker, job)}/content").json()
        for name in ("x.svg", "x.html"):
            reply = self.heard(worker.call("GET", content["images"][f"s3://{bucket}/{name}"]))
            self.check_harmless(reply, name)
            self.assertEqual(reply.header("Content-Type"), "application/octet-stream", name)

    def test_reflected_in_errors(self):
        """An attacker would run script by a link whose error page repeats the key, the bucket or the query as markup."""
        bucket = self.bucket()
        evil = "<script>alert(1)</script>"
        replies = [
            self.follow(self.link("GET", f"/{bucket}/{evil}")),
            self.follow(self.link("GET", f"/{evil}/x")),
            self.follow("/<script>alert(1)</script>"),
            self.follow(f"/{bucket}/x?X-Amz-Algorithm=<script>alert(1)</script>&X-Amz-Signature=1"),
            self.follow("/_/<script>alert(1)</script>"),
            self.follow("/_/api/assignments/<script>alert(1)</script>"),
        ]
        for reply in replies:
            self.refused(reply)
            kind = reply.header("Content-Type").split(";")[0]
            if kind == "application/xml":
                self.assertNotIn("<script", reply.text)
            else:
                self.assertIn(kind, ("application/json", "text/plain"), reply.headers)
            self.assertIn(reply.header("X-Content-Type-Options"), ("nosniff", None))

    def test_templates_are_data(self):
        """An attacker would run script in a worker's session through a template that the service answers as a page."""
        job, _, [worker] = self.labeled_team_job(template="<script>alert(document.cookie)</script>")
        reply = worker.call("GET", f"/_/api/assignments/{self.task(worker, job)}/content")
        self.assertEqual(reply.header("Content-Type").split(";")[0], "application/json")
        self.assertEqual(reply.header("X-Content-Type-Options"), "nosniff")
        self.assertIn("default-src 'none'", reply.header("Content-Security-Policy"))

    def test_framed_pages(self):
        """An attacker would steal clicks of a signed-in worker by showing the service in a frame."""
        for path in ("/_/", "/_/join", "/_/reset", "/_/api/sign-in"):
            self.assertIn("frame-ancestors 'none'", self.follow(path).header("Content-Security-Policy") or "", path)

    def test_cross_origin_reads(self):
        """An attacker would read objects with a victim's links or sessions from a page of their own site (CORS)."""
        bucket = self.bucket()
        self.put(bucket, "x.txt", b"x")
        for origin in ("https://evil.example", "null", f"http://{self.authority}.evil.example"):
            reply = self.follow(self.link("GET", f"/{bucket}/x.txt"), headers=[("Origin", origin)])
            self.assertIsNone(reply.header("Access-Control-Allow-Origin"), origin)
            preflight = [("Origin", origin), ("Access-Control-Request-Method", "PUT"), ("Access-Control-Request-Headers", "x-csrf-token")]
            for path in (f"/{bucket}/x.txt", "/_/api/me", "/"):
                reply = self.follow(path, "OPTIONS", headers=preflight)
                self.assertIsNone(reply.header("Access-Control-Allow-Origin"), (origin, path))
                self.assertIsNone(reply.header("Access-Control-Allow-Credentials"), (origin, path))
