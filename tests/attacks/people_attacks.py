"""Workers, strangers and other people's sessions."""

import base64
import json
import statistics
import subprocess
import threading
import time

from attack_case import PASSWORD, SIZE, AttackCase, fresh_address, unique
from support.portal_session import PortalSession
from support.signed_http import BrokenConnection, Connection
from support.small_png import encode_rgb
from support.terrapin_server import TerrapinServer

# Every route of the workers' interface: method, path, who may.
WORKER = [
    ("GET", "/_/api/jobs"), ("POST", "/_/api/assignments"), ("GET", "/_/api/assignments"), ("GET", "/_/api/assignments/{task}"),
    ("GET", "/_/api/assignments/{task}/content"), ("POST", "/_/api/assignments/{task}/heartbeat"), ("GET", "/_/api/assignments/{task}/draft"),
    ("POST", "/_/api/assignments/{task}/draft/open"), ("POST", "/_/api/assignments/{task}/draft/deltas"), ("PUT", "/_/api/assignments/{task}/draft/snapshot"),
    ("DELETE", "/_/api/assignments/{task}/draft"), ("POST", "/_/api/assignments/{task}/submit"), ("GET", "/_/api/assignments/{task}/answer"),
    ("PUT", "/_/api/assignments/{task}/answer"), ("POST", "/_/api/assignments/{task}/return"), ("POST", "/_/api/assignments/{task}/decline"),
    ("POST", "/_/api/assignments/{task}/assist"), ("POST", "/_/api/assignments/{task}/assist/open"),
]
REQUESTER = [
    ("GET", "/_/api/requester/jobs"), ("GET", "/_/api/requester/jobs/{job}"), ("POST", "/_/api/requester/jobs/{job}/stop"), ("POST", "/_/api/requester/jobs/{job}/clone"),
    ("POST", "/_/api/requester/jobs/{job}/continue"), ("POST", "/_/api/requester/jobs/{job}/chain"), ("GET", "/_/api/requester/jobs/{job}/objects"),
    ("GET", "/_/api/requester/jobs/{job}/objects/0/answers"), ("POST", "/_/api/requester/jobs/{job}/objects/0/reopen"), ("GET", "/_/api/requester/jobs/{job}/workers"),
    ("POST", "/_/api/requester/jobs/{job}/workers/{worker}/withdraw"), ("GET", "/_/api/requester/settings"), ("GET", "/_/api/requester/buckets"),
    ("POST", "/_/api/requester/buckets"), ("GET", "/_/api/requester/objects"), ("PUT", "/_/api/requester/objects/x/y"), ("GET", "/_/api/requester/objects/x/y"),
    ("POST", "/_/api/requester/jobs"), ("GET", "/_/api/requester/jobs/{job}/categories"), ("GET", "/_/api/requester/jobs/{job}/template"),
    ("GET", "/_/api/requester/jobs/{job}/progress"), ("GET", "/_/api/requester/jobs/{job}/objects/0/photo"), ("GET", "/_/api/requester/jobs/{job}/objects/0/mask"),
    ("GET", "/_/api/requester/jobs/{job}/objects/0/answers/x/mask"), ("GET", "/_/api/requester/jobs/{job}/objects/0/disagreement"), ("GET", "/_/api/requester/jobs/{job}/download"),
    ("GET", "/_/api/requester/workteams"), ("POST", "/_/api/requester/workteams"), ("PUT", "/_/api/requester/workteams/x"), ("DELETE", "/_/api/requester/workteams/x"),
    ("POST", "/_/api/requester/workteams/x/members"), ("DELETE", "/_/api/requester/workteams/x/members/{worker}"), ("GET", "/_/api/requester/people"),
    ("POST", "/_/api/requester/invitations"),
]
ADMIN = [
    ("GET", "/_/api/accounts"), ("GET", "/_/api/accounts/{worker}"), ("PUT", "/_/api/accounts/{worker}"), ("POST", "/_/api/accounts/{worker}/remove"),
    ("POST", "/_/api/accounts/{worker}/restore"), ("POST", "/_/api/accounts/{worker}/reset-link"), ("GET", "/_/api/invitations"), ("POST", "/_/api/invitations"),
    ("DELETE", "/_/api/invitations/x"), ("POST", "/_/api/vendors/x/invitations"), ("GET", "/_/api/vendors"), ("POST", "/_/api/vendors"), ("GET", "/_/api/keys"),
    ("POST", "/_/api/keys"), ("DELETE", "/_/api/keys/x"),
]
BODIES = {
    "open": {"tab": "evil"}, "deltas": {"tab": "tab", "deltas": [{"sequence": 1, "data": "evil"}]}, "snapshot": {"tab": "tab", "base_sequence": 0, "snapshot": "evil"},
    "decline": {"reason": "evil"}, "assist": {"image": "s3://b/0.png", "extremes": [[1, 1], [2, 2], [3, 3], [4, 4]]}, "clone": {"new_name": "evil"}, "continue": {"new_name": "evil"}, "chain": {"new_name": "evil"},
}


