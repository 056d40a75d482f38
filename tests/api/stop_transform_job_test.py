from support.aws_case import unique
from support.transform_case import TransformCase, photo


class StopTransformJob(TransformCase):
    def stop(self, name):
        self.sagemaker.stop_transform_job(TransformJobName=name)

    def test_while_it_runs(self):
        bucket = self.make_photos({f"{number:03}.jpg": photo(640, 512) for number in range(200)})
        name = self.create_transform(self.transform(bucket, MaxConcurrentTransforms=1))
        self.wait_for(lambda: self.outputs(bucket), "the first mask")
        self.stop(name)
        job = self.wait_for_transform(name)
        self.assertEqual(job["TransformJobStatus"], "Stopped")
        self.assertNotIn("FailureReason", job)
        outputs = self.outputs(bucket)
        self.assertLess(len(outputs), 200)
        for body in outputs.values():
            self.assertEqual(self.mask(body).shape, (512, 640))

    def test_before_it_begins(self):
        name = self.create_transform(self.transform(self.make_photos()))
        self.stop(name)
        self.assertEqual(self.wait_for_transform(name)["TransformJobStatus"], "Stopped")

    def test_after_its_end(self):
        job = self.completed_transform(self.transform(self.make_photos()))
        with self.invalid("The request was rejected because the transform job is in status Completed."):
            self.stop(job["TransformJobName"])

    def test_missing(self):
        name = unique("nobody")
        with self.invalid(f"Could not find requested job with name: {name}"):
            self.stop(name)
