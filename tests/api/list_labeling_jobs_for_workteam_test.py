"""ListLabelingJobsForWorkteam."""

from support import labeling_material
from support.aws_case import MATCH, NOT_NULL, SageMakerCase, unique
from support.labeling_worker import Worker
from support.terrapin_server import ACCOUNT


class ListLabelingJobsForWorkteam(SageMakerCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        case = cls()
        cls.group = unique("group")
        cls.team = case.make_team(group=cls.group)
        request = case.job_request(team=cls.team, workers=2)
        cls.names = [unique("job") for _ in range(5)]
        for name in cls.names:
            cls.sagemaker.create_labeling_job(**dict(request, LabelingJobName=name))
        case.make_job()  # of another team
        for name in cls.names:
            case.wait_for_status(name, "InProgress")

    def list(self, **members):
        return self.sagemaker.list_labeling_jobs_for_workteam(WorkteamArn=self.team, **members)

    def shown(self, **members):
        return [job["LabelingJobName"] for job in self.list(**members)["LabelingJobSummaryList"]]

    def test_every_member_of_a_summary(self):
        summary = self.list(SortOrder="Ascending")["LabelingJobSummaryList"][0]
        job = self.describe(self.names[0])
        self.assertEqual(summary, {"LabelingJobName": self.names[0], "JobReferenceCode": job["JobReferenceCode"], "WorkRequesterAccountId": ACCOUNT,
                                   "CreationTime": job["CreationTime"], "NumberOfHumanWorkersPerDataObject": 2,
                                   "LabelCounters": {"HumanLabeled": 0, "PendingHuman": 2, "Total": 2}})

    def test_counters_of_a_job_at_work(self):
        team = self.make_team(group="summary")
        name = self.make_job(team=team, photos=3)
        self.wait_for_status(name, "InProgress")
        worker = Worker(self.server, "summary")
        self.addCleanup(worker.close)
        worker.label(name, lambda content: labeling_material.disc())
        self.wait_for_status(name, "Completed")
        summary = self.sagemaker.list_labeling_jobs_for_workteam(WorkteamArn=team)["LabelingJobSummaryList"][0]
        self.assertEqual(summary["LabelCounters"], {"HumanLabeled": 3, "PendingHuman": 0, "Total": 3})

    def test_orders_and_filters(self):
        self.assertEqual(self.shown(SortBy="CreationTime", SortOrder="Ascending"), self.names)
        self.assertEqual(self.shown(SortBy="CreationTime", SortOrder="Descending"), self.names[::-1])
        third = self.describe(self.names[2])
        moment = third["CreationTime"].timestamp()
        answer = self.post("ListLabelingJobsForWorkteam", {"WorkteamArn": self.team, "CreationTimeAfter": moment - 1e-6, "CreationTimeBefore": moment + 1e-6})
        self.assertEqual([job["LabelingJobName"] for job in answer[1]["LabelingJobSummaryList"]], [self.names[2]])
        self.assertEqual(self.shown(JobReferenceCodeContains=third["JobReferenceCode"][2:]), [self.names[2]])

    def test_pages(self):
        pages = self.page_through(self.sagemaker.list_labeling_jobs_for_workteam, 2, WorkteamArn=self.team)
        self.assert_last_page_only(pages, "LabelingJobSummaryList", 5)
        pages = self.sagemaker.get_paginator("list_labeling_jobs_for_workteam").paginate(WorkteamArn=self.team, PaginationConfig={"PageSize": 3})
        self.assertCountEqual([job["LabelingJobName"] for page in pages for job in page["LabelingJobSummaryList"]], self.names)

    def test_teams_that_are_none(self):
        missing = labeling_material.team_arn("nobody")
        with self.refused("ResourceNotFound", f'Could not find workteam "{missing}".'):
            self.sagemaker.list_labeling_jobs_for_workteam(WorkteamArn=missing)

    def test_values_that_may_not_be(self):
        call = self.raw_sagemaker.list_labeling_jobs_for_workteam
        with self.invalid(self.constraint(None, "workteamArn", NOT_NULL)):
            call()
        with self.invalid(self.constraint("team", "workteamArn", r"satisfy regular expression pattern: arn:aws[a-z\-]*:sagemaker:[a-z0-9\-]*:[0-9]{12}:workteam/.*")):
            call(WorkteamArn="team")
        for members, value, path, *rules in (({"MaxResults": 101}, 101, "maxResults", "have value less than or equal to 100"),
                                           ({"SortBy": "Name"}, "Name", "sortBy", "satisfy enum value set: [CreationTime]"),
                                           ({"JobReferenceCodeContains": ""}, "", "jobReferenceCodeContains", "have length greater than or equal to 1", MATCH + ".+")):
            with self.subTest(members), self.invalid(self.constraint(value, path, *rules)):
                call(WorkteamArn=self.team, **members)
        with self.refused("ValidationException"):
            self.list(NextToken="none")
