"""DescribeSubscribedWorkteam: teams of vendors, made on the host by `terrapin vendors add`."""

import json
import re

from support import labeling_material
from support.aws_case import NOT_NULL, SageMakerCase, unique
from support.labeling_worker import Worker


class DescribeSubscribedWorkteam(SageMakerCase):
    def add(self, name, *options):
        return json.loads(self.server.run("vendors", "add", name, "--json", *options).stdout)["arn"]

    def describe_team(self, arn):
        return self.sagemaker.describe_subscribed_workteam(WorkteamArn=arn)["SubscribedWorkteam"]

    def test_every_member(self):
        name = unique("acme")
        arn = self.add(name, "--title", "Acme paints", "--description", "Quick and exact", "--seller", "Acme Inc.")
        self.assertEqual(arn, labeling_material.team_arn(name, "vendor-crowd"))
        self.assertEqual(self.describe_team(arn), {"WorkteamArn": arn, "MarketplaceTitle": "Acme paints", "MarketplaceDescription": "Quick and exact",
                                                   "SellerName": "Acme Inc.", "ListingId": "vendor-" + name})

    def test_members_that_nobody_gave(self):
        arn = self.add(unique("acme"))
        self.assertEqual(set(self.describe_team(arn)), {"WorkteamArn", "ListingId"})

    def test_a_vendor_sees_only_jobs_sent_to_it(self):
        first, second = unique("acme"), unique("acme")
        name = self.make_job(team=self.add(first), photos=1)
        other = self.make_job(team=self.add(second), photos=1)
        private = self.make_job(photos=1)
        for job in (name, other, private):
            self.wait_for_status(job, "InProgress")
        worker = Worker(self.server, "vendor:" + first)
        self.addCleanup(worker.close)
        self.assertEqual([job["job_name"] for job in worker.jobs()], [name])
        self.assertEqual(worker.label("", lambda content: labeling_material.disc()), [0])
        self.wait_for_status(name, "Completed")

    def test_a_removed_vendor(self):
        name = unique("acme")
        arn = self.add(name)
        self.server.run("vendors", "remove", name)
        with self.invalid(re.compile("Could not find")):
            self.describe_team(arn)

    def test_teams_that_are_none(self):
        for arn in (labeling_material.team_arn("nobody", "vendor-crowd"), self.make_team()):
            with self.subTest(arn), self.invalid(re.compile("^Could not find .*" + re.escape(arn))):
                self.describe_team(arn)
        with self.invalid(self.constraint("acme", "workteamArn", r"satisfy regular expression pattern: arn:aws[a-z\-]*:sagemaker:[a-z0-9\-]*:[0-9]{12}:workteam/.*")):
            self.describe_team("acme")
        with self.invalid(self.constraint(None, "workteamArn", NOT_NULL)):
            self.raw_sagemaker.describe_subscribed_workteam()
