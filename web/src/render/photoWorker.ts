import { decodePhoto } from "./photoDecode";

interface WorkerScope {
  onmessage: ((event: MessageEvent<Blob>) => void) | null;
  postMessage(message: unknown, transfer: Transferable[]): void;
}
const scope = self as unknown as WorkerScope;
scope.onmessage = (event) => {
  void decodePhoto(event.data, (news) => scope.postMessage(news, news.type === "tile" ? [news.bitmap] : []));
};
