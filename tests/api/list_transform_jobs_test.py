from support.aws_case import unique
from support.transform_case import TransformCase


class ListTransformJobs(TransformCase):
    def test_filters_order_and_pages(self):
        word, bucket = unique("listed"), self.make_photos()
        names = []
        for number in range(3):
            request = self.transform(bucket, outputs={"S3OutputPath": f"s3://{bucket}/{number}"})
            request["TransformJobName"] = f"{word}-{number}"
            names.append(self.create_transform(request))
        for name in names:
            self.wait_for_transform(name)

        def listed(**members):
            found = self.sagemaker.list_transform_jobs(NameContains=word, **members)["TransformJobSummaries"]
            return [one["TransformJobName"] for one in found]
        self.assertEqual(listed(), names[::-1])
        self.assertEqual(listed(SortBy="Name", SortOrder="Ascending"), names)
        self.assertEqual(listed(StatusEquals="Completed", SortOrder="Ascending"), names)
        self.assertEqual(listed(StatusEquals="Failed"), [])
        pages = self.page_through(self.sagemaker.list_transform_jobs, 2, NameContains=word)
        self.assert_last_page_only(pages, "TransformJobSummaries", 3)
        summary = pages[0]["TransformJobSummaries"][0]
        self.assertEqual(summary["TransformJobArn"], self.arn("transform-job/" + summary["TransformJobName"]))
        self.assertEqual(summary["TransformJobStatus"], "Completed")
        self.assertIn("TransformEndTime", summary)
