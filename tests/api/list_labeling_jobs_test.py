"""ListLabelingJobs."""

import datetime

from support.aws_case import SageMakerCase, unique

MICROSECOND = 1e-6


class ListLabelingJobs(SageMakerCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        case = cls()
        cls.mark = unique("list")
        cls.team = case.make_team()
        request = case.job_request(team=cls.team)
        cls.names = [f"{cls.mark}-{letter}" for letter in "cadbe"]  # in order of creation
        for name in cls.names:
            cls.sagemaker.create_labeling_job(**dict(request, LabelingJobName=name))
        cls.sagemaker.stop_labeling_job(LabelingJobName=cls.names[0])
        case.wait_for_status(cls.names[0], "Stopped")
        for name in cls.names[1:]:
            case.wait_for_status(name, "InProgress")
        cls.created = {name: case.describe(name)["CreationTime"] for name in cls.names}

    def list(self, **members):
        return self.sagemaker.list_labeling_jobs(NameContains=self.mark, **members)

    def shown(self, **members):
        return [job["LabelingJobName"] for job in self.list(**members)["LabelingJobSummaryList"]]

    def test_every_member_of_a_summary(self):
        summary = self.list(SortBy="Name", SortOrder="Ascending")["LabelingJobSummaryList"][0]
        job = self.describe(self.names[1])
        task = job["HumanTaskConfig"]
        expected = {name: job[name] for name in ("LabelingJobName", "LabelingJobArn", "CreationTime", "LastModifiedTime", "LabelingJobStatus",
                                                 "LabelCounters", "InputConfig")}
        expected.update(WorkteamArn=self.team, PreHumanTaskLambdaArn=task["PreHumanTaskLambdaArn"],
                        AnnotationConsolidationLambdaArn=task["AnnotationConsolidationConfig"]["AnnotationConsolidationLambdaArn"])
        if "LabelingJobOutput" in job:
            expected["LabelingJobOutput"] = job["LabelingJobOutput"]
        self.assertEqual(summary, expected)

    def test_orders(self):
        self.assertEqual(self.shown(SortBy="Name", SortOrder="Ascending"), sorted(self.names))
        self.assertEqual(self.shown(SortBy="Name", SortOrder="Descending"), sorted(self.names, reverse=True))
        self.assertEqual(self.shown(SortBy="CreationTime", SortOrder="Ascending"), self.names)
        self.assertEqual(self.shown(SortBy="CreationTime", SortOrder="Descending"), self.names[::-1])
        self.assertEqual(self.shown(SortBy="Status", SortOrder="Ascending")[-1], self.names[0])
        self.assertEqual(self.shown(SortBy="Status", SortOrder="Descending")[0], self.names[0])

    def test_filters(self):
        self.assertEqual(self.shown(StatusEquals="Stopped"), self.names[:1])
        self.assertCountEqual(self.shown(StatusEquals="InProgress"), self.names[1:])
        self.assertEqual(self.shown(StatusEquals="Failed"), [])
        future, past = datetime.datetime(2100, 1, 1), datetime.datetime(2020, 1, 1)
        self.assertCountEqual(self.shown(CreationTimeAfter=past, CreationTimeBefore=future), self.names)
        self.assertEqual(self.shown(CreationTimeAfter=future), [])
        self.assertEqual(self.shown(CreationTimeBefore=past), [])
        self.assertEqual(self.shown(LastModifiedTimeAfter=future), [])
        self.assertCountEqual(self.shown(LastModifiedTimeBefore=future), self.names)
        self.assertEqual([job["LabelingJobName"] for job in self.sagemaker.list_labeling_jobs(NameContains=self.names[3])["LabelingJobSummaryList"]],
                         [self.names[3]])

    def test_times_have_fractions(self):
        def shown(**members):
            answer = self.post("ListLabelingJobs", {"NameContains": self.mark, **members})[1]
            return [job["LabelingJobName"] for job in answer["LabelingJobSummaryList"]]
        third = self.created[self.names[2]].timestamp()
        self.assertCountEqual(shown(CreationTimeAfter=third + MICROSECOND), self.names[3:])
        self.assertCountEqual(shown(CreationTimeBefore=third - MICROSECOND), self.names[:2])
        self.assertEqual(shown(CreationTimeAfter=third - MICROSECOND, CreationTimeBefore=third + MICROSECOND), [self.names[2]])

    def test_pages(self):
        for size in (1, 2, 5):
            with self.subTest(size=size):
                pages = self.page_through(self.sagemaker.list_labeling_jobs, size, NameContains=self.mark, SortBy="Name", SortOrder="Ascending")
                self.assert_last_page_only(pages, "LabelingJobSummaryList", 5)
                self.assertEqual([job["LabelingJobName"] for page in pages for job in page["LabelingJobSummaryList"]], sorted(self.names))
        pages = self.sagemaker.get_paginator("list_labeling_jobs").paginate(NameContains=self.mark, PaginationConfig={"PageSize": 2})
        self.assertCountEqual([job["LabelingJobName"] for page in pages for job in page["LabelingJobSummaryList"]], self.names)

    def test_jobs_made_between_two_pages_push_none_on(self):
        mark = unique("push")
        request = self.job_request()
        names = [f"{mark}-{number}" for number in range(5)]
        for name in names[:4]:
            self.sagemaker.create_labeling_job(**dict(request, LabelingJobName=name))
        order = {"NameContains": mark, "SortBy": "CreationTime", "SortOrder": "Descending", "MaxResults": 2}
        first = self.sagemaker.list_labeling_jobs(**order)
        self.sagemaker.create_labeling_job(**dict(request, LabelingJobName=names[4]))
        second = self.sagemaker.list_labeling_jobs(NextToken=first["NextToken"], **order)
        self.assertEqual([job["LabelingJobName"] for page in (first, second) for job in page["LabelingJobSummaryList"]], names[3::-1])

    def test_tokens_that_are_none_or_of_another_request(self):
        token = self.list(MaxResults=2)["NextToken"]
        with self.refused("ValidationException"):
            self.list(MaxResults=2, NextToken="none")
        with self.refused("ValidationException"):
            self.list(MaxResults=2, NextToken=token, StatusEquals="InProgress")

    def test_values_that_may_not_be(self):
        call = self.raw_sagemaker.list_labeling_jobs
        for members, value, path, rule in (({"MaxResults": 0}, 0, "maxResults", "have value greater than or equal to 1"),
                                           ({"MaxResults": 101}, 101, "maxResults", "have value less than or equal to 100"),
                                           ({"NameContains": "a b"}, "a b", "nameContains", r"satisfy regular expression pattern: [a-zA-Z0-9\-]+"),
                                           ({"SortOrder": "Up"}, "Up", "sortOrder", "satisfy enum value set: [Ascending, Descending]"),
                                           ({"SortBy": "Size"}, "Size", "sortBy", "satisfy enum value set: [Name, CreationTime, Status]"),
                                           ({"StatusEquals": "Done"}, "Done", "statusEquals", "satisfy enum value set: [Initializing, InProgress, "
                                            "Completed, Failed, Stopping, Stopped]")):
            with self.subTest(members), self.invalid(self.constraint(value, path, rule)):
                call(**members)
