"""CreateTrainingJob, and what becomes of a training job."""

import io
import json
import os
import pathlib
import re
import signal
import tarfile

from support import labeling_material
from support.aws_case import unique
from support.terrapin_server import ACCOUNT
from support.training_case import IMAGE, ROLE, TRAIN, TrainingCase, mask


class ATraining(TrainingCase):
    def names_of(self, bucket, key):
        body = self.s3.get_object(Bucket=bucket, Key=key)["Body"].read()
        with tarfile.open(fileobj=io.BytesIO(body)) as archive:
            return archive.getnames()

    def test_goes_from_photos_to_a_model_in_the_bucket(self):
        job, bucket = self.completed()
        name = job["TrainingJobName"]
        self.assertEqual(self.steps(job), ["Pending", "Starting", "Downloading", "Training", "Uploading", "Completed"])
        times = [one[member] for one in job["SecondaryStatusTransitions"] for member in ("StartTime", "EndTime")]
        self.assertEqual(times, sorted(times))
        self.assertEqual(job["SecondaryStatus"], "Completed")
        self.assertEqual(job["ModelArtifacts"]["S3ModelArtifacts"], f"s3://{bucket}/out/{name}/output/model.tar.gz")
        self.assertIn("model.json", self.names_of(bucket, f"out/{name}/output/model.tar.gz"))
        others = self.names_of(bucket, f"out/{name}/output/output.tar.gz")
        self.assertEqual([other for other in others if not other.startswith("overlays/")], ["metrics.jsonl", "report.html"])
        self.assertEqual(self.work_folders(), [])

    def test_tells_its_metrics_and_times(self):
        job, _ = self.completed()
        metrics = {one["MetricName"]: one["Value"] for one in job["FinalMetricDataList"]}
        self.assertEqual(sorted(metrics), ["train:loss", "train:throughput", "validation:mIOU", "validation:pixel_accuracy", "validation:throughput"])
        last = [line for line in self.messages(job["TrainingJobName"]) if line.startswith("[epoch 2/2]")]
        for metric, value in metrics.items():
            self.assertAlmostEqual(float(re.search(re.escape(metric) + r"=(\S+)", last[0]).group(1)), value, places=5)
        self.assertLess(job["CreationTime"], job["TrainingEndTime"])
        seconds = (job["TrainingEndTime"] - job["TrainingStartTime"]).total_seconds()
        self.assertEqual(job["BillableTimeInSeconds"], job["TrainingTimeInSeconds"])
        self.assertTrue(seconds <= job["TrainingTimeInSeconds"] < seconds + 1.1, (seconds, job["TrainingTimeInSeconds"]))

    def test_on_the_manifest_of_a_labeling_job_in_pipe_mode(self):
        bucket = unique("b")
        self.s3.create_bucket(Bucket=bucket)
        classes = {"0": {"class-name": "BACKGROUND", "hex-color": "#ffffff", "confidence": 0.9}, "1": {"class-name": "turtle", "hex-color": "#2ca02c", "confidence": 0.9}}
        for channel, first, count in (("train", 0, TRAIN), ("validation", 100, 2)):
            lines = []
            for number in range(first, first + count):
                self.s3.put_object(Bucket=bucket, Key=f"photos/{number}.jpg", Body=labeling_material.photo(seed=number))
                self.s3.put_object(Bucket=bucket, Key=f"masks/{number}.png", Body=mask(seed=number))
                lines.append({"source-ref": f"s3://{bucket}/photos/{number}.jpg", "label-ref": f"s3://{bucket}/masks/{number}.png",
                              "label-ref-metadata": {"type": "groundtruth/semantic-segmentation", "internal-color-map": classes, "human-annotated": "yes",
                                                     "creation-date": "2026-01-01T00:00:00", "job-name": "labeling-job/turtles"}})
            lines.append({"source-ref": f"s3://{bucket}/photos/gone.jpg", "label-ref-metadata": {"failure-reason": "unclear", "type": "groundtruth/semantic-segmentation"}})
            self.s3.put_object(Bucket=bucket, Key="photos/gone.jpg", Body=labeling_material.photo())
            self.s3.put_object(Bucket=bucket, Key=f"{channel}/output.manifest", Body="".join(json.dumps(line) + "\n" for line in lines))
        request = self.request(bucket, epochs=1)
        request["AlgorithmSpecification"]["TrainingInputMode"] = "Pipe"
        request["InputDataConfig"] = [
            {"ChannelName": channel, "ContentType": "application/x-recordio", "RecordWrapperType": "RecordIO", "InputMode": "Pipe",
             "DataSource": {"S3DataSource": {"S3DataType": "AugmentedManifestFile", "S3Uri": f"s3://{bucket}/{channel}/output.manifest",
                                             "S3DataDistributionType": "FullyReplicated", "AttributeNames": ["source-ref", "label-ref"]}}}
            for channel in ("train", "validation")]
        job = self.run_job(request)
        self.assertEqual(job["TrainingJobStatus"], "Completed", job.get("FailureReason"))
        self.assertEqual(job["InputDataConfig"][0]["DataSource"]["S3DataSource"]["AttributeNames"], ["source-ref", "label-ref"])

    def test_goes_on_from_checkpoints_and_from_a_model(self):
        _, bucket = self.completed()
        first, _ = self.completed()
        request = self.request(bucket, epochs=1)
        request["CheckpointConfig"] = {"S3Uri": f"s3://{bucket}/checkpoints"}
        request["InputDataConfig"].append(self.channel("model", first["ModelArtifacts"]["S3ModelArtifacts"], ContentType="application/x-sagemaker-model"))
        job = self.run_job(request)
        self.assertEqual(job["TrainingJobStatus"], "Completed", job.get("FailureReason"))
        self.assertEqual(job["CheckpointConfig"], {"S3Uri": f"s3://{bucket}/checkpoints", "LocalPath": "/opt/ml/checkpoints"})
        kept = self.s3.list_objects_v2(Bucket=bucket, Prefix="checkpoints/")["Contents"]
        self.assertGreater(sum(item["Size"] for item in kept), 0)
        # The same configuration, further: the finished epoch is not trained again.
        again = {**request, "TrainingJobName": unique("train")}
        job = self.run_job(again)
        self.assertEqual(job["TrainingJobStatus"], "Completed", job.get("FailureReason"))
        self.assertTrue(any("checkpoints: " in line for line in self.messages(again["TrainingJobName"])))

    def test_on_a_manifest_of_files(self):
        _, bucket = self.completed()
        request = self.request(bucket, epochs=1)
        for channel in request["InputDataConfig"]:
            name = channel["ChannelName"]
            kind = "png" if name.endswith("annotation") else "jpg"
            numbers = range(TRAIN) if name.startswith("train") else (100, 101)
            manifest = [{"prefix": f"s3://{bucket}/data/{name}/"}, *(f"{number}.{kind}" for number in numbers)]
            self.s3.put_object(Bucket=bucket, Key=f"lists/{name}.json", Body=json.dumps(manifest))
            channel["DataSource"]["S3DataSource"].update(S3DataType="ManifestFile", S3Uri=f"s3://{bucket}/lists/{name}.json")
        job = self.run_job(request)
        self.assertEqual(job["TrainingJobStatus"], "Completed", job.get("FailureReason"))


