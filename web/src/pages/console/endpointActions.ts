// What can be done with models and endpoints from several pages.
import { client } from "../../api/client";
import type { Endpoint } from "../../api/controlFacts";
import { part } from "../../api/facts";
import { ask } from "../../ui/dialog";
import { toast } from "../../ui/toast";
import { navigate } from "../navigation";
import { kNameHint } from "./names";

/** Asks for the endpoint's name and goes to it. */
export async function deployModel(model: string): Promise<void> {
  await ask({
    heading: `Deploy ${model}`,
    text: "An endpoint of this model alone, with one server.",
    input: { label: "Name of the endpoint", value: model, hint: kNameHint },
    action: "Deploy it",
    perform: async (name) => {
      const { endpoint } = await client.post<{ endpoint: Endpoint }>("console/endpoints", { name, variants: [{ model }] });
      navigate(`/_/console/endpoints/${part(endpoint.name)}`);
    },
  });
}

async function deleteNamed(kind: "endpoint" | "model", name: string, words: { text: string; deleted: string }, done: () => void): Promise<void> {
  await ask({
    heading: `Delete ${name}?`,
    text: words.text,
    action: `Delete the ${kind}`,
    danger: true,
    perform: async () => {
      await client.delete(`console/${kind}s/${part(name)}`);
      toast(words.deleted);
      done();
    },
  });
}

export function deleteEndpoint(name: string, done: () => void): Promise<void> {
  const text = "What it is asked now is still answered, then its servers end. Programs that ask it get an error from then on. The model stays.";
  return deleteNamed("endpoint", name, { text, deleted: "The endpoint is being deleted." }, done);
}

export function deleteModel(name: string, done: () => void): Promise<void> {
  const text = "Its name goes. The file in the bucket stays, and endpoints that serve it go on.";
  return deleteNamed("model", name, { text, deleted: "The model is deleted." }, done);
}
