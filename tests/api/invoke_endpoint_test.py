"""InvokeEndpoint: the model's answers, its refusals in AWS's words, variants, capture, keys of scope invoke."""

import base64
import json
import re

from botocore.exceptions import ClientError

from support.endpoint_case import EndpointCase, local_mask, mask_of, package, photo
from support.terrapin_server import ACCOUNT


class InvokeEndpoint(EndpointCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        self = cls()
        model = self.make_model()
        capture = {"EnableCapture": True, "InitialSamplingPercentage": 100, "DestinationS3Uri": f"s3://{cls.bucket}/captured",
                   "CaptureOptions": [{"CaptureMode": "Input"}, {"CaptureMode": "Output"}], "CaptureContentTypeHeader": {"JsonContentTypes": ["application/json"]}}
        cls.endpoint = self.make_endpoint(self.variant(model, "even", 2, 1), self.variant(model, "never", 1, 0), DataCaptureConfig=capture)
        cls.addClassCleanup(self.doCleanups)

    def test_the_mask_is_that_of_predict(self):
        image = photo(seed=3)
        answer = self.invoke(self.endpoint, image, CustomAttributes="trace=7")
        self.assertEqual((answer["ContentType"], answer["InvokedProductionVariant"], answer["CustomAttributes"]), ("image/png", "even", "trace=7"))
        self.assertTrue((mask_of(answer["Body"].read()) == local_mask(package(), image)).all())

    def test_other_answers(self):
        document = json.loads(self.invoke(self.endpoint, Accept="application/json")["Body"].read())
        self.assertEqual(document["shape"], [72, 96])
        record = self.invoke(self.endpoint, Accept="application/x-protobuf")
        self.assertEqual(record["ContentType"], "application/x-protobuf")
        self.assertGreater(len(record["Body"].read()), 96 * 72 * 3 * 4)

    def test_grey_photos_and_other_types(self):
        self.assertEqual(mask_of(self.invoke(self.endpoint, photo(mode="L"))["Body"].read()).shape, (72, 96))
        png = photo(33, 65, kind="PNG")
        self.assertEqual(mask_of(self.invoke(self.endpoint, png, ContentType="application/x-image")["Body"].read()).shape, (65, 33))

    def test_a_body_of_several_megabytes(self):
        large = photo(1600, 1200, kind="BMP")  # 5.8 MB, and no photo that is served
        with self.refused("ModelError", re.compile("415"), status=424):
            self.invoke(self.endpoint, large, ContentType="image/bmp")
        padded = photo() + b"\0" * (9 << 20)
        self.assertEqual(mask_of(self.invoke(self.endpoint, padded)["Body"].read()).shape, (72, 96))

    def test_a_photo_that_is_no_photo(self):
        with self.assertRaises(self.runtime.exceptions.ModelError) as caught:
            self.invoke(self.endpoint, b"these are no pixels", ContentType="application/x-image")
        answer = caught.exception.response
        self.assertEqual(answer["ResponseMetadata"]["HTTPStatusCode"], 424)
        self.assertIn(answer["OriginalStatusCode"], (400, 415))
        self.assertTrue(answer["OriginalMessage"])
        self.assertIn(f'Received client error ({answer["OriginalStatusCode"]}) from primary with message "{answer["OriginalMessage"]}"', answer["Error"]["Message"])
        self.assertEqual(answer["LogStreamArn"], f"arn:aws:logs:us-east-1:{ACCOUNT}:log-group:/aws/sagemaker/Endpoints/{self.endpoint}")

    def test_a_variant_by_name(self):
        self.assertEqual(self.invoke(self.endpoint, TargetVariant="never")["InvokedProductionVariant"], "never")
        with self.refused("ValidationError", f"Endpoint {self.endpoint} of account {ACCOUNT} has no production variant other."):
            self.invoke(self.endpoint, TargetVariant="other")

    def test_an_endpoint_that_is_not_there(self):
        with self.refused("ValidationError", f"Endpoint nobody of account {ACCOUNT} not found."):
            self.invoke("nobody")
        raw = self.server.client("sagemaker-runtime", validate=False)
        with self.refused("ValidationError", re.compile("Value '-x' at 'endpointName' failed to satisfy constraint")):
            self.invoke("-x", runtime=raw)

    def test_members_that_are_not_served(self):
        with self.refused("ValidationError", re.compile("^TargetModel is not served: ")):
            self.invoke(self.endpoint, TargetModel="a.tar.gz")

    def test_the_scope_of_keys(self):
        invoker = self.server.key_of("invoke", "phone")
        runtime = self.server.client("sagemaker-runtime", invoker)
        self.assertEqual(self.invoke(self.endpoint, runtime=runtime)["InvokedProductionVariant"], "even")
        with self.assertRaises(ClientError) as caught:
            self.server.client("sagemaker", invoker).describe_endpoint(EndpointName=self.endpoint)
        self.assertEqual(caught.exception.response["Error"]["Code"], "AccessDeniedException")
        status, _, _ = self.server.fetch("POST", f"/endpoints/{self.endpoint}/invocations", body=photo())
        self.assertEqual(status, 403)

    def test_over_the_limit(self):
        status, _, body = self.server.signed("sagemaker", "POST", f"/endpoints/{self.endpoint}/invocations", b"", {"Content-Length": str((64 << 20) + 1)})
        self.assertEqual(status, 413)
        self.assertIn(b"67108864 bytes", body)

    def test_capture(self):
        image = photo(seed=77)
        answer = self.invoke(self.endpoint, image, Accept="application/json", InferenceId="captured-one", CustomAttributes="a=b")["Body"].read()

        def captured():
            listed = self.s3.list_objects_v2(Bucket=self.bucket, Prefix=f"captured/{self.endpoint}/even/").get("Contents", [])
            for item in listed:
                self.assertRegex(item["Key"], r"/even/\d{4}/\d\d/\d\d/\d\d/\d\d-\d\d-\d{3}-[0-9a-f-]{36}\.jsonl$")
                for line in self.s3.get_object(Bucket=self.bucket, Key=item["Key"])["Body"].read().decode().splitlines():
                    one = json.loads(line)
                    if one["eventMetadata"].get("inferenceId") == "captured-one":
                        return one
            return None

        line = self.wait_for(captured, "the captured line")
        self.assertEqual(base64.b64decode(line["captureData"]["endpointInput"]["data"]), image)
        self.assertEqual(line["captureData"]["endpointInput"]["observedContentType"], "image/jpeg")
        self.assertEqual((line["captureData"]["endpointOutput"]["encoding"], line["captureData"]["endpointOutput"]["data"]), ("JSON", answer.decode()))
        self.assertEqual(line["eventMetadata"]["customAttributes"], ["a=b"])


class Algorithms(EndpointCase):
    def test_photos_that_users_reported(self):
        """deeplab and psp on 512 x 640 and grey photos, which the AWS algorithm refuses."""
        for algorithm in ("deeplab", "psp"):
            with self.subTest(algorithm):
                name = self.make_endpoint(self.variant(self.make_model(package(algorithm))))
                self.assertEqual(mask_of(self.invoke(name, photo(640, 512))["Body"].read()).shape, (512, 640))
                self.assertEqual(mask_of(self.invoke(name, photo(512, 640, mode="L"))["Body"].read()).shape, (640, 512))