class AFailure(TrainingCase):
    def reason(self, request):
        job = self.run_job(request)
        self.assertEqual((job["TrainingJobStatus"], job["SecondaryStatus"]), ("Failed", "Failed"))
        self.assertNotIn("ModelArtifacts", job)
        return job["FailureReason"]

    def test_names_the_hyperparameter(self):
        _, bucket = self.completed()
        self.assertRegex(self.reason(self.request(bucket, learning_rate="fast")), r"^ClientError: .*learning_rate.*fast")
        self.assertRegex(self.reason(self.request(bucket, lerning_rate="0.1")), r"^ClientError: .*lerning_rate")

    def test_names_the_missing_channel(self):
        _, bucket = self.completed()
        self.assertRegex(self.reason(self.request(bucket, without=("train",))), "^ClientError: .*channel train is missing")
        self.assertRegex(self.reason(self.request(bucket, without=("validation_annotation",))), "^ClientError: .*channel validation_annotation is missing")

    def test_names_the_photo_that_is_none(self):
        bucket = self.make_data()
        self.s3.put_object(Bucket=bucket, Key="data/train/1.jpg", Body=b"no photo")
        self.assertRegex(self.reason(self.request(bucket)), r"^ClientError: .*train/1\.jpg")

    def test_names_the_label_above_num_classes(self):
        bucket = self.make_data(label=7)
        self.assertRegex(self.reason(self.request(bucket)), r"^ClientError: .*(train|validation)_annotation/\d+\.png: pixel value 7 \(\d+ pixels\) is not a class: num_classes is 2\b")

    def test_names_names_that_cannot_be_files(self):
        bucket = self.make_data()
        manifest = [{"prefix": f"s3://{bucket}/data/train/"}, "../../../../escaped.jpg"]
        self.s3.put_object(Bucket=bucket, Key="lists/train.json", Body=json.dumps(manifest))
        request = self.request(bucket)
        request["InputDataConfig"][0]["DataSource"]["S3DataSource"].update(S3DataType="ManifestFile", S3Uri=f"s3://{bucket}/lists/train.json")
        self.assertRegex(self.reason(request), r"^ClientError: Data download failed: channel train: .*escaped\.jpg.*'\.\.'")

    def test_names_the_bucket_that_went_away(self):
        source, target = self.make_data(), unique("b")
        self.s3.create_bucket(Bucket=target)
        request = self.request(source, epochs=40)
        request["OutputDataConfig"]["S3OutputPath"] = f"s3://{target}"
        name = self.create(request)
        self.s3.delete_bucket(Bucket=target)
        job = self.wait_for_end(name)
        self.assertEqual(job["TrainingJobStatus"], "Failed")
        self.assertRegex(job["FailureReason"], f"^ClientError: Artifact upload failed: .*{target}")

    def test_of_the_training_process_is_told(self):
        bucket = self.make_data()
        name = self.create(self.request(bucket, epochs=1000))
        self.wait_for_step(name, "Training")
        self.wait_for(lambda: self.processes("train", "--container"), "the training process")
        for process in self.processes("train", "--container"):
            os.kill(process, signal.SIGKILL)
        job = self.wait_for_end(name)
        self.assertEqual(job["TrainingJobStatus"], "Failed")
        self.assertRegex(job["FailureReason"], r"^AlgorithmError: .*signal 9")
        self.assertEqual(self.work_folders(), [])


