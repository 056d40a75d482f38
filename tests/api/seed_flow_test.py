"""From photos to a trained model as the two source pages tell it, with AWS's own clients: "Image Semantic Segmentation" (the request) and
"Semantic segmentation data labeling and model training" up to and with its dataset transformation.

Indices and pixels are compared at every step: worker's PNG -> consolidated mask -> manifest -> renamed file and transform -> train channel.
"""

import base64
import io
import json
import os
import pathlib
import re
import subprocess

import numpy
import PIL.Image

from support import labeling_material
from support.aws_case import SageMakerCase, unique
from support.aws_cli import AwsCli
from support.labeling_worker import Refused, Worker, answer_of
from support.terrapin_server import program

MODELS = pathlib.Path(__file__).resolve().parents[2] / "models"
WIDTH, HEIGHT, PHOTOS, WORKERS = 160, 120, 10, 3
JOB = "labelturtles"


def indices(data):
    """Class indices of an indexed PNG, and its palette as hex colours."""
    image = PIL.Image.open(io.BytesIO(data) if isinstance(data, bytes) else data)
    assert image.mode == "P", image.mode
    palette = image.getpalette()
    return numpy.asarray(image), ["#%02x%02x%02x" % tuple(palette[i:i + 3]) for i in range(0, len(palette), 3)]


def painted(index, worker):
    """What a worker paints on photo `index`: the disc, moved by up to two pixels."""
    return numpy.roll(labeling_material.disc(WIDTH, HEIGHT, index), (worker - 1) * 2, axis=1)


