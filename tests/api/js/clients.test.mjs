// AWS's JavaScript SDK, with the options it has unless told otherwise (but the address): CRC32 in aws-chunked trailers, validated downloads.
// The environment names the service: AWS_ENDPOINT_URL, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION; JOB_REQUEST is a file
// with a CreateLabelingJob request that must be accepted.
import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { createReadStream, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import {
  CompleteMultipartUploadCommand, CopyObjectCommand, CreateBucketCommand, CreateMultipartUploadCommand, DeleteObjectsCommand, GetObjectCommand,
  HeadObjectCommand, ListObjectsV2Command, paginateListObjectsV2, PutObjectCommand, S3Client, UploadPartCommand,
} from "@aws-sdk/client-s3";
import {
  CreateLabelingJobCommand, DescribeLabelingJobCommand, ListLabelingJobsCommand, SageMakerClient, StopLabelingJobCommand,
} from "@aws-sdk/client-sagemaker";
import { getSignedUrl } from "@aws-sdk/s3-request-presigner";

const s3 = new S3Client({ endpoint: process.env.AWS_ENDPOINT_URL, forcePathStyle: true, maxAttempts: 1 });
const sagemaker = new SageMakerClient({ endpoint: process.env.AWS_ENDPOINT_URL, maxAttempts: 1 });
const Bucket = `js-${randomBytes(6).toString("hex")}`;
const folder = mkdtempSync(join(tmpdir(), "terrapin-js-"));

before(() => s3.send(new CreateBucketCommand({ Bucket })));
after(() => rmSync(folder, { recursive: true }));

const read = async (Key, more = {}) => {
  const answer = await s3.send(new GetObjectCommand({ Bucket, Key, ...more }));
  return { ...answer, bytes: Buffer.from(await answer.Body.transformToByteArray()) };
};

test("text goes up and comes back with its checksum", async () => {
  const put = await s3.send(new PutObjectCommand({ Bucket, Key: "photos/ü and space.txt", Body: "123456789", Metadata: { camera: "one" } }));
  assert.equal(put.ChecksumCRC32, "y/Q5Jg==");
  const got = await read("photos/ü and space.txt");
  assert.equal(got.bytes.toString(), "123456789");
  assert.deepEqual(got.Metadata, { camera: "one" });
  assert.equal(got.ETag, put.ETag);
});

test("a stream goes up as aws-chunked with a trailer", async () => {
  const bytes = randomBytes(3 * 1024 * 1024 + 11);
  const path = join(folder, "stream.bin");
  writeFileSync(path, bytes);
  let sent;
  const watched = new S3Client({ endpoint: process.env.AWS_ENDPOINT_URL, forcePathStyle: true, maxAttempts: 1 });
  watched.middlewareStack.add((next) => async (args) => {
    sent = { ...args.request.headers };
    return next(args);
  }, { step: "finalizeRequest", priority: "low", name: "look" });
  await watched.send(new PutObjectCommand({ Bucket, Key: "stream", Body: createReadStream(path), ContentLength: bytes.length }));
  assert.match(sent["x-amz-content-sha256"], /^STREAMING-/);
  assert.equal(sent["x-amz-trailer"], "x-amz-checksum-crc32");
  const got = await read("stream");
  assert.ok(got.bytes.equals(bytes));
  assert.equal(got.ContentEncoding, undefined);
});

test("each checksum", async () => {
  const sha = (kind) => createHash(kind).update("123456789").digest("base64");
  const expected = { CRC32: "y/Q5Jg==", CRC32C: "4waSgw==", SHA1: sha("sha1"), SHA256: sha("sha256") };
  for (const name of Object.keys(expected)) {
    const put = await s3.send(new PutObjectCommand({ Bucket, Key: name, Body: "123456789", ChecksumAlgorithm: name }));
    assert.equal(put[`Checksum${name}`], expected[name], name);
    const head = await s3.send(new HeadObjectCommand({ Bucket, Key: name, ChecksumMode: "ENABLED" }));
    assert.equal(head[`Checksum${name}`], expected[name], name);
  }
});

test("ranges and conditions", async () => {
  await s3.send(new PutObjectCommand({ Bucket, Key: "digits", Body: "0123456789" }));
  assert.equal((await read("digits", { Range: "bytes=2-4" })).bytes.toString(), "234");
  await assert.rejects(read("digits", { Range: "bytes=10-" }), { name: "InvalidRange", message: "The requested range is not satisfiable" });
  await assert.rejects(read("digits", { IfMatch: '"other"' }), { name: "PreconditionFailed" });
  await assert.rejects(s3.send(new PutObjectCommand({ Bucket, Key: "digits", Body: "x", IfNoneMatch: "*" })), { name: "PreconditionFailed" });
  await assert.rejects(read("missing"), { name: "NoSuchKey", message: "The specified key does not exist." });
});

test("pages of a list, copies, removals", async () => {
  for (let index = 0; index < 7; ++index) await s3.send(new PutObjectCommand({ Bucket, Key: `list/${index}`, Body: "x" }));
  const keys = [];
  for await (const page of paginateListObjectsV2({ client: s3, pageSize: 3 }, { Bucket, Prefix: "list/" })) keys.push(...page.Contents.map((item) => item.Key));
  assert.deepEqual(keys, [0, 1, 2, 3, 4, 5, 6].map((index) => `list/${index}`));
  await s3.send(new CopyObjectCommand({ Bucket, Key: "list/copy", CopySource: `${Bucket}/list/0` }));
  const gone = await s3.send(new DeleteObjectsCommand({ Bucket, Delete: { Objects: keys.map((Key) => ({ Key })) } }));
  assert.equal(gone.Deleted.length, 7);
  const left = await s3.send(new ListObjectsV2Command({ Bucket, Prefix: "list/" }));
  assert.deepEqual(left.Contents.map((item) => item.Key), ["list/copy"]);
});

test("an upload in parts", async () => {
  const first = Buffer.alloc(5 * 1024 * 1024, 1);
  const { UploadId } = await s3.send(new CreateMultipartUploadCommand({ Bucket, Key: "large" }));
  const Parts = [];
  for (const [index, Body] of [first, Buffer.from("tail")].entries()) {
    const part = await s3.send(new UploadPartCommand({ Bucket, Key: "large", UploadId, PartNumber: index + 1, Body }));
    Parts.push({ PartNumber: index + 1, ETag: part.ETag, ChecksumCRC32: part.ChecksumCRC32 });
  }
  await s3.send(new CompleteMultipartUploadCommand({ Bucket, Key: "large", UploadId, MultipartUpload: { Parts } }));
  assert.ok((await read("large")).bytes.equals(Buffer.concat([first, Buffer.from("tail")])));
});

test("links for fetch", async () => {
  // Without this option the link carries the checksum of an empty body, and any other is refused, as with AWS.
  const signer = new S3Client({ endpoint: process.env.AWS_ENDPOINT_URL, forcePathStyle: true, requestChecksumCalculation: "WHEN_REQUIRED" });
  const empty = await getSignedUrl(s3, new PutObjectCommand({ Bucket, Key: "by link.txt" }), { expiresIn: 60 });
  const refused = await fetch(empty, { method: "PUT", body: "by link" });
  assert.equal(refused.status, 400);
  assert.match(await refused.text(), /<Code>BadDigest<\/Code><Message>The CRC32 you specified did not match the calculated checksum\.</);
  const put = await getSignedUrl(signer, new PutObjectCommand({ Bucket, Key: "by link.txt", ContentType: "text/plain" }), { expiresIn: 60 });
  const stored = await fetch(put, { method: "PUT", body: "by link", headers: { "Content-Type": "text/plain" } });
  assert.equal(stored.status, 200, await stored.text());
  const get = await getSignedUrl(s3, new GetObjectCommand({ Bucket, Key: "by link.txt" }), { expiresIn: 60 });
  const answer = await fetch(get);
  assert.equal(answer.status, 200);
  assert.equal(await answer.text(), "by link");
  const forged = await fetch(get.replace("by%20link.txt", "digits"));
  assert.equal(forged.status, 403);
  assert.match(await forged.text(), /SignatureDoesNotMatch/);
});

test("a labeling job", async () => {
  const request = JSON.parse(readFileSync(process.env.JOB_REQUEST, "utf8"));
  const made = await sagemaker.send(new CreateLabelingJobCommand(request));
  assert.match(made.LabelingJobArn, /^arn:aws:sagemaker:us-east-1:111122223333:labeling-job\//);
  const LabelingJobName = request.LabelingJobName;
  const job = await sagemaker.send(new DescribeLabelingJobCommand({ LabelingJobName }));
  for (const [name, value] of Object.entries(request)) assert.deepEqual(job[name], value, name);
  assert.ok(job.CreationTime instanceof Date);
  const listed = await sagemaker.send(new ListLabelingJobsCommand({ NameContains: LabelingJobName }));
  assert.deepEqual(listed.LabelingJobSummaryList.map((one) => one.LabelingJobArn), [made.LabelingJobArn]);
  await sagemaker.send(new StopLabelingJobCommand({ LabelingJobName }));
  await assert.rejects(sagemaker.send(new DescribeLabelingJobCommand({ LabelingJobName: "nothing" })), { name: "ResourceNotFound" });
  await assert.rejects(sagemaker.send(new CreateLabelingJobCommand({ ...request, LabelAttributeName: "label" })),
    { name: "ValidationException", message: "LabelAttributeName 'label' must end in '-ref' for semantic segmentation; write 'label-ref'." });
});
