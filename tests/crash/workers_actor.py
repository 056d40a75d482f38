"""Workers: accept, draw (deltas, snapshots, other tabs), submit, correct, return, decline. Each actor has accounts of its own."""

import base64
import json
import threading
import time

from support.portal_session import PortalSession
from support.small_png import encode_rgb
from world import PATIENCE, Actor, Wrong, require

SIZE = (24, 16)  # of every photo
COLORS = {0: (255, 255, 255), 1: (0x1F, 0x77, 0xB4), 2: (0xFF, 0x7F, 0x0E)}  # background, Turtle, Diver


def mask_rows(job, index, variant):
    """The class indices that workers paint on an object. Variant 0 is what all paint at first."""
    left, top = (index * 5 + variant * 3) % 10, (index * 3 + variant) % 7
    label = 1 + (len(job) + index + variant) % 2
    width, height = SIZE
    return [bytes(label if left <= x < left + 9 and top <= y < top + 7 else 0 for x in range(width)) for y in range(height)]


def answer_text(job, index, variant, note):
    """As the form gives it; `note` makes every answer a text of its own."""
    rows = mask_rows(job, index, variant)
    image = encode_rgb(*SIZE, lambda x, y: COLORS[rows[y][x]])
    element = {
        "inputImageProperties": {"height": SIZE[1], "width": SIZE[0]},
        "labelMappings": {"Turtle": {"color": "#1f77b4"}, "Diver": {"color": "#ff7f0e"}},
        "labeledImage": {"pngImageData": base64.b64encode(image).decode()},
    }
    return json.dumps({"crowd-semantic-segmentation": element, "note": note})


class Draft:
    def __init__(self, base=0, snapshot="", deltas=None):
        self.base, self.snapshot, self.deltas = base, snapshot, dict(deltas or {})

    def next(self):
        return max([self.base, *self.deltas]) + 1

    def with_deltas(self, deltas):
        return Draft(self.base, self.snapshot, {**self.deltas, **deltas})

    def with_snapshot(self, base, snapshot):
        return Draft(base, snapshot, {n: data for n, data in self.deltas.items() if n > base})

    def __eq__(self, other):
        return (self.base, self.snapshot, self.deltas) == (other.base, other.snapshot, other.deltas)

    def __repr__(self):
        return f"base {self.base}, snapshot of {len(self.snapshot)}, deltas {sorted(self.deltas)}"


class Task:
    """One lease. `states` holds more than one while uncertain."""

    def __init__(self, job, index):
        self.job, self.index = job, index
        self.states = ["leased"]
        self.began, self.ended = 0.0, float("inf")  # when the step that made this state was sent, and when it had certainly happened
        self.answers = []  # texts that the answer may be; more than one while uncertain
        self.variants = {}  # text -> variant

    @property
    def state(self):
        return self.states[0]


class Account:
    def __init__(self, name):
        self.name = name
        self.session = None
        self.tasks = {}  # id -> Task
        self.drafts = {}  # (job, index) -> states that the draft may have
        self.tabs = {}  # task id -> the tab that owns its draft
        self.unheard_accepts = 0
        self.mutex = threading.Lock()


