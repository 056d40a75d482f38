"""DeleteWorkteam."""

import re

from support.aws_case import NOT_NULL, SageMakerCase, unique


class DeleteWorkteam(SageMakerCase):
    def delete(self, name):
        return self.sagemaker.delete_workteam(WorkteamName=name)

    def missing(self, name):
        return self.invalid(f'Could not find workteam "{self.arn("workteam/private-crowd/" + name)}".')

    def test_it_goes_with_its_tags(self):
        name = unique("team")
        arn = self.make_team(name, Tags=[{"Key": "a", "Value": "1"}])
        self.assertIs(self.delete(name)["Success"], True)
        with self.missing(name):
            self.sagemaker.describe_workteam(WorkteamName=name)
        self.assertEqual(self.make_team(name), arn)
        self.assertEqual(self.sagemaker.list_tags(ResourceArn=arn)["Tags"], [])

    def test_one_with_a_job_at_work_stays(self):
        name = unique("team")
        job = self.make_job(team=self.make_team(name))
        with self.invalid(re.compile("has labeling jobs that have not ended")):
            self.delete(name)
        self.sagemaker.stop_labeling_job(LabelingJobName=job)
        self.wait_for_status(job, "Stopped")
        self.assertIs(self.delete(name)["Success"], True)

    def test_teams_that_are_none(self):
        with self.missing("nothing"):
            self.delete("nothing")
        with self.invalid(self.constraint(None, "workteamName", NOT_NULL)):
            self.raw_sagemaker.delete_workteam()

    def test_requesters_may_not(self):
        name = unique("team")
        self.make_team(name)
        with self.refused("AccessDeniedException"):
            self.server.client("sagemaker", self.server.key_of("requester")).delete_workteam(WorkteamName=name)
        self.delete(name)
