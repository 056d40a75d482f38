"""ListWorkteams."""

from support.aws_case import SageMakerCase, unique


class ListWorkteams(SageMakerCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.mark = unique("teams")
        cls.names = [f"{cls.mark}-{letter}" for letter in "cadbe"]
        for name in cls.names:
            cls.make_team(cls(), name)

    def list(self, **members):
        return self.sagemaker.list_workteams(NameContains=self.mark, **members)

    def shown(self, **members):
        return [team["WorkteamName"] for team in self.list(**members)["Workteams"]]

    def test_each_is_told_as_describe_tells_it(self):
        team = self.list(SortBy="Name")["Workteams"][0]
        self.assertEqual(team, self.sagemaker.describe_workteam(WorkteamName=sorted(self.names)[0])["Workteam"])

    def test_orders(self):
        self.assertEqual(self.shown(SortBy="Name", SortOrder="Ascending"), sorted(self.names))
        self.assertEqual(self.shown(SortBy="Name", SortOrder="Descending"), sorted(self.names, reverse=True))
        self.assertEqual(self.shown(SortBy="CreateDate", SortOrder="Ascending"), self.names)
        self.assertEqual(self.shown(SortBy="CreateDate", SortOrder="Descending"), self.names[::-1])

    def test_names(self):
        self.assertEqual([team["WorkteamName"] for team in self.sagemaker.list_workteams(NameContains=self.names[2].upper())["Workteams"]], [self.names[2]])
        self.assertEqual(self.sagemaker.list_workteams(NameContains=unique("none"))["Workteams"], [])

    def test_pages(self):
        for size in (1, 2, 5):
            with self.subTest(size=size):
                pages = self.page_through(self.sagemaker.list_workteams, size, NameContains=self.mark, SortBy="Name")
                self.assert_last_page_only(pages, "Workteams", 5)
                self.assertEqual([team["WorkteamName"] for page in pages for team in page["Workteams"]], sorted(self.names))
        pages = self.sagemaker.get_paginator("list_workteams").paginate(NameContains=self.mark, PaginationConfig={"PageSize": 2})
        self.assertCountEqual([team["WorkteamName"] for page in pages for team in page["Workteams"]], self.names)

    def test_values_that_may_not_be(self):
        for members, value, path, rule in (({"MaxResults": 101}, 101, "maxResults", "have value less than or equal to 100"),
                                           ({"SortBy": "Size"}, "Size", "sortBy", "satisfy enum value set: [Name, CreateDate]"),
                                           ({"SortOrder": "Up"}, "Up", "sortOrder", "satisfy enum value set: [Ascending, Descending]")):
            with self.subTest(members), self.invalid(self.constraint(value, path, rule)):
                self.raw_sagemaker.list_workteams(**members)
        with self.refused("ValidationException"):
            self.list(NextToken="none")