class Limits(TrainingCase):
    def test_the_longest_run_keeps_the_model(self):
        bucket = self.make_data()
        request = self.request(bucket, epochs=100000)
        request["StoppingCondition"]["MaxRuntimeInSeconds"] = 10
        job = self.run_job(request)
        self.assertEqual((job["TrainingJobStatus"], job["SecondaryStatus"]), ("Stopped", "MaxRuntimeExceeded"))
        self.assertIn("Stopping", self.steps(job))
        # Slow machines may not reach the end of the first epoch.
        if "ModelArtifacts" in job:
            self.s3.head_object(Bucket=bucket, Key=f"out/{job['TrainingJobName']}/output/model.tar.gz")

    def test_two_jobs_queue(self):
        bucket = self.make_data()
        first = self.create(self.request(bucket, epochs=100000))
        second = self.create(self.request(bucket, epochs=1))
        self.wait_for_step(first, "Training")
        self.assertEqual(self.steps(self.job(second)), ["Pending"])
        self.assertEqual(self.job(second)["TrainingJobStatus"], "InProgress")
        self.sagemaker.stop_training_job(TrainingJobName=first)
        self.assertEqual(self.wait_for_end(second)["TrainingJobStatus"], "Completed")
        self.assertEqual(self.wait_for_end(first)["TrainingJobStatus"], "Stopped")


