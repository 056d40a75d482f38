// The first photo of a job's input, to try a template with.
import { address, client } from "../../api/client";
import { keyPath, type Listing } from "../../api/facts";
import { firstSource, placeOf } from "./place";

const kPhoto = /\.(jpe?g|png|webp)$/i;
/** Of a manifest so much is read: its lines have at most 100,000 characters. */
const kHead = 400_000;

async function uriOfFirst(inputUri: string, isManifest: boolean): Promise<string | null> {
  const place = placeOf(inputUri);
  if (!place) return null;
  if (isManifest) {
    const answer = await fetch(address(`requester/objects/${keyPath(place.bucket, place.key)}`), {
      headers: { Range: `bytes=0-${kHead - 1}` },
    });
    return answer.ok ? firstSource(await answer.text()) : null;
  }
  const listing = await client.get<Listing>("requester/objects", {
    bucket: place.bucket,
    prefix: place.key,
    limit: 200,
  });
  const key = listing.objects.find((object) => kPhoto.test(object.key))?.key;
  if (key) return `s3://${place.bucket}/${key}`;
  const folder = listing.folders[0];
  return folder ? uriOfFirst(`s3://${place.bucket}/${folder}`, false) : null;
}

/** Null when the input has no photo (yet). */
export async function firstPhoto(inputUri: string, isManifest: boolean): Promise<{ uri: string; content: Blob } | null> {
  const uri = await uriOfFirst(inputUri, isManifest);
  const place = uri ? placeOf(uri) : null;
  if (!uri || !place) return null;
  return { uri, content: await client.blob(`requester/objects/${keyPath(place.bucket, place.key)}`) };
}