def answer():
    image = encode_rgb(*SIZE, lambda x, y: (255, 255, 255))
    return json.dumps({"e": {"labelMappings": {"Turtle": {"color": "#2ca02c"}}, "labeledImage": {"pngImageData": base64.b64encode(image).decode()}}}).encode()


def body_of(method, path):
    last = path.rsplit("/", 1)[1]
    if path.endswith("/assist/open"):
        return {"image": "s3://b/0.png"}
    if method == "GET":
        return b""
    return answer() if last in ("submit", "answer") else BODIES.get(last, {})


class OtherPeople(AttackCase):
    def test_other_workers_tasks(self):
        """An attacker who is a worker would read, change, submit or give back another worker's tasks, drafts and answers."""
        job, _, [victim, thief] = self.labeled_team_job(2)
        task = self.task(victim, job)
        self.assertEqual(victim.call("POST", f"/_/api/assignments/{task}/draft/open", {"tab": "tab"}).status, 200)
        saved = {"tab": "tab", "deltas": [{"sequence": 1, "data": "the victim's"}]}
        self.assertEqual(victim.call("POST", f"/_/api/assignments/{task}/draft/deltas", saved).status, 200)
        for method, pattern in WORKER:
            if "{task}" in pattern:
                path = pattern.format(task=task)
                with self.subTest(method=method, path=pattern):
                    reply = self.refused(self.heard(thief.call(method, path, body_of(method, path))), 404)
                    self.assertNotIn("the victim's", reply.text)
                    # As for a task that does not exist.
                    other = thief.call(method, pattern.format(task="0" * 36), body_of(method, path))
                    self.assertEqual(reply.text.replace(task, ""), other.text.replace("0" * 36, ""))
        draft = victim.call("POST", f"/_/api/assignments/{task}/draft/open", {"tab": "tab"}).json()
        self.assertEqual([each["data"] for each in draft["deltas"]], ["the victim's"])
        self.assertEqual(victim.call("POST", f"/_/api/assignments/{task}/submit", answer()).status, 200)
        self.refused(thief.call("GET", f"/_/api/assignments/{task}/answer"), 404)
        self.assertNotIn(task, thief.call("GET", "/_/api/assignments").text)

    def test_other_teams_jobs(self):
        """An attacker who is a worker would see and take the tasks of a team that they are not in."""
        job, _, _ = self.labeled_team_job(0)
        self.wait_for_job(job, "InProgress")
        stranger = self.person("another-team")
        self.assertNotIn(job, stranger.call("GET", "/_/api/jobs").text)
        self.refused(stranger.call("POST", "/_/api/assignments", {"job": job}), 404)
        self.assertIsNone(stranger.call("POST", "/_/api/assignments", {}).json()["assignment"])
        self.refused(stranger.call("POST", "/_/api/assignments", {"job": job, "groups": [job]}), 400)

    def test_other_workers_image_links(self):
        """An attacker would look at photos with a link that was made for another worker, or that they changed."""
        job, bucket, [victim, thief] = self.labeled_team_job(2)
        self.put(bucket, "secret", b"secret bytes")
        content = victim.call("GET", f"/_/api/assignments/{self.task(victim, job)}/content").json()
        link = next(iter(content["images"].values()))
        self.assertEqual(victim.call("GET", link).status, 200)
        self.refused(self.heard(thief.call("GET", link)), 403)
        self.refused(self.heard(self.stranger().call("GET", link)), 401)
        prefix, token = link.rsplit("/", 1)
        payload, seal = token.split(".")
        fields = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))

        def sealed(change):
            changed = [f"s3://{bucket}/secret" if isinstance(each, str) and each.startswith("s3://") else each for each in fields] if change == "uri" else list(fields)
            if change == "expires":
                changed[1] += 100_000
            if change == "account":
                changed[2] = thief.account["id"]
            return base64.urlsafe_b64encode(json.dumps(changed).encode()).decode().rstrip("=")

        for forged in (
            f"{sealed('uri')}.{seal}", f"{sealed('expires')}.{seal}", f"{payload}.", f"{payload}", f"{payload}.{seal[:-1]}", f".{seal}", f"{payload}.{seal}.{seal}",
            f"{payload}.{'A' * len(seal)}", "x", "%2e%2e%2f", f"{payload}%00.{seal}", "." * 3000,
        ):
            for person in (victim, thief):
                reply = self.refused(self.heard(person.call("GET", f"{prefix}/{forged}")), 400, 403, 404)
                self.assertNotIn(b"secret bytes", reply.body)
        self.refused(self.heard(thief.call("GET", f"{prefix}/{sealed('account')}.{seal}")), 403)

    def test_roles(self):
        """An attacker who is a worker would steer jobs, read all answers, or make themselves an admin."""
        job, _, [worker] = self.labeled_team_job(1)
        requester = self.person(role="requester")
        names = {"job": job, "worker": worker.account["id"], "task": "x"}
        for person, routes in ((worker, REQUESTER + ADMIN), (requester, ADMIN + WORKER)):
            for method, pattern in routes:
                path = pattern.format(**names)
                with self.subTest(method=method, path=pattern):
                    self.refused(self.heard(person.call(method, path, body_of(method, path))), 403, code="Denied")
        self.refused(worker.call("PUT", f"/_/api/accounts/{worker.account['id']}", {"roles": ["admin"]}), 403)

    def test_without_session(self):
        """An attacker without an account would use anything beyond the door."""
        stranger = self.stranger()
        forged = self.stranger()
        forged.cookie, forged.csrf = "terrapin-session=" + "A" * 43, "A" * 43
        names = {"job": "j", "worker": "w", "task": "x"}
        for method, pattern in WORKER + REQUESTER + ADMIN + [("GET", "/_/api/me"), ("POST", "/_/api/sign-out"), ("POST", "/_/api/password/change")]:
            path = pattern.format(**names)
            with self.subTest(method=method, path=pattern):
                self.refused(self.heard(stranger.call(method, path, body_of(method, path))), 401)
                self.refused(self.heard(forged.call(method, path, body_of(method, path))), 401)

    def test_removed_worker(self):
        """An attacker whose account was removed would go on with a session, a photo's link or a password that they have."""
        job, _, [worker, other] = self.labeled_team_job(2)
        task = self.task(worker, job)
        link = next(iter(worker.call("GET", f"/_/api/assignments/{task}/content").json()["images"].values()))
        name = worker.account["name"]
        self.server.run("people", "remove", name)
        self.refused(worker.call("GET", "/_/api/me"), 401)
        self.refused(worker.call("GET", link), 401)
        self.refused(worker.call("POST", f"/_/api/assignments/{task}/submit", answer()), 401)
        self.refused(self.stranger().sign_in(name, PASSWORD), 401)
        _ = other

    def test_removed_by_an_admin(self):
        """An attacker whose account was removed would keep the tasks that they hold, so that nobody else gets them."""
        job, _, [worker, other] = self.labeled_team_job(2, photos=1)
        self.task(worker, job)
        self.assertIsNone(other.call("POST", "/_/api/assignments", {"job": job}).json()["assignment"])
        admin = self.person(role="admin")
        self.assertEqual(admin.call("POST", f"/_/api/accounts/{worker.account['id']}/remove").status, 200)
        self.refused(worker.call("GET", "/_/api/me"), 401)
        self.assertIsNotNone(other.call("POST", "/_/api/assignments", {"job": job}).json()["assignment"])


