"""UpdateEndpointWeightsAndCapacities: other shares and numbers; servers that stay are kept."""

import re

from support.endpoint_case import EndpointCase


class UpdateEndpointWeightsAndCapacities(EndpointCase):
    def change(self, name, *changes):
        return self.sagemaker.update_endpoint_weights_and_capacities(EndpointName=name, DesiredWeightsAndCapacities=list(changes))

    def test_shares_and_numbers(self):
        model = self.make_model()
        name = self.make_endpoint(self.variant(model, "a"), self.variant(model, "b", weight=0))
        self.assertEqual({self.invoke(name)["InvokedProductionVariant"] for _ in range(10)}, {"a"})
        before = set(self.instances())
        answer = self.change(name, {"VariantName": "a", "DesiredWeight": 0}, {"VariantName": "b", "DesiredWeight": 1, "DesiredInstanceCount": 2})
        self.assertEqual(answer["EndpointArn"], self.arn("endpoint/" + name))
        self.wait_in_service(name)
        self.assertEqual({self.invoke(name)["InvokedProductionVariant"] for _ in range(10)}, {"b"})
        variants = {one["VariantName"]: one for one in self.sagemaker.describe_endpoint(EndpointName=name)["ProductionVariants"]}
        self.assertEqual((variants["b"]["CurrentInstanceCount"], variants["b"]["CurrentWeight"], variants["a"]["CurrentWeight"]), (2, 1.0, 0.0))
        self.assertLess(before, set(self.instances()))
        self.change(name, {"VariantName": "b", "DesiredInstanceCount": 1})
        self.wait_in_service(name)
        self.wait_for(lambda: len(self.instances()) == 2, "the end of the third server")
        self.assertEqual(self.invoke(name, TargetVariant="a")["InvokedProductionVariant"], "a")

    def test_what_cannot_be(self):
        name = self.make_endpoint(self.variant(self.make_model(), "a"))
        with self.invalid("There is no production variant 'z'; there are: a."):
            self.change(name, {"VariantName": "z", "DesiredWeight": 1})
        with self.invalid("The weights of the production variants are all 0; at least one must be above."):
            self.change(name, {"VariantName": "a", "DesiredWeight": 0})
        with self.invalid(re.compile("DesiredInstanceCount is 0; allowed are 1 to 1000")):
            self.change(name, {"VariantName": "a", "DesiredInstanceCount": 0})
        with self.invalid(f"Could not find endpoint \"{self.arn('endpoint/nobody')}\"."):
            self.change("nobody", {"VariantName": "a", "DesiredWeight": 1})
