import json
import os
import re
import signal
import subprocess

import numpy

from support import labeling_material
from support.aws_case import unique
from support.transform_case import TransformCase, photo

PHOTOS = 120  # of a job that something is killed in


class CreateTransformJob(TransformCase):
    def test_every_photo_of_a_prefix_has_its_mask(self):
        bucket = self.make_photos({"a.jpg": photo(40, 30), "deep/er/b.png": photo(30, 40, form="PNG"), "c": photo(17, 19)})
        self.s3.put_object(Bucket=bucket, Key="in-beside/d.jpg", Body=b"not asked for")
        self.completed_transform(self.transform(bucket))
        outputs = self.outputs(bucket)
        self.assertEqual(sorted(outputs), ["a.jpg.out", "c.out", "deep/er/b.png.out"])
        self.assertEqual(self.mask(outputs["a.jpg.out"]).shape, (30, 40))
        self.assertEqual(self.mask(outputs["deep/er/b.png.out"]).shape, (40, 30))
        self.assertEqual(self.s3.head_object(Bucket=bucket, Key="out/a.jpg.out")["ContentType"], "image/png")

    def test_what_users_of_the_algorithm_saw_fail(self):
        """deeplab and psp on photos that are not square, grey photos, odd sizes: in one batch."""
        bucket = self.make_photos({"512x640.jpg": photo(640, 512), "640x512.jpg": photo(512, 640), "grey.jpg": photo(61, 47, "L"),
                                   "tiny.jpg": photo(9, 7), "cmyk.jpg": photo(33, 20, "CMYK")})
        shapes = {"512x640.jpg.out": (512, 640), "640x512.jpg.out": (640, 512), "grey.jpg.out": (47, 61), "tiny.jpg.out": (7, 9),
                  "cmyk.jpg.out": (20, 33)}
        for algorithm in ("deeplab", "psp", "fcn"):
            with self.subTest(algorithm):
                request = self.transform(bucket, self.model(algorithm), outputs={"S3OutputPath": f"s3://{bucket}/{algorithm}"})
                self.completed_transform(request)
                outputs = self.outputs(bucket, algorithm + "/")
                self.assertEqual({key: self.mask(body).shape for key, body in outputs.items()}, shapes)

    def test_a_manifest_names_the_photos(self):
        bucket = self.make_photos()
        self.s3.put_object(Bucket=bucket, Key="list.json", Body=json.dumps([{"prefix": f"s3://{bucket}/in/"}, "2.jpg", "0.jpg"]))
        self.completed_transform(self.transform(bucket, uri=f"s3://{bucket}/list.json", kind="ManifestFile"))
        self.assertEqual(sorted(self.outputs(bucket)), ["0.jpg.out", "2.jpg.out"])

    def test_one_object_is_a_prefix_too(self):
        bucket = self.make_photos()
        self.completed_transform(self.transform(bucket, uri=f"s3://{bucket}/in/1.jpg"))
        self.assertEqual(sorted(self.outputs(bucket)), ["1.jpg.out"])

    def test_answers_of_text_are_joined_by_lines(self):
        bucket = self.make_photos()
        self.completed_transform(self.transform(bucket, outputs={"Accept": "application/json", "AssembleWith": "Line"}))
        for key, body in self.outputs(bucket).items():
            self.assertTrue(body.endswith(b"\n"), key)
            self.assertEqual(body.count(b"\n"), 1)
            self.assertEqual([one["index"] for one in json.loads(body)["classes"]], [0, 1])

    def test_probabilities(self):
        bucket = self.make_photos({"a.jpg": photo(20, 10)})
        self.completed_transform(self.transform(bucket, outputs={"Accept": "application/x-recordio-protobuf", "AssembleWith": "None"}))
        body = self.outputs(bucket)["a.jpg.out"]
        self.assertEqual(body[:4], (0xced7230a).to_bytes(4, "little"))
        self.assertGreater(len(body), 4 * 2 * 20 * 10)

    def test_the_mask_is_the_endpoints(self):
        """The same answer as the model server alone gives, whatever ran beside it."""
        bucket = self.make_photos({f"{number:02}.jpg": labeling_material.photo(seed=number) for number in range(12)})
        self.completed_transform(self.transform(bucket, MaxConcurrentTransforms=1))
        alone = self.outputs(bucket)
        self.completed_transform(self.transform(bucket, MaxConcurrentTransforms=8, outputs={"S3OutputPath": f"s3://{bucket}/again/"}))
        together = self.outputs(bucket, "again/")
        self.assertEqual(sorted(alone), sorted(together))
        for key, body in alone.items():
            numpy.testing.assert_array_equal(self.mask(body), self.mask(together[key]))

    def test_a_photo_that_is_none_fails_the_job_after_the_others(self):
        bucket = self.make_photos({"a.jpg": photo(20, 20), "b.jpg": b"no photo", "c.jpg": photo(20, 20)[:200], "d.jpg": photo(20, 20)})
        job = self.run_transform(self.transform(bucket, ModelClientConfig={"InvocationsMaxRetries": 0, "InvocationsTimeoutInSeconds": 60}))
        self.assertEqual(job["TransformJobStatus"], "Failed")
        self.assertRegex(job["FailureReason"], r"^ClientError: 2 of 4 objects could not be transformed, .*/in/[bc]\.jpg: .*See job logs")
        self.assertEqual(sorted(self.outputs(bucket)), ["a.jpg.out", "d.jpg.out"])
        lines = "\n".join(self.log(job["TransformJobName"]))
        for name in ("b.jpg", "c.jpg"):
            self.assertIn(f"failed: s3://{bucket}/in/{name}: ", lines)

    def test_wrong_type_of_content(self):
        bucket = self.make_photos({"a.png": photo(20, 20, form="PNG")})
        job = self.run_transform(self.transform(bucket, inputs={"ContentType": "image/jpeg"}))
        self.assertEqual(job["TransformJobStatus"], "Failed")
        self.assertRegex(job["FailureReason"], "^ClientError: 1 of 1 .*a.png: ")

    def test_a_photo_over_the_payload(self):
        noise = numpy.random.default_rng(1).integers(0, 255, (700, 700, 3), numpy.uint8)
        import io
        import PIL.Image
        file = io.BytesIO()
        PIL.Image.fromarray(noise).save(file, "PNG")
        bucket = self.make_photos({"large.png": file.getvalue(), "small.jpg": photo(9, 9)})
        job = self.run_transform(self.transform(bucket, MaxPayloadInMB=1))
        self.assertRegex(job["FailureReason"], r"large\.png: it has \d+ bytes; MaxPayloadInMB allows 1 MB")
        self.assertEqual(sorted(self.outputs(bucket)), ["small.jpg.out"])

    def test_nothing_to_transform(self):
        bucket = self.make_photos()
        job = self.run_transform(self.transform(bucket, uri=f"s3://{bucket}/nothing/"))
        self.assertRegex(job["FailureReason"], f'^ClientError: No S3 objects found under S3 URL "s3://{bucket}/nothing/"')

    def test_a_model_that_is_none(self):
        bucket = self.make_photos()
        self.s3.put_object(Bucket=bucket, Key="model.tar.gz", Body=b"no model")
        job = self.run_transform(self.transform(bucket, self.make_model(f"s3://{bucket}/model.tar.gz")))
        self.assertEqual(job["TransformJobStatus"], "Failed")
        self.assertRegex(job["FailureReason"], "^AlgorithmError: The model cannot be served: .*model.tar.gz")
        self.assertEqual(self.outputs(bucket), {})

    def test_a_model_that_is_gone(self):
        bucket = self.make_photos()
        self.s3.put_object(Bucket=bucket, Key="model.tar.gz", Body=b"soon gone")
        model = self.make_model(f"s3://{bucket}/model.tar.gz")
        self.s3.delete_object(Bucket=bucket, Key="model.tar.gz")
        job = self.run_transform(self.transform(bucket, model))
        self.assertRegex(job["FailureReason"], f"^ClientError: Model download failed: .*s3://{bucket}/model.tar.gz")

    def test_environment_reaches_the_model_server(self):
        bucket = self.make_photos()
        self.completed_transform(self.transform(bucket, Environment={"TERRAPIN_LONG_SIDE": "32", "OTHER": "kept"}))
        with self.invalid(re.compile("TERRAPIN_LONG_SIDE is 'x'")):
            self.sagemaker.create_transform_job(**self.transform(bucket, Environment={"TERRAPIN_LONG_SIDE": "x"}))

    def test_names_are_unique(self):
        bucket = self.make_photos()
        request = self.transform(bucket)
        self.completed_transform(request)
        with self.refused("ResourceInUse", re.compile("already exists .*" + self.arn("transform-job/" + request["TransformJobName"]))):
            self.sagemaker.create_transform_job(**request)

    def test_what_is_not_served_is_named(self):
        bucket = self.make_photos()
        cases = [({"BatchStrategy": "MultiRecord"}, "BatchStrategy 'MultiRecord'"),
                 ({"inputs": {"SplitType": "RecordIO"}}, "SplitType 'RecordIO' is not served"),
                 ({"inputs": {"CompressionType": "Gzip"}}, "CompressionType 'Gzip'"),
                 ({"kind": "AugmentedManifestFile"}, "S3DataType 'AugmentedManifestFile'"),
                 ({"outputs": {"KmsKeyId": "key"}}, "KmsKeyId is not served"),
                 ({"outputs": {"AssembleWith": "Line"}}, "'image/png' are binary"),
                 ({"DataProcessing": {"InputFilter": "$.a"}}, "InputFilter '\\$.a'"),
                 ({"DataProcessing": {"JoinSource": "Input"}}, "JoinSource 'Input'"),
                 ({"DataCaptureConfig": {"DestinationS3Uri": "s3://a/b"}}, "DataCaptureConfig is not served"),
                 ({"MaxPayloadInMB": 101}, "0 to 100 are allowed"),
                 ({"MaxConcurrentTransforms": 1000}, "at most 256"),
                 ({"uri": "https://a/b"}, "S3Uri: "),
                 ({"TransformResources": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeKmsKeyId": "k"}}, "VolumeKmsKeyId")]
        for members, words in cases:
            with self.subTest(words), self.invalid(re.compile(words)):
                self.sagemaker.create_transform_job(**self.transform(bucket, **members))

    def test_what_is_not_there(self):
        bucket = self.make_photos()
        with self.invalid(f'Could not find model "{self.arn("model/nobody")}".'):
            self.sagemaker.create_transform_job(**self.transform(bucket, "nobody"))
        with self.invalid(re.compile('The bucket "nobody-here" of TransformOutput.S3OutputPath does not exist')):
            self.sagemaker.create_transform_job(**self.transform(bucket, outputs={"S3OutputPath": "s3://nobody-here/x"}))

    def test_buckets_of_others(self):
        bucket = self.make_photos()
        stranger = self.server.client("sagemaker", self.server.key_of("requester", "other", ["elsewhere"]))
        with self.refused("AccessDeniedException", re.compile("other buckets only")):
            stranger.create_transform_job(**self.transform(bucket))

    def test_tags(self):
        request = self.transform(self.make_photos(), Tags=[{"Key": "k", "Value": "v"}])
        arn = self.sagemaker.create_transform_job(**request)["TransformJobArn"]
        self.assertEqual(self.sagemaker.list_tags(ResourceArn=arn)["Tags"], [{"Key": "k", "Value": "v"}])


class KilledTransforms(TransformCase):
    own_server = True

    def children(self, words):
        """Processes of this server's jobs whose command line holds all these words."""
        listed = subprocess.run(["ps", "-eo", "pid,args"], capture_output=True, text=True, check=True).stdout.splitlines()[1:]
        model = str(self.server.data_dir)
        return [int(line.split()[0]) for line in listed if model in line and all(word in line for word in words)]

    def make_work(self):
        """A bucket with photos for many seconds: what is killed after the first mask is killed in between."""
        body = photo(2000, 1600)
        return self.make_photos({f"{number:03}.jpg": body for number in range(PHOTOS)})

    def test_killed_model_server_and_server(self):
        """A model server that is killed is started again; a server that is killed finds the job as it is."""
        model = self.own_model()
        bucket = self.make_work()
        name = self.create_transform(self.transform(bucket, model, MaxConcurrentTransforms=2))
        self.wait_for(lambda: self.outputs(bucket), "the first mask")
        hosts = self.wait_for(lambda: self.children(["host", "--model"]), "a model server")
        os.kill(hosts[0], signal.SIGKILL)
        self.server.kill()
        self.server.start()
        self.s3, self.sagemaker, self.logs = (self.server.client(service) for service in ("s3", "sagemaker", "logs"))
        job = self.wait_for_transform(name)
        self.assertEqual(job["TransformJobStatus"], "Completed", job.get("FailureReason"))
        outputs = self.outputs(bucket)
        self.assertEqual(len(outputs), PHOTOS)
        for body in outputs.values():
            self.assertEqual(self.mask(body).shape, (1600, 2000))
        lines, killed = self.log(name), "terrapin job-work: the model server ended: signal 9"
        self.assertEqual(lines.count(killed), 1, lines)
        after = lines[lines.index(killed):]
        self.assertTrue(any(line.startswith("terrapin host: http://127.0.0.1:") for line in after), lines)
        self.wait_for(lambda: not self.children(["host", "--model"]), "no model server is left")

    def test_killed_job(self):
        """A job whose process is killed has failed, and leaves no half mask and no model server."""
        model = self.own_model()
        bucket = self.make_work()
        name = self.create_transform(self.transform(bucket, model, MaxConcurrentTransforms=2))
        self.wait_for(lambda: self.outputs(bucket), "the first mask")
        workers = self.children(["job-work", "transform"])
        os.kill(workers[0], signal.SIGKILL)
        job = self.wait_for_transform(name)
        self.assertEqual(job["TransformJobStatus"], "Failed")
        self.assertRegex(job["FailureReason"], "^InternalServerError: ")
        outputs = self.outputs(bucket)
        self.assertLess(len(outputs), PHOTOS)
        for body in outputs.values():
            self.assertEqual(self.mask(body).shape, (1600, 2000))
        self.wait_for(lambda: not self.children(["host", "--model"]), "no model server is left")
        self.assertEqual(self.work_folders(), [])

    def own_model(self):
        job = self.run_job(self.request(self.make_data(), epochs=1))
        self.assertEqual(job["TrainingJobStatus"], "Completed", job.get("FailureReason"))
        return self.make_model(job["ModelArtifacts"]["S3ModelArtifacts"])
