// The worker of Background.
import { JobServer, type FromWorker, type ToWorker } from "./backgroundJobs";

interface WorkerScope {
  postMessage(message: FromWorker, transfer: Transferable[]): void;
  onmessage: ((event: MessageEvent<ToWorker>) => void) | null;
}
const scope = self as unknown as WorkerScope;

// A message to oneself comes after those that are waiting.
const bell = new MessageChannel();
let rung: (() => void) | null = null;
bell.port1.onmessage = () => rung?.();

const server = new JobServer(
  (message, transfer) => scope.postMessage(message, transfer),
  () =>
    new Promise((resolve) => {
      rung = resolve;
      bell.port2.postMessage(null);
    }),
);
scope.onmessage = (event) => server.take(event.data);