class SeedFlow(AwsCli, SageMakerCase):
    own_server = True

    def terrapin(self, *arguments):
        done = subprocess.run([program(), *arguments], cwd=self.folder, env={"TERRAPIN_SHARE": str(MODELS), **os.environ}, capture_output=True, text=True,
                              check=False)
        self.assertEqual(done.returncode, 0, f"terrapin {' '.join(arguments)}: {done.stderr}\n{done.stdout}")
        return done.stdout

    def object_bytes(self, uri):
        bucket, _, key = uri[5:].partition("/")
        return self.s3.get_object(Bucket=bucket, Key=key)["Body"].read()

    def manifest_lines(self, job):
        return [json.loads(line) for line in self.object_bytes(job["LabelingJobOutput"]["OutputDatasetS3Uri"]).decode().splitlines()]

    def workers(self, group, count):
        people = [Worker(self.server, group) for _ in range(count)]
        for person in people:
            self.addCleanup(person.close)
        return people

    def test_labelled_turtles_become_a_model(self):
        self.upload_photos()
        self.create_the_job()
        self.label_everything()
        job = self.wait_for_status(JOB, "Completed")
        self.assertEqual(job["LabelCounters"], {"TotalLabeled": PHOTOS, "HumanLabeled": PHOTOS, "MachineLabeled": 0, "FailedNonRetryableError": 0, "Unlabeled": 0})
        masks = self.check_output(job)
        self.aws("s3", "cp", "s3://turtle2022/", "Seaturtles", "--recursive", "--only-show-errors")
        self.transform(masks)
        self.rename_as_the_page_does(masks)
        self.terrapin("train", "--data", "dataset", "--output", "run", "--quiet", "-H", "epochs=1", "-H", "base_size=160", "-H", "crop_size=120",
                      "-H", "mini_batch_size=4")
        self.assertTrue((self.folder / "run" / "model.tar.gz").is_file())

    def upload_photos(self):
        self.aws("s3", "mb", "s3://turtle2022")
        photos = self.folder / "photos"
        photos.mkdir()
        for index in range(PHOTOS):
            (photos / f"Image_{index + 1}.jpg").write_bytes(labeling_material.photo(WIDTH, HEIGHT, index))
        self.aws("s3", "sync", "photos", "s3://turtle2022", "--only-show-errors")
        setup = self.folder / "setup"
        setup.mkdir()
        (setup / "label-categories.json").write_text(labeling_material.categories(["Turtle"]))
        (setup / "worker-task-template.html").write_text(labeling_material.TEMPLATE)
        self.aws("s3", "cp", "setup", "s3://turtle2022/setup", "--recursive", "--only-show-errors")

    def create_the_job(self):
        request = labeling_material.labeling_request("turtle2022", self.make_team("turtle-painters", "painters"), JOB, WORKERS)
        request["LabelAttributeName"] = JOB + "-ref"
        # "For Input data setup, select Automated data setup": the photos below the prefix.
        request["InputConfig"]["DataSource"]["S3DataSource"]["ManifestS3Uri"] = "s3://turtle2022/"
        request["OutputConfig"]["S3OutputPath"] = "s3://turtle2022"
        request["LabelCategoryConfigS3Uri"] = "s3://turtle2022/setup/label-categories.json"
        request["HumanTaskConfig"]["UiConfig"]["UiTemplateS3Uri"] = "s3://turtle2022/setup/worker-task-template.html"
        self.sagemaker.create_labeling_job(**request)
        self.wait_for_status(JOB, "InProgress")

    def label_everything(self):
        first, *others = self.workers("painters", WORKERS)
        self.draft_and_submit(first)
        for number, worker in enumerate([first, *others]):
            def paint(content, worker=worker, number=number):
                uri = content["task_input"]["taskObject"]
                self.assertEqual(content["task_input"]["labels"], ["Turtle"])
                index = int(re.search(r"Image_(\d+)\.jpg$", uri).group(1)) - 1
                # The worker sees the very photo that was uploaded.
                uploaded = PIL.Image.open(self.folder / "photos" / f"Image_{index + 1}.jpg").convert("RGB")
                numpy.testing.assert_array_equal(worker.photo(content), numpy.asarray(uploaded))
                return painted(index, number)
            done = worker.label(JOB, paint)
            self.assertEqual(len(done), PHOTOS - (1 if number == 0 else 0))

    def draft_and_submit(self, worker):
        """The first task with drafts in two tabs, a crash of the service between them."""
        task = worker.accept(JOB)
        identity = task["id"]
        self.assertEqual(worker.open_draft(identity, "one")["deltas"], [])
        self.assertEqual(worker.save_deltas(identity, [(1, "stroke 1"), (2, "stroke 2")], "one"), 3)
        self.assertEqual(worker.save_deltas(identity, [(2, "stroke 2"), (3, "stroke 3")], "one"), 4)
        self.server.kill()
        self.server.start()
        self.renew_clients()
        draft = worker.open_draft(identity, "two")
        self.assertEqual([(delta["sequence"], delta["data"]) for delta in draft["deltas"]], [(1, "stroke 1"), (2, "stroke 2"), (3, "stroke 3")])
        with self.assertRaises(Refused) as caught:
            worker.save_deltas(identity, [(4, "from the old tab")], "one")
        self.assertEqual(caught.exception.status, 409)
        content = worker.content(identity)
        index = int(re.search(r"Image_(\d+)\.jpg$", content["task_input"]["taskObject"]).group(1)) - 1
        worker.submit(identity, answer_of(painted(index, 0), content["labels"], content["colors"]))

    def renew_clients(self):
        """The port is another one after a restart."""
        cls = type(self)
        cls.s3, cls.sagemaker = self.server.client("s3"), self.server.client("sagemaker")

    def check_output(self, job):
        """The manifest has the page's form, and each mask is what the workers painted. Returns {photo: indices}."""
        lines = self.manifest_lines(job)
        self.assertEqual(sorted(line["source-ref"] for line in lines), sorted(f"s3://turtle2022/Image_{n + 1}.jpg" for n in range(PHOTOS)))
        folder = f"s3://turtle2022/{JOB}/annotations/consolidated-annotation/output/"
        masks = {}
        for number, line in enumerate(lines):
            self.assertEqual(list(line), ["source-ref", JOB + "-ref", JOB + "-ref-metadata"])
            self.assertRegex(line[JOB + "-ref"], "^" + re.escape(folder) + str(number) + r"_\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\.png$")
            metadata = line[JOB + "-ref-metadata"]
            self.assertEqual(set(metadata), {"internal-color-map", "type", "human-annotated", "creation-date", "job-name"})
            self.assertEqual((metadata["type"], metadata["human-annotated"], metadata["job-name"]),
                             ("groundtruth/semantic-segmentation", "yes", "labeling-job/" + JOB))
            self.assertRegex(metadata["creation-date"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}$")
            colors = metadata["internal-color-map"]
            self.assertEqual({key: (entry["class-name"], entry["hex-color"]) for key, entry in colors.items()},
                             {"0": ("BACKGROUND", "#ffffff"), "1": ("Turtle", "#2ca02c")})
            self.assertEqual(len({entry["confidence"] for entry in colors.values()}), 1)
            mask, palette = indices(self.object_bytes(line[JOB + "-ref"]))
            self.assertEqual(palette[:2], ["#ffffff", "#2ca02c"])
            index = int(re.search(r"Image_(\d+)", line["source-ref"]).group(1)) - 1
            answers = numpy.stack([painted(index, worker) for worker in range(WORKERS)])
            # At every pixel one of the answers that it got.
            votes = answers.sum(axis=0)
            numpy.testing.assert_array_equal(mask[votes == 0], 0)
            numpy.testing.assert_array_equal(mask[votes == WORKERS], 1)
            self.assertTrue(set(numpy.unique(mask)) <= {0, 1})
            self.assertGreater((mask == 1).sum(), 0)
            masks[f"Image_{index + 1}"] = mask
            self.check_worker_response(number, index)
        return masks

    def check_worker_response(self, number, index):
        """Each worker's own PNG lies beside the mask as it was sent."""
        prefix = f"{JOB}/annotations/worker-response/iteration-1/{number}/"
        key = self.s3.list_objects_v2(Bucket="turtle2022", Prefix=prefix)["Contents"][0]["Key"]
        answers = json.loads(self.object_bytes("s3://turtle2022/" + key))["answers"]
        self.assertEqual(len(answers), WORKERS)
        self.assertEqual(len({answer["workerId"] for answer in answers}), WORKERS)
        seen = []
        for answer in answers:
            self.assertEqual(set(answer), {"acceptanceTime", "submissionTime", "timeSpentInSeconds", "workerId", "answerContent", "workerMetadata"})
            self.assertEqual(set(answer["workerMetadata"]["identityData"]), {"identityProviderType", "issuer", "sub"})
            element = answer["answerContent"]["crowd-semantic-segmentation"]
            self.assertEqual(element["labelMappings"], {"Turtle": {"color": "#2ca02c"}})
            pixels = numpy.asarray(PIL.Image.open(io.BytesIO(base64.b64decode(element["labeledImage"]["pngImageData"]))).convert("RGB"))
            seen.append((pixels == (0x2c, 0xa0, 0x2c)).all(axis=2).astype(numpy.uint8))
        for worker in range(WORKERS):
            self.assertTrue(any((painted(index, worker) == mask).all() for mask in seen))

    def transform(self, masks):
        self.terrapin("transform", f"Seaturtles/{JOB}/manifests/output/output.manifest", "--s3-root", "turtle2022=Seaturtles", "--output", "dataset",
                      "--train-fraction", "0.8", "--seed", "1", "--quiet")
        self.check_channels(self.folder / "dataset", masks, 8, 2)

    def check_channels(self, dataset, masks, train, validation):
        found = {}
        for split, count in (("train", train), ("validation", validation)):
            photos = sorted((dataset / split).iterdir())
            self.assertEqual(len(photos), count)
            for photo in photos:
                found[photo.stem] = indices(dataset / f"{split}_annotation" / f"{photo.stem}.png")[0]
                self.assertEqual(photo.read_bytes(), (self.folder / "photos" / photo.name).read_bytes())
        self.assertEqual(set(found), set(masks))
        for name, mask in masks.items():
            numpy.testing.assert_array_equal(found[name], mask)

    def rename_as_the_page_does(self, masks):
        """Its code, which finds names by regular expressions, works on our manifest and names."""
        dir_name, s3_name = str(self.folder / "Seaturtles"), "turtle2022/"
        with open(f"{dir_name}/{JOB}/manifests/output/output.manifest", encoding="utf-8") as file:
            txt = file.readlines()
        output_path = f"{dir_name}/{JOB}/annotations/consolidated-annotation/output"
        im_list = []
        for string in txt:
            im_name = re.search(s3_name + "(.+)" + ".jpg", string).group(1)
            im_list.append(im_name)
            annotation_name = re.search('output/(.+?)"', string).group(1)
            os.rename(f"{output_path}/{annotation_name}", f"{output_path}/{im_name}.png")
        self.assertEqual(sorted(os.listdir(output_path)), sorted(name + ".png" for name in masks))
        self.assertEqual(set(im_list), set(masks))
        for name, mask in masks.items():
            numpy.testing.assert_array_equal(indices(pathlib.Path(output_path) / f"{name}.png")[0], mask)

    def test_every_index_that_a_mask_can_hold(self):
        """253 labels and BACKGROUND, one worker: bit for bit through to the training channel; one more label is refused."""
        labels = [f"label {number:03}" for number in range(254)]
        bucket = unique("every")
        labeling_material.upload(self.s3, bucket, photos=3, labels=labels[:253], width=64, height=64)
        name = unique("every")
        request = labeling_material.labeling_request(bucket, self.make_team(group="all-labels"), name)
        self.sagemaker.create_labeling_job(**request)
        self.wait_for_status(name, "InProgress")
        worker, = self.workers("all-labels", 1)
        random = numpy.random.default_rng(1)
        blocks = [numpy.kron(random.permutation(numpy.append(numpy.arange(254), [0, 253])).reshape(16, 16), numpy.ones((4, 4))).astype(numpy.uint8)
                  for _ in range(3)]

        def paint(content):
            self.assertEqual((content["labels"], len(set(content["colors"]))), (labels[:253], 253))
            return blocks[int(content["task_input"]["taskObject"][-7:-4])]
        self.assertEqual(worker.label(name, paint), [0, 1, 2])
        job = self.wait_for_status(name, "Completed")
        for index, line in enumerate(self.manifest_lines(job)):
            mask, palette = indices(self.object_bytes(line["label-ref"]))
            numpy.testing.assert_array_equal(mask, blocks[index])
            colors = line["label-ref-metadata"]["internal-color-map"]
            self.assertEqual([colors[str(number)]["class-name"] for number in range(254)], ["BACKGROUND", *labels[:253]])
            self.assertEqual([colors[str(number)]["hex-color"] for number in range(254)], palette[:254])
            self.assertEqual({entry["confidence"] for entry in colors.values()}, {0.0})
        self.aws("s3", "cp", f"s3://{bucket}", "every", "--recursive", "--only-show-errors")
        self.terrapin("transform", f"every/output/{name}/manifests/output/output.manifest", "--s3-root", f"{bucket}=every", "--output", "every-dataset",
                      "--train-fraction", "0.7", "--seed", "1", "--quiet")
        found = 0
        for path in self.folder.glob("every-dataset/*_annotation/*.png"):
            numpy.testing.assert_array_equal(indices(path)[0], blocks[int(path.stem)])
            found += 1
        self.assertEqual(found, 3)
        self.s3.put_object(Bucket=bucket, Key="path/label-categories.json", Body=labeling_material.categories(labels).encode())
        with self.invalid(re.compile("254")):
            self.sagemaker.create_labeling_job(**dict(request, LabelingJobName=unique("every")))
