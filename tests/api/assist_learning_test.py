"""Assistance learns from a labeling job while it runs, and is used once it is the better one (docs/formats/assist-learning.md)."""

import io
import json
import pathlib
import subprocess
import tempfile
import unittest

import numpy
import PIL.Image

from assistance_test import extremes, iou, mask_of
from support.aws_case import SageMakerCase, unique
from support.files import files_below
from support.labeling_worker import Worker, answer_of
from support.terrapin_server import program

TAG = "terrapin:assist-learning"
SIZE = (240, 130)
LABELED, LEFT = 15, 2  # photos that the worker paints; photos that keep the job running
STARTER = pathlib.Path(__file__).resolve().parents[2] / "models" / "starter-mobilenet-v2.safetensors"


def discs(number):
    """(photo, mask) of eight light discs on dark noise."""
    random = numpy.random.default_rng(number)
    y, x = numpy.mgrid[0:SIZE[1], 0:SIZE[0]]
    mask = numpy.zeros((SIZE[1], SIZE[0]), numpy.uint8)
    for row in range(2):
        for column in range(4):
            middle = 30 + 60 * column + random.integers(-6, 7), 33 + 64 * row + random.integers(-6, 7)
            mask[(x - middle[0]) ** 2 + (y - middle[1]) ** 2 <= random.integers(14, 20) ** 2] = 1
    pixels = random.integers(0, 60, (*mask.shape, 3), numpy.uint8)
    pixels[mask > 0] += numpy.array([170, 120, 30], numpy.uint8)
    return pixels, mask