class AServerThatIsKilled(TrainingCase):
    own_server = True

    def test_finds_its_jobs_again(self):
        bucket = self.make_data()
        goes_on = self.create(self.request(bucket, epochs=30))
        self.wait_for_step(goes_on, "Training")
        self.server.kill()
        self.server.start()
        self.connect()
        job = self.wait_for_end(goes_on)
        self.assertEqual(job["TrainingJobStatus"], "Completed", job.get("FailureReason"))
        self.assertEqual(self.steps(job), ["Pending", "Starting", "Downloading", "Training", "Uploading", "Completed"])
        self.assertEqual(self.work_folders(), [])

    def connect(self):
        cls = type(self)
        cls.s3, cls.sagemaker, cls.logs = (self.server.client(service) for service in ("s3", "sagemaker", "logs"))


class ARequest(TrainingCase):
    def refuse(self, message, **members):
        _, bucket = self.completed()
        request = {**self.request(bucket), **members}
        with self.invalid(message):
            self.raw_sagemaker.create_training_job(**request)

    def test_without_its_needed_members(self):
        with self.invalid(re.compile("3 validation errors detected: .*outputDataConfig.*roleArn.*trainingJobName")):
            self.raw_sagemaker.create_training_job()

    def test_of_a_taken_name(self):
        job, bucket = self.completed()
        with self.refused("ResourceInUse", "Training job names must be unique within an AWS account and region, and a training job with this name "
                          f"already exists (arn:aws:sagemaker:us-east-1:{ACCOUNT}:training-job/{job['TrainingJobName']})"):
            self.sagemaker.create_training_job(**self.request(bucket, job["TrainingJobName"]))

    def test_of_an_image_that_is_not_served(self):
        for image in ("111122223333.dkr.ecr.us-east-1.amazonaws.com/my/net:1", "my/net", "x/semantic-segmentation-2"):
            self.refuse(re.compile("^Cannot find repository: .* in registry ID: "), AlgorithmSpecification={"TrainingImage": image, "TrainingInputMode": "File"})
        self.refuse(re.compile('^Could not find algorithm "mine"'), AlgorithmSpecification={"AlgorithmName": "mine", "TrainingInputMode": "File"})
        self.refuse(re.compile("^You can't override the metric definitions"), AlgorithmSpecification={
            "TrainingImage": IMAGE, "TrainingInputMode": "File", "MetricDefinitions": [{"Name": "a", "Regex": "b"}]})

    def test_for_protection_that_is_not_given(self):
        _, bucket = self.completed()
        self.refuse(re.compile("^VpcConfig is not served"), VpcConfig={"SecurityGroupIds": ["sg-1"], "Subnets": ["subnet-1"]})
        self.refuse(re.compile("^EnableNetworkIsolation is not served"), EnableNetworkIsolation=True)
        self.refuse(re.compile("^EnableInterContainerTrafficEncryption is not served"), EnableInterContainerTrafficEncryption=True)
        self.refuse(re.compile("^KmsKeyId is not served"), OutputDataConfig={"S3OutputPath": f"s3://{bucket}/out", "KmsKeyId": "key"})
        self.refuse(re.compile("^VolumeKmsKeyId is not served"), ResourceConfig={"InstanceType": "ml.p3.2xlarge", "InstanceCount": 1, "VolumeKmsKeyId": "key"})

    def test_for_what_is_not_there(self):
        _, bucket = self.completed()
        self.refuse("ResourceConfig.InstanceCount 1001 is more than this service starts; at most 1000 are allowed.",
                    ResourceConfig={"InstanceType": "ml.p3.2xlarge", "InstanceCount": 1001})
        sharded = self.request(bucket)["InputDataConfig"]
        sharded[1]["DataSource"]["S3DataSource"]["S3DataDistributionType"] = "ShardedByS3Key"
        self.refuse(re.compile("^InputDataConfig channel 'train_annotation': S3DataDistributionType 'ShardedByS3Key' is not served with "
                               "InstanceCount 2: .*FullyReplicated"), InputDataConfig=sharded, ResourceConfig={"InstanceType": "ml.p3.2xlarge", "InstanceCount": 2})
        self.refuse("No S3 objects found under S3 URL \"s3://%s/nothing\" given in input data source. Please ensure that the bucket exists in the selected region "
                    "(us-east-1), that objects exist under that S3 prefix, and that the role \"%s\" has \"s3:ListBucket\" permissions on bucket \"%s\"."
                    % (bucket, ROLE, bucket), InputDataConfig=[self.channel("train", f"s3://{bucket}/nothing")])
        self.refuse(re.compile('^The bucket "nowhere-at-all" of OutputDataConfig.S3OutputPath does not exist'), OutputDataConfig={"S3OutputPath": "s3://nowhere-at-all/x"})
        self.refuse(re.compile("two channels 'train'"), InputDataConfig=[self.channel("train", f"s3://{bucket}/data/train")] * 2)
        self.refuse(re.compile("^Environment 'LD_PRELOAD' is not served"), Environment={"LD_PRELOAD": "input/data/train/1.jpg"})

    def test_for_the_bucket_of_others(self):
        _, bucket = self.completed()
        own = self.make_data()
        stranger = self.server.client("sagemaker", self.server.key_of("requester", "stranger", [own]))
        with self.refused("AccessDeniedException", re.compile(f"arn:aws:s3:::{bucket}")):
            stranger.create_training_job(**self.request(bucket))
        # Nor by way of a manifest.
        request = self.request(own)
        self.s3.put_object(Bucket=own, Key="train.json", Body=json.dumps([{"prefix": f"s3://{bucket}/data/train/"}, "1.jpg"]))
        request["InputDataConfig"][0]["DataSource"]["S3DataSource"].update(S3DataType="ManifestFile", S3Uri=f"s3://{own}/train.json")
        stranger.create_training_job(**request)
        job = self.wait_for_end(request["TrainingJobName"])
        self.assertRegex(job["FailureReason"], f"^ClientError: Data download failed: channel train: .*s3://{bucket}/data/train/1.jpg.* other buckets")

    def test_with_a_key_for_invoking_only(self):
        client = self.server.client("sagemaker", self.server.key_of("invoke", "caller"))
        with self.refused("AccessDeniedException"):
            client.create_training_job(**self.request("some-bucket"))


