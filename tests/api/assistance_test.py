"""Assistance over the workers' interface: four points on a photo become a mask (docs/formats/worker-http.md)."""

import base64
import contextlib
import io
import os
import re
import subprocess
import tempfile
import threading
import unittest
import unittest.mock

import numpy
import PIL.Image

from support import labeling_material
from support.assist_model import random_assist_model
from support.aws_case import SageMakerCase, unique
from support.labeling_worker import Refused, Worker, answer_of
from support.terrapin_server import TerrapinServer, program

SIZE = (640, 480)


def runs_of(mask):
    """The contract's code of a mask, from its definition: lengths of background, object, background, ..."""
    code, flat = bytearray(), mask.reshape(-1).astype(bool)
    edges = [0, *(numpy.flatnonzero(flat[1:] != flat[:-1]) + 1).tolist(), len(flat)] if len(flat) else [0]
    lengths = [b - a for a, b in zip(edges, edges[1:])]
    for length in ([0] if len(flat) and flat[0] else []) + lengths:
        while length > 127:
            code.append(length & 127 | 128)
            length >>= 7
        code.append(length)
    return base64.b64encode(bytes(code)).decode()


def mask_of(answer, size=SIZE):
    """The answer's mask on the whole photo."""
    x, y, width, height = answer["box"]
    values, length, shift = [], 0, 0
    for byte in base64.b64decode(answer["runs"], validate=True):
        length |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            values.append(numpy.full(length, len(values) % 2, bool))
            length = shift = 0
    flat = numpy.concatenate(values) if values else numpy.zeros(0, bool)
    mask = numpy.zeros((size[1], size[0]), bool)
    mask[y : y + height, x : x + width] = flat.reshape(height, width)
    return mask


def iou(a, b):
    return (a & b).sum() / max(1, (a | b).sum())


def extremes(mask):
    """Top-most, left-most, bottom-most and right-most pixel, as [x, y]."""
    rows, columns = numpy.nonzero(mask)
    return [[int(columns[i]), int(rows[i])] for i in (rows.argmin(), columns.argmin(), rows.argmax(), columns.argmax())]


@contextlib.contextmanager
def without_a_model():
    """Services that start meanwhile find none that ships; the folder where they look."""
    with tempfile.TemporaryDirectory() as folder, unittest.mock.patch.dict(os.environ, TERRAPIN_SHARE=folder):
        yield folder


class AssistanceCase(SageMakerCase):
    own_server = True

    def setUp(self):
        group = unique("group")
        self.team = self.make_team(group=group)
        self.worker = Worker(self.server, group)
        self.addCleanup(self.worker.close)

    def photo(self, size=SIZE, kind="JPEG", orientation=None):
        """A light disc on dark noise, and where it is."""
        photo = labeling_material.photo(*size, kind=kind)
        if orientation:
            file, exif = io.BytesIO(), PIL.Image.Exif()
            exif[0x0112] = orientation
            PIL.Image.open(io.BytesIO(photo)).save(file, kind, quality="keep", exif=exif)
            photo = file.getvalue()
        return photo, labeling_material.disc(*size) > 0

    def task(self, photo, workers=1):
        """The assignment of a job with that one photo, and the photo's URI."""
        request = self.job_request(team=self.team, workers=workers, photos=1)
        bucket = request["InputConfig"]["DataSource"]["S3DataSource"]["ManifestS3Uri"][5:].partition("/")[0]
        self.s3.put_object(Bucket=bucket, Key="photos/000.jpg", Body=photo)
        self.sagemaker.create_labeling_job(**request)
        self.wait_for_status(request["LabelingJobName"], "InProgress")
        task = self.worker.accept(request["LabelingJobName"])["id"]
        content = self.worker.content(task)
        self.assistance = content["assistance"]
        return task, content["task_input"]["taskObject"]

    def ask(self, task, image, worker=None, **members):
        return (worker or self.worker).call("POST", f"/_/api/assignments/{task}/assist", {"image": image, **members})

    def metric(self, name):
        status, _, text = self.server.fetch("GET", "/metrics")
        self.assertEqual(status, 200)
        return float(re.search(rf"^{re.escape(name)} (\S+)$", text.decode(), re.MULTILINE)[1])


