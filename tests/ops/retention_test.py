"""`serve --retain-answers-days`: what is over its time goes, and nothing else."""

import hashlib
import sqlite3

from service_case import REQUESTER, ServiceCase, answer
from support.files import files_below
from support.signed_http import Connection

BUCKET = "photos"
DAY = 86_400 * 1_000_000
KEPT = 3


class Retention(ServiceCase):
    def files(self, service):
        """path below the objects' folder -> digest"""
        root = service.server.data_dir / "objects"
        found = {}
        for path in files_below(root):
            try:
                if not path.relative_to(root).parts[0].startswith("."):
                    found[str(path.relative_to(root))] = hashlib.sha256(path.read_bytes()).hexdigest()
            except FileNotFoundError:
                pass  # gone since it was listed
        return found

    def rows(self, service, statement):
        state = sqlite3.connect(service.server.data_dir / "state.db")
        try:
            with state:
                return state.execute(statement).fetchall()
        finally:
            state.close()

    def everything(self, service):
        """All rows of all tables, but for what retention clears."""
        tables = [name for name, in self.rows(service, "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")]
        cleared = {"labeling_assignments", "labeling_drafts", "labeling_draft_deltas", "identity_sessions"}
        return {table: sorted(map(repr, self.rows(service, f"SELECT * FROM {table}"))) for table in tables if table not in cleared}

    def age(self, service, job, days):
        """As if the job had ended so long ago."""
        self.rows(service, f"UPDATE labeling_jobs SET modified = modified - {int(days * DAY)} WHERE name = '{job}'")

    def test_answers_and_drafts(self):
        """Of four jobs (ended long ago, ended lately, stopped long ago, running for long) the first and third lose their stored answers."""
        service = self.service("--retain-answers-days", str(KEPT))
        service.bucket(BUCKET)
        team = service.team()
        workers = [service.worker(team) for _ in range(2)]
        old, late, stopped, running = (service.job(team, BUCKET, 2, workers_per_object=2) for _ in range(4))
        tasks = {}
        for job in (old, late, stopped, running):
            self.wait_for_status(service, job, "InProgress")
        for job in (old, late):
            for worker in workers:
                self.label_all(worker, job, 4)
            self.check_done(service, BUCKET, job, 2, {0: [4], 1: [4]})
        for job in (stopped, running):  # an answer, and a draft beside it
            tasks[job] = self.task(workers[0], job)["id"]
            self.assertEqual(workers[0].call("POST", f"/_/api/assignments/{tasks[job]}/submit", answer(2)).status, 200)
            draft = self.task(workers[1], job)["id"]
            self.assertEqual(workers[1].call("POST", f"/_/api/assignments/{draft}/draft/open", {"tab": "a"}).status, 200)
            reply = workers[1].call("POST", f"/_/api/assignments/{draft}/draft/deltas", {"tab": "a", "deltas": [{"sequence": 1, "data": "stroke"}]})
            self.assertEqual(reply.status, 200)
            tasks[job + " draft"] = draft
        service.ask("POST", REQUESTER + f"jobs/{stopped}/stop")
        self.wait_for_status(service, stopped, "Stopped")
        service.server.stop()
        self.age(service, old, KEPT + 0.5)
        self.age(service, stopped, KEPT + 0.5)
        self.age(service, late, KEPT - 0.5)
        self.age(service, running, 400)
        before, rows = self.files(service), self.everything(service)
        service.server.start()
        for session in (service.admin, *workers):
            session.moved(service.server.address)

        def answers_of(job):
            return [path for path in self.files(service) if path.startswith(f"{BUCKET}/out/{job}/intermediate/answers/")]

        self.wait_for(lambda: not answers_of(old) and not answers_of(stopped), "the old answers go")
        self.wait_for(lambda: not self.rows(service, "SELECT * FROM labeling_assignments a JOIN labeling_jobs j ON j.id = a.job_id "
                                            f"WHERE j.name IN ('{old}', '{stopped}') AND a.answer_uri <> ''"), "no row names them")
        self.wait_for(lambda: not self.rows(service, "SELECT * FROM labeling_removals"), "the removals are noted")
        # Files: exactly those, and nothing changed. The intermediate manifest of the running job is written anew at a start.
        after = self.files(service)
        gone = {path for path in before if path.startswith(tuple(f"{BUCKET}/out/{job}/intermediate/answers/" for job in (old, stopped)))}
        self.assertEqual(len(gone), 2 * (4 + 1))
        self.assertEqual(set(before) - set(after), gone)
        self.assertEqual(set(after) - set(before), set())
        changed = {path for path in after if after[path] != before[path]}
        self.assertLessEqual(changed, {f"{BUCKET}/out/{running}/annotations/intermediate/1/output.manifest"})
        self.assertEqual(len(answers_of(late)), 2 * 4)
        self.assertEqual(len(answers_of(running)), 2)
        now = self.everything(service)
        for table in rows:
            if table != "labeling_jobs":
                self.assertEqual(now[table], rows[table], table)
        # Drafts: those of jobs that ended more than a day ago.
        drafts = self.rows(service, "SELECT j.name FROM labeling_drafts d JOIN labeling_jobs j ON j.id = d.job_id")
        self.assertEqual(drafts, [(running,)])
        self.assertEqual(len(self.rows(service, "SELECT * FROM labeling_draft_deltas")), 1)
        # Masks, statistics and the dataset stay; what needs the answers says that they are gone.
        for job in (old, late):
            self.check_done(service, BUCKET, job, 2, {0: [4], 1: [4]})
            self.assertEqual(len(service.ask("GET", REQUESTER + f"jobs/{job}/workers")["workers"]), 2)
            reply = service.admin.call("GET", REQUESTER + f"jobs/{job}/download?what=dataset")
            self.assertEqual(reply.status, 200)
        reply = workers[0].call("GET", f"/_/api/assignments/{tasks[stopped]}/answer")
        self.assertEqual(reply.status, 404, reply)
        who = workers[0].account["id"]
        reply = service.admin.call("POST", REQUESTER + f"jobs/{old}/workers/{who}/withdraw")
        self.assertEqual(reply.status, 409, reply)
        self.assertIn("retention", reply.text)
        self.assertEqual(service.admin.call("POST", REQUESTER + f"jobs/{late}/workers/{who}/withdraw").status, 200)
        # The running job goes on with its draft.
        reply = workers[1].call("POST", f"/_/api/assignments/{tasks[running + ' draft']}/draft/open", {"tab": "b"})
        self.assertEqual([each["data"] for each in reply.json()["deltas"]], ["stroke"])
        for worker in workers:
            for assignment in worker.call("GET", "/_/api/assignments").json()["assignments"]:
                if assignment["state"] == "leased":
                    self.assertEqual(worker.call("POST", f"/_/api/assignments/{assignment['id']}/submit", answer(2)).status, 200)
            self.label_all(worker, running, 2)
        self.check_done(service, BUCKET, running, 2, {0: [2], 1: [2]})

    def test_nothing_goes_unless_told(self):
        """Without the option answers stay, however old the job is."""
        service = self.service()
        service.bucket(BUCKET)
        team = service.team()
        worker = service.worker(team)
        job = service.job(team, BUCKET, 2)
        self.wait_for_status(service, job, "InProgress")
        self.label_all(worker, job, 1)
        self.check_done(service, BUCKET, job, 2)
        service.server.stop()
        self.age(service, job, 4000)
        before = self.files(service)
        service.server.start()
        for session in (service.admin, worker):
            session.moved(service.server.address)
        # Leases are looked at after retention: what ends by then saw it pass.
        other = service.job(team, BUCKET, 1)
        self.wait_for_status(service, other, "InProgress")
        self.label_all(worker, other, 1)
        self.check_done(service, BUCKET, other, 1)
        after = self.files(service)
        self.assertEqual({path: after.get(path) for path in before}, before)

    def test_the_log_goes_to_standard_error(self):
        """The program keeps no log files of its own: whoever runs it keeps and ends them; --quiet and --log-level say how much there is."""
        service = self.service("--log-level", "warn", "--quiet")
        connection = Connection(*service.server.address)
        self.assertEqual(connection.request("GET", "/healthz").status, 200)
        connection.close()
        service.server.stop()
        self.assertEqual(service.server.log.read_text(), "")
        names = {path.name for path in service.server.data_dir.iterdir()}
        self.assertEqual({name for name in names if "log" in name}, set())