class SeveralInstances(TrainingCase):
    server_options = ("--job-cores", "2", "--slot", "ml.c5.xlarge=1")

    def several(self, bucket, count, **members):
        request = self.request(bucket, **members)
        request["ResourceConfig"].update(InstanceType="ml.c5.xlarge", InstanceCount=count)
        return request

    def ranks(self):
        """The processes that train together, by their ranks."""
        found = {}
        for process in self.processes("train", "--container"):
            try:
                variables = pathlib.Path(f"/proc/{process}/environ").read_bytes().split(b"\0")
            except OSError:
                continue
            found.update((int(variable[5:]), process) for variable in variables if variable.startswith(b"RANK="))
        return found

    def values(self, name, metric):
        """What the log says of a metric, epoch by epoch."""
        found = (re.search(r"^\[epoch .*\b%s=(\S+)" % re.escape(metric), line) for line in self.messages(name))
        return [float(match.group(1)) for match in found if match]

    def test_train_the_model_of_one(self):
        bucket = self.make_data()
        one, two = self.run_job(self.several(bucket, 1)), self.run_job(self.several(bucket, 2))
        self.assertEqual((one["TrainingJobStatus"], two["TrainingJobStatus"]), ("Completed", "Completed"), (one.get("FailureReason"), two.get("FailureReason")))
        self.assertEqual((two["ResourceConfig"]["InstanceType"], two["ResourceConfig"]["InstanceCount"]), ("ml.c5.xlarge", 2))
        self.assertEqual(one["BillableTimeInSeconds"], one["TrainingTimeInSeconds"])
        self.assertEqual(two["BillableTimeInSeconds"], 2 * two["TrainingTimeInSeconds"])
        for metric, tolerance in (("train:loss", 1e-4), ("validation:mIOU", 0.05)):
            alone, together = (self.values(job["TrainingJobName"], metric) for job in (one, two))
            self.assertEqual((len(alone), len(together)), (2, 2))
            self.assertAlmostEqual(alone[0], together[0], delta=tolerance)
        # Both speak in the one log, and there is one model.
        lines = self.messages(two["TrainingJobName"])
        self.assertEqual(sum("2 processes train together" in line for line in lines), 1)
        self.assertEqual(sum("process 1 of 2 trains along" in line for line in lines), 1)
        results = self.s3.list_objects_v2(Bucket=bucket, Prefix=f"out/{two['TrainingJobName']}/")["Contents"]
        self.assertEqual([item["Key"].rsplit("/", 1)[1] for item in results], ["model.tar.gz", "output.tar.gz"])
        self.assertEqual(self.work_folders(), [])

    def test_end_with_one_that_is_killed(self):
        bucket = self.make_data()
        for rank in (1, 0):
            name = self.create(self.several(bucket, 2, epochs=100000))
            self.wait_for(lambda: self.job(name).get("FinalMetricDataList"), "the first epoch", 300)
            ranks = self.ranks()
            self.assertEqual(sorted(ranks), [0, 1])
            os.kill(ranks[rank], signal.SIGKILL)
            job = self.wait_for_end(name)
            self.assertEqual(job["TrainingJobStatus"], "Failed")
            self.assertRegex(job["FailureReason"], rf"^AlgorithmError: .*process {rank} of 2 was killed by signal 9")
            self.assertEqual(self.processes("train"), [])
            self.assertEqual(self.work_folders(), [])

    def test_are_stopped_together_and_keep_the_model(self):
        bucket = self.make_data()
        name = self.create(self.several(bucket, 2, epochs=100000))
        self.wait_for(lambda: self.job(name).get("FinalMetricDataList"), "the first epoch", 300)
        self.sagemaker.stop_training_job(TrainingJobName=name)
        job = self.wait_for_end(name)
        self.assertEqual(job["TrainingJobStatus"], "Stopped", job.get("FailureReason"))
        self.s3.head_object(Bucket=bucket, Key=f"out/{name}/output/model.tar.gz")
        self.assertEqual(self.processes("train"), [])

    def test_need_cores_and_crops(self):
        bucket = self.make_data()
        job = self.run_job(self.several(bucket, 3))
        self.assertEqual(job["TrainingJobStatus"], "Failed")
        self.assertRegex(job["FailureReason"], "^CapacityError: .*asks for 3 cores and 0 GPUs; this machine lends at most 2 cores")
        job = self.run_job(self.several(bucket, 2, mini_batch_size=1))
        self.assertRegex(job["FailureReason"], "^ClientError: mini_batch_size is 1 .* 2 processes .*allowed is 2 or more")


class InstanceTypes(TrainingCase):
    server_options = ("--slot", "ml.c5.xlarge=1")

    def test_are_those_of_the_table(self):
        bucket = self.make_data()
        with self.invalid("there is no instance type 'ml.p3.2xlarge' here; there are ml.c5.xlarge"):
            self.sagemaker.create_training_job(**self.request(bucket))

