"""CompleteMultipartUpload."""

import base64
import hashlib
import os
import tempfile
import zlib

from support.aws_case import BOTOCORE, S3Case
from support.terrapin_server import ACCOUNT

SMALLEST = 5 << 20
FIRST = b"1" * SMALLEST


class CompleteMultipartUpload(S3Case):
    def get(self, key="large", **members):
        return self.s3.get_object(Bucket=self.bucket, Key=key, **members)

    def test_parts_become_one_object(self):
        upload = self.start_upload()
        parts = self.upload_parts("large", upload, [FIRST, b"2" * (SMALLEST + 1), b"tail"])
        answer = self.complete("large", upload, parts, ExpectedBucketOwner=ACCOUNT)
        digests = b"".join(hashlib.md5(part).digest() for part in (FIRST, b"2" * (SMALLEST + 1), b"tail"))
        self.assertEqual(answer["ETag"], f'"{hashlib.md5(digests).hexdigest()}-3"')
        self.assertEqual((answer["Bucket"], answer["Key"]), (self.bucket, "large"))
        self.assertEqual(answer["Location"], f"{self.server.url}/{self.bucket}/large")
        got = self.get()
        self.assertEqual((got["Body"].read(), got["ETag"]), (FIRST + b"2" * (SMALLEST + 1) + b"tail", answer["ETag"]))

    def test_parts_left_out_and_gaps_in_their_numbers(self):
        upload = self.start_upload()
        parts = {number: self.s3.upload_part(Bucket=self.bucket, Key="large", UploadId=upload, PartNumber=number, Body=body)["ETag"]
                 for number, body in ((3, FIRST), (5, b"left out"), (9, b"tail"))}
        self.complete("large", upload, [{"PartNumber": number, "ETag": parts[number]} for number in (3, 9)])
        self.assertEqual(self.get()["Body"].read(), FIRST + b"tail")

    def test_again_gives_the_same_answer(self):
        """The client may not have heard the first one."""
        upload = self.start_upload()
        parts = self.upload_parts("large", upload, [b"content"])
        first = self.complete("large", upload, parts)
        self.assertEqual(self.complete("large", upload, parts)["ETag"], first["ETag"])

    def test_a_part_that_is_too_small(self):
        upload = self.start_upload()
        parts = self.upload_parts("large", upload, [b"small", b"tail"])
        with self.refused("EntityTooSmall", "Your proposed upload is smaller than the minimum allowed size"):
            self.complete("large", upload, parts)
        self.assertEqual(self.keys(), [])

    def test_parts_that_are_none(self):
        upload = self.start_upload()
        parts = self.upload_parts("large", upload, [b"content"])
        message = ("One or more of the specified parts could not be found.  The part may not have been uploaded, or the specified entity tag may not "
                   "match the part's entity tag.")
        with self.refused("InvalidPart", message):
            self.complete("large", upload, [{"PartNumber": 1, "ETag": '"00000000000000000000000000000000"'}])
        with self.refused("InvalidPart", message):
            self.complete("large", upload, parts + [{"PartNumber": 2, "ETag": parts[0]["ETag"]}])

    def test_parts_out_of_order(self):
        upload = self.start_upload()
        parts = self.upload_parts("large", upload, [FIRST, b"tail"])
        with self.refused("InvalidPartOrder", "The list of parts was not in ascending order. Parts must be ordered by part number."):
            self.complete("large", upload, parts[::-1])

    def test_no_part_at_all(self):
        upload = self.start_upload()
        with self.refused("MalformedXML", "The XML you provided was not well-formed or did not validate against our published schema"):
            self.complete("large", upload, [])

    def test_uploads_that_are_none(self):
        upload = self.start_upload()
        parts = self.upload_parts("large", upload, [b"content"])
        with self.no_such_upload():
            self.complete("large", "none", parts)
        with self.no_such_upload():
            self.complete("another", upload, parts)
        self.s3.abort_multipart_upload(Bucket=self.bucket, Key="large", UploadId=upload)
        with self.no_such_upload():
            self.complete("large", upload, parts)

    def test_another_owner_or_key(self):
        upload = self.start_upload()
        parts = self.upload_parts("large", upload, [b"content"])
        with self.access_denied():
            self.complete("large", upload, parts, ExpectedBucketOwner="999999999999")
        with self.access_denied():
            self.stranger().complete_multipart_upload(Bucket=self.bucket, Key="large", UploadId=upload, MultipartUpload={"Parts": parts})

    def test_the_transfer_manager_of_the_client(self):
        data = os.urandom(1 << 20) * 17
        with tempfile.NamedTemporaryFile() as file:
            file.write(data)
            file.flush()
            self.s3.upload_file(file.name, self.bucket, "by/transfer", ExtraArgs={"ContentType": "image/tiff"})
            self.assertEqual(self.s3.head_object(Bucket=self.bucket, Key="by/transfer")["ContentType"], "image/tiff")
            self.s3.download_file(self.bucket, "by/transfer", file.name + ".back")
            with open(file.name + ".back", "rb") as back:
                self.assertEqual(back.read(), data)
            os.unlink(file.name + ".back")

    if BOTOCORE >= (1, 36):
        def sums(self, upload, bodies, **members):
            return [{"PartNumber": number, **{name: value for name, value in self.s3.upload_part(
                Bucket=self.bucket, Key="large", UploadId=upload, PartNumber=number, Body=body, **members).items()
                if name == "ETag" or name.startswith("Checksum")}} for number, body in enumerate(bodies, start=1)]

        def test_the_checksum_of_checksums(self):
            upload = self.start_upload(ChecksumAlgorithm="SHA256")
            answer = self.complete("large", upload, self.sums(upload, [FIRST, b"tail"], ChecksumAlgorithm="SHA256"))
            both = hashlib.sha256(FIRST).digest() + hashlib.sha256(b"tail").digest()
            value = base64.b64encode(hashlib.sha256(both).digest()).decode() + "-2"
            self.assertEqual((answer["ChecksumSHA256"], answer["ChecksumType"]), (value, "COMPOSITE"))
            head = self.s3.head_object(Bucket=self.bucket, Key="large", ChecksumMode="ENABLED")
            self.assertEqual((head["ChecksumSHA256"], head["ChecksumType"]), (value, "COMPOSITE"))

        def test_the_checksum_of_the_whole(self):
            value = base64.b64encode(zlib.crc32(FIRST + b"tail").to_bytes(4, "big")).decode()
            upload = self.start_upload(ChecksumAlgorithm="CRC32", ChecksumType="FULL_OBJECT")
            parts = self.sums(upload, [FIRST, b"tail"])
            with self.refused("BadDigest"):
                self.complete("large", upload, parts, ChecksumCRC32="AAAAAA==", ChecksumType="FULL_OBJECT")
            answer = self.complete("large", upload, parts, ChecksumCRC32=value, ChecksumType="FULL_OBJECT", MpuObjectSize=SMALLEST + 4)
            self.assertEqual((answer["ChecksumCRC32"], answer["ChecksumType"]), (value, "FULL_OBJECT"))
            got = self.get(ChecksumMode="ENABLED")
            self.assertEqual((got["ChecksumCRC32"], got["ChecksumType"]), (value, "FULL_OBJECT"))
            self.assertEqual(len(got["Body"].read()), SMALLEST + 4)

        def test_each_part_says_its_checksum_of_a_checksum_of_checksums(self):
            upload = self.start_upload(ChecksumAlgorithm="SHA256")
            parts = self.sums(upload, [FIRST, b"tail"], ChecksumAlgorithm="SHA256")
            with self.refused("InvalidRequest", "The upload was created using a sha256 checksum. The complete request must include the checksum for "
                              "each part. It was missing for part 2 in the request."):
                self.complete("large", upload, [parts[0], {"PartNumber": 2, "ETag": parts[1]["ETag"]}])
            with self.refused("InvalidPart"):
                self.complete("large", upload, [parts[0], {**parts[1], "ChecksumSHA256": parts[0]["ChecksumSHA256"]}])
            with self.refused("InvalidRequest", "The upload was created using the COMPOSITE checksum mode. The complete request must use the same "
                              "checksum mode."):
                self.complete("large", upload, parts, ChecksumType="FULL_OBJECT")
            self.assertEqual(self.keys(), [])
            self.complete("large", upload, parts)

        def test_a_part_with_another_checksum_than_the_upload(self):
            upload = self.start_upload(ChecksumAlgorithm="SHA256")
            with self.refused("InvalidRequest", "Checksum Type mismatch occurred, expected checksum Type: sha256, actual checksum Type: crc32"):
                self.sums(upload, [b"tail"], ChecksumAlgorithm="CRC32")

        def test_the_checksum_stays_with_the_object(self):
            for name, kind, dashed in (("CRC64NVME", "FULL_OBJECT", False), ("CRC32C", "FULL_OBJECT", False), ("CRC32C", "COMPOSITE", True),
                                       ("SHA1", "COMPOSITE", True)):
                with self.subTest(name=name, kind=kind):
                    upload = self.start_upload(ChecksumAlgorithm=name, ChecksumType=kind)
                    done = self.complete("large", upload, self.sums(upload, [FIRST, b"tail"], ChecksumAlgorithm=name))
                    member = "Checksum" + name
                    self.assertEqual((done["ChecksumType"], done[member].endswith("-2")), (kind, dashed))
                    got = self.get(ChecksumMode="ENABLED")
                    self.assertEqual((got[member], got["ChecksumType"], len(got["Body"].read())), (done[member], kind, SMALLEST + 4))
                    attributes = self.s3.get_object_attributes(Bucket=self.bucket, Key="large", ObjectAttributes=["Checksum", "ObjectParts"])
                    self.assertEqual((attributes["Checksum"], attributes["ObjectParts"]["TotalPartsCount"]),
                                     ({member: done[member], "ChecksumType": kind}, 2))
                    if not dashed:
                        # The same bytes in one piece have the same checksum.
                        whole = self.put("whole", FIRST + b"tail", ChecksumAlgorithm=name)
                        self.assertEqual(whole[member], done[member])
                    # A copy in one piece has that of its bytes.
                    self.s3.copy_object(Bucket=self.bucket, Key="copy", CopySource={"Bucket": self.bucket, "Key": "large"})
                    copy = self.s3.head_object(Bucket=self.bucket, Key="copy", ChecksumMode="ENABLED")
                    self.assertEqual((copy["ChecksumType"], "-" in copy[member]), ("FULL_OBJECT", False))

        def test_another_size_than_said(self):
            upload = self.start_upload()
            parts = self.upload_parts("large", upload, [b"content"])
            with self.refused("InvalidRequest"):
                self.complete("large", upload, parts, MpuObjectSize=8)

        def test_conditions(self):
            etag = self.put("large", b"present")["ETag"]
            upload = self.start_upload()
            parts = self.upload_parts("large", upload, [b"content"])
            for members in ({"IfNoneMatch": "*"}, {"IfMatch": '"other"'}):
                with self.subTest(members), self.refused("PreconditionFailed", "At least one of the pre-conditions you specified did not hold", 412):
                    self.complete("large", upload, parts, **members)
            with self.no_such_key():
                missing = self.start_upload("missing")
                self.complete("missing", missing, self.upload_parts("missing", missing, [b"content"]), IfMatch=etag)
            self.complete("large", upload, parts, IfMatch=etag)
            self.assertEqual(self.get()["Body"].read(), b"content")