class CrossSite(AttackCase):
    def test_posts_from_other_sites(self):
        """An attacker would submit, decline or make admins by a form on their own site, sent with a visitor's cookie."""
        admin = self.person(role="admin")
        token = admin.csrf
        foreign = [
            [("Origin", "https://evil.example")], [("Origin", "null")], [("Origin", f"http://{self.authority}.evil.example")], [("Origin", f"https://{self.authority}")],
            [("Sec-Fetch-Site", "cross-site")], [("Sec-Fetch-Site", "same-site")], [("Sec-Fetch-Site", "none")], [("Origin", "https://evil.example"), ("X-Forwarded-Host", "evil.example")],
            [("Origin", f"http://{self.authority}"), ("Origin", "https://evil.example")],
        ]
        for headers in foreign:
            with self.subTest(headers=headers):
                self.refused(self.heard(admin.call("POST", "/_/api/invitations", {"roles": ["admin"]}, headers)), 403, code="CrossSite")
                self.refused(self.heard(self.stranger().call("POST", "/_/api/sign-in", {"name": "x", "password": "y"}, headers)), 403)
        admin.csrf = None
        self.refused(self.heard(admin.call("POST", "/_/api/invitations", {})), 403, code="WrongCsrfToken")
        other = self.person(role="admin")
        for wrong in (other.csrf, "", "x", token[:-1], token.lower(), token + "0"):
            admin.csrf = None
            self.refused(self.heard(admin.call("POST", "/_/api/invitations", {}, [("X-CSRF-Token", wrong)])), 403)
        self.refused(self.heard(admin.call("DELETE", "/_/api/invitations/x")), 403)
        admin.csrf = token
        self.assertEqual(admin.call("POST", "/_/api/invitations", {}, [("Origin", f"http://{self.authority}")]).status, 201)

    def test_forms(self):
        """An attacker would send JSON from a form, whose content types browsers send to other sites without asking."""
        admin = self.person(role="admin")
        for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/json-evil", "text/json", ""):
            connection = Connection(*self.address, source_address=fresh_address())
            headers = [("Cookie", admin.cookie), ("X-CSRF-Token", admin.csrf)] + ([("Content-Type", kind)] if kind else [])
            self.refused(self.heard(connection.request("POST", "/_/api/invitations", headers, b'{"roles":["admin"]}')), 400, 415)

    def test_reads_with_effects(self):
        """An attacker would change things by a mere link or picture, if a GET did."""
        job, _, [worker] = self.labeled_team_job(1)
        task = self.task(worker, job)
        for method, pattern in WORKER + REQUESTER + ADMIN:
            path = pattern.format(task=task, job=job, worker=worker.account["id"])
            if method != "GET" and not any(other == ("GET", pattern) for other in WORKER + REQUESTER + ADMIN):
                with self.subTest(path=pattern):
                    self.assertIn(worker.call("GET", path).status, (404, 405))
        for headers in ([("X-HTTP-Method-Override", "POST")], [("X-HTTP-Method", "DELETE")], [("X-Method-Override", "POST")]):
            worker.call("GET", f"/_/api/assignments/{task}?_method=POST", headers=headers)
        self.assertEqual(worker.call("GET", f"/_/api/assignments/{task}").json()["assignment"]["state"], "leased")

    def test_fixed_sessions(self):
        """An attacker would have a victim sign in with a session that the attacker chose before, and then use it."""
        thief = self.person()
        name = unique("victim") + "@example.com"
        token = self.server.invitation("nobody")
        for planted in (thief.cookie, "terrapin-session=" + "A" * 43, "terrapin-session=planted"):
            victim = self.stranger()
            victim.cookie = planted
            reply = victim.join(token, name, PASSWORD) if victim.cookie == thief.cookie else victim.sign_in(name, PASSWORD)
            self.assertIn(reply.status, (200, 201), reply)
            self.assertNotEqual(victim.cookie, planted)
            check = self.stranger()
            check.cookie = planted
            self.assertNotIn(name, check.call("GET", "/_/api/me").text)
        # Two cookies of the name, as from a neighbouring site: neither counts.
        mixed = self.stranger()
        mixed.cookie = f"{thief.cookie}; {victim.cookie}"
        self.refused(mixed.call("GET", "/_/api/me"), 401)
        old = victim.cookie
        victim.sign_in(name, PASSWORD)
        check = self.stranger()
        check.cookie = old
        self.refused(check.call("GET", "/_/api/me"), 401)

    def test_cookie_flags(self):
        """An attacker would read the session's cookie by script, over plain HTTP, or have it sent from other sites."""
        cookie = self.stranger().join(self.server.invitation("nobody"), unique("p") + "@example.com", PASSWORD).all("Set-Cookie")[0]
        flags = {part.strip().split("=")[0].lower(): part.strip() for part in cookie.split(";")}
        self.assertIn("httponly", flags)
        self.assertEqual(flags["samesite"], "SameSite=Strict")
        self.assertEqual(flags["path"], "Path=/")
        self.assertNotIn("domain", flags)
        certificate, key = self.server.folder / "tls.crt", self.server.folder / "tls.key"
        command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost", "-out", certificate, "-keyout", key]
        subprocess.run(command, check=True, capture_output=True)
        with TerrapinServer(["--tls-cert", str(certificate), "--tls-key", str(key)]) as server:
            session = PortalSession(server.address)
            session.connection.tls = True
            cookie = session.join(server.invitation("nobody"), "p@example.com", PASSWORD).all("Set-Cookie")[0]
            self.assertTrue(cookie.startswith("__Host-"), cookie)
            self.assertIn("; Secure", cookie)
            # Somebody who speaks no TLS learns nothing and is no session.
            plain = PortalSession(server.address)
            plain.cookie = session.cookie
            try:
                self.assertGreaterEqual(plain.call("GET", "/_/api/me").status, 400)
            except BrokenConnection:
                pass

    def test_cached_answers(self):
        """An attacker would find photos and tasks in a shared cache between worker and service."""
        job, _, [worker] = self.labeled_team_job(1)
        content = worker.call("GET", f"/_/api/assignments/{self.task(worker, job)}/content")
        for reply in (content, worker.call("GET", "/_/api/me"), worker.call("GET", "/_/api/jobs")):
            self.assertEqual(reply.header("Cache-Control"), "no-store")
        image = worker.call("GET", next(iter(content.json()["images"].values())))
        directives = [each.strip() for each in image.header("Cache-Control").split(",")]
        self.assertTrue("private" in directives or "no-store" in directives, directives)
        self.assertNotIn("public", directives)
        self.assertEqual(image.header("Cross-Origin-Resource-Policy"), "same-origin")