def png(pixels):
    file = io.BytesIO()
    PIL.Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def ignorant_model(folder):
    """A small assistance model that has hardly learned anything."""
    folder = pathlib.Path(folder)
    for name in ("images", "instances"):
        (folder / "data" / name).mkdir(parents=True)
    for number in range(4):
        pixels, mask = discs(1000 + number)
        (folder / "data" / "images" / f"{number}.png").write_bytes(png(pixels))
        (folder / "data" / "instances" / f"{number}.png").write_bytes(png(mask))
    (folder / "data" / "splits.tsv").write_text("split\tname\n" + "".join(f"train\t{number}\n" for number in range(4)))
    subprocess.run([program(), "train-assist", "--data", folder / "data", "--output", folder / "base", "--weights", STARTER, "--steps", "1", "--rate", "1e-6",
                    "--batch", "2", "--side", "65", "--width", "16", "--scenes", "0", "--watch-objects", "2", "--threads", "1", "--device", "cpu", "--quiet"],
                   check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return folder / "base" / "assist.safetensors"


def learning_options(model, steps):
    return ("--assist-learning", "--assist-learning-photos", str(LABELED), "--assist-learning-steps", str(steps), "--assist-learning-rate", "0.003",
            "--assist-model", str(model))


class Learning(SageMakerCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.server_options = learning_options(ignorant_model(folder.name), 80)
        super().setUpClass()

    def setUp(self):
        group = unique("group")
        self.team = self.make_team(group=group)
        # One keeps a task open and asks, one paints.
        self.worker, self.painter = Worker(self.server, group), Worker(self.server, group)
        self.requester = Worker(self.server, "requesters", "requester")
        self.people = (self.worker, self.painter, self.requester)
        for person in self.people:
            self.addCleanup(person.close)

    def restart(self, options=None):
        self.server.stop()
        if options:
            self.server._options = list(options)
        self.server.start()
        # At another port.
        type(self).s3, type(self).sagemaker = self.server.client("s3"), self.server.client("sagemaker")
        for person in self.people:
            person.close()

    def start_job(self, tags=()):
        """A job over photos with discs: (name, the task that is kept open)."""
        request = self.job_request(team=self.team, photos=1, labels=("Disc",))
        bucket = request["OutputConfig"]["S3OutputPath"][5:].partition("/")[0]
        lines = []
        for number in range(LABELED + LEFT):
            self.s3.put_object(Bucket=bucket, Key=f"photos/{number:03}.png", Body=png(discs(number)[0]), ContentType="image/png")
            lines.append(json.dumps({"source-ref": f"s3://{bucket}/photos/{number:03}.png"}) + "\n")
        self.s3.put_object(Bucket=bucket, Key="path/manifest-with-input-data.json", Body="".join(lines).encode())
        request["HumanTaskConfig"].update(TaskTimeLimitInSeconds=3600, TaskAvailabilityLifetimeInSeconds=36000)
        request["Tags"] = [{"Key": key, "Value": value} for key, value in tags]
        self.sagemaker.create_labeling_job(**request)
        self.wait_for_status(request["LabelingJobName"], "InProgress")
        return request["LabelingJobName"], self.worker.accept(request["LabelingJobName"])

    def paint(self, name, count):
        for _ in range(count):
            task = self.painter.accept(name)
            content = self.painter.content(task["id"])
            self.painter.submit(task["id"], answer_of(discs(task["object_index"])[1], content["labels"], content["colors"]))

    def ask(self, task):
        """How well four clicks on each disc of the task's photo are answered."""
        image = self.worker.content(task["id"])["task_input"]["taskObject"]
        truth = discs(task["object_index"])[1]
        scores = []
        for row in range(2):
            for column in range(4):
                one = numpy.zeros(truth.shape, bool)
                part = slice(64 * row, 64 * row + 65), slice(60 * column, 60 * column + 60)
                one[part] = truth[part] > 0
                answer = self.worker.call("POST", f"/_/api/assignments/{task['id']}/assist",
                                          {"image": image, "extremes": extremes(one), "method": "network"})
                scores.append(iou(mask_of(answer, SIZE), one))
        return scores

    def learned(self, name):
        return self.requester.call("GET", f"/_/api/requester/jobs/{name}/progress")["assistance_learned"]

    def models(self):
        folder = self.server.data_dir / "assist-models"
        return [str(path.relative_to(folder)) for path in files_below(folder)]


    def test_a_job_gets_a_model_of_its_own_and_keeps_it_where_nothing_is_better(self):
        name, task = self.start_job()
        other, other_task = self.start_job([(TAG, "off")])
        before, other_before = self.ask(task), self.ask(other_task)
        self.assertIsNone(self.learned(name))
        self.paint(other, LABELED)
        self.paint(name, LABELED)
        # The next question is answered by what was learned; nothing was started anew.
        learned = self.wait_for(lambda: self.learned(name), "the job's own model", timeout_s=600)
        self.assertEqual((learned["photos"], learned["held_out"]), (12, 3))
        self.assertGreaterEqual(learned["iou_after"], learned["iou_before"] + 0.005)
        after = self.ask(task)
        self.assertGreater(numpy.mean(after), numpy.mean(before))
        # No other job has anything of it.
        self.assertEqual(self.ask(other_task), other_before)
        self.assertIsNone(self.learned(other))
        [model] = [path for path in self.models() if path.endswith(".safetensors")]
        self.assertEqual(self.models(), [model, model.partition("/")[0] + "/learned.json"])

        # A new server has it, too.
        path = self.server.data_dir / "assist-models" / model
        self.restart()
        self.assertEqual(self.ask(task), after)

        # One step on top of it makes nothing better: it is refused, and said so.
        self.restart(learning_options(path, 1))
        third, third_task = self.start_job([(TAG, "on")])
        kept = self.ask(third_task)
        self.paint(third, LABELED)
        self.wait_for(lambda: f"labeling job {third}: kept the model" in self.server.log.read_text(), "the refusal", timeout_s=600)
        self.assertIsNone(self.learned(third))
        self.assertEqual(self.ask(third_task), kept)
        self.assertEqual(len([path for path in self.models() if path.endswith(".safetensors")]), 1)

    def test_the_tag_says_on_or_off(self):
        request = self.job_request(team=self.team)
        request["Tags"] = [{"Key": TAG, "Value": "perhaps"}]
        with self.invalid(f"the tag '{TAG}' is 'perhaps': allowed are on and off"):
            self.sagemaker.create_labeling_job(**request)


if __name__ == "__main__":
    unittest.main()