class WorkersActor(Actor):
    def __init__(self, world, number, jobs, accounts):
        super().__init__(world, f"workers-{number}")
        self.jobs, self.accounts = jobs, accounts
        self.number = 0
        self.finishing = False  # no more detours: everything is to be submitted

    def connect(self):
        for account in self.accounts:
            account.session.moved(self.world.address)

    def call(self, account, method, path, body=None):
        self.world.count("portal")
        return account.session.call(method, path, body)

    def fresh(self, what):
        self.number += 1
        return f"{what} {self.name}/{self.number}"

    # ---- what they do ----

    def step(self):
        account = self.random.choice(self.accounts)
        leased = [id for id, task in account.tasks.items() if task.states == ["leased"]]
        if not leased or (len(leased) < 3 and self.random.random() < 0.1):
            self.accept(account, prefetch=bool(leased))
            return
        task_id = self.random.choice(leased)
        if self.finishing:
            self.submit(account, task_id)
            return
        submitted = [id for id, task in account.tasks.items() if task.states == ["submitted"]]
        choice = self.random.choices(
            [self.save, self.snapshot, self.open, self.submit, self.give_back, self.decline, self.discard], [30, 6, 4, 7, 2, 1, 1]
        )[0]
        if submitted and self.random.random() < 0.1:
            self.correct(account, submitted[-1])
        else:
            choice(account, task_id)

    def accept(self, account, prefetch=False):
        account.unheard_accepts += 1
        reply = self.call(account, "POST", "/_/api/assignments", {"prefetch": prefetch})
        account.unheard_accepts -= 1
        if reply.status == 429:
            return False
        require(reply.status in (200, 201), f"accept: {reply}")
        lease = reply.json()["assignment"]
        if lease is None:
            self.world.stop.wait(0.02)
            return False
        self.take(account, lease, "accept")
        return True

    def take(self, account, lease, where):
        known = account.tasks.get(lease["id"])
        if known:
            require("leased" in known.states, f"{where} gave {account.name} the task {lease['id']}, which is {known.states}")
            return
        for other in account.tasks.values():
            if (other.job, other.index) == (lease["job_name"], lease["object_index"]):
                require(
                    other.states[0] in ("returned", "leased") and "returned" in other.states
                    or self.jobs.may_be_stopped(other.job)
                    or ("declined" in other.states and self.jobs.by_name[other.job].may_have(lambda event: event.opens(other.index))),
                    f"{where} gave {account.name} object {other.index} of {other.job} again, which they have {other.states}",
                )
        account.tasks[lease["id"]] = Task(lease["job_name"], lease["object_index"])

    # 409 is a refusal that the job's end explains; anything else is not.
    def refused(self, account, task_id, reply, what):
        if reply.status == 429:
            return True
        if reply.status != 409:
            return False
        task = account.tasks[task_id]
        require(self.jobs.may_be_stopped(task.job), f"{what} of task {task_id} ({task.states}, {task.job}): {reply}")
        if task.states == ["leased"]:
            task.states = ["leased", "returned"]
        return True

    def draft(self, account, task_id):
        task = account.tasks[task_id]
        return account.drafts.setdefault((task.job, task.index), [Draft()])

    def open(self, account, task_id):
        tab = self.fresh("tab")
        reply = self.call(account, "POST", f"/_/api/assignments/{task_id}/draft/open", {"tab": tab})
        if self.refused(account, task_id, reply, "opening the draft"):
            return False
        require(reply.status == 200, f"opening the draft of {task_id}: {reply}")
        account.tabs[task_id] = tab
        body = reply.json()
        found = Draft(body["base_sequence"], body["snapshot"], {each["sequence"]: each["data"] for each in body["deltas"]})
        states = self.draft(account, task_id)
        fitting = [state for state in states if (state or Draft()) == found]
        require(fitting, f"the draft of {task_id} of {account.name} has {found}; expected one of {states}")
        require(body["next_sequence"] == found.next(), f"the draft of {task_id}: next sequence {body['next_sequence']}, deltas {found}")
        task = account.tasks[task_id]
        account.drafts[(task.job, task.index)] = [found]
        return True

    def owned(self, account, task_id):
        return task_id in account.tabs or self.open(account, task_id)

    def save(self, account, task_id):
        if not self.owned(account, task_id):
            return
        task = account.tasks[task_id]
        states = self.draft(account, task_id)
        first = states[0].next()
        size = self.random.choice([10, 200, 2000, 30_000])
        deltas = {first + i: self.fresh("delta ") + "x" * size for i in range(self.random.randint(1, 3))}
        if self.random.random() < 0.1 and states[0].deltas:  # the last one once more, as after a lost answer
            last = max(states[0].deltas)
            deltas = {last: states[0].deltas[last], **deltas}
        new = states[0].with_deltas(deltas)
        states.append(new)
        body = {"tab": account.tabs[task_id], "deltas": [{"sequence": n, "data": data} for n, data in sorted(deltas.items())]}
        reply = self.call(account, "POST", f"/_/api/assignments/{task_id}/draft/deltas", body)
        if self.refused(account, task_id, reply, "saving deltas"):
            states.pop()
            return
        require(reply.status == 200 and reply.json() == {"next_sequence": new.next()}, f"saving deltas {sorted(deltas)}: {reply}")
        account.drafts[(task.job, task.index)] = [new]
        self.world.count("acknowledged deltas", len(deltas))

    def snapshot(self, account, task_id):
        if not self.owned(account, task_id):
            return
        task = account.tasks[task_id]
        states = self.draft(account, task_id)
        base = self.random.randint(states[0].base, states[0].next() - 1)
        new = states[0].with_snapshot(base, self.fresh("snapshot ") + "y" * self.random.choice([10, 50_000]))
        states.append(new)
        body = {"tab": account.tabs[task_id], "base_sequence": base, "snapshot": new.snapshot}
        reply = self.call(account, "PUT", f"/_/api/assignments/{task_id}/draft/snapshot", body)
        if self.refused(account, task_id, reply, "saving a snapshot"):
            states.pop()
            return
        require(reply.status == 200, f"saving a snapshot: {reply}")
        account.drafts[(task.job, task.index)] = [new]

    def discard(self, account, task_id):
        task = account.tasks[task_id]
        states = self.draft(account, task_id)
        states.append(Draft())
        account.tabs.pop(task_id, None)
        reply = self.call(account, "DELETE", f"/_/api/assignments/{task_id}/draft")
        if self.refused(account, task_id, reply, "discarding the draft"):
            states.pop()
            return
        require(reply.status == 200, f"discarding the draft: {reply}")
        account.drafts[(task.job, task.index)] = [Draft()]

    def end(self, account, task_id, to, method, path, body, drops_draft):
        """A step that ends the lease as `to`."""
        task = account.tasks[task_id]
        states = self.draft(account, task_id)
        task.states.append(to)
        task.began, task.ended = time.monotonic(), float("inf")
        if drops_draft:
            states.append(Draft())
        reply = self.call(account, method, f"/_/api/assignments/{task_id}{path}", body)
        if reply.status in (409, 429):
            task.states.remove(to)
            if drops_draft:
                states.pop()
        if self.refused(account, task_id, reply, path):
            return False
        require(reply.status == 200, f"{path} of {task_id} ({task.job}, object {task.index}): {reply}")
        require(reply.json()["assignment"]["state"] == to, f"{path}: {reply}")
        task.states, task.ended = [to], time.monotonic()
        account.tabs.pop(task_id, None)
        if drops_draft:
            account.drafts.pop((task.job, task.index), None)
        return True

    def submit(self, account, task_id):
        task = account.tasks[task_id]
        text = answer_text(task.job, task.index, 0, self.fresh("answer"))
        task.answers, task.variants[text] = [text], 0
        if self.end(account, task_id, "submitted", "POST", "/submit", text.encode(), True):
            self.world.count("acknowledged answers")
        elif task.states != ["submitted"]:
            task.answers = []

    def give_back(self, account, task_id):
        self.end(account, task_id, "returned", "POST", "/return", {}, False)

    def decline(self, account, task_id):
        self.end(account, task_id, "declined", "POST", "/decline", {"reason": "too dark"}, True)

    def correct(self, account, task_id):
        task = account.tasks[task_id]
        variant = self.random.choice([0, 0, 1])
        text = answer_text(task.job, task.index, variant, self.fresh("correction"))
        task.answers.append(text)
        task.variants[text] = variant
        reply = self.call(account, "PUT", f"/_/api/assignments/{task_id}/answer", text.encode())
        if reply.status in (409, 429):  # consolidated, or stopped
            task.answers.remove(text)
            return
        require(reply.status == 200, f"correcting {task_id}: {reply}")
        task.answers = [text]
        self.world.count("acknowledged corrections")

    # ---- what must be there ----

    def history(self, account):
        found, offset = {}, 0
        while True:
            reply = self.call(account, "GET", f"/_/api/assignments?limit=200&offset={offset}")
            if reply.status == 429:
                self.world.stop.wait(0.5)
                continue
            require(reply.status == 200, f"history of {account.name}: {reply}")
            page = reply.json()["assignments"]
            for each in page:
                require(each["id"] not in found, f"history of {account.name} names {each['id']} twice")
                found[each["id"]] = each
            offset += len(page)
            if len(page) < 200:
                return found

    def check_answer(self, account, task_id):
        task = account.tasks[task_id]
        reply = self.call(account, "GET", f"/_/api/assignments/{task_id}/answer")
        if reply.status == 429:
            return
        worker = account.session.account["id"]
        taken_out = self.jobs.by_name[task.job].may_have(lambda event: event.takes_out(task.index, worker) and (event.end is None or event.end > task.began))
        if reply.status == 404 and taken_out:
            return  # taken out since its state was asked: settling looks again
        require(reply.status == 200, f"the answer of {task_id} ({task.job}, object {task.index}) of {account.name}: {reply}")
        require(reply.text in task.answers, f"the answer of {task_id} is none of those given: {reply.text[-100:]}")
        task.answers = [reply.text]

    def expected(self, account, task, asked):
        """The states that a task may have been in since `asked`, after what the worker did and what the requester did to their answer."""
        allowed = list(task.states)
        job = self.jobs.by_name[task.job]
        if "leased" in allowed and job.stop != "no":
            allowed.append("returned")
        for given, becomes, fits in (
            ("submitted", "withdrawn", lambda event: event.takes_out(task.index, account.session.account["id"])),
            ("declined", "returned", lambda event: event.opens(task.index)),
        ):
            events = [event for event in job.may_have(fits) if event.end is None or event.end > task.began]
            if given in allowed and events and becomes not in allowed:
                allowed.append(becomes)
            if task.states == [given] and any(event.happened and task.ended < event.begin and event.end < asked for event in events):
                allowed = [becomes]
        return allowed

    def settle_account(self, account, everything):
        asked = time.monotonic()
        found = self.history(account)
        missing = set(account.tasks) - set(found)
        require(not missing, f"tasks of {account.name} are gone: {[(id, account.tasks[id].job, account.tasks[id].states) for id in missing]}")
        unheard = [id for id in found if id not in account.tasks]
        require(len(unheard) <= account.unheard_accepts, f"{account.name} has {len(unheard)} tasks that they were not told of")
        account.unheard_accepts = 0
        for task_id in unheard:
            self.take(account, found[task_id], "an accept that was not answered")
        for task_id, task in account.tasks.items():
            shown = found[task_id]
            require((shown["job_name"], shown["object_index"]) == (task.job, task.index), f"task {task_id} is another: {shown}")
            allowed = self.expected(account, task, asked)
            require(shown["state"] in allowed, f"task {task_id} ({task.job}, object {task.index}) is {shown['state']}; expected {allowed}")
            uncertain = len(task.states) > 1 or len(task.answers) > 1
            before, task.states = task.states, [shown["state"]]
            if shown["state"] in ("submitted", "declined"):
                # It was so when it was asked: what the requester did before has not touched it.
                task.began, task.ended = asked, time.monotonic()
            if before != task.states and shown["state"] == "withdrawn":
                self.world.count("answers seen taken out")
            draft = account.drafts.get((task.job, task.index))
            if shown["state"] == "leased":
                task.answers = []
                if draft and (everything or len(draft) > 1 or self.random.random() < 0.3):
                    self.open(account, task_id)
            elif shown["state"] in ("submitted", "declined", "withdrawn") and before != task.states:
                account.drafts.pop((task.job, task.index), None)
            elif draft and len(draft) > 1 and shown["state"] == "returned":
                pass  # asked when the object comes again
            if shown["state"] == "submitted" and (uncertain or everything or self.random.random() < 0.05):
                self.check_answer(account, task_id)

    def settle(self):
        for account in self.accounts:
            account.tabs.clear()
            self.settle_account(account, False)

    def verify(self):
        for account in self.accounts:
            account.tabs.clear()
            self.settle_account(account, True)


def make_session(world, token, name):
    session = PortalSession(world.address, timeout=PATIENCE)
    reply = session.join(token, name, "a long enough password")
    if reply.status != 201:
        raise Wrong(f"{name} cannot accept an invitation: {reply}")
    return session