class Assistance(AssistanceCase):
    def task(self, photo, workers=1):
        task, image = super().task(photo, workers)
        if self.assistance is None or not self.assistance["classical"]:
            self.skipTest("this build has no OpenCV: the classical method does not serve")
        return task, image

    def test_four_points_become_a_mask(self):
        photo, disc = self.photo()
        task, image = self.task(photo)
        opened = self.metric("terrapin_assist_photos_opened_total")
        size = self.worker.call("POST", f"/_/api/assignments/{task}/assist/open", {"image": image})
        self.assertEqual(size, {"width": SIZE[0], "height": SIZE[1]})
        answer = self.ask(task, image, extremes=extremes(disc), positive=[], negative=[], previous=None, method="classical")
        self.assertEqual(set(answer), {"box", "runs", "method", "milliseconds"})
        self.assertEqual(answer["method"], "classical")
        self.assertGreaterEqual(answer["milliseconds"], 0)
        found = mask_of(answer)
        self.assertGreaterEqual(iou(found, disc), 0.9)
        # The box is tight, and the code is the contract's.
        x, y, width, height = answer["box"]
        rows, columns = numpy.nonzero(found)
        self.assertEqual([x, y, x + width - 1, y + height - 1], [columns.min(), rows.min(), columns.max(), rows.max()])
        self.assertEqual(answer["runs"], runs_of(found[y : y + height, x : x + width]))

        # The answer goes on: what is clicked away is not in the next one.
        middle = [int(columns.mean()), int(rows.mean())]
        next_answer = self.ask(task, image, previous={"box": answer["box"], "runs": answer["runs"]}, negative=[middle], method="classical")
        self.assertFalse(mask_of(next_answer)[middle[1], middle[0]])
        # All of it decoded the photo once.
        self.assertEqual(self.metric("terrapin_assist_photos_opened_total"), opened + 1)
        self.assertGreaterEqual(self.metric('terrapin_assist_questions_total{outcome="answered"}'), 2)
        self.assertGreater(self.metric("terrapin_assist_seconds_total"), 0)
        self.assertGreaterEqual(self.metric("terrapin_assist_photo_bytes"), SIZE[0] * SIZE[1] * 3)

    def test_the_same_question_has_the_same_answer(self):
        photo, disc = self.photo(kind="PNG")
        task, image = self.task(photo)
        question = {"extremes": extremes(disc), "positive": [extremes(disc)[0]], "method": "classical"}
        answers = [self.ask(task, image, **question) for _ in range(2)]
        self.assertEqual(answers[0]["runs"], answers[1]["runs"])
        self.assertEqual(answers[0]["box"], answers[1]["box"])

    def test_pixels_are_the_stored_ones(self):
        photo, disc = self.photo(orientation=6)  # shown turned by a quarter
        task, image = self.task(photo)
        size = self.worker.call("POST", f"/_/api/assignments/{task}/assist/open", {"image": image})
        self.assertEqual(size, {"width": SIZE[0], "height": SIZE[1]})
        answer = self.ask(task, image, extremes=extremes(disc), method="classical")
        self.assertGreaterEqual(iou(mask_of(answer), disc), 0.9)

    def test_a_photo_that_changed_is_read_again(self):
        photo, disc = self.photo()
        task, image = self.task(photo)
        self.ask(task, image, extremes=extremes(disc), method="classical")
        bucket, _, key = image[5:].partition("/")
        other, _ = self.photo((320, 240))
        self.s3.put_object(Bucket=bucket, Key=key, Body=other)
        size = self.worker.call("POST", f"/_/api/assignments/{task}/assist/open", {"image": image})
        self.assertEqual(size, {"width": 320, "height": 240})
        with self.assertRaises(Refused) as caught:
            self.ask(task, image, extremes=[[1, 1], [2, 2], [3, 3], [320, 10]], method="classical")
        self.assertEqual(caught.exception.status, 400)
        self.assertIn("extreme point 4 at 320,10 lies outside the photo: x is 0 to 319, y is 0 to 239", caught.exception.message)

    def test_a_newer_question_takes_the_place(self):
        # Large enough that the second question comes while the first one's photo is being decoded.
        size = (4000, 3000)
        photo, disc = self.photo(size)
        task, image = self.task(photo)
        question = {"extremes": extremes(disc), "method": "classical"}
        before = self.metric('terrapin_assist_questions_total{outcome="superseded"}')
        refused = []

        def first():
            worker = self.worker.beside()
            try:
                self.ask(task, image, worker, **question)
            except Refused as error:
                refused.append(error)
            finally:
                worker.close()

        # A first question may be done before the second comes, on a machine that stalls: then both are asked again.
        for _ in range(20):
            thread = threading.Thread(target=first)
            thread.start()
            self.wait_for(lambda: not thread.is_alive() or self.metric("terrapin_assist_questions_under_way") >= 1, "the first question")
            answer = self.ask(task, image, **question)
            thread.join()
            self.assertGreaterEqual(iou(mask_of(answer, size), disc), 0.9)
            if refused:
                break
        self.assertEqual([(error.status, error.code) for error in refused], [(409, "superseded")])
        self.assertEqual(self.metric('terrapin_assist_questions_total{outcome="superseded"}'), before + 1)

    def test_a_submitted_answer_may_be_corrected_with_it(self):
        photo, disc = self.photo()
        task, image = self.task(photo, workers=2)  # another answer is waited for
        content = self.worker.content(task)
        answer = answer_of(disc.astype(numpy.uint8), content["labels"], content["colors"])
        self.assertTrue(self.worker.submit(task, answer)["correctable"])
        self.assertGreaterEqual(iou(mask_of(self.ask(task, image, extremes=extremes(disc), method="classical")), disc), 0.9)


