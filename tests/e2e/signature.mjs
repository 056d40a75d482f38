// A link signed with an access key (AWS Signature Version 4, in the query): the tests' own, independent of the program's.
import { createHash, createHmac } from "node:crypto";

const hmac = (key, text) => createHmac("sha256", key).update(text).digest();
const encode = (text) => encodeURIComponent(text).replace(/[!'()*]/g, (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`);

/** `url` as a GET that is good for a minute. */
export function presigned(url, { id, secret }, region = "us-east-1") {
  const target = new URL(url);
  const time = new Date().toISOString().replace(/[-:]|\.\d+/g, "");
  const scope = `${time.slice(0, 8)}/${region}/s3/aws4_request`;
  const query = {
    ...Object.fromEntries(target.searchParams),
    "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
    "X-Amz-Credential": `${id}/${scope}`,
    "X-Amz-Date": time,
    "X-Amz-Expires": "60",
    "X-Amz-SignedHeaders": "host",
  };
  const text = Object.entries(query).map((pair) => pair.map(encode).join("=")).sort().join("&");
  const request = ["GET", target.pathname, text, `host:${target.host}`, "", "host", "UNSIGNED-PAYLOAD"].join("\n");
  const toSign = ["AWS4-HMAC-SHA256", time, scope, createHash("sha256").update(request).digest("hex")].join("\n");
  const key = [time.slice(0, 8), region, "s3", "aws4_request"].reduce(hmac, `AWS4${secret}`);
  return `${target.origin}${target.pathname}?${text}&X-Amz-Signature=${hmac(key, toSign).toString("hex")}`;
}
