"""InvokeEndpointAsync: answers become objects, also those of a service that was killed in between."""

import pathlib
import re
import tempfile

from botocore.exceptions import ClientError

from support.aws_case import unique
from support.endpoint_case import IMAGE, ROLE, EndpointCase, local_mask, mask_of, package, photo
from support.sagemaker_sdk import QUICK, require_sdk, run_script
from support.terrapin_server import ACCOUNT


class AsyncCase(EndpointCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        # Debian's client is older than this member: it is told of it, as newer ones have it.
        shapes = cls.sagemaker.meta.service_model._shape_resolver._shape_map  # pylint: disable=protected-access
        shapes["AsyncInferenceOutputConfig"]["members"].setdefault("S3FailurePath", {"shape": "DestinationS3Uri"})

    def asynchronous(self, failures="failed", **client):
        output = {"S3OutputPath": f"s3://{self.bucket}/answers"}
        if failures:
            output["S3FailurePath"] = f"s3://{self.bucket}/{failures}"
        return {"AsyncInferenceConfig": {"OutputConfig": output, **({"ClientConfig": client} if client else {})}}

    def invoke_async(self, endpoint, location, runtime=None, **members):
        members.setdefault("ContentType", "image/jpeg")
        return (runtime or self.runtime).invoke_endpoint_async(EndpointName=endpoint, InputLocation=location, **members)

    def object_at(self, location):
        """(bytes, content type), or None."""
        bucket, _, key = location[5:].partition("/")
        try:
            answer = self.s3.get_object(Bucket=bucket, Key=key)
        except ClientError as problem:
            self.assertEqual(problem.response["Error"]["Code"], "NoSuchKey")
            return None
        return answer["Body"].read(), answer["ContentType"]

    def answer_to(self, ticket, member="OutputLocation"):
        return self.wait_for(lambda: self.object_at(ticket[member]), f"an object at {ticket[member]}")


class InvokeEndpointAsync(AsyncCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        self = cls()
        cls.model = self.make_model()
        cls.config = self.make_config(self.variant(cls.model), **self.asynchronous(MaxConcurrentInvocationsPerInstance=3))
        cls.endpoint = self.create_endpoint(cls.config)
        cls.real_time = self.make_endpoint(self.variant(cls.model))
        self.wait_in_service(cls.endpoint)
        cls.addClassCleanup(self.doCleanups)

    def test_ten_photos(self):
        photos = [photo(seed=seed) for seed in range(10)]
        tickets = [self.invoke_async(self.endpoint, self.stored(one, f"photos/{index}.jpg")) for index, one in enumerate(photos)]
        self.assertEqual(len({ticket["OutputLocation"] for ticket in tickets}), 10)
        for one, ticket in zip(photos, tickets):
            self.assertEqual(ticket["ResponseMetadata"]["HTTPStatusCode"], 202)
            self.assertEqual(ticket["OutputLocation"], f"s3://{self.bucket}/answers/{ticket['InferenceId']}.out")
            body, content_type = self.answer_to(ticket)
            self.assertEqual(content_type, "image/png")
            self.assertTrue((mask_of(body) == local_mask(package(), one)).all())
            failure = ticket["ResponseMetadata"]["HTTPHeaders"]["x-amzn-sagemaker-failurelocation"]
            self.assertEqual(failure, f"s3://{self.bucket}/failed/{ticket['InferenceId']}-error.out")
            self.assertIsNone(self.object_at(failure))

    def test_what_is_asked_for(self):
        ticket = self.invoke_async(self.endpoint, self.stored(photo(), "photos/json.jpg"), Accept="application/json", InferenceId="mine")
        self.assertEqual(ticket["InferenceId"], "mine")
        self.assertNotIn("mine", ticket["OutputLocation"])
        self.assertEqual(self.answer_to(ticket)[1], "application/json")

    def failure_of(self, location):
        ticket = self.invoke_async(self.endpoint, location)
        failure = ticket["ResponseMetadata"]["HTTPHeaders"]["x-amzn-sagemaker-failurelocation"]
        body, content_type = self.wait_for(lambda: self.object_at(failure), "a failure")
        self.assertEqual(content_type, "text/plain; charset=utf-8")
        self.assertIsNone(self.object_at(ticket["OutputLocation"]))
        return body.decode()

    def test_a_photo_that_is_no_photo(self):
        said = self.failure_of(self.stored(b"these are no pixels", "photos/none.jpg"))
        self.assertRegex(said, r"^Received client error \(4\d\d\) from primary with message \"")

    def test_a_photo_that_is_not_there(self):
        self.assertIn(f"InputLocation s3://{self.bucket}/nothing/here.jpg: ", self.failure_of(f"s3://{self.bucket}/nothing/here.jpg"))

    def test_each_kind_of_endpoint_has_its_call(self):
        with self.refused("ValidationError", re.compile(f"^Endpoint {self.endpoint} of account {ACCOUNT} is asynchronous .* call InvokeEndpointAsync")):
            self.invoke(self.endpoint)
        with self.refused("ValidationError", re.compile(f"^Endpoint {self.real_time} of account {ACCOUNT} answers at once .* call InvokeEndpoint\\.")):
            self.invoke_async(self.real_time, self.stored())
        with self.refused("ValidationError", f"Endpoint nobody of account {ACCOUNT} not found."):
            self.invoke_async("nobody", self.stored())

    def test_members_that_do_not_fit(self):
        location = self.stored(photo(), "photos/fit.jpg")
        raw = self.server.client("sagemaker-runtime", validate=False)
        for members, member in (({"RequestTTLSeconds": 59}, "requestTTLSeconds"), ({"RequestTTLSeconds": 21601}, "requestTTLSeconds"),
                                ({"InferenceId": "x" * 65}, "inferenceId")):
            with self.subTest(member), self.refused("ValidationError", re.compile(f" at '{member}' failed to satisfy constraint: ")):
                self.invoke_async(self.endpoint, location, runtime=raw, **members)
        for place in ("https://example.org/x.jpg", f"s3://{self.bucket}", "s3:/x"):
            with self.subTest(place), self.refused("ValidationError", re.compile(" at 'inputLocation' failed to satisfy constraint: ")):
                self.invoke_async(self.endpoint, place, runtime=raw)
        path = f"/endpoints/{self.endpoint}/async-invocations"
        headers = {"X-Amzn-SageMaker-InputLocation": location}
        for added, body, said in (({"X-Amzn-SageMaker-InvocationTimeoutSeconds": "3601"}, b"", b"invocationTimeoutSeconds"),
                                  ({"X-Amzn-SageMaker-Filename": "x"}, b"", b"Filename is not served: "), ({}, b"photo", b"Body is not served: ")):
            with self.subTest(said):
                status, _, answer = self.server.signed("sagemaker", "POST", path, body, {**headers, **added})
                self.assertEqual((status, said in answer), (400, True), answer)

    def test_the_scope_of_keys(self):
        location = self.stored(photo(), "photos/key.jpg")
        invoker = self.server.client("sagemaker-runtime", self.server.key_of("invoke", "phone"))
        self.answer_to(self.invoke_async(self.endpoint, location, runtime=invoker))
        for scope in ("requester", "invoke"):
            other = self.server.client("sagemaker-runtime", self.server.key_of(scope, "elsewhere", ["elsewhere"]))
            said = re.compile(f"sagemaker:InvokeEndpointAsync on resource: arn:aws:s3:::{self.bucket} ")
            with self.subTest(scope), self.refused("AccessDeniedException", said):
                self.invoke_async(self.endpoint, location, runtime=other)
        status, _, _ = self.server.fetch("POST", f"/endpoints/{self.endpoint}/async-invocations")
        self.assertEqual(status, 403)

    def test_descriptions(self):
        wanted = self.asynchronous(MaxConcurrentInvocationsPerInstance=3)["AsyncInferenceConfig"]
        self.assertEqual(self.sagemaker.describe_endpoint_config(EndpointConfigName=self.config)["AsyncInferenceConfig"], wanted)
        self.assertEqual(self.sagemaker.describe_endpoint(EndpointName=self.endpoint)["AsyncInferenceConfig"], wanted)
        self.assertNotIn("AsyncInferenceConfig", self.sagemaker.describe_endpoint(EndpointName=self.real_time))

    def test_configurations_that_are_refused(self):
        topic = "arn:aws:sns:us-east-1:111122223333:topic"
        raw = self.server.client("sagemaker", validate=False)
        for output, said in (({"S3OutputPath": "s3://b/o", "NotificationConfig": {"SuccessTopic": topic}}, "NotificationConfig is not served: "),
                             ({"S3OutputPath": "s3://b/o", "KmsKeyId": "key"}, "KmsKeyId is not served: "), ({}, "S3OutputPath is missing: "),
                             ({"S3OutputPath": "https://example.org/o"}, "S3OutputPath 'https://example.org/o' is no place of this object store")):
            with self.subTest(said), self.invalid(re.compile("^AsyncInferenceConfig.OutputConfig." + re.escape(said))):
                raw.create_endpoint_config(EndpointConfigName=unique(), ProductionVariants=[self.variant(self.model)],
                                           AsyncInferenceConfig={"OutputConfig": output})
        owner = self.server.client("sagemaker", self.server.key_of("requester", "answers-bucket", [self.bucket]))
        for output in ({"S3OutputPath": "s3://elsewhere/o"}, {"S3OutputPath": f"s3://{self.bucket}/o", "S3FailurePath": "s3://elsewhere/o"}):
            with self.refused("AccessDeniedException", re.compile("arn:aws:s3:::elsewhere")):
                owner.create_endpoint_config(EndpointConfigName=unique(), ProductionVariants=[self.variant(self.model)],
                                             AsyncInferenceConfig={"OutputConfig": output})


class SageMakerSdk(AsyncCase):
    """AsyncPredictor: the call that waits, the one that does not, and how a failure shows."""

    SCRIPT = """
import os
import sys
from sagemaker.async_inference import AsyncInferenceConfig, WaiterConfig
from sagemaker.exceptions import AsyncInferenceModelError
from sagemaker.deserializers import BytesDeserializer
from sagemaker.model import Model
from sagemaker.predictor import Predictor
from sagemaker.serializers import IdentitySerializer

image, data, role, photo, output = sys.argv[1:]
photo = open(photo, "rb").read()
soon = WaiterConfig(max_attempts=200, delay=1)
model = Model(image, data, role, predictor_cls=Predictor)
predictor = model.deploy(1, "ml.c5.xlarge", serializer=IdentitySerializer("image/jpeg"), deserializer=BytesDeserializer(),
                         async_inference_config=AsyncInferenceConfig(output_path=f"s3://{output}/out", failure_path=f"s3://{output}/failed",
                                                                     max_concurrent_invocations_per_instance=2))
try:
    waited = predictor.predict(photo, waiter_config=soon)
    later = predictor.predict_async(photo)
    assert later.get_result(soon) == waited, later.output_path
    open("mask.png", "wb").write(waited)
    try:
        predictor.predict(b"these are no pixels", waiter_config=soon)
        raise SystemExit("a photo that is no photo was answered")
    except AsyncInferenceModelError as failed:
        assert "Received client error (4" in str(failed), failed
finally:
    predictor.delete_endpoint()
    model.delete_model()
os._exit(0)  # the SDK's threads go on looking for the objects that there will never be
"""

    def test_async_predictor(self):
        require_sdk()
        with tempfile.TemporaryDirectory(prefix="terrapin-async-") as folder:
            folder = pathlib.Path(folder)
            image = photo(seed=9)
            (folder / "photo.jpg").write_bytes(image)
            (folder / "script.py").write_text(self.SCRIPT)
            done = run_script(self.server, "script.py", IMAGE, self.stored(package()), ROLE, "photo.jpg", self.bucket, folder=folder, paths=[QUICK])
            self.assertEqual(done.returncode, 0, done.stdout[-3000:] + done.stderr[-3000:])
            self.assertTrue((mask_of((folder / "mask.png").read_bytes()) == local_mask(package(), image)).all())


class AsyncCrash(AsyncCase):
    own_server = True

    def start_again(self):
        self.server.start()
        cls = type(self)
        cls.s3, cls.sagemaker = self.server.client("s3"), self.server.client("sagemaker")
        cls.runtime = self.server.client("sagemaker-runtime", read_timeout=90)

    def test_the_service_is_killed_while_requests_wait(self):
        name = self.make_endpoint(self.variant(self.make_model()), **self.asynchronous(None, MaxConcurrentInvocationsPerInstance=1))
        before = {one["Key"] for one in self.s3.list_objects_v2(Bucket=self.bucket).get("Contents", [])}
        photos = [photo(1600, 1200, seed=seed) for seed in range(20)]
        locations = [self.stored(one, f"photos/{index}.jpg") for index, one in enumerate(photos)]
        tickets = [self.invoke_async(name, location) for location in locations]
        self.assertTrue(all("x-amzn-sagemaker-failurelocation" not in ticket["ResponseMetadata"]["HTTPHeaders"] for ticket in tickets))
        self.server.kill()
        written = list(self.server.object_file(self.bucket, "answers").glob("*.out"))
        self.assertLess(len(written), len(tickets), "every request was answered before the kill")
        self.start_again()
        masks = [mask_of(self.answer_to(ticket)[0]) for ticket in tickets]
        self.assertEqual({mask.shape for mask in masks}, {(1200, 1600)})
        self.assertTrue((masks[-1] == local_mask(package(), photos[-1])).all())
        listed = self.s3.list_objects_v2(Bucket=self.bucket, Prefix="answers/")["Contents"]
        self.assertEqual({one["Key"] for one in listed} - before, {ticket["OutputLocation"].split("/", 3)[3] for ticket in tickets})

    def test_the_endpoint_is_deleted_while_requests_wait(self):
        name = self.make_endpoint(self.variant(self.make_model()), **self.asynchronous(MaxConcurrentInvocationsPerInstance=1))
        location = self.stored(photo(1600, 1200), "photos/large.jpg")
        tickets = [self.invoke_async(name, location) for _ in range(30)]
        self.sagemaker.delete_endpoint(EndpointName=name)
        failed = 0
        for ticket in tickets:
            failure = ticket["ResponseMetadata"]["HTTPHeaders"]["x-amzn-sagemaker-failurelocation"]
            self.wait_for(lambda: self.object_at(ticket["OutputLocation"]) or self.object_at(failure), "an end")  # pylint: disable=cell-var-from-loop
            answered, refused = self.object_at(ticket["OutputLocation"]), self.object_at(failure)
            self.assertNotEqual(bool(answered), bool(refused))
            if refused:
                self.assertIn(b"deleted", refused[0])
                failed += 1
        self.assertGreater(failed, 0)
        with self.refused("ValidationError", f"Endpoint {name} of account {ACCOUNT} not found."):
            self.invoke_async(name, location)
