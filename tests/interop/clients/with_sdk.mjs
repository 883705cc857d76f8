// An everyday round with AWS's SDK for JavaScript as it comes.
import { readFileSync, readdirSync } from "node:fs";
import { createRequire } from "node:module";

// Modules are found through NODE_PATH, which `import` does not look at.
const require = createRequire(import.meta.url);
const s3 = require("@aws-sdk/client-s3");
const { Upload } = require("@aws-sdk/lib-storage");
const { getSignedUrl } = require("@aws-sdk/s3-request-presigner");
const { createPresignedPost } = require("@aws-sdk/s3-presigned-post");

const { ROUND_ENDPOINT: endpoint, ROUND_BUCKET: Bucket, ROUND_CORPUS: corpus } = process.env;
const base = process.env.ROUND_BASE;
if (base) {
  // Hosts of buckets are on this machine, which no name service knows.
  const dns = require("node:dns");
  const found = dns.lookup;
  dns.lookup = (name, ...rest) => found(name.endsWith(base) ? "127.0.0.1" : name, ...rest);
}
const client = new s3.S3Client({ endpoint, forcePathStyle: !base });
const send = (Command, more) => client.send(new Command({ Bucket, ...more }));
const data = (key) => readFileSync(`${corpus}/${key}`);
const small = readdirSync(`${corpus}/small`).sort().map((name) => `small/${name}`);
const large = data("large.bin");
const partSize = 5 << 20;

function same(got, wanted, what) {
  const [left, right] = [JSON.stringify(got), JSON.stringify(wanted)];
  if (left !== right) throw new Error(`${what}: got ${left.slice(0, 500)}, wanted ${right.slice(0, 500)}`);
}

function sameBytes(got, wanted, what) {
  if (Buffer.compare(Buffer.from(got), wanted)) throw new Error(`${what}: other bytes`);
}

async function each(work, keys) {
  const left = [...keys];
  const worker = async () => {
    for (let key = left.shift(); key; key = left.shift()) await work(key);
  };
  await Promise.all(Array.from({ length: 8 }, worker));
}

async function answered(response, what) {
  if (!response.ok) throw new Error(`${what}: ${response.status} ${await response.text()}`);
  return Buffer.from(await response.arrayBuffer());
}

async function upload() {
  await send(s3.CreateBucketCommand);
  await each((Key) => send(s3.PutObjectCommand, { Key, Body: data(Key) }), small);
  const params = { Bucket, Key: "large.bin", Body: large };
  await new Upload({ client, params, partSize, queueSize: 3 }).done();
}

async function reads() {
  const found = [];
  for await (const page of s3.paginateListObjectsV2({ client, pageSize: 300 }, { Bucket })) {
    found.push(...page.Contents.map((entry) => entry.Key));
  }
  same(found, ["large.bin", ...small], "listing");
  await each(async (Key) => {
    const answer = await send(s3.GetObjectCommand, { Key });
    sameBytes(await answer.Body.transformToByteArray(), data(Key), Key);
  }, small);
  for (const [start, end] of [[0, 1], [0, 100_000], [partSize - 10, partSize + 10]]) {
    const answer = await send(s3.GetObjectCommand, { Key: "large.bin", Range: `bytes=${start}-${end - 1}` });
    sameBytes(await answer.Body.transformToByteArray(), large.subarray(start, end), `from ${start}`);
  }
}

async function copyInParts() {
  const Key = "copy/large";
  const CopySource = `${Bucket}/large.bin`;
  const { UploadId } = await send(s3.CreateMultipartUploadCommand, { Key });
  const Parts = [];
  for (let start = 0; start < large.length; start += partSize) {
    const PartNumber = Parts.length + 1;
    const CopySourceRange = `bytes=${start}-${Math.min(start + partSize, large.length) - 1}`;
    const more = { Key, UploadId, PartNumber, CopySource, CopySourceRange };
    const { CopyPartResult } = await send(s3.UploadPartCopyCommand, more);
    Parts.push({ PartNumber, ETag: CopyPartResult.ETag });
  }
  await send(s3.CompleteMultipartUploadCommand, { Key, UploadId, MultipartUpload: { Parts } });
}

async function changes() {
  await send(s3.CopyObjectCommand, { Key: "copy/small", CopySource: `${Bucket}/${small[7]}` });
  await copyInParts();
  await send(s3.DeleteObjectCommand, { Key: small[0] });
  const last = small.slice(-small.length / 10);
  const answer = await send(s3.DeleteObjectsCommand, { Delete: { Objects: last.map((Key) => ({ Key })) } });
  same(answer.Deleted.length, last.length, "deleted");
  const gone = await send(s3.HeadObjectCommand, { Key: small[0] }).catch((error) => error.name);
  same(gone, "NotFound", "a deleted object");
}

async function links() {
  const get = await getSignedUrl(client, new s3.GetObjectCommand({ Bucket, Key: small[7] }));
  sameBytes(await answered(await fetch(get), "link"), data(small[7]), "link");
  const put = await getSignedUrl(client, new s3.PutObjectCommand({ Bucket, Key: "put/s3v4" }));
  await answered(await fetch(put, { method: "PUT", body: data(small[7]) }), "upload by a link");
  const { url, fields } = await createPresignedPost(client, { Bucket, Key: "post/s3v4" });
  const form = new FormData();
  for (const [name, value] of Object.entries(fields)) form.append(name, value);
  form.append("file", new Blob([data(small[7])]));
  await answered(await fetch(url, { method: "POST", body: form }), "form");
}

for (const step of [upload, reads, changes, links]) await step();