class Door(AttackCase):
    def test_used_invitations(self):
        """An attacker who finds an invitation later would make a second account with it."""
        token = self.server.invitation("nobody")
        self.assertEqual(self.stranger().join(token, unique("p") + "@example.com", PASSWORD).status, 201)
        self.refused(self.stranger().join(token, unique("p") + "@example.com", PASSWORD), 404)
        self.refused(self.stranger().call("POST", "/_/api/invitation/look", {"token": token}), 404)

    def test_invitations_at_once(self):
        """An attacker would make several accounts of one invitation by accepting it many times at the same moment."""
        token = self.server.invitation("nobody")
        outcomes = []

        def accept():
            outcomes.append(self.stranger().join(token, unique("p") + "@example.com", PASSWORD).status)

        threads = [threading.Thread(target=accept) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(sorted(outcomes), [201] + [404] * 5)

    def test_larger_invitations(self):
        """An attacker would become more than they were invited as: an admin, of another team, or under another's name."""
        admin = self.person(role="admin")
        reply = admin.call("POST", "/_/api/invitations", {"name": "ada@example.com", "groups": ["g"]})
        token = reply.json()["link"].split("#")[1]
        for more in ({"roles": ["admin"]}, {"groups": ["other"]}, {"role": "admin"}, {"account": {"roles": ["admin"]}}):
            self.refused(self.stranger().call("POST", "/_/api/invitation/accept", {"token": token, "name": "ada@example.com", "password": PASSWORD, **more}), 400)
        self.refused(self.stranger().join(token, "eve@example.com", PASSWORD), 400)
        taken = admin.account["name"]
        self.refused(self.stranger().join(self.server.invitation("g"), taken.upper(), PASSWORD), 409)
        joined = self.stranger()
        self.assertEqual(joined.join(token, "ada@example.com", PASSWORD).status, 201)
        self.assertEqual((joined.account["roles"], joined.account["groups"]), (["worker"], ["g"]))

    def test_guessed_passwords(self):
        """An attacker would find a password by trying many, from one address or from many."""
        person = self.person()
        name = person.account["name"]
        statuses = []
        for _ in range(40):  # each from another address
            reply = self.stranger().sign_in(name, "a wrong password")
            statuses.append(reply.status)
            if reply.status == 429:
                self.assertGreaterEqual(int(reply.header("Retry-After")), 1)
                break
        self.assertEqual(statuses[-1], 429, "forty wrong passwords and no pause")
        self.assertTrue(set(statuses[:-1]) <= {401}, statuses)
        # During the pause the right one is not looked at either.
        self.refused(self.stranger().sign_in(name, PASSWORD), 429)
        self.assertEqual(person.call("GET", "/_/api/me").status, 200)
        one_address = PortalSession(self.address, fresh_address())
        statuses = [one_address.sign_in(unique("nobody") + "@example.com", "a wrong password").status for _ in range(40)]
        self.assertIn(429, statuses)

    def test_who_has_an_account(self):
        """An attacker would learn who has an account from what a failed sign-in says, or from how long it takes."""
        person = self.person()
        removed = self.person()
        self.server.run("people", "remove", removed.account["name"])
        texts, times = set(), {}
        for name in (person.account["name"], unique("nobody") + "@example.com", removed.account["name"]):
            times[name] = []
            for _ in range(3):
                begin = time.perf_counter()
                reply = self.stranger().sign_in(name, "a wrong password")
                times[name].append(time.perf_counter() - begin)
                texts.add((reply.status, reply.text))
        self.assertEqual(len(texts), 1, texts)
        medians = [statistics.median(each) for each in times.values()]
        self.assertLess(max(medians), 8 * min(medians), f"a password is not hashed for everybody: {medians}")

    def test_other_types(self):
        """An attacker would pass the check of a password with something that is no text."""
        person = self.person()
        name = person.account["name"]
        for password in ({"$gt": ""}, [PASSWORD], True, None, 0, "", PASSWORD + "\0", {"toString": PASSWORD}):
            for sent in (name, {"$ne": ""}, [name]):
                reply = self.stranger().call("POST", "/_/api/sign-in", {"name": sent, "password": password})
                self.refused(self.heard(reply), 400, 401)
                self.assertFalse(reply.all("Set-Cookie"))
        for text in (b'{"name":"%s","password":"x","password":"%s"}' % (name.encode(), b"y"), b"[]", b"null", b'"x"', b"{"):
            self.refused(self.stranger().call("POST", "/_/api/sign-in", text), 400, 401)

    def test_used_resets(self):
        """An attacker who finds a reset link later, or has an old session, would stay in after the password was changed."""
        person = self.person()
        output = self.server.run("people", "reset", person.account["name"], "--url", self.server.url).stdout
        token = output.split("#")[1].split()[0]
        self.assertEqual(self.stranger().call("POST", "/_/api/password/reset", {"token": token, "password": "another long password"}).status, 200)
        self.refused(self.stranger().call("POST", "/_/api/password/reset", {"token": token, "password": "evil long password"}), 404)
        self.refused(person.call("GET", "/_/api/me"), 401)
        self.refused(self.stranger().sign_in(person.account["name"], PASSWORD), 401)
        self.refused(self.stranger().call("POST", "/_/api/invitation/accept", {"token": token, "name": unique("p"), "password": PASSWORD}), 404)

    def test_addresses_by_header(self):
        """An attacker would come from an allowed address, or count as many addresses, by saying so in X-Forwarded-For."""
        stranger = self.stranger()
        statuses = []
        for number in range(40):
            headers = [("X-Forwarded-For", f"192.0.2.{number}"), ("Forwarded", f"for=192.0.2.{number}"), ("X-Real-IP", f"192.0.2.{number}")]
            statuses.append(stranger.call("POST", "/_/api/sign-in", {"name": unique("n"), "password": "a wrong password"}, headers).status)
        self.assertIn(429, statuses)

    def test_flooded_accounts(self):
        """An attacker with one account would keep the service from others by asking without a pause."""
        person, other = self.person(), self.person()
        statuses = {person.call("GET", "/_/api/me").status for _ in range(600)}
        self.assertIn(429, statuses)
        self.assertEqual(other.call("GET", "/_/api/me").status, 200)

    def test_draft_hoarding(self):
        """An attacker who is a worker would fill the disk with drafts."""
        job, _, [worker] = self.labeled_team_job(1)
        task = self.task(worker, job)
        worker.call("POST", f"/_/api/assignments/{task}/draft/open", {"tab": "tab"})
        path = f"/_/api/assignments/{task}/draft/"
        self.refused(self.heard(worker.call("POST", path + "deltas", {"tab": "tab", "deltas": [{"sequence": 1, "data": "x" * ((4 << 20) + 1)}]})), 413)
        self.refused(self.heard(worker.call("PUT", path + "snapshot", {"tab": "tab", "base_sequence": 0, "snapshot": "x" * ((64 << 20) + 1)})), 413)
        refused = 0
        for sequence in range(1, 20):
            reply = worker.call("POST", path + "deltas", {"tab": "tab", "deltas": [{"sequence": sequence, "data": "x" * (4 << 20)}]})
            if reply.status == 413:
                refused = sequence
                break
            self.assertEqual(reply.status, 200, reply)
        self.assertTrue(0 < refused <= 17, refused)
        self.assertEqual(worker.call("DELETE", f"/_/api/assignments/{task}/draft").status, 200)
        self.refused(worker.call("POST", f"/_/api/assignments/{task}/draft/open", {"tab": "x" * 5000}), 400)
