// What can be done with models and endpoints from several pages.
import { client } from "../../api/client";
import type { Endpoint } from "../../api/controlFacts";
import { part } from "../../api/facts";
import { ask } from "../../ui/dialog";
import { toast } from "../../ui/toast";
import { navigate } from "../navigation";

/** Asks for the endpoint's name and goes to it. */
export async function deployModel(model: string): Promise<void> {
  await ask({
    heading: `Deploy ${model}`,
    text: "An endpoint of this model alone, with one server.",
    input: { label: "Name of the endpoint", value: model, hint: "Letters, digits and hyphens, at most 63." },
    action: "Deploy it",
    perform: async (name) => {
      const { endpoint } = await client.post<{ endpoint: Endpoint }>("console/endpoints", { name, variants: [{ model }] });
      navigate(`/_/console/endpoints/${part(endpoint.name)}`);
    },
  });
}

export async function deleteEndpoint(name: string, done: () => void): Promise<void> {
  await ask({
    heading: `Delete ${name}?`,
    text: "What it is asked now is still answered, then its servers end. Programs that ask it get an error from then on. The model stays.",
    action: "Delete the endpoint",
    danger: true,
    perform: async () => {
      await client.delete(`console/endpoints/${part(name)}`);
      toast("The endpoint is being deleted.");
      done();
    },
  });
}