class OfANetwork(AssistanceCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.server_options = ("--assist-model", str(random_assist_model(folder.name)))
        super().setUpClass()

    def test_the_network_answers(self):
        size = (160, 120)
        photo, disc = self.photo(size)
        task, image = self.task(photo)
        self.assertTrue(self.assistance["network"])
        points = extremes(disc)
        answers = [self.ask(task, image, extremes=points, **members) for members in ({}, {"method": "auto"}, {"method": "network"})]
        for answer in answers:
            # Its weights are random: but what was clicked is in the mask.
            self.assertEqual(answer["method"], "network")
            self.assertTrue(all(mask_of(answer, size)[y, x] for x, y in points))
            self.assertEqual((answer["box"], answer["runs"]), (answers[0]["box"], answers[0]["runs"]))
        x, y = points[0]
        refined = self.ask(task, image, extremes=points, negative=[[80, 60]], previous={"box": [x, y, 1, 1], "runs": "AAE="})
        self.assertEqual(refined["method"], "network")
        self.assertFalse(mask_of(refined, size)[60, 80])
        if self.assistance["classical"]:
            self.assertEqual(self.ask(task, image, extremes=points, method="classical")["method"], "classical")


class WithoutANetwork(AssistanceCase):
    @classmethod
    def setUpClass(cls):
        with without_a_model():
            super().setUpClass()

    def test_the_classical_method_answers(self):
        photo, disc = self.photo()
        task, image = self.task(photo)
        if self.assistance is None:
            self.skipTest("this build has no OpenCV: nothing serves without a network")
        self.assertEqual(self.assistance, {"network": False, "classical": True})
        with self.assertRaises(Refused) as caught:
            self.ask(task, image, extremes=extremes(disc), method="network")
        self.assertEqual((caught.exception.status, caught.exception.code), (501, "Unsupported"))
        for members in ({}, {"method": "auto"}, {"method": "classical"}):
            self.assertEqual(self.ask(task, image, extremes=extremes(disc), **members)["method"], "classical")


class WithoutAssistance(SageMakerCase):
    server_options = ("--no-assistance",)

    def test_all_else_serves(self):
        team = self.make_team(group="painters")
        name = self.make_job(team=team, photos=1)
        self.wait_for_status(name, "InProgress")
        worker = Worker(self.server, "painters")
        self.addCleanup(worker.close)
        task = worker.accept(name)["id"]
        content = worker.content(task)
        self.assertIn("assistance", content)
        self.assertIsNone(content["assistance"])
        image = content["task_input"]["taskObject"]
        for end, body in (("/assist", {"image": image, "extremes": [[1, 1]] * 4}), ("/assist/open", {"image": image})):
            with self.assertRaises(Refused) as caught:
                worker.call("POST", f"/_/api/assignments/{task}{end}", body)
            self.assertEqual((caught.exception.status, caught.exception.code), (501, "Unsupported"))
        self.assertNotIn("terrapin_assist", self.server.fetch("GET", "/metrics")[2].decode())


class Start(unittest.TestCase):
    def told(self, *options):
        with TerrapinServer(options) as server:
            [told] = [line for line in server.printed if line.startswith("Assistance: ")]
        return told.strip().removeprefix("Assistance: ")

    def test_says_what_serves(self):
        self.assertEqual(self.told("--no-assistance"), "none (--no-assistance)")
        with tempfile.TemporaryDirectory() as folder:
            model = str(random_assist_model(folder))
            self.assertIn(self.told("--assist-model", model), (f"the network of {model}, and the classical method", f"the network of {model}"))
        with without_a_model() as folder:
            # The second where there is no OpenCV either.
            self.assertRegex(self.told(), rf"^(the classical method alone \(no model at {re.escape(folder)}/.+\)|none \(no assistance: {re.escape(folder)}/.+ OpenCV .+\))$")

    def test_a_model_that_is_named_must_be_one(self):
        for name in ("/nonexistent/assist.safetensors", __file__):
            with tempfile.TemporaryDirectory() as folder:
                ended = subprocess.run([program(), "serve", "--data-dir", f"{folder}/data", "--port", "0", "--assist-model", name],
                                       stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
            self.assertEqual(ended.returncode, 1, ended.stderr)
            self.assertIn("--assist-model", ended.stderr)
            self.assertIn(name, ended.stderr)
            self.assertNotIn("terrapin serve:", ended.stdout)
